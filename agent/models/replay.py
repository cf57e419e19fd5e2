"""A model that answers what another run's model answered: `replay:RUN`, RUN a name or a directory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.ledger import Price
from agent.models.base import Asking, Message
from trajectories.errors import ModelError, UsageError
from trajectories.journal import read
from trajectories.records import Reply, Usage

if TYPE_CHECKING:
    from agent.settings import Settings


class Replay:
    """Costs nothing; the usage of the recorded run is not charged again."""

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

    def reply(self, messages: Sequence[Message], tools: Sequence[dict[str, Any]], asking: Asking) -> Reply:
        recorded = self.replies.get((asking.branch, asking.ask))
        if recorded is None:
            raise ModelError(
                f"The run behind {self.name} has no ask {asking.ask} on {asking.branch}: the two runs part here.",
                "Use `swe-agent show` on both to see where.",
                billed=False,
            )
        return replace(recorded, model=self.name, usage=Usage())


def load(name: str, settings: Settings) -> Replay:
    """Raises UsageError where somebody else's replies would act without a boundary."""
    from agent.ownership import is_own
    from agent.run_origin import has_untrusted_origin

    directory = settings.run_directory(name)
    replay = Replay(directory)
    if settings.workspace == "local":
        own = is_own(directory, replay.trajectory, settings.state)
        if not own or has_untrusted_origin(replay.trajectory):
            what = "was not created by you here" if not own else "continues a run that was not created by you here"
            raise UsageError(
                f"{directory} {what}, and its replies would act without a boundary.", "Choose --workspace docker."
            )
    return replay
