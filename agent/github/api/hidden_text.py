"""What a reader of GitHub's page does not see, and a model would: taken out of a text, and named.

HTML comments, titles of links, definitions that nothing uses, and characters without a width or that turn the direction
of text (https://embracethered.com/blog/posts/2024/hiding-and-finding-text-with-unicode-tags/). What stands in code is
seen, so of it only such characters go.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

COMMENT, TITLE, UNUSED, ATTRIBUTE, CHARACTER = (
    "HTML comment(s)",
    "title(s) of links",
    "definition(s) that nothing uses",
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
class Shown:
    """A text as a reader sees it; `removed` names what he does not see, a kind each (`2 HTML comments`)."""

    text: str
    removed: tuple[str, ...] = ()

    def __str__(self) -> str:
        """The text, with a line at its end that names what is not in it."""
        told = f"[Left out, as no reader sees it: {', '.join(self.removed)}.]" if self.removed else ""
        return "\n\n".join(filter(None, (self.text, told)))


def line_shown(text: str) -> Shown:
    """A title, in which nothing means anything, without its invisible characters and line ends."""
    counts: Counter[str] = Counter()
    found = _visible(_SURROGATE.sub("\ufffd", text), counts)
    return Shown(" ".join(found.split()), _told(counts, " in the title"))


def shown(text: str) -> Shown:
    """A text without what is hidden in it. Line ends become plain ones."""
    counts: Counter[str] = Counter()
    text = _SURROGATE.sub("\ufffd", text.replace("\r\n", "\n").replace("\r", "\n"))
    parts = list(_parts(_visible(text, counts), counts))
    prose = "\n".join(part for part, is_code in parts if not is_code)
    used = Counter(label.casefold() for label in re.findall(r"\[([^\]\[\n]{1,200})\](?!:)", prose))
    kept = [part if is_code else _without(part, used, counts) for part, is_code in parts]
    return Shown("".join(kept).strip("\n"), _told(counts))


def _told(counts: Counter[str], where: str = "") -> tuple[str, ...]:
    """+counts leaves out what was looked at and found to be nothing."""
    return tuple(f"{n} {kind.replace('(s)', 's' * (n != 1))}{where}" for kind, n in (+counts).items())


def _visible(text: str, counts: Counter[str]) -> str:
    """Without invisible characters, but for those that join or colour what stands before them: emoji need them, and
    some scripts. One of each at most, so that nothing can be written in them."""

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
    """Whether it is one of an emoji's or a script's that joins its letters, or one of those `too`."""
    return bool(character) and (character in too or (character > "\u00ff" and not _INVISIBLE.match(character)))


def _parts(text: str, counts: Counter[str]) -> Iterator[tuple[str, bool]]:
    """Prose and code in turn, as Markdown tells them apart; without HTML comments."""
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
    """Where it is closed: a fence or a comment at the text's end at the latest; 0 for ticks that are not."""
    if opened["comment"]:
        close = text.find("-->", opened.start() + 2)
        if close >= 0:
            return close + 3
        before = text[text.rfind("\n", 0, opened.start()) + 1 : opened.start()]
        return 0 if before.strip(_BEGINNINGS) else len(text)  # in the midst of a line it is text
    if fence := opened["fence"]:
        width = len(opened["item"] or "")
        fenced = re.compile(rf"^ {{{width},{width + 3}}}{re.escape(fence[0])}{{{len(fence)},}}[ \t]*$", re.MULTILINE)
        left = re.compile(rf"^(?! {{{width}}})[^\n]*\S", re.MULTILINE)  # what is not as far in ends a list's item
        outside = left.search(text, opened.end() + 1) if width else None
        most = outside.start() if outside else len(text)
        found = fenced.search(text, opened.end(), most)
        return found.end() if found else most
    paragraph = text.find("\n\n", opened.end())
    ticks = re.compile(rf"(?<!`){opened['ticks']}(?!`)")
    found = ticks.search(text, opened.end(), len(text) if paragraph < 0 else paragraph)
    return found.end() if found else 0


def _without(prose: str, used: Counter[str], counts: Counter[str]) -> str:
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
