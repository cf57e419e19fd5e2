"""Runs of an issue's example in a workspace, by the guest program `guest/issue_steps.py`."""

from __future__ import annotations

import json
import secrets
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import isfinite
from typing import Any

from aci.runtime.guest_programs import program_source
from aci.runtime.workspace import HARNESS_SESSION, Workspace
from trajectories.errors import UsageError

ANSWER_LIMIT = 5_000_000
COMPARED = ("fits", "equal", "repr", "missing")
TOO_LONG = "The statement took too long."
LONGEST = 4_000
"""Maximum number of characters of a text of the answer."""


@dataclass(frozen=True, slots=True)
class StepResult:
    """What one statement did.

    `kind` is `done`, `value` or `raised`. `shown` holds the texts of the value or of the printed output. `expected`
    tells, for each expected expression, whether it `fits` the value, is `equal` to it, and its `repr`. For an
    exception, `frames` are its places in the repository, innermost last, and `in_example` tells whether the example
    itself raised it. `path` is the file of the repository that defines what the statement uses.
    """

    kind: str
    shown: tuple[str, ...] = ()
    is_text: bool = False
    expected: tuple[Mapping[str, Any], ...] = ()
    error: str = ""
    message: str = ""
    frames: tuple[tuple[str, str], ...] = ()
    in_example: bool = False
    as_wanted: tuple[str, ...] = ()
    path: str = ""
    operands: tuple[str, ...] = ()
    """For an assertion, the texts of its operands, in the order of evaluation."""

    @property
    def is_timeout(self) -> bool:
        """Whether the runner ended the statement, which took too much processor time."""
        return (self.error, self.message) == ("TimeoutError", TOO_LONG)


@dataclass(frozen=True, slots=True)
class ExampleRun:
    """The results of statements, the names that are then defined, those that each star import defined, and the numbers
    of the statements that the last one's failure needs."""

    steps: tuple[StepResult, ...] = ()
    names: frozenset[str] = frozenset()
    stars: Mapping[int, frozenset[str]] | None = None
    kept: tuple[int, ...] = ()
    cpu: float = 0.0


def run_example(
    workspace: Workspace,
    steps: Sequence[str],
    expected: Mapping[int, Sequence[str]],
    seconds: float,
    raises: Sequence[str] = (),
    reduce: Sequence[int] = (),
) -> ExampleRun:
    """Run statements one after the other in one namespace, whether or not earlier ones fail; empty if that fails.

    The steps with the numbers `reduce` are left out if the last one fails in the same way without them. The code is
    untrusted, so the workspace must be one in which untrusted code may run. `seconds` limits the CPU time.
    """
    folder = f"{workspace.harness}/example-{secrets.token_hex(8)}"
    job = {
        "root": workspace.root,
        "steps": list(steps),
        "expected": {str(number): list(texts) for number, texts in expected.items()},
        "raises": list(raises),
        "reduce": list(reduce),
        "seconds": seconds,
        "out": f"{folder}/answer.json",
    }
    workspace.write(f"{folder}/steps.py", program_source("reproduction/issue_steps.py"))
    workspace.write(f"{folder}/job.json", json.dumps(job).encode())
    python = '"$(command -v python || echo python3)"'
    script = f"PYTHONHASHSEED=0 {python} {shlex.quote(folder)}/steps.py {shlex.quote(folder)}/job.json"
    command = f"(cd {shlex.quote(workspace.scratch)} && {script}) >/dev/null 2>&1; rm -f {shlex.quote(folder)}/steps.py"
    workspace.run(command, 3 * seconds + 10, HARNESS_SESSION)
    try:
        found = _parse(json.loads(workspace.read(f"{folder}/answer.json", ANSWER_LIMIT)), len(steps))
        return replace(found, cpu=min(max(found.cpu, 0.0), seconds) if isfinite(found.cpu) else seconds)
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError, UsageError):
        return ExampleRun()


def _parse(answer: dict[str, Any], count: int) -> ExampleRun:
    """Parse the program's answer, which is untrusted because the example ran in the same process."""
    stars = {int(number): frozenset(map(str, names)) for number, names in answer["stars"].items()}
    kept = tuple(int(number) for number in answer["kept"] if 0 <= int(number) < count)
    steps = tuple(map(_parse_step, answer["steps"]))
    return ExampleRun(steps, frozenset(map(str, answer["names"])), stars, kept, float(answer["cpu"]))


def _text(value: object) -> str:
    return str(value)[:LONGEST]


def _parse_step(one: dict[str, Any]) -> StepResult:
    texts = (one.get("repr", ""), one.get("str", ""), one.get("out", ""))
    compared = [
        {key: each[key] if isinstance(each[key], bool) else _text(each[key]) for key in COMPARED if key in each}
        for each in one.get("expected", ())
    ]
    return StepResult(
        kind=str(one["kind"]),
        shown=tuple(dict.fromkeys(text for text in map(_text, texts) if text.strip())),
        is_text=bool(one.get("is_text")),
        expected=tuple(compared),
        error=_text(one.get("type", "")),
        message=_text(one.get("message", "")),
        frames=tuple((str(path), str(name)) for path, _, name in one.get("frames", ())),
        in_example=bool(one.get("in_example")),
        as_wanted=tuple(map(str, one.get("as_wanted", ()))),
        path=str(one.get("path", "")),
        operands=tuple(map(_text, one.get("operands", ()))),
    )
