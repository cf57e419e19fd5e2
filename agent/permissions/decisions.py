"""The decision of a question by rules: all of it must be allowed, and a part that is denied denies the whole."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from aci.bash import Line, read
from aci.bash_running import is_git
from agent.permissions import Kept
from agent.rules import Rule, offered

if TYPE_CHECKING:
    from agent.approvals import Approval

HARMLESS = frozenset(("true", "false", ":", "pwd"))
IGNORED = re.compile(r"[\u200c-\u200f\u202a-\u202e\u206a-\u206f\ufeff]|:.*")
NOWHERE = "/dev/null"


@dataclass(frozen=True, slots=True)
class Decision:
    """`yes` is None where the user is to be asked; then `always` are the rules that would decide it, and `why` says why
    there are none. `rules` decided it, kept `by` whom."""

    yes: bool | None
    rules: tuple[Rule, ...] = ()
    by: str = ""
    always: tuple[Rule, ...] = ()
    why: str = ""


def judge(approval: Approval, deny: Sequence[Rule], kept: Sequence[Kept]) -> Decision:
    """What the rules say to it."""
    deny = [rule for rule in deny if rule.kind == approval.kind]
    kept = [each for each in kept if each.rule.kind == approval.kind]
    if approval.kind == "command":
        return _command(read(approval.subject), approval, deny, kept)
    return _names(approval, deny, kept)


def _command(line: Line, approval: Approval, deny: Sequence[Rule], kept: Sequence[Kept]) -> Decision:
    if denied := [rule for rule in deny if rule.is_denied_in(approval.subject)]:
        return Decision(False, tuple(denied), "config")
    why = approval.why or line.why or _leaving(line, approval)
    if why or not (line.commands or line.folder):
        return Decision(None, why=why or "it holds no command")
    asked = [words for words in line.commands if words[0] not in HARMLESS]
    covering = [next((each for each in kept if each.rule.covers(words)), None) for words in asked]
    if None not in covering:
        return _allowed([each for each in covering if each])
    new = (offered(words) for words, each in zip(asked, covering, strict=True) if each is None)
    return Decision(None, always=tuple(dict.fromkeys(new)))


def _names(approval: Approval, deny: Sequence[Rule], kept: Sequence[Kept]) -> Decision:
    """Of hosts, paths or branches: one a line."""
    names = approval.subject.split("\n")
    others = approval.other_names() if deny else ()
    if denied := [rule for rule in deny if others is None or any(map(rule.is_denied_at, (*names, *others)))]:
        return Decision(False, tuple(denied), "config")
    if approval.why:
        return Decision(None, why=approval.why)
    plain = not any(".." in name.split("/") for name in names)
    covering = [next((each for each in kept if plain and each.rule.matches(name)), None) for name in names]
    if None not in covering:
        return _allowed([each for each in covering if each])
    return Decision(None, always=(Rule(approval.kind, "**"),))


def _allowed(by: Sequence[Kept]) -> Decision:
    """`by` tells whose rule lasts shortest."""
    order = ("session", "project", "config")
    who = next((each for each in order if any(one.by == each for one in by)), "config")
    return Decision(True, tuple(dict.fromkeys(each.rule for each in by)), who)


def _leaving(line: Line, approval: Approval) -> str:
    """Why the line may be about files outside of the workspace or of git's own, "" if it is not."""
    root, start = approval.root, approval.folder or approval.root
    if start != root and not is_plain_path(start, root, root):
        return "the shell is in a folder outside of the workspace, or behind a link"
    folders = [start]
    if line.folder:
        if line.folder.startswith("/") or not is_plain_path(line.folder, start, root):
            return f"it goes to {line.folder}"
        folders.append(str(Path(start, line.folder)))  # where the shell stays if there is no such folder
    if folders != [root] and any(map(is_git, line.commands)):
        return "it runs git in a folder that may be a repository of its own"
    for path in line.writes:
        if path != NOWHERE and not all(is_plain_path(path, folder, root) for folder in folders):
            return f"it writes {path}"
    return ""


def is_plain_path(path: str, folder: str, root: str) -> bool:
    """Whether a path, absolute or seen from `folder`, is below `root` and through no link, and none of git's own files,
    by whatever name a file system knows them. False where that cannot be told."""
    if not path or not root or ".." in path.split("/") or _is_of_git(path.split("/")):
        return False
    try:
        parts = Path(folder, path).relative_to(root).parts
        below = [Path(root, *parts[: number + 1]) for number in range(len(parts))]
        return bool(parts) and not _is_of_git(parts) and not any(each.is_symlink() for each in below)
    except (OSError, ValueError):  # a name too long, a way out
        return False


def is_gits_own(path: str, root: str) -> bool:
    """Whether a path, absolute or seen from `root`, is one of git's own files there, also when links are followed."""
    try:
        real = Path(root, path).resolve().relative_to(Path(root).resolve()).parts
    except (OSError, RuntimeError, ValueError):
        real = ()
    return _is_of_git(path.split("/")) or _is_of_git(real)


def _is_of_git(parts: Sequence[str]) -> bool:
    """HFS passes over some characters, NTFS over dots and blanks at an end, and knows a short name."""
    names = (IGNORED.sub("", part).casefold().rstrip(". ") for part in parts)
    return any(name in (".git", "git~1") for name in names)
