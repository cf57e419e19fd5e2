"""Show where something is likely to be done or solved, without a model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aci.view import clean
from agent.intake import from_text
from trajectories.errors import UsageError

if TYPE_CHECKING:
    from aci.localize import Places
    from agent.session.session import Session

USAGE = "WORDS"
GROUP = "what"
TOP = 10
REASONS = 2


def run(session: Session, words: str) -> None:
    from aci.locating import Before, located

    if not words:
        raise UsageError("Nothing was named to look for.", "Write what goes wrong, or what is to be changed.")
    source, base = session.start.source, session.start.base
    with source.blobs(base) as blobs:
        before = Before(source.git_dir, source.commit(base))
        found = located(blobs, from_text(words), before, TOP, lambda line: None, None)
    session.tell(_told(found.places), title="Places")


def _told(places: Places) -> str:
    """Functions first, the likeliest of them first; a file is told for itself where none of its functions is."""
    lines = [f"{hit.path}:{hit.line} {hit.name}{_why(hit.why)}" for hit in places.functions[:TOP]]
    named = {hit.path for hit in places.functions}
    lines += [f"{hit.path}{_why(hit.why)}" for hit in places.files if hit.path not in named]
    return "\n".join(f"{number:2}. {clean(line)}" for number, line in enumerate(lines[:TOP], 1)) or (
        "Nothing in the repository answers to it."
    )


def _why(reasons: tuple[str, ...]) -> str:
    return f" - {'; '.join(reasons[:REASONS])}" if reasons else ""
