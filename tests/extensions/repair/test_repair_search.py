"""Searches in real repositories, also interrupted and resumed, and edits in the form that the edit tool takes."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from threading import Event
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extensions.experiment.evaluator.candidate_evaluator import Candidate, CandidateResult, Evaluator, FunctionSpan
from extensions.experiment.evaluator.spectrum import Spectrum
from extensions.repair.behaviour_choice import Choice
from extensions.repair.edit_selection import choose_edit
from extensions.repair.repair_search import (
    RIVALS,
    TOO_LATE,
    UNREACHED,
    Progress,
    RepairTask,
    SearchRun,
    search,
    smallest_edit,
)
from extensions.repair.search_progress import WIDTH, SearchProgress
from trajectories.errors import Cancelled, UsageError

# Smallest edits

TEXT = st.lists(st.sampled_from(["a\n", "b\n", "\n", "  c\n"]), max_size=8).map("".join)


@given(TEXT, TEXT)
def test_smallest_edit_is_unique_and_gives_new_text(before: str, after: str) -> None:
    old, new = smallest_edit(before, after)
    if before != after and before:
        assert before.count(old) == 1
        assert before.replace(old, new) == after


# Whole searches

BUGGY = {
    "shop/__init__.py": "",
    "shop/cart.py": """\
class Cart:
    def __init__(self):
        self.lines = []

    def add(self, price, count=1):
        self.lines.append((price, count))

    def total(self, discount=0):
        amount = sum(price * count for price, count in self.lines)
        return amount + amount * discount

    def largest(self):
        best = 0
        for price, count in self.lines:
            if price > best:
                best = count
        return best
""",
    "tests/__init__.py": "",
    "tests/test_cart.py": """\
import unittest

from shop.cart import Cart


class CartTest(unittest.TestCase):
    def setUp(self):
        self.cart = Cart()
        self.cart.add(10, 2)
        self.cart.add(40)

    def test_plain(self):
        self.assertEqual(self.cart.total(), 60)

    def test_discount(self):
        self.assertEqual(self.cart.total(0.5), 30)
        self.assertEqual(self.cart.total(0.25), 45)

    def test_empty(self):
        self.assertEqual(Cart().largest(), 0)
""",
}
PYTEST = "python -m pytest -q"


class ListMemory:
    """A memory that stores JSON and bytes, as that of a run."""

    def __init__(self) -> None:
        self.stored: list[tuple[str, bytes]] = []

    def parts(self) -> list[tuple[dict[str, Any], bytes]]:
        return [(json.loads(part), digests) for part, digests in self.stored]

    def keep(self, part: dict[str, Any], digests: bytes) -> None:
        self.stored.append((json.dumps(part), digests))

    def digests(self) -> list[bytes]:
        return [data[at : at + WIDTH] for _, data in self.stored for at in range(0, len(data), WIDTH)]


@pytest.fixture
def make_task(make_repo, open_ws):
    """`make_task(files, failing, passing, command)` returns a search task in a local workspace."""

    def make(
        files=BUGGY, failing=("test_discount",), passing=("test_plain", "test_empty"), command="python -m pytest -q"
    ):
        workspace = open_ws("local", make_repo(files))
        prefix = "tests/test_cart.py::CartTest::" if "pytest" in command else "tests.test_cart.CartTest."
        names = [[f"{prefix}{name}" for name in tests] for tests in (failing, passing)]
        return RepairTask(workspace, workspace.options.trees, workspace.options.base.tree, *names, command)

    return make


@pytest.mark.slow
@pytest.mark.parametrize("command", ["python -m pytest -q", "python -m unittest discover -s tests -t ."])
def test_planted_bug_is_fixed(make_task, command: str) -> None:
    reports: list[Progress] = []
    result = search(make_task(command=command), 20, Event(), reports.append)
    best = result.choice.behaviours[0].candidate
    assert (best.path, best.function.qualname) == ("shop/cart.py", "Cart.total")
    assert "return amount - amount * discount" in result.new_data(best).decode()
    assert result.tried >= len(result.choice.behaviours)
    assert result.places > 0
    assert not result.why
    assert str(reports[0]) == "tracing the tests"
    assert f"{result.tried:,} at " in str(reports[-1])
    assert f"first {best.description} in shop/cart.py:" in str(reports[-1]) or reports[-1].plausible > 1


HELPED = {
    "cart.py": "def total(prices):\n    return max(prices)\n",
    "pricing.py": """\
from cart import total


def same(prices, wanted):
    found = total(prices)
    assert found == wanted
