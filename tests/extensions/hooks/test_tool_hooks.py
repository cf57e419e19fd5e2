"""Hooks around the tool calls of a model: each answer becomes an observation that the model reads."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from pathlib import Path
from threading import Thread
from types import SimpleNamespace

import pytest

from agent.engine.branch import Branch
from agent.engine.task import Task
from agent.run_state.attempt_outcome import Outcome
from tests.agent.conftest import Bench, act, line
from tests.extensions.hooks.conftest import MakeHook, asked, rejecting, write_hooks
from trajectories.records import Action, Step

FIX = act("edit", path="calc.py", old="a - b", new="a + b")
ADD = act("edit", path="more.py", old="", new="x = 1\n")


def one_reply(task: Task) -> Generator[Step, None, Outcome]:
    """Take one reply and run its actions."""
    yield task.say("Go.")
    reply = task.ask()
    yield task.step(reply, task.act(reply.actions))
    return task.best()


def texts(bench: Bench) -> list[str]:
    """Run the model's reply and return the texts of its observations."""
    steps, _ = bench.drive(one_reply)
    return [seen.text for seen in steps[-1].observations]


def test_rejected_call_does_not_run_and_model_reads_why(
    bench: Bench, own_config: Path, make_hook: MakeHook, tmp_path: Path
) -> None:
    write_hooks(own_config, pre_tool_use=make_hook(rejecting(tmp_path, "more.py", "no new files")))
    bench.begin(line("Fix.", ADD, FIX))
    steps, outcome = bench.drive(one_reply)
    first, second = steps[-1].observations
    assert (first.text, first.ok) == ("Not run: a hook rejected this call: no new files", False)
    assert second.ok
    engine = bench.engine()
    files = set(engine.trees.files(outcome.tree))
    engine.close()
    assert files == {"calc.py", ".gitignore"}


def test_other_spelling_of_tool_is_the_same_tool(
    bench: Bench, own_config: Path, told: Callable[[], list[dict]]
) -> None:
    write_hooks(own_config, pre_tool_use=told.hook)  # type: ignore[attr-defined]
    bench.begin(line("Look.", act("functions.view", path="calc.py"), act("no-tool"), act("view", wrong=1)))
    assert len(texts(bench)) == 3
    assert [each["tool_name"] for each in told()] == ["view"], "calls that cannot run are not asked about"


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ("echo broken >&2; exit 1", "failed with exit code 1. broken"),
        ("kill -9 $$", "failed with signal 9."),
        ("exit 2", "gave no reason."),
        ("printf '\\033[31mred\\0' >&2; exit 2", ": red"),
        ("sleep 60", "gave no answer: it did not end within 0.2 s."),
    ],
)
def test_only_exit_code_zero_accepts(
    bench: Bench, own_config: Path, make_hook: MakeHook, lines: str, reason: str
) -> None:
    own_config.write_text(f'[[hooks.pre_tool_use]]\ncommand = ["{make_hook(lines)}"]\ntimeout = 0.2\n')
    bench.begin(line("Fix.", FIX))
    (text,) = texts(bench)
    assert text.startswith("Not run: a hook rejected this call: ")
    assert text.endswith(reason)


def test_first_rejection_of_several_hooks_decides(
    bench: Bench, own_config: Path, make_hook: MakeHook, tmp_path: Path
) -> None:
    hooks = [make_hook("exit 0"), make_hook(rejecting(tmp_path, "calc", "no")), make_hook(f"touch {tmp_path}/third")]
    own_config.write_text("".join(f'[[hooks.pre_tool_use]]\ncommand = ["{hook}"]\n' for hook in hooks))
    bench.begin(line("Fix.", FIX))
    assert texts(bench) == ["Not run: a hook rejected this call: no"]
    assert not (tmp_path / "third").exists()


def test_objection_to_result_is_added_to_it(
    bench: Bench, own_config: Path, make_hook: MakeHook, tmp_path: Path
) -> None:
    write_hooks(own_config, post_tool_use=make_hook(rejecting(tmp_path, "calc.py", "run the formatter")))
    bench.begin(line("Fix.", FIX))
    steps, _ = bench.drive(one_reply)
    (seen,) = steps[-1].observations
    assert seen.ok, "the call has run"
    assert seen.text.startswith("Edited calc.py")
    assert seen.text.endswith("\n[A hook objects to this result: run the formatter]")


def test_secrets_are_masked_both_ways(
    bench: Bench,
    own_config: Path,
    make_hook: MakeHook,
    monkeypatch: pytest.MonkeyPatch,
    told: Callable[[], list[dict]],
) -> None:
    monkeypatch.setenv("DEPLOY_TOKEN", "a-secret-of-this-test")
    hooks = [told.hook, make_hook("echo leak a-secret-of-this-test >&2; exit 2")]  # type: ignore[attr-defined]
    own_config.write_text("".join(f'[[hooks.pre_tool_use]]\ncommand = ["{hook}"]\n' for hook in hooks))
    bench.begin(line("Look.", act("view", path="a-secret-of-this-test")))
    assert texts(bench) == ["Not run: a hook rejected this call: leak [masked]"]
    assert told()[0]["tool_input"]["path"] == "[masked]"


def test_answer_does_not_apply_to_another_call(
    bench: Bench, own_config: Path, make_hook: MakeHook, tmp_path: Path
) -> None:
    write_hooks(own_config, pre_tool_use=make_hook(rejecting(tmp_path, "rm", "no")))
    bench.begin(line("Fix.", FIX))
    engine = bench.engine()
    branch, tool = SimpleNamespace(name="main", cancel=engine.cancel), engine.toolbox.tools["shell"]
    calls = [Action("shell", {"command": command}) for command in ("ls", "rm x", "ls")]
    try:
        answers = [engine.hooks.before_tool(branch, tool, call, step=1, number=0) for call in calls]
    finally:
        engine.close()
    assert answers == ["", "Not run: a hook rejected this call: no", ""]
    assert asked(tmp_path) == 2


@pytest.mark.parametrize("first", [True, False])
def test_interrupt_of_hook_keeps_the_result(
    bench: Bench, own_config: Path, make_hook: MakeHook, tmp_path: Path, first: bool
) -> None:
    write_hooks(own_config, post_tool_use=make_hook(f"if grep -q more.py; then touch {tmp_path}/started; sleep 60; fi"))
    bench.begin(line("Fix.", *([ADD, FIX] if first else [FIX, ADD])))
    engine = bench.engine()

    def stop_when_started() -> None:
        while not (tmp_path / "started").exists():
            time.sleep(0.01)
        engine.cancel.set()

    stopper = Thread(target=stop_when_started)
    stopper.start()
    try:
        branch = Branch(engine)
        branch.say("Go.")
        reply = branch.ask()
        step = branch.step(reply, branch.act(reply.actions))
    finally:
        stopper.join()
        engine.close()
    seen = dict(zip((action.arguments["path"] for action in step.actions), step.observations, strict=True))
    assert seen["more.py"].ok
    assert (seen["calc.py"].text == "Not run: the user interrupted.") == first
