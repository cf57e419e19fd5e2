"""Which functions a commit changed, by the lines that it wrote and what stands around them in its own version."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from aci.graph.choice import language_of, left_out, unreadable
from aci.graph.outline import FUNCTION, Symbol
from aci.graph.parse import load
from aci.history_git import Commits, Span
from aci.localization.signals import never_an_answer

MOST_FILES = 20


def functions(commits: Commits, ids: Sequence[str]) -> dict[str, dict[str, tuple[str, ...]]]:
    """The dotted names of the functions in each file that each of these commits changed, by the path it had there.

    Those of tests are left out, and so are all of a commit that changed over 20 files of source.
    """
    return {id: _of_one(commits, spans) for id, spans in commits.spans(ids).items()}


def _of_one(commits: Commits, spans: Iterable[Span]) -> dict[str, tuple[str, ...]]:
    files: dict[tuple[str, str], list[Span]] = defaultdict(list)
    for span in spans:
        if not left_out(span.path, "100644") and not never_an_answer(span.path):
            files[span.path, span.blob].append(span)
    if not files or len(files) > MOST_FILES:
        return {}
    read = commits.blobs(blob for _, blob in files)
    found = {path: _around(read.get(blob, b""), path, ours) for (path, blob), ours in files.items()}
    return {path: names for path, names in found.items() if names}


def _around(data: bytes, path: str, spans: Sequence[Span]) -> tuple[str, ...]:
    """The innermost functions around these lines."""
    if unreadable(data):
        return ()
    symbols = load(language_of(path)).parse(data).outline.symbols
    return tuple(dict.fromkeys(name for span in spans for name in _innermost(symbols, span)))


def _innermost(symbols: Sequence[Symbol], span: Span) -> Iterable[str]:
    touched = {n: one for n, one in enumerate(symbols) if one.line <= span.last and span.first <= one.end}
    inner = {symbols[n].parent for n, one in touched.items() if one.kind == FUNCTION}
    return (one.name for n, one in touched.items() if one.kind == FUNCTION and n not in inner)


def said(commits: Commits, ids: Sequence[str]) -> dict[str, dict[str, tuple[str, ...]]]:
    """Of each commit's message the issues and pull requests it is about (`numbers`, those it closes first) and the
    names in it that no prose has (`names`)."""
    from aci.history_messages import read
    from aci.mentions import like_code
    from aci.words import WORD

    found: dict[str, dict[str, tuple[str, ...]]] = {}
    for one in commits.read(ids):
        text = one.message[:MOST_READ].decode("utf-8", "replace")
        numbers: Mapping[int, int] = read(one.message).numbers
        found[one.id] = {
            "numbers": tuple(str(number) for number in sorted(numbers, key=lambda number: -numbers[number])),
            "names": tuple(dict.fromkeys(word for word in WORD.findall(text) if like_code(word)))[:MOST_NAMES],
        }
    return found


MOST_READ, MOST_NAMES = 1_000, 20
"""Bytes of a message in which names are looked for, and names."""
