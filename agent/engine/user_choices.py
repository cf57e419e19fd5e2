"""Multiple-choice questions of the model to the user: one round a turn, before the model changes files.

Each answer is recorded as soon as it is given, so a resumed run does not ask again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

from aci.observation.secret_masking import mask_secrets
from agent.permissions.approvals import Approval
from agent.run_state.turn_state import MAIN
from tools.ask_user import ASSUMED
from tools.base import UserAnswer
from trajectories.errors import UsageError, WaitsForUser
from trajectories.records import Record, Step

if TYPE_CHECKING:
    from collections.abc import Callable

    from agent.limits.cancellation import CancellationToken
    from agent.permissions.approvals import Approve

MOST_QUESTIONS = 4
LONGEST_ANSWER = 2_000
"""Maximum number of characters of an answer."""
ASKED_BEFORE = "The user was asked already, and is asked only once."
WORK_STARTED = "Files were changed already, and the user is asked only before that."
DECIDE = "Decide by yourself, and state what you assume in the summary."
WAITING = "The run waits for the user's answer to its questions."
ANSWER_THEM = "Answer them where they are published."


class AskingRun(Protocol):
    """The parts of an engine that questions depend on."""

    choose: Approve | None
    asks_later: bool
    clock: Any

    @property
    def secrets(self) -> tuple[str, ...]: ...


class AskingBranch(Protocol):
    """The parts of a branch that questions depend on."""

    name: str
    start: str
    first: int
    cancel: CancellationToken

    @property
    def engine(self) -> AskingRun: ...
    @property
    def steps(self) -> Sequence[Step]: ...
    def once(self, name: str, compute: Callable[[], Any]) -> Any: ...
    def known(self, beginning: str) -> dict[str, Any]: ...


def may_ask(branch: AskingBranch) -> bool:
    """Return whether the branch's model is offered questions: in the main conversation of a run with a user."""
    return branch.name == MAIN and (branch.engine.choose is not None or branch.engine.asks_later)


def ask_user(branch: AskingBranch, number: int, question: str, options: Sequence[str]) -> UserAnswer:
    """Return the user's answer to the question that is action `number` of the current reply. Raises Cancelled, and
    UsageError if the user may not be asked (again)."""
    if _has_worked(branch):
        raise UsageError(WORK_STARTED, DECIDE)
    step = len(branch.steps) + 1
    if branch.once("user asked in step", lambda: step) != step:
        raise UsageError(ASKED_BEFORE, DECIDE)
    answers = branch.known("answer ")
    if len(answers) >= MOST_QUESTIONS and f"answer {number}" not in answers:
        raise UsageError(f"At most {MOST_QUESTIONS} questions may be asked.", DECIDE)
    return UserAnswer(**branch.once(f"answer {number}", lambda: _answer(branch, question, options)))


def _answer(branch: AskingBranch, question: str, options: Sequence[str]) -> dict[str, Any]:
    engine = branch.engine
    if engine.choose is None:
        return {"is_later": True}
    asked = Approval("question", question, choices=tuple(options), cancel=branch.cancel, needs_user=True)
    answer = engine.choose(asked)
    branch.cancel.check()
    text = options[answer.chosen[0]] if answer.yes and answer.chosen else answer.reason if answer.yes else ""
    return {"text": mask_secrets(text, engine.secrets)[:LONGEST_ANSWER]}


def _has_worked(branch: AskingBranch) -> bool:
    """Return whether the model has changed files in an earlier step of this turn."""
    tree = branch.start
    for step in branch.steps[branch.first :]:
        if step.reply is not None and step.tree != tree:
            return True
        tree = step.tree
    return False


def assumptions(records: Sequence[Record]) -> list[str]:
    """Return the assumptions that took the place of an answer, as notes on the verdict."""
    steps = (record for record in records if isinstance(record, Step) and record.branch == MAIN)
    made = (seen.data.get(ASSUMED) for step in steps for seen in step.observations)
    return [f"Assumed without an answer of the user: {text}" for text in made if isinstance(text, str)]


def stop_for_answer(steps: Sequence[Step]) -> None:
    """Raise WaitsForUser if the model's last step asked questions that are answered later, and no answer followed."""
    for step in reversed(steps):
        if step.author == "user":
            return
        if step.reply is not None:
            if any("question" in seen.data for seen in step.observations):
                raise WaitsForUser(WAITING, ANSWER_THEM)
            return
