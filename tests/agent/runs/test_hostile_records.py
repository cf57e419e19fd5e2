"""Nothing that strangers wrote drives a terminal, whichever front end tells it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from aci.observation.sanitized_text import one_line
from agent.cli.commands.runs import command as list_runs
from agent.console.pager import Lines
from agent.console.run_display import Console
from agent.engine.engine import ProgressEvent
from agent.engine.run_lifecycle import Result
from agent.runs.run_transcript import TranscriptPrinter
from agent.session.resumable_runs import read_preview, runs_in
from agent.tui.run_preview import preview_text as preview
from agent.tui.widgets.restored_run import run_items
from tests.agent.hostile_records import DRIVES, EVIL, hostile
from trajectories.errors import SweAgentError
from trajectories.journal import encode
from trajectories.records import Exit, Issue, Observation, Patch, Run, Spent, Step, Turn
from trajectories.run_data import RunView
from trajectories.trajectory import Trajectory

NOTHING = Spent(None, 0, 0, 0, 0)


def check(told: str, least: int) -> None:
    """What was hostile is there as text, so often at least."""
    assert not DRIVES & set(told)
    assert told.count("marked") >= least
    assert "[bold]marked[/] [link=http://a]b[/link]" in told.replace("\n", "")
    assert "title" not in told.replace("]0;title^G", "")


@pytest.mark.parametrize("live", [False, True], ids=["done", "follow"])
def test_show(tmp_path, capsys, live):
    records = hostile()
    material = RunView(EVIL, Trajectory(records), NOTHING, tmp_path)
    showing = TranscriptPrinter(material, Lines(plain=True), live)
    showing.heading()
    showing.branches()
    for record in [*records, replace(records[-1], kind="other"), records[1]]:
        showing.record(record)
    showing.whole(records[3])
    check(capsys.readouterr().out, 30)


def test_fix_and_session_of_lines(tmp_path, capsys):
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
    told = capsys.readouterr()
    check(told.out + told.err, 15)


def test_runs(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("SWE_AGENT_STATE", str(tmp_path))
    monkeypatch.setenv("SWE_AGENT_CONFIG", str(tmp_path / "none.toml"))
    kept(tmp_path)
    list_runs()
    told = capsys.readouterr().out
    check(told, 2)
    assert len(told.splitlines()) == 2


def kept(state: Any) -> Any:
    """A run on disk with such text; the journal itself refuses it where few words are allowed."""
    run, turn, reply, step, *_ = hostile()
    run = replace(run, issue=Issue(EVIL, EVIL), base=replace(run.base))
    assert isinstance(run, Run)
    folder = state / "runs" / "one"
    folder.mkdir(parents=True)
    records = [run, turn, Turn(EVIL, EVIL), reply, step, Exit(EVIL, 1, message=EVIL, fix=EVIL)]
    (folder / "journal.jsonl").write_bytes(b"".join(map(encode, records)))
    return folder


def test_list_of_runs_on_screen(tmp_path):
    folder = kept(tmp_path)
    (found,) = runs_in(folder.parent)
    told = f"{one_line(found.title)}\n{preview(read_preview(folder)).plain}"
    check(told, 3)


@pytest.mark.slow
def test_conversation_that_is_taken_up_again():
    from tests.agent.tui.widgets.test_conversation_view import Shown, shown

    records = hostile()
    verdict = {"kind": "unproven", "red": True, "tests": [EVIL], "lost": [EVIL], "notes": [EVIL]}
    proof = Step(EVIL, 2, "", "proof", "t", None, (), (Observation(EVIL, data={"verdict": verdict}),))
    said = Observation(EVIL)
    every: Sequence[Any] = [
        *records,
        proof,
        Step(EVIL, 3, "", EVIL, "t", None, (), (said,)),
        replace(records[-1], kind="x"),
    ]
    trajectory = Trajectory(every)

    async def act(app: Shown) -> None:
        app.conversation.add(*run_items(every, trajectory.replies, lambda number: EVIL))
        app.conversation.open_all()
        check(app.text(), 8)
        styles = [segment.style for y in range(200) for segment in app.conversation.render_line(y)]
        assert not any(style and style.link for style in styles)

    shown(act, (120, 200))
