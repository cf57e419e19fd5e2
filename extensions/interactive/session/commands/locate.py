"""Find the likely places for a problem or change, without a model; with --model, one chooses among them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aci.observation.untrusted_text import clean_text
from agent.inputs.issue_input import from_text
from trajectories.errors import UsageError
from trajectories.plugins import missing_extension, names

if TYPE_CHECKING:
    from aci.localization.place_ranking import RankedPlace, RankedPlaces
    from extensions.interactive.session.session import Session

USAGE = "[--model] WORDS"
GROUP = "what"
IN_EDITORS = "always"
TOP = 10
REASONS = 2
STRATEGY = "locate-places"


def run(session: Session, words: str) -> None:
    from aci.localization.issue_localization import HistoryBase, localize_issue

    first, _, rest = words.strip().partition(" ")
    is_asked = first == "--model"
    words = rest.strip() if is_asked else words
    if not words:
        raise UsageError("There is nothing to search for.", "Describe what goes wrong, or what to change.")
    if is_asked:
        if STRATEGY not in names("agent.strategies"):
            raise missing_extension("`/locate --model`", "code_search")
        session.turns.act(f"/locate --model {words}", STRATEGY)
        return
    source, base = session.start.source, session.start.base
    with source.blobs(base) as blobs:
        before = HistoryBase(source.git_dir, source.commit(base))
        found = localize_issue(blobs, from_text(words), before, TOP, lambda line: None, None)
    session.show(_list_places(found.places), title="Places")


def _list_places(places: RankedPlaces) -> str:
    """List the functions, most likely first, then the files in which no function is listed, then a few classes."""
    from aci.localization.place_ranking import SHOWN_CLASSES

    lines = [_definition_line(hit) for hit in places.functions[:TOP]]
    named = {hit.path for hit in places.functions}
    lines += [f"{hit.path}{_why(hit.why)}" for hit in places.files if hit.path not in named]
    listed = [f"{number:2}. {clean_text(line)}" for number, line in enumerate(lines[:TOP], 1)]
    listed += [f"  - class {clean_text(_definition_line(hit))}" for hit in places.classes[:SHOWN_CLASSES]]
    return "\n".join(listed) or "No place in the repository matches."


def _definition_line(hit: RankedPlace) -> str:
    return f"{hit.path}:{hit.line} {hit.name}{_why(hit.why)}"


def _why(reasons: tuple[str, ...]) -> str:
    return f" - {'; '.join(reasons[:REASONS])}" if reasons else ""
