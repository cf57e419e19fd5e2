"""Multiple-choice questions to the user: an ambiguous issue, one round before work, and resumed runs."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from agent.engine.branch import Branch
from agent.engine.engine import Engine
from agent.engine.tool_context import offered_tools
from agent.engine.user_choices import ASKED_BEFORE, WORK_STARTED
from agent.permissions.approvals import Answer, Approval
from tests.agent.conftest import act, line
from tests.agent.scripted_turns import TurnSession
from trajectories.records import Once

QUESTION, UP, EVEN = "How are halves rounded?", "half to even, as round() does", "half up, as in bills"
ASK = act("ask_user", question=QUESTION, options=[UP, EVEN])


def write(reading: str) -> dict:
    return act("edit", path="money.py", old="", new=f"HALF = '{reading}'\n")


SCRIPT = (
    line("Two readings need different code.", ASK, n=1),
    line("The user decided.", write("up"), contains="The user answers: half up"),
    line("I assume the first.", write("even"), contains="Assume: half to even"),
    line("Done."),
)
"""A model that asks which reading of an ambiguous issue is meant, and builds what it learns."""

Talk = Callable[..., TurnSession]


class User:
    """A user who gives the same answer to each question."""

    def __init__(self, *answers: Answer | BaseException) -> None:
        self.answers = list(answers)
        self.asked: list[Approval] = []

    def __call__(self, asked: Approval) -> Answer:
        self.asked.append(asked)
        answer = self.answers.pop(0)
        if isinstance(answer, BaseException):
            raise answer
        return answer


SECOND = Answer(True, chosen=(1,))


def run_with(session: TurnSession, user: User | None) -> TurnSession:
    session.engine.choose = user
    session.finish_turn()
    return session


def offered(engine: Engine) -> bool:
    return any(schema["function"]["name"] == "ask_user" for schema in offered_tools(Branch(engine)))


@pytest.mark.slow
def test_answer_decides_between_two_readings(talk: Talk) -> None:
    """Without the question, the loop builds the first reading, which this user does not mean."""
    plain = run_with(talk(*SCRIPT), None)
    assert plain.file("money.py") == "HALF = 'even'\n"
    assert f"Assumed without an answer of the user: {QUESTION} {UP}" in plain.results[-1].exit.verdict.notes

    user = User(SECOND)
    asked = run_with(talk(*SCRIPT), user)
    assert asked.file("money.py") == "HALF = 'up'\n"
    assert not [note for note in asked.results[-1].exit.verdict.notes if "Assumed" in note]
    [approval] = user.asked
    assert (approval.kind, approval.title, approval.choices) == ("question", QUESTION, (UP, EVEN))
    assert (offered(plain.engine), offered(asked.engine)) == (False, True)


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (Answer(True, reason="half down"), "The user answers: half down"),
        (Answer(False), f"The user did not answer. Assume: {UP}. State this assumption in the summary."),
    ],
)
def test_own_words_and_no_answer_are_told(talk: Talk, answer: Answer, told: str) -> None:
    session = run_with(talk(SCRIPT[0], line("Done.")), User(answer))
    assert [seen.text for step in session.steps for seen in step.observations if step.actions] == [told]


@pytest.mark.slow
def test_second_round_and_question_after_work_are_refused(talk: Talk) -> None:
    script = [line("", ASK, n=1), line("", ASK, n=2), line("Done.", n=3), line("", write("up"), n=4)]
    session = run_with(talk(*script, line("", ASK, n=5), line("Done.")), user := User(SECOND, SECOND))
    assert ASKED_BEFORE in session.steps[-2].observations[0].text
    session.send("Again")
    asked = [step.observations[0].text for step in session.steps if step.actions]
    assert WORK_STARTED in asked[-1]
    assert len(user.asked) == 1


def test_fifth_question_of_a_reply_is_not_asked(talk: Talk) -> None:
    session = run_with(talk(line("", *[ASK] * 5, n=1), line("Done.")), user := User(*[SECOND] * 5))
    answers = [seen.text.splitlines()[0] for step in session.steps if step.actions for seen in step.observations]
    assert answers == [*[f"The user answers: {EVEN}"] * 4, "At most 4 questions may be asked."]
    assert len(user.asked) == 4


@pytest.mark.slow
def test_run_killed_before_answer_asks_again_without_another_request(talk: Talk) -> None:
    session = talk(*SCRIPT)
    with pytest.raises(KeyboardInterrupt):
        run_with(session, User(KeyboardInterrupt()))
    session.reopen()
    user = User(SECOND)
    run_with(session, user)
    assert session.file("money.py") == "HALF = 'up'\n"
    assert len(user.asked) == 1
    assert len(session.engine.trajectory.replies) == 3


@pytest.mark.slow
def test_run_killed_after_answer_does_not_ask_again(talk: Talk, monkeypatch: pytest.MonkeyPatch) -> None:
    session = talk(*SCRIPT)
    append = session.engine.journal.append

    def kill(*records: object) -> None:
        append(*records)  # type: ignore[arg-type]
        if any(isinstance(record, Once) and record.name.startswith("answer") for record in records):
            raise KeyboardInterrupt

    monkeypatch.setattr(session.engine.journal, "append", kill)
    with pytest.raises(KeyboardInterrupt):
        run_with(session, User(SECOND))
    session.reopen()
    run_with(session, user := User())
    assert session.file("money.py") == "HALF = 'up'\n"
    assert user.asked == []
    assert len(session.engine.trajectory.replies) == 3


def test_question_to_be_answered_later_ends_the_run(talk: Talk) -> None:
    session = talk(*SCRIPT)
    session.engine.asks_later = True
    result = session.finish_turn()
    assert (result.exit.kind, result.exit.code) == ("asked", 1)
    assert session.steps[-1].observations[0].data == {"question": QUESTION, "options": [UP, EVEN]}
    assert len(session.engine.trajectory.replies) == 1
