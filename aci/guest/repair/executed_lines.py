"""Which lines of an edited function run, by their text: an edit may keep most of it from running.

Standard library only, for the target's own Python (3.6 and later).
"""

import copy
import sys
import types

from .sandbox import TimeUp, cpu_limit
from .shape import drawn
from .swap import edited

CALLS, LATE, LINES = 30, 2, 200000
"""Calls that are watched, of them so many that take too long, and lines that run in all of them."""


def lines_of(data, edits=()):
    """The lines of a file's bytes, with the edits made, as stripped texts."""
    text = edited(data, edits, 0, None) if edits else data
    return [line.strip() for line in text.decode("utf-8", "replace").splitlines()]


def texts_run(functions, calls, lines, limit):
    """The texts of those lines of the functions that run in some of the calls. `limit`: CPU seconds a call."""
    codes = {code for function in functions for code in nested(function.__code__)}
    first = {code.co_firstlineno for code in codes}
    seen, count = set(), 0

    def line(frame, event, argument):
        nonlocal count
        if event == "line":
            seen.add(frame.f_lineno)
            count += 1
            if count > LINES:
                raise TimeUp()
        return line

    def trace(frame, event, argument):
        return line if frame.f_code in codes else None

    late = 0
    for call in chosen(functions, calls):
        if late >= LATE or count > LINES:
            break
        sys.settrace(trace)
        try:
            with cpu_limit(limit):
                positional, named = copy.deepcopy(call.values)
                drawn(call.function(*positional, **named))
        except TimeUp:
            late += 1
        except BaseException:  # noqa: BLE001 - what it raises is looked at elsewhere
            continue
        finally:
            sys.settrace(None)
    return {lines[number - 1] for number in seen - first if 0 < number <= len(lines)} - {""}


def chosen(functions, calls):
    """Calls of the functions themselves, else those through which tests reach them: seen ones, then some made."""
    ids = {id(one) for one in functions}
    own = [call for call in calls if id(call.function) in ids] or [call for call in calls if call.entry]
    seen = [call for call in own if not call.made]
    return (seen[: CALLS // 2] + [call for call in own if call.made])[:CALLS]


def nested(code):
    """A code object and those inside it."""
    found = [code]
    for one in code.co_consts:
        if isinstance(one, types.CodeType):
            found += nested(one)
    return found
