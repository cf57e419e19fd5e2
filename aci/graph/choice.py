"""Which files of a tree are indexed, and why others are left out."""

from __future__ import annotations

NO_SOURCE = "in no language that is understood"

_LANGUAGES = {"py": "python", "pyi": "python", "pyx": "python"}


def language_of(path: str) -> str:
    """The name of the file in `aci/graph/languages`, or "" if there is none for it."""
    return _LANGUAGES.get(path.rpartition(".")[2], "")


def left_out(path: str, mode: str) -> str:
    """Why a file is not read, or ""; `mode` is git's."""
    if not mode.startswith("100"):
        return "a symbolic link" if mode.startswith("12") else "a submodule"
    return "" if language_of(path) else NO_SOURCE


def unreadable(data: bytes) -> str:
    """Why a file's content is not source, or ""."""
    return "binary" if b"\0" in data else ""
