"""Search terms of texts, and what an issue mentions: paths, links to lines, tracebacks, names, messages, commits."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from functools import lru_cache

from aci.issue_text.issue_discussion import append_discussion
from aci.issue_text.issue_sections import Frame, Sections, find_frames, split_sections
from trajectories.records import Issue

_STOP = """
a about after all also am an and any are as at be because been before being both but by can cannot could did do does
doing don each else few for from further get had has have having he her here hers him his how i if in into is it its
just like ll me more most my no nor not now of off on once only or other our out over own re same she should so some
still such than that the their them then there these they this those through to too under until up use used using ve
very was we were what when where which while who why will with would you your yes
actual behavior behaviour bug code current currently description error example expected file following got happen
happens issue line make need new please problem reproduce result run see seem seems steps think try version versions
want way work works python import def class self return none true false print
"""
STOP_WORDS = frozenset(_STOP.split())
"""Stop words of English, issue templates and Python."""

WORD = re.compile(r"[^\W\d]\w{1,80}")
_PARTS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[^\W\d_a-zA-Z]+")


def count_terms(text: str) -> Counter[str]:
    """Count the terms in text or code: whole identifiers, and their parts split at case changes and underscores."""
    found: Counter[str] = Counter()
    for word, count in Counter(WORD.findall(text)).items():
        for term in split_identifier(word):
            found[term] += count
    return found


@lru_cache(maxsize=20_000)
def split_identifier(word: str) -> tuple[str, ...]:
    """Return the terms of a word, without stop words and single letters.

    `getHTTPResponse` gives gethttpresponse, get, http, response.
    """
    whole = word.strip("_").lower()
    if word.isascii() and word.islower() and whole.replace("_", "").isalpha():  # a fast path for most words
        if "_" not in whole:
            return (whole,) if len(whole) > 1 and whole not in STOP_WORDS else ()
        parts = [part for part in whole.split("_") if part]
    else:
        parts = [part.lower() for part in _PARTS.findall(word)]
    terms = [whole, *parts] if len(parts) > 1 else [whole]
    return tuple([term for term in terms if len(term) > 1 and term not in STOP_WORDS])


LONGEST = 50_000
_CODE = """
py pyi pyx pxd js jsx mjs cjs ts tsx mts vue svelte java kt kts scala groovy go rs c h cc cpp cxx hh hpp hxx m mm cs php
rb rake swift ex exs erl hs ml lua pl pm r jl dart sh bash zsh sql
"""
CODE = frozenset(_CODE.split())
"""File name extensions of source code."""

TITLE, PROSE, INLINE, BLOCK, TRACE = "title", "prose", "inline", "code", "trace"
"""Places where a name may occur: the title, prose, `backticks`, an example, or a traceback."""

_EXTENSION = "|".join(sorted(CODE, key=lambda extension: (-len(extension), extension)))
_LINK = re.compile(
    r"https?://[^\s)>\]]{1,300}?/(?:blob|tree|src)/[^/\s]{1,200}/(?P<path>[^\s)>\]#?]{1,500})"
    r"(?:#L(?P<line>\d{1,7})(?:-L?(?P<last>\d{1,7}))?)?"
)
URL = re.compile(r"https?://[^\s)>\]]+")
_PATH = re.compile(rf"(?<![\w./\\-])[\w./\\-]{{0,200}}[\w-]\.(?:{_EXTENSION})\b(?![\w(/])")
_DOTTED = re.compile(r"(?<![\w./])[A-Za-z_]\w{0,80}(?:(?:\.|::|(?<=\w)#(?=[a-z_]))[A-Za-z_]\w{0,80}){1,8}")
_MODULE_PATH = re.compile(r"(?<![\w./])[A-Za-z_]\w{0,80}(?:/[A-Za-z_]\w{0,80}){1,8}(?![\w./])")
_INLINE = re.compile(r"``?([^`\n]{1,300})``?")
_CALLED = re.compile(r"(?<!\w)([^\W\d]\w{1,80})\(")
_QUOTED = re.compile(r"\"([^\"\n]{8,200})\"|'([^'\n]{8,200})'|“([^”\n]{8,200})”")
SHA = re.compile(r"(?<![\w-])(?=[0-9a-f]*\d)(?=\d*[a-f])[0-9a-f]{7,40}(?![\w-])")
NUMBER = re.compile(r"(?:(?<![\w&])#|(?:issues?|pull|ticket|PR)[ /#]+)(\d{2,6})\b")


@dataclass(frozen=True, slots=True)
class Link:
    """A URL of a file on a public code host, with the lines that it selects (0 for none)."""

    path: str
    line: int = 0
    last: int = 0


@dataclass(frozen=True, slots=True)
class Mentions:
    """Everything that an issue's text mentions, as written, whether or not it exists in the repository.

    `frames` are in the order of the text, so the last is nearest to the error. `names` maps each word that may be a
    name to the places where it occurs; `called` are those followed by a parenthesis. `title`, `prose`, `code` and
    `trace` hold the term counts of the title and of each kind of line.
    """

    paths: tuple[str, ...] = ()
    links: tuple[Link, ...] = ()
    frames: tuple[Frame, ...] = ()
    dotted: tuple[str, ...] = ()
    names: dict[str, frozenset[str]] = field(default_factory=dict)
    called: frozenset[str] = frozenset()
    messages: tuple[str, ...] = ()
    """Error messages without the exception class, and quoted text."""
    shas: tuple[str, ...] = ()
    numbers: tuple[int, ...] = ()
    title: Counter[str] = field(default_factory=Counter)
    prose: Counter[str] = field(default_factory=Counter)
    code: Counter[str] = field(default_factory=Counter)
    trace: Counter[str] = field(default_factory=Counter)

    def identifiers(self) -> list[str]:
        """Return the mentioned names that look like identifiers, in lower case: in snake_case or camelCase, or followed
        by a parenthesis."""
        written = (name for name in self.names if is_identifier_like(name) or name in self.called)
        return list(dict.fromkeys(name.lower().strip("_") for name in written))


def find_mentions(issue: Issue) -> Mentions:
    """Return everything that is mentioned in an issue or in its comments that point at code. The text may be
    malformed."""
    issue = append_discussion(issue)
    title = issue.title[:LONGEST]
    body = _without_html_comments(issue.body[:LONGEST].replace("\r\n", "\n")).replace("\u200b", "")
    links = tuple(_link(found) for found in _LINK.finditer(body))
    shas = tuple(dict.fromkeys(SHA.findall(_LINK.sub(" ", body))))
    numbers = tuple(dict.fromkeys(int(number) for number in NUMBER.findall(f"{title}\n{body}")))
    body = URL.sub(" ", body)
    found, rest = find_frames(f"{title}\n{body}".replace("\\", "/"))
    paths = tuple(dict.fromkeys(one[0].lstrip("./") for one in _PATH.finditer(rest)))
    parts = split_sections(body)
    text = f"{title}\n{body}"
    called = frozenset(_CALLED.findall(text))
    dotted = (one[0].replace("::", ".").replace("#", ".") for one in _DOTTED.finditer(text))
    slashed = tuple(one[0] for one in _MODULE_PATH.finditer(f"{title}\n{parts.prose}") if one[0].count("/") > 1)
    return Mentions(
        paths + slashed,
        links,
        found,
        tuple(dict.fromkeys(name for name in dotted if name not in paths)),
        _names(title, parts, called),
        called,
        _messages(title, parts),
        shas,
        numbers,
        count_terms(title),
        count_terms(parts.prose),
        count_terms(parts.code) + count_terms(parts.output),
        count_terms(parts.trace),
    )


def _without_html_comments(text: str) -> str:
    """Remove HTML comments, which issue templates contain; an unclosed comment is kept."""
    kept, end = [], 0
    while (start := text.find("<!--", end)) >= 0 and (close := text.find("-->", start)) >= 0:
        kept.append(text[end:start])
        end = close + len("-->")
    return " ".join([*kept, text[end:]])


def _link(found: re.Match[str]) -> Link:
    return Link(found["path"], int(found["line"] or 0), int(found["last"] or found["line"] or 0))


def _names(title: str, parts: Sections, called: frozenset[str]) -> dict[str, frozenset[str]]:
    inline = "\n".join(_INLINE.findall(f"{title}\n{parts.prose}"))
    places: dict[str, set[str]] = {}
    for place, text in (
        (TITLE, title), (PROSE, parts.prose), (INLINE, inline), (BLOCK, parts.code), (BLOCK, parts.output),
        (TRACE, parts.trace),
    ):  # fmt: skip
        for word in WORD.findall(text):
            if word in called or word.lower() not in STOP_WORDS:
                places.setdefault(word, set()).add(place)
    return {word: frozenset(found) for word, found in places.items()}


def is_identifier_like(word: str) -> bool:
    """Return whether a word is in snake_case or camelCase, and therefore not prose."""
    return "_" in word.strip("_") or (not word.isupper() and any(letter.isupper() for letter in word[1:]))


def _messages(title: str, parts: Sections) -> tuple[str, ...]:
    raised = [line.partition(":")[2].strip() for line in parts.errors]
    quoted = [next(filter(None, found)) for found in _QUOTED.findall(f"{title}\n{parts.prose}\n{parts.output}")]
    inline = [one for one in _INLINE.findall(f"{title}\n{parts.prose}") if one.count(" ") > 1]
    return tuple(dict.fromkeys(one for one in (*raised, *quoted, *inline) if " " in one))
