"""Requests rebuilt from the journal: equal to what was sent, after undo, compaction, errors and forks."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from agent.lifecycle.run_lifecycle import reopen
from agent.lifecycle.turn_lifecycle import resume_turn
from agent.models.scripted import Scripted
from agent.runs.run_lookup import open_own_run
from extensions.papers.step_rewind import rewind_to
from extensions.replay.run_fork import find_origin, fork, fork_settings
from tests.agent.conftest import Bench, act, line
from tests.agent.scripted_turns import TurnSession, finish_solving
from trajectories.errors import ModelError
from trajectories.journal import read
from trajectories.records import Note, Reply
from trajectories.trajectory import Trajectory

pytestmark = pytest.mark.slow

FIX = act("edit", path="calc.py", old="a - b", new="a + b")


def print_lines(n: int) -> dict[str, Any]:
    """Print long output without repeated lines."""
    return act("shell", command=f"for i in $(seq {n} {n + 40}); do echo $i | md5sum; done")


@pytest.fixture
def sent_requests(monkeypatch: pytest.MonkeyPatch) -> dict[tuple[str, str, int], Any]:
    """The last request sent by model, branch and request number, copied when it was sent."""
    requests: dict[tuple[str, str, int], Any] = {}
    reply = Scripted.reply

    def record_and_reply(model: Scripted, messages: Any, tools: Any, asking: Any) -> Any:
        requests[model.name, asking.branch, asking.ask] = copy.deepcopy(messages)
        return reply(model, messages, tools, asking)

    monkeypatch.setattr(Scripted, "reply", record_and_reply)
    return requests


def check_requests(bench: Bench, sent_requests: dict[tuple[str, str, int], Any]) -> Trajectory:
    run = open_own_run(bench.directory)
    trajectory = run.trajectory
    replies = [record for record in trajectory.records if isinstance(record, Reply)]
    assert replies
    for branch in trajectory.last_replies:
        keys = [(reply.model, branch, reply.ask) for reply in replies if reply.branch == branch]
        for key, messages in zip(keys, run.requests(branch), strict=True):
            assert messages == sent_requests[key], key
    run.close()
    return trajectory


def test_requests_agree_after_undo_and_redo(talk, sent_requests):
    session: TurnSession = talk(
        *(line(f"Answer {n}.", *([FIX] if n == 2 else [print_lines(n)] if n == 4 else []), n=n) for n in range(1, 10))
    )
    session.finish_turn()
    session.send("Fix it.")
    session.send("What does it contain?", "plan")
    session.send("/undo", "undo")
    session.send("And now?")
    session.send("/undo", "undo")
    session.send("/redo", "undo")
    session.send("Once more.")
    check_requests(session.bench, sent_requests)


def test_requests_agree_after_compaction_in_small_window(talk, sent_requests):
    table = {"context": 5000, "max_output": 300, "price_in": 1.0, "price_cached": 0.5, "price_out": 5.0}
    replies = [line("Look.", print_lines(n), n=n, usage={"input_tokens": 1000 * n}) for n in range(1, 9)]
    session: TurnSession = talk(
        *replies, line("That is all.", n=9), line("A summary.", n=10), line("Yes.", n=11), models={"scripted": table}
    )
    session.finish_turn()
    session.send("/compact", "compact")
    session.send("Is it right?")
    trajectory = check_requests(session.bench, sent_requests)
    assert len(sent_requests) == 11
    assert any("[folded:" in str(each) for each in sent_requests.values())
    assert len(trajectory.turns) == 3


def test_requests_agree_after_overflow_and_unused_reply(talk, sent_requests, monkeypatch):
    replies = [line("Look.", print_lines(n), n=n) for n in range(1, 6)]
    session: TurnSession = talk(*replies, line("Done.", n=6), line("Then not.", n=7), line("Well.", n=8))
    refused: list[int] = []
    reply = Scripted.reply

    def refuse_once(model: Scripted, messages: Any, tools: Any, asking: Any) -> Any:
        if asking.ask == 5 and not refused:
            refused.append(asking.ask)
            raise ModelError("The context window is full.", billed=False, overflow=True)
        return reply(model, messages, tools, asking)

    monkeypatch.setattr(Scripted, "reply", refuse_once)
    session.finish_turn()
    assert refused
    session.engine.journal.append(Note("main", "message", "Wait."))
    session.send("Continue.")
    check_requests(session.bench, sent_requests)


def test_requests_of_fork_with_another_model_agree(bench: Bench, sent_requests):
    bench.begin(
        line("Look.", print_lines(1), n=1),
        line("Fix.", FIX, n=2),
        line("In prose.", n=3),
        strategy="react",
        max_steps=3,
    )
    engine = bench.engine()
    finish_solving(engine)
    engine.close()
    check_requests(bench, sent_requests)
    other = bench.folder / "other.jsonl"
    other.write_text('{"reply": {"text": "It is fixed.", "actions": [{"tool": "submit", "arguments": {}}]}}\n')
    origin = find_origin(f"{bench.directory}@main#2", bench.settings)
    settings = fork_settings(origin, model=f"scripted:{other}", state=bench.settings.state)
    bench.directory = fork(origin, settings, "Look again.")
    engine = reopen(bench.directory, bench.settings.state)
    resume_turn(engine)
    finish_solving(engine)
    engine.close()
    models = {reply.model for reply in read(bench.directory).replies.values()}
    assert len(models) == 2
    check_requests(bench, sent_requests)


def test_requests_of_roles_with_separate_prompts_agree(bench: Bench, sent_requests):
    """A debate of proposers, a judge and the coder."""
    judge_script = bench.folder / "judge.jsonl"
    judge_script.write_text('{"reply": {"text": "A."}}\n')
    wrong = [act("edit", path="calc.py", old="a - b", new="b - a"), act("submit")]
    coder_replies = (
        line("So.", *wrong, branch="main", n=1),
        line("So.", act("submit"), branch="main"),
        line("calc.py is wrong."),
    )
    bench.begin(
        *coder_replies,
        strategy="debate",
        rounds=2,
        attempts=2,
        roles={"judge": f"scripted:{judge_script}"},
        max_steps=12,
    )
    engine = bench.engine()
    try:
        finish_solving(engine)
    finally:
        engine.close()
    check_requests(bench, sent_requests)
    systems = {branch.rpartition("/")[2]: messages[0]["content"] for (_, branch, _), messages in sent_requests.items()}
    assert len({systems[name] for name in ("main", "round-1-a")}) == 2
    assert systems["main"].startswith("You are an experienced software engineer")


def test_message_on_abandoned_branch_is_sent_on_next(bench: Bench, sent_requests):
    bench.begin(line("Looking.", act("view", path="calc.py")))

    def strategy(task):
        yield task.say("Start.")
        task.branch.engine.journal.append(Note("main", "message", "Mind the signs."))
        reply = task.ask()
        yield task.step(reply, task.act(reply.actions))
        yield rewind_to(task, 1, task.branch.start, "Try another approach.", "search")
        yield task.step(reply := task.ask(), task.act(reply.actions))
        return task.best()

    bench.drive(strategy)
    last = sent_requests[max(sent_requests, key=lambda key: key[2])]
    assert [message["content"] for message in last if message["role"] == "user"][-1] == (
        "The user wrote in the meantime: Mind the signs.\n\nTry another approach."
    )
