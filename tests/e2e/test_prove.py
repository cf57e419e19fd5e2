"""`swe-agent prove`: a diff, a branch, staged changes or a pull request of somebody else, proved without a model."""

import json
import os
import shlex
import subprocess
from pathlib import Path

import pytest

from aci.repository.user_repository import Repository
from agent.inputs.patch_input import proposal_from, proposal_from_commits
from extensions.github.api.proposed_changes import fetch_proposed_changes, open_clone
from tests.conftest import git
from tests.e2e.conftest import CALCULATOR, STRICT_TEST, TEST_CORE, Machine, write
from tests.github_server import Hub
from trajectories.errors import UsageError
from trajectories.git_store.trees import Trees

pytestmark = pytest.mark.slow
RIGHT = CALCULATOR["calc/core.py"].replace("a - b", "a + b")


@pytest.fixture
def repository(tmp_path):
    """A calculator with a branch `fix`, which is not checked out."""
    folder = write(tmp_path / "calculator", CALCULATOR)
    git(folder, "init", "-q", "-b", "main")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "A calculator")
    git(folder, "checkout", "-qb", "fix")
    write(folder, {"calc/core.py": RIGHT, "tests/test_core.py": TEST_CORE})
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "Add")
    git(folder, "checkout", "-q", "main")
    return folder


def test_staged_changes_are_proved(machine: Machine, repository) -> None:
    write(repository, {"calc/core.py": RIGHT, "tests/test_core.py": TEST_CORE})
    git(repository, "add", "-A")
    write(repository, {"calc/core.py": "raise SystemExit('not staged')\n"})
    result = machine.json("prove", "--staged", "--text", "add() subtracts", "--repo", repository)
    assert (result["returncode"], result["verdict"]["kind"]) == (6, "plausible"), result
    assert result["verdict"]["tests"] == ["tests/test_core.py::CoreTest::test_add"]
    assert result["usage"]["calls"] == 0
    assert git(repository, "status", "--porcelain") == "MM calc/core.py\nA  tests/test_core.py", "nothing is changed"
    git(repository, "rm", "-qf", "tests/test_core.py")
    git(repository, "checkout", "-q", "HEAD", "calc/core.py")
    assert machine.json("prove", "--staged", "--repo", repository)["returncode"] == 1, "nothing is staged"


@pytest.mark.docker
def test_branch_and_diff_are_proved_with_the_tests_of_the_base(machine: Machine, repository, tmp_path) -> None:
    git(repository, "checkout", "-q", "fix")
    write(repository, {"tests/test_text.py": "", "conftest.py": "collect_ignore_glob = ['*text*']\n"})
    git(repository, "add", "-A")
    git(repository, "commit", "-qm", "No other tests")
    git(repository, "checkout", "-q", "main")
    machine.workspace = "docker"
    result = machine.json("prove", "--branch", "fix", "--repo", repository)
    assert (result["returncode"], result["verdict"]["kind"]) == (6, "plausible"), result
    left_out = "Changes to test configuration and files that run the tests were left out: conftest.py"
    assert any(note.startswith(left_out) for note in result["verdict"]["notes"]), result["verdict"]["notes"]
    diff = tmp_path / "fix.diff"
    diff.write_text(git(repository, "diff", "main", "fix", "--", "calc") + "\n")
    result = machine.json("prove", "--patch", diff, "--repo", repository)
    assert result["returncode"] == 6, "there is no test that shows it"


def test_changes_that_the_fix_does_not_need_are_shown(machine: Machine, repository) -> None:
    helper = "\n\ndef _as_list(value):\n    return [value]\n"
    other = CALCULATOR["calc/text.py"].replace("return word", "print(word)\n    return word")
    write(repository, {"calc/core.py": RIGHT + helper, "calc/text.py": other, "tests/test_core.py": TEST_CORE})
    git(repository, "add", "-A")
    options = ("prove", "--staged", "--text", "add() subtracts", "--repo", repository)
    result = machine.json(*options)
    assert result["verdict"]["kind"] == "plausible", result
    review = result["merge_review"]
    found = [(one["kind"], one["path"], one["line"]) for one in review["findings"]]
    assert found == [("unused definition", "calc/core.py", 10), ("debug output", "calc/text.py", 2)]
    assert review["notes"] == [
        "The tests that show the issue pass without 2 of 3 hunks: calc/core.py:8, calc/text.py:2."
    ]
    shown = machine.run(*options, "--plain").stdout
    assert "Before merging" in shown
    assert "calc/core.py:10 unused definition: Nothing uses _as_list." in shown


def test_fix_reviews_only_if_asked(machine: Machine, repository) -> None:
    write(repository, {"tests/test_core.py": STRICT_TEST})
    git(repository, "add", "-A")
    git(repository, "commit", "-qm", "A test")
    options = ("fix", "--repo", repository, "--text", "add() subtracts", "--strategy", "templates")
    assert "merge_review" not in machine.json(*options)
    review = machine.json(*options, "--merge-review")["merge_review"]
    assert review == {"findings": [], "notes": [], "facts": []}


