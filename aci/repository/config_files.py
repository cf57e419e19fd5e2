"""Files with settings of git, and those that they include, read as data."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from trajectories.errors import UsageError
from trajectories.file_limits import read_limited
from trajectories.git_store.git_commands import GitFailed, decode, git, git_environ

MOST_CONFIG = 1 << 20
"""Maximum number of bytes of a file with settings, and of `HEAD`."""
OUTSIDE = Path("/")
"""Folder for git commands that must not find, and so read the configuration of, a repository in the current folder."""
MAX_CONFIG_FILES = 20
"""Maximum number of files with settings of a repository, including those that its configuration includes."""
Settings = dict[str, str]
Pairs = list[tuple[str, str]]
"""Names and values of settings, in the order of the files: some settings have several values."""
ConfigFiles = dict[tuple[Path, bool], object]
"""Signatures of files with settings, and whether they are included under a condition."""


class Setting(NamedTuple):
    name: str
    """In lower case except for the subsection."""
    value: str
    file: Path
    conditional: bool
    """Whether the file is included under a condition."""

    @property
    def is_include(self) -> bool:
        """Whether the value is the path of a file with more settings."""
        return self.name == "include.path" or self.is_conditional_include

    @property
    def is_conditional_include(self) -> bool:
        return self.name.startswith("includeif.") and self.name.endswith(".path")


class ConfigReader:
    """Reads files with the files that they include, `most` files at most."""

    def __init__(self, most: int = MAX_CONFIG_FILES) -> None:
        self.most = most
        self.files: ConfigFiles = {}

    def read(self, file: Path, conditional: bool = False) -> list[Setting]:
        """Return the settings in a file and, in their place, those in the files that it includes.

        Conditions are not evaluated. Each file is read once with and once without a condition, and added to `files`.
        Raises UsageError for too many files, and for one that cannot be read.
        """
        if (file, conditional) in self.files:
            return []
        if len(self.files) >= self.most:
            first = next(iter(self.files))[0]
            raise UsageError(f"{first} includes more than {self.most} files.", "Include fewer files.")
        self.files[file, conditional] = signature(file)
        found: list[Setting] = []
        for name, value in read_settings(file):
            setting = Setting(name, value, file, conditional)
            found.append(setting)
            if setting.is_include:
                place = place_of(value, file.parent)
                real = Path(os.path.realpath(place.parent), place.name)
                found += self.read(real, conditional or setting.is_conditional_include)
        return found


def read_settings(file: Path) -> Pairs:
    """Return the settings in a file, without those of files that it includes; none if it does not exist. Raises
    UsageError if it cannot be read."""
    try:
        data = read_limited(file, MOST_CONFIG)
        options = ("--file", "-", "--no-includes", "-z", "--list")
        fields = git("config", *options, env=git_environ({}), input=data, cwd=OUTSIDE)
    except (FileNotFoundError, NotADirectoryError):
        return []
    except (OSError, GitFailed) as error:
        reason = error.reason if isinstance(error, GitFailed) else error.strerror
        raise UsageError(f"{file} cannot be read: {reason}.", "Correct the file.") from error
    return parse_settings(decode(fields).split("\0")[:-1])


def parse_settings(fields: Iterable[str]) -> Pairs:
    """Return the settings in fields of `git config --list -z`. One without a value is true."""
    parts = (field.partition("\n") for field in fields)
    return [(name, value if has_value else "true") for name, has_value, value in parts]


def place_of(path: str, folder: Path) -> Path:
    """Return the path that a setting names, which may be relative to a folder. It is not normalized, since `..` after a
    link leads elsewhere."""
    with suppress(RuntimeError):  # the home of an unknown user
        path = str(Path(path).expanduser())
    return folder / path


def signature(file: Path) -> object:
    """Return a value that changes with a file; None if there is no such file."""
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns
