"""A conversation that goes round in circles is told once, and then ended."""

import pytest

from agent.stuck import GRACE, circling
from trajectories.errors import Stuck
from trajectories.records import Action, Observation, Step

LOOK, RUN = Action("view", {"path": "a.py"}), Action("shell", {"command": "make"})


def conversation(*turns: tuple[Action | None, str] | str) -> list[Step]:
    """Steps from (action, what was seen) pairs; a string is a step by that author."""
    steps = []
    for number, turn in enumerate(turns, 1):
        if isinstance(turn, str):
            steps.append(Step("main", number, "", turn, "t", None, (), (Observation("…"),)))
        else:
            action, seen = turn
            done = (action,) if action else ()
            steps.append(Step("main", number, "", "coder", "t", number, done, (Observation(seen),)))
    return steps


def test_progress_is_no_circle() -> None:
    assert not circling(conversation((LOOK, "1"), (RUN, "2"), (LOOK, "1"), (RUN, "3"), (LOOK, "1"), (RUN, "4")))
    assert not circling(conversation((LOOK, "1"), (LOOK, "1")))
    assert not circling([])


@pytest.mark.parametrize("seen", [("same", "same", "same"), ("in 0.1 s, out:1", "in 12 s, out:2", "in 3.5 s, out:30")])
def test_the_same_action_and_observation(seen: tuple[str, ...]) -> None:
    steps = conversation(*((RUN, text) for text in seen))
    assert "same 3 times" in circling(steps)
    with pytest.raises(Stuck, match="was told"):
        circling([*steps, *conversation("hint", (RUN, seen[0]))])


def test_two_states_in_turn() -> None:
    swing = [(LOOK, "1"), (RUN, "2")] * 3
    assert "back and forth" in circling(conversation(*swing))
    assert not circling(conversation(*swing[1:]))


def test_a_sign_long_after_a_hint_is_a_new_one() -> None:
    others = [(Action("view", {"path": f"{number}.py"}), "text") for number in range(GRACE)]
    steps = conversation((RUN, "x"), (RUN, "x"), (RUN, "x"), "hint", *others, (RUN, "x"), (RUN, "x"), (RUN, "x"))
    assert circling(steps)


def test_a_model_that_only_talks_is_ended() -> None:
    assert not circling(conversation((None, "nudge"), (None, "nudge")))
    with pytest.raises(Stuck, match="without an action") as stop:
        circling(conversation((None, "nudge"), (None, "nudge"), (None, "nudge")))
    assert (stop.value.kind, stop.value.code) == ("stuck", 1)
