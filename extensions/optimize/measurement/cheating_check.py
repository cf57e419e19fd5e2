"""Detection of functions that are faster only by cheating, from the changed code and its behaviour in two workspaces.

The kinds of cheating are those that "Towards Better Correctness and Efficiency in Code Generation" (arXiv 2508.20124)
and other papers report for models that are rewarded for speed. A finding is not a proof; it names the code to change or
explain.
"""

from __future__ import annotations

import base64
import json
import secrets
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from aci.runtime.guest_programs import install_programs
from aci.runtime.target_function import PickledCall, Target, python_line
from aci.runtime.workspace import Workspace
from extensions.optimize.measurement.changed_code import Change
from extensions.optimize.measurement.code_assertions import all_terms
from extensions.optimize.measurement.runtime_cheating_check import runtime_findings
from extensions.optimize.measurement.static_cheating_check import static_findings
from trajectories.errors import Cancelled, UsageError

SESSION = "guards"
SECONDS = 600.0
MOST_CALLS, ANSWER_LIMIT = 64, 60_000_000
KINDS = ("cache", "import", "memory", "harness", "checks", "lazy", "hidden")


@dataclass(frozen=True, slots=True)
class CheatingFinding:
    """A sign of cheating: `kind` is one of KINDS; `why` is a sentence that explains the finding, with the line number
    if it is known."""

    kind: str
    why: str


def find_cheating(
    before: Workspace,
    after: Workspace,
    target: Target,
    calls: Sequence[PickledCall],
    files_before: Mapping[str, bytes],
    files_after: Mapping[str, bytes],
    seconds: float = SECONDS,
) -> list[CheatingFinding]:
    """Return the findings on the change between the workspaces `before` and `after`; empty if there are none.

    `files_before` and `files_after` hold the contents of the files that differ, by path; equal files are ignored. Code
    of the repository runs only in these workspaces, each for at most `seconds`. If the old function cannot be observed
    in that time, only the code is checked. Raises Cancelled and WorkspaceError.
    """
    change = Change.of(files_before, files_after, target)
    found = [CheatingFinding(kind, why) for kind, why in _all_doubts(before, after, target, calls, change, seconds)]
    return sorted(dict.fromkeys(found), key=lambda doubt: KINDS.index(doubt.kind))


def _all_doubts(
    before: Workspace, after: Workspace, target: Target, calls: Sequence[PickledCall], change: Change, seconds: float
) -> Iterator[tuple[str, str]]:
    yield from static_findings(change)
    distinct = islice(dict.fromkeys(call.data for call in calls), MOST_CALLS)
    known = json.dumps({"known": [base64.b64encode(data).decode() for data in distinct]}).encode()
    was, varied = _observe(before, target, known, change, True, seconds)
    if was is None:
        return  # the old function cannot be observed, so there is nothing to compare with
    now, _ = _observe(after, target, varied, change, False, seconds)
    if now is None:
        yield (
            "harness",
            "The changed function could not be observed: its process ended or hung, unlike that of the old function.",
        )
        return
    try:
        yield from runtime_findings(was, now, change)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError):
        yield "harness", "The report of the changed function's process cannot be read; the function may tamper with it."


def _observe(
    room: Workspace, target: Target, calls: bytes, change: Change, vary: bool, seconds: float
) -> tuple[dict[str, Any] | None, bytes]:
    """Run the probe in the workspace; return its observations, and the calls including the variations that it
    generated."""
    programs = install_programs(room.write, room.harness, "optimize.cheating_probe")
    name = f"{room.harness}/guards-{secrets.token_hex(8)}"
    job = {
        "root": room.root,
        "path": target.path,
        "name": target.name,
        "calls": f"{name}-calls.json",
        "constants": change.constants_before,
        "keys": change.keys,
        "terms": all_terms(change) if vary else {},
        "vary": vary,
        "out": f"{name}-seen.json",
    }
    room.write(job_file := f"{name}.json", json.dumps(job).encode())
    room.write(f"{name}-calls.json", calls)
    line = python_line(room, [programs, "optimize.cheating_probe", job_file])
    ran = room.run(f"(export PYTHONHASHSEED=0 PYTHONDONTWRITEBYTECODE=1; {line}) </dev/null", seconds, SESSION)
    if ran.code == 130:
        raise Cancelled("The check of a candidate was interrupted.")
    try:
        seen = json.loads(room.read(f"{name}-seen.json", ANSWER_LIMIT))
        calls = room.read(f"{name}-calls.json", ANSWER_LIMIT)
    except (OSError, ValueError, RecursionError, UsageError):
        seen = None
    room.run(f"rm -f {shlex.quote(name)}*", 20, SESSION)
    return (seen if isinstance(seen, dict) else None), calls
