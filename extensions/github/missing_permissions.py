"""Advice on the permission or setting that is missing when GitHub refuses: what the owner must change, and where."""

from __future__ import annotations

import re

from extensions.github.action_inputs import PREFIX, Rules
from extensions.github.pull_request.push import NotAllowed, RuleViolation, WorkflowScope
from trajectories.errors import ConfigError, SweAgentError

OWN_TOKEN = "github-actions[bot]"
"""The user that a workflow's own token acts as."""
_ACTIONS = "Settings > Actions > General > Workflow permissions"
_SETTINGS = (
    (
        r"GitHub Actions is not permitted to create or approve pull requests",
        f"Switch on {_ACTIONS} > Allow GitHub Actions to create and approve pull requests (if it is disabled, first in "
        "the organisation), or publish with a GitHub App's token.",
    ),
    (r"archived", "Unarchive the repository: Settings > General > Danger Zone > Unarchive this repository."),
    (r"issues (?:has|have) been disabled|issues are disabled", "Switch on Settings > General > Features > Issues."),
    (r"\blocked\b", "Unlock the conversation, or use a token that may write to the repository."),
    (r"IP allow list", "The organisation only allows certain addresses: add the runner's to its IP allow list."),
    (r"suspended", "Unsuspend the App's installation: Settings > GitHub Apps > Configure."),
    (
        r"Bad credentials|rejects the token|could not read Username|Authentication failed|Invalid username",
        "The token is expired or invalid: check the secret that holds it.",
    ),
)
_RIGHT = re.compile(r"`([a-z-]+): (read|write|admin)`")


def explain_permission(error: SweAgentError, rules: Rules) -> SweAgentError:
    """Return the error with the missing permission or setting as its fix, if the refusal shows which."""
    # Other errors do not contain GitHub's message.
    if isinstance(error, ConfigError) or hasattr(error.__cause__, "status"):
        text = f"{error.message} {error.__cause__ or ''}"
        for pattern, fix in _SETTINGS:
            if re.search(pattern, text, re.IGNORECASE):
                return _with_fix(error, fix)
    match error:
        case WorkflowScope():
            return _with_fix(error, "Only a GitHub App's token can: give it `workflows: write`, and publish with it.")
        case RuleViolation() if "secret" not in error.message:
            where = "Settings > Rules > Rulesets, and Settings > Branches"
            return _with_fix(error, f"Allow the branches `{PREFIX}**` to be created: {where}.")
        case NotAllowed() if not isinstance(error, RuleViolation):
            return _with_fix(error, _grant({"contents": "write"}, rules))
        case ConfigError() if rights := dict(_RIGHT.findall(error.fix)):
            return _with_fix(error, _grant(rights, rules))
    return error


def _grant(rights: dict[str, str], rules: Rules) -> str:
    """Return advice on granting permissions: in the workflow file for the workflow's own token, in the App's settings
    for a GitHub App."""
    listed = " and ".join(f"`{name}: {level}`" for name, level in rights.items())
    if rules.bot == OWN_TOKEN:
        return f"Add {listed} to `permissions:` of the workflow that calls swe-agent."
    return f"Give the App {listed}, and accept that in its installation (Settings > GitHub Apps > Configure)."


def _with_fix(error: SweAgentError, fix: str) -> SweAgentError:
    found = type(error)(error.message, fix)
    found.__cause__ = error.__cause__
    return found
