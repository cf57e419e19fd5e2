"""Errors before a batch starts, and the spending of earlier processes."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.config.settings import Settings
from extensions.lab.batch.batch_options import BatchOptions
from extensions.lab.batch.batch_spending import UnfinishedRun, UnfinishedRuns
from extensions.lab.batch.batch_start import _choose_workspace, _spent, classify_jobs, start_batch
from extensions.lab.batch.reports.batch_manifest import check, manifest, read_manifest
from extensions.lab.instances.jobs import Instance, JobResult
from trajectories.errors import ConfigError, SweAgentError, UsageError, WorkspaceError
from trajectories.records import Issue


def job_result(dollars: float | None) -> JobResult:
    return JobResult("i", 1, "i", 0, "verified", "verified", "", dollars)


def test_spending_includes_results_unfinished_and_broken_runs(tmp_path: Path):
    settings = Settings(state=tmp_path, budget=0.5)
    unfinished = UnfinishedRuns({"a": UnfinishedRun(0.25), "b": UnfinishedRun(0.125, ended=True)}, broken=2)
    assert _spent([job_result(1.0), job_result(0.0)], unfinished, settings, total=5.0) == 1.0 + 0.25 + 0.125 + 2 * 0.5


@pytest.mark.parametrize("unfinished", [UnfinishedRuns(), UnfinishedRuns({"a": UnfinishedRun(None)})])
def test_unknown_cost_is_rejected_only_with_total(unfinished: UnfinishedRuns, tmp_path: Path):
    known = [job_result(1.0)] if unfinished.begun else [job_result(1.0), job_result(None)]
    assert _spent(known, unfinished, Settings(state=tmp_path), total=None) == 1.0
    with pytest.raises(ConfigError, match=r"The cost of .* is not known"):
        _spent(known, unfinished, Settings(state=tmp_path), total=5.0)


def test_unfinished_run_may_spend_rest_of_its_budget():
    assert UnfinishedRun(0.25, budget=1.0).wanted(2.0) == 0.75, "the budget that the run recorded counts"
    assert UnfinishedRun(0.25).wanted(2.0) == 1.75
    assert UnfinishedRun(0.25, budget=1.0, ended=True).wanted(2.0) == 0.0
    assert UnfinishedRun(1.5, budget=1.0).wanted(2.0) == 0.0


def test_paid_jobs_come_first_and_failed_jobs_last():
    assert (
        classify_jobs(UnfinishedRun(1.0, ended=True), False)
        < classify_jobs(UnfinishedRun(0.5), False)
        < classify_jobs(None, False)
        < classify_jobs(UnfinishedRun(0.5), True)
    )


@pytest.mark.parametrize(
    ("invalid", "message"),
    [
        ({"engine_options": ("address",)}, "'address' is not an option"),
        ({"engine": "moon"}, "no engine named 'moon'"),
        ({"disk_limit": "much"}, "'much' is not a size"),
        ({"leaderboard": Path("out")}, "the folder of --out"),
        ({"total": 1.0}, "does not cover one instance"),
        ({"flags": {"strategy": "magic"}}, "no strategy named 'magic'"),
        ({"flags": {"strategy": "react"}}, "needs a model"),
        ({"filter": "nothing"}, "No instance of 1 matches the selection"),
        ({"files": (Path("absent.jsonl"),)}, "absent.jsonl"),
    ],
)
def test_invalid_option_is_reported_before_batch_starts(
    invalid: dict[str, object], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    Path("one.jsonl").write_text('{"id": "i", "repo": "/nowhere", "issue": "It fails."}\n')
    given: dict[str, object] = {"files": (Path("one.jsonl"),), "out": Path("out"), "flags": {}, "workers": 1}
    with pytest.raises(SweAgentError) as raised:
        start_batch(BatchOptions(**{**given, **invalid}), plain=True)  # type: ignore[arg-type]
    assert message in raised.value.message
    assert raised.value.fix
    assert isinstance(raised.value, UsageError | ConfigError)
    assert not (tmp_path / "out" / "runs").exists()


@pytest.fixture
def without_docker(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A machine without Docker on which a sandbox works."""
    monkeypatch.setenv("DOCKER_HOST", "unix:///nonexistent.sock")
    monkeypatch.delenv("SWE_AGENT_WORKSPACE", raising=False)
    monkeypatch.setattr("aci.runtime.sandbox_availability.sandbox_error", lambda: None)
    return monkeypatch


def options(tmp_path: Path, **flags: object) -> BatchOptions:
    """A batch of one instance whose repository does not exist, so that no run of it starts."""
    (tmp_path / "one.jsonl").write_text('{"id": "i", "repo": "/nowhere", "issue": "It fails."}\n')
    return BatchOptions((tmp_path / "one.jsonl",), tmp_path / "out", flags, 1)


def recorded_workspace(tmp_path: Path) -> object:
    return (read_manifest(tmp_path / "out") or {})["room"]["workspace"]


def test_batch_uses_sandbox_without_docker(
    tmp_path: Path, without_docker: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    start_batch(options(tmp_path), plain=True)
    assert recorded_workspace(tmp_path) == "sandbox"
    assert "Docker does not answer, so commands run in a bubblewrap sandbox." in capsys.readouterr().err


def test_settings_bind_a_batch_only_once_a_run_has_started(tmp_path: Path, without_docker: pytest.MonkeyPatch) -> None:
    with pytest.raises(WorkspaceError, match="Docker is not running"):
        start_batch(options(tmp_path, workspace="docker"), plain=True)
    start_batch(options(tmp_path, workspace="local"), plain=True)
    assert recorded_workspace(tmp_path) == "local", "the advice of the error cannot be followed"


@pytest.mark.parametrize("workspace", ["docker", "sandbox"])
def test_started_batch_keeps_its_workspace(workspace: str, tmp_path: Path, without_docker: pytest.MonkeyPatch) -> None:
    instance = Instance("i", "/nowhere", "", Issue("It fails.", ""))
    check(tmp_path, manifest(Settings.model_validate({"workspace": workspace}), [instance], [], {}))
    assert _choose_workspace(Settings(), [instance], tmp_path, pytest.fail).workspace == workspace
    assert _choose_workspace(Settings(workspace="local"), [instance], tmp_path, pytest.fail).workspace == "local"


def test_image_of_an_instance_needs_docker(without_docker: pytest.MonkeyPatch) -> None:
    instance = Instance("i", "/nowhere", "", Issue("It fails.", ""), image="theirs:1")
    assert _choose_workspace(Settings(), [instance], None, pytest.fail).workspace == "docker"
