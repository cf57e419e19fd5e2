"""The build mode: what is changed is tried against what passed before, and what is lost goes back once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agent.best import KEPT, NO_TESTS
from agent.strategies.build import AGAIN, PLANNED
from tests.agent.conftest import Bench, act, line
from tests.agent.talking import Talk, begun
from tests.agent.test_turns import FILES, LOUDER, MEND

SOFT = act("edit", path="words.py", old=' + "!"', new="")
RENAMED = act("edit", path="tests/test_words.py", old="def test_loud", new="def test_louder")
MEANT = act("edit", path="tests/test_words.py", old='"A"', new='"A!"')


@pytest.fixture
def bench(tmp_path: Path, make_repo: Callable[..., Path]) -> Bench:
    return Bench(tmp_path, make_repo(FILES))


@pytest.fixture
def talk(bench: Bench) -> Iterator[Callable[..., Talk]]:
    opened: list[Talk] = []

    def open(*lines: dict, **settings: object) -> Talk:
        opened.append(begun(bench, *lines, **settings))
        return opened[-1]

    yield open
    for each in opened:
        each.engine.close()


def proofs(it: Talk) -> list[str]:
    return [step.observations[0].text.partition("\n")[0] for step in it.steps if step.author == "proof"]


def test_what_is_lost_goes_back_and_is_mended(talk):
    it = talk(line("Louder.", LOUDER, n=1), line("Done.", n=2), line("Oh.", SOFT, MEND, n=3), line("Mended.", n=4))
    ended = it.go()
    assert [text.partition(":")[0] for text in proofs(it)] == [
        "Passed before, and no longer",
        f"{KEPT.partition(':')[0]}",
    ]
    assert "test_loud" in proofs(it)[0]
    assert [step.observations[0].text for step in it.steps if step.author == "task"][1:] == [AGAIN]
    assert ended.exit.verdict.no_loss
    assert not ended.exit.verdict.verified


def test_a_model_that_stands_by_its_loss_is_believed_and_the_loss_is_told(talk):
    it = talk(line("Louder.", LOUDER, n=1), line("Done.", n=2), line("That is what was asked for.", n=3))
    ended = it.go()
    assert len(proofs(it)) == 1
    assert ended.exit.verdict.lost
    assert ended.word.startswith("That is what was asked for.\n\nPassed before, and no longer: ")


def test_tests_that_are_changed_with_the_code_are_no_loss(talk):
    it = talk(line("Louder.", LOUDER, MEANT, n=1), line("Done.", n=2))
    ended = it.go()
    assert proofs(it) == [KEPT]
    assert ended.patch.tests


def test_a_test_that_was_taken_out_is_named(talk):
    it = talk(line("Rename.", RENAMED, MEND, n=1), line("Done.", n=2))
    it.go()
    proof = next(step for step in it.steps if step.author == "proof")
    assert proof.observations[0].text.startswith(KEPT)
    assert "Taken out of tests that were changed: " in proof.observations[0].text


def test_without_tests_nothing_is_claimed(tmp_path, make_repo):
    bench = Bench(tmp_path, make_repo({"calc.py": FILES["calc.py"]}))
    it = begun(bench, line("Mend.", MEND, n=1), line("Done.", n=2), test="")
    ended = it.go()
    it.engine.close()
    assert ended.word == f"Done.\n\n{NO_TESTS}"


def test_after_a_plan_the_model_may_change_files_again(talk):
    it = talk(line("A plan.", n=1), line("Done.", n=2), strategy="plan")
    it.go()
    it.say("Do it.")
    assert it.steps[2].observations[0].text == f"Do it.\n\n{PLANNED}"
