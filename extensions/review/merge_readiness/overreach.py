"""Changes that a fix rarely needs: reformatting, renames, debug output, unused definitions, changed defaults, deleted
comments.

The checks compare the texts of the changed files before and after the patch. Those of Python use its syntax tree; files
of other languages are checked for debug output, reformatting and deleted comments.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property

from aci.repository.python_source import parse
from aci.repository.removable_hunks import Hunk, apply_hunks, find_hunks
from extensions.review.merge_readiness.python_changes import (
    changed_defaults,
    comments_of,
    debug_calls,
    is_bound_in,
    new_definitions,
    removed_docstrings,
    statement_end,
    statements_in,
)

MOST_HUNKS = 200
"""Maximum number of hunks in a file; larger changes are not analysed."""
MOST_JOINED, WIDEST_GAP = 4, 3
"""Maximum number of hunks that may be one reformatted statement, and of unchanged lines between two of them."""
LEAST_RENAMED, LEAST_ENDS = 2, 3
"""Minimum number of uses of a renamed name, and of neighbouring lines that change in their ends only."""
KEPT_COMMENT = re.compile(r"(?i)\b(?:todo|fixme|xxx|hack|noqa|nosec|pragma|type:|pylint|mypy|fmt:|ruff)\b|^#!|^#:?\s*$")
"""Comments for tools, and notes that a fix may settle."""
LINE_COMMENT = re.compile(r"\s*(?://|/\*|\*|#(?!\[|include|define|if|else|end|pragma|!))")
CALLS_OF_DEBUGGING = {
    ("js", "jsx", "mjs", "cjs", "ts", "tsx", "vue"): r"console\.(?:log|debug|dir|trace)\(|debugger\b",
    ("go",): r"fmt\.Print|println\(",
    ("rs",): r"dbg!\(|e?println!\(",
    ("java", "kt", "scala"): r"System\.(?:out|err)\.print|println\(",
    ("php",): r"var_dump\(|print_r\(|error_log\(",
    ("rb",): r"binding\.pry|byebug\b|pp? |puts ",
    ("c", "h", "cc", "cpp", "hpp", "cxx"): r"printf\(|fprintf\(stderr|(?:std::)?c(?:out|err)\b *<<",
}
DEBUG_LINES = {end: re.compile(rf"\s*(?:{calls})") for ends, calls in CALLS_OF_DEBUGGING.items() for end in ends}
FREE_LAYOUT = {*DEBUG_LINES, "cs", "swift", "css", "scss", "less"}
"""File name extensions of languages in which spaces and line ends between tokens have no meaning."""
PRINTING = re.compile(r"(?:.*/)?(?:examples?|demos?|docs?|scripts?|benchmarks?|__main__\.py)(?:/|$)")
"""Paths whose files are expected to print."""
TOKEN = re.compile(r"""("(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|`[^`]*`)|\s+|,(?=\s*[)\]}])""")
NOT_IN_TREES = re.compile(r"""[\s'"()\\]+|,(?=\s*[)\]}])""")
"""What a change of the layout of Python code may change."""
WORD = re.compile(r"\w+|\s+|[^\w\s]")


@dataclass(frozen=True, slots=True)
class Finding:
    """A change that a reviewer may ask to take out of a patch.

    `kind` is `reformatting`, `rename`, `debug output`, `unused definition`, `changed default` or `deleted comment`.
    `line` is the first line concerned in the new file, from 1. `hunks` are the parts of the change that it is in.
    """

    kind: str
    path: str
    line: int
    text: str
    hunks: tuple[Hunk, ...]


