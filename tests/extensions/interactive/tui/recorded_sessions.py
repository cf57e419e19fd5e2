"""The session's app with a recorded session: real records and events, no clock and no container."""

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
from agent.lifecycle.run_result import Result
from agent.permissions.approvals import Approval
from agent.run_state.progress_event import ProgressEvent
from extensions.interactive.session.session_events import (
    Event,
    MessageEvent,
    ProgressReported,
    QuestionAsked,
    StepRecorded,
    TurnEnded,
    TurnStarted,
    TurnStopped,
)
from extensions.interactive.session.session_status import ChangedFile, State, Status
from extensions.interactive.tui import app
from extensions.interactive.tui.app import SessionApp
from extensions.interactive.tui.choice_screen import ChoiceScreen
from extensions.interactive.tui.dialogs import MODELS
from extensions.interactive.tui.runs_screen import RunsScreen
from extensions.interactive.tui.widgets.outcome_items import PageLines, ProofItem
from extensions.interactive.tui.widgets.step_item import StepItem
from tests.extensions.interactive.tui.session_states import STATUS
from trajectories.errors import ModelError
from trajectories.journal import encode
from trajectories.records import Action, Base, Exit, Issue, Observation, Patch, Reply, Run, Spent, Step, Turn
from trajectories.verdict import Verdict

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
class RecordedSession:
    """The events of a session so far, and its status."""

    events: tuple[Event, ...] = ()
    status: Status = field(
        default=replace(STATUS, base="HEAD + 3 changes", spent=Spent(0.0, 0, 0, 0, 0), seconds=0.0, context=None)
    )
    press: tuple[str, ...] = ()
    on_shown: Callable[[RecordedApp], object] = lambda app: None


class RecordedApp(SessionApp):
    """Shows a recorded session; `theme` is a theme's name."""

    CSS_PATH = Path(app.__file__).with_name("app.tcss")

    def __init__(self, recorded: RecordedSession, theme: str, runs: Path) -> None:
        super().__init__(self._never, Preferences(theme=theme))
        self.title = "swe-agent"
        self.animation_level = "none"
        self.recorded = recorded
        self.runs = runs
        self.all_shown = False

    def _never(self) -> Any:
        raise AssertionError("a recorded session is not opened")

    def _start(self) -> None:
        self._preparing = False
        status, recorded = self.recorded.status, self.recorded
        self.session = SimpleNamespace(  # type: ignore[assignment]
            status=status,
            state=status.state,
            mode=status.mode,
            engine=None,
            start=SimpleNamespace(source=SimpleNamespace(root=ROOT)),
            answer=lambda id, answer: True,
        )
        for event in recorded.events:
            self._show_event(event)
        self.show_status()
        recorded.on_shown(self)
        self.all_shown = True


async def wait_until_idle(pilot: Pilot[Any]) -> None:
    """Wait until everything is shown, and turn off blinking."""
    app = pilot.app
    while not app.all_shown and app.return_code is None:  # type: ignore[attr-defined] - it has one after a failure
        await pilot.pause()
    assert app.all_shown, "the app failed"  # type: ignore[attr-defined]
    for _ in range(2):  # the result of a worker may start another one
        await pilot.pause()
        while any(not worker.is_finished for worker in app.workers):
            await pilot.pause()
    for entry in [*app.screen.query(TextArea), *app.screen.query(Input)]:
        entry.cursor_blink = False
    await pilot.pause()


# Events of a turn


def step(n: int, text: str, *calls: tuple[str, dict[str, Any], str, bool]) -> StepRecorded:
    """A step of the model on the main branch: each call is tool, arguments, output and whether it succeeded."""
    actions = tuple(Action(tool, arguments, f"c{n}") for tool, arguments, _, _ in calls)
    observations = tuple(Observation(answer, ok) for _, _, answer, ok in calls)
    reply = Reply(text, actions, model="maker/model-4-large", branch="main", ask=n, at=NOW)
    return StepRecorded(Step("main", n, f"main#{n - 1}", "coder", "0" * 40, n, actions, observations, at=NOW), reply)


def turn_started(prompt: str, strategy: str = "build") -> TurnStarted:
    return TurnStarted(Turn(prompt, strategy, at=NOW), prompt)


