"""The progress display of a batch: it fits any terminal, shows untrusted text safely, and logs a line per event."""

import io
import os
import pty
import re
import select
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path
from threading import Thread
from unittest.mock import ANY

import pytest
from rich.console import Console
from rich.text import Text

from aci.observation.activity_message import ActivityMessage
from agent.config.settings import Settings
from agent.console import rich_terminal
from agent.run_state.progress_event import ProgressEvent
from extensions.lab.batch.reports.batch_progress import BatchLimits, BatchProgress
from extensions.lab.batch.reports.outcome_reasons import OUTCOME_REASONS, outcome_reason
from extensions.lab.batch.reports.progress_display import Dashboard, PlainLines, open_display
from extensions.lab.batch.reports.progress_text import approximate_duration, clock, single_line
from extensions.lab.instances.jobs import Instance, Job, JobResult
from trajectories.records import Issue, Step

STRANGE = "\x1b[31mred\x1b]0;title\x07\x1b[2J [bold]mark[/bold] [/] 漢字 ‮ \x9b1m\nnext"
STEP = Step("main", 1, "", "coder", "tree")


def job(name: str) -> Job:
    return Job(Instance(name, "a/b", "", Issue("x")), 1, Path(), Settings())


def job_result(name: str, kind: str = "verified", dollars: float | None = 0.5, **more: object) -> JobResult:
    return JobResult(name, 1, name, 0, kind, more.pop("verdict", "none"), more.pop("patch", ""), dollars, **more)


def screen(width: int = 80, height: int = 24) -> Console:
    return Console(
        file=io.StringIO(), width=width, height=height, force_terminal=True, color_system=None, legacy_windows=False
    )


def render_lines(dashboard: Dashboard, width: int = 80, height: int = 24) -> list[str]:
    console = screen(width, height)
    console.print(dashboard)
    return console.file.getvalue().splitlines()


def busy_dashboard(workers: int = 32, limits: BatchLimits | None = None) -> Dashboard:
    """A dashboard with results of every kind, and all workers busy with untrusted text."""
    dashboard = Dashboard(limits or BatchLimits(workers, 50.0, 2.0), screen())
    jobs = [job(f"scikit-learn__scikit-learn-{number}") for number in range(100)]
    dashboard.began(jobs, [job_result(f"before-{kind}", kind, verdict=kind) for kind in OUTCOME_REASONS])
    for one in jobs[:workers]:
        dashboard.started(one, "image")
        dashboard.step(one, STEP, 0.25)
        dashboard.happening(one, ProgressEvent("phase", "main", STRANGE))
        dashboard.happening(one, ProgressEvent("action", "main", STRANGE * 20))
    return dashboard


@pytest.mark.slow
@pytest.mark.parametrize("width", [60, 80, 140])
def test_dashboard_fits_terminal_width(width):
    lines = render_lines(busy_dashboard(limits=BatchLimits(32, 50.0, 2.0, lambda: {STRANGE: 12.0})), width)
    assert len(lines) < 24
    assert max(Text(one).cell_len for one in lines) <= width
    assert "10/110" in lines[0]
    assert lines[-1].endswith(" more")
    rows = sum("learn-" in one for one in lines)
    assert rows >= 12
    assert lines[-1] == f"and {32 - rows} more"


@pytest.mark.slow
@pytest.mark.parametrize("height", [1, 3, 6, 9])
def test_dashboard_fits_terminal_height(height):
    assert len(render_lines(busy_dashboard(), 80, height)) <= max(height, 5)


@pytest.mark.slow
def test_untrusted_text_is_shown_without_control_characters():
    text = "\n".join(render_lines(busy_dashboard(workers=4), 200))
    assert not any(set("\x1b\x9b\x07‮") & set(one) for one in render_lines(busy_dashboard(workers=4), 200))
    assert "red [bold]mark[/bold] [/] 漢字" in text


def test_longest_running_jobs_come_first():
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
    dashboard.happening(job("second"), ProgressEvent("say", "main", ActivityMessage("Pulling the image x.")))
    assert "Pulling the image x." in render_lines(dashboard)[-1]
    dashboard.happening(job("second"), ProgressEvent("action", "main", "view a.py"))
    dashboard.happening(job("second"), ProgressEvent("say", "main", "An image is missing."))
    rows = [one.split() for one in render_lines(dashboard)[-2:]]
    assert rows == [["first", "#1", "2:00", "$0.25", "thinks"], ["second", "#2", "1:00", "$0.75", "view", "a.py"]]