""",
    "tests/test_cart.py": "from pricing import same\n\n\ndef test_sum():\n    same([1, 2], 3)\n",
}


@pytest.mark.slow
def test_helper_of_tests_is_not_edited(make_task) -> None:
    """Removing the assertion in `pricing.py` would make the test pass."""
    task = replace(make_task(HELPED), failing=["tests/test_cart.py::test_sum"], passing=[])
    result = search(task, 5, Event())
    assert {suspect.path for suspect in result.suspects} == {"cart.py"}
    assert result.choice.behaviours
    assert {one.path for each in result.choice.behaviours for one in (each.candidate, *each.alike)} == {"cart.py"}


@pytest.mark.slow
def test_resumed_search_tries_no_edit_twice(make_task) -> None:
    """The first process is interrupted; the second one knows the edits that it tried."""
    hard = {**BUGGY, "shop/cart.py": BUGGY["shop/cart.py"].replace("return amount +", "return SECRET +")}
    memory, cancel = ListMemory(), Event()

    def stop(progress: Progress) -> None:
        if progress.tried >= 40:
            cancel.set()

    with pytest.raises(Cancelled):
        search(make_task(hard), 20, cancel, stop, memory)
    before = memory.digests()
    assert len(before) > 0
    result = search(make_task(hard), 6, Event(), memory=memory)
    after = memory.digests()
    assert after[: len(before)] == before
    assert len(after) > len(before)
    assert len(set(after)) == len(after)
    assert result.tried >= len(after)


@pytest.mark.slow
def test_plausible_edits_survive_resume(make_task) -> None:
    memory = ListMemory()
    first = search(make_task(), 20, Event(), memory=memory)
    resumed = search(make_task(), 20, Event(), memory=memory, end=0.0)
    assert {behaviour.candidate for behaviour in first.choice.behaviours} <= {
        edit for behaviour in resumed.choice.behaviours for edit in (behaviour.candidate, *behaviour.alike)
    }


@pytest.mark.slow
def test_search_ends_at_its_deadline(make_task) -> None:
    result = search(make_task(), 1000, Event(), end=0.0)
    assert (result.choice.behaviours, result.why) == ((), TOO_LATE)


@pytest.mark.slow
def test_comparison_gets_remaining_time(make_task, monkeypatch: pytest.MonkeyPatch) -> None:
    seconds_given: list[float] = []

    def choose_and_record(*arguments: Any, seconds: float, **options: Any) -> Choice:
        seconds_given.append(seconds)
        return choose_edit(*arguments, seconds=seconds, **options)

    monkeypatch.setattr("extensions.repair.repair_search.choose_edit", choose_and_record)
    result = search(make_task(), 20, Event(), end=time.monotonic() + 60)
    assert result.choice.behaviours
    assert 0 < seconds_given[0] < 60


class Target:
    """A fake target in which each edit takes `seconds` of CPU time and only the tenth one passes."""

    tick = None

    def __init__(self, seconds: float) -> None:
        self.cpu, self.seconds = 0.0, seconds

    def evaluate(self, candidates, failing, passing, limits, until):
        for number, candidate in enumerate(candidates):
            self.cpu += self.seconds
            yield CandidateResult(candidate, "plausible" if number == 9 else "fail")
            if until():
                return


@pytest.mark.parametrize(
    ("seconds", "decay", "count", "sought"),
    [
        pytest.param(0.0005, 1.0, 10 + 2 * RIVALS[1], True, id="equally likely"),
        pytest.param(0.002, 1.0, 10 + 2 * RIVALS[1], True, id="slower machine"),
        pytest.param(1.0, 1.0, 10 + 20, False, id="much too slow machine"),
        pytest.param(1 / 128, 1.0, 10 + 16 * 128, True, id="slow machine"),
        pytest.param(0.0005, 0.9, 10 + 2 * RIVALS[0], True, id="likelihood falls fast"),
        pytest.param(0.0005, 0.995, 10 + 919, True, id="likelihood falls slowly"),
    ],
)
def test_rivals_are_searched_while_likely_within_time_limit(
    seconds: float, decay: float, count: int, sought: bool
) -> None:
    """A slower machine finds the same rivals and so the same doubt; otherwise it reports an incomplete search."""
    progress = SearchProgress()
    search_run = SearchRun(cast("Evaluator", Target(seconds)), Spectrum((), (), {}), 1000.0, progress)
    edits = (Candidate("a.py", ((number, number, "x"),), "", 1, None, decay**number) for number in range(9999))
    search_run.run(edits, lambda progress: None)
    assert progress.count == count
    assert (search_run.cut_short, search_run.sought) == (False, sought)


def test_search_at_time_limit_is_marked_cut_short() -> None:
    search_run = SearchRun(cast("Evaluator", Target(1.0)), Spectrum((), (), {}), 12.0, SearchProgress())
    search_run.run(
        (Candidate("a.py", ((number, number, "x"),), "", 1) for number in range(9999)), lambda progress: None
    )
    assert (search_run.tried.count, search_run.cut_short, search_run.sought) == (12, True, False)


def test_cancelled_search_raises(make_task) -> None:
    cancel = Event()
    cancel.set()
    with pytest.raises(Cancelled):
        search(make_task(), 20, cancel)


@pytest.mark.slow
def test_search_is_given_up_if_tests_run_no_repository_code(make_task) -> None:
    test = "import unittest\n\n\nclass CartTest(unittest.TestCase):\n    def test_all(self):\n        self.fail()\n"
    result = search(make_task({**BUGGY, "tests/test_cart.py": test}, ["test_all"], []), 20, Event())
    assert (result.why, result.tried, result.choice.behaviours) == (UNREACHED, 0, ())


# Tried edits


SPANS = st.lists(st.tuples(st.integers(0, 99), st.integers(0, 99), st.text(max_size=5)), max_size=3).map(tuple)
FUNCTIONS = st.none() | st.just(FunctionSpan("f", "A.f", (1, 2), 3, 4, 5))
CANDIDATES = st.builds(
    Candidate,
    st.sampled_from(["a.py", "b/c.py"]),
    SPANS,
    st.text(max_size=5),
    st.integers(1, 9),
    FUNCTIONS,
    st.just(0.5),
)
RESULTS = st.builds(
    CandidateResult, CANDIDATES, st.sampled_from(["plausible", "fail", "timeout", "late"]), st.just("t"), st.booleans()
)


@pytest.mark.slow
@given(st.lists(RESULTS, max_size=8), st.lists(RESULTS, max_size=8))
def test_stored_progress_is_restored(first: list[CandidateResult], second: list[CandidateResult]) -> None:
    memory = ListMemory()
    progress = SearchProgress(memory)
    for part in (first, second):
        for evaluated in part:
            progress.add(evaluated, 2.0)
        progress.keep(3.0)
    restored = SearchProgress(memory)
    finished = [evaluated.candidate for evaluated in (*first, *second) if evaluated.verdict != "late"]
    assert all(restored.knows(candidate) for candidate in finished)
    assert restored.hits == progress.hits
    assert restored.first == progress.first
    assert restored.cpu == (3.0 if finished else 0.0)
    assert {(candidate.path, candidate.line) for candidate in finished} <= restored.places


def test_late_edit_is_tried_again_after_resume() -> None:
    memory, candidate = ListMemory(), Candidate("a.py", ((0, 1, "x"),), "", 1)
    progress = SearchProgress(memory)
    progress.add(CandidateResult(candidate, "late", "t"), 1.0)
    progress.keep(1.0)
    assert progress.count == 1
    assert not SearchProgress(memory).knows(candidate)
    progress.add(CandidateResult(candidate, "fail", "t", again=True), 1.0)
    progress.keep(1.0)
    assert progress.count == 1
    assert SearchProgress(memory).knows(candidate)


def test_edit_that_contains_plausible_edit_is_no_rival() -> None:
    small, larger = Candidate("a.py", ((0, 1, "x"),), "", 1), Candidate("a.py", ((0, 1, "x"), (5, 5, "y")), "", 1)
    other, elsewhere = replace(larger, edits=((0, 1, "z"), (5, 5, "y"))), replace(larger, path="b.py")
    progress = SearchProgress()
    for candidate in (larger, other, elsewhere, small):
        assert not progress.knows(candidate)
        progress.add(CandidateResult(candidate, "plausible"), 1.0)
    assert progress.least == [other, elsewhere, small]
    assert progress.knows(replace(larger, edits=((0, 1, "x"), (7, 7, "w"))))


def test_folder_or_very_large_file_is_not_read(make_task, monkeypatch: pytest.MonkeyPatch) -> None:
    task = make_task({"folder.py/a.py": "A = 1\n", "large.py": "B = 1\n"})
    assert task.read("folder.py") is None
    assert task.read("missing.py") is None
    assert task.read("large.py") == b"B = 1\n"

    def refuse(*_: object) -> bytes:
        raise UsageError("The file is too large.", "")

    monkeypatch.setattr(task.trees, "read_blob", refuse)
    assert task.read("large.py") is None
