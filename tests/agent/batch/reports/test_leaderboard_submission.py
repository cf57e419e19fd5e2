"""A batch as a submission to SWE-bench's leaderboard: what is in it, and what never is."""

from __future__ import annotations

import copy
import json
import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from agent.batch.job_run import solve_job
from agent.batch.reports.batch_manifest import check, manifest
from agent.batch.reports.batch_results import ResultStore, encode
from agent.batch.reports.leaderboard_submission import MISSING, write_leaderboard
from agent.config.settings import Settings
from agent.engine.engine import CancellationToken
from agent.evaluation.grading_store import GradingStore
from agent.evaluation.patch_grade import GradingResult
from agent.instances.jobs import Instance, Job, JobResult, JobWatch
from agent.limits.rate_limiter import Limiter
from tests.agent.conftest import act, line
from tests.conftest import git
from trajectories.errors import RunBroken, UsageError, WorkspaceError
from trajectories.records import Issue

KEY = "sk-0123456789abcdef0123456789abcdef"


class Solved:
    """A batch of two, of which one was solved by a scripted model and the other's workspace never came."""

    def __init__(self, folder: Path, repository: Path) -> None:
        self.out, self.folder = folder / "out", folder / "20260101_swe-agent"
        script = folder / "script.jsonl"
        script.write_text(
            json.dumps(
                line(
                    f"The sign is wrong. The key is {KEY}.\n```\nfences\n```",
                    act("edit", path="calc.py", old="return a - b", new="return a + b"),
                    act("submit", summary="The sign."),
                )
            )
        )
        self.settings = Settings(
            model=f"scripted:{script}", strategy="react", workspace="local", state=self.out, test="true", budget=1.0
        )
        self.instances = [Instance(f"calc-{n}", "ada/calc", "", Issue("add() subtracts")) for n in (1, 2)]
        data = folder / "data.jsonl"
        data.write_text("rows")
        self.manifest = check(self.out, manifest(self.settings, self.instances, [data], {}, options={"repeat": 2}))
        job = Job(self.instances[0], 1, repository, self.settings)
        self.done = solve_job(job, JobWatch(CancellationToken(), Limiter()))
        lost = JobResult("calc-2", 1, "calc-2", 5, "infrastructure", "none", "", None, error="No room.")
        again = replace(self.done, repeat=2, run="calc-1.2", patch="the second")
        with ResultStore(self.out) as store:
            for done in (self.done, lost, again):
                store.add(done, str(self.model))

    @property
    def model(self) -> Any:
        return self.manifest["model"]["name"]

    def submission(self) -> Path:
        return write_leaderboard(self.out, self.folder, self.manifest)


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory) -> Solved:
    folder = tmp_path_factory.mktemp("solved")
    repository = folder / "calc"
    repository.mkdir()
    (repository / "calc.py").write_text("def add(a, b):\n    return a - b\n")
    git(repository, "init", "-q")
    git(repository, "add", "-A")
    git(repository, "commit", "-q", "-m", "A calculator")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SWE_AGENT_CONFIG", str(folder / "config.toml"))
        patch.setenv("SWE_AGENT_CACHE", str(folder / "cache"))
        return Solved(folder, repository)


@pytest.fixture
def solved(once: Solved, tmp_path: Path) -> Solved:
    """A copy that a test may change."""
    own = copy.deepcopy(once)
    own.out, own.folder = tmp_path / "out", tmp_path / "20260101_swe-agent"
    shutil.copytree(once.out, own.out)
    return own


def test_what_is_in_submission(solved: Solved) -> None:
    assert "+    return a + b" in solved.done.patch
    folder = solved.submission()
    predictions = [json.loads(row) for row in (folder / "all_preds.jsonl").read_text().splitlines()]
    assert [(row["instance_id"], row["model_patch"]) for row in predictions] == [
        ("calc-1", solved.done.patch),
    ]
    assert json.loads((folder / "preds.json").read_text()).keys() == {"calc-1"}
    assert sorted(path.name for path in (folder / "trajs").iterdir()) == ["calc-1.md", "calc-2.md"]
    assert json.loads((folder / "manifest.json").read_text()) == solved.manifest
    assert not (folder / "logs").exists()
    metadata = yaml.safe_load((folder / "metadata.yaml").read_text())
    assert metadata["tags"] == {
        "checked": False,
        "model": [solved.model],
        "org": [f"{MISSING}: organisation"],
        "os_model": None,
        "os_system": True,
        "system": {"attempts": "1"},
    }
    assert metadata["info"].keys() == {"authors", "logo", "name", "report", "site"}
    assert metadata["assets"].keys() == {"logs", "trajs"}


