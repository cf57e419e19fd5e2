"""Lines that `optimize` names as slow, against the lines that a person changes to make a function faster.

    python -m benchmarks.slow_lines DIR... [--only a,b]

A folder holds what `benchmarks.rewrites` describes, with `NAME_fast.py`, a person's version of each module. Each
function runs with one call of a quarter of SIZE, half of it, and SIZE. A function counts as named if one of the slow
lines is a line that the person changes or removes, or is next to one that the person adds.

The code of these folders runs in a workspace; this process only reads it as data.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from difflib import SequenceMatcher
from pathlib import Path

from aci.runtime.target_function import Target
from benchmarks.rewrites import Trial, find_function, functions, room
from extensions.optimize.measurement.profiling import LineTime, profile_lines
from extensions.optimize.slow_lines import SlowLine, diagnose_with_calls, line_texts

SHARES, SEED = (4, 2, 1), 7


def slow_lines(folder: Path, name: str) -> list[SlowLine]:
    """Return the slow lines of a function. Raises UsageError if it cannot be called."""
    data = (folder / f"{name}.py").read_bytes()
    target = Target(f"{name}.py", find_function(data))
    with room(folder) as workspace:
        trial = Trial(workspace, target, f"{name}_inputs", folder, "", 1)
        trial.install_inputs()
        size, _ = trial.calls([(1, SEED)])
        sizes = [max(number, size // share) for number, share in enumerate(SHARES, 1)]
        calls = [trial.calls([(each, SEED)])[1][:1] for each in sizes]

        def profiles(is_whole: bool) -> list[tuple[LineTime, ...]]:
            return [profile_lines(workspace, target, each, is_whole=is_whole) for each in calls]

        return diagnose_with_calls(data, target.name, sizes, profiles)


def changed_lines(before: str, after: str) -> set[int]:
    """Return the numbers of the lines that a change touches."""
    found: set[int] = set()
    matcher = SequenceMatcher(None, before.split("\n"), after.split("\n"), autojunk=False)
    for tag, start, end, _, _ in matcher.get_opcodes():
        if tag != "equal":
            found |= set(range(start + 1, max(end, start + 1) + 1))
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="+", metavar="DIR")
    parser.add_argument("--only", default="", metavar="NAME,..")
    options = parser.parse_args(arguments)
    named = count = 0
    for folder in options.folders:
        for name in functions(folder):
            fast = folder / f"{name}_fast.py"
            if not fast.exists() or (options.only and name not in options.only.split(",")):
                continue
            changed = changed_lines((folder / f"{name}.py").read_text(), fast.read_text())
            found = slow_lines(folder.resolve(), name)
            is_named = any(line.line in changed for line in found)
            named, count = named + is_named, count + 1
            print(f"{name}: {'named' if is_named else 'not named'}")
            print(*(f"    {text}" for text in line_texts(found)), sep="\n", flush=True)
    print(f"{named} of {count} functions: a slow line is one that the person changes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
