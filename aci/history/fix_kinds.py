"""Kinds of fixes, detected in a diff or suggested by the text of an issue. Used only to find similar fixes."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of fix and its patterns.

    `issue` matches the text of an issue, `added` an added line of a fix, and `changed` a removed line together with an
    added one.
    """

    name: str
    issue: re.Pattern[str]
    added: re.Pattern[str] | None = None
    changed: re.Pattern[str] | None = None


def _kind(name: str, issue: str, added: str = "", changed: str = "") -> Kind:
    patterns = (re.compile(pattern) if pattern else None for pattern in (added, changed))
    return Kind(name, re.compile(issue, re.IGNORECASE), *patterns)


KINDS = (
    _kind(
        "a missing value is handled",
        r"NoneType|\bnull\b|undefined|\bnil\b|is None|missing|\bempty\b|unset",
        r"is (?:not )?None|[!=]==? ?(?:null|undefined)|[!=]= ?nil|\bif not \w|\?\?|\bor (?:\[\]|\{\}|\"\"|'')",
    ),
    _kind(
        "an error is raised or caught",
        r"should (?:raise|fail|throw)|uncaught|unhandled|swallow|crash|traceback|silently",
        r"\b(?:raise|throw|except|catch|panic!?)\b",
    ),
    _kind(
        "a key or attribute is looked up safely",
        r"KeyError|AttributeError|missing key|no attribute|not found in",
        r"\.get\(|\.setdefault\(|\.pop\(\w+, |\b(?:get|has)attr\(|hasOwnProperty",
    ),
    _kind(
        "a bound is moved",
        r"off.by.one|IndexError|out of (?:range|bounds)|boundary|inclusive|exclusive|first|last\b|too (?:many|few)",
        r"(?:[-+] ?1\b|\[\d*:|:-?\d+\])",
        r"[<>]=?",
    ),
    _kind("a condition is changed", r"\bunless\b|only (?:when|if)|even (?:when|if|though)|should not|wrongly",
          "", r"^\s*(?:if|elif|else if|while|unless|and|or|&&|\|\||when)\b|^\s*\}? ?else if|\?.*:"),
    _kind("what is returned is changed", r"\breturn(?:s|ed|ing)?\b|result is|wrong (?:result|value|answer)|instead of",
          "", r"^\s*return\b"),
    _kind("an argument is passed on", r"ignor|not (?:passed|respected|used|honou?red)|kwarg|option|argument|setting",
          r"\*\*?\w*(?:args|kwargs|opts|options)|\w+=\w+[,)]", r"\w+\("),
    _kind("a default is changed", r"\bdefault", "", r"\bdef .*=|\bdefault"),
    _kind("a type is converted or checked", r"TypeError|\btype\b|isinstance|cannot convert|cast|\bstr\b|\bint\b|float",
          r"isinstance\(|\b(?:int|str|float|list|tuple|bool|bytes|set|dict)\(|typeof |instanceof"),
    _kind("text is encoded or decoded", r"unicode|utf-?8|encod|decod|\bbytes\b|ascii|surrogate",
          r"encod|decod|utf-?8|errors="),
    _kind("a pattern is changed", r"regex|regular expression|pattern|\bmatch(?:es|ed)?\b|escap",
          r"\bre\.\w+\(|RegExp|regex", r"\br[\"']"),
    _kind("something is copied, not shared", r"mutat|shared|in.?place|modif(?:y|ies|ied) the|side effect|alias",
          r"\bcopy\b|deepcopy|\.clone\(|\.slice\(\)"),
    _kind("an order is changed", r"\border|sort|stable|determinis", r"\bsort|reversed\(|OrderedDict|\.reverse\("),
    _kind("text is written differently", r"format|whitespace|newline|quot|indent|repr\b|print|display|render|spac",
          r"\.format\(|\bf[\"']|\.join\(|\.strip\(|\.replace\(|%[sdr]\b"),
    _kind("an import is changed", r"ImportError|ModuleNotFound|circular import|cannot import", r"^\s*(?:import|from) "),
    _kind("something is closed or locked", r"leak|deadlock|race|concurren|thread|lock|close[ds]?\b|timeout",
          r"\block\b|\.close\(|\bwith \w|finally|defer "),
)  # fmt: skip
LONGEST = 20_000


def kinds_of_diff(diff: str) -> tuple[str, ...]:
    """Return the kinds of fix of a unified diff."""
    lines = diff[:LONGEST].split("\n")
    added = [line[1:] for line in lines if line.startswith("+") and not line.startswith("+++")]
    removed = [line[1:] for line in lines if line.startswith("-") and not line.startswith("---")]
    return tuple(kind.name for kind in KINDS if _matches(kind, added, removed))


def kinds_of_issue(text: str) -> tuple[str, ...]:
    """Return the kinds of fix that the text of an issue suggests."""
    return tuple(kind.name for kind in KINDS if kind.issue.search(text[:LONGEST]))


def _matches(kind: Kind, added: list[str], removed: list[str]) -> bool:
    new = (
        kind.added is not None
        and any(map(kind.added.search, added))
        and not all(
            any(line.strip() == other.strip() for other in removed) for line in added if kind.added.search(line)
        )
    )
    pattern = kind.changed
    return new or (pattern is not None and any(map(pattern.search, added)) and any(map(pattern.search, removed)))
