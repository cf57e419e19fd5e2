"""The instruction files of the folder that a tool shows, added to the first result from there."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Protocol

from aci.instructions.instruction_files import CONTRIBUTING, Instructions
from aci.instructions.instruction_frames import SHOWN, frame_instruction
from aci.observation.output_text import mask_secrets
from trajectories.errors import UsageError
from trajectories.records import Action, Observation, Step

MOST_CHARACTERS = 4_000
_FRAME = re.compile(r'<advice file="([^"\n]+)">')


class ViewContext(Protocol):
    """The parts of a tool's context that decide which instruction files are added."""

    @property
    def instructions(self) -> Instructions: ...
    @property
    def steps(self) -> Sequence[Step]: ...
    @property
    def before(self) -> Sequence[tuple[Action, Observation]]: ...
    @property
    def secrets(self) -> tuple[str, ...]: ...
    def place(self, path: str) -> str: ...


def add_instructions(observation: Observation, path: object, ctx: ViewContext) -> Observation:
    """Return the observation with the instruction files for the file or folder `path` that the branch has not seen.

    Files of the root are left out, since the first message has them. The nearest files get their share of the
    characters first.
    """
    if not observation.ok or not isinstance(path, str):
        return observation
    try:
        place = ctx.place(path)
    except UsageError:  # it is the address of an output, not a path
        return observation
    seen = set(_shown(ctx))
    chain = [each for each in ctx.instructions.chain(place) if each.folder and each.rank != CONTRIBUTING]
    new = [each for each in chain if each.path not in seen]
    if place.startswith("/") or not new:
        return observation
    room, frames = MOST_CHARACTERS, list[str]()
    for one in reversed(ctx.instructions.read([each for each in new if each.path != place])):
        frames.insert(0, frame_instruction(one, room))
        room -= len(frames[0])
    text = "\n".join(filter(None, [observation.text, *(mask_secrets(frame, ctx.secrets) for frame in frames)]))
    return replace(observation, text=text, data={**observation.data, SHOWN: [each.path for each in new]})


def _shown(ctx: ViewContext) -> Iterator[str]:
    """Yield the paths of the instruction files in the branch's prompts and observations."""
    for _, seen in ctx.before:
        yield from seen.data.get(SHOWN, ())
    for step in ctx.steps:
        for seen in step.observations:
            yield from seen.data.get(SHOWN, ()) if step.actions else _FRAME.findall(seen.text)
