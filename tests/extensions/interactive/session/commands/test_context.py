"""`/context`: the parts of the next request and their sizes."""

import pytest

from tests.extensions.interactive.session.scripted_session import calls, says

LONG = "".join(f"line_{number} = {number}\n" for number in range(2_000))


def table(talk):
    lines = talk.messages[-1].split("\n\n")[0].splitlines()
    return {line.partition("  ")[0]: int(line.split()[-2].replace(",", "")) for line in lines}


def test_context_without_run_says_so(talk):
    assert talk([]).say("/context").messages == ["There is no conversation yet. Say what to do first."]


def test_parts_of_the_request_are_listed(talk, make_repo):
    root = make_repo({"AGENTS.md": "Keep the code simple, and write a test for each change.\n", "a.py": "x = 1\n"})
    talk = talk([says("It is one.")], root=root, mode="plan").say("What is @a.py?").say("/context")
    assert {"system prompt", "tools", "instruction files", "attached files", "requests and places", "replies"} <= set(
        table(talk)
    )
    assert "/compact replaces the conversation" in talk.messages[-1]


@pytest.mark.slow
def test_results_of_tools_fill_the_context(talk, make_repo):
    root = make_repo({"long.py": LONG})
    script = [says("I look.", calls("view", path="long.py"), n=1), says("Done.")]
    talk = talk(script, root=root, mode="plan").say("Look").say("/context")
    assert table(talk)["results of tools"] > 1_000


def test_cleared_conversation_has_no_replies(talk):
    talk = talk([says("Yes.")], mode="plan").say("Hi").say("/clear").say("/context")
    assert set(table(talk)) == {"system prompt", "tools"}
