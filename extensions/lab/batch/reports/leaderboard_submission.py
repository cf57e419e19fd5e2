"""A batch in the format of a submission to SWE-bench's `experiments` repository (as described in its README.md and
checklist.md, 2025).

It contains predictions, a readable trajectory of each instance, the logs of the evaluation, metadata and a checklist.
Values that only the submitters know are left as lines marked TO FILL IN.
"""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from errno import ELOOP
from pathlib import Path
from typing import Any

from extensions.lab.batch.reports.batch_manifest import MANIFEST
from extensions.lab.batch.reports.batch_results import read_results
from extensions.lab.batch.reports.evaluation_verdicts import read_verdicts
from extensions.lab.batch.reports.readable_run import page
from extensions.lab.evaluation.grading_store import IMAGES, path_part
from extensions.lab.instances.append_log import write_error
from extensions.lab.instances.jobs import JobResult
from trajectories.errors import UsageError
from trajectories.file_limits import is_in, open_regular, read_limited

MISSING = "TO FILL IN"
PREDICTIONS = ("all_preds.jsonl", "preds.json")
WEB = "Does not have web-browsing OR has taken steps to prevent lookup of SWE-bench solutions via web-browsing"
OF_LOGS = ("patch.diff", "eval.sh", "report.json", "run_instance.log", "test_output.txt")


@dataclass(slots=True)
class _Counts:
    """Totals of a submission. `dollars` is None if the price of a run is not known."""

    instances: int = 0
    empty: int = 0
    judged: int = 0
    resolved: int = 0
    dollars: float | None = 0.0
    exits: Counter[str] = field(default_factory=Counter)

    def add(self, done: JobResult) -> None:
        self.instances += 1
        self.empty += not done.patch
        self.exits[done.kind] += 1
        self.dollars = None if self.dollars is None or done.dollars is None else self.dollars + done.dollars


def write_leaderboard(out: Path, folder: Path, manifest: Mapping[str, Any]) -> Path:
    """Write a submission of the batch in `out` to `folder` and return the folder.

    It contains the first repeat, since a submission has one attempt for each instance. The logs are those of the newest
    evaluation in `out/evaluation`, if it graded the same patch in an image. An existing README.md or metadata.yaml is
    kept, because it may have been filled in. Raises UsageError if `folder` is `out`, or if a file to publish is a link
    or outside `out`; WorkspaceError if the submission cannot be written; RunBroken for damaged results.
    """
    if folder.resolve() == out.resolve():
        raise UsageError(f"{folder} is the batch's own folder.", "Give another one with --leaderboard.")
    counts = _Counts()
    try:
        (folder / "trajs").mkdir(parents=True, exist_ok=True)
        for name in (*PREDICTIONS, MANIFEST):
            _publish(out / name, folder / name, out)
        verdicts = read_verdicts(out)
        for done in read_results(out):
            if done.repeat == 1:
                counts.add(done)
                name, run = path_part(done.instance), out / "runs" / done.run
                if not is_in(run, out):
                    raise _not_published(run, f"it is not in {out}")
                (folder / "trajs" / f"{name}.md").write_text(page(done, run), "utf-8")
                if verdicts.workspace == IMAGES and (log := verdicts.log(done)):
                    _copy_logs(log, done.instance, folder / "logs" / name, out, counts)
        for name, text in (("metadata.yaml", _metadata(manifest)), ("README.md", _readme(manifest, counts))):
            if not (folder / name).exists():
                (folder / name).write_text(text, "utf-8")
    except OSError as error:
        raise write_error(folder, error) from error
    return folder


def _publish(source: Path, target: Path, out: Path) -> None:
    """Copy a file of the batch if it exists. Raises UsageError if it is not a regular file inside `out`."""
    try:
        file = open_regular(source, inside=out)
    except FileNotFoundError:
        return
    except OSError as error:
        why = "it is a link" if error.errno == ELOOP else str(error.strerror)
        raise _not_published(source, why) from error
    with file, target.open("wb") as copy:
        shutil.copyfileobj(file, copy)


