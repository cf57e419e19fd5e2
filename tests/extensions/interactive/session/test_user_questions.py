"""Questions of a session before an action leaves the workspace: who answers, and what is recorded."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from threading import Barrier, Event, Thread

import pytest

from agent.engine.branch import INTERRUPTED
from agent.permissions.approvals import Answer, Approval
from agent.permissions.permission_table import PermissionTable
from extensions.interactive.session.session_events import (
    QuestionAnswered,
    QuestionAsked,
    StepRecorded,
    TurnEnded,
    TurnStopped,
)
from tests.extensions.interactive.session.scripted_session import RecordedSession, calls, says
from trajectories.journal import read

YES, NO = Answer(True), Answer(False)
AnswerFunction = Callable[[Approval], Answer | None]


def shell(command: str) -> dict:
    return calls("shell", command=command)


@pytest.fixture
def talk(tmp_path: Path, make_repo):
    """`talk(script, answering)` opens a session in which `answering` answers; it is closed after the test."""
    talks: list[RecordedSession] = []
    root = make_repo({"a.txt": "a\n"})

    def open_talk(script: list[dict], answering: AnswerFunction = lambda _: YES, **start: object) -> RecordedSession:
        state = tmp_path / "state"
        opened = RecordedSession(root, state, script, **start)
        opened.answers = None

        def hook(event: object) -> None:
            if isinstance(event, QuestionAsked) and (answer := answering(event.approval)) is not None:
                assert opened.session.answer(event.approval.id, answer)

        opened.hooks.append(hook)
        opened.session.open()
        talks.append(opened)
        return opened

    yield open_talk
    for opened in talks:
        opened.session.close()


def command_script(*commands: str) -> list[dict]:
    """A model that runs these commands, one in each reply, and then says done."""
    lines = [says("Run.", shell(command), n=number) for number, command in enumerate(commands, 1)]
    return [*lines, says("Done.", n=len(commands) + 1)]


def subjects(talk: RecordedSession) -> list[str]:
    return [event.approval.subject for event in talk.all(QuestionAsked)]


def outputs(talk: RecordedSession) -> list[str]:
    engine = talk.session.engine
    assert engine
    return [
        observation.text
        for step in engine.trajectory.steps["main"]
        if step.actions
        for observation in step.observations
    ]


def approval_notes(talk: RecordedSession) -> list[dict]:
    engine = talk.session.engine
    assert engine
    return [note.data for note in engine.trajectory.notes if note.kind == "approval"]


@pytest.mark.slow
def test_each_command_in_local_workspace_needs_approval(talk) -> None:
    conversation = talk(command_script("seq 1", "seq 2")).say("Go")
    assert subjects(conversation) == ["seq 1", "seq 2"]
    assert outputs(conversation) == ["1", "1\n2"]
    assert approval_notes(conversation) == [
        {"kind": "command", "subject": f"seq {word}", "answer": "yes", "rule": "", "by": "user"} for word in ("1", "2")
    ]
    approval = conversation.all(QuestionAsked)[0].approval
    assert approval.always == ("command exactly seq 1",)
    assert approval.root == approval.folder != ""


@pytest.mark.slow
def test_refusal_is_observed_with_reason(talk) -> None:
    conversation = talk(
        command_script("echo one > f", "basename a.txt"),
        lambda a: Answer(False, reason="not now"),
    )
    conversation.say("Go")
    assert outputs(conversation) == ["The user refused this: not now", "a.txt"]
    assert [event.answer.yes for event in conversation.all(QuestionAnswered)] == [False]
    assert approval_notes(conversation)[0]["answer"] == "no"
    assert approval_notes(conversation)[0]["reason"] == "not now"


@pytest.mark.slow
def test_approval_for_session_covers_later_commands(talk) -> None:
    script = command_script("which sh", "which -a sh", "which sh && realpath a.txt")
    conversation = talk(script, lambda _: Answer(True, "session")).say("Go")
    assert subjects(conversation) == ["which sh", "which sh && realpath a.txt"]
    assert [note["by"] for note in approval_notes(conversation)] == ["user", "session", "user"]
    assert approval_notes(conversation)[1]["rule"] == "command which"
    conversation.say("/permissions")
    assert [line.partition(" (this")[0] for line in conversation.messages[-1].splitlines()] == [
        "1. command which",
        "2. command realpath",
    ]


@pytest.mark.slow
def test_approval_for_project_outlives_session(talk) -> None:
    talk(command_script("which sh"), lambda _: Answer(True, "project")).say("Go").session.close()
    second = talk(command_script("which -a sh")).say("Go")
    assert subjects(second) == []
    assert approval_notes(second)[0]["by"] == "project"
    second.say("/permissions remove 1")
    assert "command which" in second.messages[-1]
    second.say("/permissions")
    assert second.messages[-1] == "Nothing is allowed without asking."


@pytest.mark.slow
def test_configured_rules_answer_without_question(talk) -> None:
    table = PermissionTable(allow=("command ls",), deny=("command git push",))
    conversation = talk(command_script("ls && git push", "ls"), settings={"permissions": table}).say("Go")
    assert subjects(conversation) == []
    assert "denies it: command git push" in outputs(conversation)[0]
    assert [(note["answer"], note["by"]) for note in approval_notes(conversation)] == [
        ("no", "config"),
        ("yes", "config"),
    ]
    conversation.say("/permissions remove 1")
    assert "config" in conversation.messages[-1]


def test_rules_of_administrator_are_listed_as_such(talk, tmp_path: Path, monkeypatch) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text('[permissions]\nallow = ["command  ls"]\ndeny = ["command curl", "command git push"]\n')
    monkeypatch.setattr("agent.config.settings.POLICY", policy)
    table = PermissionTable(
        allow=("command pwd", "command ls"), deny=("command rm", "command curl", "command git push")
    )
    conversation = talk([], settings={"permissions": table}).say("/permissions")
    assert conversation.messages[-1].splitlines() == [
        "1. command pwd (your config)",
        "2. command ls (the administrator's policy)",
        "never: command rm (your config)",
        "never: command curl (the administrator's policy)",
        "never: command git push (the administrator's policy)",
    ]
    assert "set in your config" in conversation.say("/permissions remove 1").messages[-1]
    assert "administrator" in conversation.say("/permissions remove 2").messages[-1]
    policy.write_text("permissions = 1\n")
    assert "Invalid value for permissions in" in conversation.say("/permissions").messages[-1]


@pytest.mark.parametrize("words", ["remove", "remove 0", "remove 2", "remove x", "forget 1"])
def test_invalid_removal_of_rule_is_reported(talk, words: str) -> None:
    conversation = talk([]).say(f"/permissions {words}")
    assert "/permissions" in conversation.messages[-1]


@pytest.mark.slow
def test_damaged_rule_file_is_reported_once_and_allows_nothing(talk, tmp_path: Path) -> None:
    file = tmp_path / "state" / "permissions.json"
    file.parent.mkdir()
    file.write_text("{")
    conversation = talk(command_script("which sh", "which sh"), lambda _: Answer(True, "project")).say("Go")
    assert subjects(conversation) == ["which sh"], "the session stores the rule"
    assert [str(file) in text for text in conversation.messages].count(True) == 1
    assert file.read_text() == "{"


@pytest.mark.slow
def test_commands_of_other_tools_need_approval(talk) -> None:
    script = [
        says("Type.", calls("session", name="a", input="which sh\n"), n=1),
        says("Look.", calls("session", name="a"), n=2),
        says("Test.", calls("run_tests", command="which sh"), n=3),
        says("View.", calls("view", path="a.txt"), n=4),
        says("Wrong.", calls("shell", line="which sh"), n=5),
        says("Done.", n=6),
    ]
    conversation = talk(script, lambda a: Answer(True, "session") if a.always else YES).say("Go")
    assert subjects(conversation) == ["which sh\n", "which sh"]
    typed, tests = (event.approval for event in conversation.all(QuestionAsked))
    assert typed.always == ()
    assert "terminal" in typed.why
    assert tests.always == ("command which",)


def test_users_own_command_needs_no_approval(talk) -> None:
    conversation = talk([]).say("!echo mine")
    assert subjects(conversation) == []
    assert any("mine" in text for text in (*outputs(conversation), *conversation.messages))


def test_interrupt_ends_question_and_turn_can_be_resumed(talk) -> None:
    conversation = talk(command_script("seq 1"), lambda _: None)
    conversation.session.say("Go")
    question = conversation.wait_for_event(QuestionAsked).approval
    assert conversation.session.status.state == "asking"
    conversation.session.interrupt()
    conversation.wait_for_event(TurnStopped)
    conversation.wait_until_idle()
    assert conversation.all(QuestionAnswered)[0].answer.yes is False
    assert not conversation.session.answer(question.id, YES), "the question is no longer open"
    assert outputs(conversation) == []
    assert conversation.session.status.state == "paused"
    conversation.hooks[0] = lambda event: (
        isinstance(event, QuestionAsked) and conversation.session.answer(event.approval.id, YES)
    )
    conversation.session.go_on()
    conversation.wait_for_event(TurnEnded)
    assert outputs(conversation)[0].endswith("1")


def test_edit_before_interrupted_question_is_kept(talk) -> None:
    edit = calls("edit", path="b.py", old="", new="new")
    script = [says("Go.", edit, calls("shell", command="seq 1"), n=1), says("Done.", calls("submit", summary="Done."))]
    conversation = talk(script, lambda _: None)
    conversation.session.say("Go")
    conversation.wait_for_event(QuestionAsked)
    conversation.session.interrupt()
    conversation.wait_for_event(TurnStopped)
    step = conversation.all(StepRecorded)[-1].step
    assert [seen.ok for seen in step.observations] == [True, False]
    assert step.observations[1].text == INTERRUPTED
    assert [file.path for file in conversation.session.status.files] == ["b.py"]


def test_closing_ends_question(talk) -> None:
    conversation = talk(command_script("seq 1"), lambda _: None)
    conversation.session.say("Go")
    conversation.wait_for_event(QuestionAsked)
    conversation.session.close()
    assert conversation.all(QuestionAnswered)[0].answer.reason == "Interrupted."
    assert not read(
        conversation.session.start.settings.runs / next(iter(conversation.session.start.settings.runs.iterdir())).name
    ).exit


def test_answer_to_another_question_has_no_effect(talk) -> None:
    conversation = talk([])
    assert not conversation.session.answer(1, YES)
    assert not conversation.session.questions.waiting


def test_questions_of_several_threads_are_asked_one_at_a_time(talk) -> None:
    open_questions: list[int] = []
    order: list[str] = []

    def answering(approval: Approval) -> None:
        open_questions.append(approval.id)
        assert len(open_questions) == 1, "two questions are open"
        order.append(approval.subject)

        def answer_later() -> None:
            open_questions.remove(approval.id)
            assert conversation.session.answer(approval.id, YES)

        Thread(target=answer_later).start()

    conversation = talk([], answering)
    ready = Barrier(8)
    answers: dict[str, Answer] = {}

    def ask(name: str) -> None:
        ready.wait()
        answers[name] = conversation.session.ask(Approval("branch", "?", name))

    threads = [Thread(target=ask, args=(str(number),)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert answers == dict.fromkeys(map(str, range(8)), YES)
    assert sorted(order) == sorted(answers)
    assert [event.approval.id for event in conversation.all(QuestionAsked)] == list(range(1, 9))
    assert conversation.session.state == "idle"


def test_new_rule_answers_waiting_questions(talk) -> None:
    conversation = talk([], lambda _: None)
    threads = [Thread(target=conversation.session.ask, args=(Approval("branch", "?", str(n)),)) for n in range(3)]
    for thread in threads:
        thread.start()
    first = conversation.wait_for_event(QuestionAsked).approval
    assert first.always == ("branch everything",)
    assert conversation.session.answer(first.id, Answer(True, "session"))
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()
    assert len(conversation.all(QuestionAsked)) == 1


def test_question_of_stopped_branch_ends(talk) -> None:
    stop = Event()
    conversation = talk([], lambda _: stop.set())
    assert not conversation.session.ask(Approval("branch", "?", "a", cancel=stop)).yes
    assert len(conversation.all(QuestionAnswered)) == 1


def test_failing_front_end_leaves_no_open_question(talk) -> None:
    def fail(_: Approval) -> Answer:
        raise ZeroDivisionError

    conversation = talk([], fail)
    assert not conversation.session.ask(Approval("branch", "?", "a")).yes
    assert not conversation.session.questions.waiting
    assert conversation.session.state == "idle"
    with pytest.raises(ZeroDivisionError):
        conversation.session.close()


@pytest.mark.slow
def test_failing_front_end_ends_session_but_not_run(talk) -> None:
    conversation = talk(command_script("seq 1", "seq 2"))

    def fail_on_answer(event: object) -> None:
        if isinstance(event, QuestionAnswered):
            raise ZeroDivisionError

    conversation.hooks.append(fail_on_answer)
    conversation.session.say("Go")
    conversation.wait_for_event(QuestionAnswered)
    with pytest.raises(ZeroDivisionError):
        conversation.session.close()
    assert not conversation.session.alive
    (run,) = conversation.settings.runs.iterdir()
    assert read(run).exit is None
    conversation.hooks.remove(fail_on_answer)
    second = talk([says("Run.", shell("seq 2"), n=2), says("Done.", n=3)], run=run)
    second.session.go_on()
    second.wait_for_event(TurnEnded)
    assert second.session.state in ("working", "idle")


@pytest.mark.slow
def test_deadline_is_suspended_while_question_is_open(talk) -> None:
    deadlines: list[float | None] = []
    conversation = talk(command_script("seq 1"))

    def record_deadline(event: object) -> None:
        if isinstance(event, (QuestionAsked, QuestionAnswered)):
            assert conversation.session.engine
            deadlines.append(conversation.session.engine.cancel.deadline)

    conversation.hooks.insert(0, record_deadline)
    conversation.say("Go")
    assert [deadline is None for deadline in deadlines] == [True, False]


@pytest.mark.slow
def test_configured_rules_apply_to_resumed_run(talk, own_config: Path) -> None:
    own_config.write_text('[permissions]\ndeny = ["command ls"]\n')
    first = talk(command_script("pwd")).say("Go")
    assert first.session.engine
    run = first.session.engine.journal.directory
    first.session.close()
    second = talk([says("Run.", shell("ls"), n=3), says("Done.", n=4)], run=run).say("Continue")
    assert subjects(second) == []
    assert "denies it" in outputs(second)[-1]


@pytest.mark.slow
@pytest.mark.parametrize("reason", ["Use tabs.", ""])
def test_reason_for_refused_changes_is_sent_to_model(talk, reason):
    edit = calls("edit", path="b.txt", old="", new="b\n")
    script = [says("Write.", edit, n=1), says("Tabs, then.", contains="Use tabs."), says("Done.")]
    conversation = talk(script, lambda approval: Answer(approval.kind != "apply", reason=reason))
    conversation.say("Write b").say("/apply").say("!true").say("And now?")
    assert conversation.messages[-1] == f"Nothing was applied. {reason}".strip()
    assert ("Tabs, then." in conversation.replies[-1]) == bool(reason)
    messages = [note for note in conversation.session.engine.trajectory.notes if note.kind == "message"]
    assert len(messages) == bool(reason)
