"""Evaluation of edits with real tests in a real workspace: endless loops, leftover state, methods and closures."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from threading import Event

import pytest

from extensions.experiment.evaluator.candidate_evaluator import Candidate, Evaluator, TimeLimits
from extensions.experiment.evaluator.evaluator_process import unittest_folders, unittest_python
from extensions.experiment.source.source_file import Source
from trajectories.errors import UsageError

PYTEST = "python -m pytest -q -p no:cacheprovider"
UNITTEST = "python -m unittest discover -s tests -t ."

LIBRARY = """\
import functools

LIMIT = 3
SEEN = []


def noisy(function):
    @functools.wraps(function)
    def inner(*args):
        return function(*args)

    return inner


def count(n):
    total = 0
    while n > 0:
        total += 1
        n -= 2
    return total


def evens(n):
    for i in range(n):
        if i % 2 == 1:
            yield i


@noisy
def double(x):
    return x + x + 1


def outer(x):
    def inner(y):
        return x - y

    return inner(1)


def bounded(x):
    return min(x, LIMIT)


class Base:
    def name(self):
        return "base"


class Child(Base):
    def name(self):
        return super().name() + "?"

    @staticmethod
    def twice(x):
        return x * 3

    @property
    def __secret(self):
        return 1
"""
TESTS = """\
import unittest

import lib
from lib import Child, bounded, count, double, evens, outer


class LibTest(unittest.TestCase):
    def test_count(self):
        self.assertEqual(count(3), 3)

    def test_evens(self):
        self.assertEqual(list(evens(4)), [0, 2])

    def test_double(self):
        self.assertEqual(double(2), 4)

    def test_outer(self):
        self.assertEqual(outer(2), 3)

    def test_bounded(self):
        self.assertEqual(bounded(9), 5)

    def test_name(self):
        self.assertEqual(Child().name(), "base!")

    def test_twice(self):
        self.assertEqual(Child.twice(2), 4)

    def test_seen(self):
        self.assertEqual(lib.SEEN, [])
