"""Pushing a commit to a branch of a server: a new branch or a fast-forward, never by force.

git gets the token from its environment, bound to one URL: it is sent neither over a redirect nor to a credential
helper. Error messages never contain the token.
"""

from __future__ import annotations

import os
import re
from urllib.parse import urlsplit

from aci.observation.untrusted_text import clean_output
from aci.repository.clone import token_environment
from extensions.github.pull_request.publish_store import PublishStore
from trajectories.errors import ConfigError, SweAgentError, TryLater, UsageError
from trajectories.git_store.git_commands import QUIET, GitFailed, git

PROTOCOLS = "http:https:ssh"
SECONDS = 300.0
USERS = ("GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM", "GIT_CONFIG_NOSYSTEM", "GIT_SSH", "GIT_SSL")
"""Variables of the user's environment that are kept because they configure access to servers."""
LONGEST = 300
_BRANCH = re.compile(r"(?!-)[\w./-]{1,200}")


class NotAllowed(ConfigError):
    """The server does not accept the push from this user or token."""


class RuleViolation(NotAllowed):
    """A rule of the repository forbids the push."""


class WorkflowScope(NotAllowed):
    """The token does not have permission to change workflows."""


class BranchMoved(UsageError):
    """The branch is not in the expected state: it exists already, has new commits, or is missing."""


REFUSALS: tuple[tuple[str, type[SweAgentError], str, str], ...] = (
    (
        r"refusing to allow .* to create or update workflow",
        WorkflowScope,
        "The token may not change workflows of {place}.",
        "Give it the permission `workflows: write`, or leave .github/workflows as it is.",
    ),
    (
        r"cannot contain secrets|GH013.*secret",
        RuleViolation,
        "{place} refuses the push: it detected a secret in it.",
        "Check the patch; nothing was pushed.",
    ),
    (
        r"protected branch|GH006|GH013|rule violations|hook declined|push declined",
        RuleViolation,
        "A rule of {place} forbids the branch {branch}: {reason}.",
        "Let its rules for branches (in its settings) allow branches of that name.",
    ),
    (
        r"stale info|fetch first|non-fast-forward|reference already exists|cannot lock ref|\[rejected\]",
        BranchMoved,
        "The branch {branch} of {place} has changed: nothing was pushed.",
        "Check the branch, then try again.",
    ),
    (
        r"host key verification failed",
        ConfigError,
        "ssh does not know the host of {place}.",
        "Connect to it once with ssh and verify its key.",
    ),
    (
        r"error: 40[134]|permission .*denied|permission denied|authentication failed|could not read (?:user|pass)|"
        r"not granted|not found|invalid username|access rights|archived|read.only",
        NotAllowed,
        "{place} does not let you push: {reason}.",
        "Pushing needs `contents: write`, on GitLab `write_repository`. Check your token or git credentials.",
    ),
)


def push(outbox: PublishStore, commit: str, branch: str, url: str, token: str = "", new: bool = True) -> None:
    """Push `commit` to `branch` of the repository at `url`: as a `new` branch, or as a fast-forward of an existing one.

    Logs in with a GitHub token if there is one, else with the user's git credentials.
    Raises BranchMoved if the branch is not in the expected state, NotAllowed (Protected, WorkflowScope) if the server
    refuses, and TryLater if the server does not answer.
    """
    name = f"refs/heads/{branch}"
    try:
        if not _BRANCH.fullmatch(branch):
            raise ValueError
        outbox.git("check-ref-format", name)
    except (GitFailed, ValueError):
        raise UsageError(f"{branch!r} is not a valid branch name.", "Choose another name.") from None
    # this lease forces nothing: it makes the server reject the push if someone else has created the branch
    only = (f"--force-with-lease={name}:",) if new else ()
    plain = ("--no-verify", "--no-signed", "--no-follow-tags", "--recurse-submodules=no", "--quiet")
    _remote(outbox, url, token, branch, "push", *plain, *only, "--", url, f"{commit}:{name}")


def branch_tip(outbox: PublishStore, branch: str, url: str, token: str = "") -> str:
    """Return the commit at `branch` of the repository at `url`, or "" if there is none. Raises the same errors as
    `push`."""
    name = f"refs/heads/{branch}"
    listed = _remote(outbox, url, token, branch, "ls-remote", "--quiet", "--", url, name).decode().split()
    return listed[0] if listed[1:2] == [name] else ""


def fetch_commit(outbox: PublishStore, commit: str, url: str, token: str = "") -> None:
    """Fetch a commit of the repository at `url`, without its history. Raises the same errors as `push`."""
    _remote(outbox, url, token, "", "fetch", "--quiet", "--no-tags", "--depth=1", "--", url, commit)


def _remote(outbox: PublishStore, url: str, token: str, branch: str, *args: str) -> bytes:
    env = outbox.environment({**QUIET, "GIT_ALLOW_PROTOCOL": PROTOCOLS}, keep=USERS)
    env |= token_environment(url, token, env) if token else {}
    options = ("-c", f"core.hooksPath={os.devnull}", "-c", "push.negotiate=true", "-c", "gc.auto=0")
    try:
        return git(*options, *args, env=env, timeout=SECONDS)
    except GitFailed as error:
        raise _error_of(error, url, token, branch) from None


def _error_of(error: GitFailed, url: str, token: str, branch: str) -> SweAgentError:
    """Return the exception for an error message of git or the server. The server's text is untrusted."""
    place = f"{urlsplit(url).hostname or ''}{urlsplit(url).path}".removesuffix(".git") if "://" in url else url
    for pattern, kind, message, fix in REFUSALS:
        if re.search(pattern, error.stderr, re.IGNORECASE | re.DOTALL):
            reason = _reason(error.stderr, pattern, token)
            return kind(message.format(place=place, branch=branch, reason=reason), fix)
    return TryLater(f"{place} could not be reached: {_reason(error.stderr, '', token) or error.reason}.", "Try again.")


def _reason(stderr: str, pattern: str, token: str) -> str:
    """Return the line of git's output that gives the reason, with the token removed."""
    lines = [line.removeprefix("remote:").strip() for line in clean_output(stderr).splitlines()]
    lines = [line for line in lines if re.search(r"\w", line)]
    line_with_reason = next((line for line in lines if pattern and re.search(pattern, line, re.IGNORECASE)), "")
    line_with_reason = line_with_reason or next((line for line in lines if line.startswith(("fatal:", "error:"))), "")
    line_with_reason = re.sub(r"^(?:fatal|error): ", "", line_with_reason or " ".join(lines[-1:]))
    hidden = line_with_reason.replace(token, "[masked]") if token else line_with_reason
    return re.sub(r"//[^/\s]*@", "//", hidden)[:LONGEST].rstrip(". ")
