"""The three jobs of the GitHub Action, run from the workflow file: from a label to a pull request and its follow-up.

GitHub is a local server whose API is checked against GitHub's description; git works over HTTP.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import IMAGE, git
from tests.e2e.conftest import CALCULATOR, TEST_CORE, answer, call, write
from tests.e2e.fake_actions import APP_KEY, FAKE_ACTIONS, download
from tests.e2e.provider_user import SOLVE, SUBMIT
from tests.e2e.workflow import CALLER, FILE, ROOT, Job, Workflow
from tests.endpoint import Answer, Endpoint
from tests.github_server import Hub
from tests.github_server.threads import Pull

KEY = "canary-7c31e0b4d9"
TABLE = '[models."openai/x"]\napi_base = "{}"\nkey_env = "PROVIDERS"\nprice_in = 1.0\nprice_out = 5.0\n'
BOT = "github-actions[bot]"
ADD_TEST = call("edit", path="tests/test_core.py", old="", new=TEST_CORE)
EDIT = call("edit", path="calc/core.py", old="return a - b", new="return a + b")
SWAP_OPERANDS = ("edit", {"path": "calc/core.py", "old": "return a + b", "new": "return b + a"})


class GitHubProject:
    """The repository octo/calc with the workflow installed; ada has write access, eve has not."""

    def __init__(self, hub: Hub, folder: Path) -> None:
        self.hub, self.folder = hub, folder
        self.bare = bare_repository(folder)
        self.repo = hub.repo("octo/calc", git=self.bare, private=True)
        self.repo.permissions |= {"ada": "write", "eve": "read"}
        self.issue = self.repo.issue("add() subtracts", "add(2, 3) gives -1 but should give 5.", author="eve")

    def workflow(self, model: str, config: str = 'workspace = "local"', **inputs: Any) -> Workflow:
        config = f"independent = false\n{config}"  # the scripted models write no blind tests
        given = {"model": model, "model-key-name": "PROVIDERS", "config": config, "image": IMAGE}
        given |= {"test": "python3 -m unittest discover"} | inputs
        return Workflow(self.hub, self.repo, self.folder, given, {"model-key": KEY, "app-private-key": APP_KEY})

    def script(self, *lines: dict[str, Any]) -> str:
        file = self.folder / "script.jsonl"
        file.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
        return f"scripted:{file}"

    def label(self, workflow: Workflow) -> dict[str, Job]:
        """Run the workflow for ada's label."""
        self.issue.label("swe-agent", by="ada")
        payload = self.hub.event("issues", "labeled", self.issue, actor="ada", label="swe-agent")
        return check_secrets(workflow, workflow.run("issues", payload))

    def comment_text(self, number: int = 1) -> str:
        """The text of the Action's only comment there; "" without one."""
        own = [comment.body for comment in self.repo.numbered[number].comments if comment.author.login == BOT]
        assert len(own) <= 1
        return "".join(own)

    @property
    def branches(self) -> list[str]:
        return git(self.bare, "branch", "--format=%(refname:short)").splitlines()


def bare_repository(folder: Path) -> Path:
    source = write(folder / "source", CALCULATOR)
    git(source, "init", "-q", "-b", "main")
    git(source, "add", "-A")
    git(source, "commit", "-qm", "A calculator")
    git(folder, "clone", "-q", "--bare", str(source), "calc.git")
    return folder / "calc.git"


