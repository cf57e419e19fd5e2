"""The tests after a turn: the suite without it runs while the model works, and the next turn uses its results."""

from __future__ import annotations

from typing import Any

import pytest

from aci.proof.suite_selection import LEAST_FILES
from extensions.interactive.session import session_events
from tests.conftest import IMAGE
from tests.extensions.interactive.session.scripted_session import calls, says

pytestmark = pytest.mark.slow
TESTS = {
    f"tests/test_{number}.py": "import unittest\nfrom a import f\n\n\nclass T(unittest.TestCase):\n"
    "    def test_f(self):\n        self.assertTrue(f())\n"
    for number in range(LEAST_FILES)
}
FILES = {"tests/__init__.py": "", "a.py": "def f():\n    return 1\n", **TESTS}
UNITTEST = "python3 -m unittest discover -s tests -t ."


def edit(number: int) -> dict[str, Any]:
    return calls("edit", path="a.py", old=f"return {number}", new=f"return {number + 1}")


def suites(talk: Any) -> tuple[int, int]:
    """How often a person waited for the suite without and with the patch."""
    said = [event.happening.text for event in talk.all(session_events.ProgressReported)]
    return said.count("Running the tests without the patch"), said.count("Running the tests with the patch")


def test_next_turn_uses_the_results_of_the_last(talk: Any, make_repo: Any) -> None:
    script = [says("More.", edit(1), n=1), says("Done.", n=2), says("More.", edit(2), n=3), says("Done.", n=4)]
    talk = talk(script, root=make_repo(FILES), settings={"test": UNITTEST}, can_ask=True).say("More").say("More")
    assert [event.result.exit.verdict.no_loss for event in talk.all(session_events.TurnEnded)] == [True, True]
    assert suites(talk) == (1, 2)


@pytest.mark.docker
@pytest.mark.timeout(200)
def test_suite_without_the_change_runs_while_the_model_works(talk: Any, make_repo: Any) -> None:
    wait = calls("shell", command="sleep 3")
    script = [says("More.", edit(1), n=1), says("I wait.", wait, n=2), says("Done.", n=3)]
    settings = {"test": UNITTEST, "workspace": "docker", "image": IMAGE}
    talk = talk(script, root=make_repo(FILES), settings=settings).say("More")
    assert talk.all(session_events.TurnEnded)[0].result.exit.verdict.no_loss
    assert suites(talk) == (0, 1)
