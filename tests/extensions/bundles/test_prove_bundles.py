"""`swe-agent prove --bundle` and `--check`."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.conftest import git
from tests.e2e.conftest import Machine, machine, write
from tests.e2e.test_prove import repository

__all__ = ["machine", "repository"]

pytestmark = pytest.mark.slow


@pytest.mark.docker
def test_bundle_is_checked_by_a_proof_of_its_own(machine: Machine, repository, tmp_path) -> None:
    machine.workspace = "docker"
    bundle = tmp_path / "proof.tar"
    options = ("--text", "add() subtracts", "--test", "python3 -m unittest discover", "--repo", repository)
    assert machine.json("prove", "--branch", "fix", *options, "--bundle", bundle)["returncode"] == 6
    assert bundle.stat().st_size < 200_000
    result = machine.json("prove", "--check", bundle, "--repo", repository)
    assert result["returncode"] == 6, "the test command in the bundle is not run"
    assert "The bundle's test command is not used" in result["stderr"]
    assert any("The bundle's tests ran with" in note for note in result["verdict"]["notes"])
    result = machine.json("prove", "--check", bundle, *options[2:])
    assert (result["returncode"], result["word"]) == (6, "The proof is the same as in the bundle."), result
    assert result["verdict"]["kind"] == "plausible"
    changed = tmp_path / "changed.tar"
    changed.write_bytes(bundle.read_bytes().replace(b"return a + b", b"return b + a"))
    result = machine.json("prove", "--check", changed, *options[2:])
    assert result["returncode"] == 6
    assert "statement.json does not describe the bundle's other files." in result["word"]
    assert "patched tree" in result["word"]
    other = write(tmp_path / "other", {"a.txt": ""})
    git(other, "init", "-q")
    git(other, "add", "-A")
    git(other, "commit", "-qm", "Other")
    assert "is not in" in machine.json("prove", "--check", bundle, "--repo", other)["error"]["message"]
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    subprocess.run(["tar", "xf", str(bundle)], cwd=scratch, check=True)
    environment = {"PATH": os.environ["PATH"]}
    script = subprocess.run(
        ["sh", scratch / "proof.sh"], cwd=repository, env=environment, capture_output=True, text=True
    )
    if not Path("/.dockerenv").exists():
        assert script.returncode == 1
        assert "PROOF_WITHOUT_CONTAINER=yes" in script.stderr
    git(repository, "checkout", "-q", ".")
    git(repository, "clean", "-fdq")
    environment["PROOF_WITHOUT_CONTAINER"] = "yes"
    script = subprocess.run(
        ["sh", scratch / "proof.sh"], cwd=repository, env=environment, capture_output=True, text=True
    )
    assert (script.returncode, script.stdout.splitlines()[-1]) == (0, "The proof holds."), script


def test_bundle_that_cannot_be_written_is_reported_before_the_proof(machine: Machine, repository) -> None:
    result = machine.json("prove", "--staged", "--bundle", "/nowhere/x.tar", "--repo", repository)
    assert result["returncode"] == 2
    assert machine.runs() == []
