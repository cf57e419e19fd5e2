"""Which candidates are worth comparing: patches that differ only in form are one, and what loses tests is left out."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from aci.patch import in_tests
from aci.source import parse
from agent.repair.blocks import is_docstring

if TYPE_CHECKING:
    from agent.moves.attempting import Candidate
    from agent.task import Task

HOLDERS = ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef
"""What may begin with a docstring."""


def pruned(task: Task, candidates: Sequence[Candidate]) -> list[Candidate]:
    """One of each kind of patch, the best tested, in their order, each told who else made it. Those that change
    nothing, and those that lose tests where others do not, go with a note."""
    kept: dict[object, Candidate] = {}
    for one in candidates:
        if not one.patch.source:
            task.note("prune", f"{one.name}: it changes no source file")
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
            lost = ", ".join(one.verdict.lost[:3]) or "what passed before"
            task.note("prune", f"{one.name}: it loses {lost}")
    return whole or found


def normal_form(task: Task, tree: str) -> object:
    """The source files that a tree changes, without what makes no difference: comments, docstrings, layout."""
    found = []
    for change in task.trees.changed(task.base.tree, tree):
        if not in_tests(change.path):
            data = b"" if change.status == "D" else task.trees.read(tree, change.path)
            found.append((change.path, change.status == "D", normal(change.path, data)))
    return tuple(sorted(found))


def normal(path: str, data: bytes) -> str:
    """What a file says, without what makes no difference."""
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
