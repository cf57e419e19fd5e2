"""History for the placeholders of prompts: fixes similar to the issue, earlier runs, and paths through commits to
places.

All of it is untrusted text, so it is quoted as data. Retrieval takes seconds, so it is done only if a prompt contains
such a placeholder, and the result is recorded. Storing experience and showing it after a failure follows ExpeRepair
(arXiv 2506.10484) and SWE-Exp (arXiv 2507.23361); paths through commits follow KGCompass (arXiv 2503.21710).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from string import Template
from typing import TYPE_CHECKING, Any

from aci.localization import issue_localization
from aci.localization.similar_fixes import LONGEST
from aci.observation.output_text import shorten
from aci.observation.secret_masking import mask_secrets
from aci.observation.untrusted_text import attribute_text, quote_fully, quote_text
from aci.repository.file_blobs import TreeBlobs
from agent.engine.run_memory import run_memory
from agent.prompts.opening_prompt import places
from agent.prompts.test_command_prompt import search_tree
from trajectories.errors import WorkspaceError
from trajectories.git_store.git_commands import GitFailed

if TYPE_CHECKING:
    from agent.engine.branch import Branch

NOTED = 5
"""Maximum number of paths that are shown to the user."""


def history_prompt(branch: Branch, prompt: str, known: Mapping[str, str]) -> dict[str, str]:
    """Return the texts for the placeholders in a prompt that are not `known` yet."""
    named = RETRIEVED.keys() & Template(prompt).get_identifiers()
    return {name: RETRIEVED[name](branch) or "(none)" for name in sorted(named - known.keys())}


def _past(branch: Branch) -> dict[str, Any]:
    """Return the similar fixes and the paths to places; they are recorded."""

    def look() -> dict[str, Any]:
        repository = branch.engine.repository
        before = issue_localization.HistoryBase(repository.git_dir, branch.turn.base.commit)
        try:
            found = issue_localization.retrieve_history(
                TreeBlobs(branch.engine.trees, search_tree(branch.turn, branch.engine.trees)),
                branch.turn.issue,
                before,
                branch.notify,
            )
        except (GitFailed, WorkspaceError) as error:
            return {"fixes": [], "routes": [], "why": str(error)}
        secrets = branch.engine.secrets
        return {
            "why": "",
            "fixes": [_masked(asdict(fix), secrets) for fix in found.fixes],
            "routes": [_masked(asdict(one), secrets) for one in found.routes.functions or found.routes.files],
        }

    past: dict[str, Any] = branch.once("past", look)
    if past["why"]:
        branch.notify(f"Earlier commits are not used: {past['why']}")
    return past


def _masked(found: dict[str, Any], secrets: Sequence[str]) -> dict[str, Any]:
    """Return a result with its secrets masked; its diff is shortened after the masking."""
    masked = {name: mask_secrets(value, secrets) if isinstance(value, str) else value for name, value in found.items()}
    return masked | ({"diff": shorten(masked["diff"], LONGEST)} if "diff" in masked else {})


def _fixes(branch: Branch) -> str:
    found = _past(branch)["fixes"]
    for fix in found:
        kinds = f" ({'; '.join(fix['kinds'])})" if fix["kinds"] else ""
        branch.note("summary", f"a past fix: {fix['commit'][:7]} {fix['subject']}, in {', '.join(fix['paths'])}{kinds}")
    return "\n\n".join(_framed_fix(fix) for fix in found)


def _framed_fix(fix: Mapping[str, Any]) -> str:
    kinds = f' kind="{attribute_text("; ".join(fix["kinds"]))}"' if fix["kinds"] else ""
    inside = quote_fully(f"{fix['subject']}\n{fix['diff']}")
    return f'<fix commit="{fix["commit"][:7]}"{kinds}>\n{inside}\n</fix>'


def _experience(branch: Branch) -> str:
    return run_memory().past_runs(branch, places(branch))


def _routes(branch: Branch) -> str:
    found = _past(branch)["routes"]
    lines = [f"{one['path']}:{one['line']} {one['name']}" if one["name"] else one["path"] for one in found]
    for place, one in list(zip(lines, found, strict=True))[:NOTED]:
        branch.note("score", f"{one['weight']:.2f}, {place}: {one['words']}")
    return quote_text("\n".join(f"- {place} ({one['words']})" for place, one in zip(lines, found, strict=True)))


RETRIEVED: Mapping[str, Callable[[Branch], str]] = {"fixes": _fixes, "experience": _experience, "routes": _routes}
