"""What a person sees of a batch: it fits any terminal, a stranger's text drives none, and a log has a line an event."""

import io
import os
import pty
import select
import subprocess
import sys
import tracemalloc
from pathlib import Path
from threading import Thread
from unittest.mock import ANY

import pytest
from rich.console import Console
from rich.text import Text

from agent.batch.reports.batch_progress import BatchLimits, BatchProgress
from agent.batch.reports.outcome_reasons import OUTCOME_REASONS, outcome_reason
from agent.batch.reports.progress_display import Dashboard, PlainLines, open_display
from agent.batch.reports.progress_text import approximate_duration, clock, single_line
from agent.config.settings import Settings
from agent.engine.engine import ProgressEvent
from agent.instances.jobs import Instance, Job, JobResult
from trajectories.records import Issue, Step

STRANGE = "\x1b[31mred\x1b]0;title\x07\x1b[2J [bold]mark[/bold] [/] 漢字 ‮ \x9b1m\nnext"
STEP = Step("main", 1, "", "coder", "tree")


def job(name: str) -> Job:
    return Job(Instance(name, "a/b", "", Issue("x")), 1, Path(), Settings())


def done(name: str, kind: str = "verified", dollars: float | None = 0.5, **more: object) -> JobResult:
    return JobResult(name, 1, name, 0, kind, more.pop("verdict", "none"), more.pop("patch", ""), dollars, **more)


def screen(width: int = 80, height: int = 24) -> Console:
    return Console(
        file=io.StringIO(), width=width, height=height, force_terminal=True, color_system=None, legacy_windows=False
    )


def drawn(dashboard: Dashboard, width: int = 80, height: int = 24) -> list[str]:
    console = screen(width, height)
    console.print(dashboard)
    return console.file.getvalue().splitlines()


def busy(workers: int = 32, plan: BatchLimits | None = None) -> Dashboard:
    """Some done in every way, all workers at work on something strange."""
    dashboard = Dashboard(plan or BatchLimits(workers, 50.0, 2.0), screen())
    jobs = [job(f"scikit-learn__scikit-learn-{number}") for number in range(100)]
    dashboard.began(jobs, [done(f"before-{kind}", kind, verdict=kind) for kind in OUTCOME_REASONS])
    for one in jobs[:workers]:
        dashboard.started(one, "image")
        dashboard.step(one, STEP, 0.25)
        dashboard.happening(one, ProgressEvent("phase", "main", STRANGE))
        dashboard.happening(one, ProgressEvent("action", "main", STRANGE * 20))
    return dashboard


@pytest.mark.parametrize("width", [60, 80, 140])
def test_it_fits_terminal(width):
    lines = drawn(busy(plan=BatchLimits(32, 50.0, 2.0, lambda: {STRANGE: 12.0})), width)
    assert len(lines) < 24
    assert max(Text(one).cell_len for one in lines) <= width
    assert "8/108" in lines[0]
    assert lines[-1].endswith(" more")
    rows = sum("learn-" in one for one in lines)
    assert rows >= 12
    assert lines[-1] == f"and {32 - rows} more"


@pytest.mark.parametrize("height", [1, 3, 6, 9])
def test_it_fits_low_terminal(height):
    assert len(drawn(busy(), 80, height)) <= max(height, 5)


def test_text_of_strangers_is_shown_as_it_is_and_drives_nothing():
    text = "\n".join(drawn(busy(workers=4), 200))
    assert not any(set("\x1b\x9b\x07‮") & set(one) for one in drawn(busy(workers=4), 200))
    assert "red [bold]mark[/bold] [/] 漢字" in text


def test_longest_at_work_come_first_with_step_dollars_and_what_they_are_at():
    now = [0.0]
    dashboard = Dashboard(BatchLimits(3), screen())
    dashboard._tally.clock = lambda: now[0]
    dashboard.began([job("first"), job("second"), job("third")])
    for name in ("first", "second"):
        dashboard.started(job(name), "")
        now[0] += 60
    dashboard.step(job("first"), STEP, 0.25)
    dashboard.happening(job("first"), ProgressEvent("ask", "main", "coder"))
    dashboard.step(job("second"), STEP, 0.5)
    dashboard.step(job("second"), STEP, 0.75)
    dashboard.happening(job("second"), ProgressEvent("action", "main", "view a.py"))
    rows = [one.split() for one in drawn(dashboard)[-2:]]
    assert rows == [["first", "#1", "2:00", "$0.25", "thinks"], ["second", "#2", "1:00", "$0.75", "view", "a.py"]]


