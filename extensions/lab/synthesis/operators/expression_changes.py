"""Simple operators that change an expression inside a statement: fix patterns in reverse."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from extensions.lab.synthesis.operators.function_code import Code, Edits, Operator

LOAD = ast.Load
COMPARISONS = {"<": ("<=", ">"), "<=": ("<", ">="), ">": (">=", "<"), ">=": (">", "<="), "==": ("!=",), "!=": ("==",)}
WRAPPERS = ("list", "len", "str", "abs", "sorted", "set", "tuple", "int")
SIGNS = {"+": ("-",), "-": ("+",), "*": ("+", "//"), "/": ("//", "*"), "//": ("/", "%"), "%": ("//",)}


def identifier(code: Code) -> Iterator[Edits]:
    for node in code.nodes_of(ast.Name):
        if isinstance(node, ast.Name) and isinstance(node.ctx, LOAD) and node.id in code.names:
            yield from (code.replace(node, name) for name in code.names if name != node.id)


def operand(code: Code) -> Iterator[Edits]:
    kinds = ast.Name | ast.Attribute | ast.Constant | ast.Subscript
    atoms = [code.text(node) for node in code.nodes if isinstance(node, kinds) and _is_read(node)]
    for node in code.nodes_of(ast.BinOp, ast.Compare):
        sides = [node.left, node.right] if isinstance(node, ast.BinOp) else [node.left, *node.comparators]  # type: ignore[attr-defined]
        for side in sides:
            yield from (code.replace(side, text) for text in dict.fromkeys(atoms) if text != code.text(side))


def argument_missing(code: Code) -> Iterator[Edits]:
    for node in code.nodes_of(ast.Call):
        assert isinstance(node, ast.Call)
        yield from _drop_part(code, [*node.args, *(one for one in node.keywords)], node)


def argument_more(code: Code) -> Iterator[Edits]:
    for node in code.nodes_of(ast.Call):
        assert isinstance(node, ast.Call)
        if node.args and not isinstance(node.args[-1], ast.Starred):
            end = code.source.span(node.args[-1])[1]
            yield from (((end, end, f", {name}"),) for name in [*code.names, "None", "0", "True"])


def arguments_swapped(code: Code) -> Iterator[Edits]:
    for node in code.nodes_of(ast.Call):
        assert isinstance(node, ast.Call)
        for one, other in zip(node.args, node.args[1:], strict=False):
            if code.text(one) != code.text(other) and not isinstance(one, ast.Starred):
                yield ((*code.source.span(one), code.text(other)), (*code.source.span(other), code.text(one)))


def function_name(code: Code) -> Iterator[Edits]:
    called = {node.func for node in ast.walk(code.source.tree) if isinstance(node, ast.Call)}
    names = dict.fromkeys(node.id for node in called if isinstance(node, ast.Name))
    methods = dict.fromkeys(node.attr for node in called if isinstance(node, ast.Attribute))
    for node in code.nodes_of(ast.Call):
        function = node.func  # type: ignore[attr-defined]
        if isinstance(function, ast.Name):
            yield from (code.replace(function, name) for name in sorted(names) if name != function.id)
        elif isinstance(function, ast.Attribute):
            yield from (_rename_attribute(code, function, name) for name in sorted(methods) if name != function.attr)


def call_missing(code: Code) -> Iterator[Edits]:
    for node in code.nodes_of(ast.Call):
        assert isinstance(node, ast.Call)
        if isinstance(node.func, ast.Name) and len(node.args) == 1 and not isinstance(node.args[0], ast.Starred):
            yield code.replace(node, code.text(node.args[0]))


def extreme_missing(code: Code) -> Iterator[Edits]:
    for node in code.nodes_of(ast.Call):
        if isinstance(node, ast.Call) and code.text(node.func) in ("min", "max") and len(node.args) > 1:
            yield from (code.replace(node, code.text(one)) for one in node.args if not isinstance(one, ast.Starred))


def call_more(code: Code) -> Iterator[Edits]:
    for node in code.nodes_of(ast.Name, ast.Attribute, ast.Subscript, ast.Call):
        parent = code.source.parents.get(node)
        if _is_read(node) and not (isinstance(parent, ast.Call) and parent.func is node):
            yield from (code.replace(node, f"{name}({code.text(node)})") for name in WRAPPERS)  # type: ignore[arg-type]


def term_missing(code: Code) -> Iterator[Edits]:
    for node in code.nodes_of(ast.BinOp):
        assert isinstance(node, ast.BinOp)
        yield from (code.replace(node, code.text(one)) for one in (node.left, node.right))


def step_missing(code: Code) -> Iterator[Edits]:
    for node in code.nodes_of(ast.BinOp):
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub) and _is_one(node.right):
            yield code.replace(node, code.text(node.left))


def step_more(code: Code) -> Iterator[Edits]:
    for node in code.nodes_of(ast.Subscript, ast.Slice, ast.Call, ast.Compare):
        for one in ast.iter_child_nodes(node):
            if isinstance(one, ast.Name) and one.id in code.names:
                yield from (code.replace(one, f"{one.id} {step}") for step in ("+ 1", "- 1"))


def method_missing(code: Code) -> Iterator[Edits]:
    for node in code.nodes_of(ast.Call):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and code.text(node.func.value) != "self":
            yield code.replace(node, code.text(node.func.value))


def caller(code: Code) -> Iterator[Edits]:
    for node in code.nodes_of(ast.Call):
        assert isinstance(node, ast.Call)
        if isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Name):
            value = node.func.value
            yield from (code.replace(value, name) for name in [*code.names, "self"] if name != value.id)


def attribute(code: Code) -> Iterator[Edits]:
    used = sorted({node.attr for node in ast.walk(code.source.tree) if isinstance(node, ast.Attribute)})
    for node in code.nodes_of(ast.Attribute):
        assert isinstance(node, ast.Attribute)
        yield from (_rename_attribute(code, node, name) for name in used if name != node.attr)


def attribute_missing(code: Code) -> Iterator[Edits]:
    for node in code.nodes_of(ast.Attribute):
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, LOAD) and code.text(node.value) != "self":
            parent = code.source.parents.get(node)
            if not (isinstance(parent, ast.Call) and parent.func is node):
                yield code.replace(node, code.text(node.value))


def number(code: Code) -> Iterator[Edits]:
    for node in code.nodes_of(ast.Constant):
        value = node.value  # type: ignore[attr-defined]
        if isinstance(value, int) and not isinstance(value, bool):
            others = {value + 1, value - 1, 0, 1, -value, 10 * value} - {value}
            yield from (code.replace(node, str(one)) for one in others)  # type: ignore[arg-type]


def text(code: Code) -> Iterator[Edits]:
    others = [node for node in ast.walk(code.source.tree) if isinstance(node, ast.Constant) and node.value]
    texts = dict.fromkeys(repr(one.value) for one in others if isinstance(one.value, str) and len(one.value) < 20)
    for node in code.nodes_of(ast.Constant):
        value = node.value  # type: ignore[attr-defined]
        if isinstance(value, str) and len(value) < 40:
            near = [
                repr(one) for one in (value[:-1], value[1:], value + " ", value.upper(), value.strip()) if one != value
            ]
            yield from (code.replace(node, one) for one in [*near, *texts] if one != repr(value))  # type: ignore[arg-type]


def truth(code: Code) -> Iterator[Edits]:
    for node in code.nodes_of(ast.Constant):
        if isinstance(node, ast.Constant) and isinstance(node.value, bool):
            yield code.replace(node, str(not node.value))


def constant_type(code: Code) -> Iterator[Edits]:
    for node in code.nodes_of(ast.Constant):
        assert isinstance(node, ast.Constant)
        if node.value is None:
            yield from (code.replace(node, text) for text in ("0", "''", "False", "[]"))
        elif isinstance(node.value, int | float):
            yield code.replace(node, "None")


def more_specific(code: Code) -> Iterator[Edits]:
    yield from _drop_operand(code, ast.And)


def less_specific(code: Code) -> Iterator[Edits]:
    yield from _drop_operand(code, ast.Or)


def element_missing(code: Code) -> Iterator[Edits]:
    for node in code.nodes_of(ast.List, ast.Tuple, ast.Set):
        if _is_read(node) and len(node.elts) > 1:  # type: ignore[attr-defined]
            yield from _drop_part(code, node.elts, node)  # type: ignore[attr-defined, arg-type]
    for node in code.nodes_of(ast.Dict):
        assert isinstance(node, ast.Dict)
        for at in range(len(node.values) - 1):
            key, after = node.keys[at], node.keys[at + 1]
            if key is not None and after is not None:
                yield ((code.source.span(key)[0], code.source.span(after)[0], ""),)


def sign(code: Code) -> Iterator[Edits]:
    for node in code.nodes_of(ast.BinOp, ast.Compare, ast.BoolOp):
        pairs: Sequence[tuple[ast.expr, ast.expr]] = []
        if isinstance(node, ast.BinOp):
            pairs = [(node.left, node.right)]
        elif isinstance(node, ast.BoolOp):
            pairs = list(zip(node.values, node.values[1:], strict=False))
        elif isinstance(node, ast.Compare):
            pairs = list(zip([node.left, *node.comparators], node.comparators, strict=False))
        for left, right in pairs:
            start, end = code.source.span(left)[1], code.source.span(right)[0]
            between = code.source.data[start:end].decode()
            found = between.strip()
            others = {**COMPARISONS, **SIGNS, "and": ("or",), "or": ("and",), "in": ("not in",), "is": ("is not",)}
            for new in others.get(found, ()):
                at = start + between.index(found)
                yield ((at, at + len(found), new),)
    for statement in code.statements:
        if isinstance(statement, ast.AugAssign):
            middle = code.source.span(statement.target)[1], code.source.span(statement.value)[0]
            yield ((*middle, " = "),)


def negation(code: Code) -> Iterator[Edits]:
    for node in code.nodes_of(ast.UnaryOp):
        assert isinstance(node, ast.UnaryOp)
        yield code.replace(node, code.text(node.operand))
    for statement in code.statements:
        if isinstance(statement, ast.If | ast.While) and isinstance(
            statement.test, ast.Name | ast.Attribute | ast.Call
        ):
            yield code.replace(statement.test, f"not {code.text(statement.test)}")


def keyword(code: Code) -> Iterator[Edits]:
    names = sorted({one.arg for one in ast.walk(code.source.tree) if isinstance(one, ast.keyword) and one.arg})
    for node in code.nodes_of(ast.keyword):
        assert isinstance(node, ast.keyword)
        if node.arg:
            start = code.source.span(node.value)[0] - len(node.arg.encode()) - 1
            if code.source.data[start : start + len(node.arg.encode())] == node.arg.encode():
                yield from (((start, start + len(node.arg.encode()), name),) for name in names if name != node.arg)


def bound(code: Code) -> Iterator[Edits]:
    for node in code.nodes_of(ast.Slice):
        assert isinstance(node, ast.Slice)
        for part in (node.lower, node.upper, node.step):
            if part is not None:
                yield ((*code.source.span(part), ""),)
                yield code.replace(part, f"{code.text(part)} + 1")
    for one in code.nodes_of(ast.Subscript):
        if isinstance(one, ast.Subscript) and _is_read(one):
            yield code.replace(one, code.text(one.value))


def _is_read(node: ast.AST) -> bool:
    return isinstance(getattr(node, "ctx", LOAD()), LOAD)


def _is_one(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value == 1


def _rename_attribute(code: Code, node: ast.Attribute, name: str) -> Edits:
    end = code.source.span(node)[1]
    return ((end - len(node.attr.encode()), end, name),)


def _drop_part(code: Code, parts: Sequence[ast.expr | ast.keyword], holder: ast.expr) -> Iterator[Edits]:
    """Yield edits that drop one of several parts separated by commas."""
    spans = [code.source.span(part) for part in parts]  # type: ignore[arg-type]
    for at, (start, end) in enumerate(spans):
        if at + 1 < len(spans):
            yield ((start, spans[at + 1][0], ""),)
        elif at:
            yield ((spans[at - 1][1], end, ""),)
        elif isinstance(holder, ast.Call):
            yield ((start, end, ""),)


def _drop_operand(code: Code, kind: type[ast.boolop]) -> Iterator[Edits]:
    for node in code.nodes_of(ast.BoolOp):
        if isinstance(node, ast.BoolOp) and isinstance(node.op, kind):
            for dropped in node.values:
                rest = [code.text(one) for one in node.values if one is not dropped]
                yield code.replace(node, f" {'and' if kind is ast.And else 'or'} ".join(rest))


PATTERNS: dict[Operator, float] = {
    identifier: 237, operand: 174, argument_missing: 150, function_name: 134, call_missing: 117, attribute: 104,
    number: 97, more_specific: 68, method_missing: 60, element_missing: 57, argument_more: 50, truth: 37,
    attribute_missing: 32, sign: 29, caller: 25, less_specific: 22, keyword: 20, negation: 15, arguments_swapped: 8,
    constant_type: 6,
}  # fmt: skip
"""Thousands of fixes in TSSB-3M of the pattern that each operator reverses."""
OTHERS: dict[Operator, float] = {
    text: 6.0, bound: 6.0, term_missing: 9.0, step_missing: 9.0, step_more: 5.0, call_more: 5.0, extreme_missing: 5.0,
}  # fmt: skip
"""Shares of patterns that TSSB-3M does not count separately; the Defects4J dissection counts expanded and reduced
expressions."""
