"""Control sequences in records reach no terminal, in any front end."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from rich.markup import escape
from rich.segment import Segment, Segments
from rich.syntax import Syntax
from rich.text import Text

from aci.observation.untrusted_text import one_line
from agent.console.pager import Lines
from agent.console.run_display import Console
from agent.lifecycle.run_result import Result
from agent.run_state.progress_event import ProgressEvent
from agent.runs.resumable_runs import read_preview, runs_in
from extensions.interactive.tui.run_preview import preview_text as preview
from extensions.interactive.tui.widgets.restored_run import run_items
from extensions.replay.comparison_view import comparison_lines
from extensions.replay.run_comparison import compare_runs
from extensions.run_views.commands.runs import command as list_runs
from extensions.run_views.run_transcript import TranscriptPrinter
from tests.agent.hostile_records import DRIVES, EVIL, hostile
from trajectories.errors import SweAgentError
from trajectories.journal import encode
from trajectories.records import Exit, Issue, Observation, Patch, Run, Spent, Step, Turn
from trajectories.trajectory import RunView, Trajectory

NOTHING = Spent(None, 0, 0, 0, 0)


def check_harmless(output: str, at_least: int) -> None:
    """The hostile text appears at least `at_least` times, as plain text."""
    assert not DRIVES & set(output)
    assert output.count("marked") >= at_least
    assert "[bold]marked[/] [link=http://a]b[/link]" in output.replace("\n", "")
    assert "title" not in output.replace("]0;title^G", "")


@pytest.mark.parametrize("follow", [False, True], ids=["once", "follow"])
def test_show_prints_hostile_text_harmlessly(tmp_path, capsys, follow):
    records = hostile()
    run = RunView(EVIL, Trajectory(records), NOTHING, tmp_path)
    printer = TranscriptPrinter(run, Lines(plain=True), follow)
    printer.heading()
    printer.branches()
    for record in [*records, replace(records[-1], kind="other"), records[1]]:
        printer.record(record)
    printer.whole(records[3])
    check_harmless(capsys.readouterr().out, 30)


def test_line_output_of_fix_and_session_is_harmless(tmp_path, capsys):
    records = hostile()
    console = Console(plain=True)
    console.heading(Trajectory(records))
    for kind in ("say", "phase", "candidate", "summary"):
        console.happening(ProgressEvent(kind, EVIL, EVIL))
    steps = [records[3], replace(records[3], actions=(), branch="main"), replace(records[3], author="coder")]
    for step in steps:
        console.step(step)
        console._print_step(step)
    patch = Patch(source=f"diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+{EVIL}\n", tree="t")
    console.result(
        Result("one", tmp_path, records[-1], patch, NOTHING, 1, ended=True, effects=(EVIL,), word=EVIL),
        SweAgentError(EVIL, EVIL),
    )
    captured = capsys.readouterr()
    check_harmless(captured.out + captured.err, 15)


@pytest.mark.parametrize("is_left", [True, False], ids=["left", "right"])
@pytest.mark.parametrize("changes", [None, {"author": "coder"}, {"tree": "t"}, {"error": "other"}], ids=repr)
def test_comparison_is_printed_harmlessly(capsys, is_left, changes):
    records = hostile()
    other = [*records[:3], *([replace(records[3], **changes)] if changes else [])]
    sides = Trajectory(records), Trajectory(other)
    found = compare_runs(*(sides if is_left else sides[::-1]))
    for line in comparison_lines(found, (EVIL, EVIL)):
        Console(plain=True, out=True).out.print(line, soft_wrap=True)
    output = capsys.readouterr().out
    assert not DRIVES & set(output)
    assert output.count("marked") >= 4
    assert len(output.splitlines()) == 4


@pytest.mark.parametrize("console", [Console(plain=True).out, Lines(plain=True).rich], ids=["run", "pager"])
def test_console_prints_no_control_character(capsys, console):
    console.file = sys.stdout
    console.print(f"[bold]{escape(EVIL)}[/]", soft_wrap=True)
    console.print(Text(EVIL), Syntax(EVIL, "diff"), Segments([Segment(EVIL)]))
    output = capsys.readouterr().out
    assert not DRIVES & set(output)
    assert output.count("marked") == 4


def test_pager_prints_no_control_character(capsys):
    Lines().line(f"a\tb\n{EVIL}")
    output = capsys.readouterr().out
    assert not DRIVES & set(output)
    assert output.startswith("a\tb\ngone")


def test_list_of_runs_is_printed_harmlessly(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("SWE_AGENT_STATE", str(tmp_path))
    monkeypatch.setenv("SWE_AGENT_CONFIG", str(tmp_path / "none.toml"))
    write_hostile_run(tmp_path)
    list_runs()
    output = capsys.readouterr().out
    check_harmless(output, 2)
    assert len(output.splitlines()) == 2


def write_hostile_run(state: Any) -> Any:
    """Write a run with such text in every field where a journal on disk may have it."""
    run, turn, reply, step, *_ = hostile()
    run = replace(run, issue=Issue(EVIL, EVIL), base=replace(run.base))
    assert isinstance(run, Run)
    folder = state / "runs" / "one"
    folder.mkdir(parents=True)
    records = [run, turn, Turn(EVIL, EVIL), reply, step, Exit(EVIL, 1, message=EVIL, fix=EVIL)]
    (folder / "journal.jsonl").write_bytes(b"".join(map(encode, records)))
    return folder


def test_run_list_and_preview_of_interface_are_harmless(tmp_path):
    folder = write_hostile_run(tmp_path)
    (summary,) = runs_in(folder.parent)
    output = f"{one_line(summary.title)}\n{preview(read_preview(folder)).plain}"
    check_harmless(output, 3)


@pytest.mark.slow
def test_restored_conversation_is_harmless():
    from tests.extensions.interactive.tui.widgets.test_conversation_view import ConversationApp, run_conversation

    records = hostile()
    verdict = {"kind": "unproven", "red": True, "tests": [EVIL], "lost": [EVIL], "notes": [EVIL]}
    proof = Step(EVIL, 2, "", "proof", "t", None, (), (Observation(EVIL, data={"verdict": verdict}),))
    observation = Observation(EVIL)
    restored: Sequence[Any] = [
        *records,
        proof,
        Step(EVIL, 3, "", EVIL, "t", None, (), (observation,)),
        replace(records[-1], kind="x"),
    ]
    trajectory = Trajectory(restored)

    async def check_view(app: ConversationApp) -> None:
        app.conversation.add(*run_items(restored, trajectory, lambda number: EVIL))
        app.conversation.open_all()
        check_harmless(app.text(), 8)
        styles = [segment.style for y in range(200) for segment in app.conversation.render_line(y)]
        assert not any(style and style.link for style in styles)

    run_conversation(check_view, (120, 200))