def test_money_and_time_so_far_and_to_come():
    now = [0.0]
    dashboard = Dashboard(BatchLimits(2, total=5.0), screen(100))
    dashboard._tally.clock = lambda: now[0]
    jobs = [job(f"j{number}") for number in range(10)]
    dashboard.began(jobs)
    for number, one in enumerate(jobs[:4]):
        assert "about" not in "".join(drawn(dashboard)[:3]) or number == 3
        dashboard.started(one, "")
        now[0] += 300
        dashboard.done(done(one.run, dollars=0.25 * (number + 1)))
    head = drawn(dashboard, 100)[1]
    assert head.startswith("0 running, 20:00, about 1")
    assert "$2.50 of $5.00, about $6.25 in total (" in head


def test_without_prices_there_is_no_forecast_of_money():
    dashboard = busy()
    dashboard.done(done("scikit-learn__scikit-learn-0", dollars=None))
    assert "price unknown of $50.00" in "\n".join(drawn(dashboard))
    assert " in all" not in "\n".join(drawn(dashboard))


def test_exits_are_counted_by_cause():
    text = " ".join(drawn(busy()))
    assert all(f"{name} 1" in " ".join(text.split()) for name in OUTCOME_REASONS)
    assert "error" not in " ".join(drawn(Dashboard(BatchLimits(1), screen())))


def test_pauses_are_shown():
    lines = drawn(Dashboard(BatchLimits(1, pauses=lambda: {"gpt": 12.4}), screen()))
    assert "gpt pauses for 12 s: too many requests" in lines


def test_what_is_done_scrolls_by_above():
    console = screen(120)
    dashboard = Dashboard(BatchLimits(1), console)
    with dashboard:
        dashboard.began([job("a"), job("b")])
        dashboard.started(job("a"), "")
        dashboard.done(done("a", "infrastructure", error=f"No image. {STRANGE}"))
        dashboard.say(f"b: {STRANGE} Next try in 5 s.")
        dashboard.started(job("b"), "")
    assert [one.strip() for one in drawn(dashboard)] == [drawn(dashboard)[0], "0:00", "$0.50", ANY], "no more at work"
    text = console.file.getvalue()
    assert "infrastructure a  $0.5000  0:00  No image. red [bold]mark[/bold]" in text
    assert "b: red [bold]mark[/bold] [/] 漢字" in text
    assert "1/2 50%" in text
    assert "\x1b[2J" not in text


