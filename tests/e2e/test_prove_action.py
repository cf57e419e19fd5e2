"""Pull requests proved by the Action: one workflow runs their code without a token, another one comments."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from extensions.github.action.proof_comment_job import CHECK, MARK
from extensions.github.pull_request.run_outcome import NO_VERDICT, outcome_without_run
from extensions.github.task.result_file import pack
from tests.conftest import IMAGE, git
from tests.e2e.conftest import CALCULATOR, TEST_CORE, write
from tests.e2e.test_action import BOT, bare_repository
from tests.e2e.workflow import ROOT, Job, Workflow
from tests.github_server import Hub
from tests.github_server.threads import Pull
from trajectories.errors import WorkspaceError

PROVE, COMMENT = ROOT / ".github/workflows/prove.yml", ROOT / ".github/workflows/prove-comment.yml"
FIXED = CALCULATOR["calc/core.py"].replace("a - b", "a + b")
FIX = {"calc/core.py": FIXED, "tests/test_core.py": TEST_CORE}


class ProvedProject:
    """The public repository octo/calc; eve has no rights there, but a fork."""

    def __init__(self, hub: Hub, folder: Path) -> None:
        self.hub, self.folder = hub, folder
        bare = bare_repository(folder)
        git(folder, "clone", "-q", "--bare", str(bare), "fork.git")
        git(folder, "clone", "-q", str(folder / "fork.git"), "eve")
        self.repo = hub.repo("octo/calc", git=bare)
        self.fork = hub.repo("eve/calc", git=folder / "fork.git", fork_of=self.repo)
        self.workflow = Workflow(hub, self.repo, folder, {}, {})

    def push(self, files: dict[str, str]) -> None:
        """Push a commit to the branch `fix` of eve's fork."""
        work = write(self.folder / "eve", files)
        git(work, "checkout", "-qB", "fix")
        git(work, "add", "-A")
        git(work, "commit", "-qm", "Change")
        git(work, "push", "-qf", "origin", "fix")

    def pull(self, files: dict[str, str]) -> Pull:
        self.push(files)
        pull = self.repo.pull("fix", author="eve", fork=self.fork, title="add() subtracts", body="add(2, 3) gives -1.")
        pull.publish_head()
        return pull

    def prove(self, pull: Pull, action: str = "opened") -> Job:
        pull.publish_head()
        self.workflow.file, self.workflow.inputs = PROVE, {"image": IMAGE, "test": "python3 -m unittest discover"}
        return self.workflow.run("pull_request", self.hub.event("pull_request", action, pull))["prove"]

    def comment(self, pull: Pull) -> Job:
        """Run the workflow that follows a run of the first one."""
        event = self.hub.event("workflow_run", "completed", pull, inputs={"run": self.workflow.runs})
        self.workflow.file, self.workflow.inputs = COMMENT, {}
        return self.workflow.run("workflow_run", event)["comment"]

    def hand_over(self, head: str, verdict: dict[str, Any] | None = None, base: str = "0" * 40) -> None:
        """Leave a result of a prove job for this commit: an error, or a verdict against a base."""
        self.workflow.runs += 1
        folder = self.folder / "artifacts" / str(self.workflow.runs) / "swe-agent-proof"
        folder.mkdir(parents=True)
        outcome = outcome_without_run(WorkspaceError("No Docker @ada.", "Install it."), head, base)
        if verdict:
            result = {name: value for name, value in outcome.result.items() if name != "error"}
            outcome = replace(outcome, exit=0, result=result | {"exit": 0, "verdict": verdict})
        pack(outcome, b"", folder / "proof.tar")

    @property
    def comments(self) -> list[str]:
        return [one.body for one in self.repo.numbered[1].comments if one.author.login == BOT]


@pytest.fixture
def project(tmp_path: Path) -> Iterator[ProvedProject]:
    with Hub(tmp_path) as hub:
        yield ProvedProject(hub, tmp_path)


@pytest.mark.slow
@pytest.mark.docker
@pytest.mark.timeout(300)
def test_pull_request_of_fork_is_proved_without_token_and_shown_in_one_comment(project: ProvedProject) -> None:
    pull = project.pull({"calc/core.py": FIXED})
    job = project.prove(pull)
    assert job.result == "success", job.log
    assert not [env for env in job.environments if "ghs_" in json.dumps(env)], "the job has no token"
    assert [one.path for one in project.hub.requests if one.path.startswith("/api")] == []
    shown = project.comment(pull)
    assert shown.result == "success", shown.log
    (first,) = project.comments
    assert first.startswith(f"{MARK}\n**Unproven.**")
    assert [(one["name"], one["conclusion"]) for one in project.repo.checks] == [(CHECK, "neutral")]

    project.push(FIX)
    assert project.prove(pull, "synchronize").result == "success"
    assert project.comment(pull).result == "success"
    (second,) = project.comments
    assert "**Plausible.**" in second
    assert "| It passes with the change | yes |" in second
    assert "test_add" in second
    assert project.repo.checks[-1]["head_sha"] == pull.head_sha
    assert project.repo.checks[-1]["conclusion"] == "neutral"


