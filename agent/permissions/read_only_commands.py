"""Commands that only read files of the workspace, so that the user need not be asked about them."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

from aci.repository.user_repository import HISTORY_CONFIG
from agent.permissions.command_wrappers import Words, word_set

_COUNT = r"\d{1,6}"
_OPTIONS = {
    "ls": r"-[1aAdFghilnopqrRsStuU]+",
    "cat": r"-[AbeEnstTv]+",
    "head": rf"-[qv]|-[nc]?{_COUNT}|-[nc]",
    "tail": rf"-[qv]|-[nc]?{_COUNT}|-[nc]",
    "wc": r"-[clmwL]+",
    "nl": r"-ba",
    "cut": r"-[dfcbs].*|--complement",
    "basename": "",
    "dirname": "",
    "stat": r"-c|--format=.*",
    "du": rf"-[achks]+|-d{_COUNT}|--max-depth={_COUNT}",
    "sha256sum": "",
    "sha1sum": "",
    "md5sum": "",
    "cmp": r"-[ls]+",
    "diff": r"-[abBiqsuwy]+|-[UC]\d+",
    "tree": rf"-[adiFs]+|-L|-L{_COUNT}",
    "grep": rf"-[abcEFhHiIlLnoqrsvwxz]+|-[ABCm]{_COUNT}|-[ABCme]|--(include|exclude|exclude-dir|color)=.*",
    "rg": rf"-[cFHhiIlnNoqsSuUvwx]+|-[ABCm]{_COUNT}|-[ABCmegt]|--(hidden|files|files-with-matches|count|no-ignore)",
    "sort": r"-[bdfghiMnrRuV]+|-[kt].*",
    "find": r"-(name|iname|path|ipath|type|maxdepth|mindepth|not|o|a|and|or|size|mtime|empty|print|prune|regex)",
    "echo": r"-.*",
    "printf": r"-.*",
    "test": r"-.*",
}
"""Commands that only read, and those of their options with which they follow no links, wait for nothing, write nothing
and run nothing. A value may follow in a word of its own."""

_GIT_OPTIONS = (
    r"-[abCDMpqsuwz]+|-[nU]?\d{1,6}|-n|-[LSG].*|--|--(oneline|stat|shortstat|numstat|name-only|name-status|graph|all|patch"
    r"|decorate|cached|staged|short|branch|porcelain|follow|no-merges|merges|reverse|abbrev-ref|show-toplevel|tags|summary"
    r"|no-color|word-diff|no-patch|others|exclude-standard|modified|deleted)|--(since|until|after|before|author|grep)=.*"
    r"|--max-count=\d+|--(format|pretty)=(?!.*%[G(]).*"
)
_GIT_READS = word_set("status log show diff blame ls-files ls-tree rev-parse shortlog describe merge-base")
_FOLDERS_FORBIDDEN = word_set("diff cmp")
_ALIASES = {"egrep": "grep", "fgrep": "grep"}


def is_read_only(words: Words, folders: Sequence[str], root: str) -> bool:
    """Return whether a simple command of a plain line only reads files below `root`, in whichever of `folders` the
    shell is.

    git commands are included only if the configuration of git in the workspace is unchanged, which names no programs.
    """
    name, *rest = words
    name = _ALIASES.get(name, name)
    if name == "git" and (not rest or rest.pop(0) not in _GIT_READS or not _is_original(root)):
        return False
    options = _GIT_OPTIONS if name == "git" else _OPTIONS.get(name)
    if options is None or any(word.startswith("-") and not re.fullmatch(options, word) for word in rest):
        return False
    places = [Path(folder, word) for word in rest for folder in folders]
    if name in _FOLDERS_FORBIDDEN and any(map(os.path.isdir, places)):
        return False
    return all(_stays_inside(word, folder, root) for word in rest for folder in folders)


def _is_original(root: str) -> bool:
    git = Path(root, ".git")
    try:
        own = not git.is_symlink() and (git / "config").read_text() == HISTORY_CONFIG
    except (OSError, ValueError):
        return False
    return own and not any((git / name).exists() for name in ("config.worktree", "hooks"))


def _stays_inside(word: str, folder: str, root: str) -> bool:
    """Return whether a word, also as the value of an option, names nothing outside of `root`."""
    word = word.partition("=")[2] if word.startswith("-") else word
    if word.startswith(("/", "~")) or ".." in re.split(r"[/:]", word):
        return False
    try:
        return Path(folder, word).resolve().is_relative_to(Path(root).resolve())
    except (OSError, ValueError, RuntimeError):
        return False
