"""`/rewind` and `/clear`: what stays of files and conversation, and what a model sees afterwards."""

import pytest

from agent.run_state.rewind import visible_steps
from extensions.interactive.session import session_events
from extensions.interactive.strategies.rewind import CLEARED
from tests.extensions.interactive.session.scripted_session import calls, says

SCRIPT = [
    *(
        says("I write it.", calls("shell", command=f"echo x > {name}.txt"), n=2 * number + 1)
        for number, name in enumerate(("one", "two", "three"))
    ),
    says("Done."),
]


@pytest.fixture
def three_turns(talk):
    return talk(SCRIPT).say("First").say("Second").say("Third")


def texts(talk):
    return "\n".join(
        seen.text for step in visible_steps(talk.session.engine.trajectory.steps["main"]) for seen in step.observations
    )


def files(talk):
    return {file.path for file in talk.session.status.files}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "left", "requests"),
    [
        ("2", {"one.txt"}, {"First"}),
        ("1", set(), set()),
        ("3 files", {"one.txt", "two.txt"}, {"First", "Second", "Third"}),
        ("2 conversation", {"one.txt", "two.txt", "three.txt"}, {"First"}),
    ],
)
def test_rewind_restores_files_and_conversation(three_turns, words, left, requests):
    talk = three_turns.say(f"/rewind {words}")
    assert files(talk) == left
    assert {word for word in ("First", "Second", "Third") if word in texts(talk)} == requests
    talk.say("/undo")
    assert files(talk) == {"one.txt", "two.txt", "three.txt"}
    assert "Third" in texts(talk)


@pytest.mark.slow
def test_clear_keeps_files_and_undo_restores_the_conversation(three_turns):
    talk = three_turns.say("/clear")
    assert talk.all(session_events.StepRecorded)[-1].step.observations[0].text == CLEARED
    assert files(talk) == {"one.txt", "two.txt", "three.txt"}
    assert texts(talk) == ""
    talk.say("/undo")
    assert "Third" in texts(talk)


@pytest.mark.slow
def test_rewind_alone_lists_prompts_without_own_actions(three_turns):
    talk = three_turns.say("!echo x").say("/rewind")
    assert talk.messages[-1].splitlines() == [
        "1. “First”",
        "2. “Second”",
        "3. “Third”",
        "`/rewind N` returns to the state before prompt N.",
    ]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("4", "There is no prompt '4'. `/rewind` lists the prompts, from 1 to 1."),
        ("x", "There is no prompt 'x'."),
        ("1 all", "'/rewind 1 all' cannot be read. Write /rewind 2, /rewind 2 files or /rewind 2 conversation."),
        ("1 files now", "'/rewind 1 files now' cannot be read."),
    ],
)
def test_rewind_names_what_it_cannot_read(talk, words, message):
    talk = talk([says("Yes.")], mode="plan").say("First").say(f"/rewind {words}")
    assert talk.messages[-1].startswith(message)


def test_rewind_and_clear_without_run_say_so(talk):
    talk = talk([]).say("/rewind 1").say("/clear")
    assert talk.messages == [
        "There is no prompt to return to. Say what to do first.",
        "There is no conversation yet. Say what to do first.",
    ]
