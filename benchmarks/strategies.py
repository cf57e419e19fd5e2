"""Cost of the strategies relative to `react`, on the same tasks and with the same scripted player as the model.

    python -m benchmarks.strategies [--attempts N] [--only NAME,..] [--roles ROLE,..] [--json OUT] [--keep]

The player knows the test and the patches of each task, inspects the code before it edits, and answers each role as its
prompt requires. In half of the tasks its first patch is wrong, to measure how a strategy continues. Tokens are
characters / 4. As with a provider's cache, an input token that repeats the start of an earlier request costs a tenth;
an output token costs five times an input token. `--keep` writes `agent/strategies/costs.json`, which `swe-agent
strategies` shows. `--roles` gives the player to optional roles too, such as `forecaster`. The costs do not indicate
which strategy solves more issues.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any

from aci.repository.user_repository import Repository
from agent.cli.commands.strategies import strategy_rows
from agent.config.settings import Settings
from agent.lifecycle.run_lifecycle import begin, reopen, solve
from agent.limits.run_budget import Price
from agent.models import scripted
from agent.models.base import Message, RequestOptions, messages_since_reply
from benchmarks._planting import PERSON
from trajectories.records import Action, Issue, Reply, Usage
from trajectories.verdict import COMPLETE

CACHED, OUTPUT = 0.1, 5.0
COSTS = Path(__file__).parent.parent / "agent/strategies/costs.json"


@dataclass(frozen=True, slots=True)
class Case:
    """An issue in a small package: its place, and (the old, the right, a wrong) text of that place."""

    name: str
    issue: str
    path: str
    function: str
    test: str
    edits: tuple[str, str, str]
    at_once: bool

    @property
    def old(self) -> str:
        return self.edits[0]

    @property
    def right(self) -> str:
        return self.edits[1]

    @property
    def wrong(self) -> str:
        return self.edits[2]


@dataclass
class Player:
    """Scripted replacement for a model. `sent` has the parts of all requests so far."""

    case: Case
    name: str = "scripted:player"
    price: Price | None = field(default_factory=lambda: Price(0.0, 0.0))
    max_output: int = 8192
    window: int = 0
    images: bool = False
    fallback: str = ""
    secrets: tuple[str, ...] = ()
    cost: float = 0.0
    calls: int = 0
    sent: list[list[str]] = field(default_factory=list)
    lock: Lock = field(default_factory=Lock)

    def reply(self, messages: Sequence[Message], tools: Sequence[dict[str, Any]], asking: RequestOptions) -> Reply:
        text, actions = self._answer(messages, bool(tools), asking)
        with self.lock:
            self._add_cost(messages, tools, text + json.dumps([action.arguments for action in actions]))
        return Reply(text, actions, model=self.name, usage=Usage(1, 1))

    def _add_cost(self, messages: Sequence[Message], tools: Sequence[dict[str, Any]], reply: str) -> None:
        parts = [json.dumps(list(tools)), *(json.dumps(message) for message in messages)]
        same = max((_common_length(parts, other) for other in self.sent), default=0)
        self.sent.append(parts)
        old, new = sum(map(len, parts[:same])), sum(map(len, parts[same:]))
        self.cost += (CACHED * old + new + OUTPUT * len(reply)) / 4
        self.calls += 1

    def _answer(
        self, messages: Sequence[Message], tools: bool, asking: RequestOptions
    ) -> tuple[str, tuple[Action, ...]]:
        words, case = messages_since_reply(messages), self.case
        kind = asking.branch.rpartition("/")[2].partition("-")[0]
        if asking.branch == "main" and not tools:
            return self._answer_in_text(messages, asking.ask), ()
        if not tools:
            return _role_answer(case, kind, asking), ()
        if "answer in words, without a tool call" in words:
            return f"{case.function} in {case.path} is wrong: it has `{case.old}`.", ()
        if asking.branch == "main/tests":
            return _test_answer(case, asking)
        if asking.branch in READERS and asking.ask % 2 == 0:
            return f"{case.function} in {case.path} is what it is about.\nyes", ()
        if asking.branch in READERS or asking.ask == 1 or (asking.ask == 2 and "understand" in asking.branch):
            return "I look first.", (
                Action("view", {"path": case.path}, id="a"),
                Action("symbols", {"name": case.function}, id="b"),
            )
        return "Test, patch, submit.", (
            Action("shell", {"command": self._change(messages, asking.branch in FIRST)}, id="w"),
            Action("run_tests", {"nodes": [TEST]}, id="r"),
            Action("submit", {"summary": "done"}, id="s"),
        )

    def _change(self, messages: Sequence[Message], is_first: bool) -> str:
        """The command that writes the test and a patch."""
        case = self.case
        use_wrong = is_first and not case.at_once and case.wrong not in json.dumps(list(messages))
        new, bare = case.wrong if use_wrong else case.right, case.function.rpartition(".")[2]
        change = f"sed -i '/^def {bare}/,/return/ s|return .*|return {new}|' {case.path}"
        return f"cat > {TEST} <<'END'\n{case.test}END\n{change}"

    def _answer_in_text(self, messages: Sequence[Message], ask: int) -> str:
        """The answer of a conversation without tools: inspect, edit and test, submit."""
        if ask == 1:
            return f"I look first.\n```bash\ncat {self.case.path}\n```"
        if "Ran " in messages_since_reply(messages) and "FAILED" not in messages_since_reply(messages):
            return "Good.\n```submit\ndone\n```"
        run = f"{sys.executable} -m unittest {TEST.removesuffix('.py').replace('/', '.')}"
        return f"Test and patch.\n```bash\n{self._change(messages, True)}\n{run}\n```"


FIRST = {"main", "main/try-1", "main/born-1-1", "main/patch-1", "main/fix", "main/develop"}
"""Conversations whose first patch is wrong, in tasks that are not solved at once."""
READERS = {"main/intent", "main/explore", "main/test", "main/search"}
"""Conversations that inspect the code first, and then answer in words."""
TEST = "tests/test_issue.py"
SEARCH = (
    "SELECT DISTINCT s.path, s.line, s.full_name FROM symbols s LEFT JOIN refs ON refs.source = s.id "
    "LEFT JOIN symbols t ON t.id = refs.target WHERE s.name = '{name}' OR t.name = '{name}'"
)


def _test_answer(case: Case, asking: RequestOptions) -> tuple[str, tuple[Action, ...]]:
    """Write only the test, then answer in words."""
    if asking.ask % 2 == 0:
        return f"{TEST} fails now, for the rule that the issue names.", ()
    return "The test first.", (
        Action("edit", {"path": TEST, "old": "", "new": case.test}, id="w"),
        Action("run_tests", {"nodes": [TEST]}, id="r"),
    )


def _role_answer(case: Case, kind: str, asking: RequestOptions) -> str:
    """The answer of a role without tools."""
    if kind == "files":
        return case.path
    if kind == "elements":
        return f"{case.path}:{case.function}"
    if kind == "test":
        return f"{TEST}\n```python\n{case.test}```\n"
    if kind == "patch":
        new = case.wrong if asking.branch in FIRST and not case.at_once else case.right
        return f"{case.path}\n<<<<<<< SEARCH\n{case.old}\n=======\n{new}\n>>>>>>> REPLACE\n"
    if kind == "forecast":
        return f"0.8 | change {case.function} | the test passes\n0.2 | look at {case.path} | `{case.old}`"
    if kind == "query" and asking.ask == 1:
        return f"The function and its callers.\nsearch: `{case.function}` and the functions that call it"
    if kind == "sql":
        return f"```sql\n{SEARCH.format(name=case.function)}\n```"
    if kind == "critic":
        return "It is the place that the issue names.\n0.7"
    if kind == "search":
        return "\n".join(f"{number}: 0.5 It may be." for number in range(1, 13))
    if kind in ("words", "structure", "history"):
        return f"{case.path}:{case.function}"
    if "weigh" in asking.branch:
        return "It is much alike.\n0.9"
    if kind == "review":
        return "It fixes the cause.\nyes"
    if kind in ("judge", "select", "choose"):
        return "It fixes the cause.\nA"
    return f"The cause is in {case.function} of {case.path}: `{case.old}` should be `{case.right}`."


def _common_length(one: Sequence[str], other: Sequence[str]) -> int:
    return next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


# The tasks


def _case(
    name: str, issue: str, path: str, function: str, checks: Sequence[str], edits: tuple[str, str, str], at_once: bool
) -> Case:
    body = "".join(f"        {check}\n" for check in checks)
    module, bare = path.removesuffix(".py").replace("/", "."), function.partition(".")[0]
    head = f"import unittest\n\nfrom {module} import {bare}\n\n\nclass IssueTest(unittest.TestCase):\n"
    test = f"{head}    def test_issue(self):\n{body}"
    return Case(name, issue, path, function, test, edits, at_once)


def _cases() -> list[Case]:
    """Two issues, each with a player whose first patch is right, and with one whose first patch is wrong."""
    cases = []
    for at_once in (True, False):
        how = "at once" if at_once else "second"
        cases.append(
            _case(
                f"totals, {how}",
                "Totals with a discount are too high\n\ntotal([10, 20], 5) gives 35, it should give 25.",
                "shop/totals.py",
                "total",
                [
                    "self.assertEqual(total([10, 20], 5), 25)",
                    "self.assertEqual(total([], 0), 0)",
                    "self.assertEqual(total([7], 7), 0)",
                ],
                ("sum(prices) + discount", "sum(prices) - discount", "abs(sum(prices) - 2 * discount)"),
                at_once,
            )
        )
        cases.append(
            _case(
                f"pages, {how}",
                "The last page is lost\n\npages(21, 10) gives 2; one entry is on no page.",
                "shop/paging.py",
                "pages",
                [
                    "self.assertEqual(pages(21, 10), 3)",
                    "self.assertEqual(pages(20, 10), 2)",
                    "self.assertEqual(pages(0, 10), 0)",
                ],
                ("entries // size", "-(-entries // size)", "entries // size + 1"),
                at_once,
            )
        )
    return cases


FILLER = "".join(
    f'''
def step_{number}(value, factor={number}):
    """Scale a value for stage {number}; negative ones are cut to nothing."""
    scaled = value * factor
    if scaled < 0:
        return 0
    return scaled
'''
    for number in range(1, 40)
)
TOTALS = '''\
"""Totals of orders."""


def total(prices, discount):
    """What is to be paid."""
    return sum(prices) + discount
'''
PAGING = '''\
"""Pages of lists."""


def pages(entries, size):
    """How many pages there are."""
    return entries // size
'''
VIEW = """\
from shop.paging import pages
from shop.totals import total