def _not_published(path: Path, why: str) -> UsageError:
    return UsageError(f"{path} is not published: {why}.", "Replace it with a regular file or folder, or remove it.")


def _copy_logs(source: Path, instance: str, target: Path, out: Path, counts: _Counts) -> None:
    target.mkdir(parents=True, exist_ok=True)
    for name in OF_LOGS:
        _publish(source / name, target / name, out)
    try:
        resolved = bool(json.loads(read_limited(source / "report.json", inside=out))[instance]["resolved"])
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return  # not judged, or incomplete: a resumed evaluation judges it again
    counts.judged += 1
    counts.resolved += resolved


def _model_name(manifest: Mapping[str, Any]) -> str:
    """Return the model name in the predictions."""
    return str(manifest["model"]["name"] if manifest["model"] else manifest["strategy"])


def _metadata(manifest: Mapping[str, Any]) -> str:
    """Return metadata.yaml; its strings are written as JSON, which is valid YAML."""
    model = json.dumps(_model_name(manifest))
    name = json.dumps(f"swe-agent {manifest['swe-agent']} + {_model_name(manifest)}")
    return f"""\
# Complete the lines with {MISSING}; the others describe how the batch was run.
assets:
  logs: "{MISSING}: s3://swe-bench-submissions/SPLIT/DATE_NAME/logs"
  trajs: "{MISSING}: s3://swe-bench-submissions/SPLIT/DATE_NAME/trajs"
info:
  authors: "{MISSING}: names"
  logo: null
  name: {name}
  report: "{MISSING}: address of a report or paper that describes the system"
  site: "{MISSING}: address of the project"
tags:
  checked: false
  model:
    - {model}
  org:
    - "{MISSING}: organisation"
  os_model: null  # {MISSING}: true where the model's weights are open, else false
  os_system: true
  system:
    attempts: "1"
"""


def _readme(manifest: Mapping[str, Any], counts: _Counts) -> str:
    options = manifest["options"]
    isolated = manifest["room"]["workspace"] != "local"
    why = "\n  (workspaces have no network while an instance is solved)" if isolated else ""
    money = "unknown" if counts.dollars is None else f"${counts.dollars:.2f}"
    judged = (
        f"{counts.resolved} of {counts.judged} judged"
        if counts.judged
        else f"{MISSING}: run `swe-agent evaluate --workspace docker`"
    )
    repeated = f" The first of {options['repeat']} attempts is submitted." if options.get("repeat", 1) > 1 else ""
    exits = ", ".join(f"{kind} {number}" for kind, number in counts.exits.most_common())
    return f"""\
# swe-agent {manifest["swe-agent"]} + {_model_name(manifest)}

{MISSING}: who made this submission, the first author's page, and a link to the report that describes the system.

{MISSING}: what `python -m analysis.get_results evaluation/SPLIT/DATE_NAME` prints in a clone of SWE-bench/experiments.

| | |
|---|---|
| strategy | {manifest["strategy"]} |
| model | {_model_name(manifest)} |
| instances | {counts.instances} |
| without a patch | {counts.empty} |
| resolved | {judged} |
| exits | {exits} |
| cost | {money} |
| hash of the data | {manifest["data"]["sha256"]} |

`{MANIFEST}` lists the settings of the batch. `trajs/` has a page for each instance, `logs/` the evaluation's logs.

## Checklist

- [x] Is a pass@1 submission (does not attempt the same task instance more than once).{repeated}
- [x] Does not use SWE-bench test knowledge (`PASS_TO_PASS`, `FAIL_TO_PASS`): these fields are not even read.
- [{" " if options.get("hints") else "x"}] Does not use the `hints` field in SWE-bench
- [{"x" if isolated else " "}] {WEB}{why}
"""
