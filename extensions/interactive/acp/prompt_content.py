"""The content of a client's prompt: its words, and what is attached to them. All of it is checked."""

from __future__ import annotations

import re
from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from aci.issue_text.image_links import MOST_PICTURES, image_format
from aci.observation.untrusted_text import clean_text, one_line, wrap_code
from extensions.interactive.session.prompt_input.attachments import MOST_TEXT, TRAILING
from trajectories.errors import UsageError

MOST_BLOCKS = 200
MOST_WORDS = 100_000
"""Maximum number of characters of the words of a prompt."""
MOST_ATTACHED = 400_000
"""Maximum number of characters of all texts that are attached to a prompt."""
LONGEST_NAME = 300


@dataclass(frozen=True, slots=True)
class PromptContent:
    """The user's `words`, the text `more` that is attached to them, and `images` as data: URLs. `notices` say what is
    left out."""

    words: str
    more: str = ""
    images: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()


def read_prompt(blocks: Sequence[Any], root: Path) -> PromptContent:
    """Return the content of a prompt about the repository at `root`.

    A link to a file of the repository becomes a mention (`@path`), any other link its address; nothing is fetched.
    Raises UsageError for a prompt without words, or one that exceeds a limit.
    """
    if len(blocks) > MOST_BLOCKS:
        raise UsageError(f"The prompt has more than {MOST_BLOCKS} parts.", "Attach fewer files.")
    words = ""
    texts: list[str] = []
    images: list[str] = []
    notices: list[str] = []
    for block in blocks:
        match block.type:
            case "text":
                words = _joined(words, block.text)
            case "resource_link":
                words = _joined(words, _link(block.uri, block.name, root, notices))
            case "resource":
                name = _name(block.resource.uri, root)
                words = _joined(words, f"`{name}`")
                _attach(name, getattr(block.resource, "text", None), texts, notices)
            case "image":
                images.append(_image(block.data))
            case _:
                raise UsageError("The prompt has audio, which cannot be used.", "Write it as text.")
    said, more = words.strip(), "\n\n".join(texts)
    if not said:
        raise UsageError("The prompt has no text.", "Say what to do.")
    if len(said) > MOST_WORDS:
        raise UsageError(f"The prompt has more than {MOST_WORDS:,} characters.", "Attach a file in its place.")
    if len(more) > MOST_ATTACHED:
        raise UsageError(f"More than {MOST_ATTACHED:,} characters are attached.", "Attach fewer files.")
    if sum(map(len, images)) > MOST_PICTURES:
        raise UsageError("The pictures exceed the limit.", f"Attach less than {MOST_PICTURES:,} bytes.")
    return PromptContent(said, more, tuple(images), tuple(notices))


def _joined(before: str, text: str) -> str:
    """Return two parts of the words, with a space between them unless there is white space or punctuation."""
    is_apart = not before or before[-1].isspace() or not text or text[0].isspace() or text[0] in TRAILING
    return before + text if is_apart else f"{before} {text}"


def _path(uri: str) -> Path | None:
    """Return the path of a file: address, or None for any other."""
    try:
        parts = urlsplit(uri)
    except ValueError:
        return None
    return Path(unquote(parts.path)) if parts.scheme == "file" and parts.netloc in ("", "localhost") else None


def _inside(uri: str, root: Path) -> str:
    """Return the path within the repository of the file with this address, or "" for any other."""
    path = _path(uri)
    try:
        found = path.resolve() if path is not None else None
    except (OSError, ValueError, RuntimeError):
        return ""
    if found is None or not found.is_relative_to(root.resolve()) or found == root.resolve():
        return ""
    return found.relative_to(root.resolve()).as_posix()


def _name(uri: str, root: Path) -> str:
    return one_line(_inside(uri, root) or uri)[:LONGEST_NAME].replace("`", "'")


def _link(uri: str, name: str, root: Path, notices: list[str]) -> str:
    inside = _inside(uri, root)
    if inside and not re.search(r'["\n\r]', inside):
        return f'@"{inside}"' if re.search(r"\s", inside) else f"@{inside}"
    shown = _name(uri, root)
    if _path(uri) is not None:
        notices.append(f"Not read: {shown} is not a file of this repository.")
    return f"{one_line(name)[:LONGEST_NAME]} ({shown})"


def _attach(name: str, text: str | None, texts: list[str], notices: list[str]) -> None:
    """Attach a text that the client sends, in the form in which the session attaches a file."""
    if text is None:
        notices.append(f"Not attached: {name} is not text.")
        return
    clean = clean_text(text[:MOST_TEXT]).rstrip()
    note = f"\n{name} is longer; the rest is not attached." if len(text) > MOST_TEXT else ""
    texts.append(f"{name}:\n{wrap_code(clean)}{note}")


def _image(data: str) -> str:
    """Return an image as a data: URL; its kind is that of its bytes, whatever the client says."""
    try:
        kind = image_format(b64decode(data, validate=True)) if len(data) <= 2 * MOST_PICTURES else ""
    except (NotBase64, ValueError):
        kind = ""
    if not kind:
        raise UsageError("A picture of the prompt cannot be used.", "Attach a PNG, JPEG, GIF or WebP, less than 3 MB.")
    return f"data:image/{kind};base64,{data}"
