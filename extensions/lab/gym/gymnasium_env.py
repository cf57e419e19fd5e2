"""The environment as a subclass of `gymnasium.Env`, for Gymnasium's wrappers. It needs the package `gymnasium`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Unpack

import gymnasium
from gymnasium import Space

from extensions.lab.gym.environment import Action, Info, Observation
from extensions.lab.gym.environment_creation import MakeOptions, make
from trajectories.records import Issue

WORDS = ("look", "edit", "test", "submit", "add", "fix")


class _OneOfItsKind(Space[Any]):  # type: ignore[misc]
    """A space without parameters: two of the same class are equal, as Gymnasium's vector environments require."""

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self)

    def __hash__(self) -> int:
        return hash(type(self))


class MessageSpace(_OneOfItsKind):
    """Lists of messages in OpenAI's chat format."""

    def contains(self, x: Any) -> bool:
        return isinstance(x, list) and all(isinstance(each, dict) and {"role", "content"} <= each.keys() for each in x)

    def sample(self, mask: Any = None, probability: Any = None) -> Observation:
        return [{"role": "user", "content": str(self.np_random.choice(WORDS))}]


class ReplySpace(_OneOfItsKind):
    """Replies of a model: texts, or assistant messages in OpenAI's chat format."""

    def contains(self, x: Any) -> bool:
        return isinstance(x, str) or (isinstance(x, Mapping) and x.get("role", "assistant") == "assistant")

    def sample(self, mask: Any = None, probability: Any = None) -> Action:
        return str(self.np_random.choice(WORDS))


class IssueEnv(gymnasium.Env[Any, Any]):  # type: ignore[misc]
    """An environment that `swe_agent.gym.make` returns, as `gymnasium.make("swe_agent/Issue-v0", instance=row)`."""

    def __init__(
        self,
        instance: Mapping[str, Any] | Issue | str,
        repo: str | os.PathLike[str] | None = None,
        **options: Unpack[MakeOptions],
    ) -> None:
        self.environment = make(instance, repo, **options)
        self.observation_space, self.action_space = MessageSpace(), ReplySpace()

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Observation, Info]:
        super().reset(seed=seed)
        return self.environment.reset(seed=seed, options=options)

    def step(self, action: Action) -> tuple[Observation, float, bool, bool, Info]:
        return self.environment.step(action)

    def close(self) -> None:
        self.environment.close()
