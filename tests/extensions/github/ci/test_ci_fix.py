"""`fix --ci URL`: an issue made of a failed CI run, at the run's commit."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from aci.issue_text.vulnerability import is_vulnerability, marked
from aci.repository.user_repository import Repository
from agent.cli import command_line
from agent.config.settings import load_settings
from agent.lifecycle.run_lifecycle import begin, reopen
from extensions.github.ci.ci_fix import checks_from, find_run_of_branch, issue_of_checks
from extensions.github.follow_up_turns import CI_REQUEST
from tests.agent.conftest import act, line
from tests.conftest import git
from tests.extensions.github.solve_runner import ADD_TEST, FIX, SUBMIT, UNITTEST, Job
from tests.github_server import Hub, Repo
from trajectories.journal import read
from trajectories.records import Exit, Issue, Note, Step
from trajectories.trajectory import Trajectory

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


@dataclass
class OwnBranch:
    """The branch `topic`, which a run made and to which the user added `later.py`; CI failed there."""

    job: Job
    state: Path
    first: str
    url: str
    capsys: pytest.CaptureFixture[str]
    output: Any = field(init=False)

    def fix(self, *lines: dict[str, Any], options: Sequence[object] = ("--apply",)) -> tuple[int, str]:
        """Run `fix --ci` with the replies of a model; return the exit code and the run's name."""
        model = self.job.script(*lines)
        given = "--repo", self.job.repository, "--workspace", "local", "--test", UNITTEST, "--json"
        code = run("fix", "--ci", self.url, "--model", model, *given, *options)
        self.output = self.capsys.readouterr()
        return code, json.loads(self.output.out)["run"]

    def read(self, name: str) -> Trajectory:
        return read(self.state / "runs" / name)

    @property
    def changes(self) -> str:
        return git(self.job.repository, "status", "--porcelain")


