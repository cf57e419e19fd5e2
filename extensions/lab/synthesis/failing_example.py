"""The example in a failing test: the statements that lead to the failure, as a user of the package would write them."""

from __future__ import annotations

import ast
import builtins
import re
from collections.abc import Collection, Iterable, Sequence
from copy import deepcopy
from dataclasses import dataclass

from aci.repository.test_files import belongs_to_tests
from aci.testing.suite_results import TestResult
from extensions.experiment.source.source_file import Definition
from extensions.experiment.source.syntax_trees import UNREADABLE, parse_module
from extensions.lab.synthesis.failing_statement import (
    MOST_VALUE,
    RAISES,
    describe_question,
    describe_results,
    is_shown,
    statements_until,
)

MOST_LINES, MOST_TITLE = 24, 60
SET_UP = ("setUp", "setup_method", "setup")


@dataclass(frozen=True, slots=True)
class FailingExample:
    """What a user sees: the lines of `code`, the `expected` and the `actual` result, "" if it is unknown.

    `subject` is the failing line if it is short, else the name of what it calls. `is_complete` tells whether the code
    defines every name that it uses, without modules of the tests; in other languages than Python, whether it is more
    than the failing statement.
    """

    code: str
    expected: str
    actual: str
    subject: str
    is_complete: bool
    language: str = "python"


@dataclass(frozen=True, slots=True)
class _Test:
    """The function of a test in its file, with its class, if any."""

    module: ast.Module
    function: Definition
    owner: ast.ClassDef | None

    @property
    def methods(self) -> list[Definition]:
        body = self.owner.body if self.owner else []
        return [one for one in body if isinstance(one, Definition)]

    @property
    def helpers(self) -> list[Definition | ast.ClassDef]:
        """The functions and classes that tests use, without the tests."""
        found = [one for one in self.module.body if isinstance(one, Definition | ast.ClassDef)]
        return [one for one in (*found, *self.methods) if not one.name.lower().startswith("test")]


def find_example(result: TestResult, source: str) -> FailingExample | None:
    """Return the example in the source of the file of a failed test; None if its statement cannot be found, or the file
    is too unusual to be read, such as expressions that are nested too deeply."""
    try:
        return _example(_find_test(parse_module(source), result), result)
    except (*UNREADABLE, TypeError):
        return None


def _example(test: _Test | None, result: TestResult) -> FailingExample | None:
    statements, line = _failing_statements(test, result) if test else ([], 0)
    if test is None or not statements:
        return None
    *before, last = statements
    imported = _imported(test.module.body, result.path)
    shown, expected, innermost = describe_question(last, line, result)
    actual, expected = describe_results(result, innermost, _value(expected, before))
    methods = {one.name for one in test.methods}
    needed = [ast.unparse(one) for one in _used([*_definitions(test), *before], last, imported.keys(), methods)]
    words = _words([*needed, *shown])
    values = [line for name, line in _parameter_values(test.function, result.id).items() if name in words]
    body = "\n".join([*values, *needed, *shown]).splitlines()
    if len(body) > MOST_LINES:
        return None
    words = _words(body)
    imported |= _imported(test.function.body, result.path)
    imports = [line for name, line in imported.items() if name in words]
    code = "\n".join([*imports, *([""] if imports else []), *body])
    subject = _short_question(shown, before) or _subject(innermost)
    return FailingExample(code, expected, actual, subject, _is_complete(code))


def _find_test(module: ast.Module, result: TestResult) -> _Test | None:
    name = re.sub(r"\[.*", "", result.id, flags=re.DOTALL).rpartition("::")[2].rpartition(".")[2]
    holders: list[tuple[ast.Module | ast.ClassDef, ast.ClassDef | None]] = [(module, None)]
    holders += [(node, node) for node in module.body if isinstance(node, ast.ClassDef)]
    found = [
        _Test(module, node, owner)
        for holder, owner in holders
        for node in holder.body
        if isinstance(node, Definition) and node.name == name and (owner is None or owner.name in result.id)
    ]
    return found[-1] if found else None


