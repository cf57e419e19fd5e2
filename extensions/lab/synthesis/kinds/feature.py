"""Tested functions and classes taken out, with their tests as the specification, as in SWE-Dev.

Several functions are taken out in the order of the run-time call graph, callees first, as in SWE-Flow.
"""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from copy import copy
from functools import partial
from random import Random
from textwrap import indent

from aci.repository.test_files import belongs_to_tests
from aci.testing.suite_results import TestResult
from extensions.experiment.source.source_file import Definition
from extensions.experiment.source.syntax_trees import UNREADABLE, parse_module
from extensions.lab.synthesis.candidate import Candidate, take_turns
from extensions.lab.synthesis.failing_example import FailingExample
from extensions.lab.synthesis.issue_text import find_examples, quote_value
from extensions.lab.synthesis.kinds._tested_places import FunctionOrClass, Place, test_code, tested_places
from extensions.lab.synthesis.operators.function_code import Edit, apply_edits, is_other_program
from extensions.lab.synthesis.source_repository import SourceRepository

MOST_STEPS = 4
"""Maximum number of functions that are taken out together."""
MOST_EXAMPLES, MOST_TEST = 3, 2_000
"""Maximum number of examples, and of characters of a test that is the example."""
NO_RESULT = ("", "no exception")
STUB = "raise NotImplementedError"


def generate(source: SourceRepository, random: Random) -> Iterator[Candidate]:
    """Yield candidates: a function, a class and several functions in turn, each in random order."""
    if source.coverage is None:
        return
    places = tested_places(source)
    words = _words_of_tests(source)
    named = [one for one in places if one.is_public and one.node.name in words]
    calls = _run_calls(source, [one for one in places if one.is_function])
    choices: Mapping[str, Iterator[list[Place]]] = {
        "function": ([one] for one in _shuffled(named, random) if one.is_function),
        "class": ([one] for one in _shuffled(named, random) if not one.is_function),
        "functions": (steps for one in _shuffled(named, random) if len(steps := _in_order(one, calls)) > 1),
    }
    used = _names_used_at_import(source)
    yield from take_turns(
        filter(None, map(partial(_take_out, source, used, operator), steps)) for operator, steps in choices.items()
    )


def _shuffled(places: Sequence[Place], random: Random) -> list[Place]:
    return random.sample(places, len(places))


def _words_of_tests(source: SourceRepository) -> frozenset[str]:
    texts = (data.decode("utf-8", "replace") for path, data in _python_files(source) if belongs_to_tests(path))
    return frozenset(word for text in texts for word in re.findall(r"\w+", text))


def _python_files(source: SourceRepository) -> Iterator[tuple[str, bytes]]:
    for path, entry in source.trees.files(source.tree).items():
        if path.endswith(".py") and entry.mode.startswith("100"):
            yield path, source.trees.read(source.tree, path)


def _run_calls(source: SourceRepository, places: Sequence[Place]) -> Mapping[str, list[Place]]:
    """Return the functions that each function calls in a test, by its symbol; a name that several have is left out."""
    named: dict[str, list[Place]] = defaultdict(list)
    for one in places:
        named[one.node.name].append(one)
    found: dict[str, list[Place]] = defaultdict(list)
    for one in places:
        for line, name in sorted(source.own_calls.get(one.file.path, ())):
            callees = named.get(name, ())
            if line in one.lines and len(callees) == 1 and source.is_run(one.file.path, [line]):
                found[one.symbol] += [callee for callee in callees if callee not in found[one.symbol]]
    return found


def _in_order(place: Place, calls: Mapping[str, list[Place]]) -> list[Place]:
    """Return a function and functions that it calls, callees first."""
    order: list[Place] = []
    seen = {place.symbol}

    def visit(one: Place) -> None:
        for callee in calls.get(one.symbol, ()):
            if callee.symbol not in seen and len(seen) < MOST_STEPS:
                seen.add(callee.symbol)
                visit(callee)
        order.append(one)

    visit(place)
    return order


def _names_used_at_import(source: SourceRepository) -> frozenset[str]:
    """Return the names that code outside of functions uses, in the tests too: without them files cannot be imported."""
    found: set[str] = set()
    for _, data in _python_files(source):
        try:
            found |= set(_import_time_names(parse_module(data)))
        except UNREADABLE:
            continue
    return frozenset(found)


def _import_time_names(module: ast.Module) -> Iterator[str]:
    waiting: list[ast.AST] = [module]
    while waiting:
        node = waiting.pop()
        if isinstance(node, Definition):
            waiting += [*node.decorator_list, node.args, *([node.returns] if node.returns else [])]
            continue
        waiting += ast.iter_child_nodes(node)
        if isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.alias):
            yield from node.name.split(".")
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):  # such as __all__
            yield node.value