class FileChange:
    """The change of one file: its texts, hunks, and for Python its syntax trees."""

    def __init__(self, path: str, old: str, new: str) -> None:
        self.path, self.old, self.new = path, old, new
        self.before, self.after = old.split("\n"), new.split("\n")
        self.hunks = find_hunks(path, old, new)
        self.extension = path.rpartition(".")[2] if "." in path else ""
        self.is_python = self.extension == "py"

    @cached_property
    def old_tree(self) -> ast.Module | None:
        return parse(self.old) if self.is_python else None

    @cached_property
    def old_dump(self) -> str:
        return ast.dump(self.old_tree) if self.old_tree else ""

    @cached_property
    def new_tree(self) -> ast.Module | None:
        return parse(self.new) if self.is_python else None

    def hunks_at(self, first: int, last: int) -> tuple[Hunk, ...]:
        """Return the hunks that contain one of these lines of the new file, from 1."""
        return tuple(one for one in self.hunks if one.new_start < last and first <= max(one.new_end, one.new_start + 1))


def find_overreach(
    before: Mapping[str, str],
    after: Mapping[str, str],
    issue: str,
    is_used: Callable[[str], bool],
    is_over: Callable[[], bool] = lambda: False,
) -> list[Finding]:
    """Return the findings on a change of source files, in order of path and line.

    `before` and `after` hold the text of each changed file; a missing file is new or deleted. `is_used` tells whether
    a word occurs in any other file of the patched repository. What the issue names is no finding. No more files are
    looked at once `is_over` is true.
    """
    changes = [FileChange(path, before.get(path, ""), after[path]) for path in sorted(after)]
    changes = [one for one in changes if 0 < len(one.hunks) <= MOST_HUNKS]
    words = set(re.findall(r"\w+", issue))
    found: list[Finding] = []
    for change in changes:
        if is_over():
            break
        with suppress(RecursionError):  # of expressions that are nested deeply
            found += _in_file(change, change.path in before, words, issue)
    found += _renames(changes, words)
    renamed = {hunk for one in found if one.kind == "rename" for hunk in one.hunks}
    for change in changes:
        found += [one for one in _unused(change, after, words, is_used) if renamed.isdisjoint(one.hunks)]
    return sorted(found, key=lambda one: (one.path, one.line, one.kind))


def _in_file(change: FileChange, is_old: bool, words: set[str], issue: str) -> list[Finding]:
    found = [*_debug_output(change, words), *_changed_defaults(change, issue)]
    return [*_reformatted(change), *_deleted_comments(change), *found] if is_old else found


def _reformatted(change: FileChange) -> Iterator[Finding]:
    """Yield runs of neighbouring hunks that change only the layout of code, and statements in other hunks."""
    at = 0
    while at < len(change.hunks):
        run = [change.hunks[at]]
        is_layout = _is_layout(change, run)
        for hunk in change.hunks[at + 1 : at + MOST_JOINED]:
            if is_layout or hunk.start - run[-1].end > WIDEST_GAP:
                break
            run.append(hunk)
            is_layout = _is_layout(change, run)
        if is_layout:
            line = run[0].new_start + 1
            yield Finding("reformatting", change.path, line, "The change affects the layout only.", tuple(run))
        else:
            del run[1:]
            for line in _reformatted_statements(change, run[0]):
                text = "The layout of this statement changes, and nothing else in it."
                yield Finding("reformatting", change.path, line, text, (run[0],))
        at += len(run)


def _reformatted_statements(change: FileChange, hunk: Hunk) -> list[int]:
    """Return the lines of the simple statements of a hunk that differ from an old one in their layout only."""
    if change.old_tree is None or change.new_tree is None:
        return []
    before = statements_in(change.old_tree, change.before, hunk.start + 1, hunk.end)
    after = statements_in(change.new_tree, change.after, hunk.new_start + 1, hunk.new_end)
    known = {dump: text for dump, text, _ in before}
    return [line for dump, text, line in after if known.get(dump, text) != text]


