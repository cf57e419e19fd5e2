"""Suspicious statements and their reasons: slices of real runs, and all signals over a real suite."""

from __future__ import annotations

import ast
import importlib.util
import sys
import textwrap
import threading
from collections.abc import Iterator
from pathlib import Path
from threading import Event
from types import ModuleType

import pytest

from aci.localization.place_ranking import RankedPlace
from extensions.experiment.evaluator.candidate_evaluator import Evaluator
from extensions.experiment.evaluator.spectrum import Spectrum, TracedTest, trace_tests
from extensions.experiment.guest.line_tracer import Tracer
from extensions.repair.analysis.dynamic_slices import slice_failure, statement_facts
from extensions.repair.analysis.suspicious_statements import Suspect, find_suspects


def load_module(file: Path, source: str) -> ModuleType:
    file.write_text(source)
    spec = importlib.util.spec_from_file_location(file.stem, file)
    assert spec is not None
    assert spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


def lines_in_slice(folder: Path, source: str) -> list[str]:
    """Return the statements on which the failure of `test()` depends, as text, in order of their lines."""
    source = textwrap.dedent(source)
    test = load_module(folder / "test_a.py", source).test
    tracer = Tracer(str(folder), None, 1000)
    before = sys.gettrace(), threading.gettrace()  # of the coverage measurement
    tracer.start()
    try:
        test()
    except AssertionError as error:
        trace = error.__traceback__
        while trace is not None and trace.tb_next is not None:
            trace = trace.tb_next
        assert trace is not None
        line = trace.tb_lineno
    finally:
        tracer.stop()
        sys.settrace(before[0])
        threading.settrace(before[1])  # type: ignore[arg-type]
    traced = TracedTest("t", "failed", 0.0, {}, (("test_a.py", line),), flow=tuple(tracer.flow), calls=tracer.calls)
    slice_lines = slice_failure(traced, {"test_a.py": statement_facts(ast.parse(source))})
    assert min(slice_lines.values()) == 0
    texts = source.splitlines()
    return [texts[number - 1].strip() for _, number in sorted(slice_lines)]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        pytest.param(
            """\
    def test():
        a = 1
        b = 2
        unused = a + b
        c = a + 1
        a = 5
        assert c == 3
    """,
            ["a = 1", "c = a + 1", "assert c == 3"],
            id="unused values",
        ),
        pytest.param(
            """\
    def double(n):
        noise = n * 3
        if n > 1:
            return n + n
        return n

    def test():
        start = 2
        other = double(7)
        found = double(
            start,
        )
        assert found == 5
    """,
            ["if n > 1:", "return n + n", "start = 2", "found = double(", "assert found == 5"],
            id="calls",
        ),
        pytest.param(
            """\
    class Bag:
        def __init__(self):
            self.items = []
            self.count = 0

        def put(self, item):
            self.items.append(item)
            self.count += 1

    def fill(target, n):
        label = "x"
        target[n] = n + 1

    def test():
        bag = Bag()
        bag.put(1)
        table = {}
        fill(table, 2)
        assert table[2] == len(bag.items)
    """,
            [
                "self.items = []",
                "self.items.append(item)",
                "target[n] = n + 1",
                "bag = Bag()",
                "bag.put(1)",
                "table = {}",
                "fill(table, 2)",
                "assert table[2] == len(bag.items)",
            ],
            id="attributes and changed arguments",
        ),
        pytest.param(
            """\
    def test():
        total = 0
        rounds = 0
        for n in [1, 2, 3]:
            rounds += 1
            if n == 2:
                continue
            total += n
        assert total == 6
    """,
            ["total = 0", "for n in [1, 2, 3]:", "if n == 2:", "total += n", "assert total == 6"],
            id="control dependencies",
        ),
        pytest.param(
            """\
    def test():
        limit, other = 3, 4
        if other > 5:
            other = 5
        if limit > 5:
            limit = 5
        assert limit == 4
    """,
            ["limit, other = 3, 4", "if limit > 5:", "assert limit == 4"],
            id="skipped branch that binds the value",
        ),
        pytest.param(
            """\
    class Rows:
        def __init__(self):
            self.rows = [[]]

        def add(self, value):
            rows = self.rows
            noise = value + 1
            rows[0].append(value)

    def test():
        held = Rows()
        held.add(1)
        assert held.rows == [[2]]
    """,
            [
                "self.rows = [[]]",
                "rows = self.rows",
                "rows[0].append(value)",
                "held = Rows()",
                "held.add(1)",
                "assert held.rows == [[2]]",
            ],
            id="change through an alias",
        ),
    ],
)
def test_slice_has_statements_that_failure_depends_on(tmp_path: Path, source: str, expected: list[str]) -> None:
    assert lines_in_slice(tmp_path, source) == expected


LIBRARY = """\
TABLE = {"a": 1}


def setup(n):
    values = []
    for number in range(n):
        values.append(number)
    return values


def clip(n, most):
    if n > most:
        n = most
    elif n < -most:
        n = most
    return n


def look_up(name):
    key = name.lower()
    log = len(name)
    return TABLE[key]
"""
TESTS = """\
import lib


def test_low():
    assert lib.setup(3)
    assert lib.clip(-9, 5) == -5


def test_high():
    assert lib.setup(3)
    assert lib.clip(9, 5) == 5


def test_within():
    assert lib.clip(2, 5) == 2


def test_table():
    assert lib.look_up("Zeta") == 1


def test_table_of_a():
    assert lib.look_up("A") == 1
"""


