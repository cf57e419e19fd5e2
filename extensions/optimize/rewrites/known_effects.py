"""Known effects of Python's own functions and methods: which of them have none, and which change their receiver."""

from __future__ import annotations

PURE = frozenset(
    [
        "abs",
        "all",
        "any",
        "ascii",
        "bin",
        "bool",
        "bytes",
        "chr",
        "complex",
        "dict",
        "divmod",
        "enumerate",
        "filter",
        "float",
        "format",
        "frozenset",
        "getattr",
        "hasattr",
        "hash",
        "hex",
        "int",
        "isinstance",
        "issubclass",
        "iter",
        "len",
        "list",
        "map",
        "max",
        "min",
        "oct",
        "ord",
        "pow",
        "print",
        "range",
        "repr",
        "reversed",
        "round",
        "set",
        "slice",
        "sorted",
        "str",
        "sum",
        "super",
        "tuple",
        "type",
        "zip",
    ]
) - {"print", "iter", "super"}
"""Builtins without effects of their own."""

LAZY = frozenset(["enumerate", "filter", "iter", "map", "reversed", "zip"])
"""Builtins that return an iterator, which can be read only once and may yield items of the arguments."""

FRESH = frozenset(
    [
        "abs",
        "all",
        "any",
        "bool",
        "bytes",
        "chr",
        "float",
        "frozenset",
        "hash",
        "int",
        "len",
        "max",
        "min",
        "ord",
        "repr",
        "round",
        "str",
        "sum",
    ]
)
"""Builtins whose value may be stored and reused instead of computed again."""

COSTLY = frozenset(
    ["all", "any", "dict", "frozenset", "len", "list", "max", "min", "set", "sorted", "str", "sum", "tuple"]
)
"""Builtins whose cost grows with their arguments; `len` is cheap but still costs a call."""

READING = frozenset(
    [
        "capitalize",
        "casefold",
        "center",
        "copy",
        "count",
        "decode",
        "encode",
        "endswith",
        "expandtabs",
        "find",
        "format",
        "get",
        "group",
        "groups",
        "index",
        "isalnum",
        "isalpha",
        "isascii",
        "isdecimal",
        "isdigit",
        "isdisjoint",
        "isidentifier",
        "islower",
        "isnumeric",
        "isprintable",
        "isspace",
        "issubset",
        "issuperset",
        "istitle",
        "isupper",
        "items",
        "join",
        "keys",
        "ljust",
        "lower",
        "lstrip",
        "match",
        "fullmatch",
        "search",
        "finditer",
        "findall",
        "partition",
        "removeprefix",
        "removesuffix",
        "replace",
        "rfind",
        "rindex",
        "rjust",
        "rpartition",
        "rsplit",
        "rstrip",
        "split",
        "splitlines",
        "startswith",
        "strip",
        "swapcase",
        "title",
        "translate",
        "union",
        "intersection",
        "difference",
        "symmetric_difference",
        "upper",
        "values",
        "zfill",
        "sub",
    ]
)
"""Methods of strings, lists, dicts, sets and patterns that change nothing."""

MUTATING = frozenset(
    [
        "add",
        "append",
        "appendleft",
        "clear",
        "discard",
        "extend",
        "extendleft",
        "insert",
        "pop",
        "popitem",
        "popleft",
        "remove",
        "reverse",
        "rotate",
        "setdefault",
        "sort",
        "update",
    ]
)
"""Methods that change their receiver, but not their arguments."""

MODULES = frozenset(
    [
        "bisect",
        "collections",
        "copy",
        "fnmatch",
        "fractions",
        "functools",
        "html",
        "itertools",
        "json",
        "math",
        "operator",
        "os.path",
        "posixpath",
        "re",
        "statistics",
        "string",
        "textwrap",
        "unicodedata",
    ]
)
"""Modules of the standard library whose functions change nothing and are deterministic."""
