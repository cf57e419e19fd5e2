"""The contract of an optimization: only the function's body may change, not its interface or other code."""

from __future__ import annotations

import ast
from collections.abc import Mapping

from aci.repository.test_files import is_test
from aci.runtime.target_function import Function, Target, iter_functions


def contract_breach(before: Mapping[str, bytes], after: Mapping[str, bytes], target: Target) -> tuple[str, str]:
    """Return ("unusable" or "missing", reason) if a change is not a valid candidate, else ("", "").

    `before` and `after` hold the changed files by path. New functions and imports are allowed, and tests are ignored.
    Nothing else may change, so that the measurement covers the whole patch.
    """
    changed = sorted(path for path in {*before, *after} if not is_test(path))
    if not changed:
        return "unusable", "No source file was changed."
    if strange := [path for path in changed if path != target.path]:
        return "unusable", f"{', '.join(strange[:3])} was changed too; only {target.path} may change."
    if target.path not in after:
        return "missing", f"{target.path} was deleted."
    try:
        old, new = ast.parse(before[target.path]), ast.parse(after[target.path])
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        return "unusable", f"{target.path} cannot be parsed: {error}."
    olds, news = dict(iter_functions(old)), dict(iter_functions(new))
    if target.name not in news:
        return "missing", f"{target.name} was deleted."
    others = [name for name, node in olds.items() if name != target.name and _differs(node, news.get(name))]
    if others:
        return "unusable", f"{', '.join(others[:3])} was changed too; only {target.name} may change."
    if lost := _statements(old) - _statements(new):
        return "unusable", f"Code outside of functions was changed: {sorted(lost)[0][:80]}"
    what = _changed_interface(olds[target.name], news[target.name])
    return ("unusable", f"The {what} of {target.name} was changed.") if what else ("", "")


def _differs(node: Function, other: Function | None) -> bool:
    return other is None or ast.dump(node) != ast.dump(other)


def _statements(tree: ast.Module) -> set[str]:
    """Return the statements that a module and its classes run on import, as text, without imports and functions."""
    found: set[str] = set()
    bodies = [("", tree.body)]
    while bodies:
        owner, body = bodies.pop()
        for node in body:
            if isinstance(node, ast.ClassDef):
                bodies.append((f"{owner}{node.name}.", node.body))
                found.add(
                    f"class {owner}{node.name}({', '.join(map(ast.unparse, [*node.bases, *node.decorator_list]))})"
                )
            elif not isinstance(node, Function | ast.Import | ast.ImportFrom):
                found.add(owner + ast.unparse(node))
    return found


def _changed_interface(old: Function, new: Function) -> str:
    """Return the part of a function's interface that differs, or ""."""
    parts = zip(_interface(old), _interface(new), strict=True)
    return next((what for (what, before), (_, after) in parts if before != after), "")


def _interface(node: Function) -> list[tuple[str, str]]:
    return [
        ("kind", type(node).__name__),
        ("signature", ast.dump(node.args) + (ast.dump(node.returns) if node.returns else "")),
        ("docstring", ast.get_docstring(node, clean=False) or ""),
        ("decorators", "".join(map(ast.dump, node.decorator_list))),
    ]
