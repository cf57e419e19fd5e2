"""Display of a run on a terminal and in a log, at any width and for any text from a model."""

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

from aci.observation.activity_message import ActivityMessage
from agent.console import rich_terminal
from agent.console.activity_lines import NARROW, Activities, LiveStatus, cost, tail, thousands
from agent.console.error_report import report_error
from agent.console.run_display import Console, _result_line
from agent.lifecycle.result_json import as_json
from agent.lifecycle.run_lifecycle import result
from agent.limits.run_budget import Price
from agent.run_state.progress_event import ProgressEvent
from agent.run_state.strategy_traits import NoFailingTest
from tests.agent.conftest import act, line
from tests.e2e.conftest import Machine
from trajectories.errors import Cancelled, SweAgentError, UsageError
from trajectories.facts import Fact
from trajectories.page_picture import ChangedPage
from trajectories.records import Action, Exit, Observation, Patch, Spent, Step, Usage
from trajectories.verdict import Verdict

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


def test_log_shows_issue_title():
    framed = '<issue author="eve" trust="stranger">\nadd() subtracts\n\nMore.\n</issue>'
    assert _result_line(Step("main", 1, "", "task", "t", None, (), (Observation(framed),))) == "add() subtracts"


def render_lines(status: LiveStatus, width: int) -> list[str]:
    """Render the status lines on a terminal of this width."""
    screen = io.StringIO()
    RichConsole(file=screen, width=width, force_terminal=True, color_system=None, legacy_windows=False).print(status)
    return screen.getvalue().splitlines()


@pytest.mark.parametrize("width", [40, 59, 60, 80, 120, 200])
def test_status_lines_fit_any_width(engine, width):
    status = LiveStatus(engine, activities := Activities())
    for branch in ("main", "main/try-1", "main/try-2", "main/a-very-long-name-of-an-attempt", "main/fifth"):
        activities.happening(ProgressEvent("ask", branch, "coder"))
        for _ in range(100):
            activities.happening(ProgressEvent("delta", branch, f"漢字 words\n{ESCAPE} more words "))
    lines = render_lines(status, width)
    assert len(lines) == 4
    assert all(RichConsole().render_str(text).cell_len <= width for text in lines)
    assert not any(set("\x1b\x9b\x07‮") & set(text) for text in lines)


def test_status_lines_show_branch_action_and_duration(engine):
    now = [100.0]
    status = LiveStatus(engine, activities := Activities(clock=lambda: now[0]))
    activities.happening(ProgressEvent("ask", "main", "coder"))
    activities.happening(ProgressEvent("delta", "main", "I look at "))
    activities.happening(ProgressEvent("delta", "main", "the file."))
    now[0] = 112.0
    assert " 12s #1 thinks I look at the file." in render_lines(status, 80)[0]
    activities.happening(ProgressEvent("action", "main", "view calc.py"))
    now[0] = 115.0
    assert " 3s #1 view calc.py" in render_lines(status, 80)[0]


def test_progress_line_shows_time_since_phase_start(engine):
    now = [100.0]
    status = LiveStatus(engine, activities := Activities(clock=lambda: now[0]))
    activities.happening(ProgressEvent("phase", "main", "search for edits"))
    for passed in (105.0, 107.0):
        now[0] = passed
        activities.happening(ProgressEvent("progress", "main", f"trying edits: {passed:.0f} at 2 places"))
    assert " 7s #1 trying edits: 107 at 2 places" in render_lines(status, 80)[0]


def test_result_does_not_replace_current_activity(engine):
    status = LiveStatus(engine, activities := Activities())
    activities.happening(ProgressEvent("phase", "main", "search for edits"))
    results = (("summary", "4 failed"), ("candidate", "a.py:3"), ("vote", "2 of 3"), ("say", "Nothing is isolated."),
               ("say", "services: redis"))  # fmt: skip
    for kind, text in results:
        activities.happening(ProgressEvent(kind, "main", text))
        assert "search for edits" in render_lines(status, 80)[0]
    for text in ("Running the tests", "Pulling the image x."):
        activities.happening(ProgressEvent("say", "main", ActivityMessage(text)))
        assert text in render_lines(status, 80)[0]


def test_silent_log_shows_what_is_done(monkeypatch, capsys):
    monkeypatch.setattr(rich_terminal, "SILENCE", 0.01)
    console = Console(plain=True)
    console.happening(ProgressEvent("phase", "main", "search for edits"))
    console.happening(ProgressEvent("progress", "main", "trying edits: 3"))
    assert "trying" not in capsys.readouterr().err
    with console.heartbeat():
        output = wait_for_output(capsys)
    assert re.search(r"^ +\d\.\ds trying edits: 3 \(0s\)$", output, re.MULTILINE)


