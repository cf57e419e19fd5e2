"""Frames and code objects of calls: arguments, nested code, and the code that raised an exception.

Standard library only, for the target's own Python (3.6 and later).
"""

import opcode
import types

VARARGS, VARKEYWORDS = 0x4, 0x8
RAISE = opcode.opmap["RAISE_VARARGS"]


def call_arguments(frame):
    """Return the [positional, named] arguments of a call from its frame, which has just started."""
    values, code = frame.f_locals, frame.f_code
    names, count, at = code.co_varnames, code.co_argcount, code.co_argcount + code.co_kwonlyargcount
    positional = [values[name] for name in names[:count]]
    keywords = {name: values[name] for name in names[count:at]}
    if code.co_flags & VARARGS:
        positional += values[names[at]]
        at += 1
    if code.co_flags & VARKEYWORDS:
        keywords.update(values[names[at]])
    return [positional, keywords]


def nested_codes(code):
    """Return a code object and those nested in it, such as comprehensions, lambdas and nested functions."""
    found = {code}
    for one in code.co_consts:
        if isinstance(one, types.CodeType):
            found |= nested_codes(one)
    return found


def raising_code(error):
    """Return the code object that raised an exception, and whether it did so with a `raise` statement."""
    last = error.__traceback__
    while last.tb_next is not None:
        last = last.tb_next
    code = last.tb_frame.f_code
    return code, code.co_code[last.tb_lasti] == RAISE
