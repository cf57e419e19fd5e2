"""Repair of the 40 QuixBugs programs without a model: `swe-agent fix` on each, and agreement with the reference.

    python -m benchmarks.quixbugs --quixbugs DIR [--workspace docker|local] [--image I] [--programs a,b] [--json OUT]

DIR is a checkout of QuixBugs. Each program becomes a small git repository with its tests; the reference stays outside.
The image needs git, Python and pytest.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

ISSUE = """{program} gives wrong results

The function `{program}` in `python_programs/{program}.py` does not do what it is meant to: tests of it fail.
"""
SECONDS = 600.0


@dataclass(frozen=True)
class Row:
    """What came of one program. `agree` of `inputs` generated inputs are answered as by the reference."""

    program: str
    exit: int
    verdict: str
    agree: int
    inputs: int
    seconds: float
    candidates: int
    plausible: int
    differ: str = ""
    patch: str = ""

    @property
    def solved(self) -> bool:
        return self.verdict == "verified" and self.agrees

    @property
    def agrees(self) -> bool:
        return 0 < self.inputs == self.agree


def programs(quixbugs: Path) -> list[str]:
    """The programs that have a test and a reference."""
    files = sorted((quixbugs / "correct_python_programs").glob("*.py"))
    return [file.stem for file in files if (quixbugs / "python_testcases" / f"test_{file.stem}.py").exists()]


def build(quixbugs: Path, program: str, folder: Path) -> Path:
    """A git repository with the buggy program, its test and what that needs."""
    wanted = [
        f"python_programs/{program}.py",
        f"python_testcases/test_{program}.py",
        "python_testcases/load_testdata.py",
        f"json_testcases/{program}.json",
        "conftest.py",
    ]
    test = (quixbugs / wanted[1]).read_text()
    if "import Node" in test:
        wanted.append("python_testcases/node.py")
    for name in wanted:
        if (quixbugs / name).exists():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(quixbugs / name, folder / name)
    (folder / ".gitignore").write_text("__pycache__/\n.pytest_cache/\n")
    person = ["-c", "user.name=benchmark", "-c", "user.email=benchmark@example.com"]
    for command in (["init", "-q"], ["add", "-A"], [*person, "commit", "-q", "-m", "The program and its tests"]):
        subprocess.run(["git", "-C", str(folder), *command], check=True, capture_output=True)
    return folder


def fix(folder: Path, program: str, state: Path, options: Sequence[str]) -> dict[str, Any]:
    """`swe-agent fix --json` without a key, as a user would run it."""
    kept = {name: value for name, value in os.environ.items() if not name.endswith("_API_KEY")}
    command = [sys.executable, "-c", "from swe_agent import main; main()", "fix", "--repo", str(folder), "--json"]
    command += ["--strategy", "templates", "--text", ISSUE.format(program=program), *options]
    ran = subprocess.run(
        command,
        env=kept | {"SWE_AGENT_STATE": str(state)},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    try:
        answer: dict[str, Any] = json.loads(ran.stdout)
    except ValueError:
        return {"error": {"code": ran.returncode, "message": ran.stderr[-500:]}}
    return answer


def searched(directory: str) -> dict[str, Any]:
    """What the run's search recorded of itself."""
    journal = Path(directory) / "journal.jsonl"
    lines = journal.read_text().splitlines() if directory and journal.exists() else []
    records = [json.loads(line) for line in lines]
    return next((record["value"] for record in records if record.get("name") == "search"), {})


def agreement(quixbugs: Path, program: str, folder: Path, patch: str) -> dict[str, Any]:
    """Apply the patch to the repository and ask `quixbugs_check`, in a process of its own."""
    applied = subprocess.run(["git", "-C", str(folder), "apply"], input=patch, text=True, check=False)
    if not patch or applied.returncode:
        return {"inputs": 0, "agree": 0, "differ": ""}
    repaired = folder / "python_programs" / f"{program}.py"
    command = [sys.executable, "-m", "benchmarks.quixbugs_check", str(quixbugs), program, str(repaired)]
    ran = subprocess.run(
        command, capture_output=True, text=True, timeout=SECONDS, check=False, cwd=Path(__file__).parents[1]
    )
    found: dict[str, Any] = json.loads(ran.stdout) if ran.returncode == 0 else {"inputs": 1, "agree": 0, "differ": "?"}
    return found


def measure(quixbugs: Path, program: str, options: Sequence[str]) -> Row:
    with tempfile.TemporaryDirectory(prefix="swe-agent-quixbugs-") as home:
        folder = Path(home) / program
        folder.mkdir()
        build(quixbugs, program, folder)
        started = time.monotonic()
        answer = fix(folder, program, Path(home) / "state", options)
        seconds = time.monotonic() - started
        search = searched(answer.get("directory", ""))
        checked = agreement(quixbugs, program, folder, answer.get("patch", ""))
        return Row(
            program=program,
            exit=answer.get("exit", answer.get("error", {}).get("code", 1)),
            verdict=answer.get("verdict", {}).get("kind", "error"),
            agree=checked["agree"],
            inputs=checked["inputs"],
            seconds=round(seconds, 1),
            candidates=search.get("tried", 0),
            plausible=search.get("plausible", 0),
            differ=checked["differ"] or answer.get("error", {}).get("message", ""),
            patch=answer.get("patch", ""),
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quixbugs", type=Path, required=True)
    parser.add_argument("--workspace", default="docker")
    parser.add_argument("--image", default="swe-agent-pytest:latest")
    parser.add_argument("--test", default="", help="default: python3 -m pytest with a time-out of 2 s a test")
    parser.add_argument("--programs", default="")
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    python = "python3" if asked.workspace == "docker" else sys.executable
    options = ["--workspace", asked.workspace, "--image", asked.image]
    options += ["--test", asked.test or f"{python} -m pytest -q --timeout=2"]
    rows = []
    print(f"{'program':28} {'exit':>4} {'verdict':9} {'agree':>9} {'seconds':>7} {'candidates':>10} {'plausible':>9}")
    for program in asked.programs.split(",") if asked.programs else programs(asked.quixbugs):
        row = measure(asked.quixbugs.resolve(), program, options)
        rows.append(row)
        agree = f"{row.agree}/{row.inputs}"
        print(
            f"{program:28} {row.exit:4} {row.verdict:9} {agree:>9} {row.seconds:7.1f} {row.candidates:10} "
            f"{row.plausible:9} {row.differ}",
            flush=True,
        )
        if asked.json:
            asked.json.write_text(json.dumps([asdict(one) for one in rows], indent=1))
    verified = [row for row in rows if row.verdict == "verified"]
    print(
        f"{len(verified)} of {len(rows)} verified, {sum(row.solved for row in rows)} of them agree with the reference"
    )


if __name__ == "__main__":
    main()
