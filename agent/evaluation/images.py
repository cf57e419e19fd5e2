"""Where an instance's tests run: the image of its environment, or a venv of this machine's."""

from __future__ import annotations

from dataclasses import replace

from aci.environment import environment_for
from aci.workspace import Options
from agent.batch.place import Instance
from agent.evaluation.specs import Way
from agent.settings import Settings
from agent.surroundings import wishes


def housed(way: Way, instance: Instance, place: Options, settings: Settings) -> tuple[Options, tuple[str, ...]]:
    """The options with the image in which tests run, made if it is not there; and what a session is told first.

    Raises WorkspaceError for an environment that cannot be made.
    """
    if settings.workspace != "docker":
        return place, ()
    wished = wishes(settings)
    wished = replace(wished, image=settings.image or way.image, setup=settings.setup or way.setup, test=way.command)
    return replace(place, image=environment_for(place, wished)), ()
