"""Instances solved in this process: real runs, which are not kept in memory when they are done."""

from __future__ import annotations

import gc
import json
from dataclasses import replace
from pathlib import Path

import pytest

from aci.repository.user_repository import Repository
from agent.config.settings import load_settings
from agent.engine.engine import Engine
from agent.lifecycle.run_lifecycle import begin
from agent.limits.cancellation import CancellationToken
from agent.limits.rate_limiter import Limiter
from agent.run_state.run_ownership import register, run_owner
from extensions.events.event_stream import open_events
from extensions.lab.batch.batch_budget import BatchBudget
from extensions.lab.batch.batch_driver import Batch
from extensions.lab.batch.batch_worker import WorkerResources
from extensions.lab.batch.executors import open_executor
from extensions.lab.batch.index_process import GraphIndexer
from extensions.lab.batch.job_run import begin_job, failed_result
from extensions.lab.batch.job_settings import RUN_ONLY_SETTINGS, JobPreparation
from extensions.lab.batch.reports.batch_results import ResultStore, load_results
from extensions.lab.instances.jobs import ExecutorOptions, Instance
from extensions.lab.instances.repository_clones import Repositories
from tests.conftest import MakeRepo, git
from tests.extensions.lab.batch.test_batch_driver import RecordingDisplay
from trajectories.errors import UsageError, WorkspaceError
from trajectories.journal import encode, read
from trajectories.records import Exit, Issue, Run, Turn
from trajectories.trajectory import Trajectory
from trajectories.verdict import Verdict

COUNT = 6


@pytest.fixture
def script(tmp_path: Path) -> str:
    """A model that views the file, then edits it and submits, again if it is asked for a test."""
    file = tmp_path / "script.jsonl"
    edit = {"tool": "edit", "arguments": {"path": "core.py", "old": "a - b", "new": "a + b"}}
    submit = {"tool": "submit", "arguments": {}}
    actions = [[{"tool": "view", "arguments": {"path": "core.py"}}], [edit, submit], [submit]]
    lines = [{"n": n, "reply": {"text": "So.", "actions": turn_actions}} for n, turn_actions in enumerate(actions, 1)]
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return f"scripted:{file}"


def runs_in_memory() -> list[object]:
    gc.collect()
    return [item for item in gc.get_objects() if isinstance(item, Engine | Trajectory)]


@pytest.mark.slow
def test_finished_runs_are_released_from_memory(make_repo: MakeRepo, tmp_path: Path, script: str):
    repo, out = make_repo({"core.py": "def add(a, b):\n    return a - b\n"}), tmp_path / "out"
    instances = [Instance(f"i{n}", str(repo), "", Issue("add() subtracts")) for n in range(COUNT)]
    flags = {"model": script, "strategy": "react", "workspace": "local"}
    preparation = JobPreparation(Repositories(tmp_path / "clones"), flags, out)
    cancel, front = CancellationToken(), RecordingDisplay()
    indexing, before = GraphIndexer(), {id(item) for item in runs_in_memory()}
    with ResultStore(out) as store:
        resources = WorkerResources(
            open_executor("local", ExecutorOptions(out, 2, cancel)),
            store, BatchBudget(None), front, cancel, Limiter(), preparation, "m", indexing=indexing,
        )  # fmt: skip
        summary = Batch(out, preparation.jobs(instances, 1), resources, 2).run()
        indexing.close()
        assert (summary.done, summary.left, summary.error) == (COUNT, 0, None)
        assert not {id(item) for item in runs_in_memory()} - before
        assert all(not done.patch for done in store.done.values()), "patches are on disk"
    assert all("a + b" in done.patch for done in load_results(out))


