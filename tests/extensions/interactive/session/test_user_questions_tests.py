"""Questions before tests and imports in a local workspace, where they would run code written by the model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from agent.permissions.approvals import Answer, Approval
from agent.permissions.permission_table import PermissionTable
from extensions.interactive.session.session_events import QuestionAsked
from tests.extensions.interactive.session.scripted_session import RecordedSession, calls, says

COMMAND = "python3 -m unittest"
FILES = {"calc.py": "x = 1\n", "test_calc.py": "import unittest, calc\n"}


@pytest.fixture
def talk(tmp_path: Path, make_repo):
    talks: list[RecordedSession] = []
    root = make_repo(FILES)

    def open_talk(script: list[dict], answering: Callable[[Approval], bool], **settings: object) -> RecordedSession:
        opened = RecordedSession(root, tmp_path / "state", script, settings={"test": COMMAND, **settings})
        opened.answers = None

        def hook(event: object) -> None:
            if isinstance(event, QuestionAsked):
                opened.session.answer(event.approval.id, Answer(answering(event.approval)))

        opened.hooks.append(hook)
        opened.session.open()
        talks.append(opened)
        return opened

    yield open_talk
    for opened in talks:
        opened.session.close()


def subjects(talk: RecordedSession) -> list[str]:
    return [event.approval.subject for event in talk.all(QuestionAsked)]


def edit_script(folder: Path) -> list[dict]:
    """A model whose edit creates a file when it is imported."""
    new = f"import pathlib\nran = pathlib.Path({str(folder / 'ran')!r}).touch()\nx = 2"
    return [says("Change.", calls("edit", path="calc.py", old="x = 1", new=new), n=1), says("Done.", n=2)]


def code_ran(folder: Path) -> bool:
    return (folder / "ran").exists()


def proof(talk: RecordedSession) -> str:
    assert talk.session.engine
    steps = talk.session.engine.trajectory.steps["main"]
    return next((step.observations[0].text for step in steps if step.author == "proof"), "")


def test_question_for_test_nodes_shows_their_command(talk) -> None:
    script = [says("Test.", calls("run_tests", nodes=["test_calc.py"]), n=1), says("Done.", n=2)]
    assert subjects(talk(script, lambda _: False).say("Go")) == [f"{COMMAND} test_calc.py"]


@pytest.mark.slow
def test_question_shows_detected_test_command(talk) -> None:
    script = [says("Test.", calls("run_tests"), n=1), says("Done.", n=2)]
    (subject,) = subjects(talk(script, lambda _: False, test="").say("Go"))
    assert "unittest" in subject or "pytest" in subject


def test_refusal_prevents_all_execution_of_change(talk, tmp_path) -> None:
    conversation = talk(edit_script(tmp_path), lambda _: False).say("Go")
    assert subjects(conversation) == [COMMAND], "one question for imports and proof"
    assert not code_ran(tmp_path)
    assert proof(conversation) == "Not tested: permission was denied."


@pytest.mark.slow
def test_approval_is_valid_for_one_turn(talk, tmp_path) -> None:
    script = [
        *edit_script(tmp_path),
        says("Again.", calls("edit", path="calc.py", old="x = 2", new="x = 3"), n=3),
        says("Done.", n=4),
    ]
    conversation = talk(script, lambda _: True).say("Go")
    assert subjects(conversation) == [COMMAND]
    assert code_ran(tmp_path)
    assert subjects(conversation.say("More")) == [COMMAND, COMMAND]


@pytest.mark.parametrize("rule", ["command *", "command python3 -m unittest"])
def test_denied_tests_are_not_run(talk, tmp_path, rule: str) -> None:
    table = PermissionTable(deny=(rule,))
    conversation = talk(edit_script(tmp_path), lambda _: True, permissions=table).say("Go")
    assert subjects(conversation) == []
    assert not code_ran(tmp_path)
    assert proof(conversation) == "Not tested: permission was denied."


@pytest.mark.slow
def test_allowed_tests_need_no_approval(talk, tmp_path) -> None:
    table = PermissionTable(allow=("command python3 -m unittest",))
    conversation = talk(edit_script(tmp_path), lambda _: False, permissions=table).say("Go")
    assert subjects(conversation) == []
    assert code_ran(tmp_path)


@pytest.mark.slow
def test_users_own_tests_need_no_approval(talk) -> None:
    conversation = talk([], lambda _: False).say("!echo 'x = 5' > calc.py").say("/test").say("/prove")
    assert subjects(conversation) == []
    assert proof(conversation)
    assert "refused" not in proof(conversation)


@pytest.mark.parametrize(
    ("options", "workload"),
    [
        ({}, ""),
        ({"workload": "python3 -c 'import calc'"}, "python3 -c 'import calc'\n"),
        ({"benchmark": "test_calc.py::test_x"}, "python -m pytest test_calc.py::test_x\n"),
    ],
    ids=["tests", "workload", "benchmark"],
)
def test_optimize_asks_about_its_workload_and_tests(talk, options: dict, workload: str) -> None:
    conversation = talk([], lambda _: False, strategy="optimize", **options).say("/strategy optimize").say("Go")
    assert subjects(conversation) == [f"{workload}{COMMAND}"]
