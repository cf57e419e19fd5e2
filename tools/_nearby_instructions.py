"""The instruction files of the folder that a tool shows, added to the first result from there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Protocol

from aci.instructions.instruction_files import CONTRIBUTING, Instructions
from aci.instructions.instruction_frames import FRAME, SHOWN, frame_instruction
from aci.observation.output_text import mask_secrets
from trajectories.errors import UsageError
from trajectories.records import Action, Observation, Step

MOST_CHARACTERS = 4_000


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
    if place.startswith("/"):
        return observation
    seen = set(_shown(ctx))
    chain = [each for each in ctx.instructions.chain(place) if each.folder and each.rank != CONTRIBUTING]
    if all(each.path in seen for each in chain):
        return observation
    room, frames = MOST_CHARACTERS, dict[str, str]()
    read = ctx.instructions.read(sorted(chain, key=lambda each: (-each.depth, each.rank)))
    for one in read:
        if one.path not in seen and one.path != place and (frame := frame_instruction(one, room)):
            frames[one.path] = mask_secrets(frame, ctx.secrets)
            room -= len(frame)
    if not frames:
        return observation
    shown = [one.path for one in sorted(read, key=lambda one: (one.depth, one.rank)) if one.path in frames]
    text = "\n".join(filter(None, [observation.text, *(frames[path] for path in shown)]))
    return replace(observation, text=text, data={**observation.data, SHOWN: shown})


def _shown(ctx: ViewContext) -> Iterator[str]:
    """Yield the paths of the instruction files in the branch's prompts and observations."""
    for _, seen in ctx.before:
        yield from seen.data.get(SHOWN, ())
    for step in ctx.steps:
        for seen in step.observations:
            yield from seen.data.get(SHOWN, ()) if step.actions else (path for path, _ in FRAME.findall(seen.text))
