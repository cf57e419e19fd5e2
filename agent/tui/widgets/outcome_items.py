"""How a proof stands, and how a turn ended: as the conversation says it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from agent.tui.blocks import Block, Line, folded, gap

if TYPE_CHECKING:
    from textual.strip import Strip

    from agent.tui.pen import Pen
    from trajectories.errors import SweAgentError
    from trajectories.records import Exit, Step, Verdict

PARTS = {"red": "red without it", "green": "green with it", "red_again": "red again", "no_loss": "no loss"}
"""The proof's parts in a few words each."""
COLOURS = {True: "success", False: "error", None: "muted"}
MORE = "`/cost USD` lets the session spend more in all."
NAMED = 10
"""Tests that are named unopened."""
DOUBTED = "Not verified: all of the proof holds, but"
UNTRUSTED = f"{DOUBTED} its results cannot be trusted; its notes say why."
ENDINGS = {
    "verified": ("Verified: the patch solves it, and a test proves it.", "bold success"),
    "faster": ("Faster: same answers, fewer instructions.", "bold success"),
    "unproven": ("Not verified: the files are changed, but the proof is not complete.", "warning"),
    "not_found": ("No fix was found.", "warning"),
    "budget": ("The budget is used up.", "bold warning"),
    "limit": ("A limit ended the turn.", "bold warning"),
    "stuck": ("It went round in circles, and was stopped.", "warning"),
    "error": ("The model could not go on.", "bold error"),
    "interrupted": ("Interrupted; what was done so far stays.", "muted"),
}


@dataclass(frozen=True, slots=True)
class Proven:
    """A step in which it was proven, or not, that nothing was lost and the issue is solved."""

    step: Step
    opens: bool = True

    def blocks(self, opened: bool, whole: bool = True) -> list[Block]:
        from agent.best import verdict_of

        verdict = verdict_of(self.step)
        found = [gap(), Block(partial(_parts, verdict))]
        for what, names in (("shown by", verdict.tests), ("lost", verdict.lost), ("flaky, left out", verdict.flaky)):
            if names:
                shown = names if opened else names[:NAMED]
                more = f" and {len(names) - len(shown)} more" if len(shown) < len(names) else ""
                found += folded(f"{what}: {', '.join(shown)}{more}", "error" if what == "lost" else "muted", 4)
        for note in verdict.notes:
            if note != _asked(self.step).get("doubt"):  # the turn's end says it
                found += folded(note, "muted", 4)
        return found + (folded(self.step.observations[0].text, "text", 4) if opened else [])


def _parts(verdict: Verdict, pen: Pen) -> list[Strip]:
    judged = [(words, getattr(verdict, part)) for part, words in PARTS.items()]
    judged = [(words, value) for words, value in judged if value is not None]
    if not judged:
        return [pen.line(("Proof ", "bold"), ("nothing could be judged", "muted"), indent=2)]
    told = [(f" {pen.mark(value)} {words} ", COLOURS[value]) for words, value in judged]
    if sum(len(words) for words, _ in told) + 8 <= pen.width:
        return [pen.line(("Proof ", "bold"), *told, indent=2)]
    return [pen.line(("Proof", "bold"), indent=2), *(pen.line(part, indent=3) for part in told)]


def ended(exit: Exit, word: str = "", proof: Step | None = None) -> list[Line]:
    """`word` is what the strategy says to the user, `proof` the turn's last. Nothing of a turn that was answered: the
    answer is its end."""
    if exit.kind == "answered":
        return []
    words, style = ENDINGS.get(exit.kind, ("", "muted"))
    if exit.kind == "unproven":
        words, said = _not_verified(exit.verdict, _asked(proof))
        word = "\n".join(line for line in word.split("\n") if not line or line != said).strip()
    parts = (words, exit.message, exit.fix) if exit.kind != "budget" else (exit.message or words, MORE)
    told = " ".join(part for part in parts if part)
    found = [Line(word, "text", spaced=True)] if word else []
    return [*found, Line(told, style, spaced=True)] if told else found


def _not_verified(verdict: Verdict, asked: Mapping[str, Any]) -> tuple[str, str]:
    """That it is not, and why, where the parts of the proof look as if it were; and the line of the strategy's word
    that says the same."""
    from agent.best import KEPT

    if asked.get("reproduces") is False and verdict.no_loss:
        return KEPT, KEPT
    if not all(getattr(verdict, part) for part in PARTS):
        return ENDINGS["unproven"][0], ""
    doubt = str(asked.get("doubt", ""))
    if doubt not in verdict.notes:
        return UNTRUSTED, ""
    return f"{DOUBTED} {doubt[:1].lower()}{doubt[1:]}", doubt


def _asked(proof: Step | None) -> Mapping[str, Any]:
    """What a proof was asked to show."""
    found = proof.observations[0].data.get("asked") if proof and proof.observations else None
    return found if isinstance(found, Mapping) else {}


def stopped(error: SweAgentError) -> Line:
    """What ended the turn before its end, and that it can be gone on with."""
    if type(error).__name__ == "Cancelled":
        return Line("Interrupted. Enter goes on as it was; or say what to do otherwise.", "warning", spaced=True)
    return Line(f"{error.message} {error.fix}".strip(), "error", spaced=True)
