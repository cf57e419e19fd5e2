"""What the repository itself says of how a module is called: its functions' lines, constants, examples, and tests."""

from __future__ import annotations

import ast
import doctest
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from aci.generating.exercise import Case
from aci.generating.shapes import has_huge
from aci.target import Function, functions

MOST_CONSTANTS, MOST_SEEDS, LONGEST = 80, 250, 300
LONGEST_SETUP = 12


@dataclass(frozen=True, slots=True)
class Subject:
    """A function under test: its dotted name, the lines of its statements, and the first and last line of it.

    `branches` are (lines of the header, first line of the body) of its conditions and loops. `returns`: it gives a
    value somewhere. `doc` is its docstring.
    """

    name: str
    lines: frozenset[int]
    first: int
    last: int
    branches: tuple[tuple[frozenset[int], int], ...]
    returns: bool
    doc: str


def subjects(data: bytes, names: Sequence[str] = ()) -> list[Subject]:
    """The functions of a file that have these dotted names, or lie in classes of these names; all if there are none.

    Raises SyntaxError, ValueError.
    """
    found = []
    for name, node in functions(ast.parse(data)):
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
    gives = any(isinstance(one, ast.Yield | ast.YieldFrom) for top in body for one in ast.walk(top))
    doc = ast.get_docstring(node) or ""
    return Subject(name, lines, node.lineno, node.end_lineno or 0, tuple(branches), returns or gives, doc)


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def taken(subject: Subject, arcs: Iterable[tuple[int, int]]) -> set[tuple[int, bool]]:
    """Which ways of its branches these steps take: (first line of the header, whether into the body)."""
    found = set()
    for header, body in subject.branches:
        for before, after in arcs:
            if before in header and after not in header:
                found.add((min(header), after == body))
    return found


def constants(data: bytes) -> list[str]:
    """Texts of the numbers and strings of a file's code, docstrings left out."""
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


def attributes(data: bytes) -> list[str]:
    """Dotted names of public attributes that objects of a file's classes get from what is no literal: some are
    functions."""
    found: dict[str, None] = {}
    for name, node in functions(ast.parse(data)):
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


def examples(data: bytes, known: Iterable[str]) -> list[Case]:
    """The examples of docstrings (`>>> …`), each with those before it, as far as they stand on what a test can name."""
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
                source = ast.unparse(ast.parse(source))  # without its comment, behind which no assertion could stand
            except (SyntaxError, ValueError):
                continue
            case = _case_of(source, lines, owner)
            if case is not None and not free(case) - names:
                found.append(case)
            lines.append(source)
    return found[:MOST_SEEDS]


def _docs(tree: ast.Module) -> Iterator[tuple[str, str]]:
    holders: list[tuple[str, ast.AST]] = [("", tree), *functions(tree)]
    holders += [(node.name, node) for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    for name, node in holders:
        if isinstance(node, ast.Module | ast.ClassDef | Function) and (text := ast.get_docstring(node)):
            yield name, text


def from_tests(files: Mapping[str, bytes], known: Iterable[str], owners: Sequence[str]) -> list[Case]:
    """Calls of what a module offers in tests, with the statements before them in the same test that they stand on.

    Names that tests bind elsewhere (fixtures, loops, helpers) are not followed.
    """
    names, found = set(known), {}
    for data in files.values():
        try:
            tree = ast.parse(data)
        except (SyntaxError, ValueError, RecursionError):
            continue
        for node in ast.walk(tree):
            if isinstance(node, Function) and not has_huge(node):
                for case in _of_test(node, names, owners):
                    found[case.lines, case.call] = case
    return list(found.values())[:MOST_SEEDS]


def _of_test(test: Function, names: set[str], owners: Sequence[str]) -> Iterator[Case]:
    bound: dict[str, str] = {}
    for statement in test.body:
        if isinstance(statement, ast.With | ast.If | ast.For | ast.While | ast.Try | Function | ast.ClassDef):
            parts: Iterable[ast.AST] = ast.walk(statement)
        else:
            parts = ast.walk(statement)
        for node in parts:
            if isinstance(node, ast.Call) and _called(node) in owners:
                case = _stands_on(ast.unparse(node), bound, names, _called(node))
                if case is not None:
                    yield case
        if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
            target = statement.targets[0]
            if isinstance(target, ast.Name):
                bound[target.id] = ast.unparse(statement)


def _called(node: ast.Call) -> str:
    """The last name of what is called."""
    if isinstance(node.func, ast.Attribute):
        return node.func.attr
    return node.func.id if isinstance(node.func, ast.Name) else ""


def _stands_on(call: str, bound: Mapping[str, str], names: set[str], owner: str) -> Case | None:
    """The call with the assignments that it needs; None where it needs what nobody can name."""
    lines: list[str] = []
    wanted = [call]
    for _ in range(LONGEST_SETUP):
        missing = free(Case(tuple(lines), call, (), owner)) - names
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
    """An example's last part as a case: an expression, or an assignment whose value is one."""
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


def free(case: Case) -> set[str]:
    """The names that a case uses and does not bind."""
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
