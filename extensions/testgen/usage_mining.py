"""Mining of a repository for how a module is used: its functions, constants, docstring examples and tests."""

from __future__ import annotations

import ast
import doctest
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from aci.runtime.target_function import Function, iter_functions
from extensions.testgen.answer_schema import has_huge
from extensions.testgen.module_exerciser import Case

MOST_CONSTANTS, MOST_SEEDS, LONGEST = 80, 250, 300
LONGEST_SETUP = 12


@dataclass(frozen=True, slots=True)
class Subject:
    """A function under test: its dotted name, the lines of its statements, and its first and last line.

    `branches` holds (lines of the header, first line of the body) for each of its conditions and loops. `returns` tells
    whether it returns or yields a value anywhere. `doc` is its docstring.
    """

    name: str
    lines: frozenset[int]
    first: int
    last: int
    branches: tuple[tuple[frozenset[int], int], ...]
    returns: bool
    doc: str


def find_subjects(data: bytes, names: Sequence[str] = ()) -> list[Subject]:
    """Return the functions of a file that are selected by their dotted names or those of their classes; all if no names
    are given.

    Raises SyntaxError or ValueError for a file that cannot be parsed.
    """
    found = []
    for name, node in iter_functions(ast.parse(data)):
        if not names or any(name == one or name.startswith(f"{one}.") for one in names):
            found.append(_subject(name, node))
    return found


def _subject(name: str, node: Function) -> Subject:
    body = node.body[1:] if ast.get_docstring(node, clean=False) is not None else node.body
    statements = [one for top in body for one in ast.walk(top) if isinstance(one, ast.stmt)]
    branches = [
        (frozenset(range(one.lineno, one.body[0].lineno)), one.body[0].lineno)
        for one in statements
        if isinstance(one, ast.If | ast.While | ast.For | ast.AsyncFor) and one.body[0].lineno > one.lineno
    ]
    silent = ast.Global | ast.Nonlocal
    lines = frozenset(one.lineno for one in statements if not isinstance(one, silent) and not _is_text(one))
    returns = any(isinstance(one, ast.Return) and one.value is not None for one in statements)
    yields = any(isinstance(one, ast.Yield | ast.YieldFrom) for top in body for one in ast.walk(top))
    doc = ast.get_docstring(node) or ""
    return Subject(name, lines, node.lineno, node.end_lineno or 0, tuple(branches), returns or yields, doc)


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def taken_branches(subject: Subject, arcs: Iterable[tuple[int, int]]) -> set[tuple[int, bool]]:
    """Return the branches that these arcs take, as (first line of the header, whether the body is entered)."""
    found = set()
    for header, body in subject.branches:
        for before, after in arcs:
            if before in header and after not in header:
                found.add((min(header), after == body))
    return found


def code_constants(data: bytes) -> list[str]:
    """Return the number and string literals in a file, without docstrings, as source code."""
    tree = ast.parse(data)
    docs = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    found: dict[str, None] = {}
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Constant)
            and id(node) not in docs
            and isinstance(node.value, int | float | str | bytes)
        ):
            if has_huge(node):
                continue
            text = repr(node.value)
            if len(text) <= 40 and not isinstance(node.value, bool):
                found[text] = None
    return list(found)[:MOST_CONSTANTS]


def assigned_attributes(data: bytes) -> list[str]:
    """Return dotted names of public attributes that `__init__` sets to something other than a literal.

    Some of them may be functions.
    """
    found: dict[str, None] = {}
    for name, node in iter_functions(ast.parse(data)):
        owner, _, method = name.rpartition(".")
        if owner and method == "__init__":
            for one in ast.walk(node):
                if isinstance(one, ast.Assign) and isinstance(
                    one.value, ast.Attribute | ast.Call | ast.Lambda | ast.Name
                ):
                    for target in one.targets:
                        if isinstance(target, ast.Attribute) and not target.attr.startswith("_"):
                            found[f"{owner}.{target.attr}"] = None
    return list(found)


def docstring_cases(data: bytes, known: Iterable[str]) -> list[Case]:
    """Return the docstring examples (`>>> …`) that use only names that a test can import, each with the examples before
    it."""
    names, found = set(known), []
    for owner, text in _docs(ast.parse(data)):
        lines: list[str] = []
        try:
            parts = doctest.DocTestParser().get_examples(text)
        except ValueError:
            continue
        for part in parts:
            source = part.source.strip()
            if source.startswith(("import ", "from ")) or len(source) > LONGEST:
                continue
            try:
                # Removes comments, because an assertion may be appended to the line.
                source = ast.unparse(ast.parse(source))
            except (SyntaxError, ValueError):
                continue
            case = _case_of(source, lines, owner)
            if case is not None and not free_names(case) - names:
                found.append(case)
            lines.append(source)
    return found[:MOST_SEEDS]