def test_patch_from_elsewhere_is_not_run_without_isolation(machine: Machine, repository) -> None:
    result = machine.json("prove", "--branch", "fix", "--repo", repository)
    assert result["returncode"] == 2
    assert "no isolation" in result["error"]["message"]


def test_without_docker_the_workspace_is_missing(machine: Machine, repository) -> None:
    machine.workspace = "docker"
    machine.extra["DOCKER_HOST"] = "unix:///nowhere/docker.sock"
    assert machine.json("prove", "--branch", "fix", "--repo", repository)["returncode"] == 5


def test_resumed_run_of_a_patch_from_elsewhere_is_not_run_without_isolation(machine: Machine, repository) -> None:
    machine.workspace = "docker"
    machine.extra["DOCKER_HOST"] = "unix:///nowhere/docker.sock"
    run = machine.json("prove", "--branch", "fix", "--repo", repository)["run"]
    result = machine.json("resume", run, "--workspace", "local")
    assert result["returncode"] == 2, result
    assert "no isolation" in result["error"]["message"]


def test_branch_without_commits_of_its_own_is_named_at_once(machine: Machine, repository) -> None:
    git(repository, "checkout", "-q", "fix")
    git(repository, "branch", "-f", "main", "fix")
    result = machine.json("prove", "--branch", "fix", "--repo", repository)
    assert (result["returncode"], result["error"]["message"]) == (2, "HEAD has all commits of fix.")


def test_file_that_is_only_intended_to_be_added_is_not_staged(repository, tmp_path) -> None:
    write(repository, {"new.py": "x = 1\n", "calc/core.py": RIGHT})
    git(repository, "add", "-N", "new.py")
    git(repository, "add", "calc")
    with Trees(tmp_path / "trees.git") as trees:
        files = trees.files(proposal_from(Repository.open(repository), None, None, None, True)[1].tree(trees))
    assert "new.py" not in files
    assert "calc/core.py" in files


@pytest.mark.parametrize("options", [(), ("--staged", "--branch", "fix"), ("--branch", "nowhere"), ("--patch", "no")])
def test_bad_patch_is_refused_in_one_sentence(machine: Machine, repository, options) -> None:
    result = machine.json("prove", *options, "--repo", repository)
    assert result["returncode"] == 2
    assert result["error"]["fix"]


def test_diff_must_apply_to_the_base(repository, tmp_path) -> None:
    source = Repository.open(repository)
    diff = tmp_path / "fix.diff"
    diff.write_text(git(repository, "diff", "main", "fix") + "\n")
    with Trees(tmp_path / "trees.git") as trees:
        commit, proposed = proposal_from(source, None, diff, None, False)
        tree = proposed.tree(trees)
        assert tree == git(repository, "rev-parse", "fix^{tree}")
        assert (commit, trees.read(tree, "calc/core.py").decode()) == (source.commit("main"), RIGHT)
        with pytest.raises(UsageError, match="already contains"):
            proposal_from(source, "fix", diff, None, False)[1].tree(trees)
        diff.write_text(diff.read_text().replace("a - b", "a / b"))
        with pytest.raises(UsageError, match="does not apply"):
            proposal_from(source, None, diff, None, False)[1].tree(trees)


def test_pull_request_is_read_from_the_server(repository, tmp_path, monkeypatch) -> None:
    bare = tmp_path / "calc.git"
    git(tmp_path, "clone", "-q", "--bare", str(repository), str(bare))
    with Hub(tmp_path / "hub") as hub:
        for name, value in hub.env(action=False).items():
            monkeypatch.setenv(name, value)
        repo = hub.repo("octo/calc", git=bare)
        issue = repo.issue("add() subtracts")
        pull = repo.pull(head="fix", body=f"Fixes #{issue.number}")
        changes = fetch_proposed_changes(pull.url)
        assert changes.issue == issue.url
        source = open_clone(changes, tmp_path / "clones")
        base, proposed = proposal_from_commits(source, changes.target, changes.head, "the pull request")
        with Trees(tmp_path / "trees.git") as trees:
            assert trees.read(proposed.tree(trees), "calc/core.py").decode() == RIGHT
        assert base == git(repository, "rev-parse", "main")


def test_run_of_the_strategy_needs_a_patch(machine: Machine, repository) -> None:
    result = machine.json("fix", "--text", "x", "--strategy", "proposed-patch", "--repo", repository)
    assert result["returncode"] == 2
    assert "swe-agent prove" in result["error"]["fix"]


def recipe(name: str) -> str:
    """Return a script from docs/proving.md."""
    text = (Path(__file__).parents[2] / "docs/proving.md").read_text()
    return text.partition(f"<!-- recipe: {name} -->\n```")[2].partition("\n")[2].partition("```")[0]