def _is_layout(change: FileChange, run: Sequence[Hunk]) -> bool:
    old = change.before[run[0].start : run[-1].end]
    new = change.after[run[0].new_start : run[-1].new_end]
    if len(old) >= LEAST_ENDS and [line.rstrip() for line in old] == [line.rstrip() for line in new]:
        return any(line.strip() for line in old)
    code = [[line.rstrip() for line in lines if line.strip() and not LINE_COMMENT.match(line)] for lines in (old, new)]
    if not all(code) or code[0] == code[1]:
        return False
    if not change.is_python:
        return change.extension in FREE_LAYOUT and _squeezed(old) == _squeezed(new)
    if _imports(old) is not None and _imports(old) == _imports(new):
        return True
    if NOT_IN_TREES.sub("", "\n".join(old)) != NOT_IN_TREES.sub("", "\n".join(new)):
        return False
    partly = parse(apply_hunks(change.old, change.new, run, change.hunks))
    return partly is not None and bool(change.old_dump) and ast.dump(partly) == change.old_dump


def _squeezed(lines: Iterable[str]) -> str:
    """Return code without what layout may change: space outside of texts, and commas before closing brackets."""
    return TOKEN.sub(lambda found: found[1] or "", "\n".join(lines)).replace("'", '"')


def _imports(lines: Sequence[str]) -> list[tuple[str, str, str]] | None:
    """Return what these lines import, sorted; None if they contain anything else."""
    tree = parse("\n".join(line.strip() for line in lines))
    if tree is None or not all(isinstance(node, ast.Import | ast.ImportFrom) for node in tree.body):
        return None
    found = []
    for node in tree.body:
        module = f"{'.' * node.level}{node.module}" if isinstance(node, ast.ImportFrom) else ""
        found += [(module, name.name, name.asname or "") for name in node.names]  # type: ignore[attr-defined]
    return sorted(found)


def _deleted_comments(change: FileChange) -> Iterator[Finding]:
    old, new = _comments(change.is_python, change.old), _comments(change.is_python, change.new)
    kept = {text for _, text in new.values()}
    for hunk in change.hunks:
        lines = range(hunk.start, hunk.end), range(hunk.new_start, hunk.new_end)
        lost = [old[line][1] for line in lines[0] if line in old and old[line][1] not in kept]
        lost = [text for text in lost if not KEPT_COMMENT.search(text)]
        added = [line for line in lines[1] if line in new]
        code = _code(change.before, lines[0], old), _code(change.after, lines[1], new)
        if lost and not added and code[0] == code[1] and not _concerns_change(change, hunk):
            text = f"A comment was deleted whose code stays: {lost[0][:60]}"
            yield Finding("deleted comment", change.path, hunk.new_start + 1, text, (hunk,))
    if change.old_tree and change.new_tree:
        for name, line, end in removed_docstrings(change.old_tree, change.new_tree):
            text = f"The docstring of {name} was deleted."
            yield Finding("deleted comment", change.path, line, text, change.hunks_at(line, end))


def _concerns_change(change: FileChange, comment: Hunk) -> bool:
    """Whether the patch changes the statement that follows a comment, or the lines next to it."""
    end = statement_end(change.old_tree, comment.end) + WIDEST_GAP - 1
    return any(comment.start - 1 <= one.end and one.start <= end for one in change.hunks if one != comment)


def _comments(is_python: bool, text: str) -> dict[int, tuple[int, str]]:
    """Return the column and the text of the comment of each line that has one, by the line's index."""
    if is_python:
        return comments_of(text)
    lines = enumerate(text.split("\n"))
    return {at: (len(line) - len(line.lstrip()), line.strip()) for at, line in lines if LINE_COMMENT.match(line)}


def _code(lines: Sequence[str], chosen: Iterable[int], comments: Mapping[int, tuple[int, str]]) -> list[str]:
    cut = (lines[at][: comments[at][0]] if at in comments else lines[at] for at in chosen)
    return [line.rstrip() for line in cut if line.strip()]


