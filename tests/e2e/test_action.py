"""The Action's three jobs as the workflow file has them, from a label to a pull request and on, against a GitHub of our
own: its API held against its description, its git over HTTP, a model at an endpoint."""

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
from tests.e2e.provider_user import SOLVE, SUBMIT
from tests.e2e.stand_ins import APP_KEY, STAND_INS, download
from tests.e2e.workflow import CALLER, FILE, HOUSE, Job, Workflow
from tests.endpoint import Answer, Endpoint
from tests.github_server import Hub
from tests.github_server.threads import Pull

KEY = "canary-7c31e0b4d9"
TABLE = '[models."openai/x"]\napi_base = "{}"\nkey_env = "PROVIDERS"\nprice_in = 1.0\nprice_out = 5.0\n'
BOT = "github-actions[bot]"
ADD_TEST = call("edit", path="tests/test_core.py", old="", new=TEST_CORE)
EDIT = call("edit", path="calc/core.py", old="return a - b", new="return a + b")
ROUND = ("edit", {"path": "calc/core.py", "old": "return a + b", "new": "return b + a"})


class Place:
    """octo/calc, where ada may write and eve may not, with the workflow installed."""

    def __init__(self, hub: Hub, folder: Path) -> None:
        self.hub, self.folder = hub, folder
        self.bare = bare(folder)
        self.repo = hub.repo("octo/calc", git=self.bare, private=True)
        self.repo.permissions |= {"ada": "write", "eve": "read"}
        self.issue = self.repo.issue("add() subtracts", "add(2, 3) gives -1 but should give 5.", author="eve")

    def workflow(self, model: str, config: str = 'workspace = "local"', **inputs: Any) -> Workflow:
        given = {"model": model, "model-key-name": "PROVIDERS", "config": config, "image": IMAGE}
        given |= {"test": "python3 -m unittest discover"} | inputs
        return Workflow(self.hub, self.repo, self.folder, given, {"model-key": KEY, "app-private-key": APP_KEY})

    def script(self, *lines: dict[str, Any]) -> str:
        file = self.folder / "script.jsonl"
        file.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
        return f"scripted:{file}"

    def label(self, workflow: Workflow) -> dict[str, Job]:
        """What comes of ada's label."""
        self.issue.label("swe-agent", by="ada")
        payload = self.hub.event("issues", "labeled", self.issue, actor="ada", label="swe-agent")
        return checked(workflow, workflow.run("issues", payload))

    def said(self, number: int = 1) -> str:
        """The Action's one comment there; "" without one."""
        own = [comment.body for comment in self.repo.numbered[number].comments if comment.author.login == BOT]
        assert len(own) <= 1
        return "".join(own)

    @property
    def branches(self) -> list[str]:
        return git(self.bare, "branch", "--format=%(refname:short)").splitlines()


def bare(folder: Path) -> Path:
    source = write(folder / "source", CALCULATOR)
    git(source, "init", "-q", "-b", "main")
    git(source, "add", "-A")
    git(source, "commit", "-qm", "A calculator")
    git(folder, "clone", "-q", "--bare", str(source), "calc.git")
    return folder / "calc.git"


def checked(workflow: Workflow, jobs: dict[str, Job]) -> dict[str, Job]:
    """However it ended: each job held what it may and no more, and nothing of it was told."""
    tokens = {name: f"ghs_{name}{workflow.runs}" for name in jobs}
    for name, job in jobs.items():
        held = [key for env in job.seen for key, value in env.items() if KEY in value]
        assert held == (["GIVEN_KEY"] if name == "solve" and job.seen else [])
        seen = json.dumps([job.seen, job.outputs])
        assert APP_KEY not in seen
        assert [other for other, token in tokens.items() if token in seen] in ([], [name])
        assert name != "solve" or not re.search("ghs_", seen)
        for secret in (KEY, APP_KEY, "ghs_"):
            assert secret not in job.log + job.summary
        assert "Traceback" not in job.log
        pip = [(Path(env["RUNNER_TEMP"]) / "pip").read_text() for env in job.seen[:1]]
        assert all("--require-hashes" in line and "--only-binary=:all:" in line for line in pip)
    artifacts = [file for file in (workflow.folder / "artifacts").rglob("*") if file.is_file()]
    assert not [file for file in artifacts if any(word in file.read_bytes() for word in (KEY.encode(), b"ghs_"))]
    return jobs


