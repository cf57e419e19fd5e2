"""Words of strangers and models as GitHub may show them: as text, which names nobody and does nothing.

GitHub acts on what it reads: it calls people, links and closes issues, loads pictures, hides comments, skips checks.
"""

from __future__ import annotations

import re
import unicodedata

from aci.view import clean

LONGEST = 4_000
LONGEST_NAME = 200
"""Characters of one text, and of a name."""
_SPAN = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
_CALLED = re.compile(r"@|#\d|GH-\d|://|www\.|[0-9a-f]{7,}", re.IGNORECASE)
_ACTIVE = re.compile(f"{_CALLED.pattern}|_", re.IGNORECASE)
"""What GitHub makes something of, or Markdown does in the midst of a word: such a word is shown as code."""
_EDGES = re.compile("([(\"'\u201c\u2018,;:]*)(.*?)([)\"'\u201d\u2019,;:.!?]*)", re.DOTALL)
_SPECIAL = re.compile(r"[\\*\[\]<>~|!&#{}$]")
_LEADING = re.compile(r"^(\s*)([-+=>]+|\d{1,9}[.)])(?=\s|$)")
_TRAILER = re.compile(r"(?<![A-Za-z])(?<![A-Za-z]-)([A-Za-z]+(?:-[A-Za-z]+)*-(?:by|on|checks))(?:\s*:)+", re.IGNORECASE)
_SKIPS = re.compile(r"\[([^\[\]]{0,30}(?<![a-z])(?:skip|no|ci)(?![a-z])[^\[\]]{0,30})\]", re.IGNORECASE)
"""`[skip ci]` and its like."""
_ISSUE_URL = re.compile(r"\b\w+://[^\s/]+/([\w.-]+/[\w.-]+)/(?:issues|pull|discussions)/(\d+)\S*")


def neutral(text: str, emphasis: bool = False) -> str:
    """Prose of somebody else's as Markdown for a pull request or a comment, in one paragraph a paragraph of theirs.

    No mention, no reference to an issue, no link, no HTML, no picture, nothing hidden is left of it; code in single
    backticks stays code, and with `emphasis` what stands between asterisks or underscores is emphasised.
    """
    paragraphs = re.split(r"\n\s*\n", _COMMENT.sub(" ", seen(text))[:LONGEST])
    return "\n\n".join(filter(None, (_paragraph(" ".join(each.split()), emphasis) for each in paragraphs)))


def plain(text: str) -> str:
    """Words for a title or a commit's message: one line, in which a name is no mention and a number no reference."""
    while (shown := _once_plain(text)) != text:  # what is taken out brings together what stood around it
        text = shown
    return text


def _once_plain(text: str) -> str:
    line = " ".join(_COMMENT.sub(" ", seen(text)).split())
    line = _ISSUE_URL.sub(r"\1 \2", line)
    line = re.sub(r"\*{3,}|(?<![#@])[#@]+(?=\d)|(?<!@)@+(?=[\w-])", "", line)
    line = re.sub(r"\b(GH)-(?=\d)", r"\1 ", line, flags=re.IGNORECASE)
    line = _TRAILER.sub(r"\1", line)
    line = re.sub(r"(?<=[-*+.)] )\[([ x])\]", r"(\1)", line, flags=re.IGNORECASE)  # a box would be ticked
    line = re.sub(r"(?<=[-*+] )\[([xX])\]", r"(\1)", _SKIPS.sub(r"(\1)", line)).replace("](", "] (")
    return re.sub(r"^\s*(\[[^\[\]]*\]):", r"\1 :", line).strip()


def cut(text: str, most: int, end: str = "") -> str:
    """Markdown of at most so many characters: whole lines, and `end` where some are left out. In the midst of one, a
    name would step out of its span of code."""
    return text if len(text) <= most else text[: most - len(end) + 1].rpartition("\n")[0] + end


def code(text: str) -> str:
    """A span of code on one line; nothing in it ends it."""
    line = " ".join(seen(text).replace("`", "'").split())
    return f"`{line}`" if line else ""


def named(name: str) -> str:
    """A path's or a test's name as code, with its end left out where it is very long."""
    return code(name if len(name) <= LONGEST_NAME else f"{name[:LONGEST_NAME]}…")


def fenced(text: str, language: str = "") -> str:
    """A block of code; nothing in it ends it."""
    shown = seen(text)
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall(r"`+", shown)), default=0))
    return f"{fence}{language}\n{shown}\n{fence}"


def seen(text: str) -> str:
    """Only what a reader sees: no controls, nothing without a width, no stack of marks upon one letter."""
    found = unicodedata.normalize("NFC", clean(text.replace("\r\n", "\n").replace("\r", "\n")))
    shown, marks = [], 0
    for character in found:
        kind = unicodedata.category(character)
        marks = marks + 1 if kind in ("Mn", "Me") else 0
        if character in "\n\t" or (
            kind[0] != "C" and kind not in ("Zl", "Zp") and marks <= 2 and not _blank(character)
        ):
            shown.append(character)
    return "".join(shown)


def _blank(character: str) -> bool:
    """Letters and marks that look like nothing."""
    return (
        character in "\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0\u2800"
        or "\ufe00" <= character <= "\ufe0f"
        or ("\U000e0100" <= character <= "\U000e01ef")
    )


def _paragraph(line: str, emphasis: bool) -> str:
    shown, last = [], 0
    line = _TRAILER.sub(r"\1", line)  # who squashes may make a commit's message of it
    for match in _SPAN.finditer(line):
        shown += [_words(line[last : match.start()], emphasis), code(match[1])]
        last = match.end()
    shown.append(_words(line[last:], emphasis))
    text = re.sub(r"^(?=/\w)", r"\\", "".join(shown).replace("``", "` `"))  # bots obey lines that begin with a slash
    return _LEADING.sub(lambda match: f"{match[1]}{match[2][:-1]}\\{match[2][-1]}", text)


def _words(text: str, emphasis: bool) -> str:
    """Prose without spans of code."""
    parts = re.split(r"(\s+)", text.replace("`", "'"))
    return "".join(part if part.isspace() else _word(part, emphasis) for part in parts)


def _word(word: str, emphasis: bool) -> str:
    active = _CALLED if emphasis else _ACTIVE
    match = _EDGES.fullmatch(word)
    before, middle, after = match.groups() if match else ("", word, "")
    if not active.search(middle):
        before, middle, after = ("", word, "") if active.search(word) else (word, "", "")
    shown = f"`{middle}`" if middle else ""
    return f"{_escaped(before, emphasis)}{shown}{_escaped(after, emphasis)}"


def _escaped(text: str, emphasis: bool) -> str:
    return _SPECIAL.sub(lambda match: match[0] if emphasis and match[0] == "*" else f"\\{match[0]}", text)
