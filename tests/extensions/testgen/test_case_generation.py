"""Useful test cases generated for a module, and a test file that passes in its runner."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from threading import Event

import pytest

from aci.repository.test_files import choose_test_path
from extensions.testgen.case_generation import (
    EXAMPLES_AT_ONCE,
    GenerationRequest,
    cases_from_json,
    explore_examples,
    generate_cases,
)
from extensions.testgen.case_rendering import name_tests, rebound_helpers, render_tests
from extensions.testgen.changed_functions import format_targets, parse_targets
from extensions.testgen.existing_coverage import ExistingCoverage
from extensions.testgen.module_exerciser import Case, CaseOutcome
from extensions.testgen.mutants import find_mutants
from extensions.testgen.usage_mining import find_subjects
from tests.extensions.testgen.conftest import make_request

SECONDS = 20.0


def call_texts(generated) -> list[str]:
    return ["; ".join((*outcome.case.lines, outcome.case.call)) for outcome in generated.cases]


@pytest.mark.slow
@pytest.mark.parametrize("style", ["pytest", "unittest"])
def test_generated_tests_cover_function_and_pass(open_project, tmp_path: Path, style: str) -> None:
    workspace, request = open_project(), make_request("reduced", "Stock")
    generated = generate_cases(workspace, request, Event(), SECONDS)
    lines = {line for subject in request.subjects for line in subject.lines}
    assert {after for _, after in generated.arcs} >= lines, call_texts(generated)
    assert len(generated.killed) >= 0.8 * len(generated.usable), [
        request.mutants[number].what for number in generated.usable - generated.killed
    ]
    assert {outcome.error for outcome in generated.cases if outcome.kind == "raised"} >= {"ValueError", "Unknown"}
    text = render_tests(name_tests(generated.cases), generated.module, "shop", style)
    (tmp_path / "shop.py").write_bytes(request.data)
    (tmp_path / "test_shop.py").write_text(text)
    arguments = ["-m", style, *(["-q", "-p", "no:cacheprovider"] if style == "pytest" else []), "test_shop.py"]
    process = subprocess.run([sys.executable, *arguments], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert process.returncode == 0, text + process.stdout + process.stderr
    assert cases_from_json(generated.as_json()) == generated


BOUNDARIES = {
    "if": "def f(n):\n    if n > 50:\n        return 3\n    if n > 10:\n        return 2\n    return 1\n",
    "chain": "def f(age):\n    if 13 <= age < 20:\n        return True\n    return False\n",
    "length": "def f(text):\n    return len(text) > 8\n",
    "float": "def f(weight):\n    fee = 0\n    if weight >= 2.5:\n        fee = 4\n    return fee\n",
}


@pytest.mark.slow
@pytest.mark.parametrize("text", BOUNDARIES.values(), ids=BOUNDARIES)
def test_mutants_of_boundary_are_killed(open_project, text: str) -> None:
    request = replace(make_request("f", text=text), most=1000)
    generated = generate_cases(open_project(text), request, Event(), 30.0)
    assert [request.mutants[number].what for number in generated.usable - generated.killed] == []


@pytest.mark.slow
def test_unsteady_cases_are_dropped(open_project) -> None:
    generated = generate_cases(open_project(), make_request("lucky", "order"), Event(), 5.0)
    assert generated.cases == ()
    assert generated.unsteady


@pytest.mark.slow
def test_case_without_assertion_is_dropped(open_project) -> None:
    assert generate_cases(open_project(), make_request("quiet"), Event(), 5.0).cases == ()


@pytest.mark.slow
def test_hanging_call_is_reported_and_dropped(open_project) -> None:
    generated = generate_cases(open_project(), make_request("endless"), Event(), 8.0)
    assert any("endless(" in text and "does not finish" in text for text in generated.trouble)
    assert all("endless(4" not in call for call in call_texts(generated))


@pytest.mark.slow
def test_harmful_call_is_reported_and_dropped(open_project) -> None:
    generated = generate_cases(open_project(), make_request("cleared"), Event(), 5.0)
    assert generated.cases == ()
    assert "os.remove" in generated.harms


@pytest.mark.slow
def test_generation_starts_from_calls_in_tests(open_project) -> None:
    tests = {
        "test_a.py": b"from shop import reduced\n\ndef test():\n    code = 'SUMMER'\n    assert reduced(77, code)\n"
    }
    text = "def f(key):\n    if key == 'a' * 40 + '!':\n        return 1\n    return 2\n"
    generated = generate_cases(open_project(text), make_request("f", text=text, tests=tests), Event(), 3.0)
    assert not any(", 3)" in str(arc) for arc in generated.arcs)
    tests = {"test_b.py": b"from shop import f\n\ndef test():\n    word = 'a' * 40 + '!'\n    assert f(word) == 1\n"}
    assert 3 in {
        after
        for _, after in generate_cases(open_project(text), make_request("f", text=text, tests=tests), Event(), 3.0).arcs
    }


@pytest.mark.parametrize(
    ("files", "path", "name", "expected"),
    [
        ([], "shop.py", "", "tests/test_shop.py"),
        (
            ["test/test_a.py", "test/test_b.py", "x/test_c.py"],
            "a/shop.py",
            "Stock.take",
            "test/test_shop_stock_take.py",
        ),
        (["bench/test_a.py", "bench/test_b.py", "shop/tests/test_c.py"], "x.py", "", "shop/tests/test_x.py"),
        (["tests/test_a.py", "tests/test_b.py", "more/test_shop.py"], "shop.py", "f", "more/test_shop_f.py"),
        (["tests/test_shop.py"], "shop.py", "", "tests/test_shop_generated.py"),
        (["pkg/tests/test_x.py"], "pkg/__init__.py", "", "pkg/tests/test_pkg.py"),
        (
            ["pkg/a/tests/test_x.py", "pkg/b/tests/test_y.py", "pkg/b/tests/test_z.py"],
            "pkg/a/c/shop.py",
            "",
            "pkg/a/tests/test_shop.py",
        ),
        (["testing/test_x.py", "testing/data/tests/test_y.py"], "src/pkg/shop.py", "", "testing/test_shop.py"),
        (["tests/unit/core/test_shop.py", "tests/test_x.py"], "src/pkg/shop.py", "f", "tests/unit/core/test_shop_f.py"),
        (["pkg/a/tests/test_utils.py", "pkg/b/tests/test_x.py"], "pkg/b/utils.py", "f", "pkg/b/tests/test_utils_f.py"),
        (["tests/test_x.py", "src/pkg/vendor/tests/test_y.py"], "src/pkg/shop.py", "", "tests/test_shop.py"),
        (["tests/api/test_x.py", "tests/db/test_y.py"], "src/pkg/db/shop.py", "", "tests/db/test_shop.py"),
    ],
)
def test_file_is_placed_next_to_existing_tests(files: list[str], path: str, name: str, expected: str) -> None:
    assert choose_test_path(dict.fromkeys(files), path, name) == expected


@pytest.mark.slow
def test_comment_in_example_does_not_hide_assertion(open_project) -> None:
    text = 'def f(a):\n    """Doc.\n\n    >>> f(1000)  # a comment\n    1001\n    """\n    return a + 1\n'
    generated = generate_cases(open_project(text), make_request("f", text=text), Event(), 4.0)
    assert generated.cases
    assert all("#" not in outcome.case.call for outcome in generated.cases)


