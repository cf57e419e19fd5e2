"""What a person sees of a run: on a terminal, in a log, at any width, whatever a model says."""

import io
import os
import pty
import re
import select
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console as RichConsole

from agent.cli.commands import runs
from agent.console.activity_lines import NARROW, LiveStatus, cost, tail, thousands
from agent.console.error_report import report_error
from agent.console.run_display import Console, _result_line
from agent.engine.engine import ProgressEvent
from agent.engine.run_lifecycle import result
from agent.limits.run_budget import Price
from tests.agent.conftest import act, line
from tests.e2e.conftest import Machine
from trajectories.errors import Cancelled, SweAgentError
from trajectories.journal import Journal
from trajectories.records import Action, Exit, Observation, Patch, Spent, Step, Usage, Verdict

ESCAPE = "\x1b[31mred\x1b]0;title\x07\x1b[2J\x9b1m‮"
USAGE = {"input_tokens": 1200, "output_tokens": 30, "cached_tokens": 600}


@pytest.fixture
def engine(bench):
    bench.begin(line(f"First {ESCAPE} I look. " + "And I think on. " * 40, act("view", path="calc.py"),
                     act("view", path="nothing.py"), usage=USAGE),
                budget=2.0)  # fmt: skip
    engine = bench.engine()
    yield engine
    engine.close()


def test_log_tells_issue_by_its_title():
    framed = '<issue author="eve" trust="stranger">\nadd() subtracts\n\nMore.\n</issue>'
    assert _result_line(Step("main", 1, "", "task", "t", None, (), (Observation(framed),))) == "add() subtracts"


def drawn(status: LiveStatus, width: int) -> list[str]:
    """The lines at the bottom, on a terminal so wide."""
    screen = io.StringIO()
    RichConsole(file=screen, width=width, force_terminal=True, color_system=None, legacy_windows=False).print(status)
    return screen.getvalue().splitlines()


@pytest.mark.parametrize("width", [40, 59, 60, 80, 120, 200])
def test_bottom_lines_fit_any_width(engine, width):
    status = LiveStatus(engine)
    for branch in ("main", "main/try-1", "main/try-2", "main/a-very-long-name-of-an-attempt", "main/fifth"):
        status.happening(ProgressEvent("ask", branch, "coder"))
        for _ in range(100):
            status.happening(ProgressEvent("delta", branch, f"漢字 words\n{ESCAPE} more words "))
    lines = drawn(status, width)
    assert len(lines) == 4
    assert all(RichConsole().render_str(text).cell_len <= width for text in lines)
    assert not any(set("\x1b\x9b\x07‮") & set(text) for text in lines)


def test_bottom_lines_say_who_does_what_for_how_long(engine):
    now = [100.0]
    status = LiveStatus(engine, clock=lambda: now[0])
    status.happening(ProgressEvent("ask", "main", "coder"))
    status.happening(ProgressEvent("delta", "main", "I look at "))
    status.happening(ProgressEvent("delta", "main", "the file."))
    now[0] = 112.0
    assert " 12s #1 thinks I look at the file." in drawn(status, 80)[0]
    status.happening(ProgressEvent("action", "main", "view calc.py"))
    now[0] = 115.0
    assert " 3s #1 view calc.py" in drawn(status, 80)[0]


def test_progress_is_of_what_goes_on_since_it_began(engine):
    now = [100.0]
    status = LiveStatus(engine, clock=lambda: now[0])
    status.happening(ProgressEvent("phase", "main", "search for edits"))
    for passed in (105.0, 107.0):
        now[0] = passed
        status.happening(ProgressEvent("progress", "main", f"trying edits: {passed:.0f} at 2 places"))
    assert " 7s #1 trying edits: 107 at 2 places" in drawn(status, 80)[0]


