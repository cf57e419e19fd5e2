"""What a run asks before something leaves the workspace, and what comes of a no."""

import pytest

from agent.approvals import Answer, Approval
from agent.consent import may_set_up
from agent.task import Task
from tests.agent.conftest import act, line
from trajectories.errors import Cancelled
from trajectories.journal import read


def plain(task):
    """One reply, acted on."""
    yield task.say("Go.")
    reply = task.ask()
    yield task.step(reply, task.act(reply.actions))
    return task.best()


def test_a_run_by_itself_asks_nothing(bench) -> None:
    bench.begin(line("Run.", act("shell", command="echo it ran")))
    steps, _ = bench.drive(plain)
    assert steps[-1].observations[0].text == "it ran"
    assert not [note for note in read(bench.directory).notes if note.kind == "approval"]


def test_after_a_no_the_next_action_is_asked_for_itself(bench) -> None:
    bench.begin(line("Run.", act("shell", command="touch f"), act("shell", command="ls")))
    engine = bench.engine()
    asked: list[Approval] = []
    engine.approve = lambda approval: asked.append(approval) or Answer("touch" not in approval.subject, reason="no f")
    steps = list(plain(Task(engine)))
    engine.close()
    assert [seen.text for seen in steps[-1].observations] == ["The user refused this: no f", "calc.py"]
    assert not steps[-1].observations[0].ok
    assert [each.subject for each in asked] == ["touch f", "ls"]


def test_a_command_says_where_its_shell_is(bench) -> None:
    bench.begin(line("Run.", act("shell", command="mkdir d; cd d"), act("shell", command="ls")))
    engine = bench.engine()
    asked: list[Approval] = []
    engine.approve = lambda approval: asked.append(approval) or Answer(True)
    list(plain(Task(engine)))
    engine.close()
    assert [each.folder.removeprefix(each.root) for each in asked] == ["", "/d"]


def test_what_a_user_does_by_hand_is_not_asked(bench) -> None:
    bench.begin(line("Run.", act("shell", command="echo it ran")))
    engine = bench.engine()
    engine.approve = lambda _: Answer(False)
    task = Task(engine)
    task.by_hand = True
    assert list(plain(task))[-1].observations[0].text == "it ran"
    engine.close()


def test_an_interrupt_while_it_is_asked_is_no_answer(bench) -> None:
    bench.begin(line("Run.", act("shell", command="echo it ran")))
    engine = bench.engine()
    engine.approve = lambda _: engine.cancel.set() or Answer(False)
    with pytest.raises(Cancelled):
        list(plain(Task(engine)))
    assert not [step for step in engine.trajectory.steps["main"] if step.reply], "the reply is acted on when it goes on"
    with pytest.raises(Cancelled):
        may_set_up(engine, "image", ["make"], ["host"])
    engine.close()


def test_set_up_is_asked_with_all_it_reaches(bench) -> None:
    bench.begin(line("x"))
    engine = bench.engine()
    asked: list[Approval] = []
    engine.approve = lambda approval: asked.append(approval) or Answer(False)
    assert not may_set_up(engine, "python:3.12", ["pip install -e ."], ["pypi.org", "example.org"])
    engine.close()
    (approval,) = asked
    assert (approval.kind, approval.subject) == ("network", "pypi.org\nexample.org")
    assert all(part in approval.detail for part in ("python:3.12", "pip install -e .", "example.org"))
