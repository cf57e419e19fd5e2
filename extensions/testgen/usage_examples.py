"""Examples of how a repository uses a module: expressions in its documentation, docstrings and tests."""

from __future__ import annotations

import ast
import copy
import doctest
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from aci.repository.test_files import is_test
from aci.runtime.target_function import Function
from extensions.testgen.answer_schema import has_huge
from extensions.testgen.module_exerciser import Case, ExampleRecord
from extensions.testgen.usage_mining import free_names, replace_names

MOST_EXAMPLES, MOST_EXAMPLES_WITH_OTHER_TEXTS, LONGEST_EXAMPLE, MOST_EXAMPLE_LINES, MOST_WATCHED = 400, 60, 300, 8, 2
DOCUMENTS = (".md", ".rst", ".txt")
EXAMPLE_WORD = re.compile(r"\w+")
EXAMPLE_EXPRESSIONS = ast.Call | ast.BinOp | ast.Compare
WRITABLE_NODES = (ast.Constant, ast.Name, ast.Attribute, ast.Tuple, ast.List, ast.UnaryOp, ast.USub, ast.Load)
POSITIONAL_KINDS = (0, 1)
"""Kinds of parameters (`inspect.Parameter.kind`) that take positional arguments."""
FLOW_STATEMENTS = ast.With | ast.If | ast.For | ast.While | ast.Try
UNREADABLE = (SyntaxError, ValueError, RecursionError, MemoryError)
"""Errors of the parser, and of code that is nested too deeply for the functions of `ast`."""

Bindings = dict[str, str]
"""What a name refers to in a file: the dotted name of a module of the package or of something in it."""


def usage_examples(
    files: Mapping[str, bytes], offers: Mapping[str, Any], known: Collection[str], over: Callable[[], bool]
) -> list[Case]:
    """Return the expressions in `files` that use only names that a test can import, each with the assignments that it
    needs; those that name a function or class of the module come first, and of these the shortest.

    `offers` is the module's description, and `known` contains the names that a test can use. `over` tells whether time
    is up; the other files are then skipped.
    """
    module = str(offers.get("module"))
    found: dict[Case, None] = {}
    for path, data in files.items():
        if over():
            break
        with suppress(*UNREADABLE):
            for statements, bindings in _sessions(path, data.decode("utf-8", "replace"), module):
                names = _Qualifier(bindings, offers)
                found.update(dict.fromkeys(_cases([names.visit(one) for one in statements], set(known))))
    own = {one["name"] for kind in ("functions", "classes") for one in offers[kind]}
    codes = {case: "\n".join((*case.lines, case.call)) for case in found}
    ordered = sorted(found, key=lambda case: (not own & set(EXAMPLE_WORD.findall(codes[case])), len(codes[case])))
    return ordered[:MOST_EXAMPLES]


def written_arguments(
    files: Mapping[str, bytes], offers: Mapping[str, Any], known: Collection[str], over: Callable[[], bool]
) -> set[tuple[str, str, str]]:
    """Return the arguments of calls in the package's code that a test can write: (function, parameter, text).

    A method is recognised by its name alone, without its class. `over` is that of `usage_examples`.
    """
    module = str(offers.get("module"))
    own = {one["name"]: one for kind in ("functions", "classes") for one in offers[kind]}
    own |= {method["name"]: method for one in offers["classes"] for method in one["methods"]}
    found = set()
    for path, data in files.items():
        if over():
            break
        if not path.endswith(".py") or is_test(path):
            continue
        with suppress(*UNREADABLE):
            tree = ast.parse(data)
            bindings = _imports(ast.walk(tree), module.partition(".")[0], _module_name(path, module))
            names = _Qualifier(bindings, offers)
            for call in [node for node in ast.walk(tree) if isinstance(node, ast.Call)]:
                called = _called_name(call)
                given = _by_parameter(call, own[called]["params"] or ()) if called in own else ()
                found |= {(called, param, text) for param, node in given if (text := _written(node, names, known))}
    return found


