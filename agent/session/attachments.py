"""What a user's words bring along: `@path` a file's text, a folder's listing or a picture; an address its issue."""

from __future__ import annotations

import os
import re
from base64 import b64encode
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from aci.view import clean
from agent.intake import MAGIC, MOST_PICTURES, from_text, issue_from
from agent.moves.framing import discussion
from trajectories.errors import UsageError
from trajectories.limits import open_regular
from trajectories.plumbing import QUIET, GitFailed, environment, git
from trajectories.records import Issue

MOST_TEXT = 100_000
"""Characters of one file; a longer one is cut, and the model can read on by itself."""
MOST_NAMES = 200
MENTION = re.compile(r"(?<!\S)@(?:\"([^\"\n]+)\"|(\S+))")
ADDRESS = re.compile(r"https?://\S+/issues/\d+\S*")
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
TRAILING = ".,;:!?)]}'"


@dataclass(frozen=True)
class Request:
    """`words` are the user's; `more` what they bring along, `images` data: URLs. `whole` is an issue that was named
    and nothing else. `read` is what the user is told of what was read."""

    words: str
    more: str = ""
    images: tuple[str, ...] = ()
    whole: Issue | None = None
    read: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """As a later turn is asked."""
        if self.whole is None:
            return f"{self.words}\n\n{self.more}".strip() if self.more else self.words
        if self.whole.trust == "user":
            return self.whole.text
        who = f"{self.whole.author} ({self.whole.trust})" if self.whole.author else self.whole.trust
        asked = f"Solve this issue, {self.whole.url}, written by {who}:\n\n{self.whole.text}"
        return "\n\n".join(filter(None, [asked, discussion(self.whole.comments)]))

    @cached_property
    def issue(self) -> Issue:
        """As a run begins with it."""
        if self.whole is not None:
            return self.whole
        issue = from_text(self.text)
        return Issue(issue.title, issue.body, images=self.images)


def attached(words: str, root: Path) -> Request:
    """The request that words make. Files are looked for in the present folder, then in the repository at `root`.

    Only what lies in the repository is read, and nothing of git's own. What lies elsewhere must be named in full (from
    / or ~) and be all that is named; a picture may stand beside other words of one line: a text that was pasted may
    name what its reader does not want to send, and so may a link. What was read and is no part of the repository is
    told. Raises UsageError for a file that is not there or may not be read.
    """
    words = words.strip()
    if ADDRESS.fullmatch(words):
        said: list[str] = []
        issue = issue_from(url=words, say=said.append)
        return Request(words, images=issue.images, whole=issue, read=tuple(said))
    alone = MENTION.fullmatch(words)
    name = (alone[1] or alone[2]) if alone else ""
    file = _found(name, root) if alone else None
    if file is not None and file.is_file() and not _picture(file):
        _permit(file, name, root, alone=True)
        issue = issue_from(file=file)
        return Request(words, images=issue.images, whole=issue, read=_told(file, root))
    names = [quoted or bare for quoted, bare in MENTION.findall(words)]
    pictures = [word for word in words.split() if PICTURE.search(word[-6:]) and not word.startswith("@")]
    return _with(words, names, pictures, root, alone is not None)


def _with(words: str, names: list[str], pictures: list[str], root: Path, alone: bool) -> Request:
    texts, images, read, room = [], [], [], MOST_PICTURES
    for name in dict.fromkeys([*names, *pictures]):
        path = _found(name, root)
        if path is None:
            if name in names and "\n" not in words and _is_path(name):
                raise UsageError(f"There is no file {name}.", "Check the name: it counts from this folder.")
            continue
        picture = _picture(path)
        if not picture and name not in names:
            continue
        try:
            _permit(path, name, root, alone or (bool(picture) and "\n" not in words))
        except UsageError as refused:
            if name in names:
                raise
            read.append(f"Not read: {refused.message}")  # it stays words: a log that was pasted names many
            continue
        read += _told(path, root)
        if path.is_dir():
            texts.append(_listing(path, name))
        elif picture:
            room -= len(picture)
            if room < 0:
                raise UsageError(f"{name} makes too much of pictures.", f"Give less than {MOST_PICTURES:,} bytes.")
            images.append(picture)
        else:
            texts.append(_text(path, name, root))
    return Request(words, "\n\n".join(texts), tuple(images), read=tuple(read))


