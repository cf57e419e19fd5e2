"""The repository's policy files on AI-written contributions, and the check whether they refuse a task."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING
from urllib.parse import quote

from extensions.github.api.github_client import translate_errors
from extensions.github.task.ai_policy import refusal
from extensions.github.task.trigger_event import TriggerSkipped

if TYPE_CHECKING:
    from github.Repository import Repository

    from agent.inputs.github_urls import Address

FOLDERS = (".github", "docs")
FILES = ("100644", "100755")
MOST_BYTES, MOST_FILES = 200_000, 6
_TEXT = re.compile(r"(.+?)(?:\.(?:md|markdown|mdx|rst|txt|adoc))?", re.IGNORECASE)
_POLICY = re.compile(
    r"(?=.*(?:polic|guideline|rule|contribut|usage|disclosure))(?:[a-z]+[-_ ])*?(?:gen)?(?:ai|llms?)(?:[-_ ][a-z]+)*",
    re.IGNORECASE,
)


def check_policies(place: Repository, here: Address, base: str, *, asked: bool) -> tuple[str, ...]:
    """Return the URLs of the repository's AI policies at a commit.

    Raises TriggerSkipped if one of them, or the contributing guide, refuses AI-written contributions; `asked` as in
    `ai_policy.refusal`.
    """
    with translate_errors("read the repository's policy on AI", "contents: read"):
        files = ((path, place.get_contents(path, ref=base)) for path in _files(place, base))
        texts = (
            (path, "" if isinstance(file, list) else file.decoded_content.decode("utf-8", "replace"))
            for path, file in files
        )
        return tuple(f"{here.url}/blob/{base}/{quote(path)}" for path in policies_among(texts, asked=asked))


def policies_among(texts: Iterable[tuple[str, str]], *, asked: bool) -> list[str]:
    """Return the paths of AI policies among files and their texts. Raises what `check_policies` raises."""
    linked = []
    for path, text in texts:
        on_ai = is_policy(path.rpartition("/")[2])
        if sentence := refusal(text, asked=asked, on_ai=on_ai):
            raise TriggerSkipped(f"{path} says: {sentence}")
        linked += [path] if on_ai else []
    return linked


def is_policy(name: str) -> bool:
    """Whether a file of this name is about AI-written contributions: `AI_POLICY.md`, `llm-usage-policy.rst`, …"""
    stem = _TEXT.fullmatch(name)
    return bool(stem and _POLICY.fullmatch(stem[1]))


def _files(place: Repository, base: str) -> list[str]:
    """Return the paths of policies and guides, policies first."""
    top = place.get_git_tree(base).tree
    found = {one.path: one for one in top}
    for folder in (one for one in top if one.type == "tree" and one.path.lower() in FOLDERS):
        found |= {f"{folder.path}/{one.path}": one for one in place.get_git_tree(folder.sha).tree}
    return policy_paths(path for path, one in found.items() if one.mode in FILES and 0 < (one.size or 0) <= MOST_BYTES)


def policy_paths(found: Iterable[str]) -> list[str]:
    """Return the paths of policies and guides among those of the top folder and of FOLDERS, policies first."""
    folders = ("", *FOLDERS)
    paths = [path for path in found if path.rpartition("/")[0].lower() in folders]
    policies = [path for path in paths if is_policy(path.rpartition("/")[2])]
    return (policies + [path for path in paths if _is_guide(path.rpartition("/")[2])])[:MOST_FILES]


def _is_guide(name: str) -> bool:
    stem = _TEXT.fullmatch(name)
    return bool(stem and stem[1].lower() in ("contributing", "policy"))
