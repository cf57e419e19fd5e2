"""`swe-agent review`: a branch, a diff and a pull request, with and without a model, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from extensions.github.github_review import MARK
from tests.agent.patch_checks.test_sarif import check
from tests.conftest import git
from tests.e2e.conftest import CALCULATOR, TEST_CORE, Machine, answer, write
from tests.github_server import Hub

pytestmark = pytest.mark.slow
WRONG = CALCULATOR["calc/core.py"].replace("(a, b):", "(a, b, c):").replace("a - b", "a + b + c")
NOISY = CALCULATOR["calc/text.py"].replace("return word", "print(word)\n    return word")
FIXED = CALCULATOR["calc/core.py"].replace("a - b", "a + b")
TEST = ("--test", "python3 -m unittest discover")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A calculator with a branch `change`, which breaks a caller, and a branch `fix`."""
    folder = write(tmp_path / "calculator", CALCULATOR)
    git(folder, "init", "-q", "-b", "main")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "A calculator")
    for branch, files in (
        ("change", {"calc/core.py": WRONG, "calc/text.py": NOISY}),
        ("fix", {"calc/core.py": FIXED, "tests/test_core.py": TEST_CORE}),
    ):
        git(folder, "checkout", "-qb", branch, "main")
        write(folder, files)
        git(folder, "add", "-A")
        git(folder, "commit", "-qm", branch)
    git(folder, "checkout", "-q", "main")
    return folder


@pytest.fixture
def docker(machine: Machine) -> Machine:
    machine.workspace = "docker"
    return machine


@pytest.fixture
def hub(tmp_path: Path, machine: Machine, repository: Path) -> Iterator[Hub]:
    """A server with octo/calc and a pull request from `change`; the machine's user is ada, who may write."""
    bare = tmp_path / "calc.git"
    git(tmp_path, "clone", "-q", "--bare", str(repository), str(bare))
    with Hub(tmp_path / "hub") as hub:
        repo = hub.repo("octo/calc", git=bare)
        repo.permissions["ada"] = "write"
        repo.pull("change", author="eve", title=f"{MARK} @ada", body="add() subtracts")
        machine.extra |= hub.env(token=hub.token("t-ada", "ada"), action=False)
        yield hub


@pytest.mark.docker
@pytest.mark.timeout(300)
def test_branch_is_reviewed_with_callers_and_missing_tests(docker: Machine, repository: Path, tmp_path: Path) -> None:
    sarif = tmp_path / "review.sarif"
    options = ("review", "--branch", "change", "--repo", repository, *TEST)
    result = docker.json(*options, "--sarif", sarif)
    assert (result["returncode"], result["exit"], result["verdict"]["kind"]) == (0, 0, "unproven"), result
    assert result["usage"]["calls"] == 0
    review = result["review"]
    assert "no test fails without the change" in review["headline"]
    found = [(one["rule"], one["path"], one["line"], one["in_diff"]) for one in review["findings"]]
    assert ("affected-caller", "calc/core.py", 1, True) in found
    assert ("missing-test", "", 0, False) in found
    assert ("debug-output", "calc/text.py", 2, True) in found
    assert "calc/core.py:7" in review["first"][0]
    assert len(check(json.loads(sarif.read_text()))) == len(review["findings"])
    shown = docker.run(*options, "--plain").stdout
    for heading in ("Unproven: ", "Look first at", "Callers", "Missing tests", "Not needed"):
        assert heading in shown
    assert "diff --git" not in shown


@pytest.mark.docker
@pytest.mark.timeout(300)
def test_plausible_branch_has_one_finding_and_prove_writes_sarif(
    docker: Machine, repository: Path, tmp_path: Path
) -> None:
    sarif = tmp_path / "prove.sarif"
    result = docker.json(
        "prove", "--branch", "fix", "--text", "add() subtracts", "--repo", repository, "--sarif", sarif
    )
    assert (result["returncode"], result["verdict"]["kind"]) == (6, "plausible"), result
    log = json.loads(sarif.read_text())
    assert log["runs"][0]["properties"]["verdict"] == "plausible"
    [finding] = check(log)
    assert finding["ruleId"] == "not-verified"
    assert finding["message"]["text"].startswith("Plausible: ")


