"""Executed lines of an edited function, identified by their text, to detect edits that keep most of them from running.

Standard library only, for the target's own Python (3.6 and later).
"""

import copy
import sys

from .call_frames import nested_codes
from .code_swap import apply_edits
from .forked_sandbox import TimeUp, cpu_limit
from .value_text import take_items

CALLS, LATE, LINES = 30, 2, 200000
"""Limits: number of traced calls, of traced calls that may exceed their time limit, and of lines run in all calls."""


def lines_of(data, edits=()):
    """Return the lines of a file's bytes after applying the edits, without leading and trailing whitespace."""
    text = apply_edits(data, edits, 0, None) if edits else data
    return [line.strip() for line in text.decode("utf-8", "replace").splitlines()]


def executed_texts(functions, calls, lines, limit):
    """Return the text of every line of the functions that runs in any call. `limit`: CPU seconds per call."""
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
    """Select calls of the functions, or else of their entry points: recorded calls first, then variants."""
    ids = {id(one) for one in functions}
    own = [call for call in calls if id(call.function) in ids] or [call for call in calls if call.entry]
    seen = [call for call in own if not call.made]
    return (seen[: CALLS // 2] + [call for call in own if call.made])[:CALLS]
