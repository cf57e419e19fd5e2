"""Where a repository keeps what it says of contributions by an AI, and what that means for an errand."""

from __future__ import annotations

import re
from base64 import b64decode
from typing import TYPE_CHECKING
from urllib.parse import quote

from agent.github.client import asking
from agent.github.policy import refusal
from agent.github.trigger import Skipped

if TYPE_CHECKING:
    from github.GitTreeElement import GitTreeElement
    from github.Repository import Repository

    from agent.github.address import Address

FOLDERS = (".github", "docs")
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
        for path, file in _files(place, base):
            text = b64decode(place.get_git_blob(file.sha).content).decode("utf-8", "replace")
            if sentence := refusal(text, asked=asked):
                raise Skipped(f"{path} says: {sentence}")
            if is_policy(file.path):
                linked.append(f"{here.url}/blob/{base}/{quote(path)}")
    return tuple(linked)


def is_policy(name: str) -> bool:
    """Whether a file of that name is about contributions by an AI: `AI_POLICY.md`, `llm-usage-policy.rst`, …"""
    stem = _TEXT.fullmatch(name)
    return bool(stem and _POLICY.fullmatch(stem[1]))


def _files(place: Repository, base: str) -> list[tuple[str, GitTreeElement]]:
    """Those of interest, by their paths, policies first."""
    top = place.get_git_tree(base).tree
    found = [(one.path, one) for one in top]
    for folder in (one for one in top if one.type == "tree" and one.path.lower() in FOLDERS):
        found += [(f"{folder.path}/{one.path}", one) for one in place.get_git_tree(folder.sha).tree]
    wanted = [pair for pair in found if pair[1].type == "blob" and 0 < (pair[1].size or 0) <= MOST_BYTES]
    policies = [pair for pair in wanted if is_policy(pair[1].path)]
    return (policies + [pair for pair in wanted if _is_guide(pair[1].path)])[:MOST_FILES]


def _is_guide(name: str) -> bool:
    stem = _TEXT.fullmatch(name)
    return bool(stem and stem[1].lower() == "contributing")
