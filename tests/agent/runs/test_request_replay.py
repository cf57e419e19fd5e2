"""What was sent can be told again, ask by ask, after all that may happen to a conversation."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from agent.engine.run_lifecycle import reopen
from agent.engine.turn_lifecycle import resume_turn
from agent.models.scripted import Scripted
from agent.phases.step_rewind import rewind_to
from agent.runs.run_fork import find_origin, fork, fork_settings
from agent.runs.run_lookup import open_own_run
from tests.agent.conftest import Bench, act, line
from tests.agent.scripted_turns import Talk, finished
from trajectories.errors import ModelError
from trajectories.journal import read
from trajectories.records import Note, Reply
from trajectories.trajectory import Trajectory

pytestmark = pytest.mark.slow

MEND = act("edit", path="calc.py", old="a - b", new="a + b")


def look(n: int) -> dict[str, Any]:
    """Something long, and nothing twice."""
    return act("shell", command=f"for i in $(seq {n} {n + 40}); do echo $i | md5sum; done")


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> dict[tuple[str, str, int], Any]:
    """By model, branch and ask what was sent last; kept as it was then."""
    kept: dict[tuple[str, str, int], Any] = {}
    reply = Scripted.reply

    def listened(model: Scripted, messages: Any, tools: Any, asking: Any) -> Any:
        kept[model.name, asking.branch, asking.ask] = copy.deepcopy(messages)
        return reply(model, messages, tools, asking)

    monkeypatch.setattr(Scripted, "reply", listened)
    return kept


def agree(bench: Bench, sent: dict[tuple[str, str, int], Any]) -> Trajectory:
    run = open_own_run(bench.directory)
    trajectory = run.trajectory
    replies = [record for record in trajectory.records if isinstance(record, Reply)]
    assert replies
    for branch in trajectory.last_replies:
        asked = [(reply.model, branch, reply.ask) for reply in replies if reply.branch == branch]
        for which, messages in zip(asked, run.requests(branch), strict=True):
            assert messages == sent[which], which
    run.close()
    return trajectory


def test_turns_that_are_taken_back_and_brought_again(talk, sent):
    it: Talk = talk(
        *(line(f"Answer {n}.", *([MEND] if n == 2 else [look(n)] if n == 4 else []), n=n) for n in range(1, 10))
    )
    it.go()
    it.say("Mend it.")
    it.say("What is in it?", "plan")
    it.say("/undo", "undo")
    it.say("And now?")
    it.say("/undo", "undo")
    it.say("/redo", "undo")
    it.say("Once more.")
    agree(it.bench, sent)


def test_conversation_made_short_and_one_in_small_window(talk, sent):
    table = {"context": 5000, "max_output": 300, "price_in": 1.0, "price_cached": 0.5, "price_out": 5.0}
    looks = [line("Look.", look(n), n=n, usage={"input_tokens": 1000 * n}) for n in range(1, 9)]
    it: Talk = talk(
        *looks, line("That is all.", n=9), line("A summary.", n=10), line("Yes.", n=11), models={"scripted": table}
    )
    it.go()
    it.say("/compact", "compact")
    it.say("Is it right?")
    trajectory = agree(it.bench, sent)
    assert len(sent) == 11
    assert any("[folded:" in str(each) for each in sent.values())
    assert len(trajectory.turns) == 3


def test_reply_that_is_too_long_for_provider_and_one_that_nobody_acted_on(talk, sent, monkeypatch):
    looks = [line("Look.", look(n), n=n) for n in range(1, 6)]
    it: Talk = talk(*looks, line("Done.", n=6), line("Then not.", n=7), line("Well.", n=8))
    refused: list[int] = []
    reply = Scripted.reply

    def refuses(model: Scripted, messages: Any, tools: Any, asking: Any) -> Any:
        if asking.ask == 5 and not refused:
            refused.append(asking.ask)
            raise ModelError("The context window is full.", billed=False, overflow=True)
        return reply(model, messages, tools, asking)

    monkeypatch.setattr(Scripted, "reply", refuses)
    it.go()
    assert refused
    it.engine.journal.append(Note("main", "message", "Wait."))
    it.say("Go on.")
    agree(it.bench, sent)


def test_fork_with_another_model(bench: Bench, sent):
    bench.begin(
        line("Look.", look(1), n=1), line("Mend.", MEND, n=2), line("In words.", n=3), strategy="react", max_steps=3
    )
    engine = bench.engine()
    finished(engine)
    engine.close()
    agree(bench, sent)
    other = bench.folder / "other.jsonl"
    other.write_text('{"reply": {"text": "It is mended.", "actions": [{"tool": "submit", "arguments": {}}]}}\n')
    begun = find_origin(f"{bench.directory}@main#2", bench.settings)
    settings = fork_settings(begun, model=f"scripted:{other}", state=bench.settings.state)
    bench.directory = fork(begun, settings, "Look again.")
    engine = reopen(bench.directory, bench.settings.state)
    resume_turn(engine)
    finished(engine)
    engine.close()
    models = {reply.model for reply in read(bench.directory).replies.values()}
    assert len(models) == 2
    agree(bench, sent)


def test_roles_with_prompts_of_their_own(bench: Bench, sent):
    """A debate: proposers, a judge, the coder; a way that is left, and what the user says on it."""
    judge = bench.folder / "judge.jsonl"
    judge.write_text('{"reply": {"text": "A."}}\n')
    wrong = [act("edit", path="calc.py", old="a - b", new="b - a"), act("submit")]
    coder = (
        line("So.", *wrong, branch="main", n=1),
        line("So.", act("submit"), branch="main"),
        line("calc.py is wrong."),
    )
    bench.begin(*coder, strategy="debate", rounds=2, attempts=2, roles={"judge": f"scripted:{judge}"}, max_steps=12)
    engine = bench.engine()
    try:
        finished(engine)
    finally:
        engine.close()
    agree(bench, sent)
    systems = {branch.rpartition("/")[2]: messages[0]["content"] for (_, branch, _), messages in sent.items()}
    assert len({systems[name] for name in ("main", "round-1-a")}) == 2
    assert systems["main"].startswith("You are an experienced software engineer")


def test_what_user_says_on_way_that_is_left_is_read_on_next(bench: Bench, sent):
    bench.begin(line("Looking.", act("view", path="calc.py")))

    def strategy(task):
        yield task.say("Begin.")
        task.engine.journal.append(Note("main", "message", "Mind the signs."))
        reply = task.ask()
        yield task.step(reply, task.act(reply.actions))
        yield rewind_to(task, 1, task.start, "Go another way.", "search")
        yield task.step(reply := task.ask(), task.act(reply.actions))
        return task.best()

    bench.drive(strategy)
    last = sent[max(sent, key=lambda key: key[2])]
    assert [message["content"] for message in last if message["role"] == "user"][-1] == (
        "The user said meanwhile: Mind the signs.\n\nGo another way."
    )
