"""Choose and prove one of the offered edits that pass the tests but behave differently; alone, list them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trajectories.errors import UsageError
from trajectories.plugins import extension_module

if TYPE_CHECKING:
    from agent.engine.engine import Engine
    from extensions.interactive.session.session import Session

USAGE = "[A|B|C]"
GROUP = "what"
IN_EDITORS = "always"
NOTHING = "There is nothing to choose from: no template search has found edits that pass the tests."


def run(session: Session, words: str) -> None:
    edits = extension_module("agent.candidates.offered_edits", "`/choose`", "repair")
    try:
        if session.engine is None:
            raise UsageError("There is nothing to choose from yet.", "Say what to do first.")
        found = edits.offered_edits(session.engine.trajectory)
    except UsageError:
        if words:
            raise
        session.show(NOTHING)
        return
    if words:
        session.turns.act(f"/choose {_letter(edits, found, words)}", "choose")
    else:
        session.show(_listed(edits, session.engine, session.snapshot.tree, found))


def _letter(edits: Any, found: dict[str, Any], words: str) -> str:
    """Return the letter of the edit that the user chose. Raises UsageError if there is no such edit."""
    letters: str = edits.choice_letters(found)
    try:
        return letters[edits.parse_choice(found, words)]
    except UsageError:
        there = f"the only one is {letters}" if len(letters) == 1 else f"there are {_joined(letters)}"
        raise UsageError(f"There is no choice {words!r}: {there}.", "`/choose` alone shows what they change.") from None


def _listed(edits: Any, engine: Engine, tree: str, found: dict[str, Any]) -> str:
    """Describe what each edit changes, how the edits differ, and which one is in the session's files now."""
    letters: str = edits.choice_letters(found)
    compared: str = edits.compare_edits(found)
    try:
        taken = [
            letter for place, letter in enumerate(letters) if edits.apply_edit(engine.trees, tree, found, place) == tree
        ]
    except UsageError as error:
        return f"{compared}\n{error.message} {error.fix}"
    others = [letter for letter in letters if letter not in taken]
    now = f"{taken[0]} is in the session's files now" if taken else "None of them is in the session's files now"
    if not others:
        return f"{compared}\n{now}; there is no other edit."
    how = f"`/choose {others[0]}` chooses {'another' if taken else 'one'} and proves it."
    return f"{compared}\n{now}. {how}"


def _joined(letters: str) -> str:
    return f"{', '.join(letters[:-1])} and {letters[-1]}"