def test_many_threads_at_once():
    console = screen(120)
    dashboard = Dashboard(BatchLimits(8), console)
    jobs = [job(f"j{number}") for number in range(64)]

    def work(mine: list[Job]) -> None:
        for one in mine:
            dashboard.started(one, "")
            for _ in range(20):
                dashboard.happening(one, ProgressEvent("delta", "main", "x"))
                dashboard.step(one, STEP, 0.1)
            dashboard.say("again")
            dashboard.done(done(one.run, dollars=0.1))

    with dashboard:
        dashboard.began(jobs)
        threads = [Thread(target=work, args=(jobs[number::8],)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert "64/64 100%" in console.file.getvalue()
    assert dashboard._tally.standing().running == ()
    assert dashboard._tally.standing().dollars == pytest.approx(6.4)


# Logs


def log(workers: int = 2, **plan: object) -> tuple[PlainLines, io.StringIO]:
    file = io.StringIO()
    return PlainLines(BatchLimits(workers, **plan), Console(file=file, color_system=None, highlight=False)), file


def test_log_has_line_event():
    lines, file = log()
    with lines:
        lines.began([job("a"), job("b")], [done("c", dollars=1.0)])
        lines.started(job("a"), "python:3.11")
        lines.step(job("a"), STEP, 0.2)
        lines.happening(job("a"), ProgressEvent("delta", "main", "words"))
        lines.say("a: The daemon is gone. Next try in 5 s.")
        lines.done(done("a", "unproven", 0.25, verdict="unproven", patch="x", steps=7, tries=2))
        lines.done(done("b", "error", None, error=f"No more. {STRANGE}"))
    assert file.getvalue().splitlines() == [
        "0:00 2 to solve, 2 workers; 1 already done, $1.00",
        "0:00 started a in python:3.11",
        "0:00 a: The daemon is gone. Next try in 5 s.",
        "0:00 done a: unproven, exit 0, verdict unproven, $0.2500, 0.0 s, 7 steps, 2 tries · 2/3, $1.25",
        "0:00 done b: error, exit 0, verdict none, price unknown, 0.0 s, 0 steps, "
        "No more. red [bold]mark[/bold] [/] 漢字 next · 3/3, price unknown",
    ]


def test_pause_of_all_is_one_line():
    pauses = {"gpt": 20.0}
    lines, file = log(pauses=lambda: pauses)
    for name in ("a", "b", "c"):
        lines.happening(job(name), ProgressEvent("say", "main", "Too many requests. Asking again in 20 s."))
    assert file.getvalue().splitlines() == [
        "0:00 gpt pauses for 20 s: too many requests",
        "0:00 a: Too many requests. Asking again in 20 s.",
    ]
    pauses.clear()
    lines.happening(job("a"), ProgressEvent("say", "main", "The image is there."))
    pauses["gpt"] = 5.0
    lines.happening(job("b"), ProgressEvent("say", "main", "Too many requests. Asking again in 5 s."))
    assert file.getvalue().count("gpt pauses") == 2


def test_no_terminal_and_plain_mean_lines(monkeypatch):
    assert isinstance(open_display(BatchLimits(1)), PlainLines)
    assert isinstance(open_display(BatchLimits(1), plain=True), PlainLines)


SHOWS = (
    "import sys\nfrom agent.batch.reports.progress_display import open_display\n"
    + "from agent.batch.reports.batch_progress import BatchLimits\n"
    + ("print(type(open_display(BatchLimits(1), plain='--plain' in sys.argv)).__name__)")
)


@pytest.mark.parametrize(
    ("environment", "flags", "shown"),
    [
        ({}, [], "Dashboard"),
        ({}, ["--plain"], "PlainLines"),
        ({"NO_COLOR": "1"}, [], "PlainLines"),
        ({"TERM": "dumb"}, [], "PlainLines"),
    ],
)
def test_terminal_gets_dashboard(environment, flags, shown):
    ours, theirs = pty.openpty()
    try:
        known = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
        said = subprocess.run(
            [sys.executable, "-c", SHOWS, *flags],
            stdout=subprocess.PIPE,
            stderr=theirs,
            env=known | {"TERM": "xterm"} | environment,
            cwd=Path(__file__).parents[4],
            text=True,
            timeout=60,
        )
        assert said.stdout.strip() == shown
        assert not select.select([ours], [], [], 0)[0]
    finally:
        os.close(ours)
        os.close(theirs)


@pytest.mark.parametrize(
    ("came", "why"),
    [
        (done("a", "faster"), "verified"),
        (done("a", "not_found"), "empty"),
        (done("a", "unproven", patch="x"), "unproven"),
        (done("a", "unproven", verdict="unproven"), "unproven"),
        (done("a", "unproven"), "empty"),
        (done("a", "stuck", patch="x"), "stuck"),
        (done("a", "infrastructure"), "infrastructure"),
        (done("a", "something new"), "empty"),
    ],
)
def test_causes(came, why):
    assert outcome_reason(came) == why


def test_times_and_lines():
    assert [clock(seconds) for seconds in (0, 83, 3683, -1)] == ["0:00", "1:23", "1:01:23", "0:00"]
    assert [approximate_duration(seconds) for seconds in (50, 1860, 9000)] == ["50 s", "31 min", "2.5 h"]
    assert single_line("x" * 10_000) == "x" * 239 + "…"


def test_how_batch_stands_is_told_without_look_at_all_that_is_done():
    now = [0.0]
    tally = BatchProgress(BatchLimits(1), clock=lambda: now[0])
    tally.began([job("another"), job("more")], [done(f"d{n}") for n in range(20_000)])
    assert tally.standing().dollars == 10_000
    tally.done(done("another", dollars=0.25))
    tracemalloc.start()
    standing = tally.standing()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (standing.done, standing.dollars) == (20_001, 10_000.25)
    assert peak < 20_000
