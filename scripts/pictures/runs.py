"""Real runs on the examples, for the pictures: repositories, a scripted model's answers, and environments."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "scripts")]

from demo import create_repository, workspace_flags  # noqa: E402

SHOP = {
    "shop/__init__.py": "",
    "shop/orders.py": '''"""Orders of a shop."""


def unique(orders):
    """Return the orders without repetitions, in the order of their first appearance."""
    seen = []
    for order in orders:
        if order not in seen:
            seen.append(order)
    return seen
''',
    "tests/__init__.py": "",
    "tests/test_orders.py": """import unittest

from shop.orders import unique


class UniqueTest(unittest.TestCase):
    def test_first_appearance_counts(self):
        self.assertEqual(unique([3, 1, 3, 2, 1]), [3, 1, 2])
        self.assertEqual(unique([]), [])

    def test_many(self):
        self.assertEqual(unique([n * 7 % 300 for n in range(600)])[:3], [0, 7, 14])
""",
}


def call(tool: str, **arguments: Any) -> dict[str, Any]:
    return {"tool": tool, "arguments": arguments}


def answer(issue: str, text: str, module: str, test: str, *edits: dict[str, Any]) -> dict[str, Any]:
    """Return a scripted reply to the request that contains the issue's title: a new test, the edits, and the end."""
    new = call("edit", path=f"tests/{module}.py", old="", new=test)
    actions = [new, *edits, call("run_tests"), call("submit", summary=text)]
    usage = {"input_tokens": 6100, "output_tokens": 480, "cached_tokens": 2300, "dollars": 0.0204}
    return {"contains": issue, "reply": {"text": text, "actions": actions, "usage": usage}}


ANSWERS = [
    answer(
        "VAT is wrong on invoices",
        "A rate counts from the day on which it came into force, that day included.",
        "test_new_year",
        "import unittest\nfrom datetime import date\n\nfrom invoices.rates import NORMAL, swiss_rates\n\n\n"
        "class NewYearTest(unittest.TestCase):\n    def test_rate_counts_on_its_first_day(self):\n"
        '        self.assertEqual(str(swiss_rates().on(NORMAL, date(2024, 1, 1)).percent), "8.1")\n',
        call("edit", path="invoices/rates.py", old="rate.since < day", new="rate.since <= day"),
    ),
    answer(
        "Last booking missing",
        "The last page starts at the last row, so the range must not end before it.",
        "test_last_row",
        "import unittest\n\nfrom textreport.paging import paginate\n\n\n"
        "class LastRowTest(unittest.TestCase):\n    def test_last_row_has_a_page(self):\n"
        "        pages = paginate(list(range(41)), 20)\n"
        "        self.assertEqual([len(page.rows) for page in pages], [20, 20, 1])\n",
        call("edit", path="textreport/paging.py", old="range(0, len(rows) - 1, size)", new="range(0, len(rows), size)"),
    ),
    answer(
        "Slack is far too large",
        "A task must be done before the first of those that wait for it starts, not before the last.",
        "test_shared_start",
        "import unittest\n\nfrom planner import parse, slack\n\n\n"
        "class SharedStartTest(unittest.TestCase):\n    def test_first_follower_counts(self):\n"
        '        plan = parse("a: 4\\nb: 6 after a\\nc: 2 after a\\nd: 1 after b\\n")\n'
        '        self.assertEqual(slack(plan)["a"], 0)\n',
        call(
            "edit",
            path="planner/passes.py",
            old="max((slots[follower].start for",
            new="min((slots[follower].start for",
        ),
    ),
]


@dataclass(frozen=True)
class Desk:
    """A temporary folder with the state, cache, configuration and repositories of a user."""

    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        # What this machine's user configured does not belong into a picture.
        kept = {name: value for name, value in os.environ.items() if not name.startswith("SWE_AGENT_")}
        places = {name: str(self.folder / name.lower()) for name in ("STATE", "CACHE")}
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        own = {f"SWE_AGENT_{name}": value for name, value in places.items()}
        own["SWE_AGENT_CONFIG"] = str(self.folder / "config.toml")
        return {**kept, **own, "PATH": path, "PYTHONPATH": str(ROOT), "HOME": str(self.folder)}

    def example(self, name: str) -> Path:
        return create_repository(ROOT / "examples" / name, self.folder)

    def shop(self) -> Path:
        source = self.folder / "source" / "shop"
        for name, text in SHOP.items():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_text(text)
        return create_repository(source, self.folder)

    def model(self, answers: Iterable[dict[str, Any]] = ANSWERS) -> str:
        """Write the scripted model's answers; return its name."""
        (self.folder / "config.toml").write_text("[models.scripted]\nprice_in = 3.0\nprice_out = 15.0\n")
        file = self.folder / "answers.jsonl"
        file.write_text("".join(json.dumps(line) + "\n" for line in answers))
        return f"scripted:{file}"

    def run(self, *arguments: str | Path, folder: Path | None = None) -> str:
        """Run `swe-agent` and return what it prints to stdout. Raises CalledProcessError unless it exits with 0."""
        command = ["swe-agent", *map(str, arguments)]
        done = subprocess.run(
            command, cwd=folder or self.folder, env=self.environment, stdout=subprocess.PIPE, text=True, check=True,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
        return done.stdout


def workspace() -> dict[str, str]:
    """Return the variables that select the workspace: Docker if this machine has it, else a sandbox if one works."""
    from aci.runtime.sandbox_availability import sandbox_error

    flags = workspace_flags()
    if "local" in flags and not sandbox_error():
        flags = ["--workspace", "sandbox"]
    return {
        f"SWE_AGENT_{flag.removeprefix('--').upper()}": value
        for flag, value in zip(flags[::2], flags[1::2], strict=True)
    }
