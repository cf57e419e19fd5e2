"""A conversation that goes round in circles is told once, and then ended."""

import pytest

from agent.limits.loop_detection import GRACE, loop_hint
from trajectories.errors import GivenUp, Stuck
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
    assert not loop_hint(conversation((LOOK, "1"), (RUN, "2"), (LOOK, "1"), (RUN, "3"), (LOOK, "1"), (RUN, "4")))
    assert not loop_hint(conversation((LOOK, "1"), (LOOK, "1")))
    assert not loop_hint([])


@pytest.mark.parametrize(
    "seen",
    [
        ("same", "same", "same"),
        ("in 0.1 s, out:1", "in 12 s, out:2", "in 3.5 s, out:30"),
        ("Fri 13:42:01", "Fri 13:42:59", "Fri 13:43:10"),
        ("2024-01-01T09:00:00.12 x", "2024-01-01T10:11:12.9 x", "2024-01-01T23:59:59,123 x"),
    ],
)
def test_same_action_and_observation(seen: tuple[str, ...]) -> None:
    steps = conversation(*((RUN, text) for text in seen))
    assert "results 3 times" in loop_hint(steps)
    with pytest.raises(Stuck, match="ignored a hint"):
        loop_hint([*steps, *conversation("hint", (RUN, seen[0]))])


def test_two_states_in_turn() -> None:
    swing = [(LOOK, "1"), (RUN, "2")] * 3
    assert "You alternate between" in loop_hint(conversation(*swing))
    assert not loop_hint(conversation(*swing[1:]))


def test_three_states_in_turn() -> None:
    turns = [(LOOK, "1"), (RUN, "2"), (Action("undo"), "3")] * 3
    assert "the same 3 steps" in loop_hint(conversation(*turns))
    assert not loop_hint(conversation(*turns[1:]))
    assert not loop_hint(conversation(*turns[:-1], (RUN, "2")))


def test_going_on_after_hint_ends_it_and_anything_else_does_not() -> None:
    told = [(RUN, "x"), (RUN, "x"), (RUN, "x"), "hint"]
    assert not loop_hint(conversation(*told, (RUN, "y")))
    assert not loop_hint(conversation(*told, (LOOK, "x")))
    with pytest.raises(Stuck) as stop:
        loop_hint(conversation(*told, (RUN, "x")))
    assert stop.value.message == (
        "The model ignored a hint about its loop: You repeated the same actions with the same results 3 times."
    )


def test_sign_long_after_hint_is_new_one() -> None:
    others = [(Action("view", {"path": f"{number}.py"}), "text") for number in range(GRACE)]
    steps = conversation((RUN, "x"), (RUN, "x"), (RUN, "x"), "hint", *others, (RUN, "x"), (RUN, "x"), (RUN, "x"))
    assert loop_hint(steps)


def test_model_that_only_talks_is_ended() -> None:
    assert not loop_hint(conversation((None, "nudge"), (None, "nudge")))
    with pytest.raises(Stuck, match="without an action") as stop:
        loop_hint(conversation((None, "nudge"), (None, "nudge"), (None, "nudge")))
    assert (stop.value.kind, stop.value.code) == ("stuck", 1)


@pytest.mark.parametrize(
    ("said", "ends"),
    [(("", "Why."), True), (("First.", "Why."), True), (("First.", ""), False), (("Why.",), False)],
    ids=["asked", "twice", "without a word", "once"],
)
def test_model_that_hands_in_nothing_and_says_why_has_given_up(said: tuple[str, ...], ends: bool) -> None:
    steps = [
        Step("main", n, "", "coder", "t", n, (Action("submit"),), (Observation("No", data={"unchanged": each}),))
        for n, each in enumerate(said, 1)
    ]
    if not ends:
        assert not loop_hint(steps)
        return
    with pytest.raises(GivenUp) as stop:
        loop_hint(steps)
    assert (stop.value.kind, stop.value.code, stop.value.message) == ("not_found", 1, "The model says: Why.")
    assert not loop_hint([*steps[:1], *conversation((LOOK, "1")), *steps[1:]])


@pytest.mark.parametrize(
    ("why", "said"), [("done", "done."), ("Is it so?", "Is it so?"), ("a" * 2_000, "a" * 1_000 + "…")]
)
def test_what_model_says_ends_as_sentence(why: str, said: str) -> None:
    seen = (Observation("No", data={"unchanged": why}),)
    with pytest.raises(GivenUp) as stop:
        loop_hint([Step("main", n, "", "coder", "t", n, (Action("submit"),), seen) for n in (1, 2)])
    assert stop.value.message == f"The model says: {said}"
