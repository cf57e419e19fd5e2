"""Removal of hidden text, which a model would see but a reader of GitHub's page does not; the removed kinds of text are
named.

These are HTML comments, link titles, unused link definitions, and characters that have no width or change the direction
of text (https://embracethered.com/blog/posts/2024/hiding-and-finding-text-with-unicode-tags/). Code is always shown, so
only invisible characters are removed from it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

COMMENT, TITLE, UNUSED, ATTRIBUTE, CHARACTER = (
    "HTML comment(s)",
    "link title(s)",
    "unused definition(s)",
    "attribute(s) of HTML tags",
    "invisible character(s)",
)
_OPENS = re.compile(
    r"^(?P<item> {0,3}(?:[-+*]|1[.)]) {1,4})?(?: {0,3})(?P<fence>`{3,}|~{3,})[^\n]*$|(?P<comment><!--)|(?P<ticks>`+)",
    re.MULTILINE,
)
_BEGINNINGS = " \t>*+-.)0123456789"
_QUOTED = r"(?:\"[^\"]{0,4000}\"|'[^']{0,4000}'|\([^()]{0,4000}\))"
_DEFINITION = re.compile(
    r"^ {0,3}\[(?P<label>[^\]\[\n]{1,200})\]:(?P<kept>[ \t]*(?:<[^<>\n]*>|\S{1,2000}))"
    rf"(?P<title>[ \t]*(?:\n[ \t]*)?{_QUOTED})?[ \t]*$\n?",
    re.MULTILINE,
)
_FOOTNOTE = re.compile(
    r"^ {0,3}\[(?P<label>\^[^\]\[\n]{1,200})\]:[^\n]*(?:\n(?!\s*\n|[ ]{0,3}\[)[^\n]+)*\n?", re.MULTILINE
)
_LINK = re.compile(
    rf"(?<=\]\()(?P<to>\s{{0,9}}(?:<[^<>\n]{{1,2000}}>|[^\s()<>]{{1,2000}}))\s{{1,9}}{_QUOTED}(?=\s{{0,9}}\))"
)
_TAG = re.compile(r"<[a-z][a-z0-9-]{0,20}\s[^<>]{1,4000}>", re.IGNORECASE)
_ATTRIBUTE = re.compile(r"\s(?:title|aria-[a-z]+|data-[a-z-]+)=(?:\"[^\"]*\"|'[^']*'|[^\s\"'>]+)", re.IGNORECASE)
_INVISIBLE = re.compile(
    "(?P<flag>\U0001f3f4[\U000e0030-\U000e0039\U000e0061-\U000e007a]{4,6}\U000e007f)|"
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e"
    r"\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U000e0000-\U000e0fff]"
)
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_JOINERS, _VARIANTS = "\u200c\u200d", "\ufe0e\ufe0f"


@dataclass(frozen=True, slots=True)
class VisibleText:
    """Text as a reader sees it; `removed` lists each kind of removed text (`2 HTML comments`)."""

    text: str
    removed: tuple[str, ...] = ()

    def __str__(self) -> str:
        """The text, followed by a line that names what was removed."""
        note = f"[Removed hidden text: {', '.join(self.removed)}.]" if self.removed else ""
        return "\n\n".join(filter(None, (self.text, note)))


def visible_line(text: str) -> VisibleText:
    """Return a title, which has no markup, without invisible characters and line endings."""
    counts: Counter[str] = Counter()
    found = _without_invisible(_SURROGATE.sub("\ufffd", text), counts)
    return VisibleText(" ".join(found.split()), _removed_kinds(counts, " in the title"))


def visible_text(text: str) -> VisibleText:
    """Return a text without hidden parts, with line endings normalised to newlines."""
    counts: Counter[str] = Counter()
    text = _SURROGATE.sub("\ufffd", text.replace("\r\n", "\n").replace("\r", "\n"))
    parts = list(_parts(_without_invisible(text, counts), counts))
    prose = "\n".join(part for part, is_code in parts if not is_code)
    used = Counter(label.casefold() for label in re.findall(r"\[([^\]\[\n]{1,200})\](?!:)", prose))
    kept = [part if is_code else _without_hidden(part, used, counts) for part, is_code in parts]
    return VisibleText("".join(kept).strip("\n"), _removed_kinds(counts))


def _removed_kinds(counts: Counter[str], where: str = "") -> tuple[str, ...]:
    """Return the kinds of text that were removed, with their counts."""
    return tuple(f"{n} {kind.replace('(s)', 's' * (n != 1))}{where}" for kind, n in (+counts).items())


def _without_invisible(text: str, counts: Counter[str]) -> str:
    """Return the text without invisible characters.

    Joiners and variation selectors are kept where emoji and some scripts need them, but only one in a row, so that no
    message can be encoded in them.
    """

    def kept(match: re.Match[str]) -> str:
        before, after = text[match.start() - 1 : match.start()], text[match.end() : match.end() + 1]
        joins = match[0] in _JOINERS and _joinable(before, _VARIANTS) and _joinable(after)
        varies = match[0] in _VARIANTS and _joinable(before, "0123456789#*")
        if match["flag"] or joins or varies:
            return match[0]
        counts[CHARACTER] += 1
        return ""

    return _INVISIBLE.sub(kept, text)


def _joinable(character: str, too: str = "") -> bool:
    """Whether a joiner or selector may stand next to this character; characters in `too` are also allowed."""
    return bool(character) and (character in too or (character > "\u00ff" and not _INVISIBLE.match(character)))


def _parts(text: str, counts: Counter[str]) -> Iterator[tuple[str, bool]]:
    """Yield prose and code in turn, as in Markdown, without HTML comments."""
    at = last = 0
    while found := _OPENS.search(text, at):
        end = _end(text, found)
        at = end or found.end()
        if end:
            yield text[last : found.start()], False
            if found["comment"]:
                counts[COMMENT] += 1
            else:
                yield text[found.start() : end], True
            last = end
    yield text[last:], False


def _end(text: str, opened: re.Match[str]) -> int:
    """Return the position where the opened element ends: the end of the text for an unclosed fence or comment, 0 for
    unclosed backticks."""
    if opened["comment"]:
        close = text.find("-->", opened.start() + 2)
        if close >= 0:
            return close + 3
        before = text[text.rfind("\n", 0, opened.start()) + 1 : opened.start()]
        return 0 if before.strip(_BEGINNINGS) else len(text)  # an unclosed comment within a line is shown as text
    if fence := opened["fence"]:
        width = len(opened["item"] or "")
        fenced = re.compile(rf"^ {{{width},{width + 3}}}{re.escape(fence[0])}{{{len(fence)},}}[ \t]*$", re.MULTILINE)
        left = re.compile(rf"^(?! {{{width}}})[^\n]*\S", re.MULTILINE)  # a less indented line ends a list item
        outside = left.search(text, opened.end() + 1) if width else None
        most = outside.start() if outside else len(text)
        found = fenced.search(text, opened.end(), most)
        return found.end() if found else most
    paragraph = text.find("\n\n", opened.end())
    ticks = re.compile(rf"(?<!`){opened['ticks']}(?!`)")
    found = ticks.search(text, opened.end(), len(text) if paragraph < 0 else paragraph)
    return found.end() if found else 0


def _without_hidden(prose: str, used: Counter[str], counts: Counter[str]) -> str:
    def definition(match: re.Match[str]) -> str:
        if not used[match["label"].casefold()]:
            counts[UNUSED] += 1
            return ""
        if match["title"] is None:
            return match[0]
        counts[TITLE] += 1
        return f"[{match['label']}]:{match['kept']}\n"

    def footnote(match: re.Match[str]) -> str:
        if used[match["label"].casefold()]:
            return match[0]
        counts[UNUSED] += 1
        return ""

    def link(match: re.Match[str]) -> str:
        counts[TITLE] += 1
        return match["to"]

    def tag(match: re.Match[str]) -> str:
        plain, count = _ATTRIBUTE.subn("", match[0])
        counts[ATTRIBUTE] += count
        return plain

    prose = _FOOTNOTE.sub(footnote, prose)
    prose = _LINK.sub(link, _DEFINITION.sub(definition, prose))
    return _TAG.sub(tag, prose)
