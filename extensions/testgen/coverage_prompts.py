"""Prompts about a function that tests do not cover, and parsing of the tests in the model's reply.

The slice of statements on which an uncovered line depends follows HITS (Wang et al., ASE 2024); generating, validating
and repairing tests follows ChatUniTest (Chen et al., FSE 2024).
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Collection, Sequence

from aci.runtime.target_function import Function, iter_functions
from extensions.testgen.answer_schema import has_huge
from extensions.testgen.module_exerciser import Case
from extensions.testgen.permitted_code import forbidden_name
from extensions.testgen.usage_mining import Subject, free_names

FENCED = re.compile(r"```(?:python|py)?[ \t]*\n(.*?)(?:```|\Z)", re.DOTALL)
MOST_TESTS, LONGEST, MOST_LINES = 12, 4000, 120
KNOWN_ELSEWHERE = {"self", "pytest"}


def read_tests(
    reply: str, about: str, known: Collection[str], own: Collection[str] = ()
) -> tuple[list[tuple[str, Case]], list[str]]:
    """Return (name, case) of each valid test function in a reply, and a sentence about each invalid one.

    A test must be self-contained: it uses only builtins, `known` names and names that it defines itself. `own` are the
    top-level names of the repository's packages.
    """
    found: list[tuple[str, Case]] = []
    wrong: list[str] = []
    for text in FENCED.findall(reply) or [reply]:
        try:
            tree = ast.parse(text)
        except (SyntaxError, ValueError, RecursionError) as error:
            wrong.append(f"The code cannot be parsed: {error}.")
            continue
        for node in ast.walk(tree):
            if isinstance(node, Function) and node.name.startswith("test") and len(found) < MOST_TESTS:
                case, why = _case(node, about, known, own)
                if case is None:
                    wrong.append(f"{node.name}: {why}")
                else:
                    found.append((node.name, case))
    return found, wrong


def _case(node: Function, about: str, known: Collection[str], own: Collection[str]) -> tuple[Case | None, str]:
    body = node.body[1:] if ast.get_docstring(node, clean=False) is not None else node.body
    if has_huge(node):
        return None, "it contains a number that is too long."
    case = Case(tuple(map(ast.unparse, body)), "", (), about)
    if isinstance(node, ast.AsyncFunctionDef) or node.decorator_list or _arguments(node) - {"self"}:
        return None, "it must be a plain function without parameters and decorators."
    if sum(map(len, case.lines)) > LONGEST:
        return None, "it is too long."
    if not any(_asserts(one) for top in body for one in ast.walk(top)):
        return None, "it asserts nothing."
    if wrong := forbidden_name(body, own):
        return None, f"it may not use {wrong}."
    try:  # statements that are valid in a module may be invalid in a function
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(ast.unparse(node), "<answer>", "exec")
    except (SyntaxError, ValueError, RecursionError) as error:
        return None, f"it cannot be compiled: {error}."
    if missing := free_names(case) - {*known, *KNOWN_ELSEWHERE}:
        return None, f"it uses {', '.join(sorted(missing)[:5])}, which the module does not have: import it inside."
    return case, ""


def _arguments(node: Function) -> set[str]:
    return {one.arg for one in ast.walk(node.args) if isinstance(one, ast.arg)}


def _asserts(node: ast.AST) -> bool:
    """Return whether a node is an assertion that can fail."""
    if isinstance(node, ast.Assert):
        return not isinstance(node.test, ast.Constant | ast.Tuple)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        return node.func.attr == "raises" or node.func.attr.startswith("assert")
    return False


def slice_of_function(data: bytes, subject: Subject, wanted: Collection[int]) -> str:
    """Return the lines of a function on which the wanted lines depend, numbered; wanted lines are marked with `>`.

    These are the function's header, the conditions and loops that enclose the wanted lines, `return` and `raise`
    statements before them, and assignments to names that any of these lines use. A short function is shown completely.
    """
    node = next(each for name, each in iter_functions(ast.parse(data)) if name == subject.name)
    every = range(node.lineno, (node.end_lineno or node.lineno) + 1)
    shown = set(every) if len(every) <= MOST_LINES or not wanted else _slice(node, set(wanted))
    lines = data.decode("utf-8", "replace").split("\n")
    text: list[str] = []
    last = node.lineno - 1
    for number in sorted(shown & set(every)):
        if number > last + 1:
            text.append("      …")
        text.append(f"{'>' if number in wanted else ' '} {number:4} {lines[number - 1].rstrip()}")
        last = number
    return "\n".join(text)


def _slice(node: Function, wanted: set[int]) -> set[int]:
    kept = {*wanted, *range(node.lineno, node.body[0].lineno + 1)}
    statements = [one for one in ast.walk(node) if isinstance(one, ast.stmt) and one is not node]
    before = len(kept) - 1
    while before < len(kept):
        before = len(kept)
        names = {each.id for one in statements if one.lineno in kept for each in _own_names(one, ast.Load)}
        for one in statements:
            holds = any(one.lineno < line <= (one.end_lineno or 0) for line in wanted)
            gives = any(each.id in names for each in _own_names(one, ast.Store))
            leaves = isinstance(one, ast.Return | ast.Raise) and one.lineno < max(wanted)
            if holds or gives or leaves:
                kept.add(one.lineno)
    return kept


def _own_names(statement: ast.stmt, context: type[ast.expr_context]) -> list[ast.Name]:
    """Return the names in a statement; for a compound statement only those in its header."""
    parts: Sequence[ast.AST] = [statement]
    if hasattr(statement, "body"):
        parts = [child for child in ast.iter_child_nodes(statement) if isinstance(child, ast.expr | ast.withitem)]
    found = (each for part in parts for each in ast.walk(part))
    return [one for one in found if isinstance(one, ast.Name) and isinstance(one.ctx, context)]


def callees(data: bytes, subject: Subject) -> list[str]:
    """Return the signatures of the functions in the same file that a function calls, and of its class's constructor."""
    every = list(iter_functions(ast.parse(data)))
    node = next(each for name, each in every if name == subject.name)
    called = {
        one.func.id if isinstance(one.func, ast.Name) else one.func.attr
        for one in ast.walk(node)
        if isinstance(one, ast.Call) and isinstance(one.func, ast.Name | ast.Attribute)
    }
    owner = subject.name.rpartition(".")[0]
    return [
        f"{name}({'…' if has_huge(each.args) else ast.unparse(each.args)})"
        for name, each in every
        if name != subject.name and (each.name in called or (owner and name == f"{owner}.__init__"))
    ][:12]
