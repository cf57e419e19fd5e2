"""Experiment that tells whether a Python patch does more than fit the values of its reproducing tests.

The recorded calls that base and patch answer differently are varied. A patch that changes hardly any other answer, or
that gives the test's own answer everywhere, fits the examples only.
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from aci.repair.candidate_evaluator import Evaluator
from aci.repository.python_source import parse

Generality = Literal["shown", "examples only", "undecided"]
Function = ast.FunctionDef | ast.AsyncFunctionDef

VARIANTS, LEAST_VALID = 60, 10
"""Number of variants of each function's calls, and the minimum number of valid ones for a judgement."""
LITERAL_SHARE = 0.03
"""Maximum share of differing variants for a patch that fits the examples only."""
LEAST_CONSTANT = 5
FEW_ANSWERS = 5
CALL_SECONDS, JOB_SECONDS = 1.0, 20.0
SIMPLE = re.compile(r"!|(?:bool|int|NoneType):")
"""Answers that many inputs share."""
ONE_OF_TWO = re.compile(r"!|(?:bool|NoneType):")
"""Answers that a right patch may give for all variants, since these are similar to the tests' values."""
LEAST_NUMBER = 5
"""Minimum absolute value of a number of the base next to which numbers count as special."""
MOST_FUNCTIONS = 200
CODE = re.compile(r"```.*?```|`[^`\n]*`|^(?: {4}|\t|>>>)[^\n]*|[\w.]+\([^)\n]*\)", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True, slots=True)
class ChangedFile:
    """The text of a Python file before and after the patch."""

    path: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class ComparedCall:
    """A call, and the answers of the base (twice) and of the patch. `made` calls are variants of recorded ones.

    `arguments` are, for each argument, the name of its type, its `repr` if it is a scalar, and whether it is special
    for its type.
    """

    function: str
    text: str
    base: str
    again: str
    patch: str
    made: bool
    arguments: tuple[tuple[str, str, bool], ...]


def compare_versions(evaluator: Evaluator, files: Sequence[ChangedFile], tests: Sequence[str]) -> list[ComparedCall]:
    """Return the answers of base and patch to calls like those of the tests; the evaluator's workspace holds the
    patch."""
    functions = [{"path": file.path, **function} for file in files for function in changed_functions(file)]
    if not functions or len(functions) > MOST_FUNCTIONS:
        return []
    job = {
        "mode": "compare",
        "files": {file.path: file.before for file in files},
        "functions": functions,
        "tests": list(tests),
        "limit": CALL_SECONDS,
        "most": VARIANTS,
        "constants": [list(one) for file in files for one in special_constants(file)],
    }
    rows = [row for answer in evaluator.ask(job, JOB_SECONDS) for row in answer.get("calls", ())]
    return [call for row in rows if (call := _parse(row)) is not None]


def judge_generality(calls: Sequence[ComparedCall], issue: str) -> tuple[Generality, str]:
    """Return whether the patch is general, and the reason as a sentence."""
    seeds = [call for call in calls if not call.made]
    if not seeds:
        return "undecided", "No recorded call of a changed function behaves differently."
    own = {call.patch for call in seeds}
    failures = {call.base for call in seeds if call.base.startswith("!")}
    valid = [call for call in calls if call.made and _is_valid(call, failures)]
    differing = [call for call in valid if call.base != call.patch]
    if all(special for call in seeds for _, _, special in call.arguments):
        return "undecided", "The tests concern special values, which cannot be varied."
    if len(valid) < LEAST_VALID and not differing:
        return "undecided", f"Only {len(valid)} variants of the tests' values could be compared."
    count = f"{len(differing)} of {len(valid)} variants of the tests' values"
    if _is_constant(valid, differing, own):
        if all(map(ONE_OF_TWO.match, own)):
            return "undecided", f"The patch gives the same answer for {count}."
        return "examples only", f"The patch gives the tests' own answers for {count}."
    others = differing if _is_simple(own) or _has_few_answers(valid) else [c for c in differing if c.patch not in own]
    if len(valid) >= LEAST_VALID and len(others) <= max(1, LITERAL_SHARE * len(valid)):
        if _is_named(seeds, issue):
            return "undecided", "The issue names the value for which the behaviour changes."
        return "examples only", f"The patch changes the behaviour for {count}."
    if len(valid) < LEAST_VALID:
        return "undecided", f"Only {len(valid)} variants of the tests' values could be compared."
    return "shown", f"The patch changes the behaviour for {count}."


