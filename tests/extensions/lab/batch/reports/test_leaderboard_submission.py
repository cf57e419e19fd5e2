"""A batch as a submission to SWE-bench's leaderboard: its contents, and data that is never published."""

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

from agent.config.settings import Settings
from agent.limits.cancellation import CancellationToken
from agent.limits.rate_limiter import Limiter
from extensions.lab.batch.job_run import solve_job
from extensions.lab.batch.reports.batch_manifest import check, manifest
from extensions.lab.batch.reports.batch_results import ResultStore, encode
from extensions.lab.batch.reports.evaluation_verdicts import read_verdicts
from extensions.lab.batch.reports.leaderboard_submission import MISSING, write_leaderboard
from extensions.lab.evaluation.grading_store import GradingStore
from extensions.lab.evaluation.patch_grade import GradingResult
from extensions.lab.instances.jobs import Instance, Job, JobResult, JobWatch
from tests.agent.conftest import act, line
from tests.conftest import git
from trajectories.errors import RunBroken, UsageError, WorkspaceError
from trajectories.records import Issue

KEY = "sk-0123456789abcdef0123456789abcdef"


class SolvedBatch:
    """A batch of two instances: one solved by a scripted model, one whose workspace could not be created."""

    def __init__(self, folder: Path, repository: Path) -> None:
        self.out, self.folder = folder / "out", folder / "20260101_swe-agent"
        script = folder / "script.jsonl"
        submit = act("submit", summary="The sign.")
        lines = (
            line(
                f"The sign is wrong. The key is {KEY}.\n```\nfences\n```",
                act("edit", path="calc.py", old="return a - b", new="return a + b"),
                submit,
                n=1,
            ),
            line("No test is needed.", submit),
        )
        script.write_text("\n".join(map(json.dumps, lines)))
        self.settings = Settings(
            model=f"scripted:{script}", strategy="react", workspace="local", state=self.out, test="true", budget=1.0
        )
        self.instances = [Instance(f"calc-{n}", "ada/calc", "", Issue("add() subtracts")) for n in (1, 2)]
        data = folder / "data.jsonl"
        data.write_text("rows")
        self.manifest = check(self.out, manifest(self.settings, self.instances, [data], {}, options={"repeat": 2}))
        job = Job(self.instances[0], 1, repository, self.settings)
        self.done = solve_job(job, JobWatch(CancellationToken(), Limiter()))
        lost = JobResult("calc-2", 1, "calc-2", 5, "infrastructure", "none", "", None, error="No space.")
        second = replace(self.done, repeat=2, run="calc-1.2", patch="the second")
        with ResultStore(self.out) as store:
            for done in (self.done, lost, second):
                store.add(done, str(self.model))

    @property
    def model(self) -> Any:
        return self.manifest["model"]["name"]

    def submission(self) -> Path:
        return write_leaderboard(self.out, self.folder, self.manifest)


@pytest.fixture(scope="module")
def shared_batch(tmp_path_factory: pytest.TempPathFactory) -> SolvedBatch:
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
        return SolvedBatch(folder, repository)


@pytest.fixture
def solved(shared_batch: SolvedBatch, tmp_path: Path) -> SolvedBatch:
    """A copy that a test may change."""
    copied = copy.deepcopy(shared_batch)
    copied.out, copied.folder = tmp_path / "out", tmp_path / "20260101_swe-agent"
    shutil.copytree(shared_batch.out, copied.out)
    return copied


@pytest.mark.slow
def test_submission_contains_predictions_and_metadata(solved: SolvedBatch) -> None:
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


@pytest.mark.slow
def test_readme_has_figures_and_checklist(solved: SolvedBatch) -> None:
    text = (solved.submission() / "README.md").read_text()
    assert "| instances | 2 |" in text
    assert "| without a patch | 1 |" in text
    assert "| cost | unknown |" in text
    assert f"| resolved | {MISSING}" in text
    assert text.count("- [") == 4
    assert "- [x] Does not use the `hints` field" in text
    assert "- [ ] Does not have web-browsing" in text  # it ran in local workspaces
    assert "The first of 2 attempts is submitted." in text


def test_checklist_depends_on_hints_and_workspace(solved: SolvedBatch) -> None:
    solved.manifest["options"]["hints"] = True
    solved.manifest["room"]["workspace"] = "docker"
    text = (solved.submission() / "README.md").read_text()
    assert "- [ ] Does not use the `hints` field" in text
    assert "- [x] Does not have web-browsing" in text