@pytest.fixture
def own_branch(hub: Hub, repo: Repo, job: Job, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> OwnBranch:
    model = job.script(line("Done.", ADD_TEST, FIX, SUBMIT))
    options = "--repo", job.repository, "--workspace", "local", "--test", UNITTEST, "--json", "--model", model
    assert run("fix", "--text", "add() subtracts", "--branch", "topic", *options) == 0
    first = json.loads(capsys.readouterr().out)["run"]
    git(job.repository, "checkout", "-q", "topic")
    (job.repository / "later.py").write_text("")
    git(job.repository, "add", "-A")
    git(job.repository, "commit", "-qm", "Later")
    return OwnBranch(job, tmp_path / "state", first, fail_ci(hub, repo, job.head), capsys)


ADD_FILE = line("Add.", act("edit", path="sub.py", old="", new="ZERO = 0\n"), n=2), line("Added it.", n=3)


@pytest.mark.slow
@pytest.mark.parametrize("later", [False, True], ids=["at once", "later"])
def test_run_that_made_branch_is_continued(own_branch: OwnBranch, later: bool) -> None:
    code, name = own_branch.fix(*ADD_FILE, options=() if later else ("--apply",))

    assert code == 0
    if later:
        assert own_branch.changes == ""
        assert run("resume", name, "--apply") == 0
    assert f"The run {own_branch.first} made the branch topic" in " ".join(own_branch.output.err.split())
    trajectory = own_branch.read(name)
    assert [turn.strategy for turn in trajectory.turns][1:] == ["build", "prove"]
    assert trajectory.turns[1].request.startswith(CI_REQUEST)
    assert "FAILED tests/test_calc.py::test_add" in trajectory.turns[1].request
    assert own_branch.changes == "?? sub.py"


@pytest.mark.slow
def test_interrupted_continuation_is_resumed_at_its_commit(
    own_branch: OwnBranch, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr("extensions.github.ci.ci_fix.run_follow_up", interrupt)
        code, name = own_branch.fix(*ADD_FILE)
    assert code == 130
    git(own_branch.job.repository, "checkout", "-q", "-")

    assert run("resume", name, "--json") == 0

    trajectory = own_branch.read(name)
    assert [turn.strategy for turn in trajectory.turns][1:] == ["build", "prove"]
    texts = [seen.text for step in trajectory.steps["main"] if step.author == "host" for seen in step.observations]
    assert len(texts) == 1
    assert "the user changed A later.py:" in texts[0]
    changes = [line.split()[-1] for line in own_branch.changes.splitlines()]
    assert sorted(changes) == ["calc.py", "later.py", "sub.py", "tests/test_calc.py"], "the base lacks all of it"


def interrupt(*_: object) -> None:
    raise KeyboardInterrupt


@pytest.mark.slow
def test_denied_path_that_is_put_back_to_base_is_not_applied(
    own_branch: OwnBranch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SWE_AGENT_PERMISSIONS", json.dumps({"deny": ["apply later.py"]}))
    remove = line("Remove.", act("shell", command="rm later.py"), n=2)

    code, _ = own_branch.fix(remove, line("Removed it.", n=3))

    assert code == 2
    assert (own_branch.job.repository / "later.py").exists()


@pytest.mark.slow
def test_continuation_without_change_is_no_success(own_branch: OwnBranch) -> None:
    code, name = own_branch.fix(line("Nothing is wrong.", n=2))

    assert code == 1
    assert run("resume", name) == 1


@pytest.mark.slow
def test_settings_of_continued_run_are_not_reused(own_branch: OwnBranch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SWE_AGENT_BUDGET", "0.5")

    _, name = own_branch.fix(line("Nothing is wrong.", n=2))

    settings = own_branch.read(name).turns[-1].settings
    found = own_branch.read(name).run
    assert found is not None
    assert (found.settings | settings)["budget"] == 0.5


@pytest.mark.slow
def test_merge_review_starts_new_run(own_branch: OwnBranch) -> None:
    _, name = own_branch.fix(line("Done.", SUBMIT, n=1), options=("--merge-review",))

    assert own_branch.read(name).turns[0].strategy != "build"
    assert "made the branch" not in own_branch.output.err


def test_only_ended_run_whose_commit_failed_is_continued(hub: Hub, repo: Repo, job: Job, tmp_path: Path) -> None:
    source, settings = Repository.open(job.repository), load_settings()
    directory = begin(Issue("add() subtracts"), source, settings)
    checks = checks_from(fail_ci(hub, repo, job.head))
    git(job.repository, "commit", "-q", "--allow-empty", "-m", "Another")
    with reopen(directory, settings.state, lambda _: None) as engine:
        data = {"effect": "branch topic", "branch": "topic", "commit": checks.commit}
        tree = engine.run.base.tree
        engine.journal.append(Note("main", "done", "Branch topic is at 1234.", data))
        assert find_run_of_branch(source, checks, settings) is None, "it has not ended"
        engine.journal.append(Step("main", 1, "", "coder", tree), Exit("unproven", 6, tree))

    assert find_run_of_branch(source, checks, settings) == directory
    assert find_run_of_branch(source, replace(checks, commit=job.head), settings) == directory, "a later commit"
    assert find_run_of_branch(source, replace(checks, branch=""), settings) is None
    stranger = git(job.repository, "commit-tree", "HEAD^{tree}", "-m", "A stranger's branch of the same name")
    assert find_run_of_branch(source, replace(checks, commit=stranger), settings) is None


def test_issue_names_failing_tests_and_quotes_log(hub: Hub, repo: Repo, job: Job) -> None:
    issue = issue_of_checks(checks_from(fail_ci(hub, repo, job.head)))

    assert issue.body == (
        f"CI fails at commit {job.head}.\n\nThe failing tests:\n\n- tests/test_calc.py::test_add\n\n"
        "The end of the log of the CI job test, step Run tests:\n\n"
        "````\nRun pytest\n\ncalc.py:2: AssertionError\nFAILED tests/test_calc.py::test_add - assert -1 == 5\n```\n"
        "Error: Process completed with exit code 1.\n````"
    )


def test_advisory_in_log_makes_no_vulnerability(hub: Hub, repo: Repo, job: Job) -> None:
    checks = checks_from(fail_ci(hub, repo, job.head))
    logs = tuple(replace(log, body=f"{log.body}\nCVE-2024-12345 in a dependency") for log in checks.logs)
    issue = issue_of_checks(replace(checks, logs=logs))

    assert not is_vulnerability(issue)
    assert is_vulnerability(marked(issue, True))


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
