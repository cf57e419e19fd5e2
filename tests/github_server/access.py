"""Access checks: tokens, their permissions, and GitHub's refusals."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass, field

from tests.github_server.request import Refused
from tests.github_server.state import Repo, User

LIMIT, ANONYMOUS = 5000, 60


@dataclass(slots=True)
class Token:
    """A token. `permissions` are as in a workflow; None is a classic token with all rights of its user.

    The token of an `app` acts as a bot: it is the Action's own GITHUB_TOKEN, or an App's.
    """

    text: str
    user: User
    permissions: Mapping[str, str] | None = None
    app: bool = False
    sso: bool = False


@dataclass(slots=True)
class Quota:
    limit: int
    remaining: int
    reset: int
    status: int = 403
    used: int = field(default=0)


def token_of(headers: Mapping[str, str]) -> str:
    """Return the token in the headers of a request, or "": as Bearer or token, or as git's password."""
    kind, _, value = headers.get("authorization", "").partition(" ")
    if kind.lower() == "basic":
        return b64decode(value).decode("utf-8", "replace").partition(":")[2]
    return value.strip() if kind.lower() in ("bearer", "token") else ""


def allows(token: Token, needs: str) -> bool:
    """Whether a token has all of the permissions in a list like `issues=write,contents=read`."""
    granted = {name.replace("-", "_"): level for name, level in (token.permissions or {}).items()}
    return all(
        granted.get(name, "read" if name == "metadata" else "none") in (level, "write", "admin")
        for name, _, level in (need.partition("=") for need in needs.split(","))
    )


def check(token: Token | None, repo: Repo | None, needs: tuple[str, ...], only: str = "") -> None:
    """Raise Refused if the token has no access.

    `needs` are alternatives, as GitHub's header lists them; `only` is the one that counts in this case.
    """
    reads = all(need.endswith("=read") for need in needs)
    if repo and repo.private and (token is None or not _can_see(token, repo)):
        raise Refused(404)
    if token is None:
        if not reads:
            raise Refused(401, "Requires authentication")
        return
    accepted = "; ".join(needs)
    if token.permissions is not None:
        open_to_all = reads and repo is not None and not repo.private
        if not open_to_all and not any(allows(token, need) for need in ([only] if only else needs)):
            kind = "integration" if token.app else "personal access token"
            raise Refused(403, f"Resource not accessible by {kind}", X_Accepted_GitHub_Permissions=accepted)
    if repo and repo.archived and not reads:
        raise Refused(403, "Repository was archived so is read-only.")


def _can_see(token: Token, repo: Repo) -> bool:
    return token.app or repo.has_access(token.user.login, "read")


def can_push(token: Token | None, repo: Repo) -> bool:
    """Whether the token's user has write access."""
    return token is not None and (token.app or repo.has_access(token.user.login, "write"))
