"""The forms in which a secret's value may stand in a text: plain, in base64, percent-encoded, in hex, within JSON."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Iterable
from functools import lru_cache
from urllib.parse import quote, quote_plus

SHORTEST = 8
"""Characters; what is shorter is a word, and would be masked out of source code."""

_BREAK = r"(?:\r?\n|\\n)?"  # or as a program shows it in quotes


def hide(text: str, secrets: Iterable[str], mark: str) -> str:
    """`text` with `mark` for each form of each secret; base64 also where it is broken into lines."""
    known = {secret for secret in secrets if len(secret) >= SHORTEST}
    if not known:
        return text
    whole = re.sub(r"\r?\n|\\n", "", text)
    for form, is_base64 in sorted((form for secret in known for form in forms(secret)), key=lambda f: -len(f[0])):
        if form in text:
            text = text.replace(form, mark)
        if is_base64 and form in whole:
            text = re.sub(_BREAK.join(map(re.escape, form)), mark, text)
    return text


@lru_cache(maxsize=256)
def forms(secret: str) -> frozenset[tuple[str, bool]]:
    """Each form, and whether it is base64's."""
    data = secret.encode("utf-8", "surrogateescape")
    plain = {secret, quote(data, safe=""), quote_plus(data), json.dumps(secret)[1:-1], data.hex(), data.hex().upper()}
    coded = {form for shift in range(3) for form in _base64(data, shift)}
    return frozenset({(form, False) for form in plain} | {(form, True) for form in coded})


def _base64(data: bytes, shift: int) -> tuple[str, str]:
    """What of `data` any base64 has in which `shift` bytes (modulo 3) stand before it; plain, and as for URLs."""
    first, end = (shift * 8 + 5) // 6, (shift + len(data)) * 8 // 6
    core = b64encode(bytes(shift) + data).decode()[first:end]
    return core, core.replace("+", "-").replace("/", "_")