def _take_out(
    source: SourceRepository, used: frozenset[str], operator: str, steps: Sequence[Place]
) -> Candidate | None:
    """Return the candidate without these functions or classes; None if the rest is not Python."""
    edits: dict[str, list[Edit]] = defaultdict(list)
    lines: dict[str, frozenset[int]] = defaultdict(frozenset)
    files = {one.file.path: one.file for one in steps}
    for one in steps:
        edits[one.file.path] += _removal(one, used)
        lines[one.file.path] |= one.body_lines
    changed = {path: apply_edits(file.data, tuple(edits[path])) for path, file in files.items()}
    if not all(is_other_program(file.data, changed[path]) for path, file in files.items()):
        return None
    symbols = tuple(dict.fromkeys(name for one in steps for name in _symbols(one)))
    return Candidate("feature", operator, changed, symbols, lines, write_text=partial(_write_request, source, steps))


def _symbols(place: Place) -> Iterator[str]:
    yield place.symbol
    if not place.is_function:
        yield from (f"{place.symbol}.{function.name}" for function in place.functions)


def _removal(place: Place, used: frozenset[str]) -> list[Edit]:
    """Return the edits that delete a function or class, or that make it a stub if files would need its name."""
    file, node = place.file, place.node
    holder = file.parents[node]
    assert isinstance(holder, ast.Module | ast.ClassDef)
    if node.name not in used and len(holder.body) > 1:
        first = min([node.lineno, *(one.lineno for one in node.decorator_list)])
        start = file.position(first, 0)
        rest = re.compile(rb"[^\r\n]*(?:\r?\n[ \t\f]*(?=\r?\n))*\r?\n?").match(file.data, file.span(node)[1])
        return [(start, rest.end() if rest else file.span(node)[1], "")]
    return [(file.span(function.body[0])[0], file.end_of(function), STUB) for function in place.functions]


def _write_request(source: SourceRepository, steps: Sequence[Place], failures: Sequence[TestResult]) -> str:
    """Return the request for what was taken out: its signatures and docstrings, and examples from the tests."""
    goal = steps[-1]
    examples = _examples(source, goal.node.name, failures)
    if not examples:
        return ""
    parts = [f"Add `{goal.qualname}`", _description(goal)]
    if len(steps) > 1:
        parts.append("It needs these, in this order:")
        parts += [f"{number}. {_description(one)}" for number, one in enumerate(steps[:-1], 1)]
    parts += ["Examples:" if len(examples) > 1 else "Example:", *examples]
    parts.append("Its tests are in the repository and fail at present.")
    return "\n\n".join(parts) + "\n"


def _examples(source: SourceRepository, name: str, failures: Sequence[TestResult]) -> list[str]:
    """Return the clearest examples that use the name and have a result. A stub fails before many a result is asked for:
    without any, return the shortest failing test that uses the name, or the shortest."""

    def uses(code: str) -> bool:
        return bool(re.search(rf"\b{name}\b", code))

    found = [
        one
        for _, one in find_examples(source.trees, source.tree, failures)
        if uses(one.code) and one.expected not in NO_RESULT
    ]
    if found:
        return [_example(one) for one in found[:MOST_EXAMPLES]]
    tests = {code for failure in failures if (code := test_code(source, failure.id)) and len(code) <= MOST_TEST}
    return [f"```python\n{min(tests, key=lambda code: (not uses(code), len(code), code))}\n```"] if tests else []


def _example(example: FailingExample) -> str:
    return f"```python\n{example.code}\n```\n\nExpected:{quote_value(example.expected)}"


def _description(place: Place) -> str:
    what = "class" if isinstance(place.node, ast.ClassDef) else "method" if "." in place.qualname else "function"
    shown = ast.unparse(ast.fix_missing_locations(_interface(place.node)))
    return f"The {what} `{place.qualname}` in `{place.file.path}`:\n\n```python\n{shown}\n```"


def _interface(node: FunctionOrClass, depth: int = 1) -> FunctionOrClass:
    """Return a definition with its docstring only; a class also has the methods that users call."""
    body: list[ast.stmt] = []
    if text := ast.get_docstring(node):
        body.append(ast.Expr(ast.Constant(indent(text, depth * "    ").lstrip())))
    if isinstance(node, ast.ClassDef):
        methods = [one for one in node.body if isinstance(one, Definition)]
        is_called = re.compile(r"[^_]|__\w+__$").match  # public, or called by operators and built-in functions
        body += [_interface(one, depth + 1) for one in methods if is_called(one.name)]
    shown = copy(node)
    shown.body = body or [ast.Expr(ast.Constant(...))]
    return shown
