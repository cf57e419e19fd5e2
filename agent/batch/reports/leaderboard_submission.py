"""A batch as SWE-bench's `experiments` repository wants a submission: predictions, a readable trajectory an instance,
the logs of the evaluation, metadata and checklist (its README.md and checklist.md, of 2025).

What only the people who submit know is left as a line marked TO FILL IN.
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

from agent.batch.appended import no_room
from agent.batch.manifest import MANIFEST
from agent.batch.place import Done
from agent.batch.reading import page
from agent.batch.store import read_results
from agent.batch.verdicts import read_verdicts
from agent.evaluation.shelf import part
from trajectories.errors import UsageError
from trajectories.limits import is_in, open_regular, read_limited

MISSING = "TO FILL IN"
PREDICTIONS = ("all_preds.jsonl", "preds.json")
WEB = "Does not have web-browsing OR has taken steps to prevent lookup of SWE-bench solutions via web-browsing"
OF_LOGS = ("patch.diff", "eval.sh", "report.json", "run_instance.log", "test_output.txt")


@dataclass(slots=True)
class _Counts:
    """What is in a submission. `dollars` is null where one of them has no price."""

    instances: int = 0
    empty: int = 0
    judged: int = 0
    resolved: int = 0
    dollars: float | None = 0.0
    exits: Counter[str] = field(default_factory=Counter)

    def add(self, done: Done) -> None:
        self.instances += 1
        self.empty += not done.patch
        self.exits[done.kind] += 1
        self.dollars = None if self.dollars is None or done.dollars is None else self.dollars + done.dollars


def write_leaderboard(out: Path, folder: Path, manifest: Mapping[str, Any]) -> Path:
    """Make `folder` a submission of what the batch in `out` has come to, and return it.

    Of several repeats it is the first, since a submission has one attempt an instance. Logs are those of
    the newest evaluation in `out/evaluation`, where they are of the same patch. A README.md or metadata.yaml that is
    there already stays as it is: somebody has filled it in. Raises UsageError for the batch's own folder, and for a
    file to publish that is a link or lies outside `out`, WorkspaceError where it cannot be written, RunBroken for
    damaged results.
    """
    if folder.resolve() == out.resolve():
        raise UsageError(f"{folder} is the batch's own folder.", "Name another with --leaderboard.")
    counts = _Counts()
    try:
        (folder / "trajs").mkdir(parents=True, exist_ok=True)
        for name in (*PREDICTIONS, MANIFEST):
            _publish(out / name, folder / name, out)
        verdicts = read_verdicts(out)
        for done in read_results(out):
            if done.repeat == 1:
                counts.add(done)
                name, run = part(done.instance), out / "runs" / done.run
                if not is_in(run, out):
                    raise _not_published(run, f"it is not in {out}")
                (folder / "trajs" / f"{name}.md").write_text(page(done, run), "utf-8")
                if log := verdicts.log(done):
                    _copy_logs(log, done.instance, folder / "logs" / name, out, counts)
        for name, text in (("metadata.yaml", _metadata(manifest)), ("README.md", _readme(manifest, counts))):
            if not (folder / name).exists():
                (folder / name).write_text(text, "utf-8")
    except OSError as error:
        raise no_room(folder, error) from error
    return folder


def _publish(source: Path, target: Path, out: Path) -> None:
    """Copy a file of the batch, if it is there. Raises UsageError where it is not a regular file inside `out`."""
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
        return  # never judged, or torn: the evaluation, when it is gone on with, judges it again
    counts.judged += 1
    counts.resolved += resolved


def _signed(manifest: Mapping[str, Any]) -> str:
    """The name that the predictions are signed with."""
    return str(manifest["model"]["name"] if manifest["model"] else manifest["strategy"])


def _metadata(manifest: Mapping[str, Any]) -> str:
    """JSON's texts are YAML's too."""
    model = json.dumps(_signed(manifest))
    name = json.dumps(f"swe-agent {manifest['swe-agent']} + {_signed(manifest)}")
    return f"""\
# Lines with {MISSING} are yours; the others are as the batch was run.
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
    isolated = manifest["room"]["workspace"] == "docker"
    why = "\n  (containers have no network while an instance is solved)" if isolated else ""
    money = "unknown" if counts.dollars is None else f"${counts.dollars:.2f}"
    judged = f"{counts.resolved} of {counts.judged} judged" if counts.judged else f"{MISSING}: run `swe-agent evaluate`"
    repeated = f" Of {options['repeat']} attempts the first is submitted." if options.get("repeat", 1) > 1 else ""
    exits = ", ".join(f"{kind} {number}" for kind, number in counts.exits.most_common())
    return f"""\
# swe-agent {manifest["swe-agent"]} + {_signed(manifest)}

{MISSING}: who made this submission, the first author's page, and a link to the report that describes the system.

{MISSING}: what `python -m analysis.get_results evaluation/SPLIT/DATE_NAME` prints in a clone of SWE-bench/experiments.

| | |
|---|---|
| strategy | {manifest["strategy"]} |
| model | {_signed(manifest)} |
| instances | {counts.instances} |
| without a patch | {counts.empty} |
| resolved | {judged} |
| exits | {exits} |
| cost | {money} |
| hash of the data | {manifest["data"]["sha256"]} |

`{MANIFEST}` says all that the batch was run with. `trajs/` has a page an instance, `logs/` what the evaluation left.

## Checklist

- [x] Is a pass@1 submission (does not attempt the same task instance more than once).{repeated}
- [x] Does not use SWE-bench test knowledge (`PASS_TO_PASS`, `FAIL_TO_PASS`): these fields are not even read.
- [{" " if options.get("hints") else "x"}] Does not use the `hints` field in SWE-bench
- [{"x" if isolated else " "}] {WEB}{why}
"""
