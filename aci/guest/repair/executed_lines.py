"""The lines of an edited function that run, by their text: an edit may prevent most of them from running.

Standard library only, for the target's own Python (3.6 and later).
"""

import copy
import sys
import types

from ..code_swap import apply_edits
from ..forked_sandbox import TimeUp, cpu_limit
from ..value_text import take_items

CALLS, LATE, LINES = 30, 2, 200000
"""Limits: traced calls, traced calls that may exceed their time limit, and lines that run in all of the calls."""


def lines_of(data, edits=()):
    """Return the lines of a file's bytes, with the edits applied, as stripped texts."""
    text = apply_edits(data, edits, 0, None) if edits else data
    return [line.strip() for line in text.decode("utf-8", "replace").splitlines()]


def executed_texts(functions, calls, lines, limit):
    """Return the texts of the functions' lines that run in some of the calls. `limit`: CPU seconds for a call."""
    codes = {code for function in functions for code in nested_codes(function.__code__)}
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
    for call in select_calls(functions, calls):
        if late >= LATE or count > LINES:
            break
        sys.settrace(trace)
        try:
            with cpu_limit(limit):
                positional, named = copy.deepcopy(call.values)
                take_items(call.function(*positional, **named))
        except TimeUp:
            late += 1
        except BaseException:  # noqa: BLE001 - exceptions are examined elsewhere
            continue
        finally:
            sys.settrace(None)
    return {lines[number - 1] for number in seen - first if 0 < number <= len(lines)} - {""}


def select_calls(functions, calls):
    """Select calls of the functions, else of those through which tests reach them: recorded ones, then variants."""
    ids = {id(one) for one in functions}
    own = [call for call in calls if id(call.function) in ids] or [call for call in calls if call.entry]
    seen = [call for call in own if not call.made]
    return (seen[: CALLS // 2] + [call for call in own if call.made])[:CALLS]


def nested_codes(code):
    """Return a code object and those nested in it."""
    found = [code]
    for one in code.co_consts:
        if isinstance(one, types.CodeType):
            found += nested_codes(one)
    return found
