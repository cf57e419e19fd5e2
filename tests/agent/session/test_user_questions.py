"""What a session asks before something leaves the workspace, who answers, and what is kept of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from threading import Barrier, Event, Thread

import pytest

from agent.config.settings import PermissionTable
from agent.permissions.approvals import Answer, Approval
from agent.session.session_events import QuestionAnswered, QuestionAsked, TurnEnded, TurnStopped
from tests.agent.session.scripted_session import Talk, calls, says
from trajectories.journal import read

YES, NO = Answer(True), Answer(False)
Answering = Callable[[Approval], Answer | None]


def shell(command: str) -> dict:
    return calls("shell", command=command)


@pytest.fixture
def talk(tmp_path: Path, make_repo):
    """`talk(script, answering)` is an open session whose user answers so; closed after the test."""
    begun: list[Talk] = []
    root = make_repo({"a.txt": "a\n"})

    def begin(script: list[dict], answering: Answering = lambda _: YES, **start: object) -> Talk:
        state = tmp_path / "state"
        made = Talk(root, state, script, **start)
        made.answers = None

        def hook(event: object) -> None:
            if isinstance(event, QuestionAsked) and (answer := answering(event.approval)) is not None:
                assert made.session.answer(event.approval.id, answer)

        made.hooks.append(hook)
        made.session.open()
        begun.append(made)
        return made

    yield begin
    for each in begun:
        each.session.close()


def one(*commands: str) -> list[dict]:
    """A model that runs these commands, one a reply, and says done."""
    lines = [says("Run.", shell(command), n=number) for number, command in enumerate(commands, 1)]
    return [*lines, says("Done.", n=len(commands) + 1)]


def asked(talk: Talk) -> list[str]:
    return [event.approval.subject for event in talk.all(QuestionAsked)]


def seen(talk: Talk) -> list[str]:
    engine = talk.session.engine
    assert engine
    return [each.text for step in engine.trajectory.steps["main"] if step.actions for each in step.observations]


def notes(talk: Talk) -> list[dict]:
    engine = talk.session.engine
    assert engine
    return [note.data for note in engine.trajectory.notes if note.kind == "approval"]


def test_each_command_in_local_workspace_is_asked(talk) -> None:
    found = talk(one("echo one", "echo two")).say("Go")
    assert asked(found) == ["echo one", "echo two"]
    assert seen(found) == ["one", "two"]
    assert notes(found) == [
        {"kind": "command", "subject": f"echo {word}", "answer": "yes", "rule": "", "by": "user"}
        for word in ("one", "two")
    ]
    approval = found.all(QuestionAsked)[0].approval
    assert approval.always == ("command exactly echo one",)
    assert approval.root == approval.folder != ""


def test_no_is_observation_with_reason(talk) -> None:
    found = talk(one("echo one > f", "ls"), lambda a: Answer(False, reason="not now") if "f" in a.subject else YES)
    found.say("Go")
    assert seen(found) == ["The user refused this: not now", "a.txt"]
    assert [event.answer.yes for event in found.all(QuestionAnswered)] == [False, True]
    assert notes(found)[0]["answer"] == "no"
    assert notes(found)[0]["reason"] == "not now"


def test_yes_for_session_is_not_asked_again(talk) -> None:
    found = talk(one("ls", "ls -a", "ls | wc -l"), lambda _: Answer(True, "session")).say("Go")
    assert asked(found) == ["ls", "ls | wc -l"]
    assert [note["by"] for note in notes(found)] == ["user", "session", "user"]
    assert notes(found)[1]["rule"] == "command ls"
    found.say("/permissions")
    assert [line.partition(" (this")[0] for line in found.told[-1].splitlines()] == ["1. command ls", "2. command wc"]


def test_yes_for_project_outlives_session(talk) -> None:
    talk(one("ls"), lambda _: Answer(True, "project")).say("Go").session.close()
    later = talk(one("ls -a")).say("Go")
    assert asked(later) == []
    assert notes(later)[0]["by"] == "project"
    later.say("/permissions remove 1")
    assert "command ls" in later.told[-1]
    later.say("/permissions")
    assert later.told[-1] == "Nothing is allowed without asking."


def test_rules_of_configuration(talk) -> None:
    table = PermissionTable(allow=("command ls",), deny=("command git push",))
    found = talk(one("ls && git push", "ls"), settings={"permissions": table}).say("Go")
    assert asked(found) == []
    assert "forbids it: command git push" in seen(found)[0]
    assert [(note["answer"], note["by"]) for note in notes(found)] == [("no", "config"), ("yes", "config")]
    found.say("/permissions remove 1")
    assert "config" in found.told[-1]


def test_rules_of_administrator_are_listed_as_such(talk, tmp_path: Path, monkeypatch) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text('[permissions]\nallow = ["command  ls"]\ndeny = ["command curl", "command git push"]\n')
    monkeypatch.setattr("agent.config.settings.POLICY", policy)
    table = PermissionTable(
        allow=("command pwd", "command ls"), deny=("command rm", "command curl", "command git push")
    )
    found = talk([], settings={"permissions": table}).say("/permissions")
    assert found.told[-1].splitlines() == [
        "1. command pwd (your config)",
        "2. command ls (the administrator's policy)",
        "never: command rm (your config)",
        "never: command curl (the administrator's policy)",
        "never: command git push (the administrator's policy)",
    ]
    assert "set in your config" in found.say("/permissions remove 1").told[-1]
    assert "administrator" in found.say("/permissions remove 2").told[-1]
    policy.write_text("permissions = 1\n")
    assert "policy.toml cannot be used" in found.say("/permissions").told[-1]


@pytest.mark.parametrize("words", ["remove", "remove 0", "remove 2", "remove x", "forget 1"])
def test_what_cannot_be_removed(talk, words: str) -> None:
    found = talk([]).say(f"/permissions {words}")
    assert "/permissions" in found.told[-1]


def test_damaged_file_is_told_once_and_allows_nothing(talk, tmp_path: Path) -> None:
    file = tmp_path / "state" / "permissions.json"
    file.parent.mkdir()
    file.write_text("{")
    found = talk(one("ls", "ls"), lambda _: Answer(True, "project")).say("Go")
    assert asked(found) == ["ls"], "the session keeps the rule"
    assert [str(file) in text for text in found.told].count(True) == 1
    assert file.read_text() == "{"


@pytest.mark.slow
def test_other_ways_to_run_commands(talk) -> None:
    script = [
        says("Type.", calls("session", name="a", input="ls\n"), n=1),
        says("Look.", calls("session", name="a"), n=2),
        says("Test.", calls("run_tests", command="ls"), n=3),
        says("View.", calls("view", path="a.txt"), n=4),
        says("Wrong.", calls("shell", line="ls"), n=5),
        says("Done.", n=6),
    ]
    found = talk(script, lambda a: Answer(True, "session") if a.always else YES).say("Go")
    assert asked(found) == ["ls\n", "ls"]
    typed, tests = (event.approval for event in found.all(QuestionAsked))
    assert typed.always == ()
    assert "terminal" in typed.why
    assert tests.always == ("command ls",)


def test_what_user_runs_is_not_asked(talk) -> None:
    found = talk([]).say("!echo mine")
    assert asked(found) == []
    assert any("mine" in text for text in (*seen(found), *found.told))


def test_interrupt_ends_question_and_turn_can_go_on(talk) -> None:
    found = talk(one("echo one"), lambda _: None)
    found.session.say("Go")
    question = found.until(QuestionAsked).approval
    assert found.session.status.state == "asking"
    found.session.interrupt()
    found.until(TurnStopped)
    found.settled()
    assert found.all(QuestionAnswered)[0].answer.yes is False
    assert not found.session.answer(question.id, YES), "it is no longer asked"
    assert seen(found) == []
    assert found.session.status.state == "paused"
    found.hooks[0] = lambda event: isinstance(event, QuestionAsked) and found.session.answer(event.approval.id, YES)
    found.session.go_on()
    found.until(TurnEnded)
    assert seen(found) == ["one"] or seen(found)[0].endswith("one")


def test_closing_ends_question(talk) -> None:
    found = talk(one("echo one"), lambda _: None)
    found.session.say("Go")
    found.until(QuestionAsked)
    found.session.close()
    assert found.all(QuestionAnswered)[0].answer.reason == "Interrupted."
    assert not read(
        found.session.start.settings.runs / next(iter(found.session.start.settings.runs.iterdir())).name
    ).exit


def test_answer_to_another_question_has_no_effect(talk) -> None:
    found = talk([])
    assert not found.session.answer(1, YES)
    assert not found.session.asking.waiting


def test_several_threads_are_answered_one_at_time_and_in_order(talk) -> None:
    open_now: list[int] = []
    order: list[str] = []

    def answering(approval: Approval) -> None:
        open_now.append(approval.id)
        assert len(open_now) == 1, "two questions at once"
        order.append(approval.subject)

        def later() -> None:
            open_now.remove(approval.id)
            assert found.session.answer(approval.id, YES)

        Thread(target=later).start()

    found = talk([], answering)
    ready = Barrier(8)
    got: dict[str, Answer] = {}

    def ask(name: str) -> None:
        ready.wait()
        got[name] = found.session.ask(Approval("branch", "?", name))

    threads = [Thread(target=ask, args=(str(number),)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert got == dict.fromkeys(map(str, range(8)), YES)
    assert sorted(order) == sorted(got)
    assert [event.approval.id for event in found.all(QuestionAsked)] == list(range(1, 9))
    assert found.session.state == "idle"


def test_answer_that_becomes_rule_answers_what_waits(talk) -> None:
    found = talk([], lambda _: None)
    threads = [Thread(target=found.session.ask, args=(Approval("branch", "?", str(n)),)) for n in range(3)]
    for thread in threads:
        thread.start()
    first = found.until(QuestionAsked).approval
    assert first.always == ("branch **",)
    assert found.session.answer(first.id, Answer(True, "session"))
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()
    assert len(found.all(QuestionAsked)) == 1


def test_question_whose_branch_is_stopped_ends(talk) -> None:
    stop = Event()
    found = talk([], lambda _: stop.set())
    assert not found.session.ask(Approval("branch", "?", "a", cancel=stop)).yes
    assert len(found.all(QuestionAnswered)) == 1


def test_front_end_that_fails_leaves_no_question_behind(talk) -> None:
    def broken(_: Approval) -> Answer:
        raise ZeroDivisionError

    found = talk([], broken)
    assert not found.session.ask(Approval("branch", "?", "a")).yes
    assert not found.session.asking.waiting
    assert found.session.state == "idle"
    with pytest.raises(ZeroDivisionError):
        found.session.close()


def test_front_end_that_fails_in_turn_ends_session_and_not_run(talk) -> None:
    found = talk(one("echo one", "echo two"))

    def broken(event: object) -> None:
        if isinstance(event, QuestionAnswered):
            raise ZeroDivisionError

    found.hooks.append(broken)
    found.session.say("Go")
    found.until(QuestionAnswered)
    with pytest.raises(ZeroDivisionError):
        found.session.close()
    assert not found.session.alive
    (run,) = found.settings.runs.iterdir()
    assert read(run).exit is None
    found.hooks.remove(broken)
    later = talk([says("Run.", shell("echo two"), n=2), says("Done.", n=3)], run=run)
    later.session.go_on()
    later.until(TurnEnded)
    assert later.session.state in ("working", "idle")


def test_time_stands_still_while_question_is_open(talk) -> None:
    deadlines: list[float | None] = []
    found = talk(one("echo one"))

    def look(event: object) -> None:
        if isinstance(event, (QuestionAsked, QuestionAnswered)):
            assert found.session.engine
            deadlines.append(found.session.engine.cancel.deadline)

    found.hooks.insert(0, look)
    found.say("Go")
    assert [deadline is None for deadline in deadlines] == [True, False]


def test_rules_of_configuration_hold_in_run_that_is_gone_on_with(talk, own_config: Path) -> None:
    own_config.write_text('[permissions]\ndeny = ["command ls"]\n')
    first = talk(one("pwd")).say("Go")
    assert first.session.engine
    run = first.session.engine.journal.directory
    first.session.close()
    later = talk([says("Run.", shell("ls"), n=3), says("Done.", n=4)], run=run).say("Go on")
    assert asked(later) == []
    assert "forbids it" in seen(later)[-1]


@pytest.mark.slow
@pytest.mark.parametrize("reason", ["Use tabs.", ""])
def test_why_changes_were_not_taken_over_is_told_to_model(talk, reason):
    edit = calls("edit", path="b.txt", old="", new="b\n")
    script = [says("Write.", edit, n=1), says("Tabs, then.", contains="Use tabs."), says("Done.")]
    found = talk(script, lambda approval: Answer(approval.kind != "apply", reason=reason))
    found.say("Write b").say("/apply").say("!true").say("And now?")
    assert found.told[-1] == f"Nothing was applied. {reason}".strip()
    assert ("Tabs, then." in found.words[-1]) == bool(reason)
    messages = [note for note in found.session.engine.trajectory.notes if note.kind == "message"]
    assert len(messages) == bool(reason)