def test_log_is_told_of_progress_now_and_then(capsys):
    console = Console(plain=True)
    for _ in range(100):
        console.happening(ProgressEvent("progress", "main", "trying edits"))
    assert capsys.readouterr().err == ""
    console._last_progress -= 60
    for _ in range(100):
        console.happening(ProgressEvent("progress", "main", "trying edits"))
    assert capsys.readouterr().err.count("trying edits") == 1


def test_what_is_held_is_not_spent_yet(bench):
    bench.begin(line("x"), models={"scripted": {"price_in": 1.0, "price_out": 5.0}})
    engine = bench.engine()
    try:
        status = LiveStatus(engine)
        hold, _ = engine.ledger.hold("main", 1, 1, "scripted", Price(1.0, 5.0), 100_000, 1000)
        engine.journal.append(hold)
        assert drawn(status, 80)[1].startswith("$0.0000 of $2.00 ($0.1050 held) · 0 in")
        settle = engine.ledger.price_of(hold, Usage(50_000, 100), Price(1.0, 5.0))
        engine.ledger.settle(settle)
        engine.journal.append(settle)
        assert drawn(status, 80)[1].startswith("$0.0505 of $2.00 · 50.0k in")
    finally:
        engine.close()


def test_step_ends_what_its_branch_was_at(engine, bench):
    status = LiveStatus(engine)
    status.happening(ProgressEvent("action", "main", "view calc.py"))
    from agent.engine.task import Task

    status.step(Task(engine).say("x"))
    assert "view" not in drawn(status, 80)[0]
    assert "#2 works" in drawn(status, 80)[0]


def steps_on(engine, console: Console) -> None:
    """One reply of the scripted model, as the drive shows it."""
    from agent.engine.task import Task

    task = Task(engine)
    with console.watching(engine):
        reply = task.ask()
        console.step(task.step(reply, task.act(reply.actions)))


def console_on(screen: io.StringIO, width: int, terminal: bool) -> Console:
    console = Console()
    console.progress = RichConsole(
        file=screen, width=width, force_terminal=terminal, color_system=None, highlight=False, legacy_windows=False
    )  # type: ignore[assignment]
    console._is_live = terminal
    return console


@pytest.mark.parametrize("width", [40, 80, 200])
def test_step_on_terminal(engine, width):
    screen = io.StringIO()
    steps_on(engine, console_on(screen, width, terminal=True))
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", screen.getvalue()).replace("\r", "\n")
    assert "\x1b" not in text
    assert "\x9b" not in text
    assert "\x07" not in text
    assert all(len(shown) <= width for shown in text.splitlines())
    assert "#1" in text
    assert "First red" in text
    assert "…" in text
    assert "✓ view calc.py" in text
    assert "✗ view nothing.py" in text
    assert "1.2k in 30 out" in text


def test_step_in_log_is_one_line_with_its_cost(engine):
    screen = io.StringIO()
    steps_on(engine, console_on(screen, 80, terminal=False))
    (shown,) = screen.getvalue().splitlines()
    assert "coder view calc.py; view nothing.py → " in shown
    assert shown.endswith("$0.0000 1.2k in 30 out")
    assert "\x1b" not in shown


def test_message_to_model_is_shown_by_its_first_line(engine):
    from agent.engine.task import Task

    screen = io.StringIO()
    console_on(screen, 80, terminal=False).step(Task(engine).say("\nThe suite does not pass.\nMore."))
    assert "task The suite does not pass." in screen.getvalue()


def test_streamed_text_shows_no_key(engine):
    secret = "canary-4f1d9c27ab"
    engine._known_secrets = (secret,)
    status = LiveStatus(engine)
    status.happening(ProgressEvent("ask", "main", "coder"))
    for end, piece in enumerate(secret, 1):
        status.happening(ProgressEvent("delta", "main", piece))
        (shown, *_) = drawn(status, 80)
        assert secret[: max(end, 4)] not in shown
    status.happening(ProgressEvent("delta", "main", " is it"))
    assert "[masked] is it" in drawn(status, 80)[0]