def turn_ended(
    kind: str, answer: str = "", verdict: Verdict | None = None, message: str = "", fix: str = ""
) -> TurnEnded:
    exit = Exit(kind, 0, "0" * 40, verdict or Verdict(), message, fix, 41.0, at=NOW)
    return TurnEnded(Result("fox", Path("/runs/fox"), exit, Patch(), Spent(0.1, 1, 0, 1, 1), 4, True, (), answer))


SEARCH_STEP = step(
    1,
    "Let me see how totals are made.",
    ("search", {"pattern": "def total"}, "invoices/money.py:15: def total(lines):", True),
    ("view", {"path": "invoices/money.py"}, "12\t    amount: Decimal\n15\tdef total(lines):", True),
)
TEST_STEP = step(
    2,
    "A test first, so that we see it fail.",
    ("edit", {"path": "tests/test_money.py", "content": NEW_TEST}, "tests/test_money.py was written, 6 lines.", True),
    ("run_tests", {"paths": ["tests/test_money.py"]}, "1 failed: test_half_a_cent_is_rounded_up", False),
)
FIX_STEP = step(
    3,
    "`round` rounds half to even. I take `Decimal.quantize`.",
    ("edit", {"path": "invoices/money.py", "old": OLD, "new": NEW}, "invoices/money.py was changed, +4 -3.", True),
)
THREE_STEPS = (turn_started(ISSUE), SEARCH_STEP, TEST_STEP, FIX_STEP)
LONG_OUTPUT = "\n".join(
    f"tests/test_{n:03}.py::test_case_{n} PASSED [{n // 2:3}%] in a line that is rather long" for n in range(200)
)


def _status(state: State = "idle", **changes: Any) -> Status:
    after_work = replace(
        RecordedSession().status,
        state=state,
        spent=Spent(0.12, 41_000, 30_000, 900, 7),
        seconds=62.0,
        context=0.34,
        files=FILES,
    )
    return replace(after_work, **changes)


