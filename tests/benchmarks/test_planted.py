"""The benchmark of injected bugs: mutation operators, equivalence, the split into two halves, and repair."""

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


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.com"]
    return subprocess.run(
        ["git", "-C", str(folder), *identity, *arguments], check=True, capture_output=True, text=True
    ).stdout


@pytest.fixture
def tiny_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Package:
    """A package whose history has one fixed bug; its git repository is in `tmp_path`."""
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
def test_mutants_of_each_operator_parse_and_differ(name: str) -> None:
    code = Code("tiny/things.py", SOURCE)
    slips = [slip for function in code.functions.values() for slip in OPERATORS[name](code, function)]
    if name != "early_return":
        assert slips
    changes = [slip.apply(SOURCE) for slip in slips]
    assert all(change != SOURCE and ast.parse(change) for change in changes)
    assert all(slip.what and 1 <= slip.line <= SOURCE.count(b"\n") for slip in slips)


@pytest.mark.parametrize(
    ("name", "old", "new"),
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
def test_operator_makes_its_named_change(name: str, old: str, new: str) -> None:
    code = Code("tiny/things.py", SOURCE)
    mutated = [slip.apply(SOURCE).decode() for f in code.functions.values() for slip in OPERATORS[name](code, f)]
    if name == "swapped_statements":
        first = "        self.items = list(items)\n"
        assert SOURCE.decode().replace(first + old, old + first) in mutated
    else:
        assert SOURCE.decode().replace(old, new) in mutated


def test_early_return_moves_return_into_loop() -> None:
    source = b"def f(xs):\n    for x in xs:\n        g(x)\n    return x\n"
    code = Code("a.py", source)
    (slip,) = OPERATORS["early_return"](code, code.functions["f"])
    assert slip.apply(source) == b"def f(xs):\n    for x in xs:\n        g(x)\n        return x\n"


def test_normal_form_is_equal_for_equivalent_code() -> None:
    one = b'def f(a, b):\n    """Doc."""\n    if not a == b:\n        return -1\n    else:\n        return (a > b)\n'
    other = b"def f(a, b):\n    if a != b:\n        pass\n        return -1  # so\n    return b < a\n"
    assert normal(one) == normal(one.replace(b"(a > b)", b"b < a").replace(b"not a == b", b"a != b"))
    assert normal(one) != normal(other)
    assert changed(one, one.replace(b"-1", b"1")) == (["f"], False)
    assert changed(one, b"import os\n" + one) == ([], True)


def test_mutants_of_redefined_name_are_detected() -> None:
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


def test_functions_are_distributed_over_both_halves() -> None:
    halves = {half_of("tiny", "a.py", f"f{number}") for number in range(40)}
    assert halves == set(HALVES)


LINES = st.lists(st.sampled_from([b"a\n", b"b\n", b"c\n"])).map(b"".join)


@pytest.mark.slow
@given(LINES, LINES)
def test_line_edits_turn_one_text_into_another(before: bytes, after: bytes) -> None:
    edits = line_edits(before, after)
    assert Slip(1, edits, "").apply(before) == after
    assert bool(edits) == (before != after)


def test_fix_in_history_is_reverted(tmp_path: Path, tiny_package: Package) -> None:
    (revert,) = reverts(tmp_path, tiny_package, sources(tmp_path, tiny_package))
    assert revert.path == "tiny/things.py"
    assert revert.data == SOURCE.replace(b"self.count += 1", b"self.count += 2")
    assert "Fix the count" in revert.what


@pytest.mark.slow
def test_selected_bugs_come_from_one_half_and_are_reproducible(tmp_path: Path, tiny_package: Package) -> None:
    files = sources(tmp_path, tiny_package)
    for half in HALVES:
        bugs, repeated = (list(offered(tmp_path, tiny_package, half, files, random.Random(3))) for _ in range(2))
        assert bugs == repeated
        assert bugs
        assert all(half_of("tiny", bug.path, bug.function) == half for bug in bugs)
        assert all(normal(bug.apply(SOURCE)) != normal(SOURCE) for bug in bugs)


@pytest.mark.slow
def test_planted_bugs_are_detected_by_suite(tmp_path: Path, tiny_package: Package) -> None:
    (bug,) = make(tmp_path, tiny_package, "tuning", 1)
    assert bug.failing
    file = tmp_path / "bugs.json"
    assert write(file, "tuning", [bug]) == hashlib.sha256(file.read_bytes()).hexdigest()
    assert read(file) == [bug]
    with open_package(tmp_path, tiny_package, {bug.path: bug.apply(SOURCE)}) as package_room:
        assert run_suite(package_room.workspace, tiny_package).failed == bug.failing


@pytest.mark.slow
def test_planted_bug_is_repaired_and_reported(tmp_path: Path, tiny_package: Package) -> None:
    at = SOURCE.index(b"self.items[-1]")
    edits = ((at, at + len(b"self.items[-1]"), "self.items[0]"),)
    failing = ("tests/test_things.py::test_bag", "tests/test_things.py::test_last")
    location = ("tiny/things.py", "Bag.last", 45, "first for last", edits, failing)
    row = measure(tmp_path, Bug("tiny-1", "tiny", tiny_package.commit, "near_expression", *location), 20.0)
    assert row.failing == 2
    assert row.is_repaired
    assert row.any_equal
    assert row.suspect > 0
    assert "| tiny | 1 | 1 | 1 |" in report([row])


@pytest.mark.slow
def test_versions_are_compared_on_calls_made_by_suite(tmp_path: Path, tiny_package: Package) -> None:
    path = "tiny/things.py"
    with open_package(tmp_path, tiny_package, {}) as package_room:

        def compare_versions(old: bytes, new: bytes) -> Agreement:
            return agreement(package_room.workspace, tiny_package.command, path, SOURCE, SOURCE.replace(old, new))

        assert compare_versions(b"self.count += 1", b"self.count += 1  # one more").how == "tree"
        neutral = compare_versions(b"        else:\n            continue\n", b"        else:\n            total += 0\n")
        assert neutral.how == "inputs"
        assert neutral.inputs >= 200
        different = compare_versions(b"number > high", b"number >= high")
        assert different.how == "differs"
        assert "clipped" in different.detail
        rewritten = SOURCE.replace(b"        else:\n            continue\n", b"        else:\n            total += 0\n")
        second = rewritten.replace(b"str(name).strip()", b"str(name)")
        two_changes = agreement(package_room.workspace, tiny_package.command, path, SOURCE, second, ["clipped"])
        assert two_changes.how == "differs"
        assert "named" in two_changes.detail
        original = SOURCE + b"\n\ndef never(a):\n    return a\n"
        rewritten_twice = original.replace(
            b"        else:\n            continue\n", b"        else:\n            total += 0\n"
        )
        rewritten_twice = rewritten_twice.replace(b"return a\n", b"return a + 0\n")
        assert agreement(package_room.workspace, tiny_package.command, path, original, rewritten_twice).how == "unknown"
        package_room.workspace.write(path, SOURCE)
        assert package_room.workspace.read(path) == SOURCE


def test_missing_package_is_reported(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="was not found") as error:
        sources(tmp_path, _planting.PACKAGES[0])
    assert "git clone" in error.value.fix


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--packages", "nobody"], "Unknown package 'nobody'"),
        (["--only", "tiny-9"], "has no bug 'tiny-9'"),
        (["--half", "held-out"], "is not the held-out half"),
        ([], "tiny was not found in"),
    ],
)
def test_bad_input_is_reported(
    tmp_path: Path, tiny_package: Package, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "bugs.json"
    location = ("tiny/things.py", "Bag.last", 45, "first for last", (), ("test_bag",))
    write(file, "tuning", [Bug("tiny-1", "tiny", tiny_package.commit, "near_expression", *location)])
    empty = tmp_path / "empty"
    empty.mkdir()
    assert main(["--repos", str(empty), "--half", "tuning", "--bugs", str(file), "--packages", "tiny", *arguments]) == 2
    assert message in capsys.readouterr().err


def test_report_has_total_and_line_for_each_operator() -> None:
    assert "| all | 0 |" in report([])
    row = Row("a", "tiny", "de_morgan", "", 1, plausible=2, chosen=1, equal="tree", cpu=3.0)
    assert "| de_morgan | 1 | 1 | 1 | 1 | 1 | 3.0 |" in report([row])