def _failing_statements(test: _Test, result: TestResult) -> tuple[list[ast.stmt], int]:
    """Return the statements until the failure, without `self`, and its line.

    If the last one only calls a helper of the test, the helper's statements replace it.
    """
    line, helper, inner = 0, "", 0
    for frame in result.trace:
        path, _, rest = frame.partition(":")
        number, _, name = rest.partition(":")
        if path == result.path and number.isdigit():
            if name == test.function.name:
                line, helper = int(number), ""
            elif not helper:
                helper, inner = name, int(number)
    found = [_without_self(one) for one in statements_until(test.function.body, line)] if line else []
    called = [one for one in test.helpers if isinstance(one, Definition) and one.name == helper]
    if found and called and (bound := _bound_arguments(found[-1], _without_self(called[-1]))) is not None:
        body = [_without_self(one) for one in statements_until(called[-1].body, inner)]
        return [*found[:-1], *bound, *body], inner
    return found, line


def _bound_arguments(statement: ast.stmt, helper: ast.stmt) -> list[ast.stmt] | None:
    """Return assignments of a call's arguments to the parameters of a helper; None if it is no such call."""
    call = statement.value if isinstance(statement, ast.Expr) else None
    if not isinstance(call, ast.Call) or not isinstance(helper, Definition) or ast.unparse(call.func) != helper.name:
        return None
    names = [one.arg for one in (*helper.args.posonlyargs, *helper.args.args)]
    defaults = dict(zip(names[len(names) - len(helper.args.defaults) :], helper.args.defaults, strict=True))
    given = dict(zip(names, call.args, strict=False)) | {one.arg: one.value for one in call.keywords if one.arg}
    values = {**defaults, **given}
    texts = {name: ast.unparse(values[name]) for name in names if name in values}
    return [one for name, text in texts.items() if name != text for one in ast.parse(f"{name} = {text}").body]


class _SelfRemoval(ast.NodeTransformer):
    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        if isinstance(node.value, ast.Name) and node.value.id == "self":
            return ast.copy_location(ast.Name(node.attr, node.ctx), node)
        self.generic_visit(node)
        return node

    def visit_arguments(self, node: ast.arguments) -> ast.arguments:
        node.posonlyargs = [one for one in node.posonlyargs if one.arg != "self"]
        node.args = [one for one in node.args if one.arg != "self"]
        self.generic_visit(node)
        return node


def _without_self(statement: ast.stmt) -> ast.stmt:
    """Return the statement of a test with variables in place of the attributes of its object."""
    if isinstance(statement, ast.ClassDef):
        return statement
    changed: ast.stmt = _SelfRemoval().visit(deepcopy(statement))
    return changed


def _definitions(test: _Test) -> list[ast.stmt]:
    """Return the constants and helpers of the test's file, and the statements of its set-up."""
    constants = [one for one in test.module.body if isinstance(one, ast.Assign)]
    helpers = [one for one in test.helpers if one.name not in SET_UP]
    set_up = [inner for one in test.methods if one.name in SET_UP for inner in one.body]
    return [_without_self(one) for one in (*constants, *helpers, *set_up)]


def _used(
    before: Sequence[ast.stmt], last: ast.stmt, imported: Collection[str], methods: Collection[str]
) -> list[ast.stmt]:
    """Return the earlier statements that the failing one needs: those that bind or change a name that is read later,
    and calls of the test's own methods, which change its object. Imported names are not changed."""
    needed, kept = _names(last) - set(imported), []
    for statement in reversed(before):
        if not is_shown(statement):
            continue
        if isinstance(statement, ast.ClassDef | Definition):
            bound = {statement.name}
        else:
            bound = {node.id for node in ast.walk(statement) if isinstance(node, ast.Name)}
        if needed & bound or (_called(statement) in methods and not isinstance(statement, Definition)):
            needed |= _names(statement) - set(imported)
            kept.append(statement)
    return kept[::-1]


def _called(statement: ast.stmt) -> str:
    call = statement.value if isinstance(statement, ast.Expr) else None
    return ast.unparse(call.func) if isinstance(call, ast.Call) else ""


def _parameter_values(function: Definition, id: str) -> dict[str, str]:
    """Return assignments of the arguments of a parametrized test by name, if its id tells which ones they are."""
    option = id.partition("[")[2].removesuffix("]")
    for decorator in function.decorator_list:
        if not (isinstance(decorator, ast.Call) and ast.unparse(decorator.func).endswith("parametrize")):
            continue
        try:
            names = ast.literal_eval(decorator.args[0])
            rows = decorator.args[1].elts  # type: ignore[attr-defined]
        except (ValueError, AttributeError, IndexError, SyntaxError):
            continue
        names = [one.strip() for one in names.split(",")] if isinstance(names, str) else list(names)
        for row in rows:
            values = list(row.elts) if len(names) > 1 and isinstance(row, ast.Tuple | ast.List) else [row]
            if "-".join(_shown_id(one) for one in values) == option and len(values) == len(names):
                return {name: f"{name} = {ast.unparse(value)}" for name, value in zip(names, values, strict=True)}
    return {}