def _docs(tree: ast.Module) -> Iterator[tuple[str, str]]:
    holders: list[tuple[str, ast.AST]] = [("", tree), *iter_functions(tree)]
    holders += [(node.name, node) for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    for name, node in holders:
        if isinstance(node, ast.Module | ast.ClassDef | Function) and (text := ast.get_docstring(node)):
            yield name, text


def cases_from_tests(files: Mapping[str, bytes], known: Iterable[str], owners: Sequence[str]) -> list[Case]:
    """Return calls of a module's functions in tests, with the earlier statements of the same test that they need.

    Names that tests bind elsewhere (fixtures, loops, helpers) are not resolved.
    """
    names, found = set(known), {}
    for data in files.values():
        try:
            tree = ast.parse(data)
        except (SyntaxError, ValueError, RecursionError):
            continue
        for node in ast.walk(tree):
            if isinstance(node, Function) and not has_huge(node):
                for case in _test_cases(node, names, owners):
                    found[case.lines, case.call] = case
    return list(found.values())[:MOST_SEEDS]


def _test_cases(test: Function, names: set[str], owners: Sequence[str]) -> Iterator[Case]:
    bound: dict[str, str] = {}
    for statement in test.body:
        if isinstance(statement, ast.With | ast.If | ast.For | ast.While | ast.Try | Function | ast.ClassDef):
            parts: Iterable[ast.AST] = ast.walk(statement)
        else:
            parts = ast.walk(statement)
        for node in parts:
            if isinstance(node, ast.Call) and _called(node) in owners:
                case = _with_assignments(ast.unparse(node), bound, names, _called(node))
                if case is not None:
                    yield case
        if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
            target = statement.targets[0]
            if isinstance(target, ast.Name):
                bound[target.id] = ast.unparse(statement)


def _called(node: ast.Call) -> str:
    """Return the last part of the callee's name."""
    if isinstance(node.func, ast.Attribute):
        return node.func.attr
    return node.func.id if isinstance(node.func, ast.Name) else ""


def _with_assignments(call: str, bound: Mapping[str, str], names: set[str], owner: str) -> Case | None:
    """Return the call with the assignments that it needs; None if it needs a name that cannot be resolved."""
    lines: list[str] = []
    wanted = [call]
    for _ in range(LONGEST_SETUP):
        missing = free_names(Case(tuple(lines), call, (), owner)) - names
        if not missing:
            return Case(tuple(lines), call, tuple(_targets(lines)), owner) if len("".join(wanted)) < LONGEST else None
        name = min(missing)
        if name not in bound or bound[name] in lines:
            return None
        lines.insert(0, bound[name])
        wanted.append(bound[name])
    return None


def _targets(lines: Iterable[str]) -> Iterator[str]:
    for line in lines:
        name, mark, _ = line.partition(" = ")
        if mark and name.isidentifier():
            yield name


def _case_of(source: str, lines: Sequence[str], owner: str) -> Case | None:
    """Return an example as a case that starts with these lines; None if the example is not an expression."""
    try:
        (node,) = ast.parse(source).body
    except (SyntaxError, ValueError):
        return None
    if not isinstance(node, ast.Expr) or len(lines) > LONGEST_SETUP:
        return None
    kept = [line for line in lines if line != source]
    watch = tuple(name for name in _targets(kept) if any(_uses(text, name) for text in (source, *kept[1:])))
    return Case(tuple(kept), source, watch[:2], owner)


def _uses(text: str, name: str) -> bool:
    return name in text


def free_names(case: Case) -> set[str]:
    """Return the names that a case uses but does not bind."""
    bound: set[str] = set()
    used: set[str] = set()
    for text in (*case.lines, case.call):
        try:
            tree = ast.parse(text)
        except (SyntaxError, ValueError, RecursionError):
            return {""}
        for node in ast.walk(tree):
            if isinstance(node, ast.Name):
                (bound if isinstance(node.ctx, ast.Store) else used).add(node.id)
            elif isinstance(node, ast.arg):
                bound.add(node.arg)
            elif isinstance(node, Function | ast.ClassDef):
                bound.add(node.name)
            elif isinstance(node, ast.alias):
                bound.add((node.asname or node.name).split(".")[0])
    return used - bound
