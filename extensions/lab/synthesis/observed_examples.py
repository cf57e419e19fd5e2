"""Examples of failing tests with the results that they give with and without the change.

Assertions of tests say less: pytest shortens long values, and a name in an assertion says nothing outside of the test.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeGuard

from aci.runtime.guest_programs import program_source
from aci.runtime.target_function import PYTHON
from aci.runtime.workspace import Workspace
from aci.testing.suite_results import TestResult
from aci.testing.suite_run import SESSION
from extensions.lab.synthesis.failing_example import FailingExample
from extensions.lab.synthesis.failing_statement import MOST_VALUE, shorten_message

SECONDS = 120.0
ADDRESS = re.compile(r"\bat 0x[0-9a-f]+", re.IGNORECASE)
CANNOT_RUN = ("ImportError", "ModuleNotFoundError")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an example gave: the text of its value (None if it has none), or the exception that ended it."""

    value: str | None
    error: str
    message: str


def run_examples(workspace: Workspace, command: str, codes: Sequence[str]) -> list[Outcome | None]:
    """Run Python examples with the interpreter of the test command; None for one that does not end in time, or gives
    something else in a second run with other hashes."""
    interpreter = re.match(r"(.*\S)\s+-m\s+(?:pytest|unittest)\b", command)
    script = program_source("lab/example_results.py").decode()
    python = f"{interpreter[1] if interpreter else PYTHON} {shlex.join(['-c', script, json.dumps(codes)])}"
    line = f"(cd {shlex.quote(workspace.root)} && for PYTHONHASHSEED in 1 2; do export PYTHONHASHSEED; {python}; done)"
    output = workspace.run(line, SECONDS, SESSION).output.decode("utf-8", "replace").split("\n")
    runs = [found for row in output if row.startswith("[") and len(found := _outcomes(row)) == len(codes)][-2:]
    if len(runs) < 2:
        return [None] * len(codes)
    return [one if one == other else None for one, other in zip(*runs, strict=True)]


def _outcomes(line: str) -> list[Outcome | None]:
    """Return the outcomes in a line of the program's output, which is untrusted; nothing if it has others."""
    try:
        rows = json.loads(line)
        return [
            None if row is None else Outcome(row["value"] and str(row["value"]), str(row["error"]), str(row["message"]))
            for row in rows
        ]
    except (ValueError, TypeError, KeyError, RecursionError):
        return []


def observe(
    failure: TestResult, example: FailingExample, before: Outcome | None, after: Outcome | None
) -> tuple[TestResult, FailingExample] | None:
    """Return the failure and its example with the results `before` and `after` the change, as far as they are known.

    None if they contradict the test: the example fails without the change, or gives the same with it.
    """
    if before is None or after is None or before.error in CANNOT_RUN or not _is_comparable(before, after):
        return failure, example
    is_raised = example.expected.endswith("is raised")
    if before == after or bool(before.error) != is_raised:
        return None
    seen = replace(failure, error=after.error or "AssertionError")
    expected, actual = example.expected, example.actual
    if is_raised:
        expected = f"{before.error} is raised"
    elif _is_short(before.value) and (expected, before.value) != ("no exception", "None"):
        expected = before.value
    if after.error:
        actual = shorten_message(f"{after.error}: {after.message}")
    elif is_raised:
        actual = "no exception is raised"
    elif _is_short(after.value):
        actual = after.value
    return seen, replace(example, expected=expected, actual=actual)


def _is_comparable(one: Outcome, other: Outcome) -> bool:
    has_address = any(ADDRESS.search(outcome.value or "") for outcome in (one, other))
    return not has_address and any(outcome.value is not None or outcome.error for outcome in (one, other))


def _is_short(value: str | None) -> TypeGuard[str]:
    return value is not None and len(value) <= MOST_VALUE
