"""Model calls saved by template edits in `best-of`, on planted bugs whose failing test is given.

    python -m benchmarks.mixing --repos DIR --bugs FILE [--json OUT] [ID...]

FILE is a list of bugs made by `benchmarks.planted --make`, DIR the same as there. A scripted model plays three
attempts: two give up, the third restores the original code. If a template's edit is proven, no model is called.
Otherwise the edits are candidates beside the attempts, and the patch must still be the right one. With `--json` an
interrupted benchmark is resumed.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks._instances import fixed, run
from benchmarks._planting import named, planted, sources
from benchmarks._planting_equal import normal
from benchmarks._planting_make import Bug, read
from trajectories.errors import SweAgentError
from trajectories.verdict import COMPLETE

END_MARKER = "THE_END_OF_THE_FILE"
SECONDS = 900.0
SUBMIT = {"tool": "submit", "arguments": {}}


@dataclass(frozen=True)
class Row:
    """Result of one bug: `calls` of the model; `by`, the patch's source; `same`: the file equals the original."""

    id: str
    kind: str
    by: str
    calls: int
    same: bool
    seconds: float

    def __str__(self) -> str:
        text = f"{self.id:28} {self.kind:10} {self.by:9} {self.calls} calls"
        return f"{text}, {'original' if self.same else 'different'}, {self.seconds:.0f} s"


def measure(repos: Path, bug: Bug) -> Row:
    """Plant a bug and run `best-of` on it."""
    package = named(bug.package)
    original = sources(repos, package)[bug.path]
    with planted(repos, package, {bug.path: bug.apply(original)}) as repo:
        script = repo.with_suffix(".jsonl")
        script.write_text("".join(f"{json.dumps(line)}\n" for line in _lines(bug.path, original.decode())))
        flags = ["--strategy", "best-of", "--attempts", "3", "--model", f"scripted:{script}", "--test", package.command]
        flags += ["--reproduce", bug.failing[0]]
        issue = f"# {bug.failing[0]} fails\n\nIt passed before."
        result = fixed(repo, issue, flags, "rounds = 1\n", SECONDS, {})
        patch, calls = str(result.get("patch", "")), int(result["usage"]["calls"])
        if patch:
            run(repo, "git apply --whitespace=nowarn -", patch)
        same = normal((repo / bug.path).read_bytes()) == normal(original)
    kind = str(result.get("verdict", {}).get("kind", "none"))
    by = "-" if not patch else "attempt" if calls and same else "template"
    return Row(bug.id, kind, by, calls, same, round(float(result["seconds"]), 1))


def _lines(path: str, text: str) -> list[dict[str, object]]:
    """The script: the third attempt restores the original file; the others give up."""
    command = f"cat > '{path}' <<'{END_MARKER}'\n{text.rstrip(chr(10))}\n{END_MARKER}\n"
    right = {"text": "Restored.", "actions": [{"tool": "shell", "arguments": {"command": command}}, SUBMIT]}
    return [{"branch": "main/try-3", "reply": right}, {"reply": {"text": "I do not know.", "actions": [SUBMIT]}}]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repos", type=Path, required=True)
    parser.add_argument("--bugs", type=Path, required=True)
    parser.add_argument("--json", type=Path)
    parser.add_argument("ids", nargs="*")
    args = parser.parse_args(arguments)
    try:
        bugs = [bug for bug in read(args.bugs) if not args.ids or bug.id in args.ids]
        rows = [Row(**one) for one in json.loads(args.json.read_text())] if args.json and args.json.exists() else []
        for bug in bugs:
            if bug.id not in {row.id for row in rows}:
                rows.append(row := measure(args.repos, bug))
                print(row, flush=True)
                if args.json:
                    args.json.write_text(json.dumps([asdict(one) for one in rows], indent=1))
    except (SweAgentError, OSError, subprocess.SubprocessError) as error:
        print(getattr(error, "message", error), getattr(error, "fix", ""), file=sys.stderr)
        return 2
    free = [row for row in rows if not row.calls]
    proven = sum(row.kind in COMPLETE for row in rows)
    print(f"{len(rows)} bugs, {proven} plausible or verified, {len(free)} without a request.")
    print(f"Same as the original: {sum(row.same for row in rows)}, {sum(row.same for row in free)} without a request.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
