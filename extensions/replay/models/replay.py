"""A model that repeats the recorded replies of another run: `replay:RUN`, where RUN is a name or a directory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.limits.run_budget import Price
from agent.models.base import Message, RequestOptions
from trajectories.errors import ModelError, UsageError
from trajectories.journal import read
from trajectories.records import Reply, Usage

if TYPE_CHECKING:
    from agent.config.settings import Settings


class Replay:
    """The recorded replies of a run. They cost nothing: the usage of the recorded run is not charged again."""

    price: Price | None = Price(0.0, 0.0)
    max_output = 100_000
    window = 0
    images = False
    fallback = ""
    secrets: tuple[str, ...] = ()

    def __init__(self, directory: Path) -> None:
        self.name = f"replay:{directory.resolve()}"
        self.trajectory = read(directory)
        self.replies = self.trajectory.replies

    def reply(self, messages: Sequence[Message], tools: Sequence[dict[str, Any]], asking: RequestOptions) -> Reply:
        recorded = self.replies.get((asking.branch, asking.ask))
        if recorded is None:
            raise ModelError(
                f"The run behind {self.name} has no ask {asking.ask} on {asking.branch}: the two runs diverge here.",
                "Use `swe-agent show` on both to see where.",
                billed=False,
            )
        return replace(recorded, model=self.name, usage=Usage())


def load(name: str, settings: Settings) -> Replay:
    """Return a model that replays a run. Raises UsageError if the recorded run is untrusted and its replies would be
    executed in a local workspace."""
    from agent.run_state.run_ownership import is_own
    from agent.run_state.run_settings import has_untrusted_origin

    directory = settings.run_directory(name)
    replay = Replay(directory)
    if settings.workspace == "local":
        own = is_own(directory, replay.trajectory, settings.state)
        if not own or has_untrusted_origin(replay.trajectory):
            what = (
                "was not created by you on this computer"
                if not own
                else "continues a run that was not created by you on this computer"
            )
            raise UsageError(
                f"{directory} {what}, and its replies would act without isolation.", "Use --workspace docker."
            )
    return replay