def check_secrets(workflow: Workflow, jobs: dict[str, Job]) -> dict[str, Job]:
    """Check that each job had only its own secrets, and that no log contains any."""
    tokens = {name: f"ghs_{name}{workflow.runs}" for name in jobs}
    for name, job in jobs.items():
        held = [key for env in job.environments for key, value in env.items() if KEY in value]
        assert held == (["GIVEN_KEY"] if name == "solve" and job.environments else [])
        environments = json.dumps([job.environments, job.outputs])
        assert APP_KEY not in environments
        assert [other for other, token in tokens.items() if token in environments] in ([], [name])
        assert name != "solve" or not re.search("ghs_", environments)
        for secret in (KEY, APP_KEY, "ghs_"):
            assert secret not in job.log + job.summary
        assert "Traceback" not in job.log
        pip = [(Path(env["RUNNER_TEMP"]) / "pip").read_text() for env in job.environments[:1]]
        assert all("--require-hashes" in line and "--only-binary=:all:" in line for line in pip)
    artifacts = [file for file in (workflow.folder / "artifacts").rglob("*") if file.is_file()]
    assert not [file for file in artifacts if any(word in file.read_bytes() for word in (KEY.encode(), b"ghs_"))]
    return jobs


def results(jobs: dict[str, Job]) -> list[str]:
    return [jobs[name].result for name in ("gate", "solve", "publish")]


def logs(jobs: dict[str, Job]) -> str:
    return "\n".join(f"== {name}\n{job.log}\n{job.summary}" for name, job in jobs.items())


@pytest.fixture
def project(tmp_path: Path) -> Iterator[GitHubProject]:
    with Hub(tmp_path) as hub:
        yield GitHubProject(hub, tmp_path)


@pytest.mark.slow
@pytest.mark.docker
@pytest.mark.timeout(300)
def test_label_creates_draft_and_review_comment_updates_it(project: GitHubProject) -> None:
    follow_up = Answer("The larger one first, as you ask.", actions=[SWAP_OPERANDS, SUBMIT])
    with Endpoint([SOLVE, follow_up], key=KEY) as endpoint:
        workflow = project.workflow("openai/x", TABLE.format(endpoint.openai), accept="plausible")
        jobs = project.label(workflow)
        assert results(jobs) == ["success"] * 3, logs(jobs)
        pull = project.repo.numbered[2]
        assert isinstance(pull, Pull)
        assert (pull.draft, pull.head, pull.base, pull.author.login) == (True, "swe-agent/issue-1", "main", BOT)
        assert pull.body
        assert pull.body.startswith("Fixes #1.")
        assert "#2 is a draft" in project.comment_text(1)
        first = git(project.bare, "rev-parse", pull.head)
        assert git(project.bare, "rev-parse", f"{first}^") == git(project.bare, "rev-parse", "main")
        assert "return a + b" in git(project.bare, "show", f"{first}:calc/core.py")
        assert "add(2, 3)" in git(project.bare, "show", f"{first}:tests/test_core.py")

        request = pull.review_comment("ada", "/swe-agent the larger one first, please", "calc/core.py", 3)
        event = project.hub.event("pull_request_review_comment", "created", request)
        jobs = check_secrets(workflow, workflow.run("pull_request_review_comment", event))
        assert results(jobs) == ["success"] * 3, logs(jobs)
        assert project.branches == ["main", pull.head]
        assert git(project.bare, "rev-parse", f"{pull.head}^") == first
        assert "return b + a" in git(project.bare, "show", f"{pull.head}:calc/core.py")
        assert "larger one first" in git(project.bare, "log", "-1", "--format=%B", pull.head)
        assert [review_comment.author.login for review_comment in pull.review] == ["ada", BOT]
        assert "return a - b" in str(endpoint.asked[1]), "the follow-up continues the conversation of the first run"


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_failed_ci_of_pull_request_is_followed_once(project: GitHubProject) -> None:
    script = project.script(
        answer("", ADD_TEST, EDIT, call("submit"), n=1),
        answer("", call("edit", path="calc/core.py", old="return a + b", new="return b + a"), n=2),
        answer("The linter wants the larger one first.", n=3),
    )
    workflow = project.workflow(script, accept="plausible")
    assert results(project.label(workflow)) == ["success"] * 3
    pull = project.repo.numbered[2]
    assert isinstance(pull, Pull)
    first = pull.head_sha

    jobs = follow_failed_ci(project, workflow, pull, run=900)

    assert results(jobs) == ["success"] * 3, logs(jobs)
    assert git(project.bare, "rev-parse", f"{pull.head}^") == first
    assert "return b + a" in git(project.bare, "show", f"{pull.head}:calc/core.py")
    assert "The linter wants the larger one first." in project.comment_text(2)
    assert "Started because [CI failed]" in project.comment_text(2)
    journal = (project.folder / "artifacts/2/swe-agent-journal/journal.jsonl").read_text()
    assert "E999 larger one first" in journal
    assert "return a - b" in journal, "the first run is continued"

    jobs = follow_failed_ci(project, workflow, pull, run=901)

    assert results(jobs) == ["success", "skipped", "skipped"], logs(jobs)
    assert "The Action followed failed CI once already" in project.comment_text(2)