def _is_valid(call: ComparedCall, failures: set[str]) -> bool:
    """Whether a variant says something: the answers are stable, and the input is not one that no version accepts."""
    if not call.base or not call.patch or call.base != call.again:
        return False
    if "!late" in (call.base, call.patch):  # says something only if the base hangs in the tests, too
        return call.base == "!late" in failures
    if call.patch.startswith("!"):
        return call.base in failures
    return True


def _is_constant(valid: Sequence[ComparedCall], differing: Sequence[ComparedCall], own: set[str]) -> bool:
    if len(differing) < LEAST_CONSTANT or any(call.patch not in own for call in differing):
        return False
    return not _is_simple(own) or all(call.patch in own for call in valid)


def _is_simple(answers: set[str]) -> bool:
    return all(map(SIMPLE.match, answers))


def _has_few_answers(valid: Sequence[ComparedCall]) -> bool:
    return len({call.base for call in valid}) <= FEW_ANSWERS


def _is_named(seeds: Sequence[ComparedCall], issue: str) -> bool:
    """Whether the only argument is a scalar that the prose of the issue contains."""
    words = CODE.sub(" ", issue)
    values = [call.arguments[0][1].strip("'\"") for call in seeds if len(call.arguments) == 1 and call.arguments[0][1]]
    found = [value for value in values if re.search(rf"(?<![\w.]){re.escape(value)}(?!\w)", words)]
    return len(found) == len(seeds)


def changed_functions(file: ChangedFile) -> list[dict[str, Any]]:
    """Return the name and lines of each function that exists in both versions and differs; every function of the file
    if code outside of functions differs."""
    old, new = parse(file.before), parse(file.after)
    if old is None or new is None:
        return []
    before, after = _functions(old), _functions(new)
    whole = _without_functions(old) != _without_functions(new)
    return [
        {"name": node.name, "lines": [min([node.lineno, *(one.lineno for one in node.decorator_list)]), node.lineno]}
        for name, node in after.items()
        if name in before and (whole or ast.dump(before[name]) != ast.dump(node))
    ]


def _functions(node: ast.AST, prefix: str = "") -> dict[str, Function]:
    found: dict[str, Function] = {}
    for child in ast.iter_child_nodes(node):
        if isinstance(child, Function):
            found[f"{prefix}{child.name}"] = child
        elif isinstance(child, ast.ClassDef):
            found |= _functions(child, f"{prefix}{child.name}.")
        elif isinstance(child, ast.stmt | ast.ExceptHandler):
            found |= _functions(child, prefix)
    return found


class _Outline(ast.NodeTransformer):
    """Removes functions and the text of imports, so that only other code is left."""

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        return None

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        return None

    def visit_Import(self, node: ast.Import) -> None:
        return None

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        return None


def _without_functions(tree: ast.Module) -> str:
    copy = ast.parse(ast.unparse(tree))
    return ast.dump(_Outline().visit(copy))


def special_constants(file: ChangedFile) -> set[tuple[str, str]]:
    """Return the type and `repr` of each scalar constant of the base of which the patch adds no further copy, and of
    the integers next to such integers."""
    before, after = _constants(file.before), _constants(file.after)
    kept = {one: value for one, (count, value) in before.items() if after.get(one, (0, None))[0] <= count}
    near = [
        (int.__name__, repr(number))
        for value in kept.values()
        if type(value) is int and abs(value) >= LEAST_NUMBER
        for number in (value - 1, value + 1)
    ]
    return {*kept, *(one for one in near if after.get(one, (0, None))[0] == before.get(one, (0, None))[0])}


def _constants(text: str) -> Mapping[tuple[str, str], tuple[int, object]]:
    tree = parse(text)
    values = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)] if tree else []
    counts = Counter((type(value).__name__, repr(value)) for value in values)
    return {(type(value).__name__, repr(value)): (counts[type(value).__name__, repr(value)], value) for value in values}


def _parse(row: object) -> ComparedCall | None:
    """Return a call from a row of the guest, whose form is not trusted."""
    if not isinstance(row, dict):
        return None
    texts = [row.get(name) for name in ("function", "text", "base", "again", "patch")]
    given = row.get("arguments")
    if not all(isinstance(text, str) for text in texts) or not isinstance(given, list):
        return None
    arguments = [one for one in given if isinstance(one, list) and len(one) == 3]
    function, text, base, again, patch = map(str, texts)
    made = row.get("made") is True
    return ComparedCall(
        function, text, base, again, patch, made, tuple((str(a), str(b), c is True) for a, b, c in arguments)
    )
