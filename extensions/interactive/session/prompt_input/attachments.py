"""Attachments of a prompt: `@path` adds a file's text, a folder's listing or an image; a URL adds its issue."""

from __future__ import annotations

import os
import re
from base64 import b64encode
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from aci.graph.file_outline import find_definitions, fits, names_in, outline
from aci.issue_text.image_links import MAGIC, MOST_PICTURES
from aci.observation.file_contents import binary_kind
from aci.observation.untrusted_text import clean_text, wrap_code
from aci.repository.untracked_files import is_ignored
from agent.inputs.issue_hosts import ISSUE_NUMBER
from agent.inputs.issue_input import from_text, issue_from
from agent.prompts.quotation import discussion
from trajectories.errors import UsageError
from trajectories.file_limits import open_regular
from trajectories.git_store.git_commands import GitFailed
from trajectories.records import Issue

MOST_TEXT = 100_000
"""Maximum number of characters of an attached file that the session has no copy of, so that it cannot be viewed."""
MOST_READ = 2_000_000
"""Maximum number of bytes of a file that are read for its outline."""
MOST_NAMES = 200
MENTION = re.compile(r"(?<!\S)@(?:\"([^\"\n]+)\"|(\S+))")
ADDRESS = re.compile(r"https?://\S+/(?:issues|work_items)/(?:incident/)?\d+\S*")
PICTURE = re.compile(r"\.(?:png|jpe?g|gif|webp)", re.IGNORECASE)
SUFFIXES = frozenset(
    [
        "md",
        "txt",
        "rst",
        "py",
        "toml",
        "json",
        "yaml",
        "yml",
        "log",
        "js",
        "ts",
        "go",
        "rs",
        "java",
        "c",
        "h",
        "cpp",
        "rb",
        "php",
        "html",
        "css",
    ]
)
NOT_ATTACHED = "What is attached was not used: only requests and custom commands take attachments."
TRAILING = ".,;:!?)]}'"


@dataclass(frozen=True)
class Request:
    """A prompt with its attachments.

    `words` is the user's text, `more` is the attached text, and `images` are data: URLs. `whole` is set if the prompt
    consists only of a reference to an issue. `read` contains notices about files that were read.
    """

    words: str
    more: str = ""
    images: tuple[str, ...] = ()
    whole: Issue | None = None
    read: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The text of the request without attachments, for a turn after the first."""
        if self.whole is None:
            return self.words
        if self.whole.trust == "user":
            return self.whole.text
        who = f"{self.whole.author} ({self.whole.trust})" if self.whole.author else self.whole.trust
        asked = f"Solve this issue, {self.whole.url}, written by {who}:\n\n{self.whole.text}"
        return "\n\n".join(filter(None, [asked, discussion(self.whole.comments)]))

    @property
    def message(self) -> str:
        """The request with its attached text, for a turn that has started."""
        return "\n\n".join(filter(None, [self.text, self.more]))

    @cached_property
    def issue(self) -> Issue:
        """The request as an issue, for the first turn of a run."""
        if self.whole is not None:
            return replace(self.whole, images=self.images, attachments=self.more or self.whole.attachments)
        issue = from_text(self.text)
        return Issue(issue.title, issue.body, images=self.images, attachments=self.more)


def resolve_attachments(words: str, root: Path, inside_only: bool = False, pasted: Path | None = None) -> Request:
    """Return the user's request with its attachments. Files are looked up in the current folder, then in the repository
    at `root`.

    Only files in the repository are read, and none that belong to git itself. A file elsewhere is read only if its full
    path (from / or ~) is the whole prompt, because pasted text and links may refer to files that the user does not want
    to send. A full path of an image may also appear within other text if the prompt is a single line. `read` lists
    files that were read although they are outside the repository or git ignores them. Any prompt may name pictures in
    the folder `pasted`, into which the user pastes them. With `inside_only`, files are
    looked up in the repository alone, and none elsewhere is read. Raises UsageError for a file that does not exist or
    may not be read.
    """
    words = words.strip()
    if ADDRESS.fullmatch(words) or (words.startswith("#") and ISSUE_NUMBER.fullmatch(words)):
        notices: list[str] = []
        issue = issue_from(url=words, say=notices.append, repo=str(root))
        return Request(words, images=issue.images, whole=issue, read=tuple(notices))
    alone = MENTION.fullmatch(words)
    name = (alone[1] or alone[2]) if alone else ""
    file = _find_file(name, root, inside_only) if alone else None
    if file is not None and file.is_file() and not _picture(file) and not _is_source(file, root):
        _check_allowed(file, name, root, alone=True)
        issue = issue_from(file=file)
        return Request(words, images=issue.images, whole=issue, read=_read_notice(file, root))
    names = [quoted or bare for quoted, bare in MENTION.findall(words)]
    pictures = [word for word in words.split() if PICTURE.search(word[-6:]) and not word.startswith("@")]
    return _with_attachments(words, names, pictures, root, alone is not None, inside_only, pasted)


def _with_attachments(
    words: str,
    names: list[str],
    pictures: list[str],
    root: Path,
    alone: bool,
    inside_only: bool,
    pasted: Path | None,
) -> Request:
    texts, images, read, room = [], [], [], MOST_PICTURES
    for name in dict.fromkeys([*names, *pictures]):
        path = _find_file(name, root, inside_only)
        if path is None:
            if name in names and "\n" not in words and _is_path(name):
                raise UsageError(f"There is no file {name}.", "Check the path, which is relative to this folder.")
            continue
        picture = _picture(path)
        if not picture and name not in names:
            continue
        is_pasted = bool(picture) and pasted is not None and path.parent == pasted.resolve()
        try:
            _check_allowed(path, name, root, alone or is_pasted or (bool(picture) and "\n" not in words))
        except UsageError as refused:
            if name in names:
                raise
            # The name is kept as text, because a pasted log may name many files.
            read.append(f"Not read: {refused.message}")
            continue
        read += () if is_pasted else _read_notice(path, root)
        if path.is_dir():
            texts.append(_listing(path, name))
        elif picture:
            room -= len(picture)
            if room < 0:
                raise UsageError(
                    f"{name} exceeds the limit for pictures.", f"Attach less than {MOST_PICTURES:,} bytes."
                )
            images.append(picture)
        else:
            texts.append(_text(path, name, root, words))
    return Request(words, "\n\n".join(texts), tuple(images), read=tuple(read))


def _find_file(name: str, root: Path, inside_only: bool) -> Path | None:
    """Return the path of the file or folder with this name, which may be followed by punctuation."""
    for each in dict.fromkeys((name, name.rstrip(TRAILING))):
        for path in (root / each,) if inside_only else (Path(each).expanduser(), root / each):
            try:
                if each and path.exists() and (not inside_only or _is_within(path.resolve(), root)):
                    return path.resolve()
            except (OSError, ValueError, RuntimeError):  # such as `~user` for an unknown user
                continue
    return None


def _check_allowed(path: Path, name: str, root: Path, alone: bool) -> None:
    """Raise UsageError if this file may not be read under that name."""
    if any(part.lower() == ".git" for part in path.parts):
        raise UsageError(f"{name} belongs to git and is not read.", "Paste the relevant text instead.")
    if _is_within(path, root):
        return
    written = Path(name.rstrip(TRAILING)).expanduser()
    lexically = Path(os.path.abspath(written))  # noqa: PTH100 - links are not to be followed
    if _is_within(lexically, root) or not written.is_absolute():
        raise UsageError(f"{name} leads outside the repository, to {path}.", "Give that full path, alone.")
    if not alone:
        raise UsageError(f"{name} is outside the repository.", "Give it alone on the line to attach it.")


def _is_within(path: Path, root: Path) -> bool:
    return any(path.is_relative_to(each) for each in (root, root.resolve()))


def _read_notice(path: Path, root: Path) -> tuple[str, ...]:
    """Return a notice if the file is outside the repository, or git ignores it."""
    size = "its names" if path.is_dir() else f"{path.stat().st_size:,} bytes"
    if not _is_within(path, root):
        return (f"Read {clean_text(str(path))}, {size}.",)
    if path.is_dir() or not _is_ignored(path, root):
        return ()
    return (f"Read {clean_text(path.relative_to(root.resolve()).as_posix())}, {size}; git ignores it.",)


def _is_ignored(path: Path, root: Path) -> bool:
    try:
        return is_ignored(root, path)
    except (GitFailed, UsageError):  # the folder is not a git repository
        return False


def _is_source(path: Path, root: Path) -> bool:
    """Return whether a file is source code of the repository, which is never an issue's text."""
    from aci.graph.file_selection import language_of

    return _is_within(path, root) and bool(language_of(path.name))


