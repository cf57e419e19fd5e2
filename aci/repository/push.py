"""A commit goes to a branch of a server: a new one, or one that it continues; never by force.

A token goes to git by its environment, bound to the one address, and to nobody else: not over a redirect, not to a
credential helper. What the server refuses is said in words, without the token.
"""

from __future__ import annotations

import os
import re
from base64 import b64encode
from urllib.parse import urlsplit

from aci.outbox import Outbox
from aci.view import clean
from trajectories.errors import ConfigError, SweAgentError, TryLater, UsageError
from trajectories.plumbing import QUIET, GitFailed, git

PROTOCOLS = "http:https:ssh"
SECONDS = 300.0
USERS = ("GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM", "GIT_CONFIG_NOSYSTEM", "GIT_SSH", "GIT_SSL")
"""What of the user's environment says how servers are reached."""
LONGEST = 300
_BRANCH = re.compile(r"(?!-)[\w./-]{1,200}")


class NotAllowed(ConfigError):
    """The server does not take the push from this user or token."""


class Protected(NotAllowed):
    """A rule of the repository's forbids it."""


class WorkflowScope(NotAllowed):
    """The token may not change workflows."""


class Moved(UsageError):
    """The branch is not there as it was expected: taken, gone on, or gone."""


REFUSALS: tuple[tuple[str, type[SweAgentError], str, str], ...] = (
    (
        r"refusing to allow .* to create or update workflow",
        WorkflowScope,
        "The token may not change workflows of {place}.",
        "Give it the permission `workflows: write`, or leave .github/workflows as it is.",
    ),
    (
        r"cannot contain secrets|GH013.*secret",
        Protected,
        "{place} refuses the push: it sees a secret in it.",
        "Look at the patch; nothing was pushed.",
    ),
    (
        r"protected branch|GH006|GH013|rule violations|hook declined|push declined",
        Protected,
        "A rule of {place} forbids the branch {branch}: {reason}.",
        "Let its rulesets (Settings > Rules) allow branches of that name.",
    ),
    (
        r"stale info|fetch first|non-fast-forward|reference already exists|cannot lock ref|\[rejected\]",
        Moved,
        "The branch {branch} of {place} is not as it was: nothing was pushed.",
        "Look at it, then try again.",
    ),
    (
        r"host key verification failed",
        ConfigError,
        "ssh does not know the host of {place}.",
        "Connect to it once with ssh, and see that its key is right.",
    ),
    (
        r"error: 40[134]|permission .*denied|permission denied|authentication failed|could not read (?:user|pass)|"
        r"not granted|not found|invalid username|access rights|archived|read.only",
        NotAllowed,
        "{place} does not let you push: {reason}.",
        "It takes `contents: write` there. See that the token, or your git credentials, have it.",
    ),
)


def push(outbox: Outbox, commit: str, branch: str, url: str, token: str = "", new: bool = True) -> None:
    """Bring `commit` to `branch` of the repository at `url`: as a `new` branch that nobody has, or as what follows on
    its tip. With a token as GitHub takes it, else with the user's own git credentials.

    Raises Moved where the branch is not so, NotAllowed (Protected, WorkflowScope) where the server refuses, TryLater
    where nobody answers.
    """
    name = f"refs/heads/{branch}"
    try:
        if not _BRANCH.fullmatch(branch):
            raise ValueError
        outbox.git("check-ref-format", name)
    except (GitFailed, ValueError):
        raise UsageError(f"{branch!r} cannot be the name of a branch.", "Choose another name.") from None
    # of an expected nothing this forces nothing: it refuses to continue a branch that somebody else made
    only = (f"--force-with-lease={name}:",) if new else ()
    plain = ("--no-verify", "--no-signed", "--no-follow-tags", "--recurse-submodules=no", "--quiet")
    _remote(outbox, url, token, branch, "push", *plain, *only, "--", url, f"{commit}:{name}")


def tip(outbox: Outbox, branch: str, url: str, token: str = "") -> str:
    """The commit at `branch` of the repository at `url`; "" where there is none. Raises as `push`."""
    name = f"refs/heads/{branch}"
    listed = _remote(outbox, url, token, branch, "ls-remote", "--quiet", "--", url, name).decode().split()
    return listed[0] if listed[1:2] == [name] else ""


def fetch(outbox: Outbox, commit: str, url: str, token: str = "") -> None:
    """Have a commit of the repository at `url` here, with nothing before it. Raises as `push`."""
    _remote(outbox, url, token, "", "fetch", "--quiet", "--no-tags", "--depth=1", "--", url, commit)


def _remote(outbox: Outbox, url: str, token: str, branch: str, *args: str) -> bytes:
    own = {**QUIET, "GIT_ALLOW_PROTOCOL": PROTOCOLS, **(with_token(url, token) if token else {})}
    env = outbox.environment(own, keep=USERS)
    options = ("-c", f"core.hooksPath={os.devnull}", "-c", "push.negotiate=true", "-c", "gc.auto=0")
    try:
        return git(*options, *args, env=env, timeout=SECONDS)
    except GitFailed as error:
        raise _told(error, url, token, branch) from None


def with_token(url: str, token: str) -> dict[str, str]:
    """git's configuration by environment: the header for this address only, and no other way to log in."""
    header = b64encode(f"x-access-token:{token}".encode()).decode()
    pairs = [
        (f"http.{url}.extraHeader", ""),  # nobody else's beside it
        (f"http.{url}.extraHeader", f"Authorization: Basic {header}"),
        (f"http.{url}.followRedirects", "false"),
        ("credential.helper", ""),
    ]
    named = {
        f"GIT_CONFIG_{part}_{at}": pair[n] for at, pair in enumerate(pairs) for n, part in enumerate(("KEY", "VALUE"))
    }
    return {**named, "GIT_CONFIG_COUNT": str(len(pairs)), "GIT_ASKPASS": ""}


def _told(error: GitFailed, url: str, token: str, branch: str) -> SweAgentError:
    """What the server, or git before it asked one, said. The server's words are a stranger's."""
    place = f"{urlsplit(url).hostname or ''}{urlsplit(url).path}".removesuffix(".git") if "://" in url else url
    for pattern, kind, message, fix in REFUSALS:
        if re.search(pattern, error.stderr, re.IGNORECASE | re.DOTALL):
            reason = _reason(error.stderr, pattern, token)
            return kind(message.format(place=place, branch=branch, reason=reason), fix)
    return TryLater(f"{place} could not be reached: {_reason(error.stderr, '', token) or error.reason}.", "Try again.")


def _reason(said: str, pattern: str, token: str) -> str:
    """The line that says why, as one clause."""
    lines = [line.removeprefix("remote:").strip() for line in clean(said).splitlines()]
    lines = [line for line in lines if re.search(r"\w", line)]
    telling = next((line for line in lines if pattern and re.search(pattern, line, re.IGNORECASE)), "")
    telling = telling or next((line for line in lines if line.startswith(("fatal:", "error:"))), "")
    telling = re.sub(r"^(?:fatal|error): ", "", telling or " ".join(lines[-1:]))
    hidden = telling.replace(token, "[masked]") if token else telling
    return re.sub(r"//[^/\s]*@", "//", hidden)[:LONGEST].rstrip(". ")
