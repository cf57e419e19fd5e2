"""Description of what can be called in an imported module: its functions and classes with their parameters.

Standard library only, for the target's own Python (3.6 and later).
"""

import enum
import inspect
import itertools
import os
import sys
import types

LONGEST_DEFAULT, LONGEST_ANNOTATION, MOST_MEMBERS, MOST_PAIRS = 60, 300, 40, 100
SKIPPED = {
    *("__init__", "__new__", "__class__", "__init_subclass__", "__subclasshook__", "__class_getitem__", "__del__"),
    *("__getattribute__", "__setattr__", "__delattr__", "__getattr__", "__dir__", "__sizeof__", "__prepare__"),
    *("__aenter__", "__aexit__", "__aiter__", "__anext__", "__await__", "__set_name__", "__abstractmethods__"),
}
"""Methods that are not called by name."""


def describe_module(module, root):
    """Return {"functions": [...], "classes": [...], "public": [...], "shared": [...], "enums": {...}}.

    `public` are the names that the package offers, and `shared` those that mean the same in the module. `enums` holds
    the members of the enumerations that the module can use.
    A function is {name, params, doc, async}, a class {name, params, methods, abstract, bases, error}, and a parameter
    {name, kind, default, annotation}; params are null if they are unknown.
    """
    functions, classes = [], []
    for name, value in sorted(vars(module).items()):
        if name.startswith("__") or getattr(value, "__module__", None) != module.__name__:
            continue
        if isinstance(value, type):
            classes.append(_class(name, value, root))
        elif callable(value) and not isinstance(value, types.ModuleType):
            functions.append(_function(name, value))
    package = vars(sys.modules[module.__name__.partition(".")[0]])
    shared = sorted(name for name, value in vars(module).items() if name in package and package[name] is value)
    public = sorted(
        name for name, value in package.items() if name[0] != "_" and not isinstance(value, types.ModuleType)
    )
    enums = {name: _members(name, value) for name, value in vars(module).items() if isinstance(value, enum.EnumMeta)}
    return {"functions": functions, "classes": classes, "public": public, "shared": shared, "enums": enums}


def _members(name, value):
    """Return the members, and pairs of them if `|` combines them."""
    members = ["%s.%s" % (name, one.name) for one in value if name[0] != "_"][:MOST_MEMBERS]
    pairs = itertools.combinations(members, 2) if issubclass(value, int) else ()
    return members + ["%s | %s" % pair for pair in pairs][:MOST_PAIRS]


def _function(name, value, drop=0):
    raw = inspect.unwrap(value) if hasattr(value, "__wrapped__") else value
    return {
        "name": name,
        "params": parameters(value, drop),
        "async": inspect.iscoroutinefunction(raw),
        "doc": (inspect.getdoc(value) or "")[:4000] if not isinstance(value, type) else "",
    }


def _class(name, value, root):
    methods = []
    for one in sorted(dir(value)):
        if one in SKIPPED:
            continue
        held = inspect.getattr_static(value, one)
        kind, raw, drop = "method", held, 1
        if isinstance(held, (staticmethod, classmethod)):
            kind, raw, drop = "static", held.__func__, int(isinstance(held, classmethod))
        elif isinstance(held, property):
            kind, raw = "property", held.fget
        inner = inspect.unwrap(raw) if callable(raw) else raw
        if getattr(inner, "__code__", None) is None or not _is_own(value, one, root):
            continue
        methods.append(dict(_function(one, raw, drop), kind=kind))
    init = inspect.getattr_static(value, "__init__", None)
    own = isinstance(init, types.FunctionType) or "__new__" in vars(value)
    params = parameters(value, 0) if own else ([] if init is object.__init__ else None)
    abstract = bool(getattr(value, "__abstractmethods__", None))
    bases = [base.__name__ for base in value.__mro__[1:-1]]
    is_error = issubclass(value, BaseException)
    return {"name": name, "params": params, "methods": methods, "abstract": abstract, "bases": bases, "error": is_error}


def _is_own(value, name, root):
    """Return whether the class that defines the method belongs to the repository."""
    owner = next((one for one in value.__mro__ if name in vars(one)), object)
    file = getattr(sys.modules.get(owner.__module__), "__file__", None) or ""
    return os.path.realpath(file).startswith(os.path.join(root, ""))


def parameters(value, drop):
    try:
        found = list(inspect.signature(value).parameters.values())[drop:]
    except (TypeError, ValueError):
        return None
    raw = inspect.unwrap(getattr(value, "__init__", None) if isinstance(value, type) else value)
    space = getattr(raw, "__globals__", {})
    return [
        {
            "name": one.name,
            "kind": int(one.kind),
            "default": None if one.default is one.empty else _text(one.default),
            "annotation": "" if one.annotation is one.empty else _annotation(one.annotation, space),
        }
        for one in found
    ]


def _text(value, longest=LONGEST_DEFAULT):
    try:
        return repr(value)[:longest]
    except Exception:  # noqa: BLE001 - any object may refuse to be shown
        return "..."


def _annotation(value, space):
    """Return the annotation as text; `space` are the names of its module, which may be aliases of types."""
    value = space.get(value, value) if isinstance(value, str) else value
    if isinstance(value, str):
        return value[:LONGEST_ANNOTATION]
    if isinstance(value, type) and not getattr(value, "__args__", None):
        return value.__name__
    return _text(value, LONGEST_ANNOTATION)