def _is_path(name: str) -> bool:
    """Return whether a word after @ is a path, rather than a decorator, a person or a package (@scope/name)."""
    return bool(re.search(r"/[^/]*\.\w{1,8}$|^[.~]?/", name)) or name.rpartition(".")[2] in SUFFIXES


def _text(path: Path, name: str, root: Path, words: str) -> str:
    """Return the text of a file, or its outline with the definitions that `words` name if the file is long."""
    try:
        data, size = _bytes(path, MOST_READ)
    except OSError as error:
        raise UsageError(f"{name} cannot be read: {error.strerror}.", "Name another file.") from None
    if kind := binary_kind(data):
        return f"{name} is a {kind} file of {size:,} bytes."
    text, shown = clean_text(data), path.relative_to(root.resolve()).as_posix()
    lines = text.removesuffix("\n").split("\n")
    note = ""
    if _is_ignored(path, root):  # the session has no copy of it
        note = f"{shown} is longer; the rest is not attached." if len(text) > MOST_TEXT or size > len(data) else ""
        text = text[:MOST_TEXT]
    elif not fits(lines):
        text = outline(shown, lines, find_definitions(shown, text), names_in(words.replace(name, "")))
        note = f"{shown} is long ({size:,} bytes): `view` shows the rest."
    return f"{shown}:\n{wrap_code(text.rstrip())}" + (f"\n{note}" if note else "")


def _listing(path: Path, name: str) -> str:
    try:
        entries = sorted(os.scandir(path), key=lambda entry: entry.name)
    except OSError as error:
        raise UsageError(f"{name} cannot be read: {error.strerror}.", "Name another folder.") from None
    names = [
        clean_text(f"{entry.name}/" if entry.is_dir() else entry.name) for entry in entries if entry.name != ".git"
    ]
    more = f"\n[and {len(names) - MOST_NAMES} more]" if len(names) > MOST_NAMES else ""
    return f"{name} contains:\n" + "\n".join(names[:MOST_NAMES]) + more


def _picture(path: Path) -> str:
    """Return a data: URL for an image, which is recognized by its first bytes; return "" for any other file."""
    try:
        data, size = _bytes(path, MOST_PICTURES)
    except OSError:
        return ""
    if size > len(data):
        return ""
    kind = next((kind for magic, kind in MAGIC.items() if data.startswith(magic)), "")
    return f"data:image/{kind};base64,{b64encode(data).decode()}" if kind else ""


def _bytes(path: Path, most: int) -> tuple[bytes, int]:
    """Return at most `most` bytes of a regular file, and its size. Raises OSError, including for a device or a pipe."""
    with open_regular(path) as file:
        return file.read(most), os.fstat(file.fileno()).st_size