def test_trajectory_is_readable(solved: SolvedBatch) -> None:
    text = (solved.submission() / "trajs" / "calc-1.md").read_text()
    issue, thought, action, end = (
        text.index(phrase) for phrase in ("add() subtracts", "The sign is wrong.", "**edit** `", "## Prediction")
    )
    assert issue < thought < action < end
    assert '"old": "return a - b"' in text
    assert "+    return a + b" in text[end:]
    assert "No space." in (solved.folder / "trajs" / "calc-2.md").read_text()


def test_submission_contains_no_secrets(solved: SolvedBatch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_TOKEN", "The sign is")
    folder = solved.submission()
    texts = [path.read_text() for path in folder.rglob("*") if path.is_file()]
    assert not any(KEY in text or "The sign is" in text for text in texts)


def write_evaluation(solved: SolvedBatch, *runs: str) -> None:
    """Write the report of an evaluation with these run ids."""
    empty_lists = {"resolved": [], "unresolved": [], "empty": [], "errors": [], "missing": []}
    runs_found = [{"run_id": run, **empty_lists} for run in runs]
    report = {"model": solved.model, "runs": runs_found, "workspace": "docker"}
    (solved.out / "evaluation").mkdir(exist_ok=True)
    (solved.out / "evaluation" / "evaluation.json").write_text(json.dumps(report))


@pytest.mark.parametrize("workspace", ["sandbox", "local", "", None, "docker"])
def test_only_grades_from_images_are_published(solved: SolvedBatch, workspace: str | None) -> None:
    store = GradingStore(solved.out / "evaluation", "evaluate")
    graded = GradingResult("calc-1", True, applied=True, log="1 passed", workspace=workspace or "")
    store.put(str(solved.model), graded, "key", solved.done.patch)
    write_evaluation(solved, "evaluate")
    report = solved.out / "evaluation" / "evaluation.json"
    found = json.loads(report.read_text())
    del found["workspace"]  # as an earlier version wrote it
    report.write_text(json.dumps(found | ({} if workspace is None else {"workspace": workspace})))
    folder = solved.submission()
    assert (folder / "logs").exists() == (workspace == "docker")
    assert ("1 of 1 judged" in (folder / "README.md").read_text()) == (workspace == "docker")


def test_prediction_without_verdict_is_not_judged(solved: SolvedBatch) -> None:
    store = GradingStore(solved.out / "evaluation", "evaluate")
    failed = GradingResult("calc-1", False, applied=False, error="No space.")
    store.put(str(solved.model), failed, "key", solved.done.patch)
    write_evaluation(solved, "evaluate")
    path = solved.out / "evaluation" / "evaluation.json"
    report = json.loads(path.read_text())
    report["runs"][0]["errors"] = ["calc-1"]
    path.write_text(json.dumps(report))
    assert read_verdicts(solved.out).resolved(solved.done) is False, "a report of an earlier version, or a bad patch"
    report["runs"][0]["no_verdict"] = ["calc-1"]
    path.write_text(json.dumps(report))
    assert read_verdicts(solved.out).resolved(solved.done) is None


def test_evaluation_logs_are_included(solved: SolvedBatch) -> None:
    for stamp, (run, resolved) in enumerate([("evaluate", True), ("evaluate.2", False), ("evaluate.other", False)]):
        store = GradingStore(solved.out / "evaluation", run)
        graded = GradingResult("calc-1", resolved, applied=True, log="1 passed", script="pytest")
        store.put(str(solved.model), graded, "key", solved.done.patch)
        os.utime(store.of(str(solved.model), "calc-1").parent, (1_700_000_000 + stamp, 1_700_000_000 + stamp))
    GradingStore(solved.out / "evaluation", "evaluate").put("another", replace(graded, instance="calc-2"), "key", "")
    write_evaluation(solved, "evaluate", "evaluate.2")
    folder = solved.submission()
    logs = {path.relative_to(folder / "logs").as_posix() for path in (folder / "logs").rglob("*") if path.is_file()}
    names = ("patch.diff", "eval.sh", "report.json", "run_instance.log", "test_output.txt")
    assert logs == {f"calc-1/{name}" for name in names}
    assert "| resolved | 1 of 1 judged |" in (folder / "README.md").read_text()


def test_logs_of_other_patch_or_without_report_are_left_out(solved: SolvedBatch) -> None:
    store = GradingStore(solved.out / "evaluation", "evaluate")
    store.put(str(solved.model), GradingResult("calc-1", True, applied=True), "key", solved.done.patch)
    assert not (solved.submission() / "logs").exists()
    write_evaluation(solved, "evaluate")
    store.put(str(solved.model), GradingResult("calc-1", True, applied=True), "key", solved.done.patch + "another")
    assert not (solved.submission() / "logs").exists()
    assert f"| resolved | {MISSING}" in (solved.folder / "README.md").read_text()


def test_incomplete_log_report_is_ignored(solved: SolvedBatch) -> None:
    store = GradingStore(solved.out / "evaluation", "evaluate")
    store.put(str(solved.model), GradingResult("calc-1", True, applied=True), "key", solved.done.patch)
    (store.of(str(solved.model), "calc-1") / "report.json").write_text('{"calc-1": {')
    write_evaluation(solved, "evaluate")
    assert f"| resolved | {MISSING}" in (solved.submission() / "README.md").read_text()


def test_edited_files_are_not_overwritten(solved: SolvedBatch) -> None:
    folder = solved.submission()
    for name in ("README.md", "metadata.yaml"):
        (folder / name).write_text("filled in")
    (folder / "trajs" / "calc-1.md").unlink()
    solved.submission()
    assert {(folder / name).read_text() for name in ("README.md", "metadata.yaml")} == {"filled in"}
    assert (folder / "trajs" / "calc-1.md").exists()


def test_invalid_target_folder_is_rejected(solved: SolvedBatch) -> None:
    with pytest.raises(UsageError, match="the batch's own folder"):
        write_leaderboard(solved.out, solved.out, solved.manifest)
    solved.folder.write_text("")
    with pytest.raises(WorkspaceError, match="cannot be written"):
        solved.submission()


def test_damaged_results_are_reported(solved: SolvedBatch) -> None:
    (solved.out / "results.jsonl").write_text("{}\n")
    with pytest.raises(RunBroken, match="damaged"):
        solved.submission()


def add_result(solved: SolvedBatch, done: JobResult) -> None:
    with (solved.out / "results.jsonl").open("ab") as file:
        file.write(encode(done, str(solved.model)))


@pytest.mark.parametrize("absolute", [True, False])
def test_instance_name_cannot_escape_folder(solved: SolvedBatch, tmp_path: Path, absolute: bool) -> None:
    notes = tmp_path / "NOTES.md"
    notes.write_text("mine")
    name = str(tmp_path / "NOTES") if absolute else "../../NOTES"
    add_result(solved, replace(solved.done, instance=name, run="other"))
    folder = solved.submission()
    assert notes.read_text() == "mine"
    assert len(list((folder / "trajs").iterdir())) == 3


@pytest.mark.parametrize("name", ["..", "../../elsewhere", "/etc", "a/b", "", "a\0"])
def test_run_name_cannot_escape_runs_folder(solved: SolvedBatch, name: str) -> None:
    add_result(solved, replace(solved.done, instance="other", run=name))
    with pytest.raises(RunBroken, match="damaged"):
        solved.submission()


@pytest.mark.parametrize("name", ["patch.diff", "report.json", "test_output.txt"])
def test_link_in_logs_is_not_followed(solved: SolvedBatch, tmp_path: Path, name: str) -> None:
    store = GradingStore(solved.out / "evaluation", "evaluate")
    store.put(str(solved.model), GradingResult("calc-1", True, applied=True), "key", solved.done.patch)
    write_evaluation(solved, "evaluate")
    log = store.of(str(solved.model), "calc-1") / name
    log.rename(tmp_path / name)
    log.symlink_to(tmp_path / name)
    if name == "patch.diff":
        assert not (solved.submission() / "logs").exists(), "logs without a patch file are left out"
        return
    with pytest.raises(UsageError, match="not published"):
        solved.submission()
    assert not list(solved.folder.rglob(name))


@pytest.mark.parametrize("name", ["all_preds.jsonl", "manifest.json", "evaluation"])
def test_link_out_of_folder_is_not_followed(solved: SolvedBatch, tmp_path: Path, name: str) -> None:
    store = GradingStore(solved.out / "evaluation", "evaluate")
    store.put(str(solved.model), GradingResult("calc-1", True, applied=True), "key", solved.done.patch)
    write_evaluation(solved, "evaluate")
    (solved.out / name).rename(tmp_path / name)
    (solved.out / name).symlink_to(tmp_path / name)
    with pytest.raises(UsageError, match="not published"):
        solved.submission()
    assert not (solved.folder / name).exists()


def test_pipe_is_not_published(solved: SolvedBatch) -> None:
    (solved.out / "preds.json").unlink()
    os.mkfifo(solved.out / "preds.json")
    with pytest.raises(UsageError, match="not published"):
        solved.submission()
