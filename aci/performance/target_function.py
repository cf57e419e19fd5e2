"""The function that is to be made faster: where it is, how it is named, and a shell line that runs ours beside it."""

from __future__ import annotations

import ast
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Protocol

from aci.workspace import Workspace
from trajectories.errors import UsageError

SESSION = "subject"
PYTHON = '"$(command -v python3 || command -v python)"'
Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True)
class Target:
    """The function `name` (dotted, as in `Class.method`) of the Python file at the repository-relative `path`."""

    path: str
    name: str

    def __str__(self) -> str:
        return f"{self.path}:{self.name}"

    def find(self, source: bytes | str) -> Function:
        """Its definition in the file, the last one of that name; bytes are read as Python does, with their encoding.

        Raises UsageError, also where the file is nested too deeply to be parsed; SyntaxError and ValueError.
        """
        try:
            found = [node for name, node in functions(ast.parse(source)) if name == self.name]
        except (RecursionError, MemoryError):
            raise UsageError(f"{self.path} is nested too deeply to be parsed.", "Name a function elsewhere.") from None
        if not found:
            raise UsageError(f"{self.path} has no function {self.name}.", "Name it as PATH.py:Class.method.")
        return found[-1]


class KeptCall(Protocol):
    """A call of a target: the pickle of its (args, kwargs), made inside a room and read inside rooms only."""

    @property
    def data(self) -> bytes: ...


def target_of(text: str) -> Target:
    """The target that a user names as `PATH.py:QUALNAME`. Raises UsageError."""
    path, mark, name = text.rpartition(":")
    if not mark or not path.endswith(".py") or not all(part.isidentifier() for part in name.split(".")):
        raise UsageError(f"{text!r} names no function.", "Name it as PATH.py:function or PATH.py:Class.method.")
    return Target(path.removeprefix("./"), name)


def functions(node: ast.AST, prefix: str = "") -> Iterator[tuple[str, Function]]:
    """The functions of a module and its classes, with their dotted names; none that is inside another function."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, Function):
            yield prefix + child.name, child
        elif isinstance(child, ast.ClassDef):
            yield from functions(child, f"{prefix}{child.name}.")
        elif isinstance(child, ast.stmt | ast.ExceptHandler):
            yield from functions(child, prefix)


def place(room: Workspace, *names: str, inside: str = "subject") -> str:
    """Put these files of `aci/inside/` (without `.py`) into a folder of the room's harness, and return the folder. With
    `__init__` among them it is a package."""
    folder = f"{room.harness}/{inside}"
    for name in names:
        room.write(f"{folder}/{name}.py", files("aci.inside").joinpath(f"{name}.py").read_bytes())
    return folder


def python_line(room: Workspace, words: Sequence[str], env: Mapping[str, str] | None = None) -> str:
    """A shell line, in the repository's root, for the Python that the room's commands find first."""
    variables = "".join(f"{name}={shlex.quote(value)} " for name, value in (env or {}).items())
    return f"(cd {shlex.quote(room.root)} && {variables}{PYTHON} {shlex.join(words)})"
