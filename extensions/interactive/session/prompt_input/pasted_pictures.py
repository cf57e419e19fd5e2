"""Pictures that a terminal pastes as paths of files, for example when a file is dragged into it."""

from __future__ import annotations

import shlex
from contextlib import suppress
from pathlib import Path
from urllib.parse import unquote, urlsplit

from aci.issue_text.image_links import image_format
from agent.config.settings import Settings
from agent.conversation.model_roles import check_models, needs_model
from extensions.interactive.session.prompt_input.attachments import PICTURE
from trajectories.errors import ConfigError
from trajectories.file_limits import open_regular

PASTED_FOLDER = "pasted"
"""Folder in the state folder for pictures from the clipboard, which any request may attach."""
MAX_PATHS = 10_000
"""Maximum number of characters of a paste that is read as paths."""


def pasted_pictures(text: str) -> list[Path]:
    """Return the picture files whose full paths are the whole text, which may be quoted, escaped or file: URLs; nothing
    for any other text."""
    text = text.strip()
    if len(text) > MAX_PATHS or "\n" in text or not PICTURE.search(text[-6:].rstrip("'\"")):
        return []
    with suppress(ValueError):  # an open quotation mark
        for words in ([text], shlex.split(text)):
            paths = [_path(word) for word in words]
            if all(map(_is_picture, paths)):
                return paths
    return []


def _path(word: str) -> Path:
    return Path(unquote(urlsplit(word).path) if word.startswith("file:/") else word)


def _is_picture(path: Path) -> bool:
    """Return whether this is the full path of a picture, which a mention in quotation marks can name."""
    if not path.is_absolute() or '"' in str(path):
        return False
    try:
        with open_regular(path) as file:
            return bool(image_format(file.read(16)))
    except (OSError, ValueError):
        return False


def why_unseen(settings: Settings, strategy: str) -> str:
    """Return the sentence that the model of the next turn cannot see pictures; "" if it can, or if that is unknown."""
    if not needs_model(strategy):
        return ""
    try:
        model = check_models(settings)
    except ConfigError:
        return ""
    return "" if model.images else f"{model.name} cannot see pictures."
