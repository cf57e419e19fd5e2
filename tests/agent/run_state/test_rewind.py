"""Undo in a conversation: reverted attempts become one line, and other messages and the prefix stay unchanged."""

from __future__ import annotations

from agent.run_state.rewind import is_rewritten, visible_steps
from tests.agent.conversation.test_messages import (
    Conversation,
    conversation_with_views,
    edit,
    folded_texts,
    run_tests_call,
    short_call,
    texts,
    view,
)
from trajectories.records import Action, Observation, Usage


def undo(back_to: int) -> tuple[Action, Observation]:
    return Action("undo", {}), Observation("Undone.", data={"back_to": back_to})


def test_reverted_steps_become_one_line():
    conversation = Conversation()
    conversation.add_call(view(), text="Look.")
    conversation.add_call(edit("a.py", "x", "y"), run_tests_call(False, "t"), view("b.py"), text="Try.")
    conversation.add_call(
        (Action("shell", {"command": "make\n all"}), Observation("make: no rule\nmore", ok=False)), text="Hm."
    )
    conversation.add_call(undo(2), text="Back.")
    sent = texts(conversation.build_request())
    assert sent[-3] == (
        "[Your attempts here were reverted and are omitted: edit a.py; run_tests ['t'] (1 failed t); "
        "shell make all (make: no rule).]"
    )
    assert sent[-2:] == ["Back.", "Undone."]
    assert [step.n for step in visible_steps(conversation.steps)] == [1, 2, 3, 5]


def test_messages_of_user_and_proof_survive_undo():
    conversation = Conversation()
    conversation.add_call(edit("a.py", "x", "y"), text="Try.")
    conversation.add_message("Mind the sign.", "user")
    conversation.add_message("This step caused a regression: t.", "safety")
    conversation.add_message("You did the same.", "hint")
    conversation.add_message("Proof: unproven.", "proof")
    conversation.add_call(undo(1), text="Back.")
    assert texts(conversation.build_request())[2:] == [
        "[Your attempts here were reverted and are omitted: edit a.py; This step caused a regression: t.]",
        "Mind the sign.",
        "Proof: unproven.",
        "Back.",
        "Undone.",
    ]


def test_repeated_undo_leaves_one_line():
    conversation = Conversation()
    conversation.add_call(edit("a.py", "x", "y"), text="One.")
    conversation.add_call(edit("b.py", "x", "y"), text="Two.")
    conversation.add_call(undo(2), text="Back.")
    conversation.add_call(undo(1), text="Further.")
    sent = texts(conversation.build_request())
    assert [text[:20] for text in sent[2:]] == ["[Your attempts here ", "Further.", "Undone."]
    assert "edit a.py" in sent[2]
    assert "edit b.py" in sent[2]


def test_undo_within_same_reply_omits_nothing():
    conversation = Conversation()
    conversation.add_call(view(), text="Look.")
    before = texts(conversation.build_request())
    conversation.add_call(edit("a.py", "x", "y"), undo(2), text="Try, and back.")
    assert texts(conversation.build_request())[: len(before)] == before
    assert not is_rewritten(conversation.steps)


def test_bound_after_undo_is_whole_request_until_next_reply():
    conversation = Conversation()
    conversation.add_call(view(), usage=Usage(3_000, 10))
    conversation.add_call(edit("a.py", "x", "y"), usage=Usage(9_000, 10))
    assert conversation.build_request().last is not None
    conversation.add_call(undo(2), usage=Usage(12_000, 10))
    assert is_rewritten(conversation.steps)
    assert conversation.build_request().last is None
    conversation.add_call(short_call(), usage=Usage(4_000, 10))
    assert not is_rewritten(conversation.steps)
    assert conversation.build_request().last is not None


def test_undo_restores_earlier_prefix_of_request():
    conversation = conversation_with_views(2)
    step_count = len(conversation.steps)
    before = texts(conversation.build_request())
    for number in range(40):
        conversation.add_call(short_call(number))
    assert folded_texts(conversation.build_request()), "the later calls fold nothing"
    conversation.add_call(undo(step_count))
    assert texts(conversation.build_request())[: len(before)] == before
