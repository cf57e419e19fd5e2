"""What is refused before a batch begins, and what earlier processes have spent."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.batch.batch_options import BatchOptions
from agent.batch.batch_spending import UnfinishedRun, UnfinishedRuns
from agent.batch.batch_start import _spent, classify_jobs, start_batch
from agent.config.settings import Settings
from agent.instances.jobs import JobResult
from trajectories.errors import ConfigError, SweAgentError, UsageError


def done(dollars: float | None) -> JobResult:
    return JobResult("i", 1, "i", 0, "verified", "verified", "", dollars)


def test_results_unfinished_runs_and_those_put_aside_are_spent(tmp_path: Path):
    settings = Settings(state=tmp_path, budget=0.5)
    found = UnfinishedRuns({"a": UnfinishedRun(0.25), "b": UnfinishedRun(0.125, ended=True)}, broken=2)
    assert _spent([done(1.0), done(0.0)], found, settings, total=5.0) == 1.0 + 0.25 + 0.125 + 2 * 0.5


@pytest.mark.parametrize("found", [UnfinishedRuns(), UnfinishedRuns({"a": UnfinishedRun(None)})])
def test_what_has_no_price_cannot_be_held_to_total(found: UnfinishedRuns, tmp_path: Path):
    known = [done(1.0)] if found.begun else [done(1.0), done(None)]
    assert _spent(known, found, Settings(state=tmp_path), total=None) == 1.0
    with pytest.raises(ConfigError, match=r"The cost of .* is not known"):
        _spent(known, found, Settings(state=tmp_path), total=5.0)


def test_what_begun_run_may_still_spend():
    assert UnfinishedRun(0.25, budget=1.0).wanted(2.0) == 0.75, "its own budget counts, which is on its record"
    assert UnfinishedRun(0.25).wanted(2.0) == 1.75
    assert UnfinishedRun(0.25, budget=1.0, ended=True).wanted(2.0) == 0.0
    assert UnfinishedRun(1.5, budget=1.0).wanted(2.0) == 0.0


def test_what_is_paid_for_comes_first_and_what_failed_before_last():
    assert (
        classify_jobs(UnfinishedRun(1.0, ended=True), False)
        < classify_jobs(UnfinishedRun(0.5), False)
        < classify_jobs(None, False)
        < classify_jobs(UnfinishedRun(0.5), True)
    )


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"engine_options": ("address",)}, "'address' is not an option"),
        ({"engine": "moon"}, "no engine named 'moon'"),
        ({"disk_limit": "much"}, "'much' is not a size"),
        ({"leaderboard": Path("out")}, "the folder of --out"),
        ({"total": 1.0}, "does not cover one instance"),
        ({"flags": {"strategy": "magic"}}, "no strategy named 'magic'"),
        ({"flags": {"strategy": "react"}}, "needs a model"),
        ({"filter": "nothing"}, "None of 1 instances is selected"),
        ({"files": (Path("absent.jsonl"),)}, "absent.jsonl"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_begun(
    wrong: dict[str, object], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    Path("one.jsonl").write_text('{"id": "i", "repo": "/nowhere", "issue": "It fails."}\n')
    given: dict[str, object] = {"files": (Path("one.jsonl"),), "out": Path("out"), "flags": {}, "workers": 1}
    with pytest.raises(SweAgentError) as raised:
        start_batch(BatchOptions(**{**given, **wrong}), plain=True)  # type: ignore[arg-type]
    assert said in raised.value.message
    assert raised.value.fix
    assert isinstance(raised.value, UsageError | ConfigError)
    assert not (tmp_path / "out" / "runs").exists()
