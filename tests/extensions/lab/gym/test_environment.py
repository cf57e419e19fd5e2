"""Environments: episodes that are solved, not solved, cut short and left, and what remains of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from agent.config.settings import load_settings
from agent.lifecycle.run_lifecycle import reopen, solve
from agent.runs.run_lookup import open_run
from extensions.lab.exports import rloo
from swe_agent import gym
from tests.extensions.lab.gym.conftest import (
    FAIL,
    FIX,
    ISSUE,
    LOOK,
    REPRODUCTION,
    SOLVE,
    SUBMIT,
    call,
    reply,
    without_workspace,
    workspace_in,
)
from trajectories.errors import SweAgentError, UsageError
from trajectories.journal import read

ROOT = Path(__file__).parents[4]


@pytest.mark.parametrize("workspace", ["sandbox", "local"])
def test_row_with_hidden_tests_can_be_used_without_docker(workspace: Any, row: dict[str, Any]) -> None:
    gym.make(row, workspace=workspace).close()


@pytest.mark.slow
def test_episode_that_resolves_instance_has_reward_1(row: dict[str, Any]) -> None:
    with gym.make(row, workspace="local") as env:
        first, info = env.reset(seed=1)
        assert [message["role"] for message in first] == ["system", "user"]
        assert ISSUE in first[1]["content"]
        assert {"edit", "submit"} <= {tool["function"]["name"] for tool in info["tools"]}
        for secret in ("the answer", "test_add", row["hints_text"]):
            assert secret not in json.dumps(first), "neither the solution nor its tests are shown"
        seen, *signals, info = env.step(LOOK)
        assert ([message["role"] for message in seen], signals) == (["tool"], [0.0, False, False])
        assert info["messages"][:2] == first
        assert info["messages"][2]["content"] == "Look."
        assert info["messages"][3:] == seen
        seen, *signals, end = env.step(SOLVE)
        assert signals == [1.0, True, False]
        assert "Submitted" in seen[-1]["content"]
        assert (end["resolved"], end["exit"], end["grading_error"]) == (True, "unproven", "")
        assert "+    return a + b\n" in end["patch"]
        assert not workspace_in(first).exists(), "the workspace is closed at the end of the episode"
        with pytest.raises(UsageError, match="No episode is running"):
            env.step(LOOK)


@pytest.mark.slow
def test_wrong_patch_has_reward_0(row: dict[str, Any]) -> None:
    with gym.make(row, workspace="local") as env:
        env.reset()
        _, *signals, info = env.step(FAIL)
    assert (signals, info["resolved"]) == ([0.0, True, False], False)


@pytest.mark.slow
def test_limit_truncates_and_patch_is_graded(row: dict[str, Any]) -> None:
    with gym.make(row, workspace="local", max_steps=1) as env:
        env.reset()
        seen, *signals, info = env.step(LOOK)
        assert (signals, info["exit"], info["patch"]) == ([0.0, False, True], "limit", "")
        assert "return a - b" in seen[0]["content"], "the results of the last reply are there"
        env.reset()
        _, *signals, info = env.step(reply(FIX))
        assert (signals, info["message"]) == ([1.0, False, True], "The run reached its limit of one step.")


@pytest.mark.slow
def test_proof_decides_without_tests_of_the_instance(repository: Path) -> None:
    test = call("edit", path="tests/test_add.py", old="", new=REPRODUCTION)
    with gym.make(ISSUE, repository, workspace="local") as env:
        env.reset()
        _, *signals, info = env.step(reply(test, FIX, SUBMIT))
        assert (signals, info["verdict"]) == ([1.0, True, False], "plausible")


@pytest.mark.slow
def test_caller_is_asked_for_no_tests_of_an_examiner(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SWE_AGENT_INDEPENDENT", "true")
    with gym.make(ISSUE, repository, workspace="local") as env:
        first, info = env.reset()
        assert ISSUE in first[1]["content"]
        assert "edit" in {tool["function"]["name"] for tool in info["tools"]}


@pytest.mark.slow
def test_bad_actions_are_answered(row: dict[str, Any]) -> None:
    unreadable = {"function": {"name": "view", "arguments": "{"}}
    with gym.make(row, workspace="local") as env:
        env.reset()
        seen, *signals, _ = env.step(reply(unreadable, call("fly"), {"name": "view"}, call("view")))
        texts = [message["content"] for message in seen]
        assert signals == [0.0, False, False]
        assert texts[0].startswith("The arguments could not be read: the arguments are not JSON")
        assert texts[1].startswith("There is no tool 'fly'")
        assert texts[2].startswith("There is no tool 'unknown'")
        assert "`path` is missing" in texts[3]
        assert "Your reply had no action" in env.step("I think about it.")[0][0]["content"]
        with pytest.raises(UsageError, match="An action is an assistant message or a text, not int '3'"):
            env.step(3)  # type: ignore[arg-type]
        seen, *_ = env.step("```call view\npath: calc.py\n```")
        assert "return a - b" in seen[0]["content"], "the episode goes on"


@pytest.mark.slow
def test_same_actions_give_same_observations(row: dict[str, Any]) -> None:
    with gym.make(row, workspace="local") as env:
        episodes = []
        for _ in range(2):
            first, _ = env.reset(seed=3)
            episodes.append([first, *(env.step(action)[0] for action in (LOOK, reply(FIX), LOOK, "Hm."))])
        before, now = (workspace_in(episode) for episode in episodes)
        assert (before.exists(), now.exists()) == (False, True), "a reset closes the episode before"
    one, other = ([without_workspace(seen) for seen in episode] for episode in episodes)
    assert one == other
    assert len(set(one)) == 5


@pytest.mark.slow
def test_episode_is_run_on_disk(row: dict[str, Any], tmp_path: Path) -> None:
    out = tmp_path / "episodes"
    with gym.make(row, workspace="local", out=out) as env:
        env.reset()
        env.step(LOOK)
        run = Path(env.step(SOLVE)[-1]["directory"])
    assert run.parent == out / "runs"
    recorded = read(run)
    assert [each.text for each in recorded.replies.values()] == ["Look.", ""]
    assert recorded.notes[-1].data == {"reward": 1.0, "resolved": True}
    for command, shown in (
        ("show", "Reward 1 by the instance's tests."),
        ("export", '"Look."'),
        ("replay", "Identical: 3 steps."),
    ):
        arguments = [command, str(run), *(["--format", "sft"] if command == "export" else [])]
        done = subprocess.run(
            [sys.executable, "-m", "swe_agent", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
        )
        assert shown in done.stdout, done.stdout + done.stderr


@pytest.mark.slow
def test_training_sets_take_the_verdict_of_the_tests(row: dict[str, Any]) -> None:
    runs = []
    with gym.make(row, workspace="local") as env:
        for action in (SOLVE, FAIL):
            env.reset()
            run = env.step(action)[-1]["directory"]
            runs.append(open_run(run, load_settings()))
    rows = [json.loads(line) for line in "".join(rloo.export(runs)).splitlines()]
    assert [row["reward"] for row in rows] == [1.0, 0.0]
    for view in runs:
        view.close()


@pytest.mark.slow
def test_left_episode_can_be_read_but_has_no_more_replies(row: dict[str, Any], tmp_path: Path) -> None:
    env = gym.make(row, workspace="local")
    first, _ = env.reset()
    env.step(LOOK)
    env.close()
    env.close()
    assert not workspace_in(first).exists()
    (run,) = (tmp_path / "state" / "runs").iterdir()
    assert read(run).exit is None
    with reopen(run, tmp_path / "state") as engine:
        list(solve(engine))
    end = read(run).exit
    assert end is not None
    assert (end.kind, end.message) == ("error", "The replies of this run come from a program that uses swe_agent.gym.")


@pytest.mark.slow
@pytest.mark.parametrize("ending", ["", "raise SystemExit(3)", "del env"])
def test_program_that_closes_nothing_leaves_nothing(row: dict[str, Any], tmp_path: Path, ending: str) -> None:
    program = f"from swe_agent import gym\nenv = gym.make({row!r}, workspace='local')\nenv.reset()\n{ending}"
    (tmp_path / "temporary").mkdir()
    environment = os.environ | {"TMPDIR": str(tmp_path / "temporary"), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-W", "error", "-c", program]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=100, check=False)
    assert (ended.returncode, ended.stderr) == (3 if "raise" in ending else 0, "")
    assert list((tmp_path / "temporary").iterdir()) == []


@pytest.mark.slow
def test_failing_run_raises_its_error_and_is_closed(row: dict[str, Any]) -> None:
    with gym.make(row | {"base_commit": "f" * 40}, workspace="local") as env:
        with pytest.raises(UsageError, match="There is no commit 'fff") as caught:
            env.reset()
        assert caught.value.__notes__ == [caught.value.fix], "a traceback shows the advice too"
        with pytest.raises(UsageError, match="No episode is running"):
            env.step(LOOK)
    with gym.make(row | {"test_patch": "not a patch"}, workspace="local") as env:
        first, _ = env.reset()
        _, *signals, info = env.step(SOLVE)
    assert signals == [0.0, True, False]
    assert info["grading_error"] == "The instance's test patch does not apply to its base."
    assert "score" not in [note.kind for note in read(Path(info["directory"])).notes], "without a verdict, no grade"
    assert not workspace_in(first).exists()


def test_given_repository_replaces_the_bundle_of_the_row(
    row: dict[str, Any], repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(repository.parent)
    row |= {"bundle": "./tasks.bundle", "repo": "owner/name"}
    for repo, used in ((None, "tasks.bundle"), (repository.name, repository.name)):
        plan = gym.make(row, repo, workspace="local")._plan
        assert plan.instance.repo == str((repository.parent / used).resolve())


def test_unusable_instance_is_error_with_advice(row: dict[str, Any]) -> None:
    for wrong, message in (
        (row | {"instance_id": ""}, "The row has no instance_id."),
        (row | {"problem_statement": ""}, "The row (calc-1) has no"),
        (row | {"FAIL_TO_PASS": "{"}, "The row (calc-1) has a FAIL_TO_PASS that is not a list of tests."),
        (" ", "The issue is empty."),
    ):
        with pytest.raises(SweAgentError) as caught:
            gym.make(wrong, workspace="local")
        assert caught.value.message.startswith(message)
        assert caught.value.__notes__ == [caught.value.fix]
    with pytest.raises(TypeError, match="make has no option 'wrkspace'; it has base, out"):
        gym.make(row, wrkspace="local")  # type: ignore[call-arg]
    with pytest.raises(UsageError, match="reset has no option 'level'"):
        gym.make(row, workspace="local").reset(options={"level": 3})
