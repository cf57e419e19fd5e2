"""The functions that a commit changed: those that enclose the changed lines in the commit's version of the files."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from aci.graph.file_selection import exclusion_reason, is_test_or_example, language_of, unreadable_reason
from aci.graph.outline import FUNCTION, Symbol
from aci.graph.parser import load_language
from aci.history.git_log import GitLog, Span

MOST_FILES = 20


def changed_functions(commits: GitLog, ids: Sequence[str]) -> dict[str, dict[str, tuple[str, ...]]]:
    """Return the dotted names of the functions that each commit changed, by the file's path at that commit.

    Functions in tests are left out, and so are all functions of a commit that changed more than 20 source files.
    """
    return {id: _functions_of_commit(commits, spans) for id, spans in commits.spans(ids).items()}


def _functions_of_commit(commits: GitLog, spans: Iterable[Span]) -> dict[str, tuple[str, ...]]:
    files: dict[tuple[str, str], list[Span]] = defaultdict(list)
    for span in spans:
        if not exclusion_reason(span.path, "100644") and not is_test_or_example(span.path):
            files[span.path, span.blob].append(span)
    if not files or len(files) > MOST_FILES:
        return {}
    read = commits.blobs(blob for _, blob in files)
    found = {path: _changed_functions(read.get(blob, b""), path, own) for (path, blob), own in files.items()}
    return {path: names for path, names in found.items() if names}


def _changed_functions(data: bytes, path: str, spans: Sequence[Span]) -> tuple[str, ...]:
    """Return the innermost functions that enclose these lines."""
    if unreadable_reason(data):
        return ()
    symbols = load_language(language_of(path)).parse(data).outline.symbols
    return tuple(dict.fromkeys(name for span in spans for name in _innermost(symbols, span)))


def _innermost(symbols: Sequence[Symbol], span: Span) -> Iterable[str]:
    touched = {n: one for n, one in enumerate(symbols) if one.line <= span.last and span.first <= one.end}
    inner = {symbols[n].parent for n, one in touched.items() if one.kind == FUNCTION}
    return (one.name for n, one in touched.items() if one.kind == FUNCTION and n not in inner)


def message_references(commits: GitLog, ids: Sequence[str]) -> dict[str, dict[str, tuple[str, ...]]]:
    """Return the references in each commit's message.

    `numbers` are the issues and pull requests that the message mentions, starting with those that the commit closes;
    `names` are identifiers.
    """
    from aci.history.commit_terms import parse_message
    from aci.issue_text.issue_mentions import WORD, is_identifier_like

    found: dict[str, dict[str, tuple[str, ...]]] = {}
    for one in commits.read(ids):
        text = one.message[:MOST_READ].decode("utf-8", "replace")
        numbers: Mapping[int, int] = parse_message(one.message).numbers
        found[one.id] = {
            "numbers": tuple(str(number) for number in sorted(numbers, key=lambda number: -numbers[number])),
            "names": tuple(dict.fromkeys(word for word in WORD.findall(text) if is_identifier_like(word)))[:MOST_NAMES],
        }
    return found


MOST_READ, MOST_NAMES = 1_000, 20
"""Maximum number of bytes of a message that are searched for names, and maximum number of names."""
