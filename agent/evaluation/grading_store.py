"""What is graded, on disk, where SWE-bench's harness keeps it: a folder an instance, its verdict written last.

`<dir>/logs/run_evaluation/<run id>/<model>/<instance>/` holds `patch.diff`, `eval.sh`, `test_output.txt`,
`run_instance.log` and, where there is a verdict, `report.json`, as that harness reads them; `graded.json` is ours.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, replace
from hashlib import sha256
from pathlib import Path
from secrets import token_hex
from typing import Any

from agent.evaluation.graded import Graded
from trajectories.errors import UsageError, WorkspaceError

START, END = ">>>>> Start Test Output", ">>>>> End Test Output"
REFUSED, APPLIED = ">>>>> Patch Apply Failed", ">>>>> Applied Patch"
LOGS = Path("logs", "run_evaluation")
LONGEST = 150
TUPLES = "f2p_ok", "f2p_failed", "p2p_ok", "p2p_failed", "flaky"


class Shelf:
    """What one run of the evaluation came to, a file an instance. Safe to share between threads."""

    def __init__(self, directory: Path, run_id: str) -> None:
        self.folder = directory / LOGS / run_id

    @staticmethod
    def check(run_id: str) -> None:
        """Raises UsageError for what cannot be the name of a run's folder."""
        if part(run_id) != run_id:
            raise UsageError(f"--run-id {run_id!r} cannot name a folder.", "Use letters, digits, - and _.")

    def of(self, model: str, instance: str) -> Path:
        return self.folder / part(model.replace("/", "__")) / part(instance)

    def find(self, model: str, instance: str, key: str) -> Graded | None:
        """The verdict that lies there, without its log, if it was come to from the same (`key`)."""
        try:
            kept = json.loads((self.of(model, instance) / "graded.json").read_bytes())
            if kept.pop("key") != key or kept["instance"] != instance:
                return None
            return Graded(**kept | {name: tuple(kept[name]) for name in TUPLES})
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None  # never graded, or damaged: then it is graded again

    def whole(self, model: str, instance: str, key: str) -> Graded | None:
        """As `find`, with its log and script."""
        found, folder = self.find(model, instance, key), self.of(model, instance)
        try:
            log, script = (
                (folder / name).read_bytes().decode("utf-8", "replace") for name in ("test_output.txt", "eval.sh")
            )
        except OSError:
            return None
        return replace(found, log=log, script=script) if found else None

    def put(self, model: str, graded: Graded, key: str, patch: str) -> Graded:
        """Keep a verdict; returns it without its log. What has none is told in the log, and graded again next time.

        Raises WorkspaceError where it cannot be written.
        """
        folder = self.of(model, graded.instance)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "graded.json").unlink(missing_ok=True)
            (folder / "report.json").unlink(missing_ok=True)
            _write(folder / "patch.diff", patch)
            _write(folder / "eval.sh", graded.script)
            _write(folder / "test_output.txt", _framed(graded))
            _write(folder / "run_instance.log", _told(graded))
            short = replace(graded, log="", script="")
            if graded.applied and not graded.error:
                _write(folder / "report.json", json.dumps(official(graded), indent=4))
            if not graded.error:
                _write(folder / "graded.json", json.dumps({"key": key, **asdict(short)}))
        except OSError as error:
            raise WorkspaceError(f"{folder} cannot be written: {error.strerror}.", "Make room, then go on.") from error
        return short


def key(*parts: object) -> str:
    """What a verdict depends on, as one word."""
    return sha256(json.dumps(parts, default=str).encode()).hexdigest()


def part(name: str) -> str:
    """`name` as one part of a path: itself where it can be, else like it, and different for different names."""
    if (
        re.fullmatch(r"[^\x00-\x1f\x7f/\\\ud800-\udfff]+", name)
        and name[0] not in ".-"
        and len(name.encode()) <= LONGEST
    ):
        return name
    like = re.sub(r"[^\w.+=@-]", "_", name, flags=re.ASCII).lstrip(".-")[: LONGEST // 2]
    return f"{like}~{sha256(name.encode('utf-8', 'surrogatepass')).hexdigest()[:12]}"


def official(graded: Graded) -> dict[str, Any]:
    """An instance's `report.json`, as SWE-bench's `get_eval_report` makes it (swebench 4, harness/grading.py)."""
    tests = {
        "FAIL_TO_PASS": {"success": list(graded.f2p_ok), "failure": list(graded.f2p_failed)},
        "PASS_TO_PASS": {"success": list(graded.p2p_ok), "failure": list(graded.p2p_failed)},
        "FAIL_TO_FAIL": {"success": [], "failure": []},
        "PASS_TO_FAIL": {"success": [], "failure": []},
    }
    return {
        graded.instance: {
            "patch_is_None": False,
            "patch_exists": True,
            "patch_successfully_applied": True,
            "resolved": graded.resolved,
            "tests_status": tests,
        }
    }


def _framed(graded: Graded) -> str:
    if not graded.applied or START in graded.log:
        return graded.log
    return f"{START}\n{graded.log.rstrip()}\n{END}\n"


def _told(graded: Graded) -> str:
    said = APPLIED if graded.applied else REFUSED
    flaky = f"\nFlaky: {', '.join(graded.flaky)}" if graded.flaky else ""
    ended = graded.error or f"Result for {graded.instance}: resolved: {graded.resolved}"
    return f"{'' if graded.error and not graded.applied else said}\n{ended}{flaky}\n{graded.seconds:.2f} seconds\n"


def _write(path: Path, text: str) -> None:
    """Whole or not at all, also where the process is killed."""
    torn = path.with_name(f"{path.name}.{token_hex(4)}.torn")
    try:
        torn.write_bytes(text.encode("utf-8", "replace"))
        torn.replace(path)
    finally:
        torn.unlink(missing_ok=True)
