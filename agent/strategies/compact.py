"""Compaction by the model: it writes a summary, which replaces the conversation. The files stay unchanged."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING

from agent.engine.permission_checks import Scope
from agent.run_state.attempt_outcome import Outcome
from agent.run_state.rewind import visible_steps
from trajectories.records import Observation
from trajectories.verdict import Verdict

if TYPE_CHECKING:
    from agent.engine.task import Task
    from trajectories.records import Step

ROLES = ("coder",)
PROMPTS = "build"
STAYS = BY_HAND = APART = True
AUTHOR = "compact"
ASK = (
    "[Summarise this conversation for yourself: your summary will replace it. Do not call any tool. State what the "
    "user asked for and decided, in their own words where they matter; what was found, with files and lines; what was "
    "changed and why; which tests were run, with results; what is left to do.]"
)
REFUSED = "Not run: write the summary as text."
TRIES = 3
HEAD = "[A summary of the conversation so far. The files are in the state in which it left them.]"


def solve(task: Task) -> Generator[Step, None, Outcome]:
    """Ask for the summary, then rewind to the start of the conversation and continue from the summary."""
    if not any(step.reply is not None for step in visible_steps(task.branch.steps)):
        yield task.branch.rewind(task.branch.first, task.tree, "There is nothing to compact yet.", AUTHOR)
        return Outcome(task.tree, Verdict(), "done")
    task.branch.scope = Scope(nothing=True)
    yield task.say(f"{ASK}\n{task.turn.request.removeprefix('/compact').strip()}".strip())
    for _ in range(TRIES):
        reply = task.ask()
        refused = tuple(Observation(REFUSED, ok=False) for _ in reply.actions)
        yield task.step(reply, refused)
        if reply.text.strip() and not reply.actions:
            yield task.branch.rewind(0, task.tree, f"{HEAD}\n{reply.text.strip()}", AUTHOR, told=True)
            return Outcome(task.tree, Verdict(), "done")
    return Outcome(task.tree, Verdict(), "not_found")
