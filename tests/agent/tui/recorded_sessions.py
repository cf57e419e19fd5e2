"""The session's app with a session that stands still at a point: real records and events, no clock, no machine."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from textual.pilot import Pilot
from textual.widgets import Input, TextArea

from agent.config.session_preferences import Preferences
from agent.engine.engine import ProgressEvent
from agent.engine.run_lifecycle import Result
from agent.permissions.approvals import Approval
from agent.session.session_events import (
    Event,
    MessageEvent,
    ProgressReported,
    QuestionAsked,
    StepRecorded,
    TurnEnded,
    TurnStarted,
    TurnStopped,
)
from agent.session.session_status import ChangedFile, State, Status
from agent.tui import app
from agent.tui.app import SessionApp
from agent.tui.runs_screen import RunsScreen
from tests.agent.tui.session_states import STATUS
from trajectories.errors import ModelError
from trajectories.journal import encode
from trajectories.records import (
    Action,
    Base,
    Exit,
    Issue,
    Observation,
    Patch,
    Reply,
    Run,
    Spent,
    Step,
    Turn,
    Verdict,
)

ROOT = Path("/home/ada/invoices")
NOW = 1_700_000_000.0
"""Seconds since the epoch."""

DIFF = '''\
diff --git a/invoices/money.py b/invoices/money.py
index 3f1c2ab..9d0e4f1 100644
--- a/invoices/money.py
+++ b/invoices/money.py
@@ -12,9 +12,10 @@ class Line:
     amount: Decimal


-def total(lines):
-    """The sum of all lines."""
-    return round(sum(line.amount for line in lines), 2)
+def total(lines: Iterable[Line]) -> Decimal:
+    """The sum of all lines, rounded once and half up, as the tax office does."""
+    net = sum((line.amount for line in lines), Decimal(0))
+    return net.quantize(CENT, rounding=ROUND_HALF_UP)


 def tax(net, rate):
diff --git a/tests/test_money.py b/tests/test_money.py
new file mode 100644
index 0000000..b7c1d02
--- /dev/null
+++ b/tests/test_money.py
@@ -0,0 +1,6 @@
+from invoices.money import total
+
+
+def test_half_a_cent_is_rounded_up():
+    # 2.675 is a float that is a little less than it looks
+    assert str(total(lines("2.675"))) == "2.68"
'''
FILES = (ChangedFile("M", "invoices/money.py", 4, 3), ChangedFile("A", "tests/test_money.py", 6, 0))
NEW_TEST = (
    "from invoices.money import total\n\n\ndef test_half_a_cent_is_rounded_up():\n    assert total([half]) == 1\n"
)
OLD, NEW = "    return round(net, 2)", "    return net.quantize(CENT, rounding=ROUND_HALF_UP)"
ISSUE = "Totals of invoices are a cent too low\n\nAn invoice over 2.675 shows 2.67, our tax office wants 2.68."
ANSWER = """\
The total is wrong because `round` works on **floats** and rounds half to even:

1. `total` sums floats, so 2.675 is a little less than it looks.
2. `round(…, 2)` then gives 2.67.

```python
net.quantize(CENT, rounding=ROUND_HALF_UP)
```
"""


@dataclass(frozen=True)
class Point:
    """Where a session stands: what it told so far, and how it is."""

    events: tuple[Event, ...] = ()
    status: Status = field(
        default=replace(STATUS, base="HEAD + 3 changes", spent=Spent(0.0, 0, 0, 0, 0), seconds=0.0, context=None)
    )
    press: tuple[str, ...] = ()
    then: Callable[[Played], object] = lambda app: None


class Played(SessionApp):
    """Shows a point; `theme` is a theme's name."""

    CSS_PATH = Path(app.__file__).with_name("app.tcss")

    def __init__(self, point: Point, theme: str, runs: Path) -> None:
        super().__init__(self._never, Preferences(theme=theme))
        self.title = "swe-agent"
        self.animation_level = "none"
        self.point = point
        self.runs = runs
        self.played = False

    def _never(self) -> Any:
        raise AssertionError("a session that is played is not opened")

    def _start(self) -> None:
        self._preparing = False
        status, point = self.point.status, self.point
        self.session = SimpleNamespace(  # type: ignore[assignment]
            status=status,
            state=status.state,
            mode=status.mode,
            engine=None,
            start=SimpleNamespace(source=SimpleNamespace(root=ROOT)),
            answer=lambda id, answer: True,
        )
        for event in point.events:
            self._show_event(event)
        self.show_status()
        point.then(self)
        self.played = True