PAGE_VERDICT = {"kind": "unproven", "red": True, "green": True, "red_again": True, "no_loss": True}
MODEL_OPTIONS = [
    ("openai/qwen3:8b", "on 127.0.0.1:11434 (usually Ollama)"),
    ("anthropic/claude-sonnet-4-5", "key set in $ANTHROPIC_API_KEY"),
    ("openai/gpt-5", "needs $OPENAI_API_KEY"),
    ("no model", "repair without one; /model asks again"),
]
COMMIT = Approval(
    "commit",
    "Commit 2 files on fix/rounding as Ada Lovelace <ada@example.org>?",
    "invoices/money.py\ntests/test_money.py",
    DIFF,
    message="money: round the total once, half up\n\n"
    "Each line was rounded before the sum, so that long invoices lost a cent for\nevery few lines. "
    "Round only the sum, as the tax office does.\n\nThe tax is still rounded by line.",
    id=1,
    always=("commit invoices/money.py", "commit tests/test_money.py"),
)
LOOK_STEP = step(1, "I look at the cart.", ("browser", {"action": "look"}, "A picture of 390 x 800 pixels.", True))
PROOF_STEP = Step("main", 2, "", "proof", "0" * 40, observations=(Observation("", data={"verdict": PAGE_VERDICT}),))
PAGES = (
    PageLines(
        "/ at 390 px, not asked for: link Home: colour rgb(0, 0, 238) to rgb(85, 26, 139)",
        True,
        {"before": "/runs/fox/pictures/5.png", "difference": "/runs/fox/pictures/7.png"},
    ),
    PageLines("/cart at 1280 px, dark mode, as asked: button Buy: x 4 to 16", False, {}),
)
RECORDED_SESSIONS = {
    "pages": RecordedSession(
        (turn_started("The button Buy touches the edge of the cart."),),
        _status(),
        on_shown=lambda app: app.put(
            StepItem(LOOK_STEP.step, LOOK_STEP.reply, pictures={0: "/runs/fox/pictures/4.png"}),
            ProofItem(PROOF_STEP, pages=PAGES),
        ),
    ),
    "empty": RecordedSession(),
    "working": RecordedSession(
        (
            *THREE_STEPS,
            ProgressReported(ProgressEvent("ask", "main", "")),
            ProgressReported(ProgressEvent("delta", "main", "Now I run the **whole suite**, since `total` is us")),
            ProgressReported(ProgressEvent("replied", "main", "")),
            ProgressReported(ProgressEvent("action", "main", "edit invoices/tax.py")),
            ProgressReported(ProgressEvent("done", "main", "edit invoices/tax.py")),
            ProgressReported(ProgressEvent("action", "main", "run_tests tests/")),
            ProgressReported(ProgressEvent("output", "main", "tests/test_lines.py ....\ntests/test_money.py ..")),
        ),
        _status("working", queued=("then update the changelog", "/prove"), phases=("localize", "reproduce", "patch")),
    ),
    "approval": RecordedSession(
        (
            *THREE_STEPS,
            turn_ended("unproven", "Totals are rounded once, half up."),
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
    "commit": RecordedSession(
        (*THREE_STEPS, turn_ended("verified", "Totals are rounded once, half up."), QuestionAsked(COMMIT)),
        _status("asking"),
    ),
    "commit-edit": RecordedSession((*THREE_STEPS, QuestionAsked(COMMIT)), _status("asking"), ("e", "end", "!")),
    "command": RecordedSession(
        (
            *THREE_STEPS,
            ProgressReported(ProgressEvent("ask", "main", "")),
            ProgressReported(ProgressEvent("delta", "main", "The tax needs the same, then I run the tests.")),
            ProgressReported(ProgressEvent("replied", "main", "")),
            ProgressReported(ProgressEvent("action", "main", "edit invoices/tax.py")),
            ProgressReported(ProgressEvent("done", "main", "edit invoices/tax.py")),
            QuestionAsked(
                Approval(
                    "command",
                    "Run this command on this machine?",
                    "python -m pytest -q tests && git status",
                    id=1,
                    always=("command python -m pytest *", "command git status"),
                )
            ),
        ),
        _status("asking"),
    ),
    "diff": RecordedSession((*THREE_STEPS, MessageEvent(DIFF, "diff", "Not applied yet: 2 files, +10 -3")), _status()),
    "error": RecordedSession(
        (
            turn_started(ISSUE),
            SEARCH_STEP,
            TurnStopped(
                ModelError("The provider refused the key of maker.", "`swe-agent config key maker` keeps another.")
            ),
            MessageEvent("There is no command /proof.", "error"),
        ),
        _status("paused", files=()),
    ),
    "budget": RecordedSession(
        (
            *THREE_STEPS,
            turn_ended("budget", message="The budget is used up: $0.0021 left, not enough for one more request."),
        ),
        _status(spent=Spent(2.0, 900_000, 700_000, 9_000, 40), context=0.83),
    ),
    "long": RecordedSession(
        (
            turn_started("!pytest -v", "hand"),
            StepRecorded(
                Step(
                    "main",
                    1,
                    "main#0",
                    "hand",
                    "0" * 40,
                    None,
                    (Action("shell", {"command": "pytest -v"}),),
                    (Observation(LONG_OUTPUT),),
                    at=NOW,
                ),
                None,
            ),
            step(2, "", ("shell", {"command": "ls " + "very/long/path/" * 12}, LONG_OUTPUT, True)),
        ),
        _status(files=()),
        ("ctrl+o",),
    ),
    "runs": RecordedSession(on_shown=lambda app: app.push_screen(RunsScreen(app.runs, str(ROOT), NOW))),
    "models": RecordedSession(
        on_shown=lambda app: app.push_screen(ChoiceScreen("Which model?", MODELS, lambda: MODEL_OPTIONS))
    ),
    "plan": RecordedSession(
        (turn_started("Why are totals a cent too low?", "plan"), SEARCH_STEP, step(2, ANSWER), turn_ended("answered")),
        _status(mode="plan", strategy="plan", files=()),
    ),
}
"""The sessions shown by the snapshots, by name."""


VERIFIED = Verdict("verified")


def write_runs(folder: Path) -> Path:
    """Write runs to disk; the most recently used one is listed first."""
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
            SEARCH_STEP.reply,
            SEARCH_STEP.step,
            *([Exit(kind, 0, "0" * 40, VERIFIED if kind == "verified" else Verdict(), at=NOW)] if kind else []),
        )
        directory = folder / name
        directory.mkdir(parents=True)
        journal = directory / "journal.jsonl"
        journal.write_bytes(b"".join(encode(record) for record in records))
        os.utime(journal, (NOW - hours * 3600 - n, NOW - hours * 3600 - n))
    return folder
