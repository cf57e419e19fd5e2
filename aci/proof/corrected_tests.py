"""Existing tests that assert what an issue reports as wrong, and the versions of them that an examiner corrected.

An existing test that a patch breaks counts as lost. The exception is a test of which somebody who has not seen the
patch wrote a version with the same inputs and other expectations, which fails on the base and passes with the patch.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass

from aci.proof import evidence
from aci.proof.blind_tests import BlindResult, BlindTests
from aci.proof.proof_run import read_text
from aci.repository.python_source import parse
from trajectories.git_store.trees import Trees

MOST_TESTS = 3
"""If a patch breaks more test functions, it is not asked whether the issue contradicts them."""
Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True)
class ExistingTest:
    """A test function `name` of the base, with the ids of its `lost` cases; `source` is its code."""

    name: str
    path: str
    source: str
    lost: tuple[str, ...]


def find_existing_tests(trees: Trees, base: str, lost: Sequence[str]) -> list[ExistingTest]:
    """Return the Python test functions with these ids; none if one is not found, or if there are more than MOST_TESTS,
    or two with the same name."""
    ids: dict[tuple[str, str], list[str]] = {}
    files = trees.files(base)
    for id in lost:
        path = evidence.find_test_file(id.partition("[")[0], files)
        ids.setdefault((path, evidence.function_name(id)), []).append(id)
    if len(ids) > MOST_TESTS or len({name for _, name in ids}) < len(ids):
        return []
    found = []
    for (path, name), cases in ids.items():
        text = read_text(trees, base, path) if path.endswith(".py") else ""
        functions = _functions(text, name)
        if len(functions) != 1:
            return []
        first = min([functions[0].lineno, *(each.lineno for each in functions[0].decorator_list)])
        lines = text.splitlines()[first - 1 : functions[0].end_lineno]
        found.append(ExistingTest(name, path, "\n".join(lines), tuple(cases)))
    return found


def find_contradictions(
    existing: Sequence[ExistingTest], tests: BlindTests, results: Sequence[BlindResult]
) -> dict[str, str]:
    """Return the ids of the lost tests that the issue contradicts, each with a sentence that shows both expectations;
    none unless all are contradicted."""
    found: dict[str, str] = {}
    by_name = {one.test.name: one for one in results}
    for test in existing:
        result, corrected = by_name.get(test.name), _functions(tests.source, test.name)
        is_seen = result is not None and (result.base, result.patched) == ("fails", "passes")
        if result is None or not is_seen or len(corrected) != 1:
            return {}
        old = _functions(_dedented(test.source), test.name)[0]
        if not _has_same_inputs(old, corrected[0]):
            return {}
        before, after = _difference(old, corrected[0])
        words = f"it asserts `{before}`; by the issue, `{after}` (“{result.test.sentence}”)"
        found |= dict.fromkeys(test.lost, words)
    return found


def _functions(text: str, name: str) -> list[Function]:
    module = parse(text)
    nodes = ast.walk(module) if module else ()
    return [node for node in nodes if isinstance(node, Function) and node.name == name]


def _dedented(source: str) -> str:
    return f"if True:\n{source}" if source.startswith((" ", "\t")) else source


def _has_same_inputs(old: Function, new: Function) -> bool:
    """Whether a corrected test makes the calls of the old one: it contains all of them, with the same arguments, apart
    from those that only assert, and at least as many rows of parameters, with the same first values."""
    if not {ast.dump(call) for call in _calls(old)} <= {ast.dump(call) for call in _calls(new)}:
        return False
    old_rows, new_rows = _first_values(old), _first_values(new)
    return all(row in new_rows for row in old_rows)


def _calls(function: Function) -> list[ast.Call]:
    """Return the calls in the body, without assertions such as `self.assertEqual(…)` and `pytest.raises(…)`."""
    calls = [node for part in function.body for node in ast.walk(part) if isinstance(node, ast.Call)]
    return [call for call in calls if not _is_assertion(call)]


def _is_assertion(call: ast.Call) -> bool:
    name = ast.unparse(call.func).rpartition(".")[2]
    return name.startswith(("assert", "fail")) or name in ("raises", "warns", "approx", "match")


def _first_values(function: Function) -> list[str]:
    """Return the first values of the rows of all `parametrize` lists of a test."""
    rows = _rows(function)
    return [ast.dump(row.elts[0] if isinstance(row, ast.Tuple | ast.List) and row.elts else row) for row in rows]


def _rows(function: Function) -> list[ast.AST]:
    marks = [mark for mark in function.decorator_list if isinstance(mark, ast.Call)]
    return [row for mark in marks for values in mark.args[1:2] for row in getattr(values, "elts", [values])]


def _difference(old: Function, new: Function) -> tuple[str, str]:
    """Return the first differing statements or rows of two versions of a test."""
    befores, afters = ([ast.unparse(part) for part in _parts(function)] for function in (old, new))
    before = next((part for part in befores if part not in afters), befores[-1])
    after = next((part for part in afters if part not in befores), afters[-1])
    return before, after


def _parts(function: Function) -> list[ast.AST]:
    """Return the rows of a test's parameters, and its statements, which contain no others or begin a block."""
    statements = [node for part in function.body for node in ast.walk(part) if isinstance(node, ast.stmt)]
    return [*_rows(function), *(node for node in statements if not hasattr(node, "body")), *function.body[-1:]]