@pytest.mark.slow
def test_each_failed_try_is_one_event(
    make_repo: MakeRepo, tmp_path: Path, script: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise WorkspaceError("The daemon with a-secret-of-this-test is gone.", "Start it.")

    monkeypatch.setenv("DEPLOY_TOKEN", "a-secret-of-this-test")
    monkeypatch.setattr("agent.lifecycle.run_lifecycle.Branch", fail)
    repo, out, cancel = make_repo({"core.py": ""}), tmp_path / "out", CancellationToken()
    flags = {"model": script, "strategy": "react", "workspace": "local", "retry_wait": 0}
    preparation = JobPreparation(Repositories(tmp_path / "clones"), flags, out)
    rows = [Instance("i0", str(repo), "", Issue("add() subtracts")), Instance("gone", str(tmp_path), "", Issue("x"))]
    with ResultStore(out) as store, open_events(str(tmp_path / "events.jsonl")):
        resources = WorkerResources(
            open_executor("local", ExecutorOptions(out, 1, cancel)),
            store, BatchBudget(None), RecordingDisplay(), cancel, Limiter(), preparation, "m", tries=2,
        )  # fmt: skip
        Batch(out, preparation.jobs(rows, 1), resources, 1).run()
    found = [json.loads(each) for each in (tmp_path / "events.jsonl").read_text().splitlines()]
    errors = [each for each in found if each["type"] == "error"]
    assert [each["instance"] for each in errors] == ["i0", "i0", "gone"]
    assert {each["message"] for each in errors[:2]} == {"The daemon with [masked] is gone."}
    assert {each["fix"] for each in errors[:2]} == {"Start it."}


def test_unknown_engine_error_lists_engines(tmp_path: Path):
    with pytest.raises(UsageError, match="no engine named 'moon'") as raised:
        open_executor("moon", ExecutorOptions(tmp_path, 1, CancellationToken()))
    assert "local" in raised.value.fix


def test_test_of_row_ranks_between_flag_and_repository(make_repo: MakeRepo, tmp_path: Path):
    repo = make_repo({"a.py": "", ".swe-agent.toml": 'test = "of the repository"\nsetup = "make"\n'})
    row = Instance("i", str(repo), git(repo, "rev-parse", "HEAD"), Issue("x"), test="of the row")

    def prepared_test(instance: Instance, **flags: str) -> str:
        preparation = JobPreparation(Repositories(tmp_path), flags, tmp_path / "out")
        (job,) = preparation.jobs([instance], 1)
        prepared = preparation(job)
        assert prepared.settings.setup == "make"
        assert prepared.settings.state == tmp_path / "out"
        return prepared.settings.test

    assert prepared_test(row, test="of a flag") == "of a flag"
    assert prepared_test(row) == "of the row"
    assert prepared_test(Instance("i", str(repo), "", Issue("x"))) == "of the repository"


def test_invalid_repository_file_fails_only_its_instance(make_repo: MakeRepo, tmp_path: Path):
    repo = make_repo({".swe-agent.toml": 'model = "mine"\n'})
    preparation = JobPreparation(Repositories(tmp_path), {}, tmp_path / "out")
    (job,) = preparation.jobs([Instance("i", str(repo), "", Issue("x"))], 1)
    with pytest.raises(UsageError, match="sets model"):
        preparation(job)


def test_instances_with_same_image_share_settings(tmp_path: Path):
    instances = [Instance(f"i{n}", "a/b", "", Issue("x"), image=f"image{n % 2}") for n in range(10)]
    jobs = JobPreparation(Repositories(tmp_path), {}, tmp_path).jobs(instances, 2, done={"i0", "i1.2"})
    assert len(jobs) == 18
    assert len({id(job.settings) for job in jobs}) == 2


def test_settings_for_single_runs_are_ignored(make_repo: MakeRepo, tmp_path: Path, monkeypatch):
    for name in ("APPLY", "BRANCH", "PR", "REPRODUCE", "FUNCTION", "WORKLOAD", "BENCHMARK"):
        monkeypatch.setenv(f"SWE_AGENT_{name}", "1")
    preparation = JobPreparation(Repositories(tmp_path), {}, tmp_path / "out")
    (job,) = preparation.jobs([Instance("i", str(make_repo({"a.py": ""})), "", Issue("x"))], 1)
    for settings in (job.settings, preparation(job).settings):
        assert {name: getattr(settings, name) for name in RUN_ONLY_SETTINGS} == RUN_ONLY_SETTINGS


EVIL_TABLE = {"openai/x": {"api_base": "http://127.0.0.1:9/v1", "key_env": "ANTHROPIC_API_KEY"}}


@pytest.mark.parametrize(
    "changes", [{"workspace": "docker"}, {"disk": "900g"}, {"reproduce": "/etc/passwd"}, {"models": EVIL_TABLE}]
)
def test_changed_run_in_output_folder_is_rejected(make_repo: MakeRepo, tmp_path: Path, script, changes):
    repo = make_repo({"core.py": "def add(a, b):\n    return a - b\n"})
    preparation = JobPreparation(
        Repositories(tmp_path / "clones"), {"model": script, "workspace": "local"}, tmp_path / "out"
    )
    job = preparation(preparation.jobs([Instance("i", str(repo), "", Issue("x"))], 1)[0])
    begin_job(job)
    assert run_owner(job.directory, load_settings().state) == "user"
    begin_job(job)
    first, *rest = read(job.directory).records
    assert isinstance(first, Run)
    turn = rest[0]
    assert isinstance(turn, Turn)
    for changed in (
        [replace(first, settings=first.settings | changes), *rest],
        [first, replace(turn, settings=changes)],
    ):
        (job.directory / "journal.jsonl").write_bytes(b"".join(map(encode, changed)))
        with pytest.raises(UsageError, match="was not created by you on this computer"):
            begin_job(job)
    register(job.directory, load_settings().state)
    with pytest.raises(UsageError, match=f"was started with another {next(iter(changes))}"):
        begin_job(job)


def test_run_finished_by_others_is_not_continued(make_repo, tmp_path: Path, script: str):
    repo = make_repo({"core.py": "def add(a, b):\n    return a - b\n"})
    preparation = JobPreparation(
        Repositories(tmp_path / "clones"), {"model": script, "workspace": "local"}, tmp_path / "out"
    )
    job = preparation(preparation.jobs([Instance("i", str(repo), "", Issue("x"))], 1)[0])
    begin_job(job)
    with (job.directory / "journal.jsonl").open("ab") as file:
        file.write(encode(Exit("verified", 0, verdict=Verdict("verified"))))
    with pytest.raises(UsageError, match="was not created by you on this computer"):
        begin_job(job)


def test_run_created_by_others_is_not_continued(make_repo: MakeRepo, tmp_path: Path, script):
    """This holds even for a run with only its first records: they name a model, a repository state and prompts."""
    repo = make_repo({"core.py": "def add(a, b):\n    return a - b\n"})
    preparation = JobPreparation(
        Repositories(tmp_path / "clones"), {"model": script, "workspace": "local"}, tmp_path / "out"
    )
    job = preparation(preparation.jobs([Instance("i", str(repo), "", Issue("x"))], 1)[0])
    begin(Issue("theirs"), Repository.open(repo), job.settings, name=job.run)  # not registered in the user's state
    with pytest.raises(UsageError, match="was not created by you on this computer"):
        begin_job(job)
    assert run_owner(job.directory, load_settings().state) == "other"
    lost = failed_result(job, UsageError("It was not created by you on this computer.", ""))
    assert (lost.patch, lost.dollars) == ("", 0.0)