def results(jobs: dict[str, Job]) -> list[str]:
    return [jobs[name].result for name in ("gate", "solve", "publish")]


def logs(jobs: dict[str, Job]) -> str:
    return "\n".join(f"== {name}\n{job.log}\n{job.summary}" for name, job in jobs.items())


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with Hub(tmp_path) as hub:
        yield Place(hub, tmp_path)


@pytest.mark.slow
@pytest.mark.docker
@pytest.mark.timeout(300)
def test_from_label_to_draft_and_through_follow_up(place: Place) -> None:
    again = Answer("The larger one first, as you ask.", actions=[ROUND, SUBMIT])
    with Endpoint([SOLVE, again], key=KEY) as endpoint:
        workflow = place.workflow("openai/x", TABLE.format(endpoint.openai))
        jobs = place.label(workflow)
        assert results(jobs) == ["success"] * 3, logs(jobs)
        pull = place.repo.numbered[2]
        assert isinstance(pull, Pull)
        assert (pull.draft, pull.head, pull.base, pull.author.login) == (True, "swe-agent/issue-1", "main", BOT)
        assert pull.body
        assert pull.body.startswith("Fixes #1.")
        assert "#2 is a draft" in place.said(1)
        first = git(place.bare, "rev-parse", pull.head)
        assert git(place.bare, "rev-parse", f"{first}^") == git(place.bare, "rev-parse", "main")
        assert "return a + b" in git(place.bare, "show", f"{first}:calc/core.py")
        assert "add(2, 3)" in git(place.bare, "show", f"{first}:tests/test_core.py")

        asks = pull.review_comment("ada", "/swe-agent the larger one first, please", "calc/core.py", 3)
        event = place.hub.event("pull_request_review_comment", "created", asks)
        jobs = checked(workflow, workflow.run("pull_request_review_comment", event))
        assert results(jobs) == ["success"] * 3, logs(jobs)
        assert place.branches == ["main", pull.head]
        assert git(place.bare, "rev-parse", f"{pull.head}^") == first
        assert "return b + a" in git(place.bare, "show", f"{pull.head}:calc/core.py")
        assert "larger one first" in git(place.bare, "log", "-1", "--format=%B", pull.head)
        assert [said.author.login for said in pull.review] == ["ada", BOT]
        assert "return a - b" in str(endpoint.asked[1]), "it goes on with the first run, and sees what that saw"


@pytest.mark.slow
def test_dry_run_of_app_s_writes_nothing(place: Place) -> None:
    script = place.script(answer("", ADD_TEST, EDIT, call("submit")))
    jobs = place.label(place.workflow(script, **{"dry-run": True, "app-client-id": "Iv23"}))
    assert results(jobs) == ["success"] * 3, logs(jobs)
    assert [one.path for one in place.hub.writes if not one.path.endswith("/git-upload-pack")] == []
    assert place.branches == ["main"]
    assert "Dry run" in jobs["publish"].summary
    assert "Fixes #1." in jobs["publish"].summary
    asked = {one.token for one in place.hub.requests if one.path.startswith("/repos/")}
    assert asked
    assert all(token.startswith("ghs_app") for token in asked)


@pytest.mark.slow
def test_what_is_not_proven_is_comment_and_artifact(place: Place) -> None:
    jobs = place.label(place.workflow(place.script(answer("", EDIT, call("submit"), n=1), answer("", call("submit")))))
    assert results(jobs) == ["success"] * 3, logs(jobs)
    assert place.branches == ["main"]
    assert list(place.repo.numbered) == [1]
    assert "not proven" in place.said()
    assert "`swe-agent-handover`" in place.said()
    assert "+    return a + b" in (place.folder / "artifacts/1/swe-agent-journal/patch.diff").read_text()


