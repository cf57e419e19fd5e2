"""Which permission or setting is missing where GitHub refuses: what a repository's owner is to change, and where."""

from __future__ import annotations

import re

from aci.pushing import NotAllowed, Protected, WorkflowScope
from agent.github.rules import PREFIX, Rules
from trajectories.errors import ConfigError, SweAgentError

OWN_TOKEN = "github-actions[bot]"
"""Who a workflow's own token acts as."""
_ACTIONS = "Settings > Actions > General > Workflow permissions"
_SETTINGS = (
    (
        r"GitHub Actions is not permitted to create or approve pull requests",
        f"Switch on {_ACTIONS} > Allow GitHub Actions to create and approve pull requests (where it is grey, first in "
        "the organisation), or publish with a GitHub App's token.",
    ),
    (r"archived", "Take it out of the archive: Settings > General > Danger Zone > Unarchive this repository."),
    (r"issues (?:has|have) been disabled|issues are disabled", "Switch on Settings > General > Features > Issues."),
    (r"\blocked\b", "Unlock the conversation, or use a token that may write to the repository."),
    (r"IP allow list", "The organisation lets in some addresses only: add the runner's to its IP allow list."),
    (r"suspended", "Take up the App's installation again: Settings > GitHub Apps > Configure."),
    (
        r"Bad credentials|does not know the token|could not read Username|Authentication failed|Invalid username",
        "The token is no more, or no token: see the secret it is in.",
    ),
)
_RIGHT = re.compile(r"`([a-z-]+): (read|write|admin)`")


def explained(error: SweAgentError, rules: Rules) -> SweAgentError:
    """The same error with the permission or setting as its fix, where the refusal tells."""
    if isinstance(error, ConfigError) or hasattr(error.__cause__, "status"):  # else they are not GitHub's words
        told = f"{error.message} {error.__cause__ or ''}"
        for pattern, fix in _SETTINGS:
            if re.search(pattern, told, re.IGNORECASE):
                return _with(error, fix)
    match error:
        case WorkflowScope():
            return _with(error, "Only a GitHub App's token can: give it `workflows: write`, and publish with it.")
        case Protected() if "secret" not in error.message:
            where = "Settings > Rules > Rulesets, and Settings > Branches"
            return _with(error, f"Let the branches `{PREFIX}**` be made: {where}.")
        case NotAllowed() if not isinstance(error, Protected):
            return _with(error, _grant({"contents": "write"}, rules))
        case ConfigError() if rights := dict(_RIGHT.findall(error.fix)):
            return _with(error, _grant(rights, rules))
    return error


def _grant(rights: dict[str, str], rules: Rules) -> str:
    """Where a right is given: to a workflow's own token in the workflow, to an App in its settings."""
    listed = " and ".join(f"`{name}: {level}`" for name, level in rights.items())
    if rules.bot == OWN_TOKEN:
        return f"Add {listed} to `permissions:` of the workflow that calls swe-agent."
    return f"Give the App {listed}, and accept that in its installation (Settings > GitHub Apps > Configure)."


def _with(error: SweAgentError, fix: str) -> SweAgentError:
    found = type(error)(error.message, fix)
    found.__cause__ = error.__cause__
    return found
