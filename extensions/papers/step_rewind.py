"""A rewind to an earlier step of a conversation, which then continues with other files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aci.observation.untrusted_text import quote_text

if TYPE_CHECKING:
    from agent.engine.task import Task
    from trajectories.records import Step


def rewind_to(task: Task, number: int, tree: str, words: str, author: str) -> Step:
    """Rewind the conversation to step `number` and the files to `tree`.

    The model reads `words` and the user's messages since that step, which would be lost otherwise.
    """
    steps = (step for step in task.branch.steps[task.branch.first :] if step.n > number and step.author == "user")
    said = dict.fromkeys(seen.text for step in steps for seen in step.observations)
    parts = [*(f"The user wrote in the meantime: {quote_text(text)}" for text in said), words]
    text = "\n\n".join(filter(None, parts))
    return task.branch.rewind(number, tree, text or "The conversation was rewound.", author, told=bool(text))
