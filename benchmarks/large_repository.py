"""CPU and time from the start of `fix` to its first request, in a repository of many files.

    python -m benchmarks.large_repository [--files 100000] [--workspace sandbox|local] [--json]

The repository is generated: Python modules of about 3 kB, in one commit. The other side is `git clone` without hard
links, which also reads every object and writes every file. Each side starts with an empty cache.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks._process_cpu import adopt_orphans, cpu_seconds
from benchmarks.first_call import MODEL, Side, listening, seconds

ISSUE = "round_invoice() rounds to one digit too few\n\nround_invoice(2.345, 2) gives 2.3 but should give 2.35."
SOURCE = "def round_invoice(total, digits):\n    return round(total, digits - 1)\n"
TEST = "from src.part007.rounding import round_invoice\n\n\ndef test_zero():\n    assert round_invoice(0, 2) == 0\n"
STEMS = "cart order price user mail page node graph tree file cache query index token parse render merge split store"
ENDINGS = "s ed ing er able ment ness ity ion al"
FILE_BYTES = 2700
FOLDERS = 500
REQUEST_SECONDS = 1800.0


def create_repository(folder: Path, files: int) -> int:
    """Create a repository with one commit of about so many modules. Return their size in bytes."""
    rng = random.Random(7)
    words = [stem + ending for stem in STEMS.split() for ending in ENDINGS.split()]
    written = {f"src/part{number:03}/__init__.py": "" for number in range(FOLDERS)}
    for number in range(files - FOLDERS - 2):
        name = f"src/part{number % FOLDERS:03}/{rng.choice(words)}_{number}.py"
        written[name] = _module(rng, words, number)
    written |= {"src/part007/rounding.py": SOURCE, "tests/test_rounding.py": TEST}
    for name, text in written.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    who = ("-c", "user.name=Ada", "-c", "user.email=ada@example.org", "-c", "gc.auto=0")
    for command in (("init", "-q"), ("add", "."), (*who, "commit", "-qm", "Modules"), ("gc", "-q")):
        subprocess.run(["git", *command], cwd=folder, check=True)
    return sum(map(len, written.values()))


def _module(rng: random.Random, words: list[str], number: int) -> str:
    lines = ["import os", ""]
    while sum(map(len, lines)) < FILE_BYTES:
        name, first, second, helper, other = (rng.choice(words) for _ in range(5))
        lines += [
            f"def {name}_{first}_{number % 977}({second}, {helper}=None):",
            f'    """Return the {first} of {second}, by {helper}."""',
            f"    if {helper} is None:",
            f"        {helper} = {other}_{name}_{rng.randrange(977)}({second})",
            f"    return sum({first} * {rng.randrange(99)} for {first} in {second}) + len({helper})",
            "",
        ]
    return "\n".join(lines)


def measured(work: Callable[[], object]) -> tuple[float, float]:
    """Return the seconds and the CPU seconds of `work` and of the processes that it starts."""
    began, used = time.perf_counter(), cpu_seconds()
    work()
    return round(time.perf_counter() - began, 1), round(cpu_seconds() - used, 1)


def compare(files: int, workspace: str) -> dict[str, float]:
    """Return the figures of both sides, and the ratio of their CPU seconds."""
    with tempfile.TemporaryDirectory(prefix="swe-agent-large-") as place, listening() as (base, arrivals):
        folder = Path(place)
        (source := folder / "source").mkdir()
        size = create_repository(source, files)
        clone = ["git", "clone", "-q", "--no-hardlinks", f"file://{source}", str(folder / "clone")]
        git_seconds, git_cpu = measured(lambda: subprocess.run(clone, check=True))
        config = folder / "config.toml"
        config.write_text(f'[models."{MODEL}"]\napi_base = "{base}"\nprice_in = 1.0\nprice_out = 5.0\n', "utf-8")
        names = ("STATE", "CACHE")
        env = {name: value for name, value in os.environ.items() if not name.startswith("SWE_AGENT_")}
        env |= {f"SWE_AGENT_{name}": str(folder / name.lower()) for name in names}
        env |= {"SWE_AGENT_CONFIG": str(config), "OPENAI_API_KEY": "x"}
        program = str(Path(sys.executable).with_name("swe-agent"))
        command = [program, "fix", "--text", ISSUE, "--model", MODEL, "--workspace", workspace, "--plain"]
        side, taken = Side("swe-agent", workspace, command, env), list[float]()
        _, cpu = measured(lambda: taken.append(seconds(side, source, arrivals, REQUEST_SECONDS)))
    figures = {"files": files, "megabytes": round(size / 1e6, 1), "seconds": round(taken[0], 1), "cpu": cpu}
    return figures | {"git seconds": git_seconds, "git cpu": git_cpu, "ratio": round(cpu / git_cpu, 1)}


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--workspace", choices=("sandbox", "local"), default="local")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(argv)
    adopt_orphans()
    figures = compare(options.files, options.workspace)
    if options.json:
        print(json.dumps(figures))
        return 0
    print(f"{figures['files']:,} files, {figures['megabytes']} MB, workspace {options.workspace}")
    print(f"swe-agent, to its first request: {figures['seconds']} s, {figures['cpu']} CPU s")
    print(f"git clone:                       {figures['git seconds']} s, {figures['git cpu']} CPU s")
    print(f"ratio of CPU: {figures['ratio']}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
