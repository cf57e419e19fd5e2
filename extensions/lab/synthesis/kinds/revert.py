"""Fixes of the history, reverted on today's code as pull requests are mirrored in SWE-smith; the tests stay."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from random import Random

from aci.graph.file_selection import exclusion_reason, is_test_or_example, language_of
from aci.graph.outline import FUNCTION, Symbol
from aci.graph.parser import load_language
from aci.history.commit_files import find_present_paths
from aci.history.git_log import NO_BLOB, Commit, GitLog
from aci.repository.test_files import belongs_to_tests
from aci.repository.tree_merge import Unmergeable, merge_lines
from extensions.lab.synthesis.candidate import Candidate
from extensions.lab.synthesis.operators.function_code import is_other_program
from extensions.lab.synthesis.source_repository import MOST_BYTES, SourceRepository
from trajectories.git_store.trees import Entry

MOST_COMMITS, PORTION = 3_000, 200
"""Maximum number of commits that are searched, and the size of the portions, newest first, that are shuffled."""
MOST_FILES, MOST_HUNKS = 5, 30
"""Maximum number of source files and of hunks in one; a commit that changes more does more than fix something."""
MOST_MESSAGE = 2_000
_FIX = re.compile(
    r"\b(?:fix(?:e[sd]|ing)?|bug\w*|regress\w+|wrong\w*|incorrect\w*|correct(?:s|ed|ly)?|crash\w*|broken?|repair\w*"
    r"|resolve[sd]?|closes?|fail(?:s|ed|ing|ure)?|should(?:n't)?|handles?|missing|invalid|edge.cases?)\b",
    re.IGNORECASE,
)


def generate(source: SourceRepository, random: Random) -> Iterator[Candidate]:
    """Yield a candidate for each fix that can be reverted without a conflict."""
    log = GitLog(source.repository.git_dir)
    commits = log.ancestors(source.commit)[:MOST_COMMITS]
    for first in range(0, len(commits), PORTION):
        changed = log.read_changed(commits[first : first + PORTION])
        fixes = [(commit, paths, sign) for commit, paths in changed if (sign := _sign_of_fix(commit, paths))]
        for commit, paths, sign in random.sample(fixes, len(fixes)):
            if candidate := _take_back(source, log, commit.id, paths, sign):
                yield candidate


def _sign_of_fix(commit: Commit, paths: Sequence[str]) -> str:
    """Return what says that a commit fixes something: its message or its tests; "" if nothing does."""
    if not any(_is_source(path) for path in paths):
        return ""
    if _FIX.search(commit.message[:MOST_MESSAGE].decode("utf-8", "replace")):
        return "fix_in_message"
    return "changed_tests" if any(belongs_to_tests(path) for path in paths) else ""


def _is_source(path: str) -> bool:
    return not exclusion_reason(path, "100644") and not is_test_or_example(path) and not belongs_to_tests(path)


def _take_back(source: SourceRepository, log: GitLog, commit: str, paths: Sequence[str], sign: str) -> Candidate | None:
    """Return the candidate without the commit's changes of the source; None if all of them conflict with later ones."""
    present = source.trees.files(source.tree)
    versions = {path: pair for path, pair in log.versions(commit).items() if path in paths and _is_source(path)}
    if len(versions) > MOST_FILES:
        return None
    blobs = log.blobs(id for pair in versions.values() for id in pair if id != NO_BLOB)
    moved = find_present_paths(versions, present)
    code = []
    for path, pair in versions.items():
        today = moved.get(path, path)
        if _is_file(present.get(today)) and all(id in blobs for id in pair):
            data = source.trees.read(source.tree, today)
            new = _without_change(data, *(blobs[id] for id in pair))
            if new != data and not (today.endswith(".py") and not is_other_program(data, new)):
                code.append(_changed_code(today, data, new))
    if not code:
        return None
    symbols = tuple(f"{one.path}:{name}" for one in code for name in one.names or ("",))
    is_known = all(one.is_in_functions and one.path.endswith(".py") for one in code)  # only Python is traced
    lines = {one.path: one.lines for one in code} if is_known else None
    return Candidate("revert", sign, {one.path: one.new for one in code}, symbols, lines)


def _is_file(entry: Entry | None) -> bool:
    return entry is not None and entry.mode.startswith("100") and entry.size <= MOST_BYTES


def _without_change(today: bytes, before: bytes, after: bytes) -> bytes:
    """Return today's file without the change from `before` to `after`, or without those of its hunks that do not
    conflict with later changes."""
    old, new = (data.splitlines(keepends=True) for data in (before, after))
    if merged := _merge(after, today, before):
        return merged
    hunks = [one for one in SequenceMatcher(None, new, old, autojunk=False).get_opcodes() if one[0] != "equal"]
    if not 1 < len(hunks) <= MOST_HUNKS:
        return today
    kept = [hunk for hunk in hunks if _merge(after, today, _undo(new, old, [hunk]))]
    return (_merge(after, today, _undo(new, old, kept)) if kept else None) or today


def _merge(base: bytes, ours: bytes, theirs: bytes) -> bytes | None:
    try:
        return merge_lines(base, ours, theirs)
    except Unmergeable:
        return None


def _undo(new: list[bytes], old: list[bytes], hunks: Sequence[tuple[str, int, int, int, int]]) -> bytes:
    lines = list(new)
    for _, start, end, first, last in reversed(hunks):
        lines[start:end] = old[first:last]
    return b"".join(lines)


@dataclass(frozen=True, slots=True)
class _ChangedCode:
    """A file with a change, the functions that it touches and their lines."""

    path: str
    new: bytes
    names: tuple[str, ...]
    lines: frozenset[int]
    is_in_functions: bool


def _changed_code(path: str, data: bytes, new: bytes) -> _ChangedCode:
    symbols = load_language(language_of(path)).parse(data).outline.symbols
    old_lines, new_lines = data.split(b"\n"), new.split(b"\n")
    touched: dict[int, Symbol] = {}
    is_in_functions = True
    for tag, start, end, _, _ in SequenceMatcher(None, old_lines, new_lines, autojunk=False).get_opcodes():
        if tag != "equal":
            found = _innermost(symbols, range(start + (end > start), max(end, start + 1) + 1))
            touched |= found
            is_in_functions &= bool(found)
    lines = frozenset(line for one in touched.values() for line in range(one.line, one.end + 1))
    return _ChangedCode(path, new, tuple(one.name for one in touched.values()), lines, is_in_functions)


def _innermost(symbols: Sequence[Symbol], lines: range) -> Mapping[int, Symbol]:
    """Return the functions that contain one of the lines, without those around them."""
    found = {
        number: one
        for number, one in enumerate(symbols)
        if one.kind == FUNCTION and one.line < lines.stop and lines.start <= one.end
    }
    outer = {one.parent for one in found.values()}
    return {number: one for number, one in found.items() if number not in outer}
