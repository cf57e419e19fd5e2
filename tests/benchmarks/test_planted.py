import ast
import hashlib
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import _planting
from benchmarks._planting import Package, open_package, run_suite, sources
from benchmarks._planting_code import Code, Slip
from benchmarks._planting_equal import Agreement, agreement, changed, normal
from benchmarks._planting_expressions import OPERATORS as IN_EXPRESSIONS
from benchmarks._planting_history import reverts
from benchmarks._planting_make import HALVES, Bug, half_of, line_edits, make, offered, read, write
from benchmarks._planting_statements import OPERATORS as IN_STATEMENTS
from benchmarks.planted import Row, main, measure, report
from trajectories.errors import UsageError

OPERATORS = {operator.__name__: operator for operator in (*IN_STATEMENTS, *IN_EXPRESSIONS)}
SOURCE = b'''\
"""Small things."""


def clipped(numbers, low=0, high=None):
    """Those within bounds."""
    found = []
    total = 0
    if not numbers:
        return []
    for number in numbers:
        if high is not None and not (number < low or number > high):
            found.append(int(number))  # whole ones
            total += number
        elif number == low:
            break
        else:
            continue
    found = sorted(found)
    return found if (total + 1) * 2 else found[1:]


def named(pairs, sep=", "):
    try:
        return sep.join(str(name).strip() for name, _ in sorted(pairs, key=len) if isinstance(name, (str, bytes)))
    except (TypeError, KeyError):
        return ""


class Bag:
    def __init__(self, items=()):
        self.items = list(items)
        self.count = len(self.items)

    def add(self, item):
        self.items.append(item)
        self.count += 1
        return self.first(item)

    def first(self, default):
        return self.items[0] if self.items else default

    def last(self, default):
        return self.items[-1] if self.items else default
'''
TESTS = """\
from tiny.things import Bag, clipped, named


def test_clipped():
    assert clipped([3, 1, 2, 9], 1, 5) == [1, 2, 3]


def test_empty():
    assert clipped([]) == []


def test_named():
    assert named([("b", 1), ("a ", 2)]) == "b, a"


def test_bag():
    bag = Bag([1])
    assert bag.add(2) == 1
    assert (bag.count, bag.first(0), bag.last(0)) == (2, 1, 2)
    assert Bag().first(5) == 5


def test_last():
    assert [Bag(range(size)).last("none") for size in (3, 1, 0)] == [2, 0, "none"]
"""


