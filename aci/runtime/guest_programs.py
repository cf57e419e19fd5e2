"""The modules of `aci/guest` and of extensions, which are copied into a workspace and run by its Python.

The guest package of an extension becomes a subpackage with the extension's name: `extensions/testgen/guest/a.py` is the
module `testgen.a`. It imports modules of `aci.guest`, and of extensions that it requires, by their whole names, which
become relative in the copy.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from trajectories.plugins import EXTENSIONS, extension_packages

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

PREFIX = "_swe_agent_"
"""The prefix of the names of copied packages. No module of a repository has such a name."""
PACKAGE = f"{PREFIX}guest"
_GUEST = "aci.guest"
_KIT_IMPORT = re.compile(rb"^([ \t]*from )(?:aci|extensions\.(\w+))\.guest\.", re.MULTILINE)


def install_programs(write: Callable[[str, bytes], None], folder: str, *modules: str, package: str = PACKAGE) -> str:
    """Copy guest modules and all modules that they import into a package in `folder`; return the path of the package's
    `__main__.py`.

    `write(path, data)` writes a file. `python PATH MODULE ARGUMENT ...` calls `main` of a module with the arguments.
    Pass another name as `package` if processes of the repository import its modules, since they may already have loaded
    PACKAGE from another folder.
    """
    for path, data in program_files(*modules).items():
        write(f"{folder}/{package}/{path}", data)
    return f"{folder}/{package}/__main__.py"


def program_source(path: str) -> bytes:
    """Return the content of a file of `aci/guest`, or of an extension, such as a program that needs no other module."""
    data = _file(path).read_bytes()
    dots = b"." * (path.count("/") + 1)

    def relative(match: re.Match[bytes]) -> bytes:
        return match[1] + dots + (match[2] + b"." if match[2] else b"")

    return _KIT_IMPORT.sub(relative, data) if path.endswith(".py") else data


def _file(path: str) -> Traversable:
    top, _, rest = path.partition("/")
    found, own = files(_GUEST).joinpath(path), f"{EXTENSIONS}.{top}."
    if found.is_file() or not rest:
        return found
    package = next((one for one in extension_packages(_GUEST) if one.startswith(own)), "")
    return files(package).joinpath(rest) if package else found


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
    """Yield the guest modules that a module imports by relative imports, as dotted names in the copied package."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.level:
            parts = name.split(".")[: -node.level] + (node.module.split(".") if node.module else [])
            if _is_module(parts):
                yield ".".join(parts)
            else:
                yield from (".".join([*parts, alias.name]) for alias in node.names)


def _is_module(parts: list[str]) -> bool:
    return bool(parts) and _file(f"{'/'.join(parts)}.py").is_file()
