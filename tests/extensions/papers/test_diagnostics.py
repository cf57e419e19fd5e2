"""Type checkers and linters that are installed in an environment, run on files of a workspace."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from aci.runtime.workspace import Workspace
from extensions.papers.diagnostics import _read, find_checkers, run_checker
from extensions.papers.static_checks import ConsistencyError

BAD = "def add(a: int, b: int) -> int:\n    return a + b\n\n\nadd('1', 2)\n"


@pytest.mark.slow
def test_mypy_is_found_and_reports_error(make_repo: Callable[..., Path], open_ws: Callable[..., Workspace]) -> None:
    workspace = open_ws("local", make_repo({"calc.py": BAD, "other.py": BAD, "a.go": ""}))
    [checker] = list(find_checkers(workspace, ["calc.py"]))
    assert checker.name == "mypy"
    [error] = run_checker(workspace, checker, ["calc.py"])
    assert (error.path, error.line) == ("calc.py", 5)
    assert 'expected "int"' in error.text
    assert not workspace.snapshot().skipped
    assert workspace.run("ls -a").output.decode().split() == [".", "..", ".git", "a.go", "calc.py", "other.py"]


@pytest.mark.parametrize(
    ("line", "expected"),
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
def test_output_of_checkers_is_parsed(line: str, expected: ConsistencyError | None) -> None:
    assert list(_read(line, "/repo", ["calc.py"])) == ([expected] if expected else [])


def test_no_checker_is_found_for_other_files(make_repo: Callable[..., Path], open_ws: Callable[..., Workspace]) -> None:
    assert find_checkers(open_ws("local", make_repo({"a.txt": ""})), ["a.txt"]) == []
