"""File contents that no patch may publish, and contents that a reviewer would not see."""

from __future__ import annotations

import re
from base64 import b64decode
from collections import Counter
from collections.abc import Collection, Iterator

from aci.observation.secret_masking import mask_secrets
from trajectories.characters import BREAKS, DROPPED

LARGEST_FILE = 5_000_000
"""Maximum size in bytes of a file that is examined."""
LONGEST_LINE = 1_000
"""Maximum length in characters of a line that a reviewer is expected to read to its end."""
_BIDI_CONTROLS = re.compile(r"[\u202a-\u202e\u2066-\u2069]")
_INVISIBLE = re.compile(f"[{DROPPED}{BREAKS}\u115f\u1160\u3164\uffa0]")
_HARMLESS = re.compile(r"\f|\r(?=\n|\Z)")
_BOM = b"\xef\xbb\xbf"
_CODED = re.compile(r"(?<![A-Za-z0-9+/_-])[A-Za-z0-9+/_-]{24,4096}")
_BEGINS = re.compile(
    r"(?=gh[pousr]_|github_pat_|glpat-|sk-(?:proj|ant|or|svcacct|admin)-|AKIA|ASIA|AIza|xox[abeoprs]-|hf_|npm_|pypi-AgE)"
)
_HEX = re.compile(r"(?:[0-9a-fA-F]{2}){16,2048}")


def content_refusal(old: bytes | None, new: bytes, secrets: Collection[str] = ()) -> str:
    """Return why a file may not get the content `new` (`old` is None for a new file); "" if it may."""
    if new.startswith(b"version https://git-lfs"):
        return "it points to a file in Git LFS"
    if b"\0" in new or (not _is_text(new) and (old is None or _is_text(old))):
        return "it is binary"
    if old and new and (converted := _changed_line_ending(old, new)):
        return converted
    if has_key("\n".join(_added(old or b"", new)), secrets):
        return "it contains what looks like a key or a password"
    return ""


def has_key(text: str, secrets: Collection[str] = ()) -> bool:
    """Whether text contains one of `secrets` or anything in the format of a key, as plain text, base64 or hex."""
    return any(_has_key(part, secrets) for part in (text, *_decoded(text)))


def invisible_content(old: bytes | None, new: bytes) -> str:
    """Return what a reviewer would not see in the added lines, as a phrase that follows the path; "" for nothing."""
    added = list(_added((old or b"").removeprefix(_BOM), new.removeprefix(_BOM)))
    text = _HARMLESS.sub("", "\n".join(added))
    if _BIDI_CONTROLS.search(text):
        return "has characters that change the direction of text"
    if _INVISIBLE.search(text):
        return "has invisible characters"
    longest = max(map(len, added), default=0)
    return f"has a line of {longest:,} characters" if longest > LONGEST_LINE else ""


def _added(old: bytes, new: bytes) -> Iterator[str]:
    """Yield the lines that `new` has and `old` does not, counting repeated lines."""
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


def _changed_line_ending(old: bytes, new: bytes) -> str:
    """Return the reason for a refusal if all line endings changed, which hides the real changes in the diff; else
    ""."""
    before, after = _line_ending(old), _line_ending(new)
    if before and after and before != after and "mixed" not in (before, after):
        return f"all its lines end in {after} instead of {before}"
    return ""


def _line_ending(data: bytes) -> str:
    """Return the prevailing line ending of text; "mixed" if none prevails, "" if there are no lines."""
    crlf = data.count(b"\r\n")
    others = {"LF": data.count(b"\n") - crlf, "CRLF": crlf, "CR": data.count(b"\r") - crlf}
    most, next_most = sorted(others, key=lambda end: -others[end])[:2]
    if not others[most]:
        return ""
    return most if others[most] > 4 * others[next_most] else "mixed"


def _has_key(text: str, secrets: Collection[str]) -> bool:
    apart = _BEGINS.sub(" ", text)  # also finds a key directly after other text
    return mask_secrets(apart, secrets) != apart or mask_secrets(text, secrets) != text


def _decoded(text: str) -> Iterator[str]:
    """Yield the results of decoding the base64 and hex strings in text."""
    for found in _CODED.finditer(text):
        for shift in range(4):  # the string may start with other characters
            coded = found[0][shift:].replace("-", "+").replace("_", "/")
            yield b64decode(coded[: len(coded) // 4 * 4]).decode("latin-1")
    for found in _HEX.finditer(text):
        yield bytes.fromhex(found[0]).decode("latin-1")
