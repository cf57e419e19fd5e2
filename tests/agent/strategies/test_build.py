"""The `build` strategy: regression tests after a change, and one repair of what they report."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from agent.engine.proof_step import NO_LOSS_TEXT, NO_TESTS, verdict_of
from agent.strategies.build import AGAIN
from tests.agent.conftest import Bench, act, line
from tests.agent.scripted_turns import FILES, FIX, LOUDER, TurnSession, start_turn_session
from trajectories.records import Note

RESTORE = act("edit", path="words.py", old=' + "!"', new="")
RENAME_TEST = act("edit", path="tests/test_words.py", old="def test_loud", new="def test_louder")
UPDATE_TEST = act("edit", path="tests/test_words.py", old='"A"', new='"A!"')


@pytest.fixture
def bench(tmp_path: Path, make_repo: Callable[..., Path]) -> Bench:
    return Bench(tmp_path, make_repo(FILES))


def proofs(session: TurnSession) -> list[str]:
    return [step.observations[0].text.partition("\n")[0] for step in session.steps if step.author == "proof"]


@pytest.mark.slow
def test_lost_test_is_reported_to_model_and_fixed(talk):
    session = talk(
        line("Louder.", LOUDER, n=1), line("Done.", n=2), line("Oh.", RESTORE, FIX, n=3), line("Fixed.", n=4)
    )
    result = session.finish_turn()
    assert [text.partition(":")[0] for text in proofs(session)] == [
        "No longer passing",
        f"{NO_LOSS_TEXT.partition(':')[0]}",
    ]
    assert "test_loud" in proofs(session)[0]
    assert [step.observations[0].text for step in session.steps if step.author == "task"][1:] == [AGAIN]
    assert result.exit.verdict.no_loss
    assert not result.exit.verdict.complete


@pytest.mark.slow
def test_intended_loss_is_accepted_and_reported(talk):
    session = talk(line("Louder.", LOUDER, n=1), line("Done.", n=2), line("That is what was asked for.", n=3))
    result = session.finish_turn()
    assert len(proofs(session)) == 1
    assert result.exit.verdict.lost
    assert result.word.startswith("That is what was asked for.\n\nNo longer passing: ")


@pytest.mark.slow
def test_message_during_tests_reaches_model(talk):
    session = talk(line("Fix.", FIX, n=1), line("Done.", n=2), line("As you say.", contains="use tabs", n=3))
    events = []

    def send_message(engine, event):
        if event.kind == "phase" and not events:
            events.append(event)
            engine.journal.append(Note("main", "message", "use tabs"))

    session.on_event = send_message
    result = session.finish_turn()
    assert events
    assert result.word.startswith("As you say.")
    assert len(proofs(session)) == 1


@pytest.mark.slow
def test_test_changed_with_code_is_no_loss(talk):
    session = talk(line("Louder.", LOUDER, UPDATE_TEST, n=1), line("Done.", n=2))
    result = session.finish_turn()
    assert proofs(session) == [NO_LOSS_TEXT]
    assert result.patch.tests


@pytest.mark.slow
def test_removed_test_is_named(talk):
    session = talk(line("Rename.", RENAME_TEST, FIX, n=1), line("Done.", n=2))
    session.finish_turn()
    proof = next(step for step in session.steps if step.author == "proof")
    assert proof.observations[0].text.startswith(NO_LOSS_TEXT)
    assert "Removed from tests that were changed: " in proof.observations[0].text


NEW_TEST = act(
    "edit",
    path="tests/test_calc.py",
    old="",
    new="import unittest\n\nfrom calc import add\n\n\nclass CalcTest(unittest.TestCase):\n"
    "    def test_add(self):\n        self.assertEqual(add(2, 3), 6)\n",
)
CORRECT_TEST = act("edit", path="tests/test_calc.py", old="6)", new="5)")


@pytest.mark.slow
def test_new_test_that_fails_is_reported_to_model_and_fixed(talk):
    session = talk(
        line("Fix.", FIX, NEW_TEST, n=1),
        line("Done.", n=2),
        line("Oh.", CORRECT_TEST, n=3, contains="New tests that fail"),
        line("Fixed.", n=4),
    )
    result = session.finish_turn()
    proof, _ = (step for step in session.steps if step.author == "proof")
    verdict = verdict_of(proof)
    assert verdict.no_loss
    assert len(verdict.new_failures) == 1
    assert proofs(session) == [f"New tests that fail: {verdict.new_failures[0]}. {NO_LOSS_TEXT}", NO_LOSS_TEXT]
    assert "test_add" in verdict.new_failures[0]
    assert proof.observations[0].text.count("New tests that fail") == 1
    assert "5 != 6" in proof.observations[0].text
    assert [step.observations[0].text for step in session.steps if step.author == "task"][1:] == [AGAIN]
    assert not result.exit.verdict.new_failures


@pytest.mark.slow
def test_new_test_that_still_fails_is_reported_to_user(talk):
    session = talk(line("Test.", FIX, NEW_TEST, n=1), line("Done.", n=2), line("It is meant to fail.", n=3))
    result = session.finish_turn()
    assert len(proofs(session)) == 1
    assert result.word.startswith("It is meant to fail.\n\nNew tests that fail: ")


HOOK = """import pytest


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    report.get_result().outcome = "passed"
"""
FIXTURE = 'import pytest\n\n\n@pytest.fixture\ndef loudest():\n    return "A!"\n'


def prove_with_pytest(bench, *lines):
    session = start_turn_session(bench, *lines, test="python3 -m pytest -q")
    result = session.finish_turn()
    session.engine.close()
    return next(step for step in session.steps if step.author == "proof").observations[0].text, result.exit.verdict


@pytest.mark.slow
def test_new_pytest_hook_does_not_affect_proof(bench):
    hook = act("edit", path="conftest.py", old="", new=HOOK)
    proof, verdict = prove_with_pytest(bench, line("Louder.", LOUDER, hook, n=1), line("Done.", n=2))
    assert verdict.no_loss is None
    assert "- Changes to test configuration and files that run the tests were left out: conftest.py." in proof
    lost = "tests/test_words.py::WordsTest::test_loud"
    assert f"These pass only with the patch's version of conftest.py: {lost}." in proof


@pytest.mark.slow
def test_loss_is_reported_despite_changed_conftest(bench):
    fixture = act("edit", path="conftest.py", old="", new=FIXTURE)
    replies = [line("Louder.", LOUDER, fixture, n=1), line("Done.", n=2), line("It is meant so.", n=3)]
    proof, verdict = prove_with_pytest(bench, *replies)
    assert verdict.no_loss is False
    assert proof.startswith("No longer passing: tests/test_words.py")
    assert "left out: conftest.py" in proof


@pytest.mark.slow
def test_changed_test_that_needs_new_fixture_is_no_loss(tmp_path, make_repo):
    test = 'from words import loud\n\n\ndef test_loud():\n    assert loud("a") == "A"\n'
    bench = Bench(tmp_path, make_repo({"words.py": FILES["words.py"], "conftest.py": "", "test_words.py": test}))
    changes = [
        LOUDER,
        act("edit", path="conftest.py", old="", new=FIXTURE),
        act(
            "edit",
            path="test_words.py",
            old='():\n    assert loud("a") == "A"',
            new='(loudest):\n    assert loud("a") == loudest',
        ),
    ]
    proof, verdict = prove_with_pytest(bench, line("Louder.", *changes, n=1), line("Done.", n=2))
    assert verdict.no_loss is None
    assert "These pass only with the patch's version of conftest.py: test_words.py::test_loud." in proof


@pytest.mark.slow
def test_repository_without_tests_is_reported_as_untested(tmp_path, make_repo):
    bench = Bench(tmp_path, make_repo({"calc.py": FILES["calc.py"]}))
    session = start_turn_session(bench, line("Fix.", FIX, n=1), line("Done.", n=2), test="")
    result = session.finish_turn()
    session.engine.close()
    assert result.word == f"Done.\n\n{NO_TESTS}"