def result_of(engine, error: SweAgentError | None = None) -> str:
    """The last word on a run as it stands."""
    screen = io.StringIO()
    console = Console()
    console.out = RichConsole(file=screen, width=200, color_system=None, highlight=False)  # type: ignore[assignment]
    with console.watching(engine):
        console.result(result(engine), error)
    return screen.getvalue()


def test_interrupted_run_says_what_is_held_and_judges_nothing(engine):
    from agent.engine.task import Task

    task = Task(engine)
    mend = Action("shell", {"command": "sed -i s/-/+/ calc.py"})
    task.step(None, task.act([mend]), [mend], author="reproduction")
    task.ask()
    hold, _ = engine.ledger.hold("main", 2, 1, "scripted", Price(1.0, 5.0), 14_000, 800)
    engine.journal.append(hold)
    said = result_of(engine, Cancelled("Interrupted\x1b]0;title\x07.", "Go on with [b]resume\x1b[2J."))
    assert "return a + b" in said
    assert "not judged" not in said
    assert "2 calls, 1,200 tokens in, 30 out, +14.8k held, $" in said
    assert "Interrupted. Go on with [b]resume." in said


def test_diff_in_pipe_has_its_own_lines(engine, capsys):
    diff = f"--- a/calc.py\n+++ b/calc.py\n@@ -1 +1 @@\n-{'a' * 200}\n+\t{'b ' * 200}\n"
    Console(plain=True).result(replace(result(engine), patch=Patch(diff)))
    assert diff in capsys.readouterr().out


def test_what_follows_diff_begins_on_its_own_line(engine, capsys):
    Console(plain=True).result(
        replace(result(engine), patch=Patch("--- a/a\n+++ b/a\n@@ -1 +1 @@\n-a\n+b"), word="So.")
    )
    assert "\n+b\nSo.\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("kind", "fix", "said"),
    [
        ("limit", "Give more with --max-steps.", "@main#1 --max-steps N` continues with more."),
        ("budget", "Give more with --budget or --max-tokens.", "@main#1 --budget N` continues with more."),
        ("stuck", "Try another --model.", "It ended. Try another --model."),
    ],
)
def test_run_at_its_limit_says_what_goes_on_with_it(bench, capsys, kind, fix, said):
    run = bench.begin(line("x"))
    Console(plain=True, out=True).ending(Exit(kind, 4, message="It ended.", fix=fix), run, "main#1")
    told = capsys.readouterr().out
    assert said in told
    assert (f"`swe-agent fork {run.name}@" in told) == (kind != "stuck")


def test_error_carries_nothing_that_terminal_obeys(capsys):
    assert report_error(["fix"], 3, f"The server said {ESCAPE}.", "Mend it.") == 3
    assert capsys.readouterr().err == "swe-agent: The server said red. Mend it.\n"


def test_proof_carries_nothing_that_terminal_obeys():
    """Names of tests and what is noted of them are the repository's."""
    screen = io.StringIO()
    console = Console()
    console.out = RichConsole(file=screen, width=200, color_system=None, highlight=False)  # type: ignore[assignment]
    names = (f"t.py::{ESCAPE}",)
    noted = (f"f ({ESCAPE}.py:1) is gone.",)
    verdict = Verdict("verified", red=True, notes=noted, tests=names, lost=names, flaky=names)
    console.ending(Exit("verified", 0, verdict=verdict), Path("/nowhere"))
    assert "\x1b" not in screen.getvalue()
    assert screen.getvalue().count("red") == 4


def test_runs_are_listed_with_how_they_ended_in_words(bench, monkeypatch, capsys):
    bench.begin(line("x"))
    monkeypatch.setenv("SWE_AGENT_STATE", str(bench.settings.state))
    runs.command()
    assert "resumable" in capsys.readouterr().out
    for kind, said in (("verified", "verified"), ("unproven", "not verified"), ("not_found", "no fix")):
        journal = Journal(bench.begin(line("x")))
        journal.append(Exit(kind, 0))
        journal.close()
        runs.command()
        assert said in capsys.readouterr().out.replace("resumable", "")


