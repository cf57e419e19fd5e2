"""Whether a patch answers its test's own values, and nothing else: solved for the example, not for the issue."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Sequence

from aci.literals import Facts, Function, cases_of, constants, specials_of
from aci.source import parse

EDGES: Facts = frozenset({(int, 0), (int, 1), (float, 0.0), (float, 1.0)})
CODE = re.compile(r"```.*?```|`[^`\n]*`|^(?: {4}|\t|>>>)[^\n]*|[\w.]+\([^)\n]*\)", re.DOTALL | re.MULTILINE)


def only_the_example(before: str, after: str, tests: Iterable[str], issue: str = "") -> tuple[int, bool]:
    """The line of `after` whose new condition answers values of the tests with what they expect, where no assertion
    shows the function with values that no such condition answers; (0, False) if there is none.

    The second says whether it is sure. It is not where the function is new or gave constants before (so this may be
    one more of a table), where the one value is 0 or 1 (an edge), or where the `issue` names the values in words. It
    catches literal forms only (`if x == 5: return 7`, `7 if x == 5 else …`, `{5: 7}.get(x)`), none that computes.
    """
    old, new = parse(before), parse(after)
    cases = [case for test in tests if (tree := parse(test)) for case in cases_of(tree)]
    if old is None or new is None or not cases:
        return 0, False
    known, found = dict(_functions(old, before.split("\n"))), []
    for name, (text, function) in _functions(new, after.split("\n")):
        was = known.get(name)
        shown = [case for case in cases if ("name", function.name) in case] or cases
        if was and was[0] == text:
            continue
        earlier = {(values, answer) for values, answer, _ in specials_of(was[1])} if was else set()
        specials = [one for one in specials_of(function) if one[:2] not in earlier]
        if all(any(values <= case for values, _, _ in specials) for case in shown):
            doubtful = was is None or _gives_constants(was[1])
            for values, answer, line in specials:
                if any(values | answer <= case for case in shown):
                    found.append((doubtful or values <= EDGES or _in_words(issue, values | answer), line))
    doubt, line = min(found, default=(True, 0))
    return line, not doubt


def _functions(node: ast.AST, lines: Sequence[str], prefix: str = "") -> Iterator[tuple[str, tuple[str, Function]]]:
    """Each function by its dotted name, with its text."""
    for child in ast.iter_child_nodes(node):
        name = f"{prefix}.{child.name}" if isinstance(child, Function | ast.ClassDef) else prefix
        if isinstance(child, Function):
            yield name, ("\n".join(lines[child.lineno - 1 : child.end_lineno]), child)
        if isinstance(child, ast.stmt):
            yield from _functions(child, lines, name)


def _gives_constants(function: Function) -> bool:
    """Whether a function answers with constants, or looks its argument up."""
    parameters = {part.arg for part in ast.walk(function) if isinstance(part, ast.arg)}
    for node in ast.walk(function):
        match node:
            case ast.Return(ast.expr() as value) | ast.IfExp(body=value):
                if not constants(value) <= EDGES:
                    return True
            case ast.Subscript(slice=ast.Name(name)) | ast.Call(ast.Attribute(attr="get"), [ast.Name(name), *_]):
                if name in parameters:
                    return True
    return False


def _in_words(issue: str, values: Facts) -> bool:
    """Whether the issue names them outside of its code."""
    words = CODE.sub(" ", issue)
    return all(re.search(rf"(?<![\w.]){re.escape(str(value))}(?!\w)", words) for _, value in values)