def follow_failed_ci(project: GitHubProject, workflow: Workflow, pull: Pull, run: int) -> dict[str, Job]:
    """Let CI fail at the head of a pull request, and run the workflow for that event."""
    values = {"event": "pull_request", "conclusion": "failure", "head_branch": pull.head, "head_sha": pull.head_sha}
    project.repo.run(run, path=".github/workflows/ci.yml", **values)
    log = project.hub.picture(f"/storage/{run}", b"2026-01-02T05:00:10.0Z E999 larger one first\n", "text/plain")
    project.repo.job(run, run, name="lint", log=log)
    payload = project.hub.event("workflow_run", "completed", pull, inputs={"run": run, "conclusion": "failure"})
    return check_secrets(workflow, workflow.run("workflow_run", payload))


@pytest.mark.slow
def test_dry_run_with_app_writes_nothing(project: GitHubProject) -> None:
    script = project.script(answer("", ADD_TEST, EDIT, call("submit")))
    jobs = project.label(project.workflow(script, **{"accept": "plausible", "dry-run": True, "app-client-id": "Iv23"}))
    assert results(jobs) == ["success"] * 3, logs(jobs)
    assert [one.path for one in project.hub.writes if not one.path.endswith("/git-upload-pack")] == []
    assert project.branches == ["main"]
    assert "Dry run" in jobs["publish"].summary
    assert "Fixes #1." in jobs["publish"].summary
    tokens = {one.token for one in project.hub.requests if one.path.startswith("/repos/")}
    assert tokens
    assert all(token.startswith("ghs_app") for token in tokens)


@pytest.mark.slow
def test_unproven_fix_is_comment_and_artifact(project: GitHubProject) -> None:
    jobs = project.label(
        project.workflow(project.script(answer("", EDIT, call("submit"), n=1), answer("", call("submit"))))
    )
    assert results(jobs) == ["success"] * 3, logs(jobs)
    assert project.branches == ["main"]
    assert list(project.repo.numbered) == [1]
    assert "it is unproven, so it is not published" in project.comment_text()
    assert "`swe-agent-handover`" in project.comment_text()
    assert "+    return a + b" in (project.folder / "artifacts/1/swe-agent-journal/patch.diff").read_text()


@pytest.mark.slow
def test_comment_without_fix_lists_likely_places(project: GitHubProject) -> None:
    jobs = project.label(project.workflow(project.script(answer("I do not know.")), **{"max-steps": "1"}))
    assert results(jobs) == ["success"] * 3, logs(jobs)
    assert project.branches == ["main"]
    assert "No change was made." in project.comment_text()
    assert "calc/core.py" in project.comment_text()


@pytest.mark.slow
def test_error_of_solve_job_is_reported_on_issue(project: GitHubProject) -> None:
    config = '[models."openai/x"]\nkey_env = "ANOTHER"\n'
    jobs = project.label(project.workflow("openai/x", config))
    assert results(jobs) == ["success", "failure", "success"], logs(jobs)
    assert "ANOTHER" in project.comment_text()


