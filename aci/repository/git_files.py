"""Git's own files, which can name programs that git runs."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

IGNORED = re.compile(r"[\u200c-\u200f\u202a-\u202e\u206a-\u206f\ufeff]|:.*")


def is_git_file(path: str, root: str) -> bool:
    """Return whether a path, absolute or relative to `root`, is one of git's own files, directly or through links."""
    try:
        real = Path(root, path).resolve().relative_to(Path(root).resolve()).parts
    except (OSError, RuntimeError, ValueError):
        real = ()
    return has_git_folder(path.split("/")) or has_git_folder(real)


def has_git_folder(parts: Sequence[str]) -> bool:
    """Return whether a path component is a name of git's folder on any file system. HFS ignores some characters, and
    NTFS ignores trailing dots and blanks and has a short name for the folder."""
    names = (IGNORED.sub("", part).casefold().rstrip(". ") for part in parts)
    return any(name in (".git", "git~1") for name in names)