def test_readme_has_figures_and_checklist(solved: Solved) -> None:
    text = (solved.submission() / "README.md").read_text()
    assert "| instances | 2 |" in text
    assert "| without a patch | 1 |" in text
    assert "| cost | unknown |" in text
    assert f"| resolved | {MISSING}" in text
    assert text.count("- [") == 4
    assert "- [x] Does not use the `hints` field" in text
    assert "- [ ] Does not have web-browsing" in text  # it ran in local workspaces
    assert "The first of 2 attempts is submitted." in text


def test_what_hints_and_containers_change_in_checklist(solved: Solved) -> None:
    solved.manifest["options"]["hints"] = True
    solved.manifest["room"]["workspace"] = "docker"
    text = (solved.submission() / "README.md").read_text()
    assert "- [ ] Does not use the `hints` field" in text
    assert "- [x] Does not have web-browsing" in text


def test_trajectory_can_be_read(solved: Solved) -> None:
    text = (solved.submission() / "trajs" / "calc-1.md").read_text()
    issue, thought, action, end = (
        text.index(words) for words in ("add() subtracts", "The sign is wrong.", "**edit** `", "## Prediction")
    )
    assert issue < thought < action < end
    assert '"old": "return a - b"' in text
    assert "+    return a + b" in text[end:]
    assert "No room." in (solved.folder / "trajs" / "calc-2.md").read_text()


