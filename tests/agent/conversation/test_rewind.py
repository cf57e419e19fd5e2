"""Going back in a conversation: a line for what was tried, others' words stay, the prefix is as it was."""

from __future__ import annotations

from agent.conversation.rewind import is_rewritten, visible_steps
from tests.agent.conversation.test_messages import Talk, edit, folded, ran, small, texts, view, viewing
from trajectories.records import Action, Observation, Usage


def undo(back_to: int) -> tuple[Action, Observation]:
    return Action("undo", {}), Observation("Taken back.", data={"back_to": back_to})


def test_what_came_in_between_is_one_line():
    talk = Talk()
    talk.call(view(), text="Look.")
    talk.call(edit("a.py", "x", "y"), ran(False, "t"), view("b.py"), text="Try.")
    talk.call((Action("shell", {"command": "make\n all"}), Observation("make: no rule\nmore", ok=False)), text="Hm.")
    talk.call(undo(2), text="Back.")
    said = texts(talk.said())
    assert said[-3] == (
        "[Your attempts here were reverted and are omitted: edit a.py; run_tests ['t'] (1 failed t); "
        "shell make all (make: no rule).]"
    )
    assert said[-2:] == ["Back.", "Taken back."]
    assert [step.n for step in visible_steps(talk.steps)] == [1, 2, 3, 5]


def test_what_others_said_stays():
    talk = Talk()
    talk.call(edit("a.py", "x", "y"), text="Try.")
    talk.hear("Mind the sign.", "user")
    talk.hear("This step broke what worked: t.", "safety")
    talk.hear("You did the same.", "hint")
    talk.hear("Proof: unproven.", "proof")
    talk.call(undo(1), text="Back.")
    assert texts(talk.said())[2:] == [
        "[Your attempts here were reverted and are omitted: edit a.py; This step broke what worked: t.]",
        "Mind the sign.",
        "Proof: unproven.",
        "Back.",
        "Taken back.",
    ]


def test_going_back_again_and_further_keeps_one_line():
    talk = Talk()
    talk.call(edit("a.py", "x", "y"), text="One.")
    talk.call(edit("b.py", "x", "y"), text="Two.")
    talk.call(undo(2), text="Back.")
    talk.call(undo(1), text="Further.")
    said = texts(talk.said())
    assert [text[:20] for text in said[2:]] == ["[Your attempts here ", "Further.", "Taken back."]
    assert "edit a.py" in said[2]
    assert "edit b.py" in said[2]


def test_undo_of_its_own_reply_leaves_out_nothing():
    talk = Talk()
    talk.call(view(), text="Look.")
    before = texts(talk.said())
    talk.call(edit("a.py", "x", "y"), undo(2), text="Try, and back.")
    assert texts(talk.said())[: len(before)] == before
    assert not is_rewritten(talk.steps)


def test_shorter_conversation_is_bounded_by_its_own_bytes_and_next_one_by_its_bill():
    talk = Talk()
    talk.call(view(), usage=Usage(3_000, 10))
    talk.call(edit("a.py", "x", "y"), usage=Usage(9_000, 10))
    assert talk.said().last is not None
    talk.call(undo(2), usage=Usage(12_000, 10))
    assert is_rewritten(talk.steps)
    assert talk.said().last is None
    talk.call(small(), usage=Usage(4_000, 10))
    assert not is_rewritten(talk.steps)
    assert talk.said().last is not None


def test_prefix_is_what_was_sent_before_what_was_taken_back():
    talk = viewing(2)
    kept = len(talk.steps)
    before = texts(talk.said())
    for number in range(40):
        talk.call(small(number))
    assert folded(talk.said()), "what was folded meanwhile is whole again: so it lies in the cache"
    talk.call(undo(kept))
    assert texts(talk.said())[: len(before)] == before
