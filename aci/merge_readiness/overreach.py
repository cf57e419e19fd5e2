"""Changes that a fix rarely needs: reformatting, renames, debug output, unused definitions, changed defaults, deleted
comments.

The checks compare the texts of the changed files before and after the patch. Those of Python use its syntax tree; files
of other languages are checked for debug output, reformatting and deleted comments.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from aci.merge_readiness.change_blocks import Block, apply_blocks, find_blocks
from aci.merge_readiness.python_changes import (
    changed_defaults,
    comments_of,
    debug_calls,
    new_definitions,
    removed_docstrings,
    rename_scope,
    statement_end,
    statements_in,
)
from aci.repository.python_source import parse

MOST_BLOCKS = 200
"""Maximum number of blocks in a file; larger changes are not analysed."""
MOST_JOINED, WIDEST_GAP = 4, 3
"""Maximum number of blocks that may be one reformatted statement, and of unchanged lines between two of them."""
LEAST_RENAMED = 2
KEPT_COMMENT = re.compile(r"(?i)\b(?:todo|fixme|xxx|hack|noqa|nosec|pragma|type:|pylint|mypy|fmt:|ruff)\b|^#!|^#:?\s*$")
"""Comments for tools, and notes that a fix may settle."""
LINE_COMMENT = re.compile(r"\s*(?://|/\*|\*|#(?!\[|include|define|if|else|end|pragma|!))")
DEBUG_LINE = re.compile(
    r"\s*(?:console\.(?:log|debug|dir|trace)\(|debugger\b|fmt\.Print|dbg!\(|e?println!\(|System\.(?:out|err)\.print"
    r"|var_dump\(|print_r\(|error_log\(|binding\.pry|byebug\b|pp? |printf\(|fprintf\(stderr|std::c(?:out|err)\b)"
)
PRINTING = re.compile(r"(?:.*/)?(?:examples?|demos?|docs?|scripts?|benchmarks?|__main__\.py)(?:/|$)")
"""Paths whose files are expected to print."""
WORD = re.compile(r"\w+|\s+|[^\w\s]")


@dataclass(frozen=True, slots=True)
class Finding:
    """A change that a reviewer may ask to take out of a patch.

    `kind` is `reformatting`, `rename`, `debug output`, `unused definition`, `changed default` or `deleted comment`.
    `line` is the first line concerned in the new file, from 1. `blocks` are the parts of the change that it is in.
    """

    kind: str
    path: str
    line: int
    text: str
    blocks: tuple[Block, ...]


class FileChange:
    """The change of one file: its texts, blocks, and for Python its syntax trees."""

    def __init__(self, path: str, old: str, new: str) -> None:
        self.path, self.old, self.new = path, old, new
        self.before, self.after = old.split("\n"), new.split("\n")
        self.blocks = find_blocks(path, old, new)
        self.is_python = path.endswith(".py")

    @cached_property
    def old_tree(self) -> ast.Module | None:
        return parse(self.old) if self.is_python else None

    @cached_property
    def new_tree(self) -> ast.Module | None:
        return parse(self.new) if self.is_python else None

    def blocks_at(self, first: int, last: int) -> tuple[Block, ...]:
        """Return the blocks that contain one of these lines of the new file, from 1."""
        return tuple(
            one for one in self.blocks if one.new_start < last and first <= max(one.new_end, one.new_start + 1)
        )


def find_overreach(
    before: Mapping[str, str], after: Mapping[str, str], issue: str, is_used: Callable[[str], bool]
) -> list[Finding]:
    """Return the findings on a change of source files, in order of path and line.

    `before` and `after` hold the text of each changed file; a missing file is new or deleted. `is_used` tells whether
    a word occurs in any other file of the patched repository. What the issue names is no finding.
    """
    changes = [FileChange(path, before.get(path, ""), after[path]) for path in sorted(after)]
    changes = [one for one in changes if 0 < len(one.blocks) <= MOST_BLOCKS]
    words = set(re.findall(r"\w+", issue))
    found: list[Finding] = []
    for change in changes:
        if change.path in before:
            found += _reformatted(change)
            found += _deleted_comments(change)
        found += _debug_output(change, words)
        found += _changed_defaults(change, issue)
    found += _renames(changes, words)
    renamed = {block for one in found if one.kind == "rename" for block in one.blocks}
    for change in changes:
        found += [one for one in _unused(change, after, words, is_used) if renamed.isdisjoint(one.blocks)]
    return sorted(found, key=lambda one: (one.path, one.line, one.kind))


def _reformatted(change: FileChange) -> Iterator[Finding]:
    """Yield runs of neighbouring blocks that change only the layout of code, and statements in other blocks."""
    at = 0
    while at < len(change.blocks):
        run = [change.blocks[at]]
        for block in change.blocks[at + 1 : at + MOST_JOINED]:
            if _is_layout(change, run) or block.start - run[-1].end > WIDEST_GAP:
                break
            run.append(block)
        while len(run) > 1 and not _is_layout(change, run):
            run.pop()
        if _is_layout(change, run):
            line = run[0].new_start + 1
            yield Finding("reformatting", change.path, line, "The change affects the layout only.", tuple(run))
        else:
            for line in _reformatted_statements(change, run[0]):
                text = "The layout of this statement changes, and nothing else in it."
                yield Finding("reformatting", change.path, line, text, (run[0],))
        at += len(run)


def _reformatted_statements(change: FileChange, block: Block) -> list[int]:
    """Return the lines of the simple statements of a block that differ from an old one in their layout only."""
    if change.old_tree is None or change.new_tree is None:
        return []
    before = statements_in(change.old_tree, change.before, block.start + 1, block.end)
    after = statements_in(change.new_tree, change.after, block.new_start + 1, block.new_end)
    known = {dump: text for dump, text, _ in before}
    return [line for dump, text, line in after if known.get(dump, text) != text]


def _is_layout(change: FileChange, run: Sequence[Block]) -> bool:
    old = change.before[run[0].start : run[-1].end]
    new = change.after[run[0].new_start : run[-1].new_end]
    code = [[line.rstrip() for line in lines if line.strip() and not LINE_COMMENT.match(line)] for lines in (old, new)]
    if not all(code) or code[0] == code[1]:
        return False
    if not change.is_python:
        return _squeezed(old) == _squeezed(new)
    if _imports(old) is not None and _imports(old) == _imports(new):
        return True
    partly = parse(apply_blocks(change.old, change.new, run, change.blocks))
    if partly is None or change.old_tree is None:
        return False
    return ast.dump(partly) == ast.dump(change.old_tree)


def _squeezed(lines: Iterable[str]) -> str:
    text = re.sub(r"\s+", "", "".join(lines)).replace("'", '"')
    return re.sub(r",(?=[)\]}])", "", text)


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
    for block in change.blocks:
        lines = range(block.start, block.end), range(block.new_start, block.new_end)
        lost = [old[line][1] for line in lines[0] if line in old and old[line][1] not in kept]
        lost = [text for text in lost if not KEPT_COMMENT.search(text)]
        added = [line for line in lines[1] if line in new]
        code = _code(change.before, lines[0], old), _code(change.after, lines[1], new)
        if lost and not added and code[0] == code[1] and not _concerns_change(change, block):
            text = f"A comment was deleted whose code stays: {lost[0][:60]}"
            yield Finding("deleted comment", change.path, block.new_start + 1, text, (block,))
    if change.old_tree and change.new_tree:
        for name, line, end in removed_docstrings(change.old_tree, change.new_tree):
            text = f"The docstring of {name} was deleted."
            yield Finding("deleted comment", change.path, line, text, change.blocks_at(line, end))


def _concerns_change(change: FileChange, comment: Block) -> bool:
    """Whether the patch changes the statement that follows a comment, or the lines next to it."""
    end = statement_end(change.old_tree, comment.end) + WIDEST_GAP - 1
    return any(comment.start - 1 <= one.end and one.start <= end for one in change.blocks if one != comment)


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
    added = {line for block in change.blocks for line in range(block.new_start + 1, block.new_end + 1)}
    if change.is_python:
        lines = debug_calls(change.old_tree, change.new_tree, added, words)
    else:
        known = {line.strip() for line in change.before}
        printed = any(map(DEBUG_LINE.match, change.before))
        texts = ((line, change.after[line - 1]) for line in sorted(added))
        lines = [
            (line, text.strip())
            for line, text in texts
            if DEBUG_LINE.match(text) and not printed and text.strip() not in known
        ]
    for line, call in lines:
        text = f"This looks like debug output: {call[:60]}"
        yield Finding("debug output", change.path, line, text, change.blocks_at(line, line))


def _changed_defaults(change: FileChange, issue: str) -> Iterator[Finding]:
    if change.old_tree and change.new_tree:
        for line, name, old, new in changed_defaults(change.old_tree, change.new_tree, issue):
            text = f"The default of {name} changes from {old[:30]} to {new[:30]}; the issue does not name it."
            yield Finding("changed default", change.path, line, text, change.blocks_at(line, line))


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
            yield Finding("unused definition", change.path, line, f"Nothing uses {name}.", change.blocks_at(line, end))


def _renames(changes: Sequence[FileChange], words: set[str]) -> Iterator[Finding]:
    """Yield names that are replaced everywhere, by names that are new, in lines that change in nothing else."""
    places: dict[tuple[str, str], list[tuple[FileChange, Block, int, int]]] = {}
    for change in changes:
        for block in change.blocks:
            for at, to in _line_pairs(change, block):
                for pair in _renamed_names(change.before[at], change.after[to]):
                    places.setdefault(pair, []).append((change, block, at, to))
    for (old, new), found in places.items():
        first = found[0][0]
        if len(found) < LEAST_RENAMED or old in words or new in words:
            continue
        if any(re.search(rf"\b{re.escape(new)}\b", change.old) for change in {one[0] for one in found}):
            continue
        lines = {line + 1 for change, _, line, _ in found if change is first}
        if first.is_python and not rename_scope(first.old_tree, first.old, old, lines):
            continue
        line = min(line + 1 for change, _, _, line in found if change is first)
        blocks = tuple(dict.fromkeys(block for _, block, _, _ in found))
        yield Finding("rename", first.path, line, f"{old} is renamed to {new}.", blocks)


def _line_pairs(change: FileChange, block: Block) -> Iterator[tuple[int, int]]:
    """Yield the indices of the lines of a block, old and new, that differ in names only."""
    at = block.new_start
    for old in range(block.start, block.end):
        for new in range(at, min(at + MOST_JOINED, block.new_end)):
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