def _debug_output(change: FileChange, words: set[str]) -> Iterator[Finding]:
    if PRINTING.match(change.path):
        return
    added = {line for hunk in change.hunks for line in range(hunk.new_start + 1, hunk.new_end + 1)}
    if change.is_python:
        lines = debug_calls(change.old_tree, change.new_tree, added, words)
    else:
        if (debugging := DEBUG_LINES.get(change.extension)) is None:
            return
        known = {line.strip() for line in change.before}
        printed = any(map(debugging.match, change.before))
        texts = ((line, change.after[line - 1]) for line in sorted(added))
        lines = [
            (line, text.strip())
            for line, text in texts
            if debugging.match(text) and not printed and text.strip() not in known
        ]
    for line, call in lines:
        text = f"This looks like debug output: {call[:60]}"
        yield Finding("debug output", change.path, line, text, change.hunks_at(line, line))


def _changed_defaults(change: FileChange, issue: str) -> Iterator[Finding]:
    if change.old_tree and change.new_tree:
        for line, name, old, new in changed_defaults(change.old_tree, change.new_tree, issue):
            text = f"The default of {name} changes from {old[:30]} to {new[:30]}; the issue does not name it."
            yield Finding("changed default", change.path, line, text, change.hunks_at(line, line))


def _unused(
    change: FileChange, after: Mapping[str, str], words: set[str], is_used: Callable[[str], bool]
) -> Iterator[Finding]:
    if change.new_tree is None:
        return
    text = "\n".join(after.values())
    for name, line, end in new_definitions(change.old_tree, change.new_tree):
        last = name.rpartition(".")[2]
        word = re.compile(rf"\b{re.escape(last)}\b")
        own = "\n".join(change.after[line - 1 : end])
        is_unused = len(word.findall(text)) == len(word.findall(own))
        if is_unused and last not in words and not is_used(last):
            yield Finding("unused definition", change.path, line, f"Nothing uses {name}.", change.hunks_at(line, end))


def _renames(changes: Sequence[FileChange], words: set[str]) -> Iterator[Finding]:
    """Yield names that are replaced everywhere, by names that are new, in lines that change in nothing else."""
    places: dict[tuple[str, str], list[tuple[FileChange, Hunk, int, int]]] = {}
    for change in changes:
        for hunk in change.hunks:
            for at, to in _line_pairs(change, hunk):
                for pair in _renamed_names(change.before[at], change.after[to]):
                    places.setdefault(pair, []).append((change, hunk, at, to))
    for (old, new), found in places.items():
        first = found[0][0]
        if len(found) < LEAST_RENAMED or old in words or new in words:
            continue
        if any(re.search(rf"\b{re.escape(new)}\b", change.old) for change in {one[0] for one in found}):
            continue
        lines = {line + 1 for change, _, line, _ in found if change is first}
        if first.is_python and not is_bound_in(first.old_tree, first.old, old, lines):
            continue
        line = min(line + 1 for change, _, _, line in found if change is first)
        hunks = tuple(dict.fromkeys(hunk for _, hunk, _, _ in found))
        yield Finding("rename", first.path, line, f"{old} is renamed to {new}.", hunks)


def _line_pairs(change: FileChange, hunk: Hunk) -> Iterator[tuple[int, int]]:
    """Yield the indices of the lines of a hunk, old and new, that differ in names only."""
    at = hunk.new_start
    for old in range(hunk.start, hunk.end):
        for new in range(at, min(at + MOST_JOINED, hunk.new_end)):
            if _renamed_names(change.before[old], change.after[new]):
                yield old, new
                at = new + 1
                break


def _renamed_names(old: str, new: str) -> set[tuple[str, str]]:
    """Return the pairs of names by which two lines differ; nothing if they differ otherwise."""
    before, after = WORD.findall(old), WORD.findall(new)
    if len(before) != len(after):
        return set()
    pairs = {(one, other) for one, other in zip(before, after, strict=True) if one != other}
    return pairs if all(one.isidentifier() and other.isidentifier() for one, other in pairs) else set()
