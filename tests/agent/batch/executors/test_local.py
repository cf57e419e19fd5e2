"""Instances solved in this process: real runs, of which nothing is kept once they are done."""

from __future__ import annotations

import gc
import json
from dataclasses import replace
from pathlib import Path

import pytest

from aci.repository.user_repository import Repository
from agent.batch.batch_budget import BatchBudget
from agent.batch.batch_driver import Batch
from agent.batch.batch_worker import WorkerResources
from agent.batch.index_process import GraphIndexer
from agent.batch.job_run import begin_job, failed_result
from agent.batch.job_settings import RUN_ONLY_SETTINGS, JobPreparation
from agent.batch.reports.batch_results import ResultStore, load_results
from agent.config.settings import load_settings
from agent.engine.engine import CancellationToken, Engine
from agent.engine.run_lifecycle import begin
from agent.instances.jobs import ExecutorOptions, Instance, open_executor
from agent.instances.repository_clones import Repositories
from agent.limits.rate_limiter import Limiter
from agent.run_state.run_ownership import register, run_owner
from tests.agent.batch.test_batch_driver import Told
from tests.conftest import MakeRepo, git
from trajectories.errors import UsageError
from trajectories.journal import encode, read
from trajectories.records import Exit, Issue, Run, Turn, Verdict
from trajectories.trajectory import Trajectory

COUNT = 6


@pytest.fixture
def script(tmp_path: Path) -> str:
    """A model that looks at the file, then changes it and hands it in."""
    file = tmp_path / "script.jsonl"
    edit = {"tool": "edit", "arguments": {"path": "core.py", "old": "a - b", "new": "a + b"}}
    actions = [[{"tool": "view", "arguments": {"path": "core.py"}}], [edit, {"tool": "submit", "arguments": {}}]]
    lines = [{"n": n, "reply": {"text": "So.", "actions": some}} for n, some in enumerate(actions, 1)]
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return f"scripted:{file}"


def runs_in_memory() -> list[object]:
    gc.collect()
    return [thing for thing in gc.get_objects() if isinstance(thing, Engine | Trajectory)]


@pytest.mark.slow
def test_no_run_is_kept_once_it_is_done(make_repo: MakeRepo, tmp_path: Path, script: str):
    repo, out = make_repo({"core.py": "def add(a, b):\n    return a - b\n"}), tmp_path / "out"
    instances = [Instance(f"i{n}", str(repo), "", Issue("add() subtracts")) for n in range(COUNT)]
    flags = {"model": script, "strategy": "react", "workspace": "local"}
    preparing = JobPreparation(Repositories(tmp_path / "clones"), flags, out)
    cancel, front = CancellationToken(), Told()
    indexing, before = GraphIndexer(), {id(thing) for thing in runs_in_memory()}
    with ResultStore(out) as store:
        means = WorkerResources(
            open_executor("local", ExecutorOptions(out, 2, cancel)),
            store, BatchBudget(None), front, cancel, Limiter(), preparing, "m", indexing=indexing,
        )  # fmt: skip
        summary = Batch(out, preparing.jobs(instances, 1), means, 2).run()
        indexing.close()
        assert (summary.done, summary.left, summary.error) == (COUNT, 0, None)
        assert not {id(thing) for thing in runs_in_memory()} - before
        assert all(not done.patch for done in store.done.values()), "patches are on disk"
    assert all("a + b" in done.patch for done in load_results(out))


def test_place_that_nobody_has_is_named_with_those_there_are(tmp_path: Path):
    with pytest.raises(UsageError, match="no engine named 'moon'") as raised:
        open_executor("moon", ExecutorOptions(tmp_path, 1, CancellationToken()))
    assert "local" in raised.value.fix


def test_what_row_names_counts_less_than_flag_and_more_than_repository(make_repo: MakeRepo, tmp_path: Path):
    repo = make_repo({"a.py": "", ".swe-agent.toml": 'test = "of the repository"\nsetup = "make"\n'})
    row = Instance("i", str(repo), git(repo, "rev-parse", "HEAD"), Issue("x"), test="of the row")

    def test_of(instance: Instance, **flags: str) -> str:
        preparing = JobPreparation(Repositories(tmp_path), flags, tmp_path / "out")
        (job,) = preparing.jobs([instance], 1)
        prepared = preparing(job)
        assert prepared.settings.setup == "make"
        assert prepared.settings.state == tmp_path / "out"
        return prepared.settings.test

    assert test_of(row, test="of a flag") == "of a flag"
    assert test_of(row) == "of the row"
    assert test_of(Instance("i", str(repo), "", Issue("x"))) == "of the repository"


