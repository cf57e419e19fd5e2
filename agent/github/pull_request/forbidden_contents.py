"""What a changed file holds that no patch of ours may, or that a reviewer would not see."""

from __future__ import annotations

import re
from base64 import b64decode
from collections import Counter
from collections.abc import Collection, Iterator

from aci.view import mask
from trajectories.characters import BREAKS, DROPPED

LARGEST_FILE = 5_000_000
"""Bytes of a file that is looked into."""
LONGEST_LINE = 1_000
"""Characters of a line that somebody reads to its end."""
_TURNING = re.compile(r"[\u202a-\u202e\u2066-\u2069]")
_UNSEEN = re.compile(f"[{DROPPED}{BREAKS}\u115f\u1160\u3164\uffa0]")
_HARMLESS = re.compile(r"\f|\r(?=\n|\Z)")
_BOM = b"\xef\xbb\xbf"
_CODED = re.compile(r"(?<![A-Za-z0-9+/_-])[A-Za-z0-9+/_-]{24,4096}")
_BEGINS = re.compile(
    r"(?=gh[pousr]_|github_pat_|glpat-|sk-(?:proj|ant|or|svcacct|admin)-|AKIA|ASIA|AIza|xox[abeoprs]-|hf_|npm_|pypi-AgE)"
)
_HEX = re.compile(r"(?:[0-9a-fA-F]{2}){16,2048}")


def refused_content(old: bytes | None, new: bytes, secrets: Collection[str] = ()) -> str:
    """Why a file may not become `new` (`old`: None for a file that is new); "" where it may."""
    if new.startswith(b"version https://git-lfs"):
        return "it points to a large file that lies elsewhere"
    if b"\0" in new or (not _is_text(new) and (old is None or _is_text(old))):
        return "it is binary"
    if old and new and (converted := _converted(old, new)):
        return converted
    if has_key("\n".join(_added(old or b"", new)), secrets):
        return "it holds what looks like a key or a password"
    return ""


def has_key(text: str, secrets: Collection[str] = ()) -> bool:
    """Whether a text holds one of `secrets`, or what has the shape of a key: as it is, in base64 or in hex."""
    return any(_has_key(part, secrets) for part in (text, *_decoded(text)))


def unseen(old: bytes | None, new: bytes) -> str:
    """What in the added lines a reviewer would not see, to complete "`path` …"; "" for nothing."""
    added = list(_added((old or b"").removeprefix(_BOM), new.removeprefix(_BOM)))
    text = _HARMLESS.sub("", "\n".join(added))
    if _TURNING.search(text):
        return "has characters that turn the direction of text"
    if _UNSEEN.search(text):
        return "has characters that are not seen"
    longest = max(map(len, added), default=0)
    return f"has a line of {longest:,} characters" if longest > LONGEST_LINE else ""


def _added(old: bytes, new: bytes) -> Iterator[str]:
    """The lines of `new` that `old` has not, each as often as it is more there."""
    left = Counter(old.split(b"\n"))
    for line in new.split(b"\n"):
        if left[line] > 0:
            left[line] -= 1
        else:
            yield line.decode("utf-8", "replace")


def _is_text(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return b"\0" not in data


def _converted(old: bytes, new: bytes) -> str:
    """Whether every line's end became another: a diff in which nobody finds what was changed."""
    before, after = _ends(old), _ends(new)
    if before and after and before != after and "mixed" not in (before, after):
        return f"all its lines end in {after} instead of {before}"
    return ""


def _ends(data: bytes) -> str:
    """How the lines of a text end: mostly so; "mixed" where it is as much one as the other, "" without lines."""
    crlf = data.count(b"\r\n")
    others = {"LF": data.count(b"\n") - crlf, "CRLF": crlf, "CR": data.count(b"\r") - crlf}
    most, next_most = sorted(others, key=lambda end: -others[end])[:2]
    if not others[most]:
        return ""
    return most if others[most] > 4 * others[next_most] else "mixed"


def _has_key(text: str, secrets: Collection[str]) -> bool:
    apart = _BEGINS.sub(" ", text)  # a key that something is glued to is one, too
    return mask(apart, secrets) != apart or mask(text, secrets) != text


def _decoded(text: str) -> Iterator[str]:
    """What stands in base64 or hex in a text."""
    for found in _CODED.finditer(text):
        for shift in range(4):  # where the run begins with something else
            coded = found[0][shift:].replace("-", "+").replace("_", "/")
            yield b64decode(coded[: len(coded) // 4 * 4]).decode("latin-1")
    for found in _HEX.finditer(text):
        yield bytes.fromhex(found[0]).decode("latin-1")
