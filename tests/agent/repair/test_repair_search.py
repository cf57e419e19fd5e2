"""Whole searches in real repositories, cut off and gone on with; the edit as a tool takes it."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from threading import Event
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aci.repair.candidate_evaluator import Candidate, CandidateResult, Evaluator, FunctionSpan
from aci.repair.spectrum import Spectrum
from agent.repair.edit_selection import Choice, choose_edit
from agent.repair.repair_search import (
    RIVALS,
    TOO_LATE,
    UNREACHED,
    Progress,
    RepairTask,
    SearchRun,
    search,
    smallest_edit,
)
from agent.repair.search_progress import WIDTH, SearchProgress
from trajectories.errors import Cancelled

# The edit as a tool takes it

TEXT = st.lists(st.sampled_from(["a\n", "b\n", "\n", "  c\n"]), max_size=8).map("".join)


@given(TEXT, TEXT)
def test_smallest_edit_does_what_it_says(before: str, after: str) -> None:
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


class Shelf:
    """A memory as a run has it: JSON and bytes."""

    def __init__(self) -> None:
        self.kept: list[tuple[str, bytes]] = []

    def parts(self) -> list[tuple[dict[str, Any], bytes]]:
        return [(json.loads(part), digests) for part, digests in self.kept]

    def keep(self, part: dict[str, Any], digests: bytes) -> None:
        self.kept.append((json.dumps(part), digests))

    def digests(self) -> list[bytes]:
        return [data[at : at + WIDTH] for _, data in self.kept for at in range(0, len(data), WIDTH)]


@pytest.fixture
def question(make_repo, open_ws):
    """`question(files, failing, passing, command)`: what is asked of a search in a local workspace."""

    def ask(
        files=BUGGY, failing=("test_discount",), passing=("test_plain", "test_empty"), command="python -m pytest -q"
    ):
        workspace = open_ws("local", make_repo(files))
        prefix = "tests/test_cart.py::CartTest::" if "pytest" in command else "tests.test_cart.CartTest."
        names = [[f"{prefix}{name}" for name in tests] for tests in (failing, passing)]
        return RepairTask(workspace, workspace.options.trees, workspace.options.base.tree, *names, command)

    return ask


@pytest.mark.slow
@pytest.mark.parametrize("command", ["python -m pytest -q", "python -m unittest discover -s tests -t ."])
def test_planted_bug_is_mended(question, command: str) -> None:
    told: list[Progress] = []
    found = search(question(command=command), 20, Event(), told.append)
    best = found.choice.behaviours[0].candidate
    assert (best.path, best.function.qualname) == ("shop/cart.py", "Cart.total")
    assert "return amount - amount * discount" in found.new_text(best)
    assert found.tried >= len(found.choice.behaviours)
    assert found.places > 0
    assert not found.why
    assert str(told[0]) == "tracing the tests"
    assert f"{found.tried:,} at " in str(told[-1])
    assert f"first {best.description} in shop/cart.py:" in str(told[-1]) or told[-1].plausible > 1


@pytest.mark.slow
def test_search_that_was_cut_off_tries_nothing_twice(question) -> None:
    """As a run that was interrupted and resumed: what the first process tried is known to the second."""
    hard = {**BUGGY, "shop/cart.py": BUGGY["shop/cart.py"].replace("return amount +", "return SECRET +")}
    shelf, cancel = Shelf(), Event()

    def stop(progress: Progress) -> None:
        if progress.tried >= 40:
            cancel.set()

    with pytest.raises(Cancelled):
        search(question(hard), 20, cancel, stop, shelf)
    before = shelf.digests()
    assert len(before) > 0
    found = search(question(hard), 6, Event(), memory=shelf)
    after = shelf.digests()
    assert after[: len(before)] == before
    assert len(after) > len(before)
    assert len(set(after)) == len(after)
    assert found.tried >= len(after)


@pytest.mark.slow
def test_what_was_plausible_before_is_not_lost(question) -> None:
    shelf = Shelf()
    first = search(question(), 20, Event(), memory=shelf)
    again = search(question(), 20, Event(), memory=shelf, end=0.0)
    assert {one.candidate for one in first.choice.behaviours} <= {
        one for behaviour in again.choice.behaviours for one in (behaviour.candidate, *behaviour.alike)
    }


def test_search_ends_when_its_time_is_up(question) -> None:
    found = search(question(), 1000, Event(), end=0.0)
    assert (found.choice.behaviours, found.why) == ((), TOO_LATE)


@pytest.mark.slow
def test_comparing_has_what_is_left_of_time(question, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[float] = []

    def spied(*arguments: Any, seconds: float, **more: Any) -> Choice:
        given.append(seconds)
        return choose_edit(*arguments, seconds=seconds, **more)

    monkeypatch.setattr("agent.repair.repair_search.choose_edit", spied)
    found = search(question(), 20, Event(), end=time.monotonic() + 60)
    assert found.choice.behaviours
    assert 0 < given[0] < 60


class Target:
    """Stands for a target in which each edit takes so many CPU seconds, and only the tenth passes."""

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
    ("seconds", "fall", "count", "sought"),
    [
        pytest.param(0.0005, 1.0, 10 + 2 * RIVALS[1], True, id="all as likely"),
        pytest.param(0.002, 1.0, 10 + 2 * RIVALS[1], True, id="on a slower machine"),
        pytest.param(1.0, 1.0, 10 + 20, False, id="on one that is too slow"),
        pytest.param(1 / 128, 1.0, 10 + 16 * 128, True, id="on one that is slow"),
        pytest.param(0.0005, 0.9, 10 + 2 * RIVALS[0], True, id="soon unlikely"),
        pytest.param(0.0005, 0.995, 10 + 919, True, id="at last unlikely"),
    ],
)
def test_rivals_are_sought_as_long_as_they_are_likely_with_seconds_as_bound(
    seconds: float, fall: float, count: int, sought: bool
) -> None:
    """So that a slower machine comes to the same rivals, and so to the same doubt; or it says so."""
    tried = SearchProgress()
    hunt = SearchRun(cast("Evaluator", Target(seconds)), Spectrum((), (), {}), 1000.0, tried)
    edits = (Candidate("a.py", ((number, number, "x"),), "", 1, None, fall**number) for number in range(9999))
    hunt.run(edits, lambda progress: None)
    assert tried.count == count
    assert (hunt.cut_short, hunt.sought) == (False, sought)


def test_hunt_that_its_seconds_ended_was_cut_short() -> None:
    hunt = SearchRun(cast("Evaluator", Target(1.0)), Spectrum((), (), {}), 12.0, SearchProgress())
    hunt.run((Candidate("a.py", ((number, number, "x"),), "", 1) for number in range(9999)), lambda progress: None)
    assert (hunt.tried.count, hunt.cut_short, hunt.sought) == (12, True, False)


def test_cancelled_search_ends(question) -> None:
    cancel = Event()
    cancel.set()
    with pytest.raises(Cancelled):
        search(question(), 20, cancel)


def test_where_no_test_gets_into_repository_it_is_given_up(question) -> None:
    test = "import unittest\n\n\nclass CartTest(unittest.TestCase):\n    def test_all(self):\n        self.fail()\n"
    found = search(question({**BUGGY, "tests/test_cart.py": test}, ["test_all"], []), 20, Event())
    assert (found.why, found.tried, found.choice.behaviours) == (UNREACHED, 0, ())


# What was tried


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
JUDGED = st.builds(
    CandidateResult, CANDIDATES, st.sampled_from(["plausible", "fail", "timeout", "late"]), st.just("t"), st.booleans()
)


@given(st.lists(JUDGED, max_size=8), st.lists(JUDGED, max_size=8))
def test_what_was_tried_is_as_it_was_after_being_kept(
    first: list[CandidateResult], second: list[CandidateResult]
) -> None:
    shelf = Shelf()
    tried = SearchProgress(shelf)
    for part in (first, second):
        for judged in part:
            tried.add(judged, 2.0)
        tried.keep(3.0)
    known = SearchProgress(shelf)
    done = [judged.candidate for judged in (*first, *second) if judged.verdict != "late"]
    assert all(known.knows(candidate) for candidate in done)
    assert known.hits == tried.hits
    assert known.first == tried.first
    assert known.cpu == (3.0 if done else 0.0)
    assert {(one.path, one.line) for one in done} <= known.places


def test_what_is_late_is_tried_again_by_whoever_goes_on() -> None:
    shelf, candidate = Shelf(), Candidate("a.py", ((0, 1, "x"),), "", 1)
    tried = SearchProgress(shelf)
    tried.add(CandidateResult(candidate, "late", "t"), 1.0)
    tried.keep(1.0)
    assert tried.count == 1
    assert not SearchProgress(shelf).knows(candidate)
    tried.add(CandidateResult(candidate, "fail", "t", again=True), 1.0)
    tried.keep(1.0)
    assert tried.count == 1
    assert SearchProgress(shelf).knows(candidate)


def test_edit_that_holds_plausible_one_is_no_rival_of_it() -> None:
    one, more = Candidate("a.py", ((0, 1, "x"),), "", 1), Candidate("a.py", ((0, 1, "x"), (5, 5, "y")), "", 1)
    other, elsewhere = replace(more, edits=((0, 1, "z"), (5, 5, "y"))), replace(more, path="b.py")
    tried = SearchProgress()
    for candidate in (more, other, elsewhere, one):
        assert not tried.knows(candidate)
        tried.add(CandidateResult(candidate, "plausible"), 1.0)
    assert tried.least == [other, elsewhere, one]
    assert tried.knows(replace(more, edits=((0, 1, "x"), (7, 7, "w"))))
