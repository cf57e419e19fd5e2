"""An environment after Gymnasium's API: each episode is a run that solves one instance, whose model is the caller."""

from __future__ import annotations

import weakref
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from trajectories.errors import SweAgentError, UsageError, advice_in_traceback

if TYPE_CHECKING:
    from agent.models.base import Message
    from extensions.lab.gym.episode import Episode, EpisodeEnd, EpisodePlan

Action = str | Mapping[str, Any]
"""One reply of the model: an assistant message in OpenAI's chat format, or a text, which may contain written calls."""
Observation = list[dict[str, Any]]
"""The messages that the model has not seen yet, in OpenAI's chat format."""
Info = dict[str, Any]
StepResult = tuple[Observation, float, bool, bool, Info]
TRUNCATED = ("limit", "budget", "stuck", "error")
"""Kinds of exit for which the episode was cut short, not ended by the model."""


class Environment:
    """An environment whose episodes solve one instance. Close it at the end, or use it in a `with` statement.

    `reset` and each `step` return the new messages for the model; `info["messages"]` is the whole conversation as the
    model is to see it. A run is deterministic as far as the repository's own commands are.
    """

    metadata: ClassVar[dict[str, Any]] = {"render_modes": []}

    def __init__(self, plan: EpisodePlan) -> None:
        self._plan = plan
        self._episode: Episode | None = None
        self._finalizer: weakref.finalize[..., Environment] | None = None
        self._messages: list[Message] = []
        self._is_running = False

    def reset(self, *, seed: int | None = None, options: Mapping[str, Any] | None = None) -> tuple[Observation, Info]:
        """Start an episode and return its first messages; `info["tools"]` holds the schemas of the tools.

        A running episode is stopped. Nothing is random here, so `seed` changes nothing; there are no options. Raises
        SweAgentError for a run that cannot start.
        """
        self.start_reset(options)
        return self.finish_reset()

    def step(self, action: Action) -> StepResult:
        """Take one step with a reply of the model; return the observation, the reward, whether the model ended the
        episode, whether a limit did, and `info`.

        The reward is 0 until the end. What is wrong with a call is in the observation. Raises UsageError for an action
        that is neither a text nor a message, and SweAgentError if the run cannot go on.
        """
        self.send(action)
        return self.receive()

    def close(self) -> None:
        """Stop the running episode and remove its workspace. The runs stay on disk."""
        self._is_running = False
        if self._finalizer is not None:
            self._finalizer()

    # The two halves of `reset` and `step`, between which other environments can work

    @advice_in_traceback()
    def start_reset(self, options: Mapping[str, Any] | None = None) -> None:
        """Start an episode without waiting for its first messages."""
        from extensions.lab.gym.episode import Episode

        if options:
            raise UsageError(f"reset has no option {next(iter(options))!r}.", "Give the options to make().")
        self.close()
        self._messages = []
        self._episode = Episode(self._plan)
        # Also called if the environment is collected, or the program ends, without a call of `close`.
        self._finalizer = weakref.finalize(self, self._episode.close)

    @advice_in_traceback()
    def finish_reset(self) -> tuple[Observation, Info]:
        """Wait for the first messages of the episode that `start_reset` started."""
        from extensions.lab.gym.episode import EpisodeEnd

        request = self._receive()
        if isinstance(request, EpisodeEnd):
            self.close()
            raise SweAgentError(f"The episode ended before its first step: {request.result.exit.message}")
        self._is_running = True
        observation, info = self._observe(request.messages)
        return observation, info | {"tools": request.tools}

    @advice_in_traceback()
    def send(self, action: Action) -> None:
        """Give a reply of the model without waiting for its results."""
        if not self._is_running or self._episode is None:
            raise UsageError("No episode is running.", "Call reset() first.")
        self._episode.send(action)

    @advice_in_traceback()
    def receive(self) -> StepResult:
        """Wait for the results of the reply that `send` gave."""
        from extensions.lab.gym.episode import EpisodeEnd

        request = self._receive()
        if not isinstance(request, EpisodeEnd):
            observation, info = self._observe(request.messages)
            return observation, 0.0, False, False, info
        self.close()
        observation, info = self._observe(request.messages)
        truncated = request.result.exit.kind in TRUNCATED
        return observation, request.reward, not truncated, truncated, info | _end_info(request)

    def _receive(self) -> Any:
        assert self._episode is not None, "no episode was started"
        try:
            return self._episode.receive()
        except BaseException:  # also an interrupt; the workspace is closed in any case
            self.close()
            raise

    def _observe(self, messages: list[Message]) -> tuple[Observation, Info]:
        """Return the messages after the last reply, and the whole conversation."""
        rewritten = messages[: len(self._messages)] != self._messages
        self._messages = messages
        new = next((at for at in range(len(messages), 0, -1) if messages[at - 1]["role"] == "assistant"), 0)
        return messages[new:], {"messages": messages, "rewritten": rewritten}

    def __enter__(self) -> Environment:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _end_info(end: EpisodeEnd) -> Info:
    exit, grade = end.result.exit, end.grade
    return {
        "directory": str(end.result.directory),
        "exit": exit.kind,
        "message": exit.message,
        "patch": end.result.patch.diff,
        "verdict": end.result.verdict.kind,
        "resolved": end.resolved,
        "grading_error": grade.error if grade else "",
    }