def test_silent_log_shows_what_started_last(capsys):
    console = Console(plain=True)
    for branch, text in (("main", "prove"), ("proof", "Running the tests"), ("main", "finding the places")):
        console.happening(ProgressEvent("action", branch, text))
        console._show_activity()
        assert capsys.readouterr().err.splitlines()[-1].endswith(f"{text} (0s)")


def wait_for_output(capsys) -> str:
    """Return what is printed to stderr, when there is something."""
    end = time.monotonic() + 30
    while time.monotonic() < end:
        if output := capsys.readouterr().err:
            return output
        time.sleep(0.01)
    raise AssertionError("nothing was printed")


def test_status_lines_separate_held_from_spent_cost(bench):
    bench.begin(line("x"), models={"scripted": {"price_in": 1.0, "price_out": 5.0}})
    engine = bench.engine()
    try:
        status = LiveStatus(engine, Activities())
        hold, _ = engine.ledger.hold("main", 1, 1, "scripted", Price(1.0, 5.0), 100_000, 1000)
        engine.journal.append(hold)
        assert render_lines(status, 80)[1].startswith("$0.0000 of $2.00 ($0.1050 held) · 0 in")
        settle = engine.ledger.price_of(hold, Usage(50_000, 100), Price(1.0, 5.0))
        engine.ledger.settle(settle)
        engine.journal.append(settle)
        assert render_lines(status, 80)[1].startswith("$0.0505 of $2.00 · 50.0k in")
    finally:
        engine.close()


def test_step_clears_current_action_of_its_branch(engine, bench):
    status = LiveStatus(engine, activities := Activities())
    activities.happening(ProgressEvent("action", "main", "view calc.py"))
    from agent.engine.branch import Branch

    activities.step(Branch(engine).say("x"))
    assert "view" not in render_lines(status, 80)[0]
    assert "#2 works" in render_lines(status, 80)[0]


def run_one_step(engine, console: Console) -> None:
    """Take one reply of the scripted model and show its step."""
    from agent.engine.branch import Branch

    branch = Branch(engine)
    with console.watching(engine):
        reply = branch.ask()
        console.step(branch.step(reply, branch.act(reply.actions)))


def create_console(screen: io.StringIO, width: int, terminal: bool) -> Console:
    console = Console()
    console.progress = RichConsole(
        file=screen, width=width, force_terminal=terminal, color_system=None, highlight=False, legacy_windows=False
    )  # type: ignore[assignment]
    console._is_live = terminal
    return console


@pytest.mark.parametrize("width", [40, 80, 200])
def test_terminal_shows_step_within_width(engine, width):
    screen = io.StringIO()
    run_one_step(engine, create_console(screen, width, terminal=True))
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", screen.getvalue()).replace("\r", "\n")
    assert "\x1b" not in text
    assert "\x9b" not in text
    assert "\x07" not in text
    assert all(len(row) <= width for row in text.splitlines())
    assert "#1" in text
    assert "First red" in text
    assert "…" in text
    assert "✓ view calc.py" in text
    assert "✗ view nothing.py" in text
    assert "1.2k in 30 out" in text


def test_step_in_log_is_one_line_with_its_cost(engine):
    screen = io.StringIO()
    run_one_step(engine, create_console(screen, 80, terminal=False))
    (row,) = screen.getvalue().splitlines()
    assert "coder view calc.py; view nothing.py → " in row
    assert row.endswith("$0.0000 1.2k in 30 out")
    assert "\x1b" not in row


@pytest.mark.parametrize("terminal", [True, False])
def test_failed_command_shows_exit_code(terminal):
    data = {"code": 3, "seconds": 0.1, "last_line": f"{ESCAPE} ValueError", "timed_out": False}
    failed = Observation("collected\nValueError\n[exit code 3]", ok=False, data=data)
    screen = io.StringIO()
    made = Step("main", 1, "", "coder", "t", 1, (Action("shell", {"command": "make"}),), (failed,))
    create_console(screen, 120, terminal=terminal).step(made)
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", screen.getvalue())
    assert re.search(r"shell make → exit code 3: .*ValueError", text)
    assert "\x07" not in text


def test_log_says_once_that_model_has_no_price(engine):
    from agent.engine.branch import Branch

    screen = io.StringIO()
    console = create_console(screen, 80, terminal=False)
    with console.watching(engine):
        console.step(Branch(engine).say("First."))
        assert "price" not in screen.getvalue()
        engine.ledger.hold("main", 2, 1, "openai/mine", None, 100, 100)
        console.step(Branch(engine).say("Second."))
        console.step(Branch(engine).say("Third."))
    assert screen.getvalue().count("No price is known for a model") == 1
    assert "The run may use 1,000,000 tokens" in screen.getvalue()


def test_log_shows_first_line_of_message_to_model(engine):
    from agent.engine.branch import Branch

    screen = io.StringIO()
    create_console(screen, 80, terminal=False).step(Branch(engine).say("\nThe suite does not pass.\nMore."))
    assert "task The suite does not pass." in screen.getvalue()


