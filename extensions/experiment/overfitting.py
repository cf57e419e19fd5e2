"""Detection of patches that handle only the values of their own tests, instead of solving the issue."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Sequence

from aci.proof.evidence import is_in_prose
from aci.repository.python_source import parse
from extensions.experiment.python_literals import Facts, Function, assertion_facts, constants_of, special_cases_of

EDGES: Facts = frozenset({(int, 0), (int, 1), (float, 0.0), (float, 1.0)})


def find_overfitting(before: str, after: str, tests: Iterable[str], issue: str = "") -> tuple[int, bool]:
    """Return the line of `after` whose new condition maps the tests' values to the expected results, and whether the
    finding is certain.

    A line counts only if every assertion on its function uses values that such a condition handles. If there is no such
    line, the result is (0, False). The finding is not certain if the function is new or returned constants before (this
    may be one more entry of a table), if the only value is 0 or 1 (an edge case), or if there is only one value and the
    `issue` names it in its prose. Only literal forms are found (`if x == 5: return 7`, `7 if x == 5 else …`,
    `{5: 7}.get(x)`), not computed ones.
    """
    old, new = parse(before), parse(after)
    cases = [case for test in tests if (tree := parse(test)) for case in assertion_facts(tree)]
    if old is None or new is None or not cases:
        return 0, False
    known, found = dict(_functions(old, before.split("\n"))), []
    for name, (text, function) in _functions(new, after.split("\n")):
        previous = known.get(name)
        shown = [case for case in cases if ("name", function.name) in case] or cases
        if previous and previous[0] == text:
            continue
        earlier = {(values, answer) for values, answer, _ in special_cases_of(previous[1])} if previous else set()
        specials = [one for one in special_cases_of(function) if one[:2] not in earlier]
        if all(any(values <= case for values, _, _ in specials) for case in shown):
            doubtful = previous is None or _returns_constants(previous[1])
            for values, answer, line in specials:
                if any(values | answer <= case for case in shown):
                    found.append(
                        (doubtful or values <= EDGES or (len(values) == 1 and _in_prose(issue, values | answer)), line)
                    )
    doubt, line = min(found, default=(True, 0))
    return line, not doubt


def _functions(node: ast.AST, lines: Sequence[str], prefix: str = "") -> Iterator[tuple[str, tuple[str, Function]]]:
    """Yield the dotted name of each function, with its source text and its node."""
    for child in ast.iter_child_nodes(node):
        name = f"{prefix}.{child.name}" if isinstance(child, Function | ast.ClassDef) else prefix
        if isinstance(child, Function):
            yield name, ("\n".join(lines[child.lineno - 1 : child.end_lineno]), child)
        if isinstance(child, ast.stmt):
            yield from _functions(child, lines, name)


def _returns_constants(function: Function) -> bool:
    """Whether a function returns constants, or looks its argument up in a table."""
    parameters = {part.arg for part in ast.walk(function) if isinstance(part, ast.arg)}
    for node in ast.walk(function):
        match node:
            case ast.Return(ast.expr() as value) | ast.IfExp(body=value):
                if not constants_of(value) <= EDGES:
                    return True
            case ast.Subscript(slice=ast.Name(name)) | ast.Call(ast.Attribute(attr="get"), [ast.Name(name), *_]):
                if name in parameters:
                    return True
    return False


def _in_prose(issue: str, values: Facts) -> bool:
    """Whether the issue names the values outside its code."""
    return all(is_in_prose(issue, str(value)) for _, value in values)
