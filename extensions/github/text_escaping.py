"""Escaping of text from strangers and models, so that GitHub and GitLab show it as text and do not act on it.

Unescaped text can mention people, link and close issues, load images, hide comments or skip checks.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from aci.observation.untrusted_text import clean_text, wrap_code

LONGEST = 4_000
LONGEST_NAME = 200
"""Maximum number of characters of text and of a name."""
MOST_BULLETS = 10
_SPAN = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
_LINKED = re.compile(r"@|#\d|G[HL]-\d|://|www\.|[0-9a-f]{7,}", re.IGNORECASE)
_ACTIVE = re.compile(f"{_LINKED.pattern}|_", re.IGNORECASE)
"""Text that GitHub turns into links or mentions, and underscores; a word that contains any of these is shown as
code."""
_EDGES = re.compile("([(\"'\u201c\u2018,;:]*)(.*?)([)\"'\u201d\u2019,;:.!?]*)", re.DOTALL)
_SPECIAL = re.compile(r"[\\*\[\]<>~|!&#{}$]")
_LEADING = re.compile(r"^(\s*)([-+=>]+|\d{1,9}[.)])(?=\s|$)")
_TRAILER = re.compile(r"(?<![A-Za-z])(?<![A-Za-z]-)([A-Za-z]+(?:-[A-Za-z]+)*-(?:by|on|checks))(?:\s*:)+", re.IGNORECASE)
_SKIPS = re.compile(r"\[([^\[\]]{0,30}(?<![a-z])(?:skip|no|ci)(?![a-z])[^\[\]]{0,30})\]", re.IGNORECASE)
"""`[skip ci]` and similar markers."""
_ISSUE_URL = re.compile(
    r"\b\w+://[^\s/]+/((?:[\w.-]+/)+?[\w.-]+)/(?:-/)?"
    r"(?:issues|work_items|merge_requests|pull|discussions)/(?:incident/)?(\d+)\S*"
)
"""URLs of issues and requests, on GitLab in groups of any depth."""
_ISSUE_NAME = re.compile(r"\[(issue|work_item|merge_request|epic):+", re.IGNORECASE)
"""`[issue:7]` and similar references on GitLab."""


def escape_markdown(text: str, emphasis: bool = False) -> str:
    """Return untrusted prose as Markdown for a pull request or a comment, paragraph by paragraph.

    The result has no mentions, issue references, links, HTML, images or hidden text. Code in single backticks stays
    code. With `emphasis`, text between asterisks or underscores stays emphasised.
    """
    paragraphs = re.split(r"\n\s*\n", _COMMENT.sub(" ", strip_invisible(text))[:LONGEST])
    return "\n\n".join(filter(None, (_paragraph(" ".join(each.split()), emphasis) for each in paragraphs)))


def plain(text: str) -> str:
    """Return text for a title or a commit message: one line without mentions and issue references."""
    while (shown := _plain_pass(text)) != text:  # removing a match may join the text around it into a new match
        text = shown
    return text


def _plain_pass(text: str) -> str:
    line = " ".join(_COMMENT.sub(" ", strip_invisible(text)).split())
    line = _ISSUE_URL.sub(r"\1 \2", line)
    line = re.sub(r"\*{3,}|(?<![#@!])[#@!]+(?=\d)|(?<!@)@+(?=[\w-])", "", line)
    line = re.sub(r"\b(G[HL])-(?=\d)", r"\1 ", _ISSUE_NAME.sub(r"[\1 ", line), flags=re.IGNORECASE)
    line = _TRAILER.sub(r"\1", line)
    line = re.sub(r"(?<=[-*+.)] )\[([ x])\]", r"(\1)", line, flags=re.IGNORECASE)  # prevents a ticked checkbox
    line = re.sub(r"(?<=[-*+] )\[([xX])\]", r"(\1)", _SKIPS.sub(r"(\1)", line)).replace("](", "] (")
    return re.sub(r"^\s*(\[[^\[\]]*\]):", r"\1 :", line).strip()


def cut(text: str, most: int, end: str = "") -> str:
    """Return Markdown cut to at most `most` characters, with `end` if lines were left out.

    Only whole lines are removed, because a cut within a line could leave a code span unclosed.
    """
    return text if len(text) <= most else text[: most - len(end) + 1].rpartition("\n")[0] + end


def code(text: str) -> str:
    """Return text as a code span on one line; the text cannot end the span."""
    line = " ".join(strip_invisible(text).replace("`", "'").split())
    return f"`{line}`" if line else ""


def format_name(name: str) -> str:
    """Return a path or the name of a test as code, truncated if it is very long."""
    return code(name if len(name) <= LONGEST_NAME else f"{name[:LONGEST_NAME]}…")


def code_block(text: str, language: str = "") -> str:
    """Return text as a code block; the text cannot end the block."""
    return wrap_code(strip_invisible(text), language)


def bullet_list(lines: Iterable[str]) -> str:
    """Return a list of at most MOST_BULLETS Markdown lines, and how many are left out; "" for no line."""
    given = [line for line in lines if line]
    more = [f"and {len(given) - MOST_BULLETS} more"] if len(given) > MOST_BULLETS else []
    return "\n".join(f"- {line}" for line in [*given[:MOST_BULLETS], *more])


def strip_invisible(text: str) -> str:
    """Return the text without control characters, zero-width characters and stacked combining marks."""
    found = unicodedata.normalize("NFC", clean_text(text.replace("\r\n", "\n").replace("\r", "\n")))
    shown, marks = [], 0
    for character in found:
        kind = unicodedata.category(character)
        marks = marks + 1 if kind in ("Mn", "Me") else 0
        if character in "\n\t" or (
            kind[0] != "C" and kind not in ("Zl", "Zp") and marks <= 2 and not _is_blank(character)
        ):
            shown.append(character)
    return "".join(shown)


def _is_blank(character: str) -> bool:
    """Whether a letter or mark is rendered blank."""
    return (
        character in "\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0\u2800"
        or "\ufe00" <= character <= "\ufe0f"
        or ("\U000e0100" <= character <= "\U000e01ef")
    )


def _paragraph(line: str, emphasis: bool) -> str:
    shown, last = [], 0
    line = _TRAILER.sub(r"\1", line)  # a squash merge may copy a trailer into a commit message
    for match in _SPAN.finditer(line):
        shown += [_words(line[last : match.start()], emphasis), code(match[1])]
        last = match.end()
    shown.append(_words(line[last:], emphasis))
    text = re.sub(r"^(?=/\w)", r"\\", "".join(shown).replace("``", "` `"))  # bots run lines that start with a slash
    return _LEADING.sub(lambda match: f"{match[1]}{match[2][:-1]}\\{match[2][-1]}", text)


def _words(text: str, emphasis: bool) -> str:
    """Return prose that contains no code spans, escaped."""
    parts = re.split(r"(\s+)", text.replace("`", "'"))
    return "".join(part if part.isspace() else _word(part, emphasis) for part in parts)


def _word(word: str, emphasis: bool) -> str:
    active = _LINKED if emphasis else _ACTIVE
    match = _EDGES.fullmatch(word)
    before, middle, after = match.groups() if match else ("", word, "")
    if not active.search(middle):
        before, middle, after = ("", word, "") if active.search(word) else (word, "", "")
    shown = f"`{middle}`" if middle else ""
    return f"{_escaped(before, emphasis)}{shown}{_escaped(after, emphasis)}"


def _escaped(text: str, emphasis: bool) -> str:
    return _SPECIAL.sub(lambda match: match[0] if emphasis and match[0] == "*" else f"\\{match[0]}", text)


def with_full_stop(text: str) -> str:
    """Return a sentence that ends with a full stop, unless it ends with punctuation of any script, or code."""
    text = text.strip()
    is_ended = not text or text[-1] in "`\"'" or unicodedata.category(text[-1]) in ("Po", "Pe", "Pf")
    return text if is_ended else f"{text}."
