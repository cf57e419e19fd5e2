"""Environments that are stepped in parallel."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from swe_agent import gym
from tests.extensions.lab.gym.conftest import FAIL, LOOK, SOLVE, workspace_in
from trajectories.errors import UsageError


@pytest.mark.slow
def test_episodes_run_at_the_same_time_and_end_alone(row: dict[str, Any]) -> None:
    with gym.make_vec([row] * 3, workspace="local", max_steps=3) as envs:
        first, infos = envs.reset(seed=1)
        folders = [workspace_in(seen) for seen in first]
        assert len(set(folders)) == 3
        assert all(folder.exists() for folder in folders), "each episode has a workspace of its own"
        assert infos["_tools"].tolist() == [True] * 3

        seen, rewards, terminated, truncated, infos = envs.step([SOLVE, FAIL, LOOK])
        assert rewards.tolist() == [1.0, 0.0, 0.0]
        assert terminated.tolist() == [True, True, False]
        assert truncated.tolist() == [False] * 3
        assert infos["_resolved"].tolist() == [True, True, False]
        assert infos["resolved"].tolist() == [True, False, None]
        assert "return a - b" in seen[2][0]["content"]

        seen, rewards, terminated, truncated, infos = envs.step([None, None, LOOK])
        assert seen[:2] == ([], []), "an episode that has ended takes no action"
        assert (terminated.tolist(), infos["_messages"].tolist()) == ([False] * 3, [False, False, True])

        seen, infos = envs.reset(options={"reset_mask": np.array([True, False, False])})
        assert [len(each) for each in seen] == [2, 0, 0]
        _, rewards, terminated, truncated, _ = envs.step([SOLVE, None, LOOK])
        assert (rewards.tolist(), terminated.tolist()) == ([1.0, 0.0, 0.0], [True, False, False])
        assert truncated.tolist() == [False, False, True]
        with pytest.raises(UsageError, match="No episode is running"):
            envs.step([None] * 3)


@pytest.mark.slow
def test_failure_of_one_closes_all(row: dict[str, Any]) -> None:
    with gym.make_vec([row, row], workspace="local") as envs:
        first, _ = envs.reset()
        with pytest.raises(UsageError, match="An action is an assistant message or a text"):
            envs.step([LOOK, None])
        assert not any(workspace_in(seen).exists() for seen in first)
    with gym.make_vec([row, row | {"base_commit": "f" * 40}], workspace="local") as envs:
        with pytest.raises(UsageError, match="There is no commit"):
            envs.reset()
        with pytest.raises(UsageError, match="No episode is running"):
            envs.step([LOOK, LOOK])


def test_unusable_arguments_are_errors(row: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="There is no instance"):
        gym.make_vec([])
    envs = gym.make_vec([row], workspace="local")
    with pytest.raises(UsageError, match="The list of actions has 2 items for 1 environments"):
        envs.step([LOOK, LOOK])
    with pytest.raises(UsageError, match="The reset mask has 2 items"):
        envs.reset(options={"reset_mask": np.array([True, False])})