"""
FILES = {"lib.py": LIBRARY, "tests/__init__.py": "", "tests/test_lib.py": TESTS}


def candidate(source: str, old: str, new: str) -> Candidate:
    """Return the edit that replaces the only `old` by `new`, with the function that contains it."""
    assert source.count(old) == 1
    start = source.index(old)
    enclosing = [
        function
        for function, _ in Source("lib.py", source.encode()).functions
        if function.start <= start < function.end
    ]
    line = source.count("\n", 0, start) + 1
    return Candidate("lib.py", ((start, start + len(old), new),), "", line, enclosing[0] if enclosing else None)


def node_id(test: str, command: str) -> str:
    return f"tests/test_lib.py::LibTest::{test}" if command == PYTEST else f"tests.test_lib.LibTest.{test}"


@pytest.fixture(params=[PYTEST, UNITTEST], ids=["pytest", "unittest"])
def command(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def evaluator(make_repo, open_ws, command: str) -> Iterator[Evaluator]:
    names = [node_id(test, command) for test in re.findall(r"test_\w+", TESTS)]
    with Evaluator(open_ws("local", make_repo(FILES)), command, names, Event()) as evaluator:
        yield evaluator


def verdicts(evaluator: Evaluator, failing: str, candidates: list[Candidate], passing: str = "") -> list[str]:
    red, green = node_id(failing, evaluator.command), node_id(passing, evaluator.command)
    limits = TimeLimits({red: 0.2, green: 0.2})
    results = evaluator.evaluate(iter(candidates), [red], [green] if passing else [], limits)
    last = {result.candidate: result.verdict for result in results}
    return [last[one] for one in candidates]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("test", "old", "new"),
    [
        pytest.param("test_count", "n -= 2", "n -= 1", id="function"),
        pytest.param("test_evens", "i % 2 == 1", "i % 2 == 0", id="generator"),
        pytest.param("test_double", "x + x + 1", "x + x", id="decorated"),
        pytest.param("test_outer", "x - y", "x + y", id="nested"),
        pytest.param("test_name", '+ "?"', '+ "!"', id="super"),
        pytest.param("test_twice", "x * 3", "x * 2", id="static method"),
        pytest.param("test_bounded", "LIMIT = 3", "LIMIT = 5", id="module level"),
        pytest.param("test_bounded", "bounded(x)", "bounded(x, LIMIT=5)", id="signature"),
    ],
)
def test_correct_edit_is_plausible(evaluator: Evaluator, test: str, old: str, new: str) -> None:
    wrong = candidate(LIBRARY, old, "None" if test != "test_bounded" else old)
    right = candidate(LIBRARY, old, new)
    assert verdicts(evaluator, test, [wrong, right])[1] == "plausible"


@pytest.mark.slow
def test_hanging_crashing_or_invalid_edits_do_not_stop_others(evaluator: Evaluator) -> None:
    bodies = [
        "while True: pass",
        "return count(n)",
        "import os; os._exit(0)",
        "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
        "x = [0] * 10 ** 12; return 3",
        "import time; time.sleep(1000)",
        "raise SystemExit(0)",
        "return (",
        "while True:\n        try:\n            while True: pass\n        except BaseException: pass",
    ]
    edits = [candidate(LIBRARY, "total = 0\n", f"{body}\n") for body in bodies]
    results = verdicts(evaluator, "test_count", [*edits, candidate(LIBRARY, "n -= 2", "n -= 1")])
    assert results[:2] == ["timeout", "fail"]
    assert results[2:4] == ["crash", "crash"]
    assert results[4:8] == ["fail", "timeout", "fail", "invalid"]
    assert results[8] == "timeout"
    assert results[9] == "plausible"


@pytest.mark.slow
def test_state_left_by_candidate_is_not_visible_to_next(evaluator: Evaluator) -> None:
    dirty = candidate(LIBRARY, "total = 0\n", "total = 0; SEEN.append(1)\n")
    clean = candidate(LIBRARY, "n -= 2", "n -= 1")
    assert verdicts(evaluator, "test_count", [dirty, clean], passing="test_seen") == ["fail", "plausible"]


@pytest.mark.slow
def test_edit_is_undone_before_edit_of_another_function(evaluator: Evaluator) -> None:
    other = candidate(LIBRARY, "x + x + 1", "None")
    right = candidate(LIBRARY, "n -= 2", "n -= 1")
    assert verdicts(evaluator, "test_count", [other, right], passing="test_seen") == ["fail", "plausible"]
    assert verdicts(evaluator, "test_double", [right, candidate(LIBRARY, "x + x + 1", "x + x")])[1] == "plausible"
    both = [candidate(LIBRARY, "x + x + 1", "x * 2"), candidate(LIBRARY, "x - y", "x + y")]
    assert verdicts(evaluator, "test_double", both)[1] == "fail"


@pytest.mark.slow
def test_candidate_that_breaks_passing_test_is_not_plausible(evaluator: Evaluator) -> None:
    losing = candidate(LIBRARY, "n -= 2\n", "n -= 1; SEEN.append(1)\n")
    assert verdicts(evaluator, "test_count", [losing], passing="test_seen") == ["fail"]


@pytest.mark.slow
def test_parameters_changed_in_place_are_detected(make_repo, open_ws) -> None:
    files: Mapping[str, str] = {
        "lib.py": "def first(items):\n    return items[1]\n",
        "test_lib.py": "import pytest\nfrom lib import first\n\nDATA = [([3, 1], 3), ([2, 9], 2)]\n\n\n"
        "@pytest.mark.parametrize('items,expected', DATA, ids=['a', 'b'])\n"
        "def test_first(items, expected):\n    assert first(items) == expected\n",
    }
    tests = ["test_lib.py::test_first[a]", "test_lib.py::test_first[b]"]
    evaluator = Evaluator(open_ws("local", make_repo(files)), PYTEST, tests, Event())
    source = files["lib.py"]
    edits = [candidate(source, "items[1]", new) for new in ("items.pop(1)", "items.clear()", "items[0]")]
    with evaluator:
        results = list(evaluator.evaluate(iter(edits), tests, [], TimeLimits(dict.fromkeys(tests, 0.2))))
    assert [result.verdict for result in results] == ["fail", "fail", "plausible"]


@pytest.mark.slow
def test_trace_has_outcome_lines_and_raising_frames(evaluator: Evaluator) -> None:
    tests = [node_id(test, evaluator.command) for test in ("test_count", "test_seen")]
    timed_tests = [[test, 1.0] for test in [*tests, "no::such"]]
    failed, passed = evaluator.ask({"mode": "trace", "cpu": 30.0, "tests": timed_tests}, 30)
    assert (failed["outcome"], passed["outcome"]) == ("failed", "passed")
    body = LIBRARY[: LIBRARY.index("while n > 0")].count("\n") + 1
    assert body in failed["lines"]["lib.py"]
    assert "lib.py" not in passed["lines"]
    assert failed["flow"]
    assert "flow" not in passed
    assert failed["raised"][0][0] == "tests/test_lib.py"


def test_command_without_known_runner_is_reported(make_repo, open_ws) -> None:
    evaluator = Evaluator(open_ws("local", make_repo(FILES)), "echo no tests here", ["x"], Event())
    with evaluator, pytest.raises(UsageError, match="no tests here"):
        evaluator.ask({"mode": "trace", "cpu": 30.0, "tests": [["x", 1.0]]}, 5)


@pytest.mark.parametrize(
    ("command", "python"),
    [
        ("python3 -m unittest discover -s tests", "python3"),
        ("A=1 /usr/bin/python -W error -m unittest", "A=1 /usr/bin/python -W error"),
        ("python -m pytest -q", None),
        ("make test", None),
    ],
)
def test_interpreter_of_unittest_command_is_found(command: str, python: str | None) -> None:
    assert unittest_python(command) == python


@pytest.mark.parametrize(
    ("command", "folders"),
    [
        ("python -m unittest discover -s tests -t .", ["tests", "."]),
        ("python -m unittest discover tests -v", ["tests"]),
        ("python -m unittest discover --start-directory 'my tests'", ["my tests"]),
        ("python -m unittest", []),
        ("python -m unittest discover 'x", []),
    ],
)
def test_folders_of_unittest_command_are_found(command: str, folders: list[str]) -> None:
    assert unittest_folders(command) == folders


def test_unittest_suite_outside_package_is_run(make_repo, open_ws) -> None:
    files = {"lib.py": LIBRARY, "tests/test_lib.py": TESTS}
    test = "test_lib.LibTest.test_count"
    command = "python -m unittest discover -s tests"
    edits = iter([candidate(LIBRARY, "n -= 2", "n -= 1")])
    with Evaluator(open_ws("local", make_repo(files)), command, [test], Event()) as evaluator:
        (result,) = evaluator.evaluate(edits, [test], [], TimeLimits({test: 0.2}))
    assert result.verdict == "plausible"


def test_edit_changes_only_its_bytes() -> None:
    edit = Candidate("a.py", ((1, 2, "ä"), (4, 4, "-")), "", 1)
    assert edit.apply(b"012345") == "0ä23-45".encode()


def test_guest_files_parse_with_python_36() -> None:
    import ast

    root = Path(__file__).parents[3]
    for file in [*(root / "aci" / "guest").rglob("*.py"), *root.glob("extensions/*/guest/**/*.py")]:
        ast.parse(file.read_bytes(), feature_version=(3, 6))


PROXY = """\
class Proxy:
    @property
    def __class__(self):
        raise RuntimeError("outside of the application context")

    def __getattr__(self, name):
        raise RuntimeError("outside of the application context")


current = Proxy()


def half(x):
    return x // 3
"""


@pytest.mark.slow
def test_objects_that_raise_on_inspection_are_ignored(open_ws, make_repo):
    repo = make_repo(
        {"lib.py": PROXY, "test_lib.py": "import lib\n\n\ndef test_half():\n    assert lib.half(4) == 2\n"}
    )
    workspace = open_ws("local", repo)
    test = "test_lib.py::test_half"
    fixed = candidate(PROXY, "x // 3", "x // 2")
    with Evaluator(workspace, PYTEST, [test], Event()) as evaluator:
        (answer,) = evaluator.ask({"mode": "trace", "cpu": 30.0, "tests": [[test, 5.0]]}, 30.0)
        (result,) = evaluator.evaluate(iter([fixed]), [test], [], TimeLimits({test: 1.0}))
    assert answer["outcome"] == "failed"
    assert result.verdict == "plausible"