def test_streamed_text_masks_secret(engine):
    secret = "canary-4f1d9c27ab"
    engine._known_secrets = (secret,)
    status = LiveStatus(engine, activities := Activities())
    activities.happening(ProgressEvent("ask", "main", "coder"))
    for end, piece in enumerate(secret, 1):
        activities.happening(ProgressEvent("delta", "main", piece))
        (row, *_) = render_lines(status, 80)
        assert secret[: max(end, 4)] not in row
    activities.happening(ProgressEvent("delta", "main", " is it"))
    assert "[masked] is it" in render_lines(status, 80)[0]


def render_result(engine, error: SweAgentError | None = None) -> str:
    """Render the final report on the run in its present state."""
    screen = io.StringIO()
    console = Console()
    console.out = RichConsole(file=screen, width=200, color_system=None, highlight=False)  # type: ignore[assignment]
    with console.watching(engine):
        console.result(result(engine), error)
    return screen.getvalue()


def test_interrupted_run_shows_held_cost_and_no_verdict(engine):
    from agent.engine.branch import Branch

    branch = Branch(engine)
    edit = Action("shell", {"command": "sed -i s/-/+/ calc.py"})
    branch.step(None, branch.act([edit]), [edit], author="reproduction")
    branch.ask()
    hold, _ = engine.ledger.hold("main", 2, 1, "scripted", Price(1.0, 5.0), 14_000, 800)
    engine.journal.append(hold)
    output = render_result(engine, Cancelled("Interrupted\x1b]0;title\x07.", "Continue with [b]resume\x1b[2J."))
    assert "return a + b" in output
    assert "not checked" not in output
    assert "2 calls, 1,200 tokens in, 30 out, up to 14.8k more, $" in output
    assert "Interrupted. Continue with [b]resume." in output


def test_run_without_failing_tests_has_nothing_to_fix(engine):
    output = render_result(engine, NoFailingTest("No test fails. On the base: 2 passed.", "Describe an issue."))
    assert output.startswith("There is nothing to fix.\n")
    assert "Not finished" not in output
    assert "No test fails. On the base: 2 passed. Describe an issue." in output
    assert render_result(engine, UsageError("The branch exists.")).startswith("Not finished.\n")


def test_piped_diff_is_not_wrapped(engine, capsys):
    diff = f"--- a/calc.py\n+++ b/calc.py\n@@ -1 +1 @@\n-{'a' * 200}\n+\t{'b ' * 200}\n"
    Console(plain=True).result(replace(result(engine), patch=Patch(diff)))
    assert diff in capsys.readouterr().out


def test_text_after_diff_starts_on_new_line(engine, capsys):
    Console(plain=True).result(
        replace(result(engine), patch=Patch("--- a/a\n+++ b/a\n@@ -1 +1 @@\n-a\n+b"), word="So.")
    )
    assert "\n+b\nSo.\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("kind", "fix", "message"),
    [
        ("limit", "Give more with --max-steps.", "@main#1 --max-steps N` continues with more."),
        ("budget", "Give more with --budget or --max-tokens.", "@main#1 --budget N` continues with more."),
        ("stuck", "Try another --model.", "It ended. Try another --model."),
    ],
)
def test_run_at_limit_suggests_how_to_continue(bench, capsys, kind, fix, message):
    run = bench.begin(line("x"))
    Console(plain=True, out=True).ending(Exit(kind, 4, message="It ended.", fix=fix), run, "main#1")
    output = capsys.readouterr().out
    assert message in output
    assert (f"`swe-agent fork {run.name}@" in output) == (kind != "stuck")


def test_error_contains_no_control_characters(capsys):
    assert report_error(["fix"], 3, f"The server said {ESCAPE}.", "Fix it.") == 3
    assert capsys.readouterr().err == "swe-agent: The server said red. Fix it.\n"


def test_proof_contains_no_control_characters():
    """The repository controls the names of tests and the notes about them."""
    screen = io.StringIO()
    console = Console()
    console.out = RichConsole(file=screen, width=200, color_system=None, highlight=False)  # type: ignore[assignment]
    names = (f"t.py::{ESCAPE}",)
    notes = (f"f ({ESCAPE}.py:1) is gone.",)
    verdict = Verdict(
        "verified", red=True, facts=tuple(Fact("limit", note) for note in notes), tests=names, lost=names, flaky=names
    )
    console.ending(Exit("verified", 0, verdict=verdict), Path("/nowhere"))
    assert "\x1b" not in screen.getvalue()
    assert screen.getvalue().count("red") == 4


