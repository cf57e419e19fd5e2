"""Choice of `best-of` among candidates written for real issues, if the majority is wrong.

    python -m benchmarks.selector --issues F --gold F --repos DIR --cases DIR [--shape cccda] [--config F]
                                  [--seed N] [--json OUT] [ID...]

DIR/ID.json holds the candidates of an instance: `{"candidates": [{"name", "patch", "tests": {path: text}}]}`. Each
letter of `--shape` is an attempt that produces the candidate of that name: with `cccda` three of five attempts make the
same patch. A scripted model plays the attempts, in an order determined by the seed, and the whole strategy runs:
proofs, pruning, cross tests and the choice. If tests contradict each other, the selector configured by `--config`
(`[roles] selector = MODEL`) reads the patches; without a selector this step is skipped.

Whether a patch is right is decided by the instance's own FAIL_TO_PASS and PASS_TO_PASS tests, which the run cannot see.
The choice is compared with the majority vote and with the average of a single attempt. Repositories are
DIR/owner+name/repo; environments are made as by `evaluate --workspace local` (the swebench package specifies how). With
`--json` an interrupted benchmark is resumed.
"""

from __future__ import annotations

import argparse
import json
import random
import shlex
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks._instances import Place, built, chosen
from extensions.lab.instances.dataset_instances import Gold
from extensions.lab.instances.jobs import Instance
from trajectories.errors import SweAgentError
from trajectories.verdict import COMPLETE

SECONDS = 900.0
END_MARKER = "THE_END_OF_THE_TEXT"
UNREAD = {"reply": {"text": "I cannot say.\nnone", "actions": []}}


@dataclass(frozen=True)
class Row:
    """`right`: the candidates that resolve the issue; `made`: the attempts' candidates in order; `taken`: the chosen
    candidate, empty if the run's patch is none of them; `kind`: the verdict; `read`: whether the selector was used."""

    id: str
    right: list[str]
    made: list[str]
    taken: str
    kind: str
    resolved: bool
    seconds: float
    read: bool = False

    @property
    def vote(self) -> str:
        """The candidate made by most attempts; of several, the first."""
        return Counter(self.made).most_common(1)[0][0]

    @property
    def chance(self) -> float:
        """The probability that a single attempt is right."""
        return sum(name in self.right for name in self.made) / len(self.made)

    def __str__(self) -> str:
        cells = [self.id, "".join(self.made), "".join(self.right) or "-", self.vote, self.taken or "-", self.kind]
        flags = ["yes" if right else "no" for right in (self.vote in self.right, self.resolved, self.read)]
        return f"| {' | '.join([*cells, *flags, f'{self.seconds:.0f}'])} |"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("--issues", "--gold", "--repos", "--cases"):
        parser.add_argument(name, type=Path, required=True)
    parser.add_argument("--shape", default="cccda")
    parser.add_argument("--config", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path)
    parser.add_argument("ids", nargs="*")
    args = parser.parse_args(arguments)
    try:
        instances = chosen(
            [args.issues, args.gold], args.ids or sorted(path.stem for path in args.cases.glob("*.json"))
        )
    except (SweAgentError, OSError) as error:
        texts = (error.message, error.fix) if isinstance(error, SweAgentError) else (str(error),)
        print(*texts, file=sys.stderr)
        return 2
    rows = [Row(**one) for one in json.loads(args.json.read_text())] if args.json and args.json.exists() else []
    print("| instance | attempts | right | vote | taken | verdict | vote right | taken right | read | s |")
    print("|---|---|---|---|---|---|---|---|---|---|", *rows, sep="\n", flush=True)
    for gold, instance in instances:
        if gold.id in {row.id for row in rows}:
            continue
        try:
            row = _measure(gold, instance, args)
        except (SweAgentError, OSError, ValueError, subprocess.SubprocessError) as error:
            print(f"{gold.id}: {' '.join(str(getattr(error, 'message', error)).split())[-300:]}", file=sys.stderr)
            continue
        rows.append(row)
        print(row, flush=True)
        if args.json:
            args.json.write_text(json.dumps([asdict(one) for one in rows], indent=1))
    _summary(rows)
    return 0


