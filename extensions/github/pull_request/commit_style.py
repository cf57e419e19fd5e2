"""Commit titles in the repository's style, derived from its log, and the whole commit message."""

from __future__ import annotations

import re
import textwrap
from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from extensions.github.pull_request.title_and_summary import shorten
from extensions.github.text_escaping import plain

if TYPE_CHECKING:
    from extensions.github.pull_request.publish_store import CommitSubject

LONGEST, LONGEST_BODY = 72, 4_000
FEW = 5
"""Minimum number of commits from which a style is derived."""
OURS = "Generated-by"
_CONVENTIONAL = re.compile(
    r"(?P<type>feat|fix|docs|chore|refactor|tests?|ci|build|perf|style|revert|deps)"
    r"(?:\((?P<scope>[^()]{1,40})\))?!?: (?P<rest>.*)"
)
_FIXED = re.compile(r"(?P<word>Fix(?:e[sd])?) (?P<mark>#|gh-|GH-)\d+(?P<between> --|:| -)\s+(?P<rest>.*)")
_PREFIX = re.compile(r"(?P<prefix>\[[^\]]{1,40}\]|[\w./-]{1,40}(?:, ?[\w./-]{1,40})?:) (?P<rest>.*)")
_BUG = re.compile(r"(?P<bug>:bug:|\U0001f41b)\ufe0f?\s+(?P<rest>.*)")
_TICKET = re.compile(r"(?P<mark>gh-|GH-)\d+:")
_NO_PLACE = re.compile(r"^\W*(?:fix|add|wip|revert|release|merge|bump)|[#-]\d", re.IGNORECASE)
"""Prefixes that refer to a single commit or its issue instead of a place in the code."""
_NUMBER = re.compile(r"\s*\((?:#|gh-)\d+\)$")


def title(
    words: str,
    subjects: Sequence[CommitSubject],
    number: int = 0,
    near: Sequence[CommitSubject] = (),
    most: int = LONGEST,
) -> str:
    """Return `words` as a commit title in the style of `subjects`; `near` are the subjects of commits that changed the
    same files.

    The title follows the conventions of the log: conventional commits (`fix(scope): …`), `Fixed #N -- …`, `module: …`,
    gitmoji, an issue number at the end, capitalisation, full stop. `number` is the issue's number.
    """
    own, words = words, plain(words).rstrip(". ") or "Fix the issue"
    texts = [_NUMBER.sub("", subject.text) for subject in subjects]
    if len(texts) < FEW:
        return shorten(words, most)
    before, rests = _prefix(texts, [_NUMBER.sub("", subject.text) for subject in near], number)
    after = _number_suffix(subjects, number)
    if before:
        words = plain(_strip_prefix(own)).rstrip(". ") or words
    words = _match_case(words, rests or texts)
    dot = "." if _holds_for_most(texts, lambda text: text.endswith(".")) and not after else ""
    return f"{before}{shorten(words, most - len(before) - len(after) - len(dot))}{dot}{after}"


def message(title: str, cause: str, change: str, model: str) -> str:
    """Return a whole commit message: title, cause and change, and a trailer that names swe-agent.

    It has no sign-off and names no person.
    """
    body = textwrap.fill(
        shorten(plain(f"{cause} {change}"), LONGEST_BODY), LONGEST, break_long_words=False, break_on_hyphens=False
    )
    known = plain(model.partition(":")[0] if model.startswith(("scripted:", "replay:")) else model)
    made = f"{OURS}: swe-agent ({known})" if known else f"{OURS}: swe-agent"
    return "\n\n".join(filter(None, [title, body, made])) + "\n"


def _prefix(texts: Sequence[str], near: Sequence[str], number: int) -> tuple[str, list[str]]:
    """Return the prefix for a title in the style of this log, and the log's titles without their prefixes."""
    matches = [match for text in texts if (match := _CONVENTIONAL.fullmatch(text))]
    if 2 * len(matches) >= len(texts):
        return f"fix{_scope(matches, near)}: ", [match["rest"] for match in matches]
    matches = [match for text in texts if (match := _FIXED.fullmatch(text))]
    if number and 4 * len(matches) >= len(texts):
        like = Counter((match["word"], match["mark"], match["between"]) for match in matches).most_common(1)[0][0]
        return f"{like[0]} {like[1]}{number}{like[2]} ", [match["rest"] for match in matches]
    matches = [match for text in texts if (match := _BUG.fullmatch(text))]
    if 10 * len(matches) >= len(texts):
        return f"{matches[0]['bug']} ", [match["rest"] for match in matches]
    matches = [match for text in texts if (match := _PREFIX.fullmatch(text))]
    if 2 * len(matches) >= len(texts):
        close = Counter(match["prefix"] for text in near if (match := _PREFIX.fullmatch(text))).most_common(1)
        known, rests = {match["prefix"] for match in matches}, [match["rest"] for match in matches]
        marks = [match["mark"] for prefix in known if (match := _TICKET.fullmatch(prefix))]
        if number and 2 * len(marks) > len(known):
            return f"{marks[0]}{number}: ", rests
        if close and (close[0][1] > 1 or close[0][0] in known) and not _NO_PLACE.search(close[0][0]):
            return f"{plain_prefix(close[0][0])} ", rests
        return "", rests
    return "", []


def plain_prefix(prefix: str) -> str:
    """Return a prefix from the log with its brackets, but without anything that GitHub acts on."""
    inner = plain(prefix.strip("[]"))
    return f"[{inner}]" if prefix.startswith("[") and not re.search(r"\b(?:skip|no)\b", inner) else inner


def _scope(matches: Sequence[re.Match[str]], near: Sequence[str]) -> str:
    """Return the most common scope of commits to the same files, if most fixes have a scope; else ""."""
    fixes = [match for match in matches if match["type"] == "fix"] or matches
    if 2 * sum(bool(match["scope"]) for match in fixes) < len(fixes):
        return ""
    close = [match for text in near if (match := _CONVENTIONAL.fullmatch(text)) and match["type"] in ("fix", "feat")]
    scopes = [match["scope"] for match in close if match["scope"] and not _NO_PLACE.search(match["scope"])]
    found = Counter(scopes).most_common(1)
    return f"({plain(found[0][0])})" if found else ""


def _number_suffix(subjects: Sequence[CommitSubject], number: int) -> str:
    """Return the issue's number in brackets if most commit titles end with such a number; else "".

    Merge commits are ignored, because the hosting service adds the pull request's number to their titles.
    """
    own = [subject.text for subject in subjects if not subject.merged]
    matches = [match for text in own if (match := _NUMBER.search(text))]
    if not number or len(own) < FEW or 2 * len(matches) < len(own):
        return ""
    return f" ({'gh-' if 'gh-' in matches[0][0] else '#'}{number})"


def _strip_prefix(words: str) -> str:
    """Return the title without its prefix, if it has one."""
    match = _CONVENTIONAL.fullmatch(words) or _FIXED.fullmatch(words)
    return match["rest"] if match else words


def _match_case(words: str, others: Sequence[str]) -> str:
    first = words.split(maxsplit=1)[0] if words else ""
    if not re.fullmatch(r"[^\W\d_](?:[^\W\d_]*)", first) or (len(first) > 1 and not first[1:].islower()):
        return words  # the first word is an identifier or an abbreviation
    lower = _holds_for_most(others, lambda text: text[:1].islower())
    return (words[0].lower() if lower else words[0].upper()) + words[1:]


def _holds_for_most(texts: Sequence[str], holds: Callable[[str], bool]) -> bool:
    return 2 * sum(map(holds, texts)) > len(texts)
