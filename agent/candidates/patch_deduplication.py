"""Deduplication of candidates: patches that differ only in comments and formatting count as one, and patches that break
tests are dropped."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from aci.graph.file_selection import language_of, unreadable_reason
from aci.graph.parser import parse_syntax
from aci.repository.python_source import is_docstring, parse
from aci.repository.test_files import belongs_to_tests

if TYPE_CHECKING:
    from tree_sitter import Node

    from agent.candidates.diverse_attempts import Candidate
    from agent.engine.task import Task

HOLDERS = ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef
"""AST nodes that may have a docstring."""
LITERAL = re.compile(r"string|regex|heredoc|rune|char_|character_|jsx_text|^text$")
"""Types of syntax nodes in which spaces count."""
DIRECTIVE = re.compile(rb"//(?:go:|export |\s*\+build )")
"""Go comments that the compiler obeys."""
LINE_BREAK = re.compile(r"[ \t]*\n\s*")


def deduplicate(task: Task, candidates: Sequence[Candidate]) -> list[Candidate]:
    """Return the best-tested candidate for each distinct patch, in the original order, with the names of all attempts
    that made the patch.

    Candidates without a source change are dropped with a note, as are candidates that break tests if any candidate
    breaks none.
    """
    kept: dict[object, Candidate] = {}
    for one in candidates:
        if not one.patch.source:
            task.note("prune", f"{one.name}: no source file changed")
            continue
        form = normal_form(task, one.tree)
        first = kept.get(form)
        if first is None:
            kept[form] = one
            continue
        better = max(first, one, key=lambda each: (each.verdict.rank, len(each.verdict.tests)))
        kept[form] = replace(better, alike=(*first.alike, *one.alike))
        worse = one if better is first else first
        task.note("prune", f"{worse.name}: the same patch as {better.name}")
    found = list(kept.values())
    whole = [one for one in found if one.verdict.no_loss is not False]
    for one in found if whole else ():
        if one not in whole:
            lost = ", ".join(one.verdict.lost[:3]) or "passing tests"
            task.note("prune", f"{one.name}: breaks {lost}")
    return whole or found


def normal_form(task: Task, tree: str) -> object:
    """Return the source files that a tree changes, without comments, docstrings and formatting."""
    found = []
    for change in task.trees.changed(task.turn.base.tree, tree):
        if not belongs_to_tests(change.path):
            data = b"" if change.status == "D" else task.trees.read(tree, change.path)
            found.append((change.path, change.status == "D", normalize_file(change.path, data)))
    return tuple(sorted(found))


def normalize_file(path: str, data: bytes) -> str:
    """Return the syntax of a file's content: without comments and formatting, in Python also without docstrings.

    A file that does not parse, or whose language has no grammar here, is returned without blank lines and trailing
    spaces.
    """
    if path.endswith(".py") and (tree := parse(data)) is not None:
        return ast.dump(_without_docstrings(tree))
    language = language_of(path)
    if language and not unreadable_reason(data):
        root = parse_syntax(language, data)
        if not root.has_error:
            return "\n".join(_syntax(root, data))
    text = data.decode("utf-8", "surrogateescape")
    return "\n".join(line.rstrip() for line in text.splitlines() if line.strip())


def _syntax(root: Node, data: bytes) -> Iterator[str]:
    """Yield the types of the syntax nodes with their depth, and the text of those without children.

    A literal is one text, since a grammar may have no nodes for the spaces in it.
    """
    open_ = [(0, root)]
    while open_:
        depth, node = open_.pop()
        if node.type.endswith("comment") and not DIRECTIVE.match(data, node.start_byte):
            continue
        if node.child_count and not LITERAL.search(node.type):
            yield f"{depth} {node.type}"
            open_ += [(depth + 1, child) for child in reversed(node.children)]
        elif text := _text(node, data):
            yield f"{depth} {node.type} {text!r}"


def _text(node: Node, data: bytes) -> str:
    """Return the text of a leaf: without the spaces around it, if they have no meaning, as those around a line break in
    JSX."""
    text = data[node.start_byte : node.end_byte].decode("utf-8", "surrogateescape")
    if node.type == "jsx_text":
        return LINE_BREAK.sub("\n", text).strip("\n").replace("\n", " ")
    return text if LITERAL.search(node.type) else text.strip()


def _without_docstrings(tree: ast.AST) -> ast.AST:
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(node, HOLDERS) and body and is_docstring(body[0]):
            node.body = body[1:] or [ast.Pass()]
    return tree
