"""The preview of a run in the list of runs."""

from __future__ import annotations

from textual.content import Content

from aci.observation.untrusted_text import clean_text
from agent.console.activity_lines import cost
from agent.runs.resumable_runs import RunPreview
from trajectories.outcome_words import WITHOUT_EXIT, ending_of

LONGEST = 1500
"""Maximum number of characters of each text in the preview."""
REQUEST = 400
"""Maximum number of characters of a request, so that the answer below it is visible; a request may include whole
files."""


def preview_text(seen: RunPreview) -> Content:
    """Return the preview: how the run ended, its cost, the requests and the model's last message."""
    end = clean_text((WITHOUT_EXIT["open"] if seen.exit is None else ending_of(seen.exit)).headline)
    facts = f"{_count(seen.turns, 'turn')} · {_count(seen.steps, 'step')} · {cost(seen.spent, short=True)}"
    parts = [(end, "bold"), (f"\n{facts}\n\n", "$text-muted"), (_short(seen.issue, REQUEST), "")]
    if seen.request:
        parts += [("\n\nLast request\n", "$text-muted"), (_short(seen.request, REQUEST), "")]
    if seen.words:
        parts += [("\n\nLast reply\n", "$text-muted"), (_short(seen.words), "")]
    return Content.assemble(*parts)


def age(seconds: float) -> str:
    """Format an age in at most four characters, such as `now`, `12m`, `3h`, `12d` or `2y`."""
    if seconds < 60:
        return "now"
    for unit, size, below in (("m", 60, 3600), ("h", 3600, 86_400), ("d", 86_400, 365 * 86_400)):
        if seconds < below:
            return f"{seconds // size:.0f}{unit}"
    return f"{seconds // (365 * 86_400):.0f}y"


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'s' * (number != 1)}"


def _short(text: str, longest: int = LONGEST) -> str:
    text = clean_text(text).strip()
    return text if len(text) <= longest else f"{text[:longest].rstrip()} …"