@pytest.fixture
def evaluator_and_files(make_repo, open_ws) -> Iterator[tuple[Evaluator, dict[str, bytes]]]:
    files = {"lib.py": LIBRARY, "test_lib.py": TESTS}
    names = [f"test_lib.py::test_{name}" for name in ("low", "high", "within", "table", "table_of_a")]
    with Evaluator(open_ws("local", make_repo(files)), "python -m pytest -q", names, Event()) as evaluator:
        yield evaluator, {path: text.encode() for path, text in files.items()}


def spectrum(evaluator: Evaluator, failing: str) -> Spectrum:
    names = [f"test_lib.py::test_{name}" for name in ("low", "high", "within", "table", "table_of_a")]
    failing_id = f"test_lib.py::test_{failing}"
    return trace_tests(evaluator, [failing_id], [name for name in names if name != failing_id], 60)


def line_of(text: str) -> int:
    return LIBRARY[: LIBRARY.index(text)].count("\n") + 1


def suspects_by_line(suspects: list[Suspect]) -> dict[int, Suspect]:
    return {suspect.line: suspect for suspect in suspects if suspect.path == "lib.py"}


@pytest.mark.slow
def test_suspects_are_ranked_with_reasons(evaluator_and_files) -> None:
    evaluator, files = evaluator_and_files
    traced = spectrum(evaluator, "low")
    suspects = find_suspects(traced, files.get)
    assert suspects[0].line == line_of("n = most\n    return")
    assert suspects[0].score == 1.0
    assert "runs in 1 of 1 failing test and 0 passing" in suspects[0].why
    by_line = suspects_by_line(suspects)
    clip, setup = by_line[line_of("if n > most")], by_line[line_of("values = []")]
    assert "the failure depends on it" in " ".join(clip.why)
    assert any(word.startswith("in failing tests it continues at line") for word in clip.why)
    assert clip.score > setup.score
    assert sum("the failure depends" in word for word in setup.why) == 0
    assert suspects == find_suspects(traced, files.get), "the order is deterministic"


@pytest.mark.slow
def test_raising_line_and_slice_raise_score(evaluator_and_files) -> None:
    evaluator, files = evaluator_and_files
    first, *rest = find_suspects(spectrum(evaluator, "table"), files.get)
    assert first.line == line_of("return TABLE[key]")
    assert "KeyError raised from here" in first.why
    lines = [suspect.line for suspect in rest]
    assert lines.index(line_of("key = name")) < lines.index(line_of("log = len")), "`log` is not in the slice"


@pytest.mark.slow
def test_place_named_by_issue_raises_score(evaluator_and_files) -> None:
    evaluator, files = evaluator_and_files
    traced = spectrum(evaluator, "low")
    plain = suspects_by_line(find_suspects(traced, files.get))
    hit = RankedPlace("lib.py", 0.5, (), "setup", line_of("def setup"))
    pointed = suspects_by_line(find_suspects(traced, files.get, [RankedPlace("lib.py", 0.9), hit]))
    line = line_of("values = []")
    assert pointed[line].score > plain[line].score
    assert "the issue mentions setup" in pointed[line].why
    assert "the issue mentions setup" not in pointed[line_of("if n > most")].why


@pytest.mark.slow
def test_unreadable_files_are_suspected_by_coverage(evaluator_and_files) -> None:
    evaluator, _ = evaluator_and_files
    traced = spectrum(evaluator, "low")
    for read in (lambda path: None, lambda path: b"def broken(:"):
        suspects = find_suspects(traced, read)
        assert {suspect.line for suspect in suspects} == {line for _, line in traced.suspicion}
        assert suspects[0].line == line_of("n = most\n    return")


UNRAISED = """\
class Named:
    def __init__(self, name, size):
        self.size = size
        if "." in name:
            raise ValueError(name)
        self.name = name


def noise(n):
    total = n + 1
    return total
"""
CATCHING = """\
import pytest

import lib


def test_empty():
    lib.noise(2)
    with pytest.raises(ValueError):
        lib.Named("", 1)
"""


@pytest.mark.slow
def test_all_called_code_is_suspected_without_exception(make_repo, open_ws) -> None:
    files = {"lib.py": UNRAISED, "test_lib.py": CATCHING}
    name = "test_lib.py::test_empty"
    with Evaluator(open_ws("local", make_repo(files)), "python -m pytest -q", [name], Event()) as evaluator:
        traced = trace_tests(evaluator, [name], [], 60)
    suspects = find_suspects(traced, {path: text.encode() for path, text in files.items()}.get)
    assert {suspect.line for suspect in suspects[:3]} == {3, 4, 6}
    assert {suspect.line for suspect in suspects[3:]} == {10, 11}


UNHANDLED = """\
def number(text):
    try:
        return int(text)
    except KeyError:
        return 0
"""


@pytest.mark.slow
def test_handlers_that_miss_exception_are_suspected(make_repo, open_ws) -> None:
    files = {"lib.py": UNHANDLED, "test_lib.py": "import lib\n\n\ndef test_x():\n    assert lib.number('x') == 0\n"}
    name = "test_lib.py::test_x"
    with Evaluator(open_ws("local", make_repo(files)), "python -m pytest -q", [name], Event()) as evaluator:
        traced = trace_tests(evaluator, [name], [], 60)
    raised, handling, *_ = find_suspects(traced, {path: text.encode() for path, text in files.items()}.get)
    assert (raised.line, handling.line) == (3, 2)
    assert "its handlers do not catch ValueError" in handling.why
