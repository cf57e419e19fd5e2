"""What times may veto, and whose failure it is when there are none. Nothing here depends on how fast the machine is."""

from __future__ import annotations

import math
import pickle

import pytest

from aci.performance import timing
from aci.performance.target_function import Target
from aci.performance.timing import Timing, compare_timing
from tests.conftest import MakeRepo, OpenWorkspace
from trajectories.errors import Cancelled, UsageError

TARGET = Target("work.py", "work")
GOOD = "def work(n):\n    return sum(range(n))\n"
CALLS = [pickle.dumps(((n,), {})) for n in (10, 20)]


@pytest.fixture(autouse=True)
def _two_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timing, "ROUNDS", 2)


def compared(make_repo: MakeRepo, open_ws: OpenWorkspace, before: str, after: str, timeout: float = 60.0) -> Timing:
    first = open_ws("local", make_repo({"work.py": before}))
    second = open_ws("local", make_repo({"work.py": after}))
    try:
        return compare_timing(first, second, TARGET, CALLS, timeout)
    finally:
        assert not [room for room in (first, second) if room.run(f"ls {room.harness}/timed 2>/dev/null").output]


@pytest.mark.slow
def test_seconds_and_bytes_of_both(make_repo: MakeRepo, open_ws: OpenWorkspace) -> None:
    found = compared(make_repo, open_ws, GOOD, GOOD)
    assert (len(found.before), len(found.after), found.lost) == (2, 2, "")
    assert min(*found.before, *found.after) > 0
    assert 0 < found.ratio < math.inf


@pytest.mark.slow
@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("import os\n\n\ndef work(n):\n    os._exit(7)\n", r"\(exit status 7\)"),
        ("def other(n):\n    return n\n", r"\(exit status 1\)"),
    ],
)
def test_candidate_that_dies_is_vetoed_and_original_that_does_is_refused(
    make_repo: MakeRepo, open_ws: OpenWorkspace, source: str, said: str
) -> None:
    with pytest.raises(UsageError, match=f"could not be timed {said}"):
        compared(make_repo, open_ws, source, GOOD)
    found = compared(make_repo, open_ws, GOOD, source)
    assert "it cannot be timed any more: work.py:work could not be timed" in found.veto
    assert (found.lost, found.ratio) == (found.veto, math.inf)


@pytest.mark.slow
def test_candidate_that_hangs_is_vetoed(make_repo: MakeRepo, open_ws: OpenWorkspace) -> None:
    hanging = "import time\n\n\ndef work(n):\n    time.sleep(600)\n"
    assert compared(make_repo, open_ws, GOOD, hanging, timeout=8.0).veto.endswith("could not be timed in time.")


@pytest.mark.parametrize(
    "text",
    [
        *("", "7", "{}", "[1]", "[1, 2, 3]", "[1, NaN]", "[1, 0]", "[1, -1]", "[1, Infinity]", "[1, 1e999]"),
        *('[1, "2"]', "[1, null]", "[1, [2]]", "[1, true]", "[" * 100_000, "[1, " + "9" * 400 + "]"),
        "[1, " + "9" * 5000 + "]",
    ],
)
def test_numbers_that_are_none_are_refused(
    make_repo: MakeRepo, open_ws: OpenWorkspace, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    room = open_ws("local", make_repo({"work.py": GOOD, "said.txt": text}))
    monkeypatch.setattr(timing, "python_line", lambda room, words, env: f"cat {room.root}/said.txt")
    with pytest.raises(UsageError, match="could not be timed"):
        compare_timing(room, room, TARGET, CALLS)


def test_interruption_is_no_failure(
    make_repo: MakeRepo, open_ws: OpenWorkspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = open_ws("local", make_repo({"work.py": GOOD}))
    monkeypatch.setattr(timing, "python_line", lambda room, words, env: "sh -c 'exit 130'")
    with pytest.raises(Cancelled):
        compare_timing(room, room, TARGET, CALLS)
    with pytest.raises(UsageError, match="no calls"):
        compare_timing(room, room, TARGET, [])


def test_what_vetoes() -> None:
    assert Timing((1.0, 1.0), (1.2, 1.1), (0, 0)).veto.startswith("it takes 1.15 times the seconds, in each of 2")
    assert Timing((1.0, 1.0), (1.2, 0.9), (0, 0)).veto == ""
    assert "peak of memory grows from 10.0 to 30.0 MB" in Timing((1.0,), (1.0,), (10_000_000, 30_000_000)).veto
    assert Timing((), (), (0, 0)).veto
    assert Timing((), (), (0, 0), "it hangs").veto == "it hangs"
