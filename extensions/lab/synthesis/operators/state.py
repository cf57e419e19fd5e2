"""Operators at state that several places share: updates that are lost at two places, and values that are kept too
long."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from extensions.lab.synthesis.operators.function_code import Code, Edits
from extensions.lab.synthesis.operators.statement_changes import remove_statement

LOOPS = ast.For | ast.While
MUTATORS = (
    *("append", "add", "extend", "insert", "remove", "discard", "pop", "clear", "update", "setdefault"),
    *("popitem", "appendleft", "sort", "reverse", "cache_clear"),
)


def lost_update_at_two_places(code: Code) -> Iterator[Edits]:
    """Omit an update of an attribute in two methods of a class, or two updates in one function."""
    own = _updates(code)
    for one, name in own:
        for other, same in own:
            if same == name and other.lineno > one.lineno:
                yield from _without(code, code, one, other)
    for sibling in code.siblings if code.owner else ():
        if sibling.name == "__init__" or code.node.name == "__init__" or sibling.lineno < code.node.lineno:
            continue
        other_code = Code(code.source, sibling)
        for one, name in own:
            for other, same in _updates(other_code):
                if same == name and name.startswith("self."):
                    yield from _without(code, other_code, one, other)


def stale_cache(code: Code) -> Iterator[Edits]:
    """Keep a value that is computed once: a result in the object, or a value of a loop; or do not drop a kept value."""
    yield from _kept_results(code)
    yield from _values_before_loops(code)
    for statement in code.statements:
        if code.node.name != "__init__" and _drops_value(statement):
            yield from remove_statement(code, statement)


def _without(code: Code, other_code: Code, one: ast.stmt, other: ast.stmt) -> Iterator[Edits]:
    for first in remove_statement(code, one):
        for second in remove_statement(other_code, other):
            if first[0][1] <= second[0][0] or second[0][1] <= first[0][0]:
                yield (*first, *second)


def _updates(code: Code) -> list[tuple[ast.stmt, str]]:
    """Return the statements that update an attribute of `self` or a variable that exists before, with its name."""
    found, known = [], set(code.names)
    for statement in code.statements:
        name = _updated(statement)
        if name.startswith("self.") or (name in known and isinstance(statement, ast.AugAssign)):
            found.append((statement, name))
    return found


def _updated(statement: ast.stmt) -> str:
    """Return the name of what a statement updates, such as `self.size`; "" if it is no update."""
    target: ast.expr | None = None
    if isinstance(statement, ast.AugAssign):
        target = statement.target
    elif isinstance(statement, ast.Assign | ast.Delete) and len(statement.targets) == 1:
        target = statement.targets[0]
    elif isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
        called = statement.value.func
        target = called.value if isinstance(called, ast.Attribute) and called.attr in MUTATORS else None
    while isinstance(target, ast.Subscript):
        target = target.value
    return ast.unparse(target) if isinstance(target, ast.Name | ast.Attribute) else ""


def _kept_results(code: Code) -> Iterator[Edits]:
    arguments = code.node.args
    if code.owner is None or (code.node.decorator_list and not _is_property(code.node)):
        return
    if [one.arg for one in arguments.args] != ["self"] or arguments.vararg or arguments.kwarg or arguments.kwonlyargs:
        return
    if code.node.name.startswith("__") or isinstance(code.node, ast.AsyncFunctionDef) or _has_slots(code.owner):
        return
    last = code.statements[-1] if code.statements else None
    if any(isinstance(node, ast.Yield | ast.YieldFrom) for node in ast.walk(code.node)):
        return
    if not isinstance(last, ast.Return) or last.value is None or last is not code.node.body[-1]:
        return
    if isinstance(last.value, ast.Name | ast.Constant) or not (rows := code.lines(last)):
        return
    margin, kept = " " * last.col_offset, f"self._kept_{code.node.name.strip('_')}"
    text = (
        f'{margin}if not hasattr(self, "{kept.removeprefix("self.")}"):\n'
        f"{margin}    {kept} = {code.text(last.value)}\n{margin}return {kept}\n"
    )
    yield ((*rows, text),)


def _values_before_loops(code: Code) -> Iterator[Edits]:
    """Move an assignment at the start of a loop's body before the loop."""
    for loop in code.statements:
        rows = code.lines(loop.body[0]) if isinstance(loop, LOOPS) and len(loop.body) > 1 else None
        head = code.source.line_start(code.source.span(loop)[0])
        if rows is None or not isinstance(loop, LOOPS):
            continue
        first = loop.body[0]
        if not isinstance(first, ast.Assign) or isinstance(first.value, ast.Constant):
            continue
        if _read(first.value) & _bound(loop.target if isinstance(loop, ast.For) else ast.Pass()):
            continue
        text = code.text(first)
        if "\n" not in text:
            yield ((head, head, f"{' ' * loop.col_offset}{text}\n"), (*rows, ""))


def _drops_value(statement: ast.stmt) -> bool:
    if isinstance(statement, ast.Assign) and ast.unparse(statement.value) == "None":
        return ast.unparse(statement.targets[0]).startswith("self.")
    updated = _updated(statement)
    is_call = isinstance(statement, ast.Expr) and ast.unparse(statement).endswith((".clear()", ".cache_clear()"))
    return is_call or (isinstance(statement, ast.Delete) and updated.startswith("self."))


def _is_property(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    return [ast.unparse(one) for one in function.decorator_list] == ["property"]


def _has_slots(owner: ast.ClassDef) -> bool:
    names = (ast.unparse(target) for one in owner.body if isinstance(one, ast.Assign) for target in one.targets)
    return "__slots__" in names or bool(owner.decorator_list)


def _read(node: ast.AST) -> set[str]:
    return {one.id for one in ast.walk(node) if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Load)}


def _bound(node: ast.AST) -> set[str]:
    return {one.id for one in ast.walk(node) if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store)}
