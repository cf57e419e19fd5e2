"""An environment whose public methods are the tools of a model, for the option `environment_factory` of TRL's
trainers."""

from __future__ import annotations

import inspect
import json
import typing
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

from tools.base import Tool, Toolbox

if TYPE_CHECKING:
    from extensions.lab.gym.environment import Environment, StepResult

SUBMISSIONS = 2
"""A submission without a test is sent back once."""
OVER = "The episode has ended."


class ToolEnvironment:
    """An environment whose methods, besides `reset` and `get_reward`, are the tools. Each call is one step."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self._is_over = True
        self._reward = 0.0

    def reset(self, **_: Any) -> str:
        """Start an episode and return its first messages as one text."""
        observation, _info = self._environment.reset()
        self._is_over, self._reward = False, 0.0
        return _text(observation)

    def get_reward(self) -> float:
        """End the episode and return its reward. A model that stops without a submission submits what it has."""
        for _ in range(SUBMISSIONS):
            self._call("submit", {})
        self._environment.close()
        return self._reward

    def _call(self, tool: str, arguments: dict[str, Any]) -> str:
        if self._is_over:
            return OVER
        call = {"type": "function", "function": {"name": tool, "arguments": json.dumps(arguments)}}
        result: StepResult = self._environment.step({"role": "assistant", "content": "", "tool_calls": [call]})
        observation, self._reward, terminated, truncated, _info = result
        self._is_over = terminated or truncated
        return _text(observation)


def tool_environment(environment: Environment) -> ToolEnvironment:
    """Return the environment with a method for each tool that a model is offered."""
    return _class_with_tools()(environment)


@cache
def _class_with_tools() -> type[ToolEnvironment]:
    """Return the class of all these environments: TRL pairs an environment with its reward by its class."""
    offered = [tool for tool in Toolbox().tools.values() if not tool.metadata.is_special]
    return type("SweAgentEnvironment", (ToolEnvironment,), {tool.name: _method(tool) for tool in offered})


def _method(tool: Tool) -> Callable[..., str]:
    """Return a method with the name, signature and docstring of the tool's function, without its context."""

    def call(self: ToolEnvironment, **arguments: Any) -> str:
        return self._call(tool.name, arguments)

    hints = typing.get_type_hints(tool.function) | {"return": str}
    context, *parameters = inspect.signature(tool.function).parameters.values()
    typed = [parameter.replace(annotation=hints[parameter.name]) for parameter in parameters]
    itself = inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    call.__name__ = call.__qualname__ = tool.name
    call.__doc__ = tool.function.__doc__
    call.__annotations__ = {name: hint for name, hint in hints.items() if name != context.name}
    call.__signature__ = inspect.Signature([itself, *typed], return_annotation=str)  # type: ignore[attr-defined]
    return call


def _text(messages: list[dict[str, Any]]) -> str:
    return "\n\n".join(str(message["content"]) for message in messages)