def test_current_and_expected_cost_and_time_are_shown():
    now = [0.0]
    dashboard = Dashboard(BatchLimits(2, total=5.0), screen(100))
    dashboard._tally.clock = lambda: now[0]
    jobs = [job(f"j{number}") for number in range(10)]
    dashboard.began(jobs)
    for number, one in enumerate(jobs[:4]):
        assert "about" not in "".join(render_lines(dashboard)[:3]) or number == 3
        dashboard.started(one, "")
        now[0] += 300
        dashboard.done(job_result(one.run, dollars=0.25 * (number + 1)))
    head = render_lines(dashboard, 100)[1]
    assert head.startswith("0 running, 20:00, about 1")
    assert "$2.50 of $5.00, about $6.25 in total (" in head


@pytest.mark.slow
def test_no_cost_forecast_without_prices():
    dashboard = busy_dashboard()
    dashboard.done(job_result("scikit-learn__scikit-learn-0", dollars=None))
    assert "price unknown of $50.00" in "\n".join(render_lines(dashboard))
    assert " in all" not in "\n".join(render_lines(dashboard))


def test_exits_are_counted_by_cause():
    text = " ".join(render_lines(busy_dashboard()))
    assert all(f"{name} 1" in " ".join(text.split()) for name in OUTCOME_REASONS)
    assert "error" not in " ".join(render_lines(Dashboard(BatchLimits(1), screen())))


def test_pauses_are_shown():
    lines = render_lines(Dashboard(BatchLimits(1, pauses=lambda: {"gpt": 12.4}), screen()))
    assert "gpt pauses for 12 s: too many requests" in lines


def test_finished_jobs_are_printed_above_dashboard():
    console = screen(120)
    dashboard = Dashboard(BatchLimits(1), console)
    with dashboard:
        dashboard.began([job("a"), job("b")])
        dashboard.started(job("a"), "")
        dashboard.done(job_result("a", "infrastructure", error=f"No image. {STRANGE}"))
        dashboard.say(f"b: {STRANGE} Next try in 5 s.")
        dashboard.started(job("b"), "")
    assert [one.strip() for one in render_lines(dashboard)] == [render_lines(dashboard)[0], "0:00", "$0.50", ANY], (
        "a job is still shown as running"
    )
    text = console.file.getvalue()
    assert "infrastructure a  $0.5000  0:00  No image. red [bold]mark[/bold]" in text
    assert "b: red [bold]mark[/bold] [/] 漢字" in text
    assert "1/2 50%" in text
    assert "\x1b[2J" not in text


