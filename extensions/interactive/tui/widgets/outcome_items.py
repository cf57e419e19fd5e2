"""Conversation items for the result of a proof and the end of a turn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from extensions.interactive.tui.widgets.conversation_items import Block, Line, blank_block, text_blocks
from trajectories.outcome_words import PART_LABELS, Tone, ending_of, judged_parts
from trajectories.page_picture import changed_pages

if TYPE_CHECKING:
    from textual.strip import Strip

    from extensions.interactive.tui.rendering.line_renderer import LineRenderer
    from extensions.interactive.tui.widgets.step_item import PictureFile
    from trajectories.errors import SweAgentError
    from trajectories.records import Exit, Step
    from trajectories.verdict import Verdict

COLOURS = {True: "success", False: "error", None: "muted"}
MORE = "`/cost USD` raises the session's budget."
NAMED = 10
"""Maximum number of tests that are listed while the item is closed."""
MOST_PAGES, SHOWN_CLOSED = 3, "difference"
"""Maximum number of changed pages while the item is closed, and the picture of each whose path is shown then."""
DOUBTED = "Unproven: all parts of the proof pass, but"
STYLES: dict[Tone, str] = {"good": "bold success", "warning": "bold warning", "bad": "bold error", "neutral": "muted"}
"""Styles of how a turn ended."""
QUIET = frozenset({"done", "undone"})
"""Endings of a turn that a command's message has told already."""


class PageLines(NamedTuple):
    """A page that the patch changes: its `text`, and the paths of its pictures by name."""

    text: str
    is_unasked: bool
    pictures: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ProofItem:
    """The result of a proof: whether the issue is solved and all tests that passed before still pass."""

    step: Step
    opens: bool = True
    pages: tuple[PageLines, ...] = ()

    def blocks(self, opened: bool, whole: bool = True) -> list[Block]:
        from agent.engine.proof_step import verdict_of

        verdict = verdict_of(self.step)
        found = [blank_block(), Block(partial(_parts, verdict))]
        for what, names in (("shown by", verdict.tests), ("lost", verdict.lost), ("flaky, left out", verdict.flaky)):
            if names:
                shown = names if opened else names[:NAMED]
                more = f" and {len(names) - len(shown)} more" if len(shown) < len(names) else ""
                found += text_blocks(f"{what}: {', '.join(shown)}{more}", "error" if what == "lost" else "muted", 4)
        failing = [fact.text for fact in verdict.facts if fact.kind == "new_failures"]
        for note in verdict.notes:
            if note != _asked(self.step).get("doubt"):  # the doubt is shown at the end of the turn
                found += text_blocks(note, "error" if note in failing else "muted", 4)
        for page in self.pages if opened else self.pages[:MOST_PAGES]:
            found += text_blocks(page.text, "warning" if page.is_unasked else "muted", 4)
            for name, path in page.pictures.items():
                if opened or name == SHOWN_CLOSED:
                    found += text_blocks(f"{name}: {path}", "muted", 6)
        return found + (text_blocks(self.step.observations[0].text, "text", 4) if opened else [])


def page_lines(step: Step, picture: PictureFile) -> tuple[PageLines, ...]:
    """Return the changed pages of a proof, those with changes that the issue does not ask for first."""
    found = []
    for page in changed_pages(step.observations[0]):
        paths = {name: picture(number) for name, number in page.pictures.items()}
        found.append(PageLines(page.summary, bool(page.unasked), {name: path for name, path in paths.items() if path}))
    return tuple(found)


def _parts(verdict: Verdict, pen: LineRenderer) -> list[Strip]:
    judged = [(words, value) for words, value in judged_parts(verdict) if value is not None]
    if not judged:
        return [pen.line(("Proof ", "bold"), ("without a result", "muted"), indent=2)]
    marked = [(f" {pen.mark(value)} {words} ", COLOURS[value]) for words, value in judged]
    if sum(len(words) for words, _ in marked) + 8 <= pen.width:
        return [pen.line(("Proof ", "bold"), *marked, indent=2)]
    return [pen.line(("Proof", "bold"), indent=2), *(pen.line(part, indent=3) for part in marked)]


def end_lines(exit: Exit, word: str = "", proof: Step | None = None) -> list[Line]:
    """Return the lines for the end of a turn; none if it ended with an answer.

    `word` is the strategy's message to the user, `proof` is the step of the turn's last proof.
    """
    if exit.kind == "answered":
        return []
    ending = ending_of(exit)
    words = "" if exit.kind in QUIET else ending.headline
    if exit.kind == "unproven":
        words, repeated = _not_verified(exit.verdict, _asked(proof)) or (words, "")
        word = "\n".join(line for line in word.split("\n") if not line or line != repeated).strip()
    parts = (words, exit.message, exit.fix) if exit.kind != "budget" else (exit.message or words, MORE)
    text = " ".join(part for part in parts if part)
    found = [Line(word, "text", spaced=True)] if word else []
    return [*found, Line(text, STYLES[ending.tone], spaced=True)] if text else found


def _not_verified(verdict: Verdict, asked: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return why a turn is not verified, and the line of the strategy's message that says the same; None if the
    verdict's headline says why."""
    from agent.engine.proof_step import regression_headline

    if asked.get("reproduces") is False and (verdict.no_loss or verdict.new_failures):
        headline = regression_headline(verdict)
        return headline, headline
    doubt = str(asked.get("doubt", ""))
    if doubt in verdict.notes and all(getattr(verdict, part) for part in PART_LABELS):
        return f"{DOUBTED} {doubt[:1].lower()}{doubt[1:]}", doubt
    return None


def _asked(proof: Step | None) -> Mapping[str, Any]:
    """Return the arguments of a proof."""
    found = proof.observations[0].data.get("asked") if proof and proof.observations else None
    return found if isinstance(found, Mapping) else {}


def stop_line(error: SweAgentError) -> Line:
    """Return the line for a turn that stopped early."""
    if type(error).__name__ == "Cancelled":
        return Line("Interrupted. Enter resumes; or say what to do instead.", "warning", spaced=True)
    return Line(f"{error.message} {error.fix}".strip(), "error", spaced=True)
