"""RSpec: its own JSON formatter writes a file of ours, whatever starts it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from aci.report import Line
from aci.runner import Asked, Hook

LONGEST, MOST_FRAMES, MOST_PARTS = 4_000, 60, 3_000_000
OUTCOMES = {"passed": "passed", "failed": "failed", "pending": "skipped"}
FRAME = re.compile(r"(?:\./)?([^:]+\.rb):(\d{1,9})(?::in [`'](.*)')?")


def hook(asked: Asked, command: str) -> Hook | None:
    if not re.search(r"\b(?:rspec|rake)\b", command) and not asked.look(".rspec"):
        return None
    formats = f"--format progress --format json --out {asked.out}/rspec-report.json"
    return Hook(command, env={"SPEC_OPTS": "${SPEC_OPTS:+$SPEC_OPTS }" + formats})


def read(asked: Asked, path: str, data: bytes) -> Iterator[Line]:
    """Examples by `file::full description`; of one that several share, the worst counts."""
    if data.count(b"[") + data.count(b"{") > MOST_PARTS:
        return  # which would take many times its own size in memory
    try:
        report = json.loads(data)
        examples = [one for one in report["examples"] if isinstance(one, dict)]
    except (ValueError, RecursionError, LookupError, TypeError):
        return
    yield {"start": "rspec"}
    told = 0
    for example in examples:
        line = _line(asked, example)
        if line and asked.wants(line["id"], line["path"]):
            told += 1
            yield {"running": line["id"]}
            yield line
        elif line and line["outcome"] == "failed":
            yield {"unasked": 1}
    yield {"finish": 0, "expected": told}


def _line(asked: Asked, example: dict[str, Any]) -> Line | None:
    outcome = OUTCOMES.get(str(example.get("status")))
    if outcome is None:
        return None
    path = str(example.get("file_path", "")).removeprefix("./")
    raised = example.get("exception") if isinstance(example.get("exception"), dict) else None
    own = [match for match in _frames(asked, raised) if not match[1].startswith("/")]
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


def _frames(asked: Asked, raised: dict[str, Any] | None) -> list[re.Match[str]]:
    told = raised.get("backtrace") if raised else None
    frames = [frame for frame in told if isinstance(frame, str)] if isinstance(told, list) else []
    places = [frame.removeprefix(f"{asked.root}/")[:LONGEST] for frame in frames[:MOST_FRAMES]]
    return [match for match in map(FRAME.match, places) if match]
