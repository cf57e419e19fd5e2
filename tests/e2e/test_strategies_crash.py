"""kill -9 of a strategy with parallel attempts: resumed, it comes to the same, and pays for nothing twice."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.agent.strategies.conftest import FILES, ISSUE, UNITTEST
from tests.agent.strategies.test_resumed_runs import CASES
from tests.conftest import git
from tests.e2e.conftest import Machine, write
from tests.e2e.kill_runner import account, begun, killed
from tests.sampling import SEED

pytestmark = pytest.mark.slow


@pytest.fixture
def command(machine: Machine, tmp_path: Path) -> Callable[..., list[str]]:
    """Takes what a case says; the command that does it on this machine."""

    def told(strategy, *lines, files=FILES, issue=ISSUE, roles=None, **settings) -> list[str]:
        repository = write(tmp_path / "repository", files)
        for words in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "The base"]):
            git(repository, *words)
        (machine.home / "issue.md").write_text(issue)
        config = [f"{name} = {json.dumps(value)}" for name, value in settings.items()]
        config += ["[roles]", *(f"{role} = {json.dumps(machine.script(*own))}" for role, own in (roles or {}).items())]
        with (machine.home / "config.toml").open("r+") as file:
            tables = file.read()
            file.seek(0)
            file.write("\n".join([*config, tables]))
        words = ["--repo", str(repository), "--issue-file", str(machine.home / "issue.md"), "--test", UNITTEST]
        return ["fix", "--strategy", strategy, "--model", machine.script(*lines), *words]

    return told


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("case", CASES)
def test_killed_at_random_moments(case, machine: Machine, command) -> None:
    arguments = case(command)
    began = time.monotonic()
    whole = machine.json(*arguments)
    seconds = time.monotonic() - began
    assert whole["verdict"]["kind"] == "verified", whole["stderr"]
    replies = sorted(account(Path(whole["directory"]))["replies"])
    chance = random.Random(f"{SEED} {case.__name__}")
    for moment in [chance.uniform(0.3, 1.0) * seconds for _ in range(2)]:
        before = set(machine.runs())
        killed(machine, arguments, moment)
        for directory in set(machine.runs()) - before:
            if begun(directory):
                again = machine.json("resume", directory.name)
                assert (again["exit"], again["patch"]) == (whole["exit"], whole["patch"]), again["stderr"]
                assert again["verdict"]["kind"] == "verified"
                assert sorted(account(directory)["replies"]) == replies