def with_other_texts(examples: Sequence[Case], records: Iterable[ExampleRecord]) -> list[Case]:
    """Return the examples that make objects with texts of other examples in the places of their own."""
    texts = dict.fromkeys(text for case in examples for line in (*case.lines, case.call) for text in texts_in(line))
    found: dict[Case, None] = {}
    for one in records:
        call = as_expression(one.case)
        own = texts_in(call) if one.objects else []
        if len(own) == 1:
            others = (repr(text) for text in texts if text != own[0] and not text.isidentifier())
            found |= {Case((), call.replace(repr(own[0]), text)): None for text in others}
    return list(found)[:MOST_EXAMPLES_WITH_OTHER_TEXTS]


def texts_in(code: str) -> list[str]:
    """Return the values of the strings in the code."""
    constants = (node.value for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Constant))
    return [value for value in constants if isinstance(value, str)]


def as_expression(case: Case) -> str:
    """Return the case as one expression, with the values of its variables in the places of their names."""
    values: dict[str, ast.expr] = {}
    for line in case.lines:
        name, _, value = line.partition(" = ")
        values[name] = replace_names(value, values)
    return ast.unparse(replace_names(case.call, values))


def _called_name(call: ast.Call) -> str:
    """Return the name of the called function or method, without the object; "" if it has none."""
    if isinstance(call.func, ast.Attribute):
        return call.func.attr
    return call.func.id if isinstance(call.func, ast.Name) else ""


def _by_parameter(call: ast.Call, params: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, ast.expr]]:
    for node, param in zip(call.args, params, strict=False):
        if isinstance(node, ast.Starred) or param["kind"] not in POSITIONAL_KINDS:
            break
        yield param["name"], node
    yield from ((one.arg, one.value) for one in call.keywords if one.arg)


def _written(node: ast.expr, names: _Qualifier, known: Collection[str]) -> str:
    """Return the argument as source text; "" if it is more than literals and importable names."""
    node = names.visit(copy.deepcopy(node))
    parts = list(ast.walk(node))
    is_plain = all(isinstance(one, WRITABLE_NODES) for one in parts)
    is_known = all(one.id in known for one in parts if isinstance(one, ast.Name))
    return ast.unparse(node) if is_plain and is_known else ""


def _sessions(path: str, text: str, module: str) -> Iterator[tuple[list[ast.stmt], Bindings]]:
    """Yield the statements of each example and test, with what the names in it refer to."""
    package = module.partition(".")[0]
    if path.endswith(DOCUMENTS):
        statements = list(_doctest_statements(text))
        yield statements, {package: package, **_imports(statements, package)}
        return
    tree = ast.parse(text)
    file = {package: package, **_imports(ast.walk(tree), package)}
    if is_test(path):
        for node in ast.walk(tree):
            if isinstance(node, Function) and not has_huge(node):
                yield list(_flat(node.body)), file
        return
    own = _module_name(path, module)
    file = {node.name: f"{own}.{node.name}" for node in tree.body if isinstance(node, Function | ast.ClassDef)} | file
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | Function) and (doc := ast.get_docstring(node)):
            statements = list(_doctest_statements(doc))
            yield statements, file | _imports(statements, package)


def _module_name(path: str, module: str) -> str:
    """Return the name of the module at a path, in the package of `module`."""
    package = module.partition(".")[0]
    name = path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    return name[name.find(f"{package}.") :] if f"{package}." in name else package


def _doctest_statements(text: str) -> Iterator[ast.stmt]:
    try:
        parts = doctest.DocTestParser().get_examples(text)
    except ValueError:
        return
    for part in parts:
        with suppress(*UNREADABLE):
            yield from ast.parse(part.source).body