@pytest.mark.slow
def test_dashboard_can_be_used_by_many_threads():
    console = screen(120)
    dashboard = Dashboard(BatchLimits(8), console)
    jobs = [job(f"j{number}") for number in range(64)]

    def work(own_jobs: list[Job]) -> None:
        for one in own_jobs:
            dashboard.started(one, "")
            for _ in range(20):
                dashboard.happening(one, ProgressEvent("delta", "main", "x"))
                dashboard.step(one, STEP, 0.1)
            dashboard.say("again")
            dashboard.done(job_result(one.run, dollars=0.1))

    with dashboard:
        dashboard.began(jobs)
        threads = [Thread(target=work, args=(jobs[number::8],)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert "64/64 100%" in console.file.getvalue()
    assert dashboard._tally.snapshot().running == ()
    assert dashboard._tally.snapshot().dollars == pytest.approx(6.4)


# Logs


def log(workers: int = 2, **limits: object) -> tuple[PlainLines, io.StringIO]:
    file = io.StringIO()
    return PlainLines(BatchLimits(workers, **limits), Console(file=file, color_system=None, highlight=False)), file


def test_log_has_one_line_per_event():
    lines, file = log()
    with lines:
        lines.began([job("a"), job("b")], [job_result("c", dollars=1.0)])
        lines.started(job("a"), "python:3.11")
        lines.step(job("a"), STEP, 0.2)
        lines.happening(job("a"), ProgressEvent("delta", "main", "words"))
        lines.say("a: The daemon is gone. Next try in 5 s.")
        lines.done(job_result("a", "unproven", 0.25, verdict="unproven", patch="x", steps=7, tries=2))
        lines.done(job_result("b", "error", None, error=f"No more. {STRANGE}"))
    assert re.sub(r"0\.\d s", "0.0 s", file.getvalue()).splitlines() == [
        "0:00 2 to solve, 2 workers; 1 already done, $1.00",
        "0:00 started a in python:3.11",
        "0:00 a: The daemon is gone. Next try in 5 s.",
        "0:00 done a: unproven, exit 0, verdict unproven, $0.2500, 0.0 s, 7 steps, 2 tries · 2/3, $1.25",
        "0:00 done b: error, exit 0, verdict none, price unknown, 0.0 s, 0 steps, "
        "No more. red [bold]mark[/bold] [/] 漢字 next · 3/3, price unknown",
    ]


def test_silent_log_names_running_instances(monkeypatch):
    monkeypatch.setattr(rich_terminal, "SILENCE", 0.01)
    lines, file = log()
    with lines:
        lines.began([job("a"), job("b")])
        lines.started(job("a"), "")
        lines.happening(job("a"), ProgressEvent("phase", "main", "test the base"))
        end = time.monotonic() + 30
        while "test the base" not in file.getvalue() and time.monotonic() < end:
            time.sleep(0.01)
    assert "0:00 0/2 done, 1 running; a test the base (0s)" in file.getvalue().splitlines()


def test_shared_pause_is_logged_once():
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


def test_plain_lines_are_used_without_terminal_or_on_request(monkeypatch):
    assert isinstance(open_display(BatchLimits(1)), PlainLines)
    assert isinstance(open_display(BatchLimits(1), plain=True), PlainLines)


PRINT_DISPLAY_CLASS = (
    "import sys\nfrom extensions.lab.batch.reports.progress_display import open_display\n"
    + "from extensions.lab.batch.reports.batch_progress import BatchLimits\n"
    + ("print(type(open_display(BatchLimits(1), plain='--plain' in sys.argv)).__name__)")
)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("environment", "flags", "expected"),
    [
        ({}, [], "Dashboard"),
        ({}, ["--plain"], "PlainLines"),
        ({"NO_COLOR": "1"}, [], "PlainLines"),
        ({"TERM": "dumb"}, [], "PlainLines"),
    ],
)
def test_display_on_terminal_depends_on_environment_and_flags(environment, flags, expected):
    parent_fd, child_fd = pty.openpty()
    try:
        known = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
        completed = subprocess.run(
            [sys.executable, "-c", PRINT_DISPLAY_CLASS, *flags],
            stdout=subprocess.PIPE,
            stderr=child_fd,
            env=known | {"TERM": "xterm"} | environment,
            cwd=Path(__file__).parents[5],
            text=True,
            timeout=60,
        )
        assert completed.stdout.strip() == expected
        assert not select.select([parent_fd], [], [], 0)[0]
    finally:
        os.close(parent_fd)
        os.close(child_fd)


@pytest.mark.parametrize(
    ("result", "reason"),
    [
        (job_result("a", "faster"), "verified"),
        (job_result("a", "not_found"), "empty"),
        (job_result("a", "unproven", patch="x"), "unproven"),
        (job_result("a", "unproven", verdict="unproven"), "unproven"),
        (job_result("a", "unproven"), "empty"),
        (job_result("a", "stuck", patch="x"), "stuck"),
        (job_result("a", "infrastructure"), "infrastructure"),
        (job_result("a", "something new"), "empty"),
    ],
)
def test_outcome_reason_depends_on_kind_verdict_and_patch(result, reason):
    assert outcome_reason(result) == reason


def test_times_and_lines_are_formatted():
    assert [clock(seconds) for seconds in (0, 83, 3683, -1)] == ["0:00", "1:23", "1:01:23", "0:00"]
    assert [approximate_duration(seconds) for seconds in (50, 1860, 9000)] == ["50 s", "31 min", "2.5 h"]
    assert single_line("x" * 10_000) == "x" * 239 + "…"


def test_progress_snapshot_needs_little_memory():
    now = [0.0]
    tally = BatchProgress(BatchLimits(1), clock=lambda: now[0])
    tally.began([job("another"), job("more")], [job_result(f"d{n}") for n in range(20_000)])
    assert tally.snapshot().dollars == 10_000
    tally.done(job_result("another", dollars=0.25))
    tracemalloc.start()
    standing = tally.snapshot()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (standing.done, standing.dollars) == (20_001, 10_000.25)
    assert peak < 20_000
