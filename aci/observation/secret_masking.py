"""Masking of secrets in text: known ones in the encodings in which they may occur (plain, base64, percent-encoded, hex,
JSON), and everything that looks like an API key."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Callable, Collection, Iterable, Sequence
from functools import lru_cache
from typing import Any
from urllib.parse import quote, quote_plus, unquote, unquote_plus

from aci.observation.untrusted_text import clean_text

MIN_SECRET = 8
"""Minimum number of characters of a secret; a shorter one might be a word and would be masked in source code."""

MASKED = "[masked]"
_KEYS = re.compile(
    r"(?<![A-Za-z0-9])(?:"
    r"sk-(?:proj|ant|or|svcacct|admin)-[\w-]{20,}|sk-(?=[A-Za-z]*\d)[A-Za-z0-9]{32,}"  # OpenAI, Anthropic, OpenRouter
    r"|gh[pousr]_[A-Za-z0-9]{30,}|github_pat_\w{30,}|glpat-[\w-]{20,}"
    r"|(?:AKIA|ASIA)[0-9A-Z]{16}(?![0-9A-Za-z])|AIza[\w-]{35}"
    r"|xox[abeoprs]-[\w-]{10,}|hf_[A-Za-z0-9]{30,}|npm_[A-Za-z0-9]{36}|pypi-AgE[\w-]{50,}"
    r")"
    r"|-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----[A-Za-z0-9+/=\\\s]{100,}(?:-----END (?:[A-Z]+ )*PRIVATE KEY-----)?"
)
_KEYS_BEGIN = (
    *("sk-", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "glpat-", "AKIA", "ASIA", "AIza", "xox"),
    *("hf_", "npm_", "pypi-AgE", "-----BEGIN "),
)
"""Prefixes of API keys; searching for these first halves the time for text without keys."""
_QUERY_KEY = re.compile(
    r"([?&][^\s=&#?]{0,60}?(?:key|token|secret|passw|pwd|auth|sig|credential|code)[^\s=&#?]{0,60}=)([^\s&#]+)",
    re.IGNORECASE,
)
"""A parameter in the query of a URL whose name says that it is a key, and its value."""
_BREAK = r"(?:\r?\n|\\n)?"  # the second form occurs in quoted strings


def replace_secrets(text: str, secrets: Iterable[str], mark: str) -> str:
    """Replace each form of each secret by `mark`; base64 is also found if it is broken into lines.

    Invisible characters are removed if they hide a secret, since a later reader may remove them too.
    """
    known = {secret for secret in secrets if len(secret) >= MIN_SECRET}
    return replace_visibly(text, lambda shown: _replace(shown, known, mark)) if known else text


def replace_visibly(text: str, replace: Callable[[str], str]) -> str:
    """Return `replace(text)`; if `replace` changes that again once invisible characters are removed, return the result
    without them."""
    replaced = replace(text)
    if replaced.isascii():
        return replaced
    visible = clean_text(replaced)
    again = replace(visible)
    return replaced if again == visible else again


def _replace(text: str, known: Collection[str], mark: str) -> str:
    whole = re.sub(r"\r?\n|\\n", "", text)
    for form, is_base64 in sorted(
        (form for secret in known for form in secret_forms(secret)), key=lambda f: -len(f[0])
    ):
        if form in text:
            text = text.replace(form, mark)
        if is_base64 and form in whole:
            text = re.sub(_BREAK.join(map(re.escape, form)), mark, text)
    return text


@lru_cache(maxsize=256)
def secret_forms(secret: str) -> frozenset[tuple[str, bool]]:
    """Return each form of a secret, and whether the form is base64."""
    data = secret.encode("utf-8", "surrogateescape")
    plain = {secret, quote(data, safe=""), quote_plus(data), json.dumps(secret)[1:-1], data.hex(), data.hex().upper()}
    coded = {form for shift in range(3) for form in _base64(data, shift)}
    return frozenset({(form, False) for form in plain} | {(form, True) for form in coded})


def _base64(data: bytes, shift: int) -> tuple[str, str]:
    """Return the part of the base64 encoding that all texts with `data` at an offset of `shift` bytes (modulo 3) share,
    and its URL-safe form."""
    first, end = (shift * 8 + 5) // 6, (shift + len(data)) * 8 // 6
    core = b64encode(bytes(shift) + data).decode()[first:end]
    return core, core.replace("+", "-").replace("/", "_")


def without_url_secrets(text: str) -> str:
    """Return the text with user names and passwords removed from its URLs, and `***` in place of keys in their
    queries."""
    return _QUERY_KEY.sub(r"\1***", re.sub(r"//[^/\s]*@", "//", text))


def secrets_in_url(url: str) -> tuple[str, ...]:
    """Return the user name, the password and the keys in the query of a URL, as written and unquoted."""
    userinfo, at, _ = url.partition("//")[2].partition("/")[0].rpartition("@")
    found = [*userinfo.split(":", 1)] if at else []
    found += [value for _, value in _QUERY_KEY.findall(url)]
    return tuple(dict.fromkeys([*found, *map(unquote, found), *map(unquote_plus, found)]))


def change_texts(value: Any, change: Callable[[str], str]) -> Any:
    """Return a JSON value with `change` applied to each text in it, also to the names in objects."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {change_texts(name, change): change_texts(part, change) for name, part in value.items()}
    return [change_texts(part, change) for part in value] if isinstance(value, list) else value


def mask_secrets(text: str, secrets: Iterable[str] = ()) -> str:
    """Mask known secrets, also in base64 and other encodings, and everything that looks like an API key.

    `replace_secrets` says how invisible characters count.
    """
    return replace_visibly(replace_secrets(text, secrets, MASKED), _mask_keys)


def _mask_keys(text: str) -> str:
    return _KEYS.sub(MASKED, text) if any(beginning in text for beginning in _KEYS_BEGIN) else text


KEY_BEGIN, KEY_END = "-----BEGIN ", "-----END "
"""What a private key in text starts and ends with; it has many lines, which are masked as a whole."""


class ReplyLines:
    """The text of a reply in whole lines while it arrives, so that a secret is not split between two pieces.

    It holds the end that is not yet a whole line.
    """

    def __init__(self) -> None:
        self._rest = ""

    def add(self, text: str, secrets: Sequence[str]) -> str:
        """Add a piece of the reply, and return the lines that are now complete, with secrets masked."""
        self._rest += text
        end = self._rest.rfind("\n") + 1
        begun = self._rest.rfind(KEY_BEGIN, 0, end)
        if begun >= 0 and KEY_END not in self._rest[begun:end]:
            end = begun
        whole, self._rest = self._rest[:end], self._rest[end:]
        return _masked_lines(whole, secrets)

    def finish(self, secrets: Sequence[str]) -> str:
        """Return the rest of the reply, with secrets masked."""
        whole, self._rest = self._rest, ""
        return _masked_lines(whole, secrets)


def _masked_lines(text: str, secrets: Sequence[str]) -> str:
    lines = (line for secret in secrets if "\n" in secret for line in secret.splitlines())
    return mask_secrets(text, (*secrets, *(line for line in lines if len(line) >= MIN_SECRET)))
