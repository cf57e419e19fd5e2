"""Repair of real bugs without a model, with the failing tests given: repaired bugs, and tests that keep passing.

    python -m benchmarks.real_bugs --issues F --gold F --repos DIR [--max-time S] [--limit N] [--json OUT] [ID...]

For each instance, the base with the test patch's files becomes a repository with one commit. `swe-agent fix --strategy
templates --reproduce` is run in it, with the environment that `evaluate --workspace local` makes as the swebench
package specifies. The FAIL_TO_PASS tests are given; the gold patch is not read. `plausible`: all FAIL_TO_PASS tests
pass with the patch, in a clean copy. `kept`: all PASS_TO_PASS tests pass, too. If an instance's test runner is neither
pytest nor unittest, pytest runs the same files. Repositories are DIR/owner+name/repo. With `--json` an interrupted
benchmark is resumed.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks._instances import built, chosen
from extensions.lab.evaluation.grading_files import files
from extensions.lab.instances.dataset_instances import Gold
from extensions.lab.instances.jobs import Instance
from trajectories.errors import SweAgentError


@dataclass(frozen=True)
class Row:
    """Result of an instance; `why` is the edit or the reason for a failure, in one line. Seconds are wall-clock."""

    id: str
    plausible: bool
    kept: bool
    verdict: str
    seconds: float
    why: str


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--issues", type=Path, required=True)
    parser.add_argument("--gold", type=Path, required=True)
    parser.add_argument("--repos", type=Path, required=True)
    parser.add_argument("--max-time", type=float, default=300.0)
    parser.add_argument("--limit", type=int, default=0)
    parser.add_argument("--json", type=Path)
    parser.add_argument("ids", nargs="*")
    args = parser.parse_args(arguments)
    try:
        instances = chosen([args.issues, args.gold], args.ids)[: args.limit or None]
    except (SweAgentError, OSError) as error:
        texts = (error.message, error.fix) if isinstance(error, SweAgentError) else (str(error),)
        print(*texts, file=sys.stderr)
        return 2
    rows = [Row(**one) for one in json.loads(args.json.read_text())] if args.json and args.json.exists() else []
    done = {row.id for row in rows}
    for gold, instance in instances:
        if gold.id in done:
            continue
        began = time.monotonic()
        try:
            row = _repair(gold, instance, args.repos, args.max_time)
        except (SweAgentError, subprocess.SubprocessError) as error:
            message = getattr(error, "message", str(error))
            row = Row(
                gold.id, False, False, "not run", round(time.monotonic() - began, 1), " ".join(message.split())[-300:]
            )
        rows.append(row)
        print(_line(row), flush=True)
        if args.json:
            args.json.write_text(json.dumps([asdict(one) for one in rows], indent=1))
    _table(rows)
    return 0


def _repair(gold: Gold, instance: Instance, repos: Path, max_time: float) -> Row:
    with tempfile.TemporaryDirectory(prefix="swe-agent-real-") as home:
        place = built(gold, instance, repos, Path(home) / instance.repo.partition("/")[2], tested=True)
        began = time.monotonic()
        result = place.fix("--strategy", "templates", "--reproduce", reproduction(gold), seconds=max_time)
        seconds = time.monotonic() - began
        failed, lost = place.failing_tests(result.get("patch", ""))
    verdict = str(result.get("verdict", {}).get("kind", "none"))
    plausible = bool(result.get("patch")) and not failed
    return Row(gold.id, plausible, plausible and not lost, verdict, round(seconds, 1), _why(result, failed, lost))


def reproduction(gold: Gold) -> str:
    """The failing test if there is one, otherwise the file of the tests. Some data sets truncate the names."""
    (first, *more), tested = gold.fail_to_pass, files(gold.test_patch)
    if "::" not in first:
        return f"{tested[0]}::{first}" if not more else tested[0]
    if more:
        return first.partition("::")[0]
    return first if first.count("[") == first.count("]") else first.partition("[")[0]


def _why(result: dict[str, Any], failed: Sequence[str], lost: Sequence[str]) -> str:
    word = " ".join(str(result.get("word", "")).split())
    if not result.get("patch"):
        return word or str(result.get("error", {}).get("message", ""))
    if failed:
        return f"{len(failed)} FAIL_TO_PASS fail: {failed[0]}. {word}"
    return f"{len(lost)} PASS_TO_PASS fail: {lost[0]}. {word}" if lost else word


def _line(row: Row) -> str:
    outcome = "kept" if row.kept else "plausible" if row.plausible else "-"
    return f"{row.id:40} {outcome:9} {row.verdict:10} {row.seconds:6.0f} s  {row.why[:300]}"


def _table(rows: Sequence[Row]) -> None:
    print("| instance | plausible | PASS_TO_PASS | verdict | s | |\n|---|---|---|---|---|---|")
    for row in rows:
        cells = ["yes" if row.plausible else "no", "yes" if row.kept else "no", row.verdict, f"{row.seconds:.0f}"]
        print(f"| {row.id} | {' | '.join(cells)} | {row.why[:200].replace('|', ' ')} |")
    plausible, kept = sum(row.plausible for row in rows), sum(row.kept for row in rows)
    print(f"{len(rows)} instances, {plausible} plausible, {kept} with PASS_TO_PASS.")


if __name__ == "__main__":
    sys.exit(main())
