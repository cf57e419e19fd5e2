"""Checks of what a repository needs beyond its own objects: objects of other folders, and filters that are programs."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Sequence
from pathlib import Path

from aci.repository.config_files import MOST_CONFIG
from aci.repository.git_view import GitView, common_folder
from trajectories.errors import UsageError
from trajectories.file_limits import read_limited
from trajectories.git_store.git_commands import decode, git

TRUSTED = "swe-agent.objects"
"""Setting in the user's configuration of git: folders from which any repository may take objects; `*` for all."""
MOST_ALTERNATES = 100
UNUSUAL = re.compile(rb"[\x00-\x1f\"\x7f]")
TO_READ, TO_WRITE = ("clean", "process"), ("clean", "smudge", "process")
"""Kinds of filter programs that git starts when it reads files of the working tree, and when it writes them."""


def check_alternates(view: GitView) -> None:
    """Raise UsageError if the repository takes objects from a folder outside of it that the user has not named."""
    outside = _alternate_folders(view.git_dir)
    trusted = _user_setting(view, "--get-all", TRUSTED) if outside else []
    folders = [Path(each).expanduser().resolve() for each in trusted if each]
    for folder in outside if "*" not in trusted else ():
        if not any(folder.is_relative_to(each) for each in folders):
            command = shlex.join(["git", "config", "--global", "--add", TRUSTED, str(folder)])
            raise UsageError(
                f"{view.root or view.git_dir} takes objects from {folder}, which may hold another repository.",
                f"If you trust it: {command}",
            )


def _alternate_folders(git_dir: Path) -> list[Path]:
    """Return the folders outside of a repository from which it takes objects, directly or through other folders."""
    common = common_folder(git_dir).resolve()
    outside: list[Path] = []
    seen: set[Path] = set()
    left = [common / "objects"]
    while left and len(seen) < MOST_ALTERNATES:
        folder = Path(os.path.realpath(left.pop()))
        if folder in seen:
            continue
        seen.add(folder)
        if not folder.is_relative_to(common):
            outside.append(folder)
        for line in _alternates(folder / "info" / "alternates"):
            # git unquotes some lines; whatever has a quote or a control character counts as another place
            place = folder / decode(line)
            (outside if UNUSUAL.search(line) else left).append(place)
    return [*outside, *left]


def _alternates(file: Path) -> list[bytes]:
    """Return the lines of a list of other folders with objects. Raises UsageError if it cannot be read whole."""
    try:
        lines = read_limited(file, MOST_CONFIG).split(b"\n")
    except FileNotFoundError:
        return []
    except OSError as error:
        raise UsageError(
            f"{file} cannot be read: {error.strerror}.", "Clone the repository, and use the clone."
        ) from error
    return [line for line in lines if line and not line.startswith(b"#")]


def repository_filters(view: GitView, kinds: Sequence[str] = TO_WRITE) -> set[str]:
    """Return the names of the filters of these kinds that only the repository's configuration defines, not the
    user's."""
    pattern = rf"^filter\..*\.({'|'.join(kinds)})$"
    names = {_filter_name(name) for name in view.settings if re.match(pattern, name)}
    return names - {_filter_name(line.partition(" ")[0]) for line in _user_setting(view, "--get-regexp", pattern)}


def check_filters(view: GitView, paths: Sequence[bytes], kinds: Sequence[str]) -> None:
    """Raise UsageError if one of these files has a filter that only the repository's configuration defines: its
    programs are not started, so git would read or write the file as it should not be."""
    names = repository_filters(view, kinds)
    if not names:
        return
    asked = b"".join(path + b"\0" for path in paths)
    options = ("check-attr", "-z", "--stdin", "filter")
    found = decode(git(*options, env=view.environment({}), cwd=view.root, input=asked)).split("\0")
    for path, name in zip(found[::3], found[2::3], strict=False):
        if name in names:
            raise UsageError(
                f"{path} needs the filter {name}, which only the configuration of {view.root} defines; it is not run.",
                f"If you trust it, define filter.{name} in your own configuration: git config --global",
            )


def _user_setting(view: GitView, how: str, name: str) -> list[str]:
    """Return the lines of `git config` for a setting of the user's own configuration."""
    return decode(git("config", how, name, env=view.environment({}), ok=(0, 1))).splitlines()


def _filter_name(setting: str) -> str:
    return setting.removeprefix("filter.").rpartition(".")[0]