def shown(prices, size):
    return f"{total(prices, 0)} on {pages(len(prices), size)}"
"""
TESTS = """\
import unittest

from shop.stages import step_2


class StagesTest(unittest.TestCase):
    def test_step(self):
        self.assertEqual(step_2(4), 8)
"""
FILES = {
    "shop/__init__.py": "",
    "shop/totals.py": TOTALS + FILLER,
    "shop/paging.py": PAGING + FILLER,
    "shop/stages.py": FILLER,
    "shop/view.py": VIEW,
    "tests/__init__.py": "",
    "tests/test_stages.py": TESTS,
    ".gitignore": "__pycache__/\n",
}


# Measuring


@dataclass(frozen=True, slots=True)
class Row:
    strategy: str
    case: str
    cost: float
    calls: int
    ended: str


def measure(strategy: str, case: Case, attempts: int, folder: Path, roles: Sequence[str] = ()) -> Row:
    """Run the strategy on the case, with the player also in the optional `roles`."""
    player = Player(case)
    loaded, scripted.load = scripted.load, lambda name, settings: player  # type: ignore[assignment,return-value]
    try:
        settings = Settings(
            strategy=strategy,
            model="scripted:player",
            roles=dict.fromkeys(roles, "scripted:player"),
            attempts=attempts,
            workspace="local",
            state=folder / "state",
            test=f"{sys.executable} -m unittest discover -s tests -t .",
            experience=False,
            independent=False,
        )
        title, _, body = case.issue.partition("\n\n")
        directory = begin(Issue(title, body), Repository.open(_repository(folder / "repository")), settings)
        engine = reopen(directory, settings.state)
        try:
            running = solve(engine)
            while True:
                next(running)
        except StopIteration as end:
            return Row(strategy, case.name, player.cost, player.calls, end.value.exit.kind)
        finally:
            engine.close()
    finally:
        scripted.load = loaded


def _repository(folder: Path) -> Path:
    if not folder.exists():
        for path, text in FILES.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text)
        for words in (["init", "-q"], ["add", "-A"], [*PERSON, "commit", "-qm", "Begin"]):
            subprocess.run(["git", *words], cwd=folder, check=True)
    return folder


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--attempts", type=int, default=3, metavar="N")
    parser.add_argument("--only", default="", metavar="NAME,..", help="measure `react` and these strategies")
    parser.add_argument("--roles", default="", metavar="ROLE,..", help="optional roles that have a model")
    parser.add_argument("--json", type=Path, metavar="OUT")
    parser.add_argument("--keep", action="store_true", help="write the costs that `swe-agent strategies` shows")
    options = parser.parse_args(arguments)
    if options.keep and (options.only or options.roles):
        parser.error("--keep needs all strategies, without optional roles.")
    only, roles = options.only.split(",") if options.only else [], options.roles.split(",") if options.roles else []
    asking = [row.name for row in strategy_rows() if row.roles]
    if unknown := {*only} - {*asking}:
        parser.error(f"There is no strategy {min(unknown)!r} that asks a model.")
    names = [name for name in asking if not only or name in ("react", *only)]
    with tempfile.TemporaryDirectory() as folder:
        found = [
            measure(name, case, options.attempts, Path(folder) / f"{name}-{number}", roles)
            for name in names
            for number, case in enumerate(_cases())
        ]
    base = {row.case: row.cost for row in found if row.strategy == "react"}
    costs = {
        name: statistics.mean(row.cost / base[row.case] for row in found if row.strategy == name) for name in names
    }
    for name, cost in sorted(costs.items(), key=lambda item: item[1]):
        details = ", ".join(
            f"{row.case}: {row.cost / base[row.case]:.1f} ({row.calls} calls, {row.ended})"
            for row in found
            if row.strategy == name
        )
        print(f"{name:16} {cost:5.1f} times react   {details}")
    if options.json:
        options.json.write_text(json.dumps({"costs": costs, "rows": [asdict(row) for row in found]}))
    if unproven := sorted({row.strategy for row in found if row.ended not in COMPLETE}):
        print(
            f"Not comparable, because they have no patch with a complete proof: {', '.join(unproven)}", file=sys.stderr
        )
        return 1
    if options.keep:
        COSTS.write_text(json.dumps({name: round(cost, 1) for name, cost in sorted(costs.items())}, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