@pytest.mark.slow
@pytest.mark.docker
@pytest.mark.timeout(300)
def test_lost_test_fails_the_check(project: ProvedProject) -> None:
    pull = project.pull({**FIX, "calc/text.py": "def shout(word):\n    return word\n"})
    assert project.prove(pull).result == "success"
    assert project.comment(pull).result == "success"
    assert "| Tests that passed before still pass | **no**" in project.comments[0]
    assert project.repo.checks[0]["conclusion"] == "failure"


@pytest.mark.slow
def test_result_of_changed_workflow_is_not_shown(project: ProvedProject) -> None:
    pull = project.pull({".github/workflows/prove.yml": "on: pull_request\n"})
    project.hand_over(pull.head_sha)
    assert project.comment(pull).result == "success"
    assert "may have changed how it is proved" in project.comments[0]
    assert project.repo.checks[0]["conclusion"] == "action_required"


@pytest.mark.slow
def test_error_is_shown_without_mentions(project: ProvedProject) -> None:
    pull = project.pull(FIX)
    project.hand_over(pull.head_sha)
    assert project.comment(pull).result == "success"
    assert "**No verdict.**\n\nNo Docker `@ada`. Install it." in project.comments[0]


@pytest.mark.slow
def test_missing_result_is_reported(project: ProvedProject) -> None:
    pull = project.pull(FIX)
    project.workflow.runs += 1
    project.comment(pull)
    assert "ended without a result" in project.comments[0]


@pytest.mark.slow
def test_result_of_another_commit_is_refused(project: ProvedProject) -> None:
    pull = project.pull(FIX)
    project.hand_over("f" * 40)
    assert project.comment(pull).result == "success"
    assert "The result belongs to another commit." in project.comments[0]
    assert project.repo.checks[0]["conclusion"] == "action_required"


@pytest.mark.slow
def test_unreadable_result_is_reported(project: ProvedProject) -> None:
    pull = project.pull(FIX)
    project.hand_over(pull.head_sha)
    (file,) = (project.folder / "artifacts").rglob("proof.tar")
    file.write_bytes(b"x" * 2000)
    assert project.comment(pull).result == "success"
    assert "The result cannot be read" in project.comments[0]


@pytest.mark.slow
def test_verdict_against_another_base_is_not_shown(project: ProvedProject) -> None:
    pull = project.pull(FIX)
    verdict = {**NO_VERDICT, **dict.fromkeys(("red", "green", "red_again", "no_loss"), True), "kind": "verified"}
    project.hand_over(pull.head_sha, verdict=verdict, base="0" * 40)
    project.comment(pull)
    assert (project.comments, project.repo.checks) == ([], [])
    project.hand_over(pull.head_sha, verdict=verdict, base=pull.base_sha)
    project.comment(pull)
    assert project.repo.checks[0]["conclusion"] == "success"
    assert "**Verified.**" in project.comments[0]


@pytest.mark.slow
def test_nothing_is_said_about_an_older_commit(project: ProvedProject) -> None:
    pull = project.pull(FIX)
    project.hand_over(pull.head_sha)
    event = project.hub.event("workflow_run", "completed", pull, inputs={"run": project.workflow.runs})
    project.push({"calc/text.py": "\n"})
    project.workflow.file, project.workflow.inputs = COMMENT, {}
    assert project.workflow.run("workflow_run", event)["comment"].result == "success"
    assert (project.comments, project.repo.checks) == ([], [])


@pytest.mark.parametrize("name", ["prove", "prove-comment"])
def test_example_grants_what_the_workflow_needs(name: str) -> None:
    (needed,) = yaml.safe_load((ROOT / f".github/workflows/{name}.yml").read_text("utf-8"))["jobs"].values()
    example = yaml.safe_load((ROOT / f"examples/github/{name}.yml").read_text("utf-8"))
    (job,) = example["jobs"].values()
    assert example["permissions"] == {}
    assert job["permissions"] == needed["permissions"]
    assert job["uses"].split("@")[0].endswith(f".github/workflows/{name}.yml")
    assert "secrets" not in job


def test_job_that_runs_code_may_only_read() -> None:
    (job,) = yaml.safe_load(PROVE.read_text("utf-8"))["jobs"].values()
    assert job["permissions"] == {"contents": "read"}
    assert "secrets" not in PROVE.read_text("utf-8").replace("no secret", "")
    assert "checkout" not in COMMENT.read_text("utf-8").partition("jobs:")[2]
