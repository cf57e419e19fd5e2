"""Checkers that an environment has, asked about files in a workspace."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from aci.proof.diagnostics import _read, find_checkers, run_checker
from aci.proof.static_checks import ConsistencyError
from aci.runtime.workspace import Workspace

BAD = "def add(a: int, b: int) -> int:\n    return a + b\n\n\nadd('1', 2)\n"


@pytest.mark.slow
def test_mypy_where_it_is_there(make_repo: Callable[..., Path], open_ws: Callable[..., Workspace]) -> None:
    workspace = open_ws("local", make_repo({"calc.py": BAD, "other.py": BAD, "a.go": ""}))
    [found] = list(find_checkers(workspace, ["calc.py"]))
    assert found.name == "mypy"
    [one] = run_checker(workspace, found, ["calc.py"])
    assert (one.path, one.line) == ("calc.py", 5)
    assert 'expected "int"' in one.text
    assert not workspace.snapshot().skipped
    assert workspace.run("ls -a").output.decode().split() == [".", "..", ".git", "a.go", "calc.py", "other.py"]


@pytest.mark.parametrize(
    ("line", "found"),
    [
        (
            "./calc.py:5: error: Argument 1 has a wrong type",
            ConsistencyError("calc.py", 5, "error: Argument 1 has a wrong type"),
        ),
        ("  /repo/calc.py:5:2 - error: Import is wrong", ConsistencyError("calc.py", 5, "error: Import is wrong")),
        ("calc.py:5:2: F821 Undefined name `x`", ConsistencyError("calc.py", 5, "F821 Undefined name `x`")),
        ("vet: ./calc.py:5:2: undefined: x", ConsistencyError("calc.py", 5, "undefined: x")),
        (
            "calc.py(5,2): error TS2304: Cannot find name",
            ConsistencyError("calc.py", 5, "error TS2304: Cannot find name"),
        ),
        ("calc.py:5: note: Revealed type", None),
        ("other.py:5: error: elsewhere", None),
        ("Success: no issues", None),
    ],
)
def test_what_checkers_say_is_read(line: str, found: ConsistencyError | None) -> None:
    assert list(_read(line, "/repo", ["calc.py"])) == ([found] if found else [])


def test_one_for_other_files_is_not_asked(make_repo: Callable[..., Path], open_ws: Callable[..., Workspace]) -> None:
    assert find_checkers(open_ws("local", make_repo({"a.txt": ""})), ["a.txt"]) == []
