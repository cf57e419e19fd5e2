"""`swe-agent test` that asks the model at each plateau of its search, compared with one that asks when it has ended.

    python -m benchmarks.plateau --repos DIR [--calls 1500] [--only NAME,..] [--json OUT]

The modules, checkouts, mutants and scores are those of `benchmarks/generated_tests.py`; the tests run under the Python
of this command. The model is `plateau_answers.json`: tests written by hand for the functions that a search left
uncovered, the same for both sides; for other functions it answers that it has none. Both searches make at most
`--calls` calls, since seconds depend on the load of the machine. A side that OUT already contains is not measured
again.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.generated_tests import MODULES, SUBREAPER, Module, Side, Write, measure

ANSWERS = Path(__file__).with_name("plateau_answers.json")
SECONDS = 3600.0
"""Limit in seconds of a search, which ends by its calls."""
USAGE = {"input_tokens": 0, "output_tokens": 0}
PROGRAM = """\
import sys
from extensions.testgen import coverage_loop
coverage_loop.CALLS, coverage_loop.SECONDS = int(sys.argv.pop(1)), float(sys.argv.pop(1))
from swe_agent import main
main()
"""


def script(module: Module, folder: Path) -> Path:
    """Write the model's answers for a module, and return the file."""
    answers: dict[str, str] = json.loads(ANSWERS.read_text()).get(module.name, {})
    lines: list[dict[str, Any]] = [
        {"contains": f"Write tests for `{name}` of", "reply": _reply(f"```python\n{text}```")}
        for name, text in answers.items()
    ]
    file = folder / "answers.jsonl"
    file.write_text("".join(json.dumps(line) + "\n" for line in [*lines, {"reply": _reply("I have no test for it.")}]))
    return file


def _reply(text: str) -> dict[str, Any]:
    return {"text": text, "actions": [], "usage": USAGE}


def writer(at_plateau: bool, calls: int, requests: list[int]) -> Write:
    """Return a function that writes tests of a module with the model, and adds the number of requests to a list."""

    def write(module: Module, root: Path, place: Path, python: Path, seconds: float) -> tuple[list[str], str]:
        state = {f"SWE_AGENT_{name}": str(place / name.lower()) for name in ("STATE", "CONFIG", "CACHE")}
        state |= {"SWE_AGENT_ASK_AT_PLATEAU": str(at_plateau).lower(), "SWE_AGENT_ROUNDS": "5"}
        state |= {"PATH": f"{python.parent}:{os.environ['PATH']}"}
        arguments = [sys.executable, "-c", PROGRAM, str(calls), str(SECONDS), "test", "--apply", "--json"]
        arguments += ["--repo", str(root), "--function", module.path, "--workspace", "local"]
        arguments += ["--model", f"scripted:{script(module, place)}"]
        if module.folder != ".":
            arguments += ["--test", f"PYTHONPATH={module.folder} {python} -m pytest"]
        ran = subprocess.run(
            arguments, env={**os.environ, **state}, capture_output=True, text=True, timeout=2 * seconds, check=False
        )
        journals = list((place / "state").rglob("journal.jsonl"))
        requests.append(sum(one.read_text().count('"type":"reply"') for one in journals))
        listed = subprocess.run(
            ["git", "-C", str(root), "status", "--porcelain", "-uall"], capture_output=True, text=True, check=True
        )
        tests = [line[3:] for line in listed.stdout.splitlines() if line.endswith(".py")]
        return tests, "" if tests else (ran.stderr or ran.stdout).strip()[-300:]

    return write


HEAD = "| module | side | lines | branches | mutants detected | tests | requests | seconds (CPU) |\n" + "|---" * 8 + "|"


def row(module: str, name: str, side: Side, requests: int) -> str:
    """Format one side as a row of a Markdown table."""
    if side.trouble:
        return f"| {module} | {name} | no tests: {side.trouble} |"
    (lines, branches, killed), took = side.shares(), f"{side.seconds:.0f} ({side.cpu:.0f})"
    reached = f"{side.coverage[0]} ({lines:.1%}) | {side.coverage[2]} ({branches:.1%})"
    mutants = f"{side.killed}/{side.mutants} ({killed:.0%})"
    return f"| {module} | {name} | {reached} | {mutants} | {side.tests} | {requests} | {took} |"


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="benchmarks.plateau")
    parser.add_argument("--repos", type=Path, required=True)
    parser.add_argument("--calls", type=int, default=1500)
    parser.add_argument("--only", default="")
    parser.add_argument("--json", type=Path, metavar="OUT")
    options = parser.parse_args(arguments)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(SUBREAPER, 1)
    known: dict[str, Any] = json.loads(options.json.read_text()) if options.json and options.json.exists() else {}
    found: dict[str, list[tuple[Side, int]]] = {"at the end": [], "at plateaus": []}
    print(HEAD)
    for module in MODULES:
        if options.only and module.name not in options.only.split(","):
            continue
        for name, rows in found.items():
            key, requests = f"{module.name} {name}", list[int]()
            if key not in known:
                write = writer(name == "at plateaus", options.calls, requests)
                side = measure(module, write, options.repos, Path(sys.executable).absolute(), SECONDS)
                known[key] = {"side": asdict(side), "requests": requests[0]}
                if options.json:
                    options.json.write_text(json.dumps(known, indent=1) + "\n")
            rows.append((Side(**known[key]["side"]), known[key]["requests"]))
            print(row(module.name, name, *rows[-1]), flush=True)
    for name, rows in found.items():
        shares = [[side.shares()[part] for side, _ in rows] for part in range(3)]
        means = " | ".join(f"{sum(one) / max(1, len(one)):.1%}" for one in shares)
        print(f"| mean | {name} | {means} | | {sum(count for _, count in rows)} | |")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
