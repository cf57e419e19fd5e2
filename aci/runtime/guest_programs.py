"""The modules of `aci/guest`, which are copied into a workspace and run by its Python."""

from __future__ import annotations

import ast
import json
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any

PREFIX = "_swe_agent_"
"""The prefix of the names of copied packages. No module of a repository has such a name."""
PACKAGE = f"{PREFIX}guest"
_SOURCES = files("aci.guest")


def install_programs(write: Callable[[str, bytes], None], folder: str, *modules: str, package: str = PACKAGE) -> str:
    """Copy modules of `aci.guest` and all modules that they import into a package in `folder`; return the path of the
    package's `__main__.py`.

    `write(path, data)` writes a file. `python PATH MODULE ARGUMENT ...` calls `main` of a module with the arguments.
    Pass another name as `package` if processes of the repository import its modules, since they may already have loaded
    PACKAGE from another folder.
    """
    for path, data in program_files(*modules).items():
        write(f"{folder}/{package}/{path}", data)
    return f"{folder}/{package}/__main__.py"


def program_source(path: str) -> bytes:
    """Return the content of a file of `aci/guest`, such as a program that needs no other module."""
    return _SOURCES.joinpath(path).read_bytes()


def parse_object(line: bytes) -> dict[str, Any] | None:
    """Return the JSON object in a line that a guest program wrote; None if there is none, as the line is untrusted."""
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


@cache
def program_files(*modules: str) -> Mapping[str, bytes]:
    """Return the files of a package with these modules, the modules that they import, and their parent packages; the
    keys are paths in the package."""
    found: dict[str, bytes] = {}
    waiting = ["__init__", "__main__", *modules]
    while waiting:
        name = waiting.pop()
        path = f"{name.replace('.', '/')}.py"
        if path not in found:
            found[path] = program_source(path)
            waiting += _imported(name, found[path])
            if package := name.rpartition(".")[0]:
                waiting.append(f"{package}.__init__")
    return MappingProxyType(found)


def _imported(name: str, source: bytes) -> Iterator[str]:
    """Yield the modules that a module imports by relative imports, as dotted names below `aci.guest`."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.level:
            parts = name.split(".")[: -node.level] + (node.module.split(".") if node.module else [])
            if _is_module(parts):
                yield ".".join(parts)
            else:
                yield from (".".join([*parts, alias.name]) for alias in node.names)


def _is_module(parts: list[str]) -> bool:
    return bool(parts) and _SOURCES.joinpath(f"{'/'.join(parts)}.py").is_file()
