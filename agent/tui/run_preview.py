"""What is told of a run in a list of runs."""

from __future__ import annotations

from textual.content import Content

from aci.view import clean
from agent.live import cost
from agent.session.runs import Seen

LONGEST = 1500
"""Characters of a text; the session shows all."""
REQUEST = 400
"""Characters of a request, which may bring whole files along: what was answered is to be seen below it."""
ENDS = {
    "verified": "Verified.",
    "faster": "Faster, with the same answers.",
    "unproven": "A patch, not verified.",
    "not_found": "No fix was found.",
    "budget": "The budget ended it.",
    "limit": "A limit ended it.",
    "error": "The model could not go on.",
    "answered": "Answered, nothing was changed.",
    "undone": "Taken back.",
    "done": "Done.",
    "written": "Tests were written.",
}


def told(seen: Seen) -> Content:
    """The request, the model's last words, how it stands and what it cost."""
    end = "Not finished." if seen.exit is None else ENDS.get(seen.exit.kind, clean(seen.exit.kind))
    facts = f"{_count(seen.turns, 'turn')} · {_count(seen.steps, 'step')} · {cost(seen.spent, short=True)}"
    parts = [(end, "bold"), (f"\n{facts}\n\n", "$text-muted"), (_short(seen.issue, REQUEST), "")]
    if seen.request:
        parts += [("\n\nAsked last\n", "$text-muted"), (_short(seen.request, REQUEST), "")]
    if seen.words:
        parts += [("\n\nLast words\n", "$text-muted"), (_short(seen.words), "")]
    return Content.assemble(*parts)


def age(seconds: float) -> str:
    """How long ago, in four columns: `now`, `12m`, `3h`, `12d`, `2y`."""
    if seconds < 60:
        return "now"
    for unit, size, below in (("m", 60, 3600), ("h", 3600, 86_400), ("d", 86_400, 365 * 86_400)):
        if seconds < below:
            return f"{seconds // size:.0f}{unit}"
    return f"{seconds // (365 * 86_400):.0f}y"


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'s' * (number != 1)}"


def _short(text: str, longest: int = LONGEST) -> str:
    text = clean(text).strip()
    return text if len(text) <= longest else f"{text[:longest].rstrip()} …"
