"""Correctness of `swe-agent evaluate`: whether it resolves gold patches and rejects wrong ones, per instance.

    python -m benchmarks.evaluation --instances F... --repos DIR --out DIR [--workspace local] [--image I] [ID...]

A scripted model answers every other instance with its gold patch, and the others with a wrong one, which adds an unused
function to the file that the gold patch changes. `--swap` exchanges the two groups. `swe-agent batch` makes the
predictions, in `--image` if the workspace is Docker. `swe-agent evaluate` grades them in the environments of the
instances, with the user's settings. If the swebench package is installed, its own grading reads the same logs.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from extensions.lab.instances.dataset_instances import Gold, read_golds, read_instances
from extensions.lab.instances.jobs import Instance

WRONG = "\n\ndef _never_called():\n    return None\n"
RUN = "benchmark"


@dataclass(frozen=True, slots=True)
class Case:
    """An instance, and whether its prediction should be the gold patch."""

    instance: Instance
    gold: Gold
    right: bool

    def line(self) -> dict[str, Any]:
        """The scripted model's answer: the whole patch in one reply."""
        path = re.findall(r"^\+\+\+ b/(.+\.py)$", self.gold.patch, re.MULTILINE)[0]
        right = f"git apply - <<'END_OF_THE_PATCH'\n{self.gold.patch.rstrip(chr(10))}\nEND_OF_THE_PATCH\n"
        command = right if self.right else f"cat >> '{path}' <<'END_OF_THE_TEXT'\n{WRONG}END_OF_THE_TEXT\n"
        actions = [{"tool": "shell", "arguments": {"command": command}}, {"tool": "submit", "arguments": {}}]
        return {"contains": self.instance.issue.title, "reply": {"text": "This is it.", "actions": actions}}


@dataclass(frozen=True, slots=True)
class Row:
    case: Case
    predicted: bool
    report: dict[str, Any]
    seconds: float
    theirs: bool | None

    @property
    def is_correct(self) -> bool:
        resolved = self.report.get("resolved")
        return self.predicted and resolved is self.case.right and self.theirs in (None, resolved)

    def __str__(self) -> str:
        tests = self.report.get("tests_status", {})
        counts = [
            f"{len(found['success'])}/{len(found['success']) + len(found['failure'])}"
            for found in (tests.get(kind, {"success": [], "failure": []}) for kind in ("FAIL_TO_PASS", "PASS_TO_PASS"))
        ]
        verdict = {True: "resolved", False: "unresolved"}.get(self.report.get("resolved"), "no verdict")  # type: ignore[arg-type]
        theirs = "" if self.theirs is None else "same" if self.theirs is self.report.get("resolved") else "other"
        cells = [
            self.case.gold.id,
            "gold" if self.case.right else "wrong",
            verdict,
            *counts,
            f"{self.seconds:.1f}",
            theirs,
        ]
        return " | ".join(["", *cells, "yes" if self.is_correct else "NO", ""]).strip()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--instances", action="append", type=Path, required=True)
    parser.add_argument("--repos", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--workspace", default="docker", choices=("docker", "local"))
    parser.add_argument("--image", default="")
    parser.add_argument("--workers", default="1")
    parser.add_argument("--swap", action="store_true", help="exchange the instances with gold and wrong patches")
    parser.add_argument("ids", nargs="*")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    cases = _cases(args.instances, args.ids, args.swap)
    began = time.monotonic()
    predictions = _make_predictions(cases, args)
    between = time.monotonic()
    _run_agent(
        args, cases, "evaluate", "--predictions", str(args.out / "batch"), "--run-id", RUN, out=args.out / "evaluation"
    )
    rows = [_read_result(case, predictions.get(case.gold.id, ""), args.out / "evaluation") for case in cases]
    print("| instance | patch | verdict | F2P | P2P | s | swebench | correct |\n|---|---|---|---|---|---|---|---|")
    print(*rows, sep="\n")
    print(f"\n{sum(row.is_correct for row in rows)} of {len(rows)} correct.", end=" ")
    print(f"Predictions took {between - began:.0f} s, evaluation {time.monotonic() - between:.0f} s.")
    sys.exit(not all(row.is_correct for row in rows))


def _cases(files: Sequence[Path], ids: Sequence[str], swap: bool) -> list[Case]:
    golds = read_golds(files)
    known = {instance.id: instance for instance in read_instances(files)}
    return [Case(known[id], golds[id], (number % 2 == 0) is not swap) for number, id in enumerate(ids or known)]


def _make_predictions(cases: Sequence[Case], args: argparse.Namespace) -> dict[str, str]:
    """Run a batch on the cases; return its patches by instance id."""
    script = args.out / "script.jsonl"
    last = {"reply": {"text": "Done.", "actions": [{"tool": "submit", "arguments": {}}]}}
    script.write_text("".join(f"{json.dumps(line)}\n" for line in (*(case.line() for case in cases), last)))
    options = ["--model", f"scripted:{script}", "--strategy", "react", "--test", "true"]
    _run_agent(args, cases, "batch", *options, *(["--image", args.image] if args.image else []), out=args.out / "batch")
    found = json.loads((args.out / "batch" / "preds.json").read_text())
    return {id: row["model_patch"] for id, row in found.items()}


def _run_agent(args: argparse.Namespace, cases: Sequence[Case], *words: str, out: Path) -> None:
    ids = "|".join(re.escape(case.gold.id) for case in cases)
    files = [word for path in args.instances for word in ("--instances", str(path))]
    places = ["--repos", str(args.repos), "--out", str(out), "--workspace", args.workspace, "--workers", args.workers]
    subprocess.run(
        [sys.executable, "-m", "swe_agent", *words, *files, *places, "--plain", "--filter", f"^({ids})$"], check=True
    )


def _read_result(case: Case, patch: str, out: Path) -> Row:
    """Read the report of `evaluate` on a case, and grade the same log with SWE-bench."""
    id = case.gold.id
    folder = next(iter(out.glob(f"logs/run_evaluation/{RUN}/*/{id}")), out)
    report = json.loads((folder / "report.json").read_text())[id] if (folder / "report.json").exists() else {}
    graded = json.loads((folder / "graded.json").read_text()) if (folder / "graded.json").exists() else {}
    predicted = bool(patch.strip()) and ("_never_called" in patch) is not case.right
    return Row(
        case,
        predicted,
        report,
        graded.get("seconds", 0.0),
        _grade_with_swebench(case, patch, folder / "test_output.txt"),
    )


def _grade_with_swebench(case: Case, patch: str, log: Path) -> bool | None:
    if importlib.util.find_spec("swebench") is None or not log.exists():
        return None
    from swebench.harness.grading import get_eval_report
    from swebench.harness.test_spec.test_spec import TestSpec

    gold, instance = case.gold, case.instance
    tests = list(gold.fail_to_pass), list(gold.pass_to_pass)
    spec = TestSpec(gold.id, instance.repo, instance.version, [], [], [], "x86_64", *tests, "py", {}, None)
    prediction = {"instance_id": gold.id, "model_patch": patch, "model_name_or_path": RUN}
    return bool(get_eval_report(spec, prediction, str(log), True)[gold.id]["resolved"])


if __name__ == "__main__":
    main()
