"""Going back to an earlier step of a conversation, and on from there on other files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.moves.framing import framed

if TYPE_CHECKING:
    from agent.task import Task
    from trajectories.records import Step


def back_to(task: Task, number: int, tree: str, words: str, author: str) -> Step:
    """Let the conversation go on from step `number` and the files from `tree`. The model reads the `words`, and what
    the user said since that step, which would be lost with the rest."""
    steps = (step for step in task.steps[task.first :] if step.n > number and step.author == "user")
    said = dict.fromkeys(seen.text for step in steps for seen in step.observations)
    parts = [*(f"The user said meanwhile: {framed(text)}" for text in said), words]
    text = "\n\n".join(filter(None, parts))
    return task.rewind(number, tree, text or "Gone back.", author, told=bool(text))
