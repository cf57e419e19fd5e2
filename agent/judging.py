"""Whether rules decide a question: all of it must be allowed, and a part that is denied denies the whole."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from aci.bash import Line, read
from agent.permissions import Kept
from agent.rules import Rule, offered

if TYPE_CHECKING:
    from aci.bash_running import Words
    from agent.approvals import Approval

HARMLESS = frozenset(("true", "false", ":", "pwd"))
IGNORED = re.compile(r"[\u200c-\u200f\u202a-\u202e\u206a-\u206f\ufeff]|:.*")
STREAMS = frozenset(("/dev/null", "/dev/stdout", "/dev/stderr"))


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
    if denied := [rule for rule in deny if rule.pattern == "*" or any(map(rule.touches, line.commands))]:
        return Decision(False, tuple(denied), "config")
    why = approval.why or line.why or next(_leaving(line, approval), "")
    if why or not line.commands:
        return Decision(None, why=why or "it holds no command")
    asked = [words for words in line.commands if not _harmless(words)]
    covering = [next((each for each in kept if each.rule.covers(words)), None) for words in asked]
    if None not in covering:
        return _allowed([each for each in covering if each])
    new = [offered(words) for words, each in zip(asked, covering, strict=True) if each is None]
    if None in new:
        return Decision(None, why="a part of it is known only when it runs")
    return Decision(None, always=tuple(dict.fromkeys(rule for rule in new if rule)))


def _names(approval: Approval, deny: Sequence[Rule], kept: Sequence[Kept]) -> Decision:
    """Of hosts, paths or branches: one a line."""
    names = approval.subject.split("\n")
    if denied := [rule for rule in deny if any(map(rule.matches, names))]:
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


def _harmless(words: Words) -> bool:
    return words[0] in HARMLESS or words[0] == "cd"


def _leaving(line: Line, approval: Approval) -> Iterator[str]:
    """What in it is about files outside of the workspace, or may be."""
    moves = [words for words in line.commands if words[0] == "cd"]
    folders = [approval.folder or approval.root]
    for words in moves:
        target = words[1] if len(words) == 2 else None
        if target is None or target.startswith("-") or not inside(target, folders[0], approval.root):
            yield f"it goes to {target or 'a folder that is known only when it runs'}"
            return
        folders.append(str(Path(folders[0], target)))
    if line.writes and len(moves) > 1:
        yield "it writes files from more than one folder"
    for path in line.writes:
        if not all(inside(path, folder, approval.root) for folder in folders):
            yield f"it writes {path}"


def inside(path: str, folder: str, root: str) -> bool:
    """Whether a path, absolute or seen from `folder`, lies under `root` when links are followed, and is none of git's
    own files, by whatever name a file system knows them. Where nobody can tell, it does not."""
    if path in STREAMS:
        return True
    if not path or not root or ".." in path.split("/") or _is_of_git(path.split("/")):
        return False
    try:
        below = Path(folder, path).resolve().relative_to(Path(root).resolve())
    except (OSError, RuntimeError, ValueError):  # links in a circle, a way out
        return False
    return not _is_of_git(below.parts)


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