def _found(name: str, root: Path) -> Path | None:
    """The file or folder that a name means, also where a sentence ends right behind it."""
    for each in dict.fromkeys((name, name.rstrip(TRAILING))):
        for path in (Path(each).expanduser(), root / each):
            try:
                if each and path.exists():
                    return path.resolve()
            except (OSError, ValueError, RuntimeError):  # a home that nobody has
                continue
    return None


def _permit(path: Path, name: str, root: Path, alone: bool) -> None:
    """Raises UsageError where this may not be read by that name."""
    if any(part.lower() == ".git" for part in path.parts):
        raise UsageError(f"{name} is git's own and is not read.", "Put what matters of it into words.")
    if _is_within(path, root):
        return
    written = Path(name.rstrip(TRAILING)).expanduser()
    lexically = Path(os.path.abspath(written))  # noqa: PTH100 - links are not to be followed
    if _is_within(lexically, root) or not written.is_absolute():
        raise UsageError(f"{name} leads outside the repository, to {path}.", "Give that name in full, alone.")
    if not alone:
        raise UsageError(f"{name} lies outside the repository.", "Give it alone on the line to have it read.")


def _is_within(path: Path, root: Path) -> bool:
    return any(path.is_relative_to(each) for each in (root, root.resolve()))


def _told(path: Path, root: Path) -> tuple[str, ...]:
    """Says what was read where it is no part of the repository, or git ignores it."""
    size = "its names" if path.is_dir() else f"{path.stat().st_size:,} bytes"
    if not _is_within(path, root):
        return (f"Read {clean(str(path))}, {size}.",)
    if path.is_dir():
        return ()
    ask = ("ls-files", "-z", "--others", "--ignored", "--exclude-standard", "--", str(path))
    try:
        ignored = git("-C", str(root), *ask, env=environment(QUIET, keep=("GIT_CONFIG",)))
    except GitFailed:  # a folder without git
        return ()
    if not ignored:
        return ()
    return (f"Read {clean(path.relative_to(root.resolve()).as_posix())}, {size}; git ignores it.",)


def _is_path(name: str) -> bool:
    """Whether a word behind an @ is meant as a path: decorators, people and packages (@scope/name) are not."""
    return bool(re.search(r"/[^/]*\.\w{1,8}$|^[.~]?/", name)) or name.rpartition(".")[2] in SUFFIXES


def _text(path: Path, name: str, root: Path) -> str:
    try:
        data, size = _bytes(path, MOST_TEXT * 4)
    except OSError as error:
        raise UsageError(f"{name} cannot be read: {error.strerror}.", "Name another file.") from None
    if b"\0" in data[:8000]:
        return f"{name} is a binary file of {size:,} bytes."
    text = clean(data)
    cut = f"\n[{name} is longer: view it for the rest.]" if len(text) > MOST_TEXT or size > len(data) else ""
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", text)), default=0))
    shown = path.relative_to(root.resolve()).as_posix()
    return f"{shown}:\n{fence}\n{text[:MOST_TEXT].rstrip()}\n{fence}{cut}"


def _listing(path: Path, name: str) -> str:
    try:
        entries = sorted(os.scandir(path), key=lambda entry: entry.name)
    except OSError as error:
        raise UsageError(f"{name} cannot be read: {error.strerror}.", "Name another folder.") from None
    names = [clean(f"{entry.name}/" if entry.is_dir() else entry.name) for entry in entries if entry.name != ".git"]
    more = f"\n[and {len(names) - MOST_NAMES} more]" if len(names) > MOST_NAMES else ""
    return f"{name} holds:\n" + "\n".join(names[:MOST_NAMES]) + more


def _picture(path: Path) -> str:
    """A picture by its bytes as a data: URL; "" for any other file."""
    try:
        data, size = _bytes(path, MOST_PICTURES)
    except OSError:
        return ""
    if size > len(data):
        return ""
    kind = next((kind for magic, kind in MAGIC.items() if data.startswith(magic)), "")
    return f"data:image/{kind};base64,{b64encode(data).decode()}" if kind else ""


def _bytes(path: Path, most: int) -> tuple[bytes, int]:
    """So many bytes of a regular file, and its size. Raises OSError, also for a device or a pipe, which may never end:
    opening one does not wait."""
    with open_regular(path) as file:
        return file.read(most), os.fstat(file.fileno()).st_size
