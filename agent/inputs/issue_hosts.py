"""The hosts of issues, each read by an extension: which one serves a URL, or a remote of the user's repository."""

from __future__ import annotations

import re
from importlib import import_module
from typing import TYPE_CHECKING, Any

from trajectories.errors import UsageError
from trajectories.git_store.git_commands import decode
from trajectories.plugins import extension_packages, serving_module

if TYPE_CHECKING:
    from aci.repository.user_repository import Repository

ISSUE_NUMBER = re.compile(r"#?(?P<number>[1-9]\d{0,9})", re.ASCII)
"""The number of an issue of the user's repository, as in `#300`."""
_HOST = re.compile(r"(?:\w+://(?:[^/@\s]*@)?|(?:[\w.-]+@)?(?=[\w.-]+:))(?P<host>[\w-]+\.[\w.-]+).*")


def issue_host(url: str = "", what: str = "An issue on GitHub") -> Any:
    """Return the module of the extension that reads from the host of `url`, or from GitHub if no extension knows the
    host. Raises UsageError, for `what`, if it is not installed."""
    return serving_module("agent.inputs.issue_hosts", url, what, "github")


def find_issue_url(source: Repository, number: int) -> str:
    """Return the URL of an issue of the user's repository: of the remote `upstream`, else `origin`, else another one,
    as GitHub's command line chooses it.

    The configured URLs are read as they are: `insteadOf` does not change them. Raises UsageError if no remote is on a
    server to which requests may be sent.
    """
    hosts, other = [import_module(name) for name in extension_packages("agent.inputs.issue_hosts")], ""
    called = decode(source._git("remote")).split()
    for name in sorted(called, key=lambda name: (name != "upstream", name != "origin", name)):
        for url in decode(source._git("config", "--get-all", f"remote.{name}.url", ok=(0, 1))).splitlines():
            if issue := next(filter(None, (host.issue_url(url, number) for host in hosts)), ""):
                return str(issue)
            other = other or (host["host"].lower() if (host := _HOST.fullmatch(url)) else "")
    where = f"No remote of {source.root} is on GitHub or GitLab"
    if other:
        advice = f"If it is one, set GH_HOST={other} or GITLAB_HOST={other}; else give the text with --text."
        raise UsageError(f"{where}; {other} is not known as a server of them.", advice)
    raise UsageError(f"{where}.", f"Give the URL of issue {number}.")
