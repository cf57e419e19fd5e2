"""Deduplication of candidates: patches that differ only in comments and formatting count as one, and patches that break
tests are dropped."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from aci.repository.patch import belongs_to_tests
from aci.repository.python_source import parse
from agent.repair.analysis.code_blocks import is_docstring

if TYPE_CHECKING:
    from agent.candidates.diverse_attempts import Candidate
    from agent.engine.task import Task

HOLDERS = ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef
"""AST nodes that may have a docstring."""


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
    """Return a Python file's content without comments, docstrings and formatting, or another file's without blank lines
    and trailing spaces."""
    text = data.decode("utf-8", "surrogateescape")
    if path.endswith(".py") and (tree := parse(data)) is not None:
        return ast.dump(_without_docstrings(tree))
    return "\n".join(line.rstrip() for line in text.splitlines() if line.strip())


def _without_docstrings(tree: ast.AST) -> ast.AST:
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(node, HOLDERS) and body and is_docstring(body[0]):
            node.body = body[1:] or [ast.Pass()]
    return tree
