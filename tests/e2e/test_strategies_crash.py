"""kill -9 of a strategy with parallel attempts: the resumed run has the same result and repeats no request."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.agent.strategies.conftest import FILES, ISSUE, UNITTEST
from tests.conftest import git
from tests.e2e.conftest import Machine, write
from tests.e2e.kill_runner import account, is_started, run_and_kill
from tests.extensions.test_resumed_runs import CASES, asks
from tests.sampling import SEED

pytestmark = pytest.mark.slow


@pytest.fixture
def command(machine: Machine, tmp_path: Path) -> Callable[..., list[str]]:
    """A function from the parts of a case to the command that runs it on this machine."""

    def make_command(strategy, *lines, files=FILES, issue=ISSUE, roles=None, delegates=True, **settings) -> list[str]:
        assert delegates  # `fix` offers helpers
        repository = write(tmp_path / "repository", files)
        for arguments in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "The base"]):
            git(repository, *arguments)
        (machine.home / "issue.md").write_text(issue)
        config = [f"{name} = {json.dumps(value)}" for name, value in settings.items()]
        config += [
            "[roles]",
            *(f"{role} = {json.dumps(machine.script(*script))}" for role, script in (roles or {}).items()),
        ]
        with (machine.home / "config.toml").open("r+") as file:
            tables = file.read()
            file.seek(0)
            file.write("\n".join([*config, tables]))
        arguments = ["--repo", str(repository), "--issue-file", str(machine.home / "issue.md"), "--test", UNITTEST]
        return ["fix", "--strategy", strategy, "--model", machine.script(*lines), *arguments]

    return make_command


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("case", [case for case in CASES if case is not asks])
def test_strategy_killed_at_random_moments_is_resumed(case, machine: Machine, command) -> None:
    arguments = case(command)
    started_at = time.monotonic()
    uninterrupted = machine.json(*arguments)
    seconds = time.monotonic() - started_at
    kind = uninterrupted["verdict"]["kind"]
    assert kind in ("plausible", "verified"), uninterrupted["stderr"]
    replies = sorted(account(Path(uninterrupted["directory"]))["replies"])
    rng = random.Random(f"{SEED} {case.__name__}")
    for moment in [rng.uniform(0.3, 1.0) * seconds for _ in range(2)]:
        before = set(machine.runs())
        run_and_kill(machine, arguments, moment)
        for directory in set(machine.runs()) - before:
            if is_started(directory):
                resumed = machine.json("resume", directory.name)
                assert (resumed["exit"], resumed["patch"]) == (uninterrupted["exit"], uninterrupted["patch"]), resumed[
                    "stderr"
                ]
                assert resumed["verdict"]["kind"] == kind
                assert sorted(account(directory)["replies"]) == replies
