"""Commands that only read files of the workspace, so that the user need not be asked about them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from aci.repository.user_repository import HISTORY_CONFIG
from agent.permissions.command_wrappers import GIT_READS, Words, word_set

READERS = word_set(
    "ls cat head tail wc nl cut tac rev basename dirname stat du sha256sum sha1sum md5sum cmp diff tree grep egrep "
    "fgrep rg sort find echo printf test"
)

_FORBIDDEN = {
    "cut": r"--o.*",
    "diff": r"-[a-zA-Z]*r.*|--rec.*",  # it follows links
    "du": r"-[a-zA-Z]*[LDX].*|--(de|files|exclude-from).*",
    "find": r"-(L|H|follow|files0-from|newer.*)",
    "grep": r"-[a-zA-Z]*R.*|--der.*",
    "ls": r"-[a-zA-Z]*[LH].*|--der.*",
    "rg": r"-[a-zA-Z]*[Lz].*|--(follow|search-zip|ignore-file).*",
    "sort": r"-[a-zA-Z]*T.*|--(te|files).*",
    "tail": r"-[a-zA-Z]*[fF].*|--(fo|retry|pid).*",
    "tree": r"-[a-zA-Z]*[loR].*|--fromfile.*|--info.*",
    "wc": r"--files.*",
    "git": r"-O.*|--(op|ou|ext|textc|filt|no-index|show-sig|git-dir|work-tree|exec).*|.*%G.*",
}
"""Options with which a command follows links, waits, writes files, or runs other programs. Those that always need an
answer are in `command_wrappers`."""
_ALIASES = {"egrep": "grep", "fgrep": "grep"}


def is_read_only(words: Words, folders: Sequence[str], root: str) -> bool:
    """Return whether a simple command of a plain line only reads files below `root`, in whichever of `folders` the
    shell is.

    git counts only while its configuration in the workspace is the original one, which names no programs.
    """
    name, *rest = words
    if name == "git":
        if not rest or rest[0] not in GIT_READS or not _is_original(root):
            return False
    elif name not in READERS:
        return False
    forbidden = _FORBIDDEN.get(_ALIASES.get(name, name), "(?!)")
    if any(re.fullmatch(forbidden, word) for word in rest):
        return False
    return all(_stays_inside(word, folder, root) for word in rest for folder in folders)


def _is_original(root: str) -> bool:
    git = Path(root, ".git")
    try:
        own = not git.is_symlink() and (git / "config").read_text() == HISTORY_CONFIG
    except (OSError, ValueError):
        return False
    return own and not (git / "config.worktree").exists()


def _stays_inside(word: str, folder: str, root: str) -> bool:
    """Return whether a word names nothing outside of `root`, whether it is a path or not."""
    if word.startswith("-"):
        option, _, word = word.partition("=")
        if "/" in option or "." in option:
            return False
    if word.startswith(("/", "~")) or ".." in re.split(r"[/:]", word):
        return False
    try:
        return Path(folder, word).resolve().is_relative_to(Path(root).resolve())
    except (OSError, ValueError, RuntimeError):
        return False
