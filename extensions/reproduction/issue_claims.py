"""What an issue says about its examples: the exceptions that it reports, the values that it expects."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from extensions.reproduction.issue_examples import Piece

_RAISED = re.compile(
    r"^(?:E\s+|#+\s*)?(?:[\w]+\.)*([A-Z]\w*(?:Error|Exception|Warning|Exit|Interrupt))\b(?::[ \t]*(.*))?$"
)
_NAMED = re.compile(r"\b([A-Z]\w*(?:Error|Exception))\b(?:: ?([^`\n]{3,200}))?")
_NO = r"(?:n't|not|never|without|no|nor)\b"
_SHOULD = r"(?:should|must|ought to|expect\w*(?: \w+){0,3}? to|supposed to|intention\b[^.\n]{0,30} to|intended to)"
_SHOULD_RAISE = re.compile(
    rf"{_SHOULD} (?!{_NO})(?:\w+ ){{0,3}}?(?:(?:raise|throw)\b (?:an? |the )?`*"
    r"(?:[a-z_]\w*\.)*(?P<name>[A-Z]\w*)|be (?:an? |the )?`*(?:[a-z_]\w*\.)*(?P<other>[A-Z]\w*(?:Error|Exception))\b)"
)
_BETTER_ERROR = re.compile(
    r"(?:better|clear\w*|helpful|informative|nicer|friendl\w*|misleading|confusing|cryptic|useful|descriptive|wrong"
    rf"|meaningful|obscure|unhelpful|proper|appropriate)\s+(?:\w+\s+){{0,2}}(?:error|exception|message|traceback)"
    rf"|{_SHOULD}\s+(?!{_NO})(?:\w+\s+){{0,4}}(?:raise|throw|warn|(?:an? |the )(?:\w+ )?(?:error|exception|warning)\b)"
    r"|instead of (?:raising )?(?:an? |the )?(?:\w+ )?(?:error|exception|message)\b.{0,40}(?:raise|throw)",
    re.IGNORECASE,
)
_VERB = (
    r"(?:be|return|give|yield|print|output|produce|evaluate to|equal|reduce to|result in|simplify to|read|look like)"
)
_END = r"(?=[,;]|\.?\s*$|\.\s|\s(?:as|but|and|instead|not)\b|\s\()"
_VALUE = rf"(?P<value>``?[^`\n]+``?|\"[^\"\n]+\"|'[^'\n]+'|[^\s,;`][^,;`\n]*?){_END}"
_RIGHT = r"(?:expected|correct|right|desired)"
_NOUN = r"(?:output|result|value|answer|behaviou?r)"
_EXPECTED = tuple(
    re.compile(form, re.IGNORECASE | re.MULTILINE)
    for form in (
        rf"{_SHOULD} (?:instead |rather |actually )?{_VERB}:? {_VALUE}",
        rf"instead of (?:the )?{_RIGHT} (?:\w+ )?{_VALUE}",
        rf"{_RIGHT}(?: {_NOUN})?(?: is| was| would be|:) {_VALUE}",
        r"(?P<value>``?[^`\n]+``?) (?:is|was|would be) (?:the )?(?:expected|correct)\b",
        rf"expect\w* (?:to (?:get|see) )?(?!{_NOUN}){_VALUE}",
        rf"instead of (?:returning |giving |the )?{_VALUE}",
    )
)
_AFTER_EXPECTED = re.compile(
    r"(?:expect\w*|correct|desired|should (?:\w+ ){0,2}(?:be|return|give|print|output)|would be better|ideally)\b"
    r"[^.]{0,80}$",
    re.IGNORECASE,
)
_OTHER_VERSION = re.compile(
    r"(?:\b(?:version|release|in|with|under|on|before|until|since)\b[^.\n]{0,40}\bv?\d+(?:\.\d+)+|\bv?\d+(?:\.\d+)+\W*$"
    r"|\bprevious(?:ly)?\b|\bused to\b|\b(?:older|earlier) (?:version|release)s?\b|\bbefore (?:the )?(?:up|change))"
    r"[^\n]{0,60}$",
    re.IGNORECASE,
)
"""Matches words before the output of a version."""
_HANGS = re.compile(
    r"\b(?:hang(?:s|ing)?|hung|infinite(?:ly)? (?:loop|recurs)\w*|loops? (?:forever|endlessly|infinitely)"
    r"|endless(?:ly)?|runs? forever|never (?:returns?|ends?|finish(?:es)?|terminates?|completes?)"
    r"|freez(?:es?|ing)|gets? stuck)\b",
    re.IGNORECASE,
)
_AFTER_ACTUAL = re.compile(r"(?:actual|wrong|incorrect|current\w*|got|but (?:get|return))\b[^.]{0,80}$", re.IGNORECASE)
_HEADED = re.compile(
    r"^[^\w\n]{0,20}(?P<head>expected|actual|current)[^\w\n]{0,5}(?:output|results?|behaviou?r|values?)?[^\w\n]{0,20}\n"
    r"\n{0,3}(?P<value>\S[^\n]{0,300})",
    re.IGNORECASE | re.MULTILINE,
)
_HEADED_ERROR = re.compile(r"(?:^|`)([A-Z]\w*)(?::|`|$)")
_GIVES = r"(?:gives|gave|returns|returned|yields|prints|outputs|got|get|evaluates to|results in)"
_GIVEN = re.compile(rf"\b{_GIVES}:? {_VALUE}", re.IGNORECASE | re.MULTILINE)
_INLINE = re.compile(
    r"(?:`(?P<call>[^`\n]+[)\]])`|(?P<plain>\b[a-zA-Z_][\w.]{0,100}\([^()`\n]*\)))"
    rf" (?:{_GIVES} [^;]{{1,60}}?,? (?:but|and|while|whereas) (?:it )?)?"
    rf"(?:{_SHOULD} {_VERB}|(?:is|are) (?:expected|supposed) to {_VERB}|to {_VERB}) {_VALUE}",
    re.IGNORECASE,
)
_SPAN = re.compile(r"``?([^`\n]+)``?")
_NUMBERS = {"zero": "0", "one": "1", "two": "2", "three": "3"}
MOST_EXPECTED = 12
LEAST_QUOTED = 5
"""Minimum number of words of an exception's message that is recognised without the exception's name."""


@dataclass(frozen=True, slots=True)
class ReportedError:
    """An exception that the issue reports; the message is empty if the issue does not say it."""

    name: str
    message: str = ""


def reported_errors(pieces: Sequence[Piece]) -> list[ReportedError]:
    """Return the exceptions that the issue reports, in order, and first those with a message."""
    found = []
    for text in (piece.shown or piece.text for piece in pieces if piece.kind != "step" or piece.shown):
        lines = (line.strip().strip("`") for line in text.splitlines())
        found += [ReportedError(match[1], (match[2] or "").strip()) for line in lines if (match := _RAISED.match(line))]
    for text in (text for piece in pieces for text in _said(piece)):
        found += [ReportedError(name, message.strip(" .")) for name, message in _NAMED.findall(text)]
    return sorted(dict.fromkeys(found), key=lambda one: not one.message)


def quotes_message(pieces: Sequence[Piece], message: str) -> bool:
    """Return whether the issue's title or an output that it shows has the first line of an exception's message, which
    has at least LEAST_QUOTED words. Prose may quote a message as documented behaviour."""
    line = normalize_words(message.strip().partition("\n")[0])
    title = next((piece.text for piece in pieces if piece.kind == "words"), "")
    quoted = (title, *(piece.text if piece.kind == "output" else piece.shown for piece in pieces))
    return line.count(" ") + 1 >= LEAST_QUOTED and any(f" {line} " in f" {normalize_words(text)} " for text in quoted)


def normalize_words(text: str) -> str:
    """Return the words of a text in lower case, without what is between them."""
    return " ".join(re.findall(r"\w+", text.lower()))


def wanted_errors(pieces: Sequence[Piece]) -> list[str]:
    """Return the names of exceptions that should be raised according to the issue."""
    matches = [match for piece in pieces for text in _said(piece) for match in _SHOULD_RAISE.finditer(text)]
    names = [match["name"] or match["other"] for match in matches]
    for piece in pieces:
        for match in _HEADED.finditer(piece.text if piece.kind == "words" else ""):
            raised = _HEADED_ERROR.search(match["value"]) if match["head"].lower() == "expected" else None
            names += [raised[1]] if raised else []
    return list(dict.fromkeys(names))


def asks_for_error(pieces: Sequence[Piece]) -> bool:
    """Return whether the issue asks for another exception or another message, not for none."""
    texts = [text for piece in pieces for text in _said(piece)]
    asked = [match[0] for text in texts for match in _BETTER_ERROR.finditer(text)]
    return any(not re.search(r"\b(?:no|not|without|never)\b|n't", one) for one in asked) or bool(wanted_errors(pieces))


def _said(piece: Piece) -> list[str]:
    return [piece.text] if piece.kind == "words" else [piece.comment] if piece.comment else []


def inline_examples(pieces: Sequence[Piece]) -> list[tuple[str, str]]:
    """Return calls in the prose with the values that they should have: "`f(1)` should return `2`"."""
    text = "\n".join(piece.text for piece in pieces if piece.kind == "words")
    joined = re.sub(r"\s+", " ", text)
    found = [(match["call"] or match["plain"], _unquoted(match["value"])) for match in _INLINE.finditer(joined)]
    return [pair for pair in dict.fromkeys(found) if all(map(is_expression, pair))]


def expected_values(pieces: Sequence[Piece]) -> dict[int, list[str]]:
    """Return the texts that may be the expected value of a step, by the step's position, likeliest first.

    A text in the prose belongs to the step before it, or to the last step of the first block if there is none before. A
    step that is shown twice with different output has both as candidates.
    """
    steps = [n for n, piece in enumerate(pieces) if piece.kind == "step"]
    if not steps:
        return {}
    first = [n for n in steps if pieces[n].block == pieces[steps[0]].block][-1]
    found: dict[int, list[str]] = {n: [] for n in steps}
    for n, piece in enumerate(pieces):
        before = max((one for one in steps if one <= n), default=first)
        # all steps of the block: whether the issue shows today's output of a step decides which one is meant
        block = [one for one in steps if pieces[one].block == pieces[before].block and one <= before]
        if piece.kind == "step":
            found[n] += [*_in_words(piece.comment), *_as_comment(piece.comment)]
        elif piece.kind == "words":
            for one in block:
                found[one] += _in_words(piece.text)
        elif _is_expected(pieces[n - 1] if n else None) or _is_of_version(pieces[n - 1] if n else None):
            found[before].append(piece.text)
    for n in steps:
        found[n] += [pieces[one].shown for one in steps if one != n and pieces[one].text == pieces[n].text]
    return {n: _distinct(texts) for n, texts in found.items()}


def _as_comment(comment: str) -> list[str]:
    """Return the value in a comment such as `# -> 3`."""
    match = re.match(r"(?:=+>?|-+>|>+)\s*(.+)", comment)
    return [match[1]] if match else []


def _in_words(text: str) -> list[str]:
    found = [match["value"] for form in _EXPECTED for match in form.finditer(text)]
    headed = [match["value"] for match in _HEADED.finditer(text) if match["head"].lower() == "expected"]
    return [_unquoted(one) for one in (*headed, *found)]


def _unquoted(text: str) -> str:
    """Return a value from the prose; "" for a single word without backquotes, which is no code."""
    text = text.strip()
    if text.lower() in _NUMBERS:
        return _NUMBERS[text.lower()]
    if text.startswith("`"):
        return text.strip("`").strip()
    is_word = text.isidentifier() and text not in ("True", "False", "None")
    return "" if is_word else text.rstrip(".")


def _is_expected(before: Piece | None) -> bool:
    if before is None or before.kind != "words":
        return False
    last = before.text.strip()[-120:]
    return bool(_AFTER_EXPECTED.search(last)) and not _AFTER_ACTUAL.search(last)


def _is_of_version(before: Piece | None) -> bool:
    """Return whether the words before an output say that a version of the software shows it."""
    return before is not None and before.kind == "words" and bool(_OTHER_VERSION.search(before.text.strip()[-120:]))


def _distinct(texts: Iterable[str]) -> list[str]:
    found = [text for text in dict.fromkeys(text.strip() for text in texts) if text]
    return [text for text in found if not any(_is_rounded(text, other) for other in found)][:MOST_EXPECTED]


def _is_rounded(text: str, other: str) -> bool:
    """Return whether a number is another one with fewer decimals, as in a title."""
    decimals = [re.fullmatch(r"[-+]?\d+\.(\d+)", each) for each in (text, other)]
    if not (decimals[0] and decimals[1]) or len(decimals[0][1]) >= len(decimals[1][1]):
        return False
    return round(float(other), len(decimals[0][1])) == float(text) or other.startswith(text)


def says_hangs(pieces: Sequence[Piece]) -> bool:
    """Return whether the issue says that something does not end."""
    return any(_HANGS.search(text) for piece in pieces for text in _said(piece))


def shown_texts(pieces: Sequence[Piece]) -> set[str]:
    """Return the texts that the issue shows as output, not in a sentence."""
    found = {piece.text if piece.kind == "output" else piece.shown for piece in pieces if piece.kind != "words"}
    headed = (match["value"] for piece in pieces if piece.kind == "words" for match in _HEADED.finditer(piece.text))
    return {text.strip() for text in (*found, *map(_unquoted, headed))} - {""}


def reported_outputs(pieces: Sequence[Piece]) -> set[str]:
    """Return the texts that the issue may show as today's output: below statements, in blocks, in comments and between
    backquotes."""
    return set(map(normalize, _outputs(pieces)))


def _outputs(pieces: Sequence[Piece]) -> Iterator[str]:
    for piece in pieces:
        if piece.kind == "words":
            yield from _SPAN.findall(piece.text)
            yield from (_unquoted(match["value"]) for form in (_HEADED, _GIVEN) for match in form.finditer(piece.text))
        elif piece.kind == "output":
            yield piece.text
            yield from piece.text.splitlines()
        elif piece.shown:
            yield piece.shown
        if piece.comment:
            yield piece.comment
            yield from _as_comment(piece.comment)
            yield from _SPAN.findall(piece.comment)


def normalize(text: str) -> str:
    """Return an output without differences that do not matter: white space and addresses."""
    return " ".join(re.sub(r"0x[0-9a-fA-F]+", "0x", text).split())


def is_expression(text: str) -> bool:
    """Return whether a text is a Python expression."""
    try:
        ast.parse(text, mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True
