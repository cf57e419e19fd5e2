"""What an issue's text points at: paths, links to lines, traceback frames, dotted names, identifiers, and its terms."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field

from aci.words import STOP, WORD, terms
from trajectories.records import Issue

LONGEST = 50_000
TITLE_WEIGHT = 3
_CODE = """
py pyi pyx pxd js jsx mjs cjs ts tsx mts vue svelte java kt kts scala groovy go rs c h cc cpp cxx hh hpp hxx m mm cs php
rb rake swift ex exs erl hs ml lua pl pm r jl dart sh bash zsh sql
"""
CODE = frozenset(_CODE.split())
"""File name extensions of source code."""

_EXTENSION = "|".join(sorted(CODE, key=lambda extension: (-len(extension), extension)))
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_LINK = re.compile(r"https?://[^\s)>\]]+?/(?:blob|tree|src)/[^/\s]+/([^\s)>\]#?]+)(?:#L(\d+))?")
_URL = re.compile(r"https?://[^\s)>\]]+")
_FRAMES = (
    re.compile(r'File "(?P<path>[^"\n]{1,300})", line (?P<line>\d{1,7})(?:, in (?P<name>[\w.<>]{1,100}))?'),
    re.compile(r"File (?P<path>[^\s:\"]{1,300}\.py):(?P<line>\d{1,7}), in (?P<name>[\w.<>]{1,100})"),
    re.compile(r"(?P<path>[^\s:\"'(]{1,300}\.py) in (?P<name>[\w.<>]{1,100})\((?P<line>)"),
    re.compile(r"(?P<path>[^\s:\"'(]{1,300}\.py):(?P<line>\d{1,7})(?::|\b)(?: in (?P<name>[\w.<>]{1,100}))?"),
)
_PATH = re.compile(rf"[\w./\\-]{{0,200}}[\w-]\.(?:{_EXTENSION})\b(?![\w(/])")
_DOTTED = re.compile(r"(?<![\w./])[A-Za-z_]\w{0,80}(?:\.[A-Za-z_]\w{0,80}){1,8}")
_CODE_TEXT = re.compile(r"```.*?(?:```|\Z)|`[^`\n]{1,300}`", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Frame:
    """A place a traceback names; line 0 and an empty name where it does not say."""

    path: str
    line: int = 0
    name: str = ""


@dataclass(frozen=True, slots=True)
class Mentions:
    """`frames` are in the order of the text, so the last stands nearest to what was raised. `identifiers` map a name
    that is written like code to whether the title has it; `called` are those with a parenthesis after them.
    `terms` are the words of the text with their weights."""

    paths: tuple[str, ...] = ()
    links: tuple[Frame, ...] = ()
    frames: tuple[Frame, ...] = ()
    dotted: tuple[str, ...] = ()
    identifiers: dict[str, bool] = field(default_factory=dict)
    called: frozenset[str] = frozenset()
    terms: dict[str, float] = field(default_factory=dict)


def mentions(issue: Issue) -> Mentions:
    """Read an issue, as anybody may have written it."""
    title = issue.title[:LONGEST]
    text = _COMMENT.sub(" ", f"{title}\n{issue.body[:LONGEST]}").replace("\\", "/")
    links = tuple(Frame(found[1], int(found[2] or 0)) for found in _LINK.finditer(text))
    text = _URL.sub(" ", text)
    frames, rest = _frames(text)
    paths = tuple(dict.fromkeys(found[0].lstrip("./") for found in _PATH.finditer(rest)))
    dotted = tuple(dict.fromkeys(found[0] for found in _DOTTED.finditer(text) if found[0] not in paths))
    return Mentions(paths, links, frames, dotted, _identifiers(title, text), _called(text), _terms(title, text))


def _frames(text: str) -> tuple[tuple[Frame, ...], str]:
    """The frames of all tracebacks in the order of the text, and the text without them."""
    found: list[tuple[int, Frame]] = []
    for form in _FRAMES:
        for match in form.finditer(text):
            name = (match["name"] or "").rpartition(".")[2]
            found.append((match.start(), Frame(match["path"], int(match["line"] or 0), name)))
        text = form.sub(lambda match: " " * len(match[0]), text)
    return tuple(frame for _, frame in sorted(found, key=lambda item: item[0])), text


def _identifiers(title: str, text: str) -> dict[str, bool]:
    """Names in code, and names no prose has (snake_case, CamelCase, called ones), with whether the title has them."""
    in_code = {name for code in _CODE_TEXT.findall(text) for name in WORD.findall(code)}
    named = in_code | _called(text) | {word for word in WORD.findall(text) if _like_code(word)}
    in_title = set(WORD.findall(title))
    return {name: name in in_title for name in sorted(named) if name.lower() not in STOP}


def _like_code(word: str) -> bool:
    return "_" in word.strip("_") or (not word.isupper() and any(letter.isupper() for letter in word[1:]))


def _called(text: str) -> frozenset[str]:
    return frozenset(re.findall(r"([^\W\d]\w{1,80})\(", text))


def _terms(title: str, text: str) -> dict[str, float]:
    """The text's terms, title words counted several times, each by the logarithm of its count."""
    counts = terms(text)
    for term, count in terms(title).items():
        counts[term] += count * (TITLE_WEIGHT - 1)
    return {term: 1 + math.log(count) for term, count in sorted(counts.items())}