def git(folder: Path, *words: str) -> str:
    person = ["-c", "user.name=a", "-c", "user.email=a@example.com"]
    return subprocess.run(
        ["git", "-C", str(folder), *person, *words], check=True, capture_output=True, text=True
    ).stdout


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Package:
    """A package whose history has one mended bug; its git repository lies in `tmp_path`."""
    repo = tmp_path / "tiny"
    (repo / "tiny").mkdir(parents=True)
    (repo / "tests").mkdir()
    git(repo, "init", "-q")
    (repo / "tiny" / "__init__.py").write_text("")
    (repo / "tests" / "test_things.py").write_text(TESTS)
    (repo / "tiny" / "things.py").write_bytes(SOURCE.replace(b"self.count += 1", b"self.count += 2"))
    git(repo, "add", "-A")
    git(repo, "commit", "-qm", "Begin")
    (repo / "tiny" / "things.py").write_bytes(SOURCE)
    git(repo, "commit", "-qam", "Fix the count")
    package = Package("tiny", "somebody/tiny", git(repo, "rev-parse", "HEAD").strip(), "tiny", "tests")
    monkeypatch.setattr(_planting, "PACKAGES", (package,))
    monkeypatch.setenv("PATH", os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
    return package


@pytest.mark.parametrize("name", OPERATORS)
def test_what_an_operator_offers_parses_and_is_something_else(name: str) -> None:
    code = Code("tiny/things.py", SOURCE)
    slips = [slip for function in code.functions.values() for slip in OPERATORS[name](code, function)]
    if name != "early_return":
        assert slips
    changes = [slip.apply(SOURCE) for slip in slips]
    assert all(change != SOURCE and ast.parse(change) for change in changes)
    assert all(slip.what and 1 <= slip.line <= SOURCE.count(b"\n") for slip in slips)


@pytest.mark.parametrize(
    ("name", "lost", "new"),
    [
        ("dropped_statement", "            total += number\n", ""),
        ("dropped_guard", "    if not numbers:\n        return []\n", ""),
        ("dropped_branch", "        else:\n            continue\n", ""),
        ("wrong_exit", "            break", "            continue"),
        ("wrong_start", "    total = 0\n", "    total = 1\n"),
        ("narrowed_exception", "(TypeError, KeyError)", "TypeError"),
        ("swapped_call", "self.first(item)", "self.last(item)"),
        ("lost_condition", "high is not None and not (number < low or number > high)", "high is not None"),
        ("de_morgan", "not (number < low or number > high)", "(not number < low or not number > high)"),
        ("order_of_operations", "(total + 1) * 2", "(total + 1 * 2)"),
        ("forgotten_conversion", "int(number)", "number"),
        ("forgotten_argument", "sorted(pairs, key=len)", "sorted(pairs)"),
        ("truthiness", "high is not None and", "high and"),
        ("near_expression", "self.items[-1]", "self.items[0]"),
        ("wrong_default", "low=0", "low=1"),
        ("swapped_statements", "        self.count = len(self.items)\n", ""),
    ],
)
def test_an_operator_makes_the_slip_it_is_named_for(name: str, lost: str, new: str) -> None:
    code = Code("tiny/things.py", SOURCE)
    made = [slip.apply(SOURCE).decode() for f in code.functions.values() for slip in OPERATORS[name](code, f)]
    if name == "swapped_statements":
        first = "        self.items = list(items)\n"
        assert SOURCE.decode().replace(first + lost, lost + first) in made
    else:
        assert SOURCE.decode().replace(lost, new) in made


def test_a_return_moves_into_its_loop() -> None:
    source = b"def f(xs):\n    for x in xs:\n        g(x)\n    return x\n"
    code = Code("a.py", source)
    (slip,) = OPERATORS["early_return"](code, code.functions["f"])
    assert slip.apply(source) == b"def f(xs):\n    for x in xs:\n        g(x)\n        return x\n"


def test_what_means_the_same_is_the_same_text() -> None:
    one = b'def f(a, b):\n    """Doc."""\n    if not a == b:\n        return -1\n    else:\n        return (a > b)\n'
    other = b"def f(a, b):\n    if a != b:\n        pass\n        return -1  # so\n    return b < a\n"
    assert normal(one) == normal(one.replace(b"(a > b)", b"b < a").replace(b"not a == b", b"a != b"))
    assert normal(one) != normal(other)
    assert changed(one, one.replace(b"-1", b"1")) == (["f"], False)
    assert changed(one, b"import os\n" + one) == ([], True)


def test_of_a_name_that_is_there_twice_no_version_is_overlooked() -> None:
    one = b"""class A:
    @property
    def x(self):
        return self._x
    @x.setter
    def x(self, value):
        self._x = value
    def y(self):
        return 1
"""
    assert changed(one, one.replace(b"return self._x", b"return self._x or 0")) == ([], True)
    assert changed(one, one.replace(b"= value", b"= value or 0")) == ([], True)
    assert changed(one, one.replace(b"return 1", b"return 2")) == (["A.y"], False)
    assert changed(one, one + b"    def y(self):\n        return 1\n") == ([], True)


def test_a_function_is_in_one_half_and_both_have_some() -> None:
    halves = {half_of("tiny", "a.py", f"f{number}") for number in range(40)}
    assert halves == set(HALVES)


LINES = st.lists(st.sampled_from([b"a\n", b"b\n", b"c\n"])).map(b"".join)


@given(LINES, LINES)
def test_the_lines_that_differ_are_edits_of_each_run_of_them(before: bytes, after: bytes) -> None:
    edits = line_edits(before, after)
    assert Slip(1, edits, "").apply(before) == after
    assert bool(edits) == (before != after)


def test_history_is_taken_back(tmp_path: Path, tiny: Package) -> None:
    (revert,) = reverts(tmp_path, tiny, sources(tmp_path, tiny))
    assert revert.path == "tiny/things.py"
    assert revert.data == SOURCE.replace(b"self.count += 1", b"self.count += 2")
    assert "Fix the count" in revert.what


def test_what_is_offered_is_of_one_half_and_the_same_each_time(tmp_path: Path, tiny: Package) -> None:
    files = sources(tmp_path, tiny)
    for half in HALVES:
        some, again = (list(offered(tmp_path, tiny, half, files, random.Random(3))) for _ in range(2))
        assert some == again
        assert some
        assert all(half_of("tiny", bug.path, bug.function) == half for bug in some)
        assert all(normal(bug.apply(SOURCE)) != normal(SOURCE) for bug in some)


@pytest.mark.slow
def test_planted_bugs_are_killed_by_the_suite(tmp_path: Path, tiny: Package) -> None:
    (bug,) = make(tmp_path, tiny, "tuning", 1)
    assert bug.failing
    file = tmp_path / "bugs.json"
    assert write(file, "tuning", [bug]) == hashlib.sha256(file.read_bytes()).hexdigest()
    assert read(file) == [bug]
    with open_package(tmp_path, tiny, {bug.path: bug.apply(SOURCE)}) as place:
        assert run_suite(place.workspace, tiny).failed == bug.failing


@pytest.mark.slow
def test_a_planted_bug_is_repaired_and_told_of(tmp_path: Path, tiny: Package) -> None:
    at = SOURCE.index(b"self.items[-1]")
    edits = ((at, at + len(b"self.items[-1]"), "self.items[0]"),)
    failing = ("tests/test_things.py::test_bag", "tests/test_things.py::test_last")
    place = ("tiny/things.py", "Bag.last", 45, "first for last", edits, failing)
    row = measure(tmp_path, Bug("tiny-1", "tiny", tiny.commit, "near_expression", *place), 20.0)
    assert row.failing == 2
    assert row.is_repaired
    assert row.any_equal
    assert row.suspect > 0
    assert "| tiny | 1 | 1 | 1 |" in report([row])


@pytest.mark.slow
def test_two_versions_are_compared_on_calls_of_the_suite(tmp_path: Path, tiny: Package) -> None:
    path = "tiny/things.py"
    with open_package(tmp_path, tiny, {}) as place:

        def compared(old: bytes, new: bytes) -> Agreement:
            return agreement(place.workspace, tiny.command, path, SOURCE, SOURCE.replace(old, new))

        assert compared(b"self.count += 1", b"self.count += 1  # one more").how == "tree"
        other = compared(b"        else:\n            continue\n", b"        else:\n            total += 0\n")
        assert other.how == "inputs"
        assert other.inputs >= 200
        wrong = compared(b"number > high", b"number >= high")
        assert wrong.how == "differs"
        assert "clipped" in wrong.detail
        rewritten = SOURCE.replace(b"        else:\n            continue\n", b"        else:\n            total += 0\n")
        second = rewritten.replace(b"str(name).strip()", b"str(name)")
        both = agreement(place.workspace, tiny.command, path, SOURCE, second, ["clipped"])
        assert both.how == "differs"
        assert "named" in both.detail
        unseen = SOURCE + b"\n\ndef never(a):\n    return a\n"
        twice = unseen.replace(b"        else:\n            continue\n", b"        else:\n            total += 0\n")
        twice = twice.replace(b"return a\n", b"return a + 0\n")
        assert agreement(place.workspace, tiny.command, path, unseen, twice).how == "unknown"
        place.workspace.write(path, SOURCE)
        assert place.workspace.read(path) == SOURCE


def test_a_package_that_is_not_there_is_told_of(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="was not found") as raised:
        sources(tmp_path, _planting.PACKAGES[0])
    assert "git clone" in raised.value.fix


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--packages", "nobody"], "Unknown package 'nobody'"),
        (["--only", "tiny-9"], "has no bug 'tiny-9'"),
        (["--half", "held-out"], "is not the held-out half"),
        ([], "tiny was not found in"),
    ],
)
def test_input_that_cannot_be_used_is_told_of(
    tmp_path: Path, tiny: Package, words: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "bugs.json"
    place = ("tiny/things.py", "Bag.last", 45, "first for last", (), ("test_bag",))
    write(file, "tuning", [Bug("tiny-1", "tiny", tiny.commit, "near_expression", *place)])
    empty = tmp_path / "empty"
    empty.mkdir()
    assert main(["--repos", str(empty), "--half", "tuning", "--bugs", str(file), "--packages", "tiny", *words]) == 2
    assert told in capsys.readouterr().err


def test_a_report_without_rows_is_empty() -> None:
    assert "| all | 0 |" in report([])
    row = Row("a", "tiny", "de_morgan", "", 1, plausible=2, chosen=1, equal="tree", cpu=3.0)
    assert "| de_morgan | 1 | 1 | 1 | 1 | 1 | 3.0 |" in report([row])