def test_stopped_proof_states_no_missing_test(machine: Machine, repository: Path, tmp_path: Path) -> None:
    sarif = tmp_path / "prove.sarif"
    write(repository, {"calc/core.py": FIXED})
    git(repository, "add", "-A")
    machine.run("prove", "--staged", "--repo", repository, "--max-time", "0.01", "--sarif", sarif)
    log = json.loads(sarif.read_text())
    assert log["runs"][0]["properties"]["headline"] == "No verdict: the proof was stopped before its end."
    assert [one["ruleId"] for one in check(log)] == ["not-verified"]


@pytest.mark.docker
@pytest.mark.timeout(300)
def test_pull_request_is_reviewed_and_posted_only_if_asked(docker: Machine, hub: Hub) -> None:
    (pull,) = hub.repos["octo/calc"].pulls
    options = ("review", "--pr", pull.url, *TEST)
    assert docker.json(*options)["returncode"] == 0
    assert [one.path for one in hub.writes if "/api/" in one.path] == []
    result = docker.json(*options, "--post")
    assert result["returncode"] == 0, result
    assert result["review"]["posted"] == {"url": pull.comments[0].url, "remarks": len(pull.review)}
    assert {(one.path, one.line) for one in pull.review} >= {("calc/core.py", 1), ("calc/text.py", 2)}
    assert pull.comments[0].body.count("<!--") == 1
    assert docker.json(*options, "--post")["review"]["posted"]["remarks"] == 0
    assert len(pull.comments) == 1
    pull.close()
    again = docker.json(*options, "--post")
    assert (again["returncode"], again["error"]["message"]) == (2, "The pull request octo/calc#1 is closed.")


@pytest.mark.docker
@pytest.mark.timeout(300)
def test_model_reads_once_and_its_places_are_checked(docker: Machine, repository: Path) -> None:
    model = docker.script(answer("calc/core.py:3: It fails for texts.\ncalc/core.py:500: Far.\n", n=1))
    options = ("review", "--branch", "change", "--repo", repository, *TEST, "--model", model)
    result = docker.json(*options)
    assert (result["returncode"], result["usage"]["calls"]) == (0, 1), result
    remarks = [one for one in result["review"]["findings"] if one["rule"] == "model-remark"]
    assert [(one["path"], one["line"], one["text"]) for one in remarks] == [
        ("calc/core.py", 3, "It fails for texts."),
        ("", 0, "calc/core.py:500: Far."),
    ]
    result = docker.json(*options, "--budget", "0.000001")
    assert (result["returncode"], result["usage"]["calls"]) == (0, 0), result
    assert result["review"]["incomplete"].startswith("The model did not read the patch: ")
    assert "affected-caller" in [one["rule"] for one in result["review"]["findings"]]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ((), "No patch was given."),
        (("--branch", "fix", "--patch", "x"), "--branch and --patch were given."),
        (("--branch", "fix", "--post"), "--post needs a pull request."),
        (("--branch", "fix", "--sarif", "/nowhere/x"), "The file /nowhere/x cannot be written."),
        (("--branch", "fix"), "no isolation"),
        (("--branch", "nowhere"), "nowhere"),
    ],
)
def test_bad_options_are_refused_before_anything_runs(
    machine: Machine, repository: Path, options: tuple[str, ...], words: str
) -> None:
    result = machine.json("review", *options, "--repo", repository)
    assert result["returncode"] == 2
    assert words in result["error"]["message"]
    assert machine.runs() == []


def test_posting_needs_a_token(machine: Machine, hub: Hub) -> None:
    (pull,) = hub.repos["octo/calc"].pulls
    machine.extra["GITHUB_TOKEN"] = ""
    result = machine.json("review", "--pr", pull.url, "--post")
    assert (result["returncode"], result["error"]["message"]) == (3, "--post needs a token for GitHub.")
    assert hub.requests == []
