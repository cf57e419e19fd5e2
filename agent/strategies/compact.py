"""A conversation made short: the model writes a summary, and from then on that is the conversation. Files stay."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING

from agent.outcome import Outcome
from agent.scope import Scope
from trajectories.records import Observation, Verdict

if TYPE_CHECKING:
    from agent.task import Task
    from trajectories.records import Step

ROLES = ("coder",)
PROMPTS = "build"
STAYS = BY_HAND = APART = True
AUTHOR = "compact"
ASK = (
    "[Summarize this conversation for yourself: it is left out after this, and your summary stands for it. Call no "
    "tool. Say what the user asked for and decided, in their words where they matter; what was found, with files and "
    "lines; what was changed and why; which tests were run and what they said; what is left to do.]"
)
REFUSED = "Not run: write the summary, in words."
TRIES = 3
HEAD = "[The conversation so far, in short. The files are as it left them.]"


def solve(task: Task) -> Generator[Step, None, Outcome]:
    """Ask for the summary; go back to the beginning with it."""
    if not any(step.reply is not None for step in task.conversation):
        yield task.rewind(task.first, task.tree, "There is nothing to make short yet.", AUTHOR)
        return Outcome(task.tree, Verdict(), "done")
    task.scope = Scope(nothing=True)
    yield task.say(f"{ASK}\n{task.words.removeprefix('/compact').strip()}".strip())
    for _ in range(TRIES):
        reply = task.ask()
        refused = tuple(Observation(REFUSED, ok=False) for _ in reply.actions)
        yield task.step(reply, refused)
        if reply.text.strip() and not reply.actions:
            yield task.rewind(0, task.tree, f"{HEAD}\n{reply.text.strip()}", AUTHOR, told=True)
            return Outcome(task.tree, Verdict(), "done")
    return Outcome(task.tree, Verdict(), "not_found")
