"""The environment under Gymnasium's own checks and wrappers, where Gymnasium is installed.

pip install gymnasium; python -m pytest --no-cov tests/extensions/lab/gym/test_gymnasium.py
"""

from __future__ import annotations

from typing import Any

import pytest

from swe_agent import gym
from tests.conftest import IMAGE
from tests.extensions.lab.gym.conftest import LOOK, SOLVE

gymnasium = pytest.importorskip("gymnasium", reason="Gymnasium is an extra, which is not installed")

pytestmark = pytest.mark.slow


@pytest.fixture
def name() -> str:
    """The environment's name; an entry point registers it where the package is installed."""
    from gymnasium.envs.registration import namespace, registry

    if "swe_agent/Issue-v0" not in registry:
        with namespace("swe_agent"):
            gym.register()
    return "swe_agent/Issue-v0"


def test_episode_under_wrappers(row: dict[str, Any], name: str) -> None:
    env = gymnasium.wrappers.RecordEpisodeStatistics(gymnasium.make(name, instance=row, workspace="local"))
    env.reset(seed=1)
    env.step(LOOK)
    _, reward, terminated, _, info = env.step(SOLVE)
    assert (reward, terminated, info["episode"]["l"]) == (1.0, True, 2)
    env.close()


@pytest.mark.docker
def test_check_env_finds_nothing(row: dict[str, Any]) -> None:
    """In a container, whose folders are always the same, all observations are deterministic."""
    from gymnasium.utils.env_checker import check_env

    from extensions.lab.gym.gymnasium_env import IssueEnv

    check_env(IssueEnv(row, workspace="docker", image=IMAGE), skip_render_check=True)


def test_vector_environment_answers_like_gymnasiums(row: dict[str, Any], name: str) -> None:
    theirs = gymnasium.make_vec(
        name,
        num_envs=2,
        vectorization_mode="sync",
        vector_kwargs={"autoreset_mode": gymnasium.vector.AutoresetMode.DISABLED},
        instance=row,
        workspace="local",
    )
    ours = gym.make_vec([row, row], workspace="local")
    answers = []
    for envs in (ours, theirs):
        envs.reset(seed=1)
        answers.append(envs.step((SOLVE, LOOK)))
        envs.close()
    (_, *our_signals, our_infos), (_, *their_signals, their_infos) = answers
    for our, their in zip(our_signals, their_signals, strict=True):
        assert (our.dtype, our.tolist()) == (their.dtype, their.tolist())
    assert our_infos.keys() == their_infos.keys()
    masks = [key for key in our_infos if key.startswith("_")]
    assert {key: our_infos[key].tolist() for key in masks} == {key: their_infos[key].tolist() for key in masks}
