"""Checks a patch before it is delivered to the user's files or to a branch, based on the resulting files."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from aci.observation.untrusted_text import escape_invisible
from agent.patch_checks.autorun_files import BY_CI, ci_names, is_mentioned, why_flagged
from agent.patch_checks.configured_changes import configured_changes
from agent.patch_checks.forbidden_contents import LARGEST_FILE, invisible_content
from agent.patch_checks.protected_paths import is_git_folder_name, name_refusal, path_refusal
from agent.permissions.link_names import LINK, links_in, resolve_link
from trajectories.errors import UsageError
from trajectories.git_store.trees import SUBMODULE

if TYPE_CHECKING:
    from aci.repository.user_repository import Repository
    from trajectories.git_store.trees import Change, Trees

EXECUTABLE_FILE = "100755"
MOST_NAMED = 10
"""Maximum number of files that a message names."""
PARTS_OF_GIT_DIRECTORY = frozenset({"head", "objects", "refs", "config", "commondir", "hooks", "index", "info"})
PROGRAMS = "programs"
"""Stands for a file with settings, or a hook, among the names in a folder."""


@dataclass(frozen=True, slots=True)
class DeliveryFindings:
    """Result of the check. Each path is mapped to the reason, a phrase that follows the path and a colon.

    `refused` are changes that an attack needs and a fix does not. `flagged` are changes that a fix may need too, but
    that run automatically or are easily overlooked.
    """

    refused: Mapping[str, str] = field(default_factory=dict)
    flagged: Mapping[str, str] = field(default_factory=dict)


def check_delivery(trees: Trees, before: str, after: str, repository: Repository) -> DeliveryFindings:
    """Check the changes that turn the tree `before` into `after`. The user's repository may have folders that are in
    neither tree, and settings that make git use a file. Raises RunBroken for trees that cannot be read, and UsageError
    for a file with settings of git that cannot be read."""
    changes = trees.changed(before, after)
    refused = {
        change.path: "git would take it for its own folder"
        for change in changes
        if change.status != "D" and any(map(is_git_folder_name, re.split(r"[/\\]", change.path)))
    }
    refused |= dict(_links_out(trees, before, after))
    refused |= dict(_embedded_git_directories(trees, after, changes, repository.root))
    configured = configured_changes(trees, before, after, repository)
    refused = {**configured.settings, **refused}
    named = ci_names(_TreeFiles(trees), before) if changes else frozenset()
    flagged = {
        change.path: why
        for change in changes
        if change.path not in refused
        and (why := _why_flagged(trees, before, after, change, named, configured.others.get(change.path, "")))
    }
    return DeliveryFindings(refused, flagged)


def describe_flagged(findings: DeliveryFindings) -> str:
    """Return a sentence that names the flagged files; "" if there are none."""
    return f"Check these before you use them: {_listed(findings.flagged)}." if findings.flagged else ""


def refuse(findings: DeliveryFindings, patch: Path, advice: str = "") -> None:
    """Raise UsageError, with how to apply the file `patch` by hand, if the patch has changes that are refused."""
    if findings.refused:
        by_hand = f"Read it; to apply it by hand: git apply {shlex.quote(str(patch))}"
        raise UsageError(
            f"The patch is not delivered: {_listed(findings.refused)}.", " ".join(filter(None, [advice, by_hand]))
        )


def _listed(reasons: Mapping[str, str]) -> str:
    shown = [f"{escape_invisible(path)[:200]} ({why})" for path, why in reasons.items()][:MOST_NAMED]
    return ", ".join([*shown, *([f"and {len(reasons) - MOST_NAMED} more"] if len(reasons) > MOST_NAMED else [])])


def _links_out(trees: Trees, before: str, after: str) -> Iterator[tuple[str, str]]:
    """Yield the links that lead out of the repository, or into its git directory, and did not so before."""
    old, new = links_in(trees, before), links_in(trees, after)
    for path in new:
        target = resolve_link(new, path)
        if path in old and resolve_link(old, path) == target:
            continue
        if target is None:
            yield path, f"a link to {escape_invisible(new[path])[:200]}, which is not a place in the repository"
        elif any(map(is_git_folder_name, target.split("/"))):
            yield path, "a link into the repository's git directory"


def _embedded_git_directories(trees: Trees, after: str, changes: list[Change], root: Path) -> Iterator[tuple[str, str]]:
    """Yield changed files of folders that git would take for git directories, whose settings can start programs.

    Git looks for `HEAD` and for `objects` and `refs`, which `commondir` may say are in another folder, and takes
    settings and hooks from that folder. Some of them may be on disk only, such as those of a nested repository that git
    ignores.
    """
    inside: dict[str, set[str]] = {}
    for path in trees.files(after):
        parts = path.casefold().split("/")
        for at, name in enumerate(parts):
            if name in PARTS_OF_GIT_DIRECTORY:
                names = inside.setdefault("/".join(parts[:at]), set())
                names |= {name, PROGRAMS} if _names_programs(parts[at:]) else {name}
    folders = {folder for folder, names in inside.items() if _is_git_directory(names)}
    on_disk = cache(lambda folder: _is_git_directory(_names_in(root / folder) | inside.get(folder.casefold(), set())))
    for change in changes:
        parts = change.path.split("/")
        above = ["/".join(parts[:at]) for at in range(len(parts))]
        is_part = any(
            name.casefold() in PARTS_OF_GIT_DIRECTORY and folder.casefold() in folders
            for name, folder in zip(parts, above, strict=True)
        )
        if change.status != "D" and (is_part or any(map(on_disk, above[1:]))):
            yield change.path, "a part of a git directory inside the repository"


def _is_git_directory(names: Set[str]) -> bool:
    """Whether a folder with these names is a git directory, or has the common part of several. Source code may have
    folders named `objects` and `refs`, but hardly a file named `config` beside them."""
    return {"head", "commondir"} <= names or ({"objects", "refs"} <= names and not names.isdisjoint({"head", PROGRAMS}))


def _names_programs(parts: Sequence[str]) -> bool:
    """Whether a path in a git directory is that of a file with settings or of a hook, whose name has no extension."""
    return parts in (["config"], ["hooks"]) or (parts[0] == "hooks" and len(parts) == 2 and "." not in parts[1])


def _names_in(folder: Path) -> set[str]:
    """Return the names in a folder on disk that a git directory has too, in lower case."""
    try:
        entries = {entry.name.casefold(): entry for entry in folder.iterdir()}
        has_settings = "config" in entries and entries["config"].is_file()
        return (entries.keys() & PARTS_OF_GIT_DIRECTORY) | ({PROGRAMS} if has_settings else set())
    except (OSError, ValueError):  # there is no such folder
        return set()


def _why_flagged(trees: Trees, before: str, after: str, change: Change, named: frozenset[str], by_git: str) -> str:
    """Return why the user should check a changed file, such as what git does with it (`by_git`); "" without a
    reason."""
    path = change.path
    old, new = trees.files(before).get(path), trees.files(after).get(path)
    modes = [entry.mode for entry in (old, new) if entry]
    reason = path_refusal(path) or why_flagged(path, EXECUTABLE_FILE in modes)
    reason = reason or (BY_CI if is_mentioned(path, named) else "")
    reason = "; ".join(filter(None, [reason, by_git]))
    if not new:
        return f"{reason}; removed" if reason else ""
    reasons = [reason, "" if old else name_refusal(path)]
    if SUBMODULE in modes:
        reasons.append("is a submodule")
    elif new.mode == LINK:
        reasons.append("is a link")
    elif new.size <= LARGEST_FILE:
        is_file = old and old.mode != LINK and old.size <= LARGEST_FILE
        reasons.append(invisible_content(trees.read_blob(old.id) if old and is_file else None, trees.read_blob(new.id)))
    return "; ".join(filter(None, reasons))


class _TreeFiles:
    """The files of trees, as `ci_names` reads them."""

    def __init__(self, trees: Trees) -> None:
        self._trees = trees

    def paths(self, rev: str) -> tuple[str, ...]:
        return tuple(self._trees.files(rev))

    def read(self, rev: str, path: str, limit: int = LARGEST_FILE) -> bytes | None:
        entry = self._trees.files(rev)[path]
        is_file = entry.mode not in (LINK, SUBMODULE) and entry.size <= limit
        return self._trees.read_blob(entry.id) if is_file else None
