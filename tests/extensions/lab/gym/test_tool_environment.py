"""The environment whose methods are the tools."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

from swe_agent import gym
from tests.extensions.lab.gym.conftest import ISSUE, REPRODUCTION
from tools.base import Toolbox


def test_methods_have_the_signatures_of_the_tools(row: dict[str, Any]) -> None:
    env = gym.make_tools(row, workspace="local")
    methods = {name: method for name, method in inspect.getmembers(env, inspect.ismethod) if not name.startswith("_")}
    offered = {schema["function"]["name"] for schema in Toolbox().schemas()}
    assert methods.keys() == offered | {"reset", "get_reward"}
    signature = inspect.signature(methods["view"])
    assert next(iter(signature.parameters)) == "path"
    assert signature.parameters["path"].annotation is str
    assert "Args:" in (methods["view"].__doc__ or "")
    assert type(env) is type(gym.make_tools(row, workspace="local"))


@pytest.mark.slow
def test_calls_of_methods_are_steps(row: dict[str, Any]) -> None:
    env: Any = gym.make_tools(row, workspace="local")
    assert ISSUE in env.reset(prompt="a column of the training set")
    assert "return a - b" in env.view(path="calc.py")
    assert "Edited calc.py" in env.edit(path="calc.py", old="a - b", new="a + b")
    assert "Submitted" in env.submit()
    assert env.view(path="calc.py") == "The episode has ended."
    assert env.get_reward() == 1.0
    env.reset()
    assert env.get_reward() == 0.0


@pytest.mark.slow
def test_work_without_submission_is_submitted(repository: Any) -> None:
    env: Any = gym.make_tools(ISSUE, repository, workspace="local")
    env.reset()
    env.edit(path="calc.py", old="a - b", new="a + b")
    env.edit(path="tests/test_add.py", old="", new=REPRODUCTION)
    assert env.get_reward() == 1.0
