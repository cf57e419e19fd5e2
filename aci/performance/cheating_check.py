"""Whether a faster function is faster by cheating: looks at what the change adds, and at what it does in two rooms.

The kinds are those that "Towards Better Correctness and Efficiency in Code Generation" (arXiv 2508.20124) and others
report of models that are paid for speed. A doubt is no proof; it names what to change or to explain.
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

from aci.guards_checks import all_terms
from aci.guards_code import Change
from aci.guards_look import code_doubts
from aci.guards_seen import seen_doubts
from aci.target import KeptCall, Target, place, python_line
from aci.workspace import Workspace
from trajectories.errors import Cancelled, UsageError

SESSION = "guards"
FILES = (
    *("subject", "sandbox", "guarding", "guarding_alike", "guarding_left", "guarding_told", "guarding_vary"),
    "guarding_watch",
)
SECONDS = 600.0
MOST_CALLS, ANSWER_LIMIT = 64, 60_000_000
KINDS = ("cache", "import", "memory", "harness", "checks", "lazy", "hidden")


@dataclass(frozen=True, slots=True)
class Doubt:
    """`kind` is one of KINDS; `why` is a sentence that somebody can act on, with the line where there is one."""

    kind: str
    why: str


def doubts(
    before: Workspace,
    after: Workspace,
    target: Target,
    calls: Sequence[KeptCall],
    files_before: Mapping[str, bytes],
    files_after: Mapping[str, bytes],
    seconds: float = SECONDS,
) -> list[Doubt]:
    """What speaks against the change from `before` to `after`, which are rooms; empty if nothing does.

    The files are those that differ between the two (equal ones do no harm), by path. Both rooms run code of the
    repository and nothing else does; each of the two may take `seconds`. Where the old function cannot be watched in
    that time, the text alone is judged. Raises Cancelled and WorkspaceError.
    """
    change = Change.of(files_before, files_after, target)
    found = [Doubt(kind, why) for kind, why in _all_doubts(before, after, target, calls, change, seconds)]
    return sorted(dict.fromkeys(found), key=lambda doubt: KINDS.index(doubt.kind))


def _all_doubts(
    before: Workspace, after: Workspace, target: Target, calls: Sequence[KeptCall], change: Change, seconds: float
) -> Iterator[tuple[str, str]]:
    yield from code_doubts(change)
    distinct = islice(dict.fromkeys(call.data for call in calls), MOST_CALLS)
    known = json.dumps({"known": [base64.b64encode(data).decode() for data in distinct]}).encode()
    was, widened = _look(before, target, known, change, True, seconds)
    if was is None:
        return  # the function as it was cannot be watched: then its calls tell nothing
    now, _ = _look(after, target, widened, change, False, seconds)
    if now is None:
        yield (
            "harness",
            "The changed function could not be watched: its process ended or hung where the old one's did not.",
        )
        return
    try:
        yield from seen_doubts(was, now, change)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError):
        yield "harness", "What the changed function's process told of itself cannot be read; does it meddle with it?"


def _look(
    room: Workspace, target: Target, calls: bytes, change: Change, vary: bool, seconds: float
) -> tuple[dict[str, Any] | None, bytes]:
    """(what was seen in the room, the calls with those that were made from them there)."""
    folder = place(room, *FILES)
    name = f"{folder}/{secrets.token_hex(8)}"
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
    line = python_line(room, [f"{folder}/guarding.py", job_file])
    ran = room.run(f"(export PYTHONHASHSEED=0 PYTHONDONTWRITEBYTECODE=1; {line}) </dev/null", seconds, SESSION)
    if ran.code == 130:
        raise Cancelled("The look at a candidate was interrupted.")
    try:
        seen = json.loads(room.read(f"{name}-seen.json", ANSWER_LIMIT))
        calls = room.read(f"{name}-calls.json", ANSWER_LIMIT)
    except (OSError, ValueError, RecursionError, UsageError):
        seen = None
    room.run(f"rm -f {shlex.quote(name)}*", 20, SESSION)
    return (seen if isinstance(seen, dict) else None), calls
