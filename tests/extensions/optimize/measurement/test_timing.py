"""Vetoes by measured time, and failures of the measurement. No test depends on the speed of the machine."""

from __future__ import annotations

import math
import pickle

import pytest

from aci.runtime.target_function import Target
from extensions.optimize.measurement import timing
from extensions.optimize.measurement.timing import Timing, compare_timing
from tests.conftest import MakeRepo, OpenWorkspace
from trajectories.errors import Cancelled, UsageError

TARGET = Target("work.py", "work")
GOOD = "def work(n):\n    return sum(range(n))\n"
CALLS = [pickle.dumps(((n,), {})) for n in (10, 20)]


@pytest.fixture(autouse=True)
def _two_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timing, "ROUNDS", 2)


def run_comparison(
    make_repo: MakeRepo, open_ws: OpenWorkspace, before: str, after: str, timeout: float = 60.0
) -> Timing:
    first = open_ws("local", make_repo({"work.py": before}))
    second = open_ws("local", make_repo({"work.py": after}))
    try:
        return compare_timing(first, second, TARGET, CALLS, timeout)
    finally:
        assert not [
            workspace
            for workspace in (first, second)
            if workspace.run(f"ls {workspace.harness}/timed 2>/dev/null").output
        ]


@pytest.mark.slow
def test_times_of_both_versions_are_measured(make_repo: MakeRepo, open_ws: OpenWorkspace) -> None:
    result = run_comparison(make_repo, open_ws, GOOD, GOOD)
    assert (len(result.before), len(result.after), result.lost) == (2, 2, "")
    assert min(*result.before, *result.after) > 0
    assert 0 < result.ratio < math.inf


@pytest.mark.slow
@pytest.mark.parametrize(
    ("source", "pattern"),
    [
        ("import os\n\n\ndef work(n):\n    os._exit(7)\n", r"\(exit status 7\)"),
        ("def other(n):\n    return n\n", r"\(exit status 1\)"),
    ],
)
def test_crashing_candidate_is_vetoed_and_crashing_original_refused(
    make_repo: MakeRepo, open_ws: OpenWorkspace, source: str, pattern: str
) -> None:
    with pytest.raises(UsageError, match=f"could not be timed {pattern}"):
        run_comparison(make_repo, open_ws, source, GOOD)
    result = run_comparison(make_repo, open_ws, GOOD, source)
    assert "it can no longer be timed: work.py:work could not be timed" in result.veto
    assert (result.lost, result.ratio) == (result.veto, math.inf)


@pytest.mark.slow
def test_hanging_candidate_is_vetoed(make_repo: MakeRepo, open_ws: OpenWorkspace) -> None:
    hanging = "import time\n\n\ndef work(n):\n    time.sleep(600)\n"
    assert run_comparison(make_repo, open_ws, GOOD, hanging, timeout=8.0).veto.endswith("could not be timed in time.")


@pytest.mark.parametrize(
    "text",
    [
        *("", "7", "{}", "[1]", "[1, 2, 3]", "[1, NaN]", "[1, 0]", "[1, -1]", "[1, Infinity]", "[1, 1e999]"),
        *('[1, "2"]', "[1, null]", "[1, [2]]", "[1, true]", "[" * 100_000, "[1, " + "9" * 400 + "]"),
        "[1, " + "9" * 5000 + "]",
    ],
)
def test_invalid_measurements_are_refused(
    make_repo: MakeRepo, open_ws: OpenWorkspace, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    workspace = open_ws("local", make_repo({"work.py": GOOD, "output.txt": text}))
    monkeypatch.setattr(timing, "python_line", lambda workspace, words, env: f"cat {workspace.root}/output.txt")
    with pytest.raises(UsageError, match="could not be timed"):
        compare_timing(workspace, workspace, TARGET, CALLS)


def test_interruption_raises_cancelled(
    make_repo: MakeRepo, open_ws: OpenWorkspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = open_ws("local", make_repo({"work.py": GOOD}))
    monkeypatch.setattr(timing, "python_line", lambda workspace, words, env: "sh -c 'exit 130'")
    with pytest.raises(Cancelled):
        compare_timing(workspace, workspace, TARGET, CALLS)
    with pytest.raises(UsageError, match="no calls"):
        compare_timing(workspace, workspace, TARGET, [])


def test_only_larger_candidate_is_vetoed() -> None:
    assert Timing((1.0, 1.0), (1.2, 1.1), (0, 0)).veto == ""  # time depends on the machine's load
    assert "peak of memory grows from 10.0 to 30.0 MB" in Timing((1.0,), (1.0,), (10_000_000, 30_000_000)).veto
    assert Timing((), (), (0, 0)).veto
    assert Timing((), (), (0, 0), "it hangs").veto == "it hangs"