def _shown_id(value: ast.expr) -> str:
    try:
        return str(ast.literal_eval(value))
    except (ValueError, SyntaxError, TypeError):
        return "?"


def _names(node: ast.AST) -> set[str]:
    found = {one.id for one in ast.walk(node) if isinstance(one, ast.Name)}
    return {name for name in found - set(dir(builtins)) if name != "pytest" and not name.startswith("assert")}


def _imported(statements: Iterable[ast.stmt], path: str) -> dict[str, str]:
    """Return the imports of the file at `path` by the names that they bind, each name on its own; the last one of a
    name counts."""
    found: dict[str, str] = {}
    for statement in statements:
        inner = statement.body if isinstance(statement, ast.Try | ast.If) else [statement]
        for one in (each for each in inner if isinstance(each, ast.Import | ast.ImportFrom)):
            for alias in one.names:
                name = (alias.asname or alias.name).partition(".")[0]
                found[name] = ast.unparse(type(one)(**{**vars(_absolute(one, path)), "names": [alias]}))
    return found


def _absolute(statement: ast.Import | ast.ImportFrom, path: str) -> ast.Import | ast.ImportFrom:
    """Return an import of the file at `path` without a relative module."""
    if isinstance(statement, ast.Import) or not statement.level:
        return statement
    parents = path.split("/")[: -statement.level]
    return ast.ImportFrom(".".join([*parents, *([statement.module] if statement.module else [])]), statement.names, 0)


def _words(lines: Sequence[str]) -> set[str]:
    return set(re.findall(r"\w+", "\n".join(lines)))


def _short_question(shown: Sequence[str], before: Sequence[ast.stmt]) -> str:
    """Return the failing line, or for a variable the value that it was given, if it is short; else ""."""
    question = shown[-1] if len(shown) == 1 else ""
    for statement in reversed(before):
        if isinstance(statement, ast.Assign) and question in _words([ast.unparse(one) for one in statement.targets]):
            question = ast.unparse(statement.value)
            break
    return question if "\n" not in question and len(question) <= MOST_TITLE else ""


def _value(expected: str, before: Sequence[ast.stmt]) -> str:
    """Return the value that a variable was given last instead of its name, if it is short."""
    for statement in reversed(before):
        if isinstance(statement, ast.Assign) and expected in [ast.unparse(one) for one in statement.targets]:
            value = ast.unparse(statement.value)
            return value if "\n" not in value and len(value) <= MOST_VALUE else expected
    return expected


def _subject(last: ast.stmt) -> str:
    """Return the name of the function or method that the failing statement calls, the outermost one; for an operation
    in place, the operation."""
    if isinstance(last, ast.AugAssign):
        return f"{ast.unparse(last).partition('= ')[0]}= …"
    for node in ast.walk(last):
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            bare = name.rpartition(".")[2]
            is_plain = re.fullmatch(r"[\w.]+", name) and not bare.startswith("assert")
            if is_plain and bare not in (*RAISES, *dir(builtins)):
                return bare
    return ""


def _is_complete(code: str) -> bool:
    try:
        module = parse_module(code)
    except UNREADABLE:
        return False
    names = [node for node in ast.walk(module) if isinstance(node, ast.Name)]
    defined = {node.id for node in names if not isinstance(node.ctx, ast.Load)} | set(dir(builtins))
    for node in ast.walk(module):
        if isinstance(node, ast.Import | ast.ImportFrom):
            source = getattr(node, "module", None) or node.names[0].name
            if belongs_to_tests(f"{source.replace('.', '/')}.py"):
                return False
            defined |= {(one.asname or one.name).partition(".")[0] for one in node.names}
        elif isinstance(node, ast.arg):
            defined.add(node.arg)
        elif isinstance(node, ast.FunctionDef | ast.ClassDef | ast.ExceptHandler):
            defined.add(node.name or "")
    return all(node.id in defined for node in names)