def test_one_call_is_one(engine):
    from agent.engine.task import Task

    Task(engine).ask()
    assert "1 call, 1,200 tokens in, 30 out, $0.0000" in result_of(engine)


@given(st.text(max_size=300), st.integers(0, 120))
def test_end_of_stream_fits_and_carries_nothing(said, room):
    kept = tail(said, room)
    assert RichConsole().render_str(kept.replace("[", "(")).cell_len <= room
    assert not re.search(r"[\x00-\x1f\x7f-\x9f]", kept)


@pytest.mark.parametrize(
    ("count", "said"),
    [(0, "0"), (999, "999"), (1000, "1.0k"), (12_345, "12.3k"), (999_949, "999.9k"), (1_200_000, "1.2M")],
)
def test_thousands(count, said):
    assert thousands(count) == said


def test_cost_in_words():
    spent = Spent(0.01234, 12_345, 9_876, 417, 3)
    assert cost(spent, 2.0) == "$0.0123 of $2.00 · 12.3k in (80% cached) · 417 out"
    assert cost(spent, None) == "$0.0123 · 12.3k in (80% cached) · 417 out"
    assert cost(spent, 2.0, held=0.2) == "$0.0123 of $2.00 ($0.2000 held) · 12.3k in (80% cached) · 417 out"
    assert len(cost(spent, 2.0, short=True)) < NARROW
    assert cost(Spent(None, 10, 0, 5, 1), 2.0) == "price unknown · 10 in · 5 out"


# The whole program on a pseudo terminal


def watched(machine: Machine, model: str, repository, *more: str, **environment: str) -> bytes:
    """All bytes that a terminal of 80 columns gets."""
    parent, child = pty.openpty()
    process = subprocess.Popen(
        machine.command("fix", "--repo", repository, "--text", "add() subtracts", "--model", model, *more),
        env=machine.environment | {"TERM": "xterm-256color", "COLUMNS": "80", "LINES": "24"} | environment,
        cwd=machine.home, stdin=child, stdout=child, stderr=child, start_new_session=True,
    )  # fmt: skip
    os.close(child)
    screen, end = b"", time.monotonic() + 90
    while time.monotonic() < end:
        if select.select([parent], [], [], 0.2)[0]:
            try:
                screen += os.read(parent, 65_536)
            except OSError:
                break  # the terminal is gone with the process
        elif process.poll() is not None:
            break
    os.close(parent)
    assert process.wait(30) in (0, 1, 6), screen
    return screen


@pytest.fixture
def seen(tmp_path, make_repo):
    home = tmp_path / "home"
    home.mkdir()
    machine = Machine(home)
    repository = make_repo({"calc.py": "def add(a, b):\n    return a - b\n"})
    slow = {"tool": "shell", "arguments": {"command": "sleep 1"}}
    model = machine.script({"reply": {"text": f"Look {ESCAPE}", "actions": [slow, act("submit")], "usage": USAGE}})
    return lambda *more, **environment: watched(machine, model, repository, *more, **environment)


@pytest.mark.slow
def test_terminal_sees_what_goes_on(seen):
    screen = seen()
    assert b"\x1b[?25l" in screen
    assert screen.rindex(b"\x1b[?25h") > screen.rindex(b"\x1b[?25l"), "the cursor is there again"
    assert b"shell sleep 1" in screen
    assert "✓".encode() in screen
    assert b"title" not in screen
    assert b"\x1b[2J" not in screen


@pytest.mark.slow
@pytest.mark.parametrize(("more", "environment"), [(("--plain",), {}), ((), {"NO_COLOR": "1"}), ((), {"TERM": "dumb"})])
def test_terminal_that_wants_plain_lines_gets_them(seen, more, environment):
    screen = seen(*more, **environment)
    assert b"\x1b[?25l" not in screen
    assert b"\x1b[1A" not in screen
    assert b"coder shell sleep 1; submit" in screen
