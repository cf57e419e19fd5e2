"""`fix --ci URL`: an issue made of a failed CI run, at the run's commit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from aci.repository.user_repository import Repository
from agent.cli import command_line
from agent.cli.ci_continuation import find_run_of_branch
from agent.config.settings import load_settings
from agent.engine.run_lifecycle import begin, reopen
from agent.github.task.task_text import CI_REQUEST
from agent.instances.ci_input import checks_from, issue_of_checks
from tests.agent.conftest import act, line
from tests.agent.github.solve_runner import ADD_TEST, FIX, SUBMIT, UNITTEST, Job
from tests.conftest import git
from tests.github_server import Hub, Repo
from trajectories.journal import read
from trajectories.records import Issue, Note

RUN, JOB = 900, 901
TIMES = {"started_at": "2026-01-02T05:00:00Z", "completed_at": "2026-01-02T05:00:20Z"}
STEPS = [{"name": "Run tests", "status": "completed", "conclusion": "failure", "number": 1, **TIMES}]
LOG = "".join(
    f"2026-01-02T05:00:10.0000000Z {text}\n"
    for text in (
        "##[group]Run pytest",
        "##[endgroup]",
        "calc.py:2: AssertionError",
        "FAILED tests/test_calc.py::test_add - assert -1 == 5",
        "```",
        "##[error]Process completed with exit code 1.",
    )
)


@pytest.fixture(autouse=True)
def signed_in(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_TOKEN", hub.token("t-ada", "ada"))


def fail_ci(hub: Hub, repo: Repo, commit: str, **fields: Any) -> str:
    """Let CI fail at a commit; return the URL of the run."""
    values = {"event": "push", "conclusion": "failure", "head_sha": commit, "head_branch": "topic"}
    repo.run(RUN, path=".github/workflows/ci.yml", **values | fields)
    repo.job(JOB, RUN, log=hub.picture("/storage/log", LOG.encode(), "text/plain"), steps=STEPS)
    return f"{repo.url}/actions/runs/{RUN}"


def run(*arguments: object) -> int:
    return command_line.run([str(argument) for argument in arguments])


@pytest.mark.slow
def test_failed_ci_is_fixed_at_its_commit(
    hub: Hub, repo: Repo, job: Job, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    failed = job.head
    url = fail_ci(hub, repo, failed)
    (job.repository / "later.py").write_text("")
    git(job.repository, "add", "-A")
    git(job.repository, "commit", "-qm", "Later")
    model = job.script(line("Done.", ADD_TEST, FIX, SUBMIT))
    options = "--repo", job.repository, "--model", model, "--workspace", "local", "--test", UNITTEST

    assert run("fix", "--ci", f"{url}/job/{JOB}", *options, "--json") == 0

    found = read(tmp_path / "state" / "runs" / json.loads(capsys.readouterr().out)["run"]).run
    assert found is not None
    assert (found.base.commit, found.issue.title, found.issue.trust) == (failed, "CI fails: test", "stranger")


@pytest.mark.slow
@pytest.mark.parametrize("later", [False, True], ids=["at once", "later"])
def test_run_that_made_branch_is_continued(
    hub: Hub, repo: Repo, job: Job, tmp_path: Path, capsys: pytest.CaptureFixture[str], later: bool
) -> None:
    options = "--repo", job.repository, "--workspace", "local", "--test", UNITTEST, "--json"
    model = job.script(line("Done.", ADD_TEST, FIX, SUBMIT))
    assert run("fix", "--text", "add() subtracts", "--branch", "topic", "--model", model, *options) == 0
    first = json.loads(capsys.readouterr().out)["run"]
    git(job.repository, "checkout", "-q", "topic")
    (job.repository / "later.py").write_text("")
    git(job.repository, "add", "-A")
    git(job.repository, "commit", "-qm", "Later")
    url = fail_ci(hub, repo, job.head)
    model = job.script(line("Add.", act("edit", path="sub.py", old="", new="ZERO = 0\n"), n=2), line("Added it.", n=3))

    assert run("fix", "--ci", url, *([] if later else ["--apply"]), "--model", model, *options) == 0

    output = capsys.readouterr()
    if later:
        assert git(job.repository, "status", "--porcelain") == ""
        assert run("resume", json.loads(output.out)["run"], "--apply") == 0
    assert f"The run {first} made the branch topic" in " ".join(output.err.split())
    trajectory = read(tmp_path / "state" / "runs" / json.loads(output.out)["run"])
    assert [turn.strategy for turn in trajectory.turns][1:] == ["build", "prove"]
    assert trajectory.turns[1].request.startswith(CI_REQUEST)
    assert "FAILED tests/test_calc.py::test_add" in trajectory.turns[1].request
    assert git(job.repository, "status", "--porcelain") == "?? sub.py"


def test_run_of_another_branch_is_not_continued(hub: Hub, repo: Repo, job: Job) -> None:
    source, settings = Repository.open(job.repository), load_settings()
    directory = begin(Issue("add() subtracts"), source, settings)
    engine = reopen(directory, settings.state, lambda _: None)
    engine.journal.append(Note("main", "done", "Branch topic is at 1234.", {"effect": "branch topic"}))
    engine.close()

    assert find_run_of_branch(source, "topic", settings) is None, "it has not ended"
    assert find_run_of_branch(source, "", settings) is None


def test_issue_names_failing_tests_and_quotes_log(hub: Hub, repo: Repo, job: Job) -> None:
    issue = issue_of_checks(checks_from(fail_ci(hub, repo, job.head)))

    assert issue.body == (
        f"CI fails at commit {job.head}.\n\nThe failing tests:\n\n- tests/test_calc.py::test_add\n\n"
        "The end of the log of the CI job test, step Run tests:\n\n"
        "````\nRun pytest\n\ncalc.py:2: AssertionError\nFAILED tests/test_calc.py::test_add - assert -1 == 5\n```\n"
        "Error: Process completed with exit code 1.\n````"
    )


def test_pull_request_stands_for_latest_runs_at_its_head(hub: Hub, repo: Repo, job: Job) -> None:
    git(job.repository, "push", "-q", str(repo.git), "HEAD:main", "HEAD:topic")
    pull = repo.pull(head="topic")
    fail_ci(hub, repo, job.head, workflow_id=1)
    repo.run(RUN + 10, event="push", conclusion="success", head_sha=job.head, workflow_id=2)

    checks = checks_from(f"{pull.url}/checks?check_run_id=1")

    assert (checks.commit, checks.branch, [one.id for one in checks.jobs]) == (job.head, "topic", [JOB])
    repo.run(RUN + 20, event="push", conclusion="success", head_sha=job.head, workflow_id=1)
    assert run("fix", "--ci", pull.url, "--repo", job.repository) == 2


def still_running(hub: Hub, repo: Repo) -> None:
    repo.runs[RUN] |= {"status": "in_progress", "conclusion": None}


def succeeded(hub: Hub, repo: Repo) -> None:
    repo.runs[RUN]["conclusion"] = "success"


def cancelled(hub: Hub, repo: Repo) -> None:
    repo.runs[RUN]["conclusion"] = "cancelled"


def expired(hub: Hub, repo: Repo) -> None:
    repo.jobs[JOB]["log"] = ""


def lost(hub: Hub, repo: Repo) -> None:
    hub.pictures.clear()


def forbidden(hub: Hub, repo: Repo) -> None:
    hub.fault("GET", "/logs$", status=403)


def missing(hub: Hub, repo: Repo) -> None:
    repo.runs.clear()


def limited(hub: Hub, repo: Repo) -> None:
    hub.rate("t-ada")


def limited_at_log(hub: Hub, repo: Repo) -> None:
    hub.secondary("GET", "/logs$", retry_after=60)


def unreadable(hub: Hub, repo: Repo) -> None:
    repo.runs[RUN]["head_sha"] = "no commit"


def unknown_commit(hub: Hub, repo: Repo) -> None:
    repo.runs[RUN]["head_sha"] = "1" * 40


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        (still_running, 75, "The run 900 is still running. Try again when it has ended."),
        (succeeded, 2, "The run 900 succeeded. Give the URL of a run or a job that failed."),
        (cancelled, 2, "The run 900 did not fail: it is cancelled."),
        (expired, 2, "The log of the job 901 has expired. Run the job again, or give the error with --text."),
        (lost, 2, "The log of the job 901 has expired."),
        (
            forbidden,
            3,
            "GitHub does not let you read the log of the job 901: Forbidden. The token needs `actions: read`.",
        ),
        (missing, 2, "GitHub answers 404 to the request to read the run 900: it does not exist or is private."),
        (limited, 75, "GitHub's limit of 5000 requests an hour is used up"),
        (limited_at_log, 75, "GitHub requests a pause of 60 seconds"),
        (unreadable, 75, "GitHub gave an invalid answer when asked to read the run 900. Try again."),
        (unknown_commit, 2, "does not have the commit 1111111111, at which CI failed. Fetch its branch with git"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_each_problem_is_one_sentence(
    hub: Hub, repo: Repo, job: Job, capsys: pytest.CaptureFixture[str], change: Any, code: int, words: str
) -> None:
    url = fail_ci(hub, repo, job.head)
    change(hub, repo)

    assert run("fix", "--ci", url, "--repo", job.repository) == code
    assert words in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--ci", "https://github.com/o/r/issues/1"], "is not the address of a CI run."),
        (["--ci", "https://ci.example.com/o/r/actions/runs/1"], "set GH_HOST=ci.example.com"),
        (["--ci", "https://github.com/o/r/actions/runs/1", "--text", "x"], "--ci and an issue were both given."),
        (["--ci", "https://github.com/o/r/actions/runs/1", "--pr"], "--pr needs an issue on GitHub"),
    ],
)
def test_wrong_options_are_refused(hub: Hub, capsys: pytest.CaptureFixture[str], arguments: Any, words: str) -> None:
    assert run("fix", *arguments) == 2
    assert words in " ".join(capsys.readouterr().err.split())
    assert hub.requests == []