@pytest.fixture
def hook(machine: Machine, tmp_path):
    """Write a recipe as a program that finds `swe-agent`; `environment` is the user's."""
    bin = tmp_path / "bin"
    bin.mkdir()
    shim = shlex.join(machine.command())
    (bin / "swe-agent").write_text(f'#!/bin/sh\nexec {shim} "$@"\n')
    (bin / "swe-agent").chmod(0o755)

    def write_hook(name: str, place: Path) -> dict[str, str]:
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(recipe(name))
        place.chmod(0o755)
        root = str(Path(__file__).parents[2])
        return machine.environment | {
            "PYTHONPATH": root,
            "PATH": f"{bin}:{os.environ['PATH']}",
            "GIT_CONFIG_GLOBAL": os.devnull,
        }

    return write_hook


def test_stop_hook_sends_the_agent_back_until_the_change_is_proved(hook, repository) -> None:
    script = repository / ".claude/prove.sh"
    environment = hook("stop", script)
    json.loads(recipe("claude"))

    def stop(event: str = "{}") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [script], cwd=repository, env=environment, input=event, capture_output=True, text=True, check=False
        )

    git(repository, "add", "-A")
    git(repository, "commit", "-qm", "A hook")
    assert stop().returncode == 0, "nothing is changed"
    write(repository, {"calc/core.py": RIGHT})
    ended = stop()
    assert ended.returncode == 2
    assert "The change is not proved" in ended.stderr
    assert "reproduces" in ended.stderr or "No test" in ended.stderr, ended.stderr
    assert stop('{"stop_hook_active": true}').returncode == 0
    write(repository, {"tests/test_core.py": TEST_CORE})
    assert stop().returncode == 0


@pytest.mark.docker
def test_push_is_refused_unless_the_commits_are_proved(machine: Machine, hook, repository, tmp_path) -> None:
    machine.workspace = "docker"
    environment = hook("pre-push", repository / ".git/hooks/pre-push")
    git(tmp_path, "clone", "-q", "--bare", str(repository), "origin.git")
    git(tmp_path / "origin.git", "branch", "-D", "fix")
    git(repository, "remote", "add", "origin", str(tmp_path / "origin.git"))
    git(repository, "fetch", "-q")
    git(repository, "remote", "set-head", "origin", "main")

    def push(branch: str) -> subprocess.CompletedProcess[str]:
        command = ["git", "push", "-q", "origin", branch]
        return subprocess.run(command, cwd=repository, env=environment, capture_output=True, text=True, check=False)

    git(repository, "checkout", "-qb", "broken")
    write(repository, {"calc/text.py": "def shout(word):\n    return word\n"})
    git(repository, "commit", "-qam", "Shout less")
    refused = push("broken")
    assert refused.returncode == 1
    assert "test_shout" in refused.stderr, refused.stderr
    accepted = push("fix")
    assert accepted.returncode == 0, accepted.stderr
    assert "fix" in git(tmp_path / "origin.git", "branch", "--list", "fix")


@pytest.mark.parametrize("kind", ["worktree", "shallow clone", "submodule", "LFS pointer"])
def test_unusual_repositories_are_proved(machine: Machine, repository, tmp_path, kind) -> None:
    place = repository
    if kind == "worktree":
        place = tmp_path / "tree"
        git(repository, "worktree", "add", "-q", "--detach", str(place), "main")
    elif kind == "shallow clone":
        write(repository, {"README.md": "# Calculator\n"})
        git(repository, "add", "-A")
        git(repository, "commit", "-qm", "Second")
        place = tmp_path / "shallow"
        git(tmp_path, "clone", "-q", "--depth", "1", f"file://{repository}", str(place))
    elif kind == "submodule":
        part = write(tmp_path / "part", {"part.txt": ""})
        git(part, "init", "-q")
        git(part, "add", "-A")
        git(part, "commit", "-qm", "A part")
        git(repository, "-c", "protocol.file.allow=always", "submodule", "add", "-q", str(part), "parts/one")
        git(repository, "commit", "-qm", "With a part")
    else:
        pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'a' * 64}\nsize 12\n"
        write(repository, {".gitattributes": "*.bin filter=lfs diff=lfs merge=lfs -text\n", "data.bin": pointer})
        git(repository, "-c", "filter.lfs.clean=cat", "-c", "filter.lfs.smudge=cat", "add", "-A")
        git(repository, "-c", "filter.lfs.clean=cat", "commit", "-qm", "Data")
    write(place, {"calc/core.py": RIGHT, "tests/test_core.py": TEST_CORE})
    git(place, "add", "calc", "tests")
    result = machine.json("prove", "--staged", "--text", "add() subtracts", "--repo", place)
    assert (result["returncode"], result["verdict"]["kind"]) == (6, "plausible"), result


def test_shallow_clone_without_the_base_is_named(machine: Machine, repository, tmp_path) -> None:
    place = tmp_path / "shallow"
    git(tmp_path, "clone", "-q", "--depth", "1", "--no-single-branch", f"file://{repository}", str(place))
    result = machine.json("prove", "--branch", "origin/fix", "--repo", place)
    assert result["returncode"] == 2
    assert "The clone is shallow" in result["error"]["message"]
