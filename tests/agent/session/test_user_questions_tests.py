"""In a workspace of this machine no code of the model's runs by itself: tests and imports are asked about, too."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from agent.config.settings import PermissionTable
from agent.permissions.approvals import Answer, Approval
from agent.session.session_events import QuestionAsked
from tests.agent.session.scripted_session import Talk, calls, says

COMMAND = "python3 -m unittest"
FILES = {"calc.py": "x = 1\n", "test_calc.py": "import unittest, calc\n"}


@pytest.fixture
def talk(tmp_path: Path, make_repo):
    begun: list[Talk] = []
    root = make_repo(FILES)

    def begin(script: list[dict], answering: Callable[[Approval], bool], **settings: object) -> Talk:
        made = Talk(root, tmp_path / "state", script, settings={"test": COMMAND, **settings})
        made.answers = None

        def hook(event: object) -> None:
            if isinstance(event, QuestionAsked):
                made.session.answer(event.approval.id, Answer(answering(event.approval)))

        made.hooks.append(hook)
        made.session.open()
        begun.append(made)
        return made

    yield begin
    for each in begun:
        each.session.close()


def asked(talk: Talk) -> list[str]:
    return [event.approval.subject for event in talk.all(QuestionAsked)]


def change(folder: Path) -> list[dict]:
    """A model whose code leaves a mark when it is imported."""
    new = f"import pathlib\nran = pathlib.Path({str(folder / 'ran')!r}).touch()\nx = 2"
    return [says("Change.", calls("edit", path="calc.py", old="x = 1", new=new), n=1), says("Done.", n=2)]


def ran(folder: Path) -> bool:
    return (folder / "ran").exists()


def proof(talk: Talk) -> str:
    assert talk.session.engine
    steps = talk.session.engine.trajectory.steps["main"]
    return next((step.observations[0].text for step in steps if step.author == "proof"), "")


def test_tests_named_by_their_nodes_are_asked_with_command_that_runs_them(talk) -> None:
    script = [says("Test.", calls("run_tests", nodes=["test_calc.py"]), n=1), says("Done.", n=2)]
    assert asked(talk(script, lambda _: False).say("Go")) == [f"{COMMAND} test_calc.py"]


def test_tests_are_asked_by_command_that_is_found(talk) -> None:
    script = [says("Test.", calls("run_tests"), n=1), says("Done.", n=2)]
    (subject,) = asked(talk(script, lambda _: False, test="").say("Go"))
    assert "unittest" in subject or "pytest" in subject


def test_after_no_nothing_of_change_runs_and_turn_says_so(talk, tmp_path) -> None:
    found = talk(change(tmp_path), lambda _: False).say("Go")
    assert asked(found) == [COMMAND], "one question for imports and proof"
    assert not ran(tmp_path)
    assert proof(found) == "Not tested: you refused."


@pytest.mark.slow
def test_yes_is_for_turn(talk, tmp_path) -> None:
    script = [
        *change(tmp_path),
        says("Again.", calls("edit", path="calc.py", old="x = 2", new="x = 3"), n=3),
        says("Done.", n=4),
    ]
    found = talk(script, lambda _: True).say("Go")
    assert asked(found) == [COMMAND]
    assert ran(tmp_path)
    assert asked(found.say("More")) == [COMMAND, COMMAND]


@pytest.mark.parametrize("rule", ["command *", "command python3 -m unittest"])
def test_what_is_denied_is_not_run_and_not_asked(talk, tmp_path, rule: str) -> None:
    table = PermissionTable(deny=(rule,))
    found = talk(change(tmp_path), lambda _: True, permissions=table).say("Go")
    assert asked(found) == []
    assert not ran(tmp_path)
    assert proof(found) == "Not tested: you refused."


def test_what_is_allowed_is_not_asked(talk, tmp_path) -> None:
    table = PermissionTable(allow=("command python3 -m unittest",))
    found = talk(change(tmp_path), lambda _: False, permissions=table).say("Go")
    assert asked(found) == []
    assert ran(tmp_path)


def test_users_own_tests_are_not_asked_about(talk) -> None:
    found = talk([], lambda _: False).say("!echo 'x = 5' > calc.py").say("/test").say("/prove")
    assert asked(found) == []
    assert proof(found)
    assert "refused" not in proof(found)


@pytest.mark.parametrize(
    ("wanted", "named"),
    [
        ({}, ""),
        ({"workload": "python3 -c 'import calc'"}, "python3 -c 'import calc'\n"),
        ({"benchmark": "test_calc.py::test_x"}, "python -m pytest test_calc.py::test_x\n"),
    ],
    ids=["tests", "workload", "benchmark"],
)
def test_optimize_asks_about_its_workload_and_tests(talk, wanted: dict, named: str) -> None:
    found = talk([], lambda _: False, strategy="optimize", **wanted).say("/strategy optimize").say("Go")
    assert asked(found) == [f"{named}{COMMAND}"]