async def still(pilot: Pilot[Any]) -> None:
    """Wait until all is shown, and nothing blinks."""
    app = pilot.app
    while not app.played and app.return_code is None:  # type: ignore[attr-defined] - it has one when it has failed
        await pilot.pause()
    assert app.played, "the app failed"  # type: ignore[attr-defined]
    for _ in range(2):  # what a worker found may begin another one
        await pilot.pause()
        while any(not worker.is_finished for worker in app.workers):
            await pilot.pause()
    for entry in [*app.screen.query(TextArea), *app.screen.query(Input)]:
        entry.cursor_blink = False
    await pilot.pause()


# What happened


def step(n: int, text: str, *acted: tuple[str, dict[str, Any], str, bool]) -> StepRecorded:
    """A step of the model's on the main branch: tool, arguments, answer, whether it went well."""
    actions = tuple(Action(tool, arguments, f"c{n}") for tool, arguments, _, _ in acted)
    seen = tuple(Observation(answer, ok) for _, _, answer, ok in acted)
    reply = Reply(text, actions, model="maker/model-4-large", branch="main", ask=n, at=NOW)
    return StepRecorded(Step("main", n, f"main#{n - 1}", "coder", "0" * 40, n, actions, seen, at=NOW), reply)


def began(words: str, strategy: str = "build") -> TurnStarted:
    return TurnStarted(Turn(words, strategy, at=NOW), words)


def ended(kind: str, word: str = "", verdict: Verdict | None = None, message: str = "", fix: str = "") -> TurnEnded:
    exit = Exit(kind, 0, "0" * 40, verdict or Verdict(), message, fix, 41.0, at=NOW)
    return TurnEnded(Result("fox", Path("/runs/fox"), exit, Patch(), Spent(0.1, 1, 0, 1, 1), 4, True, (), word))


LOOKED = step(
    1,
    "Let me see how totals are made.",
    ("search", {"pattern": "def total"}, "invoices/money.py:15: def total(lines):", True),
    ("view", {"path": "invoices/money.py"}, "12\t    amount: Decimal\n15\tdef total(lines):", True),
)
TESTED = step(
    2,
    "A test first, so that we see it fail.",
    ("edit", {"path": "tests/test_money.py", "content": NEW_TEST}, "tests/test_money.py was written, 6 lines.", True),
    ("run_tests", {"paths": ["tests/test_money.py"]}, "1 failed: test_half_a_cent_is_rounded_up", False),
)
MENDED = step(
    3,
    "`round` rounds half to even. I take `Decimal.quantize`.",
    ("edit", {"path": "invoices/money.py", "old": OLD, "new": NEW}, "invoices/money.py was changed, +4 -3.", True),
)
WORKED = (began(ISSUE), LOOKED, TESTED, MENDED)
LONG = "\n".join(
    f"tests/test_{n:03}.py::test_case_{n} PASSED [{n // 2:3}%] in a line that is rather long" for n in range(200)
)


def _status(state: State = "idle", **changes: Any) -> Status:
    worked = replace(
        Point().status, state=state, spent=Spent(0.12, 41_000, 30_000, 900, 7), seconds=62.0, context=0.34, files=FILES
    )
    return replace(worked, **changes)