@pytest.mark.slow
def test_request_without_permission_is_ignored(project: GitHubProject) -> None:
    request = project.issue.comment("eve", "/swe-agent fix $(touch /tmp/pwned) `id`")
    workflow = project.workflow("openai/x")
    jobs = check_secrets(
        workflow, workflow.run("issue_comment", project.hub.event("issue_comment", "created", request))
    )
    assert results(jobs) == ["success", "skipped", "skipped"], logs(jobs)
    assert project.hub.writes == []


@pytest.mark.slow
@pytest.mark.parametrize("name", ["task", "handover"])
def test_modified_artifact_is_refused(project: GitHubProject, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    def modified_download(run: Workflow, inputs: Any, context: Any, env: Any) -> dict[str, str]:
        outputs = download(run, inputs, context, env)
        if inputs["name"] == f"swe-agent-{name}":
            (file,) = Path(inputs["path"]).iterdir()
            file.write_bytes(file.read_bytes() + b" ")
        return outputs

    monkeypatch.setitem(FAKE_ACTIONS, "actions/download-artifact", modified_download)
    jobs = project.label(project.workflow("openai/x", '[models."openai/x"]\nkey_env = "ANOTHER"\n'))
    assert results(jobs) == ["success", "failure", "failure"], logs(jobs)
    assert project.branches == ["main"]
    assert "ANOTHER" not in project.comment_text()
    assert f"{name}" in jobs["publish"].log
    assert "Run the whole workflow again." in jobs["publish"].log


@pytest.mark.slow
def test_missing_handover_fails_publish_job_with_comment(
    project: GitHubProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing_download(run: Workflow, inputs: Any, context: Any, env: Any) -> dict[str, str]:
        if inputs["name"] == "swe-agent-handover":
            raise FileNotFoundError("No answer.")
        return download(run, inputs, context, env)

    monkeypatch.setitem(FAKE_ACTIONS, "actions/download-artifact", missing_download)
    jobs = project.label(project.workflow("openai/x", '[models."openai/x"]\nkey_env = "ANOTHER"\n'))
    assert results(jobs) == ["success", "failure", "failure"], logs(jobs)
    assert "cannot be read" in jobs["publish"].log
    assert "cannot be read" in project.comment_text()


# The workflow file


def test_each_job_has_minimal_permissions_and_secrets() -> None:
    text = yaml.safe_load(FILE.read_text("utf-8"))
    assert text["permissions"] == {}
    jobs = text["jobs"]
    read, write = "read", "write"
    assert {name: job["permissions"] for name, job in jobs.items()} == {
        "gate": {"actions": read, "contents": read, "issues": write, "pull-requests": write},
        "solve": {"actions": read, "contents": read},
        "publish": {"contents": write, "issues": write, "pull-requests": write},
    }
    secrets = {name: set(re.findall(r"secrets\.([\w-]+)", json.dumps(job))) for name, job in jobs.items()}
    assert secrets == {"gate": {"app-private-key"}, "solve": {"model-key"}, "publish": {"app-private-key"}}
    assert not [job for job in jobs.values() if "environment" in job or "timeout-minutes" not in job]


def test_example_workflow_matches_inputs_and_permissions() -> None:
    text = yaml.safe_load(FILE.read_text("utf-8"))
    call, needed = text[True]["workflow_call"], {}
    for job in text["jobs"].values():
        needed |= {name: level for name, level in job["permissions"].items() if needed.get(name) != "write"}
    example = yaml.safe_load((ROOT / "examples/github/swe-agent.yml").read_text("utf-8"))
    (job,) = example["jobs"].values()
    assert job["permissions"] == needed
    assert job["with"].keys() <= call["inputs"].keys()
    assert job["secrets"].keys() <= call["secrets"].keys()
    assert job["uses"].split("@")[0].endswith(CALLER)


def test_guide_documents_every_input() -> None:
    inputs = yaml.safe_load(FILE.read_text("utf-8"))[True]["workflow_call"]["inputs"]
    guide = (ROOT / "docs/github.md").read_text("utf-8")
    assert [name for name in inputs if f"`{name}`" not in guide] == []
