"""Helpers of a model: context of their own, limits, merges, and runs that are resumed inside."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agent.engine.branch import Branch
from agent.engine.tool_context import offered_tools
from extensions.delegation import delegation as delegation
from extensions.delegation.delegation import MOST_QUESTIONS
from tests.agent.conftest import act, line
from tests.agent.scripted_turns import Sent, TurnSession
from trajectories.records import Reply, Step

LIMIT = 12_000
"""Number of characters of a request that the caller's context must not exceed."""
BIG = [f"big{n}.py" for n in range(3)]
WRITE = {path: act("edit", path=path, old="", new="".join(f"x{n} = {n}\n" for n in range(1_000))) for path in BIG}
VIEWS = [act("view", path=path, start=1, end=600) for path in BIG]
TASK = "Find the file that sets x900."
HELPER = "main/helper-{}-{}"

Talk = Callable[..., TurnSession]


def delegate(task: str = TASK, **more: Any) -> dict[str, Any]:
    return act("delegate", task=task, **more)


@pytest.fixture
def talk(talk: Talk) -> Talk:
    """`talk(…)` with helpers."""

    def open_session(*lines: dict, **settings: Any) -> TurnSession:
        session = talk(*lines, **settings)
        session.engine.delegates = True
        return session

    return open_session


def ask_senior(question: str = "Why does add subtract?") -> dict[str, Any]:
    return act("ask_senior", question=question)


def edit(old: str, new: str) -> dict[str, Any]:
    return act("edit", path="calc.py", old=old, new=new)


def main_sizes(sent: Sent, replies: int) -> list[int]:
    """The sizes of the last requests."""
    return [sum(len(text) for _, text in messages) for messages in sent[-replies:]]


@pytest.mark.slow
def test_callers_context_stays_small(talk: Talk, monkeypatch: pytest.MonkeyPatch) -> None:
    make = line("Files.", *WRITE.values(), n=1)
    sent = Sent(monkeypatch)
    plain = talk(make, line("Read.", *VIEWS, n=2), line("All of them.", n=3))
    plain.finish_turn()
    assert max(main_sizes(sent, 1)) > LIMIT

    report = line("All three set x900.", n=2, branch=HELPER.format(3, 1))
    reads = line("Read.", *VIEWS, n=1, branch=HELPER.format(3, 1))
    own = [line("Files.", *WRITE.values(), n=1, branch="main"), line("", delegate(), n=2, branch="main")]
    session = talk(*own, reads, report, line("All of them.", n=3, branch="main"))
    session.finish_turn()
    assert max(main_sizes(sent, 1)) < LIMIT
    [seen] = session.steps[2].observations
    assert seen.text == "All three set x900."
    assert len(session.engine.trajectory.steps[HELPER.format(3, 1)]) == 3


def test_helper_only_reads_unless_asked_to_change(talk: Talk) -> None:
    helper = HELPER.format(2, 1)
    script = [
        line("", delegate(), n=1, branch="main"),
        line("", act("shell", command="echo changed > calc.py; echo new > new.py"), n=1, branch=helper),
        line("Done.", n=2, branch=helper),
        line("Done.", n=2, branch="main"),
    ]
    session = talk(*script)
    session.finish_turn()
    assert session.file("calc.py") == "def add(a, b):\n    return a - b\n"
    assert "new.py" not in session.engine.trees.files(session.steps[-1].tree)


@pytest.mark.slow
def test_changes_of_helpers_are_merged_and_conflicts_named(talk: Talk) -> None:
    """Both helpers start from the same files; the second changes a line that the first one has changed."""
    first, second = HELPER.format(2, 1), HELPER.format(2, 2)
    script = [
        line("", delegate(changes=True), delegate(changes=True), n=1, branch="main"),
        line("", edit("a - b", "a + b"), n=1, branch=first),
        line("It adds.", n=2, branch=first),
        line("", edit("a - b", "b + a"), act("edit", path="b.py", old="", new="b = 1\n"), n=1, branch=second),
        line("It adds too.", n=2, branch=second),
        line("Done.", n=2, branch="main"),
    ]
    session = talk(*script)
    session.finish_turn()
    one, two = session.steps[1].observations
    assert (one.ok, one.text) == (True, "It adds.\n\nMerged: calc.py.")
    assert not two.ok
    assert two.text.startswith(
        "It adds too.\n\nMerged: b.py.\n\nNot merged, since you changed the same places: calc.py"
    )
    assert "+    return b + a" in two.text
    assert session.file("calc.py") == "def add(a, b):\n    return a + b\n"
    assert session.file("b.py") == "b = 1\n"


def test_helper_cannot_delegate_and_must_report(talk: Talk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delegation, "MOST_REPLIES", 2)
    helper = HELPER.format(2, 1)
    script = [
        line("", delegate(), n=1, branch="main"),
        line("", delegate(), n=1, branch=helper),
        line("", act("view", path="calc.py"), n=2, branch=helper),
        line("Half done.", n=3, branch=helper),
        line("Done.", n=2, branch="main"),
    ]
    session = talk(*script)
    session.finish_turn()
    steps = session.engine.trajectory.steps[helper]
    assert "No helper is available here." in steps[1].observations[0].text
    assert steps[-2].observations[0].text == delegation.REPORT_NOW
    assert session.steps[1].observations[0].text == "Half done."


