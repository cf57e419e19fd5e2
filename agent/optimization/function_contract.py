"""What a faster function may not change besides its body: its face, and everything around it."""

from __future__ import annotations

import ast
from collections.abc import Mapping

from aci.patch import is_test
from aci.target import Function, Target, functions


def breach(before: Mapping[str, bytes], after: Mapping[str, bytes], target: Target) -> tuple[str, str]:
    """("unusable" or "missing", why) where a change is no candidate for the target; ("", "") if it is one.

    The changed files by path, before and after. New functions and imports may come beside the target; tests do not
    count. Nothing else may change, so that what is measured is what the patch does.
    """
    changed = sorted(path for path in {*before, *after} if not is_test(path))
    if not changed:
        return "unusable", "No source file was changed."
    if strange := [path for path in changed if path != target.path]:
        return "unusable", f"{', '.join(strange[:3])} was changed too; only {target.path} may be."
    if target.path not in after:
        return "missing", f"{target.path} is gone."
    try:
        old, new = ast.parse(before[target.path]), ast.parse(after[target.path])
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        return "unusable", f"{target.path} cannot be parsed: {error}."
    olds, news = dict(functions(old)), dict(functions(new))
    if target.name not in news:
        return "missing", f"There is no {target.name} any more."
    others = [name for name, node in olds.items() if name != target.name and _differs(node, news.get(name))]
    if others:
        return "unusable", f"{', '.join(others[:3])} was changed too; only {target.name} may be."
    if lost := _statements(old) - _statements(new):
        return "unusable", f"Outside of functions this was changed: {sorted(lost)[0][:80]}"
    what = _face_changed(olds[target.name], news[target.name])
    return ("unusable", f"The {what} of {target.name} was changed.") if what else ("", "")


def _differs(node: Function, other: Function | None) -> bool:
    return other is None or ast.dump(node) != ast.dump(other)


def _statements(tree: ast.Module) -> set[str]:
    """What a module and its classes do when they are imported, but for imports and functions, as text."""
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


def _face_changed(old: Function, new: Function) -> str:
    """The part of what others see of a function that differs; empty if none does."""
    faces = zip(_face(old), _face(new), strict=True)
    return next((what for (what, before), (_, after) in faces if before != after), "")


def _face(node: Function) -> list[tuple[str, str]]:
    return [
        ("kind", type(node).__name__),
        ("signature", ast.dump(node.args) + (ast.dump(node.returns) if node.returns else "")),
        ("docstring", ast.get_docstring(node, clean=False) or ""),
        ("decorators", "".join(map(ast.dump, node.decorator_list))),
    ]
