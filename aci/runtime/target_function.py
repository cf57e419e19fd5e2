"""Target function of an optimization: its file and name, and a shell line that runs Python for it."""

from __future__ import annotations

import ast
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from aci.runtime.workspace import Workspace
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
        """Return the function's definition in the file, the last one of that name; bytes are decoded as Python does.

        Raises UsageError if there is none or the file is nested too deeply to be parsed, and SyntaxError or ValueError
        if it is not valid Python.
        """
        try:
            found = [node for name, node in iter_functions(ast.parse(source)) if name == self.name]
        except (RecursionError, MemoryError):
            raise UsageError(
                f"{self.path} is nested too deeply to be parsed.", "Choose a function in another file."
            ) from None
        if not found:
            raise UsageError(f"{self.path} has no function {self.name}.", "Name it as PATH.py:Class.method.")
        return found[-1]

    def check(self, source: bytes | None) -> None:
        """Raise UsageError if the function is not in the file; None if there is no such file."""
        if source is None:
            raise UsageError(f"There is no file {self.path}.", "Name the function as PATH.py:QUALNAME.")
        try:
            self.find(source)
        except (SyntaxError, ValueError) as error:
            raise UsageError(f"{self.path} cannot be parsed: {error}.", "Name another function.") from None


class PickledCall(Protocol):
    """A call of a target: the pickle of its (args, kwargs), written and read only inside workspaces."""

    @property
    def data(self) -> bytes: ...


def parse_target(text: str) -> Target:
    """Parse the target that a user names as `PATH.py:QUALNAME`. Raises UsageError."""
    path, mark, name = text.rpartition(":")
    if not mark or not path.endswith(".py") or not all(part.isidentifier() for part in name.split(".")):
        raise UsageError(f"{text!r} does not name a function.", "Name it as PATH.py:function or PATH.py:Class.method.")
    return Target(path.removeprefix("./"), name)


def iter_functions(node: ast.AST, prefix: str = "") -> Iterator[tuple[str, Function]]:
    """Yield the functions of a module and its classes with their dotted names, excluding nested functions."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, Function):
            yield prefix + child.name, child
        elif isinstance(child, ast.ClassDef):
            yield from iter_functions(child, f"{prefix}{child.name}.")
        elif isinstance(child, ast.stmt | ast.ExceptHandler):
            yield from iter_functions(child, prefix)


def python_line(room: Workspace, words: Sequence[str], env: Mapping[str, str] | None = None) -> str:
    """Return a shell line that runs Python in the repository's root, with the interpreter that the workspace's commands
    find first."""
    variables = "".join(f"{name}={shlex.quote(value)} " for name, value in (env or {}).items())
    return f"(cd {shlex.quote(room.root)} && {variables}{PYTHON} {shlex.join(words)})"