@pytest.mark.slow
def test_looping_helper_is_reported_and_interrupt_reaches_it(talk: Talk) -> None:
    helper = HELPER.format(2, 1)
    script = [
        line("", delegate(), n=1, branch="main"),
        line("", act("view", path="calc.py"), branch=helper),
        line("I do it myself.", n=2, branch="main"),
    ]
    session = talk(*script)
    session.finish_turn()
    assert session.steps[1].observations[0].text.startswith("The helper stopped without a report: ")

    session = talk(*script)
    session.on_event = lambda engine, event: engine.cancel.set() if event.branch == helper else None
    with pytest.raises(Exception, match="Interrupted"):
        session.finish_turn()
    assert len(session.engine.trajectory.steps[helper]) <= 1


@pytest.mark.slow
def test_run_killed_inside_a_helper_repeats_nothing(talk: Talk, monkeypatch: pytest.MonkeyPatch) -> None:
    helper = HELPER.format(2, 1)
    script = [
        line("", delegate(changes=True), n=1, branch="main"),
        line("", edit("a - b", "a + b"), n=1, branch=helper),
        line("", act("view", path="calc.py"), n=2, branch=helper),
        line("It adds.", n=3, branch=helper),
        line("Done.", n=2, branch="main"),
    ]
    session = talk(*script)
    append = session.engine.journal.append

    def kill(*records: Any) -> None:
        append(*records)
        if any(isinstance(record, Step) and record.branch == helper and record.n == 3 for record in records):
            raise KeyboardInterrupt

    monkeypatch.setattr(session.engine.journal, "append", kill)
    with pytest.raises(KeyboardInterrupt):
        session.finish_turn()
    session.reopen()
    session.engine.delegates = True
    session.finish_turn()
    assert session.file("calc.py") == "def add(a, b):\n    return a + b\n"
    replies = [record for record in session.engine.trajectory.records if isinstance(record, Reply)]
    assert len(replies) == 5
    assert len(session.engine.trajectory.holds) == 5


@pytest.mark.slow
def test_reading_helper_keeps_callers_edit_of_same_reply(talk: Talk) -> None:
    helper = HELPER.format(2, 2)
    session = talk(
        line("", edit("a - b", "a + b"), delegate(), n=1, branch="main"),
        line("", act("shell", command="cat calc.py; echo x > new.txt"), n=1, branch=helper),
        line("It adds.", n=2, branch=helper),
        line("Done.", n=2, branch="main"),
    )
    session.finish_turn()
    assert "a + b" in session.file("calc.py")
    seen = session.engine.trajectory.steps[helper][-2].observations[0].text
    assert "a + b" in seen
    assert "Restored, since a helper only reads: new.txt" in seen


@pytest.fixture
def senior(tmp_path: Path) -> dict[str, str]:
    """The roles, with a senior that always gives the same answer."""
    script = tmp_path / "senior.jsonl"
    script.write_text("".join(f"{json.dumps(line('The sign is wrong.', n=1))}\n" for _ in range(MOST_QUESTIONS + 1)))
    return {"senior": f"scripted:{script}"}


def test_senior_sees_issue_changes_and_question_only(
    talk: Talk, senior: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = Sent(monkeypatch)
    reply = line("", edit("a - b", "b - a"), ask_senior(), n=1, branch="main")
    session = talk(reply, line("Done.", n=2, branch="main"), roles=senior)
    session.finish_turn()
    [asked] = [messages for messages in sent if "Why does add subtract?" in messages[-1][1]]
    assert "add() subtracts" in asked[-1][1]
    assert "+    return b - a" in asked[-1][1]
    [_, seen] = session.steps[1].observations
    assert (seen.text, seen.ok) == ("The sign is wrong.", True)


def test_senior_is_asked_five_times_in_a_run(talk: Talk, senior: dict[str, str]) -> None:
    questions = [ask_senior(f"Question {number}") for number in range(MOST_QUESTIONS + 1)]
    session = talk(line("", *questions, n=1, branch="main"), line("Done.", n=2, branch="main"), roles=senior)
    session.finish_turn()
    seen = session.steps[1].observations
    assert [one.ok for one in seen] == [True] * MOST_QUESTIONS + [False]
    assert seen[-1].text == "The senior was asked 5 times in this run.\nDecide yourself."


@pytest.mark.parametrize("has_model", [False, True])
def test_senior_is_offered_only_if_it_has_a_model(talk: Talk, senior: dict[str, str], has_model: bool) -> None:
    session = talk(line("Done."), roles=senior if has_model else {})
    session.finish_turn()
    branch = Branch(session.engine)
    branch.delegation = delegation.Delegation(branch)
    names = [schema["function"]["name"] for schema in offered_tools(branch)]
    assert ("ask_senior" in names) == has_model
