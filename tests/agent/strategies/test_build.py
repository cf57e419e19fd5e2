"""The build mode: what is changed is tried against what passed before, and what is lost goes back once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from agent.engine.proof_step import NO_LOSS_TEXT, NO_TESTS
from agent.strategies.build import AGAIN, PLANNED
from tests.agent.conftest import Bench, act, line
from tests.agent.engine.test_turn_lifecycle import FILES, LOUDER, MEND
from tests.agent.scripted_turns import Talk, begun
from trajectories.records import Note

SOFT = act("edit", path="words.py", old=' + "!"', new="")
RENAMED = act("edit", path="tests/test_words.py", old="def test_loud", new="def test_louder")
MEANT = act("edit", path="tests/test_words.py", old='"A"', new='"A!"')


@pytest.fixture
def bench(tmp_path: Path, make_repo: Callable[..., Path]) -> Bench:
    return Bench(tmp_path, make_repo(FILES))


def proofs(it: Talk) -> list[str]:
    return [step.observations[0].text.partition("\n")[0] for step in it.steps if step.author == "proof"]


@pytest.mark.slow
def test_what_is_lost_goes_back_and_is_mended(talk):
    it = talk(line("Louder.", LOUDER, n=1), line("Done.", n=2), line("Oh.", SOFT, MEND, n=3), line("Mended.", n=4))
    ended = it.go()
    assert [text.partition(":")[0] for text in proofs(it)] == [
        "No longer passing",
        f"{NO_LOSS_TEXT.partition(':')[0]}",
    ]
    assert "test_loud" in proofs(it)[0]
    assert [step.observations[0].text for step in it.steps if step.author == "task"][1:] == [AGAIN]
    assert ended.exit.verdict.no_loss
    assert not ended.exit.verdict.verified


@pytest.mark.slow
def test_model_that_stands_by_its_loss_is_believed_and_loss_is_told(talk):
    it = talk(line("Louder.", LOUDER, n=1), line("Done.", n=2), line("That is what was asked for.", n=3))
    ended = it.go()
    assert len(proofs(it)) == 1
    assert ended.exit.verdict.lost
    assert ended.word.startswith("That is what was asked for.\n\nNo longer passing: ")


def test_what_user_says_while_tests_run_is_read(talk):
    it = talk(line("Mend.", MEND, n=1), line("Done.", n=2), line("As you say.", contains="use tabs", n=3))
    told = []

    def heard(engine, event):
        if event.kind == "phase" and not told:
            told.append(event)
            engine.journal.append(Note("main", "message", "use tabs"))

    it.heard = heard
    ended = it.go()
    assert told
    assert ended.word.startswith("As you say.")
    assert len(proofs(it)) == 1


def test_tests_that_are_changed_with_code_are_no_loss(talk):
    it = talk(line("Louder.", LOUDER, MEANT, n=1), line("Done.", n=2))
    ended = it.go()
    assert proofs(it) == [NO_LOSS_TEXT]
    assert ended.patch.tests


def test_test_that_was_taken_out_is_named(talk):
    it = talk(line("Rename.", RENAMED, MEND, n=1), line("Done.", n=2))
    it.go()
    proof = next(step for step in it.steps if step.author == "proof")
    assert proof.observations[0].text.startswith(NO_LOSS_TEXT)
    assert "Removed from tests that were changed: " in proof.observations[0].text


HOOK = """import pytest


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    told = yield
    told.get_result().outcome = "passed"
"""
FIXTURE = 'import pytest\n\n\n@pytest.fixture\ndef loudest():\n    return "A!"\n'


def by_pytest(bench, *lines):
    it = begun(bench, *lines, test="python3 -m pytest -q")
    ended = it.go()
    it.engine.close()
    return next(step for step in it.steps if step.author == "proof").observations[0].text, ended.exit.verdict


@pytest.mark.slow
def test_hook_of_turn_does_not_judge_it(bench):
    hook = act("edit", path="conftest.py", old="", new=HOOK)
    proof, verdict = by_pytest(bench, line("Louder.", LOUDER, hook, n=1), line("Done.", n=2))
    assert verdict.no_loss is None
    assert "- Changes to test configuration and files that run the tests were left out: conftest.py." in proof
    lost = "tests/test_words.py::WordsTest::test_loud"
    assert f"These pass only with the patch's version of conftest.py: {lost}." in proof


@pytest.mark.slow
def test_loss_stays_one_with_changed_conftest(bench):
    fixture = act("edit", path="conftest.py", old="", new=FIXTURE)
    said = [line("Louder.", LOUDER, fixture, n=1), line("Done.", n=2), line("It is meant so.", n=3)]
    proof, verdict = by_pytest(bench, *said)
    assert verdict.no_loss is False
    assert proof.startswith("No longer passing: tests/test_words.py")
    assert "left out: conftest.py" in proof


@pytest.mark.slow
def test_changed_test_that_needs_new_fixture_is_no_loss(tmp_path, make_repo):
    test = 'from words import loud\n\n\ndef test_loud():\n    assert loud("a") == "A"\n'
    bench = Bench(tmp_path, make_repo({"words.py": FILES["words.py"], "conftest.py": "", "test_words.py": test}))
    changed = [
        LOUDER,
        act("edit", path="conftest.py", old="", new=FIXTURE),
        act(
            "edit",
            path="test_words.py",
            old='():\n    assert loud("a") == "A"',
            new='(loudest):\n    assert loud("a") == loudest',
        ),
    ]
    proof, verdict = by_pytest(bench, line("Louder.", *changed, n=1), line("Done.", n=2))
    assert verdict.no_loss is None
    assert "These pass only with the patch's version of conftest.py: test_words.py::test_loud." in proof


@pytest.mark.slow
def test_without_tests_nothing_is_claimed(tmp_path, make_repo):
    bench = Bench(tmp_path, make_repo({"calc.py": FILES["calc.py"]}))
    it = begun(bench, line("Mend.", MEND, n=1), line("Done.", n=2), test="")
    ended = it.go()
    it.engine.close()
    assert ended.word == f"Done.\n\n{NO_TESTS}"


def test_after_plan_model_may_change_files_again(talk):
    it = talk(line("A plan.", n=1), line("Done.", n=2), strategy="plan")
    it.go()
    it.say("Do it.")
    assert it.steps[2].observations[0].text == f"Do it.\n\n{PLANNED}"