def test_repository_whose_file_cannot_be_used_fails_its_instance_only(make_repo: MakeRepo, tmp_path: Path):
    repo = make_repo({".swe-agent.toml": 'model = "mine"\n'})
    preparing = JobPreparation(Repositories(tmp_path), {}, tmp_path / "out")
    (job,) = preparing.jobs([Instance("i", str(repo), "", Issue("x"))], 1)
    with pytest.raises(UsageError, match="sets model"):
        preparing(job)


def test_instances_of_image_share_their_settings(tmp_path: Path):
    some = [Instance(f"i{n}", "a/b", "", Issue("x"), image=f"image{n % 2}") for n in range(10)]
    jobs = JobPreparation(Repositories(tmp_path), {}, tmp_path).jobs(some, 2, done={"i0", "i1.2"})
    assert len(jobs) == 18
    assert len({id(job.settings) for job in jobs}) == 2


def test_settings_of_one_run_are_heeded_by_no_instance(make_repo: MakeRepo, tmp_path: Path, monkeypatch):
    for name in ("APPLY", "BRANCH", "PR", "REPRODUCE", "FUNCTION", "WORKLOAD", "BENCHMARK"):
        monkeypatch.setenv(f"SWE_AGENT_{name}", "1")
    preparing = JobPreparation(Repositories(tmp_path), {}, tmp_path / "out")
    (job,) = preparing.jobs([Instance("i", str(make_repo({"a.py": ""})), "", Issue("x"))], 1)
    for settings in (job.settings, preparing(job).settings):
        assert {name: getattr(settings, name) for name in RUN_ONLY_SETTINGS} == RUN_ONLY_SETTINGS


EVIL_TABLE = {"openai/x": {"api_base": "http://127.0.0.1:9/v1", "key_env": "ANTHROPIC_API_KEY"}}


@pytest.mark.parametrize(
    "said", [{"workspace": "docker"}, {"disk": "900g"}, {"reproduce": "/etc/passwd"}, {"models": EVIL_TABLE}]
)
def test_run_in_output_folder_asks_for_no_more_than_batch(make_repo: MakeRepo, tmp_path: Path, script, said):
    repo = make_repo({"core.py": "def add(a, b):\n    return a - b\n"})
    preparing = JobPreparation(
        Repositories(tmp_path / "clones"), {"model": script, "workspace": "local"}, tmp_path / "out"
    )
    job = preparing(preparing.jobs([Instance("i", str(repo), "", Issue("x"))], 1)[0])
    begin_job(job)
    assert run_owner(job.directory, load_settings().state) == "user"
    begin_job(job)
    first, *rest = read(job.directory).records
    assert isinstance(first, Run)
    turn = rest[0]
    assert isinstance(turn, Turn)
    for changed in ([replace(first, settings=first.settings | said), *rest], [first, replace(turn, settings=said)]):
        (job.directory / "journal.jsonl").write_bytes(b"".join(map(encode, changed)))
        with pytest.raises(UsageError, match="was not created by you here"):
            begin_job(job)
    register(job.directory, load_settings().state)
    with pytest.raises(UsageError, match=f"was started with another {next(iter(said))}"):
        begin_job(job)


def test_run_in_output_folder_that_somebody_else_solved_is_not_continued(make_repo, tmp_path: Path, script: str):
    repo = make_repo({"core.py": "def add(a, b):\n    return a - b\n"})
    preparing = JobPreparation(
        Repositories(tmp_path / "clones"), {"model": script, "workspace": "local"}, tmp_path / "out"
    )
    job = preparing(preparing.jobs([Instance("i", str(repo), "", Issue("x"))], 1)[0])
    begin_job(job)
    with (job.directory / "journal.jsonl").open("ab") as file:
        file.write(encode(Exit("verified", 0, verdict=Verdict("verified"))))
    with pytest.raises(UsageError, match="was not created by you here"):
        begin_job(job)


def test_run_that_someone_else_put_into_output_folder_is_not_continued(
    make_repo: MakeRepo, tmp_path: Path, script
):
    """Not even one that has only its first records: they name a model, a repository state and prompts."""
    repo = make_repo({"core.py": "def add(a, b):\n    return a - b\n"})
    preparing = JobPreparation(
        Repositories(tmp_path / "clones"), {"model": script, "workspace": "local"}, tmp_path / "out"
    )
    job = preparing(preparing.jobs([Instance("i", str(repo), "", Issue("x"))], 1)[0])
    begin(Issue("theirs"), Repository.open(repo), job.settings, name=job.run)  # registered in no state of the user's
    with pytest.raises(UsageError, match="was not created by you here"):
        begin_job(job)
    assert run_owner(job.directory, load_settings().state) == "other"
    lost = failed_result(job, UsageError("It was not created by you here.", ""))
    assert (lost.patch, lost.dollars) == ("", 0.0)
