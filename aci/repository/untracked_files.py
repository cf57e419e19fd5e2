"""Files of a user's working tree that git does not track."""

from __future__ import annotations

import os
import re
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Collection, Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from aci.repository.credentials import has_credential_format, has_credentials, is_credential_file
from aci.repository.git_view import reading_environment
from trajectories.errors import UsageError
from trajectories.file_limits import open_regular, read_limited
from trajectories.git_store.git_commands import decode, git
from trajectories.git_store.packs import object_id

if TYPE_CHECKING:
    from trajectories.git_store.trees import Trees

MAX_JUDGED_BYTES = 5_000_000
"""Number of bytes of a file that are searched for credentials."""
MOST_NAMED = 5
ADVICE = "To include one, add its path to the setting copy_files."
_WRITTEN = re.compile(
    r"(?i)\.(?:py[ix]?|[cm]?[jt]sx?|vue|java|kt|scala|go|rs|[ch](?:c|pp)?|cs|php|rb|swift|md|rst|adoc|html|css)"
)
"""File name extensions of what people write themselves, where examples of credentials are common."""
_SETTINGS = re.compile(r"(?i)\.(?:ini|cfg|conf|config|toml|ya?ml|properties|tfvars)")


def without_environments(untracked: list[bytes]) -> list[bytes]:
    """Return the paths that are not in a virtual environment."""
    marker = b"/pyvenv.cfg"
    folders = tuple(path.removesuffix(marker) + b"/" for path in untracked if path.endswith(marker))
    return [path for path in untracked if not path.startswith(folders)] if folders else untracked


def credential_files(
    root: Path, untracked: Iterable[bytes], allowed: Collection[str] = (), trees: Trees | None = None
) -> list[bytes]:
    """Return the paths of files that look like credentials by their name or, unless they are source code or
    documentation, by what is in them. Files that are `allowed`, and those whose content is in `trees`, such as the
    files of an applied patch, are not returned."""
    named = {path: os.fsdecode(path) for path in untracked}
    found = [path for path, name in named.items() if name not in allowed and _holds_credentials(root / name, name)]
    if not trees or not found:
        return found
    return [path for path in found if not _is_stored(root / named[path], trees)]


def _is_stored(file: Path, trees: Trees) -> bool:
    """Return whether a store has the content of a file, as it is or with the line ends of git."""
    try:
        data = read_limited(file, MAX_JUDGED_BYTES)
    except (OSError, UsageError):  # UsageError: it is larger
        return False
    ids = {object_id("blob", each) for each in (data, data.replace(b"\r\n", b"\n"))}
    return any(found is not None for found in trees.read_blobs(list(ids)))


def _holds_credentials(file: Path, path: str) -> bool:
    if file.is_symlink() or not is_readable(file):
        return False
    if is_credential_file(path):
        return True
    if _WRITTEN.fullmatch(file.suffix):
        return False
    found = file.stat()
    return _has_credentials(file, found.st_size, found.st_mtime_ns, found.st_ino)


@lru_cache(maxsize=100_000)
def _has_credentials(file: Path, *_version: int) -> bool:
    """Return whether the beginning of a file has a credential of a known format or, in a file of settings, one by its
    name. The result is cached for a version of the file."""
    try:
        with open_regular(file) as opened:
            data = opened.read(MAX_JUDGED_BYTES)
    except OSError:
        return False
    is_utf16 = data.startswith((BOM_UTF16_LE, BOM_UTF16_BE))
    if not is_utf16 and b"\0" in data[:8000]:
        return False
    text = data.decode("utf-16" if is_utf16 else "utf-8", "replace")
    return has_credentials(file.name, text) if _SETTINGS.fullmatch(file.suffix) else has_credential_format(text)


def describe_left_out(paths: Sequence[str]) -> str:
    """Return a sentence that names the untracked files which a base lacks."""
    named = ", ".join(paths[:MOST_NAMED])
    more = f" and {len(paths) - MOST_NAMED} more" if len(paths) > MOST_NAMED else ""
    return f"Not in the base, because they look like credentials: {named}{more}. {ADVICE}"


def ignored_files(root: Path) -> list[str]:
    """Return the ignored files of a working tree; a folder, with a `/` at its end, if all of it is ignored."""
    listed = _git(root, "ls-files", "-o", "-i", "--exclude-standard", "--directory", "-z")
    return [decode(path) for path in listed.split(b"\0") if path]


def is_ignored(root: Path, file: Path) -> bool:
    """Return whether git ignores a file of a working tree, which need not exist."""
    return bool(_git(root, "check-ignore", "--", str(file)))


def lines_with(root: Path, words: Sequence[str]) -> str:
    """Return the lines of tracked Python files of a working tree that contain one of the words."""
    if not words:
        return ""
    patterns = [part for word in words for part in ("-e", word)]
    options = ("-h", "-I", "-w", "-F", "--no-color", "--no-line-number", "--no-column")
    return decode(_git(root, "grep", *options, *patterns, "--", "*.py", "*.pyi", "*.pyx"))


def is_readable(file: Path) -> bool:
    """Return whether a path is a link or a file that can be read."""
    return file.is_symlink() or (file.is_file() and os.access(file, os.R_OK))


def _git(root: Path, *args: str) -> bytes:
    env = reading_environment(root, {"GIT_LITERAL_PATHSPECS": "0"})
    return git("-c", "core.fsmonitor=false", *args, cwd=root, env=env, ok=(0, 1))