def _measure(gold: Gold, instance: Instance, args: argparse.Namespace) -> Row:
    found = json.loads((args.cases / f"{gold.id}.json").read_text())["candidates"]
    candidates: dict[str, dict[str, Any]] = {one["name"]: one for one in found}
    config = "rounds = 1\n" + (args.config.read_text("utf-8") if args.config else "")
    made = list(args.shape)
    random.Random(f"{args.seed} {gold.id}").shuffle(made)
    with tempfile.TemporaryDirectory(prefix="swe-agent-selector-") as home:
        place = built(gold, instance, args.repos, Path(home) / instance.repo.partition("/")[2], tested=False)
        right = [name for name in sorted(set(made)) if _resolves(place, candidates[name]["patch"])]
        place.reset()
        began = time.monotonic()
        result = place.fix(*_words(Path(home), made, candidates), seconds=SECONDS, config=config)
        seconds = round(time.monotonic() - began, 1)
        patch = str(result.get("patch", ""))
        resolved = _resolves(place, patch)
    lines = _changed(patch)
    taken = next((name for name in made if _changed(candidates[name]["patch"]) <= lines), "") if lines else ""
    kind = str(result.get("verdict", {}).get("kind", "none"))
    read = int(result["usage"]["calls"]) > len(made)
    return Row(gold.id, right, made, taken, kind, resolved, seconds, read)


def _words(home: Path, made: Sequence[str], candidates: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """The flags of a run whose attempts produce these candidates."""
    script = home / "script.jsonl"
    lines = [_line(f"main/try-{number}", candidates[name]) for number, name in enumerate(made, 1)]
    script.write_text("".join(f"{json.dumps(line)}\n" for line in [*lines, UNREAD]))
    return ["--strategy", "best-of", "--attempts", str(len(made)), "--model", f"scripted:{script}"]


def _line(branch: str, candidate: Mapping[str, Any]) -> dict[str, Any]:
    """The scripted model's answer in a branch: the patch and the tests in one reply."""
    commands = [
        f"git apply --whitespace=nowarn - <<'{END_MARKER}'\n{candidate['patch'].rstrip(chr(10))}\n{END_MARKER}\n"
    ]
    for path, text in candidate["tests"].items():
        commands.append(f"cat > {shlex.quote(path)} <<'{END_MARKER}'\n{text.rstrip(chr(10))}\n{END_MARKER}\n")
    actions = [{"tool": "shell", "arguments": {"command": command}} for command in commands]
    return {
        "branch": branch,
        "reply": {"text": "This is it.", "actions": [*actions, {"tool": "submit", "arguments": {}}]},
    }


def _resolves(place: Place, patch: str) -> bool:
    failed, lost = place.failing_tests(patch)
    return bool(patch) and not failed and not lost


def _changed(patch: str) -> set[str]:
    """The lines that a patch adds or removes."""
    return {line for line in patch.splitlines() if line[:1] in "+-" and line[:3] not in ("+++", "---")}


def _summary(rows: Sequence[Row]) -> None:
    wrong = [row for row in rows if row.right and row.vote not in row.right]
    chance = sum(row.chance for row in rows)
    taken, voted = sum(row.resolved for row in rows), sum(row.vote in row.right for row in rows)
    print(f"{len(rows)} instances: {taken} chosen right, {voted} by vote, {chance:.1f} at random.")
    false_proofs = sum(row.kind in COMPLETE and not row.resolved for row in wrong)
    print(f"Vote wrong, a candidate right: {len(wrong)}; {sum(row.resolved for row in wrong)} of them chosen right,")
    print(f"{false_proofs} wrong ones plausible or verified.")


if __name__ == "__main__":
    sys.exit(main())
