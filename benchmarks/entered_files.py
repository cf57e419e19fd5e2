"""Files of the program that one `fix` enters: from the issue to the first request, and for one reply.

    python -m benchmarks.entered_files [--workspace docker|local] [--list] [--json]

A file is entered when one of its functions is called, in any thread; importing it does not count. The run has a
scripted model, no examiner, a small repository and an empty cache. The first count starts when the issue is read. A
reply is counted from its request to the next one, so the last one (with the proof) is not counted; the reply with the
most files is reported. Needs Python 3.12 or later.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from inspect import CO_NEWLOCALS
from pathlib import Path
from types import CodeType
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = tuple(f"{ROOT}{os.sep}{name}{os.sep}" for name in ("extensions", "agent", "aci", "tools", "trajectories"))
MOST_BEFORE_REQUEST, MOST_FOR_REPLY = 90, 30
SOURCE = "def total(prices):\n    return sum(prices[1:])\n"
TEST = "from shop import total\n\n\ndef test_total():\n    assert total([1, 2]) == 3\n"
ISSUE = "total() in shop.py ignores the first price\n\ntotal([1, 2]) returns 2 but should return 3."
ACTIONS = (
    ("view", {"path": "shop.py"}),
    ("shell", {"command": "ls"}),
    ("edit", {"path": "test_shop.py", "old": "", "new": TEST}),
    ("run_tests", {"nodes": ["test_shop.py"]}),
    ("edit", {"path": "shop.py", "old": "prices[1:]", "new": "prices"}),
    ("run_tests", {"nodes": ["test_shop.py"]}),
    ("submit", {"summary": "The first price is counted."}),
)
ISSUE_READER = ("agent/inputs/issue_input.py", "issue_from")
MODEL = ("agent/models/scripted.py", "reply")


class EnteredFiles:
    """The files that were entered before the first request, and for each reply."""

    def __init__(self) -> None:
        self._files: set[str] = set()
        self.before_request: set[str] | None = None
        self.replies: list[set[str]] = []

    def start(self) -> None:
        """Watch all threads from now on."""
        events = sys.monitoring.events
        sys.monitoring.use_tool_id(sys.monitoring.PROFILER_ID, "entered files")
        sys.monitoring.register_callback(sys.monitoring.PROFILER_ID, events.PY_START, self._enter)
        sys.monitoring.set_events(sys.monitoring.PROFILER_ID, events.PY_START)

    def stop(self) -> None:
        sys.monitoring.free_tool_id(sys.monitoring.PROFILER_ID)

    def _enter(self, code: CodeType, offset: int) -> Any:
        if (
            not code.co_filename.startswith(PACKAGES)
            or not code.co_flags & CO_NEWLOCALS
            or code.co_name.startswith("<")
        ):
            return sys.monitoring.DISABLE
        file = os.path.relpath(code.co_filename, ROOT)
        if (file, code.co_name) == ISSUE_READER and self.before_request is None:
            self._restart()
        self._files.add(file)
        if (file, code.co_name) == MODEL:
            if self.before_request is None:
                self.before_request = self._files
            else:
                self.replies.append(self._files)
            self._restart()
            return None
        return sys.monitoring.DISABLE  # until the next restart: one call of each function is enough

    def _restart(self) -> None:
        self._files = set()
        sys.monitoring.restart_events()


def create_repository(root: Path) -> None:
    """Create a git repository with one commit."""
    root.mkdir()
    (root / "shop.py").write_text(SOURCE)
    identity = ["-c", "user.name=x", "-c", "user.email=x@localhost"]
    for command in (["init", "-q"], ["add", "."], [*identity, "commit", "-qm", "Add the shop"]):
        subprocess.run(["git", *command], cwd=root, check=True)


def measure(workspace: str, folder: Path) -> EnteredFiles:
    """Run one `fix` in this process and return the files that it entered. Raises RuntimeError if it fails."""
    create_repository(folder / "shop")
    script = folder / "script.jsonl"
    lines = [
        {"n": n, "reply": {"text": "", "actions": [{"tool": tool, "arguments": arguments}]}}
        for n, (tool, arguments) in enumerate(ACTIONS, 1)
    ]
    script.write_text("".join(json.dumps(line) + "\n" for line in lines))
    os.environ |= {"SWE_AGENT_STATE": str(folder / "state"), "SWE_AGENT_CACHE": str(folder / "cache")}
    os.environ["SWE_AGENT_CONFIG"] = str(folder / "config.toml")
    from agent.cli.command_line import run

    flags = ["--repo", str(folder / "shop"), "--text", ISSUE, "--model", f"scripted:{script}", "--strategy", "react"]
    flags.append("--no-independent")
    entered = EnteredFiles()
    entered.start()
    try:
        code = run(["fix", *flags, "--workspace", workspace, "--json"])
    finally:
        entered.stop()
    if code not in (0, 6):
        raise RuntimeError(f"`swe-agent fix` failed with {code}.")
    return entered


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workspace", choices=("docker", "local"), default="local")
    parser.add_argument("--list", action="store_true", help="list the files")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    result = os.dup(1)
    os.dup2(2, 1)  # the result of `fix` goes to stderr
    with tempfile.TemporaryDirectory() as folder:
        entered = measure(options.workspace, Path(folder))
    sys.stdout.flush()
    os.dup2(result, 1)
    os.close(result)
    before, longest = entered.before_request or set(), max(entered.replies, key=len)
    counts = {"before the first request": len(before), "for one reply": len(longest)}
    limits = {"before the first request": MOST_BEFORE_REQUEST, "for one reply": MOST_FOR_REPLY}
    if options.json:
        print(json.dumps({"files": counts, "limits": limits}))
    else:
        for name, count in counts.items():
            print(f"{count:4} files {name} (at most {limits[name]} wanted)")
    if options.list:
        print("\nBefore the first request:", *sorted(before), sep="\n  ")
        print("\nFor one reply:", *sorted(longest), sep="\n  ")
    return 0 if all(counts[name] <= limits[name] for name in counts) else 1


if __name__ == "__main__":
    sys.exit(main())