POINTS = {
    "empty": Point(),
    "working": Point(
        (
            *WORKED,
            ProgressReported(ProgressEvent("ask", "main", "")),
            ProgressReported(ProgressEvent("delta", "main", "Now I run the **whole suite**, since `total` is us")),
            ProgressReported(ProgressEvent("action", "main", "run_tests tests/")),
        ),
        _status("working", queued=("then update the changelog", "/prove"), phases=("localize", "reproduce", "patch")),
    ),
    "approval": Point(
        (
            *WORKED,
            ended("unproven", "Totals are rounded once, half up."),
            QuestionAsked(
                Approval(
                    "apply",
                    "Apply 2 files to your working tree?",
                    "invoices/money.py\ntests/test_money.py",
                    DIFF,
                    ("one", "two"),
                    id=1,
                    always=("apply invoices/money.py", "apply tests/test_money.py"),
                )
            ),
        ),
        _status("asking"),
    ),
    "diff": Point((*WORKED, MessageEvent(DIFF, "diff", "Not applied yet: 2 files, +10 -3")), _status()),
    "error": Point(
        (
            began(ISSUE),
            LOOKED,
            TurnStopped(
                ModelError("The provider refused the key of maker.", "`swe-agent config key maker` keeps another.")
            ),
            MessageEvent("There is no command /proof.", "error"),
        ),
        _status("paused", files=()),
    ),
    "budget": Point(
        (*WORKED, ended("budget", message="The budget is used up: $0.0021 left, not enough for one more request.")),
        _status(spent=Spent(2.0, 900_000, 700_000, 9_000, 40), context=0.83),
    ),
    "long": Point(
        (
            began("!pytest -v", "hand"),
            StepRecorded(
                Step(
                    "main",
                    1,
                    "main#0",
                    "hand",
                    "0" * 40,
                    None,
                    (Action("shell", {"command": "pytest -v"}),),
                    (Observation(LONG),),
                    at=NOW,
                ),
                None,
            ),
            step(2, "", ("shell", {"command": "ls " + "very/long/path/" * 12}, LONG, True)),
        ),
        _status(files=()),
        ("ctrl+o",),
    ),
    "runs": Point(then=lambda app: app.push_screen(RunsScreen(app.runs, str(ROOT), NOW))),
    "plan": Point(
        (began("Why are totals a cent too low?", "plan"), LOOKED, step(2, ANSWER), ended("answered")),
        _status(mode="plan", strategy="plan", files=()),
    ),
}
"""What each snapshot shows."""


PROVEN = Verdict("verified")


def write_runs(folder: Path) -> Path:
    """Some runs as they lie on disk, the last used first when listed."""
    base = Base("1a2b3c4d5e" * 4, "0" * 40)
    for n, (name, issue, kind, hours, root) in enumerate(
        (
            ("brisk-otter", ISSUE, "verified", 0.5, ROOT),
            ("calm-heron", "Add a command that exports all invoices of a year as CSV", "unproven", 3, ROOT),
            ("dusty-lynx", "Why does the importer read the file twice?", "answered", 30, ROOT),
            ("early-finch", "Update the dependencies, and drop Python 3.8", "", 24 * 9, ROOT),
            ("faint-mole", "Another repository's issue", "answered", 1, ROOT.parent / "other"),
        )
    ):
        title, _, body = issue.partition("\n")
        records: Sequence[Any] = (
            Run(name, Issue(title, body.strip()), str(root), base, at=NOW),
            Turn(issue, "build", at=NOW),
            LOOKED.reply,
            LOOKED.step,
            *([Exit(kind, 0, "0" * 40, PROVEN if kind == "verified" else Verdict(), at=NOW)] if kind else []),
        )
        directory = folder / name
        directory.mkdir(parents=True)
        journal = directory / "journal.jsonl"
        journal.write_bytes(b"".join(encode(record) for record in records))
        os.utime(journal, (NOW - hours * 3600 - n, NOW - hours * 3600 - n))
    return folder
