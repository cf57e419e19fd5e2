"""Which files of a tree are indexed, and why others are left out, in words for the user."""

from __future__ import annotations

import re

from aci.graph.parse import by_file_name

NO_SOURCE = "in no language that is understood"
VENDORED = "vendored"
GENERATED = "generated"
MINIFIED = "minified"
TOO_LARGE = "too large to be source"

_MODES = {"120000": "a symbolic link", "160000": "a submodule"}

# A folder named `vendor` may as well hold an application's own code about vendors: it is other people's at the root,
# among a page's assets, and where it holds modules by the host they come from, as Go's does.
_VENDORED = re.compile(
    r"(?:^|/)(?:node_modules|bower_components|jspm_packages|_vendor|_vendored|third[_-]?party|site-packages|Godeps)/"
    r"|^(?:[^/]+/)?c?extern/|^vendors?/|(?:^|/)(?:static|public|assets|js|css|lib|libs)/vendors?/"
    r"|(?:^|/)vendor/[^/]+\.[^/]+/.",
    re.IGNORECASE,
)
_GENERATED_PATH = re.compile(
    r"(?:_pb2(?:_grpc)?\.pyi?|\.pb\.(?:go|cc|h|rs)|_pb\.(?:js|d\.ts|rb)|_grpc\.pb\.go|\.g\.(?:ts|js)|\.generated\.\w+"
    r"|(?:^|/|_)(?:parsetab|lextab|yacctab)\.py)$"
)
_MINIFIED_PATH = re.compile(r"[.-]min\.(?:js|mjs|cjs|css)$|[.-]bundle\.js$")

_SAYS_GENERATED = re.compile(rb"@generated\b|\bdo not (?:edit|modify)\b", re.IGNORECASE)
_CODE = re.compile(
    rb"^(?:import|from|def|class|package|use|using|require|#\s*include|export|const|let|var|function|pub|fn|mod"
    rb"|namespace|module|[A-Za-z_]\w*\s*[:=])\b",
    re.MULTILINE,
)
MOST_COMMENTS = 5000
"""Lines in a row, for which Python's grammar takes the square of their number."""

HEAD = 1000
"""Bytes in which a file says, before its first code, that a program made it."""

LONG_LINES = 1000
"""Bytes a line on the average: nobody writes so."""


def language_of(path: str) -> str:
    """The name of the file in `aci/graph/languages`, or "" if there is none for it."""
    stem, dot, extension = path.rpartition("/")[2].rpartition(".")
    return by_file_name().get(f".{extension.lower()}" if dot else extension, "") if stem or not dot else ""


def left_out(path: str, mode: str) -> str:
    """Why a file is not read, or ""; `mode` is git's.

    Symbolic links are blobs of their own for git and are never followed.
    """
    if not mode.startswith("100"):
        return _MODES.get(mode, "no file")
    if not language_of(path):
        return NO_SOURCE
    if _VENDORED.search(path):
        return VENDORED
    if _MINIFIED_PATH.search(path):
        return MINIFIED
    return GENERATED if _GENERATED_PATH.search(path) else ""


def unreadable(data: bytes) -> str:
    """Why a file's content is not source, or ""; what is not UTF-8 is."""
    if b"\0" in data:
        return "binary"
    if len(data) > 10 * LONG_LINES and len(data) > LONG_LINES * (data.count(b"\n") + data.count(b"\r") + 1):
        return MINIFIED
    if data.count(b"#") >= MOST_COMMENTS and _is_commented_out(data):
        return "comments only, for thousands of lines"
    code = _CODE.search(data, 0, HEAD)
    return GENERATED if _SAYS_GENERATED.search(data, 0, code.start() if code else HEAD) else ""


def _is_commented_out(data: bytes) -> bool:
    run = 0
    for line in data.split(b"\n"):
        run = run + 1 if line.lstrip(b" \t").startswith(b"#") else 0
        if run == MOST_COMMENTS:
            return True
    return False
