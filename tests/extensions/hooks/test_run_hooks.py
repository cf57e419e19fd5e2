"""Hooks of a run: what they are given, what they reject, and what a resumed run does."""

from __future__ import annotations

import errno
import json
import os
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from threading import Thread
from types import SimpleNamespace

import pytest

from agent.config.settings import load_settings
from agent.lifecycle.run_lifecycle import solve
from agent.lifecycle.run_result import Result
from extensions.events.event_stream import open_events
from tests.agent.conftest import Bench, act, line
from tests.agent.scripted_turns import TurnSession
from tests.conftest import cut_run
from tests.extensions.hooks.conftest import MakeHook, asked, rejecting, write_hooks
from trajectories import plugins
from trajectories.errors import ConfigError, UsageError, WorkspaceError
from trajectories.journal import read
from trajectories.records import Action
from trajectories.verdict import Verdict

pytestmark = pytest.mark.slow

FIX = act("edit", path="calc.py", old="a - b", new="a + b")
SOLVE = (line("Fix.", FIX, act("shell", command="echo ran >> ran.txt"), n=1), line("Done.", act("submit")))
VERIFIED = Verdict("verified", red=True, green=True, red_again=True, no_loss=True)


@pytest.fixture(autouse=True)
def proof(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every changed tree is verified without running a test."""
    monkeypatch.setattr("aci.proof.proof.prove", lambda *_, **__: VERIFIED)


def run_to_end(bench: Bench) -> Result:
    engine = bench.engine()
    try:
        steps = solve(engine)
        while True:
            try:
                next(steps)
            except StopIteration as end:
                return end.value
    finally:
        engine.close()


def observations(bench: Bench) -> list[str]:
    return [seen.text for step in read(bench.directory).steps["main"] for seen in step.observations if step.actions]


def test_each_event_has_its_own_input(bench: Bench, own_config: Path, told) -> None:
    events = ("session_start", "pre_tool_use", "post_tool_use", "patch", "session_end")
    write_hooks(own_config, **dict.fromkeys(events, told.hook))
    bench.begin(*SOLVE, strategy="react")
    result = run_to_end(bench)
    assert result.exit.kind == "verified"
    given = told()
    calls = ["pre_tool_use", "post_tool_use"] * 4
    assert [each["type"] for each in given] == ["session_start", *calls, "patch", "session_end"]
    common = {"v": 1, "run": bench.directory.name, "repository": str(bench.repository)}
    assert all(each | common == each and isinstance(each["at"], float) for each in given)
    assert given[0]["resumed"] is False
    call = {"branch": "main", "tool_name": "edit"}
    assert given[1] | call == given[1]
    assert given[1]["tool_input"] == {"path": "calc.py", "old": "a - b", "new": "a + b"} | given[1]["tool_input"]
    assert given[2]["tool_response"]["ok"] is True
    assert given[2]["tool_response"]["text"] in observations(bench)[0]
    assert "+    return a + b" in given[-2]["patch"]
    assert given[-1] | {"kind": "verified", "code": 0, "verdict": "verified", "message": ""} == given[-1]


def test_without_hooks_nothing_is_recorded(bench: Bench) -> None:
    bench.begin(*SOLVE, strategy="react")
    run_to_end(bench)
    assert not [name for _, name in read(bench.directory).results if name.startswith("hook")]


def test_without_the_extension_no_hook_and_no_answer_is_ignored(
    bench: Bench, own_config: Path, make_hook: MakeHook, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_hooks(own_config, pre_tool_use=make_hook("exit 0"))
    bench.begin(*SOLVE, strategy="react")
    refusal = pytest.raises(UsageError, match="is in the extension hooks, which is not installed")
    with monkeypatch.context() as patched:
        patched.setattr(plugins, "extension_names", lambda: ())
        with refusal:
            run_to_end(bench)
    assert not read(bench.directory).holds
    run_to_end(bench)
    monkeypatch.setattr(plugins, "extension_names", lambda: ())
    own_config.write_text("")
    bench.settings = load_settings(state=bench.settings.state)
    with bench.engine() as engine:
        assert not engine.settings.hooks.all
        branch, tool = SimpleNamespace(name="main"), engine.toolbox.get("edit")
        for ask in (
            lambda: engine.hooks.start(True, bool),
            lambda: engine.hooks.before_tool(branch, tool, FIX, 1, 0),
            lambda: engine.hooks.reject_patch("tree", str, bool),
        ):
            with refusal:
                ask()


# The patch


def test_rejected_patch_is_not_verified_and_not_delivered(
    bench: Bench, own_config: Path, make_hook: MakeHook, tmp_path: Path
) -> None:
    write_hooks(own_config, patch=make_hook(rejecting(tmp_path, "calc.py", "calc.py is frozen")))
    bench.begin(*SOLVE, strategy="react", apply=True)
    result = run_to_end(bench)
    assert (result.exit.kind, result.exit.code) == ("unproven", 6)
    assert result.verdict.notes[0] == "A hook rejected the patch: calc.py is frozen"
    assert result.verdict.green is None, "no test ran"
    assert result.effects == ()
    assert "a - b" in (bench.repository / "calc.py").read_text()
    assert asked(tmp_path) == 1, "the proof and the end of the run share one answer"
    proofs = [step for step in read(bench.directory).steps["main"] if step.author == "proof"]
    assert "calc.py is frozen" in proofs[0].observations[0].text


def test_model_can_answer_a_rejected_patch(bench: Bench, own_config: Path, make_hook: MakeHook, tmp_path: Path) -> None:
    write_hooks(own_config, patch=make_hook(rejecting(tmp_path, "ran.txt", "leave no files behind")))
    bench.begin(
        line("Oh.", act("shell", command="rm -f ran.txt"), act("submit"), contains="leave no files behind"),
        *SOLVE,
        strategy="test-then-patch",
    )
    result = run_to_end(bench)
    assert result.exit.kind == "verified"
    assert "ran.txt" not in result.patch.diff
    assert asked(tmp_path) == 2


def test_hook_sees_patch_of_session_turn(talk, own_config: Path, make_hook: MakeHook, tmp_path: Path) -> None:
    write_hooks(own_config, patch=make_hook(rejecting(tmp_path, "calc.py", "calc.py is frozen")))
    session: TurnSession = talk(line("Fix.", FIX, n=1), line("Fixed.", n=2), line("Hello.", n=3))
    result = session.finish_turn()
    assert (result.exit.kind, result.exit.code) == ("unproven", 6)
    assert result.verdict.notes == ("A hook rejected the patch: calc.py is frozen",)
    result = session.send("Hello?")
    assert (result.exit.kind, result.exit.code) == ("answered", 0), "the rejected patch is not of this turn"
    assert asked(tmp_path) == 1, "the same files are not asked about again"


# Start and end


def test_rejected_start_can_be_resumed(bench: Bench, own_config: Path, make_hook: MakeHook, tmp_path: Path) -> None:
    write_hooks(own_config, session_start=make_hook(f"test -e {tmp_path}/allowed || {{ echo not now >&2; exit 2; }}"))
    bench.begin(*SOLVE, strategy="react")
    with open_events(str(tmp_path / "events")), pytest.raises(UsageError, match="A hook rejected the run") as error:
        run_to_end(bench)
    events = [json.loads(each)["type"] for each in (tmp_path / "events").read_text().splitlines()]
    assert [each for each in events if each != "progress"] == ["run", "turn", "error"]
    assert error.value.message == "A hook rejected the run: not now"
    assert error.value.fix == f"`swe-agent resume {bench.directory.name}` asks it again."
    assert not read(bench.directory).holds, "nothing was paid"
    (tmp_path / "allowed").touch()
    assert run_to_end(bench).exit.kind == "verified"


def test_missing_program_is_found_before_any_request(bench: Bench, own_config: Path) -> None:
    write_hooks(own_config, session_end="/nowhere/notify")
    bench.begin(*SOLVE, strategy="react")
    with pytest.raises(ConfigError, match="The hook /nowhere/notify cannot be run"):
        run_to_end(bench)
    assert not read(bench.directory).holds


def test_failing_hook_of_the_end_changes_nothing(bench: Bench, own_config: Path, make_hook: MakeHook) -> None:
    write_hooks(own_config, session_end=make_hook("rm $0; exit 2"))
    bench.begin(*SOLVE, strategy="react")
    assert run_to_end(bench).exit.kind == "verified"
    assert "session_end" in bench.events[-1].text


def full_disk(*_: object, **__: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def interrupt(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize("fail", [full_disk, interrupt])
def test_run_is_released_if_hook_of_the_end_cannot_run(
    bench: Bench, own_config: Path, make_hook: MakeHook, monkeypatch: pytest.MonkeyPatch, fail: Callable
) -> None:
    write_hooks(own_config, session_end=make_hook("exit 0"))
    bench.begin(*SOLVE, strategy="react")
    engine = bench.engine()
    next(solve(engine))
    monkeypatch.setattr("extensions.hooks.hook_process.tempfile.TemporaryFile", fail)
    with pytest.raises(KeyboardInterrupt) if fail is interrupt else nullcontext():
        engine.close()
    monkeypatch.undo()
    bench.engine().close()
    if fail is full_disk:
        assert bench.events[-1].text == "The hooks of the end failed: No space left on device."


@pytest.mark.parametrize("before", [False, True])
def test_interrupt_stops_hook_of_the_end_unless_it_came_before(
    bench: Bench, own_config: Path, make_hook: MakeHook, tmp_path: Path, before: bool
) -> None:
    rest = "" if before else "; sleep 60"
    write_hooks(own_config, session_end=make_hook(f"touch {tmp_path}/started{rest}; touch {tmp_path}/ended"))
    bench.begin(*SOLVE, strategy="react")
    engine = bench.engine()
    next(solve(engine))

    def stop() -> None:
        while not (before or (tmp_path / "started").exists()):
            time.sleep(0.01)
        engine.cancel.set()

    stopper = Thread(target=stop)
    stopper.start()
    if before:
        stopper.join()
    engine.close()
    stopper.join()
    assert (tmp_path / "ended").exists() == before
    assert (bench.events[-1].text == "The hooks of the end were interrupted.") != before


def test_end_is_told_of_interrupted_run(bench: Bench, own_config: Path, told) -> None:
    write_hooks(own_config, session_end=told.hook)
    bench.begin(*SOLVE, strategy="react")
    engine = bench.engine()
    engine.close()
    assert told() == [], "no work was started"
    engine = bench.engine()
    steps = solve(engine)
    next(steps)
    steps.close()
    engine.close()
    assert [(each["kind"], each["code"]) for each in told()] == [("open", None)]


def test_commands_of_the_user_are_not_asked_about(talk, own_config: Path, make_hook: MakeHook) -> None:
    write_hooks(own_config, pre_tool_use=make_hook("exit 2"), post_tool_use=make_hook("exit 2"))
    session: TurnSession = talk(line("Nothing to do.", n=1))
    session.finish_turn()
    session.send("!echo by hand", "by-hand")
    assert session.steps[-1].observations[0].text.startswith("by hand")


# Records


def test_resumed_run_does_not_ask_twice(bench: Bench, own_config: Path, make_hook: MakeHook, tmp_path: Path) -> None:
    hook = make_hook(rejecting(tmp_path, "ran.txt", "no such files"))
    write_hooks(own_config, pre_tool_use=hook, patch=hook)
    bench.begin(*SOLVE, strategy="react")
    whole = run_to_end(bench)
    journal = (bench.directory / "journal.jsonl").read_bytes().splitlines(keepends=True)
    answers = [number for number, each in enumerate(journal) if b'"name":"hook ' in each]
    assert len(answers) == asked(tmp_path) == 5
    for number in answers:
        (tmp_path / "asked").unlink()
        cut_run(bench.directory, b"".join(journal[: number + 1]))
        again = run_to_end(bench)
        assert (again.exit.kind, again.patch.diff) == (whole.exit.kind, whole.patch.diff)
        assert asked(tmp_path) == 4 - answers.index(number)


@pytest.mark.parametrize("failure", ["exit 127", "kill -9 $$", "sleep 60"])
def test_failure_is_not_recorded_and_asked_again(
    bench: Bench, own_config: Path, make_hook: MakeHook, tmp_path: Path, failure: str
) -> None:
    hook = make_hook(f"test -e {tmp_path}/works || {{ {failure}; }}")
    own_config.write_text(f'[[hooks.pre_tool_use]]\ncommand = ["{hook}"]\ntimeout = 0.5\n')
    bench.begin(*SOLVE, strategy="react")
    engine = bench.engine()
    branch, tool = SimpleNamespace(name="main", cancel=engine.cancel), engine.toolbox.tools["shell"]
    call = Action("shell", {"command": "ls"})
    try:
        assert engine.hooks.before_tool(branch, tool, call, step=1, number=0).startswith("Not run: a hook rejected")
        assert not read(bench.directory).results
        (tmp_path / "works").touch()
        assert engine.hooks.before_tool(branch, tool, call, step=1, number=0) == ""
    finally:
        engine.close()
    assert [once.value for once in read(bench.directory).results.values()] == [""]


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        ("echo forged >> {run}/journal.jsonl; echo x > {run}/out/99; echo x > {run}/extra", ""),
        (": > {run}/journal.jsonl", "Another program changed"),
        ("cp {run}/journal.jsonl {run}/copy; mv {run}/copy {run}/journal.jsonl", "Another program changed"),
        ("rm {run}/journal.jsonl", "cannot be written"),
    ],
)
def test_hook_that_writes_to_run_folder(
    bench: Bench, own_config: Path, make_hook: MakeHook, lines: str, problem: str
) -> None:
    bench.begin(*SOLVE, strategy="react")
    write_hooks(own_config, pre_tool_use=make_hook(lines.format(run=bench.directory)))
    if problem:
        with pytest.raises(WorkspaceError, match=problem):
            run_to_end(bench)
        return
    assert run_to_end(bench).exit.kind == "verified"
    assert b"forged" not in (bench.directory / "journal.jsonl").read_bytes()


# Where hooks come from


def test_record_holds_no_hooks_and_sets_none(bench: Bench, own_config: Path, make_hook: MakeHook, tmp_path) -> None:
    hook = make_hook(f"touch {tmp_path}/ran")
    write_hooks(own_config, session_start=hook)
    bench.begin(*SOLVE, strategy="react")
    own_config.write_text("")
    path = bench.directory / "journal.jsonl"
    run, *others = path.read_bytes().splitlines(keepends=True)
    assert b'"hooks"' not in run
    forged = json.loads(run)
    forged["settings"]["hooks"] = {"session_start": [{"command": [hook]}]}
    cut_run(bench.directory, json.dumps(forged).encode() + b"\n" + b"".join(others))
    assert run_to_end(bench).exit.kind == "verified"
    assert not (tmp_path / "ran").exists()
