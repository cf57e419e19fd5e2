"""Where a repository keeps what it says of contributions by an AI, and what that means for an errand."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import quote

from agent.github.client import asking
from agent.github.policy import refusal
from agent.github.trigger import Skipped

if TYPE_CHECKING:
    from github.Repository import Repository

    from agent.github.address import Address

FOLDERS = (".github", "docs")
FILES = ("100644", "100755")
MOST_BYTES, MOST_FILES = 200_000, 6
_TEXT = re.compile(r"(.+?)(?:\.(?:md|markdown|mdx|rst|txt|adoc))?", re.IGNORECASE)
_POLICY = re.compile(
    r"(?=.*(?:polic|guideline|rule|contribut|usage|disclosure))(?:[a-z]+[-_ ])*?(?:gen)?(?:ai|llms?)(?:[-_ ][a-z]+)*",
    re.IGNORECASE,
)


def check_policies(place: Repository, here: Address, base: str, *, asked: bool) -> tuple[str, ...]:
    """Addresses of the repository's own policies on AI at a commit. Raises Skipped where one refuses such work, or the
    guide to contributing does; `asked` as in `policy.refusal`."""
    linked = []
    with asking("read the repository's policy on AI", "contents: read"):
        for path in _files(place, base):
            file = place.get_contents(path, ref=base)
            text = "" if isinstance(file, list) else file.decoded_content.decode("utf-8", "replace")
            on_ai = is_policy(path.rpartition("/")[2])
            if sentence := refusal(text, asked=asked, on_ai=on_ai):
                raise Skipped(f"{path} says: {sentence}")
            if on_ai:
                linked.append(f"{here.url}/blob/{base}/{quote(path)}")
    return tuple(linked)


def is_policy(name: str) -> bool:
    """Whether a file of that name is about contributions by an AI: `AI_POLICY.md`, `llm-usage-policy.rst`, …"""
    stem = _TEXT.fullmatch(name)
    return bool(stem and _POLICY.fullmatch(stem[1]))


def _files(place: Repository, base: str) -> list[str]:
    """The paths of those of interest, policies first."""
    top = place.get_git_tree(base).tree
    found = {one.path: one for one in top}
    for folder in (one for one in top if one.type == "tree" and one.path.lower() in FOLDERS):
        found |= {f"{folder.path}/{one.path}": one for one in place.get_git_tree(folder.sha).tree}
    paths = [path for path, one in found.items() if one.mode in FILES and 0 < (one.size or 0) <= MOST_BYTES]
    policies = [path for path in paths if is_policy(path.rpartition("/")[2])]
    return (policies + [path for path in paths if _is_guide(path.rpartition("/")[2])])[:MOST_FILES]


def _is_guide(name: str) -> bool:
    stem = _TEXT.fullmatch(name)
    return bool(stem and stem[1].lower() in ("contributing", "policy"))
