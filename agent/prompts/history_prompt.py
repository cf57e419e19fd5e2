"""What prompts may name of the past: fixes like the issue, earlier runs, and ways over commits to places.

All of it is somebody's words, so data. It costs seconds, so it is looked for only where a prompt names it, and is on
the record then. That what was seen before is kept and told beside what failed is ExpeRepair's (arXiv 2506.10484) and
SWE-Exp's (arXiv 2507.23361), the ways over commits are KGCompass's (arXiv 2503.21710).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from string import Template
from typing import TYPE_CHECKING, Any

from aci import locating
from aci.graph.blobs import TreeBlobs
from aci.past_fixes import LONGEST
from aci.view import mask, shorten
from agent.moves.framing import framed, framed_whole, in_mark
from agent.moves.opening import looked_at, places
from agent.moves.recalling import recalled
from trajectories.errors import WorkspaceError
from trajectories.plumbing import GitFailed

if TYPE_CHECKING:
    from agent.task import Task

NOTED = 5
"""Ways that are noted for who watches."""


def retrieved(task: Task, prompt: str, known: Mapping[str, str]) -> dict[str, str]:
    """What of these a prompt names and nobody has asked for yet, in words for a model."""
    named = RETRIEVED.keys() & Template(prompt).get_identifiers()
    return {name: RETRIEVED[name](task) or "(none)" for name in sorted(named - known.keys())}


def _past(task: Task) -> dict[str, Any]:
    """Fixes and ways, on the record."""

    def look() -> dict[str, Any]:
        repository = task.engine.repository
        before = locating.Before(repository.git_dir, task.base.commit)
        try:
            found = locating.retrieved(TreeBlobs(task.trees, looked_at(task)), task.issue, before, task.notify)
        except (GitFailed, WorkspaceError) as error:
            return {"fixes": [], "routes": [], "why": str(error)}
        secrets = task.engine.secrets
        return {
            "why": "",
            "fixes": [_masked(asdict(fix), secrets) for fix in found.fixes],
            "routes": [_masked(asdict(one), secrets) for one in found.routes.functions or found.routes.files],
        }

    past: dict[str, Any] = task.once("past", look)
    if past["why"]:
        task.notify(f"Nothing is told of earlier commits: {past['why']}")
    return past


def _masked(found: dict[str, Any], secrets: Sequence[str]) -> dict[str, Any]:
    """Masked as a whole, and then cut."""
    masked = {name: mask(value, secrets) if isinstance(value, str) else value for name, value in found.items()}
    return masked | ({"diff": shorten(masked["diff"], LONGEST)} if "diff" in masked else {})


def _fixes(task: Task) -> str:
    found = _past(task)["fixes"]
    for fix in found:
        kinds = f" ({'; '.join(fix['kinds'])})" if fix["kinds"] else ""
        task.note("summary", f"a past fix: {fix['commit'][:7]} {fix['subject']}, in {', '.join(fix['paths'])}{kinds}")
    return "\n\n".join(_framed_fix(fix) for fix in found)


def _framed_fix(fix: Mapping[str, Any]) -> str:
    kinds = f' kind="{in_mark("; ".join(fix["kinds"]))}"' if fix["kinds"] else ""
    inside = framed_whole(f"{fix['subject']}\n{fix['diff']}")
    return f'<fix commit="{fix["commit"][:7]}"{kinds}>\n{inside}\n</fix>'


def _experience(task: Task) -> str:
    return recalled(task, places(task))


def _routes(task: Task) -> str:
    found = _past(task)["routes"]
    lines = [f"{one['path']}:{one['line']} {one['name']}" if one["name"] else one["path"] for one in found]
    for place, one in list(zip(lines, found, strict=True))[:NOTED]:
        task.note("score", f"{one['weight']:.2f}, {place}: {one['words']}")
    return framed("\n".join(f"- {place} ({one['words']})" for place, one in zip(lines, found, strict=True)))


RETRIEVED: Mapping[str, Callable[[Task], str]] = {"fixes": _fixes, "experience": _experience, "routes": _routes}
