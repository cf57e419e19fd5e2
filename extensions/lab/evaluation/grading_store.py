"""Verdicts on disk, in the layout of SWE-bench's harness: a folder for each instance, with the verdict written last.

`<dir>/logs/run_evaluation/<run id>/<model>/<instance>/` holds `patch.diff`, `eval.sh`, `test_output.txt`,
`run_instance.log` and, for a verdict, `report.json`, as the harness reads them; `graded.json` is swe-agent's own.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, replace
from hashlib import sha256
from pathlib import Path
from secrets import token_hex
from typing import Any

from extensions.lab.evaluation.patch_grade import GradingResult
from trajectories.errors import UsageError, WorkspaceError
from trajectories.file_limits import read_limited

START, END = ">>>>> Start Test Output", ">>>>> End Test Output"
REFUSED, APPLIED = ">>>>> Patch Apply Failed", ">>>>> Applied Patch"
LOGS = Path("logs", "run_evaluation")
LONGEST = 150
SUMMARY = "evaluation.json"
"""The file with the object that `evaluate --json` prints, in the folder of the evaluation."""
IMAGES = "docker"
"""The workspace that grades in images, as SWE-bench's harness does."""
TUPLES = "f2p_ok", "f2p_failed", "p2p_ok", "p2p_failed", "flaky"


class GradingStore:
    """The verdicts of one run id, in a folder for each instance. Thread-safe."""

    def __init__(self, directory: Path, run_id: str) -> None:
        self.folder = directory / LOGS / run_id

    @staticmethod
    def check(run_id: str) -> None:
        """Raise UsageError for a run id that is not a valid folder name."""
        if path_part(run_id) != run_id:
            raise UsageError(f"--run-id {run_id!r} cannot name a folder.", "Use letters, digits, - and _.")

    def of(self, model: str, instance: str) -> Path:
        return self.folder / path_part(model.replace("/", "__")) / path_part(instance)

    def find(self, model: str, instance: str, key: str) -> GradingResult | None:
        """Return the stored verdict without its log, if it has the same `key`; else None."""
        try:
            row = json.loads((self.of(model, instance) / "graded.json").read_bytes())
            if row.pop("key") != key or row["instance"] != instance:
                return None
            return GradingResult(**row | {name: tuple(row[name]) for name in TUPLES})
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None  # not graded, or damaged: it is graded again

    def whole(self, model: str, instance: str, key: str) -> GradingResult | None:
        """Return the stored verdict like `find`, but with its log and script."""
        found, folder = self.find(model, instance, key), self.of(model, instance)
        try:
            log, script = (
                (folder / name).read_bytes().decode("utf-8", "replace") for name in ("test_output.txt", "eval.sh")
            )
        except OSError:
            return None
        return replace(found, log=log, script=script) if found else None

    def put(self, model: str, graded: GradingResult, key: str, patch: str) -> GradingResult:
        """Store a result and return it without its log. A result with an error is only logged, and the patch is graded
        again next time.

        Raises WorkspaceError if the result cannot be written.
        """
        folder = self.of(model, graded.instance)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "graded.json").unlink(missing_ok=True)
            (folder / "report.json").unlink(missing_ok=True)
            _write(folder / "patch.diff", patch)
            _write(folder / "eval.sh", graded.script)
            _write(folder / "test_output.txt", _with_markers(graded))
            _write(folder / "run_instance.log", _log_text(graded))
            short = replace(graded, log="", script="")
            if graded.applied and not graded.error:
                _write(folder / "report.json", json.dumps(instance_report(graded), indent=4))
            if not graded.error:
                _write(folder / "graded.json", json.dumps({"key": key, **asdict(short)}))
        except OSError as error:
            fix = "Free disk space, then start the evaluation again."
            raise WorkspaceError(f"{folder} cannot be written: {error.strerror}.", fix) from error
        return short


def graded_in(directory: Path) -> str:
    """Return the kind of workspace that the verdicts in an evaluation's folder come from; "" if there is none, or none
    that records it."""
    return next(filter(None, map(_workspace_in, directory.glob(f"{LOGS}/*/*/*/graded.json"))), "")


def workspace_of_report(report: Path) -> str:
    """Return the kind of workspace that the grades in a run report come from; "" if an earlier version, which did not
    record it, wrote the report.

    A report that names none comes from images, as those of the harness do. Reports of earlier versions look the same,
    so the files that an evaluation leaves beside its report decide. They do not help if somebody has moved it.
    """
    report = report.resolve()
    named = _object_in(report).get("workspace")
    if named is not None:
        return str(named)
    summary = _object_in(report.parent / SUMMARY)
    runs = summary.get("runs")
    if any(isinstance(run, dict) and Path(str(run.get("report"))).name == report.name for run in runs or ()):
        return str(summary.get("workspace", ""))
    verdicts = [
        path
        for folder in (report.parent / LOGS).glob("*")
        if report.name.endswith(f".{folder.name}.json")
        for path in (folder / report.name.removesuffix(f".{folder.name}.json")).glob("*/graded.json")
    ]
    found = set(map(_workspace_in, verdicts)) or {IMAGES}
    return found.pop() if len(found) == 1 else ""


def _workspace_in(path: Path) -> str:
    """Return the workspace that a file records; "" if it records none."""
    found = _object_in(path).get("workspace")
    return found if isinstance(found, str) else ""


def _object_in(path: Path) -> dict[str, Any]:
    """Return the JSON object in a file; an empty one if there is none."""
    try:
        found = json.loads(read_limited(path))
    except (OSError, ValueError, RecursionError, UsageError):
        return {}
    return found if isinstance(found, dict) else {}


def key(*parts: object) -> str:
    """Return a hash of everything that a verdict depends on."""
    return sha256(json.dumps(parts, default=str).encode()).hexdigest()


def path_part(name: str) -> str:
    """Return `name` as a single path component: unchanged if valid, else a similar and unique name."""
    if (
        re.fullmatch(r"[^\x00-\x1f\x7f/\\\ud800-\udfff]+", name)
        and name[0] not in ".-"
        and len(name.encode()) <= LONGEST
    ):
        return name
    like = re.sub(r"[^\w.+=@-]", "_", name, flags=re.ASCII).lstrip(".-")[: LONGEST // 2]
    return f"{like}~{sha256(name.encode('utf-8', 'surrogatepass')).hexdigest()[:12]}"


def instance_report(graded: GradingResult) -> dict[str, Any]:
    """Return an instance's `report.json` in the format of SWE-bench's `get_eval_report` (swebench 4,
    harness/grading.py)."""
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


def _with_markers(graded: GradingResult) -> str:
    if not graded.applied or START in graded.log:
        return graded.log
    return f"{START}\n{graded.log.rstrip()}\n{END}\n"


def _log_text(graded: GradingResult) -> str:
    said = APPLIED if graded.applied else REFUSED
    flaky = f"\nFlaky: {', '.join(graded.flaky)}" if graded.flaky else ""
    ended = graded.error or f"Result for {graded.instance}: resolved: {graded.resolved}"
    return f"{'' if graded.error and not graded.applied else said}\n{ended}{flaky}\n{graded.seconds:.2f} seconds\n"


def _write(path: Path, text: str) -> None:
    """Write a file atomically, even if the process is killed."""
    torn = path.with_name(f"{path.name}.{token_hex(4)}.torn")
    try:
        torn.write_bytes(text.encode("utf-8", "replace"))
        torn.replace(path)
    finally:
        torn.unlink(missing_ok=True)