@pytest.mark.slow
def test_no_fix_is_comment_with_likeliest_places(place: Place) -> None:
    jobs = place.label(place.workflow(place.script(answer("I do not know.")), **{"max-steps": "1"}))
    assert results(jobs) == ["success"] * 3, logs(jobs)
    assert place.branches == ["main"]
    assert "No fix was found." in place.said()
    assert "calc/core.py" in place.said()


@pytest.mark.slow
def test_error_of_solving_job_is_told_on_issue(place: Place) -> None:
    config = '[models."openai/x"]\nkey_env = "ANOTHER"\n'
    jobs = place.label(place.workflow("openai/x", config))
    assert results(jobs) == ["success", "failure", "success"], logs(jobs)
    assert "ANOTHER" in place.said()


def test_who_may_not_ask_gets_no_runner_and_no_answer(place: Place) -> None:
    asks = place.issue.comment("eve", "/swe-agent fix $(touch /tmp/pwned) `id`")
    workflow = place.workflow("openai/x")
    jobs = checked(workflow, workflow.run("issue_comment", place.hub.event("issue_comment", "created", asks)))
    assert results(jobs) == ["success", "skipped", "skipped"], logs(jobs)
    assert place.hub.writes == []


@pytest.mark.slow
@pytest.mark.parametrize("name", ["errand", "handover"])
def test_artifact_that_was_swapped_is_not_read(place: Place, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    def swapped(run: Workflow, given: Any, known: Any, env: Any) -> dict[str, str]:
        put = download(run, given, known, env)
        if given["name"] == f"swe-agent-{name}":
            (file,) = Path(given["path"]).iterdir()
            file.write_bytes(file.read_bytes() + b" ")
        return put

    monkeypatch.setitem(STAND_INS, "actions/download-artifact", swapped)
    jobs = place.label(place.workflow("openai/x", '[models."openai/x"]\nkey_env = "ANOTHER"\n'))
    assert results(jobs) == ["success", "failure", "failure"], logs(jobs)
    assert place.branches == ["main"]
    assert "ANOTHER" not in place.said()
    assert f"{name}" in jobs["publish"].log
    assert "Run the whole workflow again." in jobs["publish"].log


@pytest.mark.slow
def test_handover_that_is_not_had_fails_and_publishing_can_be_run_again(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lost(run: Workflow, given: Any, known: Any, env: Any) -> dict[str, str]:
        if given["name"] == "swe-agent-handover":
            raise FileNotFoundError("No answer.")
        return download(run, given, known, env)

    monkeypatch.setitem(STAND_INS, "actions/download-artifact", lost)
    jobs = place.label(place.workflow("openai/x", '[models."openai/x"]\nkey_env = "ANOTHER"\n'))
    assert results(jobs) == ["success", "failure", "failure"], logs(jobs)
    assert "cannot be read" in jobs["publish"].log
    assert "cannot be read" in place.said()


# The files themselves


def test_each_job_may_what_it_needs_and_knows_no_secret_but_its_own() -> None:
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


def test_example_gives_workflow_what_it_takes() -> None:
    text = yaml.safe_load(FILE.read_text("utf-8"))
    call, needed = text[True]["workflow_call"], {}
    for job in text["jobs"].values():
        needed |= {name: level for name, level in job["permissions"].items() if needed.get(name) != "write"}
    example = yaml.safe_load((HOUSE / "examples/github/swe-agent.yml").read_text("utf-8"))
    (job,) = example["jobs"].values()
    assert job["permissions"] == needed
    assert job["with"].keys() <= call["inputs"].keys()
    assert job["secrets"].keys() <= call["secrets"].keys()
    assert job["uses"].split("@")[0].endswith(CALLER)


def test_guide_names_every_input() -> None:
    inputs = yaml.safe_load(FILE.read_text("utf-8"))[True]["workflow_call"]["inputs"]
    guide = (HOUSE / "docs/github.md").read_text("utf-8")
    assert [name for name in inputs if f"`{name}`" not in guide] == []