def _flat(body: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """Yield the statements of a test, including those inside its blocks."""
    for statement in body:
        if isinstance(statement, FLOW_STATEMENTS):
            yield from _flat(statement.body)
        else:
            yield statement


def _imports(nodes: Iterable[ast.AST], package: str, own: str = "") -> Bindings:
    """Return what the names imported from the package refer to; `own` is the name of the importing module."""
    found: Bindings = {}
    for node in nodes:
        if isinstance(node, ast.Import):
            names = [(one.asname or one.name.partition(".")[0], one.name if one.asname else one.name.partition(".")[0])
                     for one in node.names]  # fmt: skip
        elif isinstance(node, ast.ImportFrom):
            holder = ".".join(own.split(".")[: -node.level] or [package]) if node.level else ""
            holder = ".".join(filter(None, (holder, node.module)))
            names = [(one.asname or one.name, f"{holder}.{one.name}") for one in node.names]
        else:
            continue
        found.update({name: dotted for name, dotted in names if dotted.partition(".")[0] == package})
    return found


class _Qualifier(ast.NodeTransformer):
    """Replaces names by what they refer to: names of the module, or dotted names that start with the package."""

    def __init__(self, bindings: Bindings, offers: Mapping[str, Any]) -> None:
        self.bindings, self.module = bindings, str(offers.get("module"))
        self.package = self.module.partition(".")[0]
        self.public, self.shared = set(offers.get("public", ())), set(offers.get("shared", ()))

    def visit_Name(self, node: ast.Name) -> ast.expr:
        dotted = self.bindings.get(node.id, node.id)
        return self._nearest(ast.parse(dotted, mode="eval").body if isinstance(node.ctx, ast.Load) else node)

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        self.generic_visit(node)
        return self._nearest(node)

    def _nearest(self, node: ast.expr) -> ast.expr:
        """Return the shortest name of something in the package: in the module, or in the package itself."""
        holder, _, name = ast.unparse(node).rpartition(".")
        if not isinstance(node, ast.Attribute) or not f"{holder}.".startswith(f"{self.package}."):
            return node
        if holder == self.module or name in self.shared:
            return ast.Name(name, ast.Load())
        return ast.Attribute(ast.Name(self.package, ast.Load()), name, ast.Load()) if name in self.public else node


def _cases(statements: Sequence[ast.stmt], known: set[str]) -> Iterator[Case]:
    bound: dict[str, str] = {}
    for statement in statements:
        for node in _values(statement):
            if (case := _with_assignments(node, bound, known)) is not None:
                yield case
        if isinstance(statement, ast.Assign) and not isinstance(statement.value, ast.Yield | ast.YieldFrom):
            value = ast.unparse(statement.value)
            bound |= {one.id: f"{one.id} = {value}" for one in statement.targets if isinstance(one, ast.Name)}


def _values(statement: ast.stmt) -> Iterator[ast.expr]:
    """Yield the expressions of a statement that call something."""
    parts: Sequence[ast.expr]
    if isinstance(statement, ast.Assign | ast.Expr):
        parts = [statement.value]
        if isinstance(call := statement.value, ast.Call) and ast.unparse(call.func).startswith("self.assert"):
            parts = call.args[:2]
    elif isinstance(statement, ast.Assert) and isinstance(statement.test, ast.Compare):
        parts = [statement.test.left]
    else:
        parts = [node for node in ast.walk(statement) if isinstance(node, ast.Call)][:1]
    for one in parts:
        yield from (node for node in ast.walk(one) if isinstance(node, EXAMPLE_EXPRESSIONS))


def _with_assignments(node: ast.expr, bound: Mapping[str, str], known: set[str]) -> Case | None:
    """Return the expression with the assignments that it needs; None if it needs a name that cannot be resolved."""
    call = ast.unparse(node)
    lines: list[str] = []
    while missing := free_names(Case(tuple(lines), call)) - known:
        name = min(missing)
        if bound.get(name, "") in ("", *lines) or len(lines) >= MOST_EXAMPLE_LINES:
            return None
        lines.insert(0, bound[name])
    used = {one.id for one in ast.walk(node) if isinstance(one, ast.Name)}
    watch = [name for name in (line.partition(" = ")[0] for line in lines) if name in used]
    is_short = len("".join((*lines, call))) <= LONGEST_EXAMPLE
    return Case(tuple(lines), call, tuple(watch[:MOST_WATCHED])) if is_short else None
