"""Loops in a conversation: a hint first, then the end of the attempt."""

import pytest

from agent.limits.loop_detection import GRACE, loop_hint
from trajectories.errors import GivenUp, Stuck
from trajectories.records import Action, Observation, Step

LOOK, RUN = Action("view", {"path": "a.py"}), Action("shell", {"command": "make"})


def conversation(*turns: tuple[Action | None, str] | str) -> list[Step]:
    """Return steps for (action, observation) pairs; a string is a step by that author."""
    steps = []
    for number, turn in enumerate(turns, 1):
        if isinstance(turn, str):
            steps.append(Step("main", number, "", turn, "t", None, (), (Observation("…"),)))
        else:
            action, observation = turn
            actions = (action,) if action else ()
            steps.append(Step("main", number, "", "coder", "t", number, actions, (Observation(observation),)))
    return steps


def test_progress_is_no_loop() -> None:
    assert not loop_hint(conversation((LOOK, "1"), (RUN, "2"), (LOOK, "1"), (RUN, "3"), (LOOK, "1"), (RUN, "4")))
    assert not loop_hint(conversation((LOOK, "1"), (LOOK, "1")))
    assert not loop_hint([])


@pytest.mark.parametrize(
    "observations",
    [
        ("same", "same", "same"),
        ("in 0.1 s, out:1", "in 12 s, out:2", "in 3.5 s, out:30"),
        ("Fri 13:42:01", "Fri 13:42:59", "Fri 13:43:10"),
        ("2024-01-01T09:00:00.12 x", "2024-01-01T10:11:12.9 x", "2024-01-01T23:59:59,123 x"),
    ],
)
def test_repeated_action_and_observation_is_loop(observations: tuple[str, ...]) -> None:
    steps = conversation(*((RUN, text) for text in observations))
    assert "results 3 times" in loop_hint(steps)
    with pytest.raises(Stuck, match="ignored a hint"):
        loop_hint([*steps, *conversation("hint", (RUN, observations[0]))])


def test_two_alternating_states_are_loop() -> None:
    alternation = [(LOOK, "1"), (RUN, "2")] * 3
    assert "You alternate between" in loop_hint(conversation(*alternation))
    assert not loop_hint(conversation(*alternation[1:]))


def test_three_alternating_states_are_loop() -> None:
    turns = [(LOOK, "1"), (RUN, "2"), (Action("undo"), "3")] * 3
    assert "the same 3 steps" in loop_hint(conversation(*turns))
    assert not loop_hint(conversation(*turns[1:]))
    assert not loop_hint(conversation(*turns[:-1], (RUN, "2")))


def test_only_same_step_after_hint_ends_attempt() -> None:
    steps = [(RUN, "x"), (RUN, "x"), (RUN, "x"), "hint"]
    assert not loop_hint(conversation(*steps, (RUN, "y")))
    assert not loop_hint(conversation(*steps, (LOOK, "x")))
    with pytest.raises(Stuck) as raised:
        loop_hint(conversation(*steps, (RUN, "x")))
    assert raised.value.message == (
        "The model ignored a hint about its loop: You repeated the same actions with the same results 3 times."
    )


def test_loop_long_after_hint_gets_new_hint() -> None:
    others = [(Action("view", {"path": f"{number}.py"}), "text") for number in range(GRACE)]
    steps = conversation((RUN, "x"), (RUN, "x"), (RUN, "x"), "hint", *others, (RUN, "x"), (RUN, "x"), (RUN, "x"))
    assert loop_hint(steps)


def test_replies_without_action_end_attempt() -> None:
    assert not loop_hint(conversation((None, "nudge"), (None, "nudge")))
    with pytest.raises(Stuck, match="without an action") as raised:
        loop_hint(conversation((None, "nudge"), (None, "nudge"), (None, "nudge")))
    assert (raised.value.kind, raised.value.code) == ("stuck", 1)


@pytest.mark.parametrize(
    ("reasons", "ends"),
    [(("", "Why."), True), (("First.", "Why."), True), (("First.", ""), False), (("Why.",), False)],
    ids=["reason at second", "reason twice", "no reason at second", "once"],
)
def test_two_empty_submissions_with_reason_give_up(reasons: tuple[str, ...], ends: bool) -> None:
    steps = [
        Step("main", n, "", "coder", "t", n, (Action("submit"),), (Observation("No", data={"unchanged": reason}),))
        for n, reason in enumerate(reasons, 1)
    ]
    if not ends:
        assert not loop_hint(steps)
        return
    with pytest.raises(GivenUp) as raised:
        loop_hint(steps)
    assert (raised.value.kind, raised.value.code, raised.value.message) == ("not_found", 1, "The model says: Why.")
    assert not loop_hint([*steps[:1], *conversation((LOOK, "1")), *steps[1:]])


def test_empty_submission_after_answer_in_text_gives_up() -> None:
    """An answer to a question needs one more request, not two."""
    submission = Step(
        "main", 2, "", "coder", "t", 2, (Action("submit"),), (Observation("No", data={"unchanged": "Why."}),)
    )
    with pytest.raises(GivenUp):
        loop_hint([*conversation((None, "nudge")), submission])
    assert not loop_hint([*conversation((RUN, "x")), submission])


@pytest.mark.parametrize(
    ("reason", "sentence"), [("done", "done."), ("Is it so?", "Is it so?"), ("a" * 2_000, "a" * 1_000 + "…")]
)
def test_reason_ends_as_sentence(reason: str, sentence: str) -> None:
    observations = (Observation("No", data={"unchanged": reason}),)
    with pytest.raises(GivenUp) as raised:
        loop_hint([Step("main", n, "", "coder", "t", n, (Action("submit"),), observations) for n in (1, 2)])
    assert raised.value.message == f"The model says: {sentence}"