@pytest.mark.slow
def test_unused_variable_is_left_out(open_project) -> None:
    text = (
        'def f(a):\n    """Doc.\n\n    >>> unused = [1, 2, 3]\n    >>> f(1000)\n    1001\n    """\n    return a + 1\n'
    )
    generated = generate_cases(open_project(text), make_request("f", text=text), Event(), 4.0)
    assert generated.cases
    assert all(outcome.case.lines == () for outcome in generated.cases)


NAMES = """import math
from copy import copy as asyncio
def copy(a): return a + 1
def result(a): return [a, a * 0.1]
def test_conn(a): return a
def f(a): return a
class Test_f:
    def islice(self): pass
def f_1(a): return a
"""


@pytest.mark.slow
@pytest.mark.parametrize("style", ["pytest", "unittest"])
def test_names_of_tests_do_not_clash_with_names_of_module(tmp_path: Path, style: str) -> None:
    def returned_case(about: str, *asserts: tuple[str, str, str]) -> CaseOutcome:
        return CaseOutcome(
            Case((), f"{about}(2)", (), about), "returned", asserts=asserts or (("equal", "result", "2"),)
        )

    lists = ("equal", "result[0]", "2"), ("close", "result[1]", "0.2")
    cases = [
        returned_case("copy", ("equal", "result", "3")),
        returned_case("result", *lists),
        returned_case("test_conn"),
        returned_case("f"),
        returned_case("f"),
    ]
    tests = name_tests([*cases, returned_case("f_1")])
    assert len({test.name for test in tests}) == 6
    rebound = rebound_helpers(NAMES.encode(), "m")
    assert rebound == {"copy", "asyncio"}
    text = render_tests(tests, "m", 'x"""+(print(\'injected\'))+"""\\', style, rebound)
    (tmp_path / "m.py").write_text(NAMES)
    (tmp_path / "test_m.py").write_text(text)
    arguments = ["-m", style, *(["-q", "-p", "no:cacheprovider"] if style == "pytest" else []), "test_m.py"]
    process = subprocess.run([sys.executable, *arguments], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert process.returncode == 0, text + process.stdout + process.stderr
    assert ("6 passed" if style == "pytest" else "Ran 6 tests") in process.stdout + process.stderr
    assert "injected" not in process.stdout


def test_targets_with_any_paths_round_trip() -> None:
    paths = [" lead.py", "a,b.py", "a.py:b.py", "100%2C.py", "un tracked.py"]
    assert parse_targets(format_targets((path, "C.f") for path in paths)) == {path: ["C.f"] for path in paths}
    assert parse_targets(format_targets([("a.py", ""), ("b.py", "f"), ("b.py", "g")])) == {
        "a.py": [],
        "b.py": ["f", "g"],
    }


def test_examples_run_only_while_there_is_time() -> None:
    class Exerciser:
        def explore(self, examples):
            return list(examples)

    times = iter([False, False, True])
    examples = [Case((), f"f({number})") for number in range(100)]
    explored = explore_examples(Exerciser(), examples, lambda: next(times))
    assert explored == examples[: 2 * EXAMPLES_AT_ONCE]


TREE = '''"""A tree of words."""


class Node:
    """A part of a text."""

    def __init__(self, parts):
        self._parts = parts

    def __str__(self):
        return " ".join(map(str, self._parts))

    def first(self):
        """Return the first word, or None."""
        if not self._parts:
            return None
        return self._first(0)

    def _first(self, start):
        return self._parts[start]


def _hidden(value):
    return value


def parse(text):
    """Return a tree."""
    return Node([_Word(word) for word in text.split()])


class _Word:
    def __init__(self, text):
        self.text = text

    def __str__(self):
        return self.text
'''


@pytest.mark.slow
def test_objects_are_made_as_in_documents_and_private_names_are_not_called(open_ws, make_repo) -> None:
    files = {"pkg/__init__.py": "from .tree import parse\n", "pkg/tree.py": TREE}
    subjects = find_subjects(TREE.encode())
    mutants = find_mutants("pkg/tree.py", TREE.encode())
    readme = b">>> import pkg\n>>> pkg.parse('one two').first()\n"
    request = GenerationRequest("pkg/tree.py", TREE.encode(), subjects, mutants, ExistingCoverage(), {"a.md": readme})
    generated = generate_cases(open_ws("local", make_repo(files)), request, Event(), 8.0)
    calls = call_texts(generated)
    assert any("parse('" in call and ".first()" in call for call in calls), calls
    assert not any("Node(" in call or "._first" in call or "_hidden" in call for call in calls), calls
