"""Processor time of a step, by the number of steps before it: with the conversation kept between requests, and with a
conversation that is built anew for each request.

    python -m benchmarks.long_conversation [--steps 1000]

Each side is one `fix` with a scripted model that views parts of a file, in a local workspace and in this process.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any
from unittest.mock import patch

from benchmarks.entered_files import create_repository

WINDOW = 40
"""The number of steps over which a figure is averaged."""
LINES = 80


def measure(folder: Path, steps: int) -> list[float]:
    """Run one `fix` and return the processor time at the start of each request, in seconds."""
    folder.mkdir()
    create_repository(folder / "shop")
    (folder / "shop" / "shop.py").write_text("".join(f"price_{line} = {line}\n" for line in range(LINES)))
    script = folder / "script.jsonl"
    script.write_text("".join(_line(number) for number in range(1, steps + WINDOW)))
    os.environ |= {"SWE_AGENT_STATE": str(folder / "state"), "SWE_AGENT_CACHE": str(folder / "cache")}
    os.environ["SWE_AGENT_CONFIG"] = str(folder / "config.toml")
    from agent.cli.command_line import run
    from agent.engine.branch import Branch

    times: list[float] = []
    ask = Branch.ask

    def timed_ask(branch: Branch, *given: Any, **named: Any) -> Any:
        times.append(time.process_time())
        return ask(branch, *given, **named)

    flags = ["--repo", str(folder / "shop"), "--text", "Prices are wrong.", "--model", f"scripted:{script}"]
    limits = ["--strategy", "react", "--workspace", "local", "--max-steps", str(2 * steps), "--json"]
    with patch.object(Branch, "ask", timed_ask):
        run(["fix", *flags, *limits])
    return times


def _line(number: int) -> str:
    shown = {"path": "shop.py", "start": 1 + number % (LINES - 2), "end": 2 + number % (LINES - 2)}
    return json.dumps({"n": number, "reply": {"text": "", "actions": [{"tool": "view", "arguments": shown}]}}) + "\n"


def _always_anew(request: Callable[..., Any]) -> Callable[..., Any]:
    from agent.conversation.messages import BranchConversation

    return lambda kept, *given: request(BranchConversation(), *given)


def step_time(times: list[float], at: int) -> float:
    """Return the mean processor time of the steps around step `at`, in milliseconds."""
    part = times[at - WINDOW // 2 : at + WINDOW // 2 + 1]
    return statistics.fmean(later - earlier for earlier, later in pairwise(part)) * 1000


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=1000)
    options = parser.parse_args()
    from agent.conversation.messages import BranchConversation

    result = os.dup(1)
    os.dup2(2, 1)  # the result of `fix` goes to stderr
    with tempfile.TemporaryDirectory() as folder:
        kept = measure(Path(folder) / "kept", options.steps)
        with patch.object(BranchConversation, "request", _always_anew(BranchConversation.request)):
            anew = measure(Path(folder) / "anew", options.steps)
    sys.stdout.flush()
    os.dup2(result, 1)
    os.close(result)
    for at in (options.steps // 10, options.steps):
        ours, other = step_time(kept, at), step_time(anew, at)
        print(f"step {at:5}: {ours:5.1f} ms; built anew for each request {other:5.1f} ms ({other / ours:.1f}:1)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
