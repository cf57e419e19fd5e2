"""Parameters of a function: their names by the place of an argument, and those that its code reads.

Standard library only, for the target's own Python (3.6 and later).
"""

import dis

from .call_frames import VARARGS, VARKEYWORDS, nested_codes

READERS = {"locals", "vars", "dir", "eval", "exec", "super", "_getframe", "currentframe", "stack", "breakpoint"}
"""Names of functions that may read any local variable of their callers."""


def parameter_names(code):
    """Return the names of all parameters of a code object, in order."""
    count = code.co_argcount + code.co_kwonlyargcount
    return code.co_varnames[: count + bool(code.co_flags & VARARGS) + bool(code.co_flags & VARKEYWORDS)]


def parameter_at(code, place):
    """Return the name of the parameter that gets an argument: (0, number) if it is positional, else (1, name); "" if
    there is none."""
    kind, key = place
    named = code.co_argcount + code.co_kwonlyargcount
    if kind == 0 and key < code.co_argcount:
        return code.co_varnames[key]
    if kind == 1 and key in code.co_varnames[:named]:
        return key
    others = parameter_names(code)[named:]
    has_row, has_names = code.co_flags & VARARGS, code.co_flags & VARKEYWORDS
    if kind == 0:
        return others[0] if has_row else ""
    return others[-1] if has_names else ""


def read_parameters(code):
    """Return the names of the parameters that the code may read; those that are certainly not read are left out.

    A parameter counts as read if a nested function uses it, or if the code calls something that can see all of its
    variables.
    """
    names = set(parameter_names(code))
    if any(READERS.intersection(one.co_names) for one in nested_codes(code)):
        return names
    found = names.intersection(code.co_cellvars)
    for instruction in dis.get_instructions(code):
        if "LOAD_FAST" in instruction.opname or instruction.opname == "DELETE_FAST":
            value = instruction.argval
            found.update(names.intersection(value if isinstance(value, tuple) else (value,)))
    return found