def test_no_key_and_no_place_of_this_machine_is_in_it(solved: Solved, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_TOKEN", "The sign is")
    folder = solved.submission()
    texts = [path.read_text() for path in folder.rglob("*") if path.is_file()]
    assert not any(KEY in text or "The sign is" in text for text in texts)


def evaluated(solved: Solved, *runs: str) -> None:
    """A report of an evaluation that names these run ids."""
    told = {"resolved": [], "unresolved": [], "empty": [], "errors": [], "missing": []}
    report = {"model": solved.model, "runs": [{"run_id": run, **told} for run in runs]}
    (solved.out / "evaluation").mkdir(exist_ok=True)
    (solved.out / "evaluation" / "evaluation.json").write_text(json.dumps(report))


def test_logs_of_evaluation_are_taken_along(solved: Solved) -> None:
    for stamp, (run, resolved) in enumerate([("evaluate", True), ("evaluate.2", False), ("evaluate.other", False)]):
        shelf = GradingStore(solved.out / "evaluation", run)
        graded = GradingResult("calc-1", resolved, applied=True, log="1 passed", script="pytest")
        shelf.put(str(solved.model), graded, "key", solved.done.patch)
        os.utime(shelf.of(str(solved.model), "calc-1").parent, (1_700_000_000 + stamp, 1_700_000_000 + stamp))
    GradingStore(solved.out / "evaluation", "evaluate").put("another", replace(graded, instance="calc-2"), "key", "")
    evaluated(solved, "evaluate", "evaluate.2")
    folder = solved.submission()
    logs = {path.relative_to(folder / "logs").as_posix() for path in (folder / "logs").rglob("*") if path.is_file()}
    names = ("patch.diff", "eval.sh", "report.json", "run_instance.log", "test_output.txt")
    assert logs == {f"calc-1/{name}" for name in names}
    assert "| resolved | 1 of 1 judged |" in (folder / "README.md").read_text()


def test_logs_of_another_patch_or_of_no_report_are_none_of_ours(solved: Solved) -> None:
    shelf = GradingStore(solved.out / "evaluation", "evaluate")
    shelf.put(str(solved.model), GradingResult("calc-1", True, applied=True), "key", solved.done.patch)
    assert not (solved.submission() / "logs").exists()
    evaluated(solved, "evaluate")
    shelf.put(str(solved.model), GradingResult("calc-1", True, applied=True), "key", solved.done.patch + "another")
    assert not (solved.submission() / "logs").exists()
    assert f"| resolved | {MISSING}" in (solved.folder / "README.md").read_text()


def test_report_that_is_torn_counts_as_none(solved: Solved) -> None:
    shelf = GradingStore(solved.out / "evaluation", "evaluate")
    shelf.put(str(solved.model), GradingResult("calc-1", True, applied=True), "key", solved.done.patch)
    (shelf.of(str(solved.model), "calc-1") / "report.json").write_text('{"calc-1": {')
    evaluated(solved, "evaluate")
    assert f"| resolved | {MISSING}" in (solved.submission() / "README.md").read_text()


def test_what_somebody_filled_in_stays(solved: Solved) -> None:
    folder = solved.submission()
    for name in ("README.md", "metadata.yaml"):
        (folder / name).write_text("filled in")
    (folder / "trajs" / "calc-1.md").unlink()
    solved.submission()
    assert {(folder / name).read_text() for name in ("README.md", "metadata.yaml")} == {"filled in"}
    assert (folder / "trajs" / "calc-1.md").exists()


def test_folders_that_will_not_do(solved: Solved) -> None:
    with pytest.raises(UsageError, match="the batch's own folder"):
        write_leaderboard(solved.out, solved.out, solved.manifest)
    solved.folder.write_text("")
    with pytest.raises(WorkspaceError, match="cannot be written"):
        solved.submission()


def test_damaged_results_are_told(solved: Solved) -> None:
    (solved.out / "results.jsonl").write_text("{}\n")
    with pytest.raises(RunBroken, match="damaged"):
        solved.submission()


def added(solved: Solved, done: JobResult) -> None:
    with (solved.out / "results.jsonl").open("ab") as file:
        file.write(encode(done, str(solved.model)))


@pytest.mark.parametrize("absolute", [True, False])
def test_no_name_of_instance_leads_out_of_folder(solved: Solved, tmp_path: Path, absolute: bool) -> None:
    notes = tmp_path / "NOTES.md"
    notes.write_text("mine")
    name = str(tmp_path / "NOTES") if absolute else "../../NOTES"
    added(solved, replace(solved.done, instance=name, run="other"))
    folder = solved.submission()
    assert notes.read_text() == "mine"
    assert len(list((folder / "trajs").iterdir())) == 3


@pytest.mark.parametrize("name", ["..", "../../elsewhere", "/etc", "a/b", "", "a\0"])
def test_no_name_of_run_leads_out_of_runs(solved: Solved, name: str) -> None:
    added(solved, replace(solved.done, instance="other", run=name))
    with pytest.raises(RunBroken, match="damaged"):
        solved.submission()


@pytest.mark.parametrize("name", ["patch.diff", "report.json", "test_output.txt"])
def test_no_link_in_logs_is_followed(solved: Solved, tmp_path: Path, name: str) -> None:
    shelf = GradingStore(solved.out / "evaluation", "evaluate")
    shelf.put(str(solved.model), GradingResult("calc-1", True, applied=True), "key", solved.done.patch)
    evaluated(solved, "evaluate")
    log = shelf.of(str(solved.model), "calc-1") / name
    log.rename(tmp_path / name)
    log.symlink_to(tmp_path / name)
    if name == "patch.diff":
        assert not (solved.submission() / "logs").exists(), "a log without its patch is none of ours"
        return
    with pytest.raises(UsageError, match="not published"):
        solved.submission()
    assert not list(solved.folder.rglob(name))


@pytest.mark.parametrize("name", ["all_preds.jsonl", "manifest.json", "evaluation"])
def test_no_link_out_of_folder_is_followed(solved: Solved, tmp_path: Path, name: str) -> None:
    shelf = GradingStore(solved.out / "evaluation", "evaluate")
    shelf.put(str(solved.model), GradingResult("calc-1", True, applied=True), "key", solved.done.patch)
    evaluated(solved, "evaluate")
    (solved.out / name).rename(tmp_path / name)
    (solved.out / name).symlink_to(tmp_path / name)
    with pytest.raises(UsageError, match="not published"):
        solved.submission()
    assert not (solved.folder / name).exists()


def test_pipe_is_not_published(solved: Solved) -> None:
    (solved.out / "preds.json").unlink()
    os.mkfifo(solved.out / "preds.json")
    with pytest.raises(UsageError, match="not published"):
        solved.submission()