def test_proof_lists_names_of_several_tests_below_each_other():
    screen = io.StringIO()
    console = Console()
    console.out = RichConsole(file=screen, width=200, color_system=None, highlight=False)  # type: ignore[assignment]
    tests = tuple(f"t.py::test_{number}" for number in range(12))
    console.ending(Exit("verified", 0, verdict=Verdict("verified", red=True, tests=tests, lost=tests[:1])), Path("/no"))
    assert "\nshown by:\n  t.py::test_0\n  t.py::test_1\n" in screen.getvalue()
    assert "\n  t.py::test_9\n  and 2 more\n" in screen.getvalue()
    assert "\nlost: t.py::test_0\n" in screen.getvalue()


def test_result_names_changed_pages_and_difference(engine, capsys):
    number = engine.journal.keep(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\2\0\0\0\1")
    page = ChangedPage(f"/cart{ESCAPE}[b]", 390, False, (), ("Home: red",), {"difference": number, "after": number + 1})
    ended = replace(result(engine), pages=(page,))
    Console(plain=True).result(ended)
    shown = capsys.readouterr().out
    file = engine.journal.directory / "pictures" / f"{number}.png"
    assert f"[b] at 390 px, not asked for: Home: red\n  {file}\n" in shown
    assert "\x1b" not in shown
    assert as_json(ended)["pages"] == [
        {"path": page.path, "width": 390, "dark": False, "asked": [], "unasked": ["Home: red"]}
        | {"difference": f"pictures/{number}.png"}
    ]
    assert "pages" not in as_json(result(engine))


def test_result_uses_singular_for_one_call(engine):
    from agent.engine.branch import Branch

    Branch(engine).ask()
    assert "1 call, 1,200 tokens in, 30 out, $0.0000" in render_result(engine)


@pytest.mark.slow
@given(st.text(max_size=300), st.integers(0, 120))
def test_tail_fits_width_without_control_characters(text, width):
    shortened = tail(text, width)
    assert RichConsole().render_str(shortened.replace("[", "(")).cell_len <= width
    assert not re.search(r"[\x00-\x1f\x7f-\x9f]", shortened)


@pytest.mark.parametrize(
    ("count", "expected"),
    [(0, "0"), (999, "999"), (1000, "1.0k"), (12_345, "12.3k"), (999_949, "999.9k"), (1_200_000, "1.2M")],
)
def test_thousands_are_abbreviated(count, expected):
    assert thousands(count) == expected


def test_cost_shows_price_budget_and_tokens():
    spent = Spent(0.01234, 12_345, 9_876, 417, 3)
    assert cost(spent, 2.0) == "$0.0123 of $2.00 · 12.3k in (80% cached) · 417 out"
    assert cost(spent, None) == "$0.0123 · 12.3k in (80% cached) · 417 out"
    assert cost(spent, 2.0, held=0.2) == "$0.0123 of $2.00 ($0.2000 held) · 12.3k in (80% cached) · 417 out"
    assert len(cost(spent, 2.0, short=True)) < NARROW
    assert cost(Spent(None, 10, 0, 5, 1), 2.0) == "price unknown · 10 in · 5 out"


# The whole program on a pseudo terminal


def run_on_terminal(machine: Machine, model: str, repository, *more: str, **environment: str) -> bytes:
    """Run `swe-agent fix` on a pseudo terminal of 80 columns and return all its output."""
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
                break  # the terminal closes with the process
        elif process.poll() is not None:
            break
    os.close(parent)
    assert process.wait(30) in (0, 1, 6), screen
    return screen


@pytest.fixture
def run_fix(tmp_path, make_repo):
    home = tmp_path / "home"
    home.mkdir()
    machine = Machine(home)
    repository = make_repo({"calc.py": "def add(a, b):\n    return a - b\n"})
    slow = {"tool": "shell", "arguments": {"command": "sleep 1"}}
    model = machine.script({"reply": {"text": f"Look {ESCAPE}", "actions": [slow, act("submit")], "usage": USAGE}})
    return lambda *more, **environment: run_on_terminal(machine, model, repository, *more, **environment)


@pytest.mark.slow
def test_terminal_shows_live_progress(run_fix):
    screen = run_fix()
    assert b"\x1b[?25l" in screen
    assert screen.rindex(b"\x1b[?25h") > screen.rindex(b"\x1b[?25l"), "the cursor is not shown again"
    assert b"shell sleep 1" in screen
    assert "✓".encode() in screen
    assert b"title" not in screen
    assert b"\x1b[2J" not in screen


@pytest.mark.slow
@pytest.mark.parametrize(("more", "environment"), [(("--plain",), {}), ((), {"NO_COLOR": "1"}), ((), {"TERM": "dumb"})])
def test_plain_output_has_no_cursor_movement(run_fix, more, environment):
    screen = run_fix(*more, **environment)
    assert b"\x1b[?25l" not in screen
    assert b"\x1b[1A" not in screen
    assert b"coder shell sleep 1; submit" in screen
