"""QuixBugs repositories with one failing test: the other failing tests of the program are hidden from the proof."""

from __future__ import annotations

import ast
import json
import subprocess
from collections.abc import Collection
from pathlib import Path

from benchmarks._patch_forms import Example
from benchmarks.quixbugs import build

OTHER_TEST = """\
from pathlib import Path


def test_that_the_programs_are_here():
    assert Path("python_programs").is_dir()
"""
"""A test that passes with every patch; some programs have no test that passes on the base."""


def build_with(quixbugs: Path, program: str, folder: Path, kept: Collection[str]) -> Path:
    """Make the repository of a program with only these of its tests, and one that has nothing to do with it."""
    build(quixbugs, program, folder)
    cases = folder / "json_testcases" / f"{program}.json"
    file = folder / "python_testcases" / f"test_{program}.py"
    if cases.exists():
        lines = [line for line in cases.read_text().splitlines() if line.strip()]
        numbers = {case_number(test) for test in kept}
        cases.write_text("".join(f"{line}\n" for number, line in enumerate(lines) if number in numbers))
    else:
        names = {test.rpartition("::")[2] for test in kept}
        tree = ast.parse(file.read_text())
        tree.body = [one for one in tree.body if not _is_test(one) or getattr(one, "name", "") in names]
        file.write_text(ast.unparse(tree) + "\n")
    file.with_name("test_programs.py").write_text(OTHER_TEST)
    person = ["-c", "user.name=benchmark", "-c", "user.email=benchmark@example.com"]
    for command in (["add", "-A"], [*person, "commit", "-q", "--amend", "-m", "The program and some of its tests"]):
        subprocess.run(["git", "-C", str(folder), *command], check=True, capture_output=True)
    return folder


def read_example(quixbugs: Path, program: str, test: str) -> Example | None:
    """Return the input and the expected answer of a test; None if they are not in a file of cases."""
    cases = quixbugs / "json_testcases" / f"{program}.json"
    number = case_number(test)
    lines = [line for line in cases.read_text().splitlines() if line.strip()] if cases.exists() else []
    if not 0 <= number < len(lines):
        return None
    given, expected = json.loads(lines[number])
    return Example(given if isinstance(given, list) else [given], expected)


def case_number(test: str) -> int:
    """Return the number of the case in a test's id; -1 if there is none."""
    number = test.partition("[")[2].removeprefix("input_data").partition("-")[0]
    return int(number) if number.isdigit() else -1


def _is_test(node: ast.stmt) -> bool:
    return isinstance(node, ast.FunctionDef) and node.name.startswith("test")
