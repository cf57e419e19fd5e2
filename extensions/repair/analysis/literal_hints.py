"""Literals in failing tests and in the issue. One of them often replaces a wrong text or number."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence

from extensions.experiment.evaluator.spectrum import TracedTest
from extensions.experiment.source.source_file import dotted_name
from extensions.experiment.source.syntax_trees import UNREADABLE, parse_module
from extensions.repair.analysis.name_usage import unique

LONGEST, MOST = 60, 80
QUOTED = re.compile(r"`{1,2}([^`\n]{1,60})`{1,2}|\"([^\"\n]{1,60})\"|'([^'\n]{1,60})'")


def literal_hints(read: Callable[[str], bytes], failing: Sequence[str], issue: str = "") -> list[str]:
    """Return the literals of the failing tests, as Python text.

    Literals in comparisons and assertions come first, then the other literals of the tests, then texts that the issue
    quotes. `read` returns a file by its path and may raise FileNotFoundError. Tests that cannot be read are ignored.
    Reading stops as soon as there are enough literals.
    """
    files = _Files(read)
    asserted: dict[str, None] = {}
    others: dict[str, None] = {}
    for test in unique(map(_without_parameters, failing)):
        if len(asserted) >= MOST:
            break
        for node in files.functions(test):
            assertions = [one for one in ast.walk(node) if _is_assertion(one)]
            asserted.update((text, None) for one in assertions for text in _literals(one))
            others.update((text, None) for text in _literals(node))
    quoted = [next(filter(None, found.groups())) for found in QUOTED.finditer(issue)]
    words = [repr(text) for text in quoted]
    return unique([*asserted, *others, *words])[:MOST]


def failing_test_functions(read: Callable[[str], bytes], failing: Sequence[str]) -> list[tuple[str, list[ast.AST]]]:
    """Return each failing test whose definition can be read, without its parameters, with the definitions that its name
    may refer to. `read` has the same meaning as in `literal_hints`."""
    files = _Files(read)
    found = ((test, files.functions(test)) for test in unique(map(_without_parameters, failing)))
    return [(test, functions) for test, functions in found if functions]


def expected_exceptions(read: Callable[[str], bytes], failing: Sequence[TracedTest]) -> tuple[str, ...]:
    """Return the names of the exceptions that failing tests expect but that were not raised.

    Either no exception was raised, or a different one was raised although the test expects `E` with `pytest.raises(E)`
    or `self.assertRaises(E, f)`. `read` has the same meaning as in `literal_hints`.
    """
    files = _Files(read)
    found = [one.expected_exception for one in failing]
    for one in failing:
        asked = list(_expected(files.functions(_without_parameters(one.test)))) if one.raised else []
        found += asked if one.said.partition(":")[0].rpartition(".")[2] not in asked else []
    return tuple(unique(filter(None, found)))


def _expected(functions: Sequence[ast.AST]) -> Iterator[str]:
    for node in (one for function in functions for one in ast.walk(function)):
        if isinstance(node, ast.Call) and node.args and _called(node).lower().startswith(("raises", "assertraises")):
            kinds = node.args[0].elts if isinstance(node.args[0], ast.Tuple) else node.args[:1]
            yield from (dotted_name(one).rpartition(".")[2] for one in kinds)


def _without_parameters(test: str) -> str:
    path, colons, name = test.rpartition("::") if "::" in test else ("", "", test)
    head, _, _ = name.partition("[")
    return path + colons + head


class _Files:
    """The files of tests, each read and parsed once."""

    def __init__(self, read: Callable[[str], bytes]) -> None:
        self.read = read
        self._defined: dict[str, dict[str, list[ast.AST]] | None] = {}

    def functions(self, test: str) -> list[ast.AST]:
        """Return the definitions that a test's name may refer to, given as `tests/test_a.py::TestA::test_b` or in
        dotted form."""
        head, colons, rest = test.partition("::")
        name = (rest if colons else test).replace("::", ".").rpartition(".")[2]
        parts = test.split(".")
        paths = [head] if colons else [f"{'/'.join(parts[:count])}.py" for count in range(len(parts) - 1, 0, -1)]
        for path in paths:
            if (defined := self._of(path)) is not None:
                return defined.get(name, [])
        return []

    def _of(self, path: str) -> dict[str, list[ast.AST]] | None:
        """Return the functions of a file by name, or None if the file cannot be read."""
        if path not in self._defined:
            self._defined[path] = None
            try:
                tree = parse_module(self.read(path))
            except (FileNotFoundError, *UNREADABLE):
                return None
            found: dict[str, list[ast.AST]] = defaultdict(list)
            for node in ast.walk(tree):
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                    found[node.name].append(node)
            self._defined[path] = found
        return self._defined[path]


def _is_assertion(node: ast.AST) -> bool:
    name = _called(node) if isinstance(node, ast.Call) else ""
    return isinstance(node, ast.Assert | ast.Compare) or name.lower().startswith(("assert", "raises", "parametrize"))


def _called(node: ast.Call) -> str:
    return getattr(node.func, "attr", "") or getattr(node.func, "id", "")


def _literals(node: ast.AST) -> Iterator[str]:
    for one in ast.walk(node):
        value = one.value if isinstance(one, ast.Constant) else None
        if isinstance(value, str | bytes | int | float) and not isinstance(value, bool) and len(str(value)) <= LONGEST:
            yield repr(value)
