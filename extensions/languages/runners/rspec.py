"""Hook for RSpec, however it is started: its JSON formatter writes a report into the output folder."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from aci.testing.runner_hooks import Hook, RunnerRequest
from aci.testing.suite_results import Line

LONGEST, MOST_FRAMES, MOST_PARTS = 4_000, 60, 3_000_000
OUTCOMES = {"passed": "passed", "failed": "failed", "pending": "skipped"}
FRAME = re.compile(r"(?:\./)?([^:]+\.rb):(\d{1,9})(?::in [`'](.*)')?")


def hook(request: RunnerRequest, command: str) -> Hook | None:
    if not re.search(r"\b(?:rspec|rake)\b", command) and not request.look(".rspec"):
        return None
    formats = f"--format progress --format json --out {request.out}/rspec-report.json"
    return Hook(command, env={"SPEC_OPTS": "${SPEC_OPTS:+$SPEC_OPTS }" + formats})


def read(request: RunnerRequest, path: str, data: bytes) -> Iterator[Line]:
    """Yield examples as `file::full description`; if several have the same description, the worst result counts."""
    if data.count(b"[") + data.count(b"{") > MOST_PARTS:
        return  # parsing would take many times the report's size in memory
    try:
        report = json.loads(data)
        examples = [one for one in report["examples"] if isinstance(one, dict)]
    except (ValueError, RecursionError, LookupError, TypeError):
        return
    yield {"start": "rspec"}
    reported = 0
    for example in examples:
        line = _line(request, example)
        if line and request.wants(line["id"], line["path"]):
            reported += 1
            yield {"running": line["id"]}
            yield line
        elif line and line["outcome"] == "failed":
            yield {"unasked": 1}
    yield {"finish": 0, "expected": reported}


def _line(request: RunnerRequest, example: dict[str, Any]) -> Line | None:
    outcome = OUTCOMES.get(str(example.get("status")))
    if outcome is None:
        return None
    path = str(example.get("file_path", "")).removeprefix("./")
    raised = example.get("exception") if isinstance(example.get("exception"), dict) else None
    own = [match for match in _frames(request, raised) if not match[1].startswith("/")]
    seconds = example.get("run_time")
    return {
        "id": f"{path}::{example.get('full_description', '')}",
        "outcome": outcome,
        "message": str((raised or {}).get("message", ""))[:LONGEST].strip(),
        "path": path,
        "line": example.get("line_number"),
        "seconds": seconds if isinstance(seconds, int | float) else 0.0,
        "error": str((raised or {}).get("class", "")).rpartition("::")[2],
        "trace": [[match[1], int(match[2]), match[3] or ""] for match in reversed(own)],
    }


def _frames(request: RunnerRequest, raised: dict[str, Any] | None) -> list[re.Match[str]]:
    backtrace = raised.get("backtrace") if raised else None
    frames = [frame for frame in backtrace if isinstance(frame, str)] if isinstance(backtrace, list) else []
    places = [frame.removeprefix(f"{request.root}/")[:LONGEST] for frame in frames[:MOST_FRAMES]]
    return [match for match in map(FRAME.match, places) if match]
