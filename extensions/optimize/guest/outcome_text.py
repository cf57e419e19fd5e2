"""The outcome of a call as text: the whole value, its type, a literal as in source code, or an error."""

import asyncio
import collections.abc
import hashlib
import itertools
import os
import re
import types

from extensions.experiment.guest.call_frames import raising_code
from extensions.experiment.guest.forked_sandbox import TimeUp, cpu_limit

ITEMS, DEPTH, LENGTH = 2000, 6, 20000
ATOMS = (bool, int, float, complex, str, bytes, type(None))


def value_text(value, depth=0):
    """Return the whole value as text without memory addresses; iterators and coroutines are consumed."""
    kind = type(value)
    if isinstance(value, ATOMS):
        return repr(value)[:LENGTH]
    if depth > DEPTH:
        return "..."
    if isinstance(value, types.CoroutineType):
        return "coroutine:" + value_text(asyncio.run(value), depth + 1)
    if isinstance(value, dict):
        pairs = list(itertools.islice(value.items(), ITEMS))
        return (
            kind.__name__
            + "{"
            + ",".join(value_text(k, depth + 1) + ":" + value_text(v, depth + 1) for k, v in pairs)
            + "}"
        )
    if isinstance(value, (list, tuple, set, frozenset)) or hasattr(value, "__next__") or _is_iterable(value):
        items = [value_text(one, depth + 1) for one in itertools.islice(value, ITEMS)]
        text = ",".join(sorted(items) if isinstance(value, (set, frozenset)) else items)
        return "%s(%s)%s" % (kind.__name__, text, _attributes(value, depth))
    return kind.__name__ + _attributes(value, depth) + re.sub(r" at 0x[0-9a-f]+", "", repr(value))[:LENGTH]


def _is_iterable(value):
    return hasattr(type(value), "__iter__") and not isinstance(value, type) and not hasattr(value, "read")


def _attributes(value, depth):
    """Return the public attributes and properties of an object as text."""
    if isinstance(value, (type, types.FunctionType, types.ModuleType)) or not hasattr(value, "__dict__"):
        return ""
    of_class = [name for kind in type(value).__mro__ for name, one in vars(kind).items() if _is_property(one)]
    names = sorted({name for name in [*vars(value), *of_class] if not name.startswith("_")})
    return "<%s>" % ",".join(name + "=" + value_text(getattr(value, name, None), depth + 1) for name in names)


def _is_property(one):
    return isinstance(one, property) or type(one).__name__ in ("cached_property", "member_descriptor")


def type_text(value, depth=0):
    """Return the types of a value and of its parts as text; nothing is consumed."""
    name = type(value).__name__
    if isinstance(value, collections.abc.Iterator) and type(value).__module__ in ("builtins", "itertools"):
        return "iterator"
    if depth > 2:
        return name
    most = 50 if depth else ITEMS
    if type(value) in (list, tuple, set, frozenset):
        return "%s[%s]" % (name, "|".join(sorted({type_text(one, depth + 1) for one in itertools.islice(value, most)})))
    if type(value) is dict:
        return "dict[%s]" % "|".join(sorted({type_text(one, depth + 1) for one in list(value.values())[:most]}))
    if hasattr(value, "__dict__") and not isinstance(value, (type, types.FunctionType, types.ModuleType)):
        public = [(each, one) for each, one in sorted(vars(value).items()) if not each.startswith("_")]
        return "%s<%s>" % (name, ",".join(each + ":" + type_text(one, depth + 1) for each, one in public))
    return name


def digest(text):
    return hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()[:16]


def plain_digest(value):
    """Return the digest of the value's literal, or "" if it has no literal or is too small to be significant."""
    text = repr(value)[:2000] if _is_plain(value, 0) else ""
    return "" if (isinstance(value, (int, float)) and abs(value) < 100) or len(text) < 4 else digest(text)


def _is_plain(value, depth):
    if type(value) in (int, float, str, bytes, bool, type(None)):
        return True
    if type(value) in (list, tuple) and depth < 3 and len(value) < 200:
        return all(_is_plain(one, depth + 1) for one in value)
    return type(value) is dict and len(value) < 200 and all(_is_plain(one, depth + 1) for one in value.values())


def describe_error(error, root, terms):
    """Return an error's type, text and line, whether the repository's code raises it explicitly, and `met`.

    `terms` maps a line number (as text) to expressions, each of which is sufficient to cause the error; `met` lists
    those that are true.
    """
    trace, own, line, names = error.__traceback__, False, 0, {}
    while trace is not None:
        own = trace.tb_frame.f_code.co_filename.startswith(root + os.sep)
        if own:
            line, frame = trace.tb_lineno, trace.tb_frame
            names = {**frame.f_globals, **frame.f_locals}
        trace = trace.tb_next
    explicit = own and raising_code(error)[1]
    text = re.sub(r" at 0x[0-9a-f]+", "", str(error))[:500]
    met = [term for term in terms.get(str(line), ()) if _is_met(term, names)]
    return {"raised": type(error).__name__, "text": text, "explicit": explicit, "line": line, "met": met}


def _is_met(term, names):
    """Return whether a part of a condition in the repository's code is true when evaluated again."""
    try:
        with cpu_limit(1.0):
            return bool(eval(term, names))
    except (Exception, TimeUp):  # noqa: BLE001 - it may refer to missing names
        return False
