"""Restrictions for tests written by a model: they must not access the machine, either while they run or when the
process ends.

Users will run these tests on their own machines without supervision. The imports must therefore be on an allow list,
and names that could bypass this list are forbidden. This check complements the audit hook that is active during a
test's first runs.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterable, Iterator

IMPORTED = {
    *("abc", "array", "base64", "bisect", "calendar", "cmath", "collections", "copy", "dataclasses", "datetime"),
    *(
        "decimal",
        "enum",
        "fractions",
        "functools",
        "hashlib",
        "heapq",
        "hmac",
        "html",
        "ipaddress",
        "itertools",
        "json",
    ),
    *("math", "numbers", "random", "re", "statistics", "string", "struct", "textwrap", "unicodedata", "urllib.parse"),
    *("uuid", "zoneinfo", "collections.abc", "asyncio", "pytest"),
}
FROM = {"io": {"StringIO", "BytesIO"}, "types": {"SimpleNamespace", "MappingProxyType"}, "contextlib": {"suppress"}}
"""Modules from which only the given names may be imported."""
PYTEST = {"raises", "approx", "warns"}
UNWANTED = {
    *("os", "posix", "sys", "atexit", "gc", "subprocess", "posixsubprocess", "threading", "thread", "multiprocessing"),
    *("ctypes", "importlib", "signal", "shutil", "socket", "builtins", "inspect", "pty", "runpy", "codeop", "pickle"),
    *("marshal", "weakref", "concurrent", "pathlib", "tempfile", "codecs", "io", "mock", "finalize", "system", "popen"),
    *("create_subprocess_exec", "create_subprocess_shell", "attrgetter", "methodcaller", "importorskip", "MonkeyPatch"),
    *("tb_frame", "f_globals", "f_builtins", "f_locals", "f_back", "gi_frame", "cr_frame", "ag_frame"),
}
"""Names that are forbidden, even as attributes of any object, because the modules that a module imports are accessible
as its attributes."""
BUILTIN = {
    *("eval", "exec", "compile", "open", "getattr", "setattr", "delattr", "vars", "globals", "locals", "input"),
    *("breakpoint", "exit", "quit"),
}
DUNDERS = {
    *("__name__", "__doc__", "__init__", "__cause__", "__context__", "__len__", "__str__", "__repr__", "__eq__"),
    *("__hash__", "__iter__", "__next__", "__call__", "__enter__", "__exit__", "__getitem__", "__contains__"),
}


def forbidden_name(body: Iterable[ast.stmt], own: Collection[str]) -> str:
    """Return the first forbidden name or construct in a test, or "" if there is none; `own` are the repository's
    top-level names."""
    for node in (each for one in body for each in ast.walk(one)):
        if isinstance(node, ast.Match):
            return "match"
        if isinstance(node, ast.Import | ast.ImportFrom) and (wrong := _imported(node, own)):
            return wrong
        for name in _names(node):
            is_hidden = name.startswith("__") and name not in DUNDERS
            if is_hidden or name.strip("_") in UNWANTED or (isinstance(node, ast.Name) and name in BUILTIN):
                return name
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "pytest" and node.attr not in PYTEST:
            return f"pytest.{node.attr}"
    return ""


def _imported(node: ast.Import | ast.ImportFrom, own: Collection[str]) -> str:
    """Return the first name that may not be imported, or "" if there is none."""
    names = [one.name for one in node.names]
    if isinstance(node, ast.Import):
        return next((one for one in names if one not in IMPORTED and one.split(".")[0] not in own), "")
    module = node.module or ""
    if node.level or "*" in names:
        return f"from {'.' * node.level}{module} import {', '.join(names)}"
    wanted = PYTEST if module == "pytest" else FROM.get(module)
    if wanted is not None:
        return next((f"{module}.{one}" for one in names if one not in wanted), "")
    return "" if module in IMPORTED or module.split(".")[0] in own else module


def _names(node: ast.AST) -> Iterator[str]:
    """Yield the names that a node uses or binds."""
    if isinstance(node, ast.Name):
        yield node.id
    elif isinstance(node, ast.Attribute):
        yield node.attr
    elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield node.name
    elif isinstance(node, ast.ImportFrom):
        if node.module not in FROM:
            yield from (part for part in (node.module or "").split("."))
        yield from (one.name for one in node.names)
    elif isinstance(node, ast.Import):
        yield from (part for one in node.names for part in one.name.split("."))
