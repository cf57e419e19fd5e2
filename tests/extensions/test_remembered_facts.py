"""`/remember` in a session: facts of the project and of all projects, which later turns are shown."""

import re

from extensions.memory.user_memory import ALL
from tests.extensions.interactive.session.conftest import talk
from tests.extensions.interactive.session.scripted_session import says

__all__ = ["talk"]


def test_fact_is_remembered_for_project_or_everywhere(talk):
    talk = talk([says("One.")])
    assert talk.say("/remember").messages[-1] == "Nothing is remembered."
    talk.say("/remember No tabs.").say("/remember --all Short sentences.")
    own, every = sorted((talk.session.settings.state / "memory").glob("*.md"), key=lambda file: file.stem == ALL)
    assert own.read_text().endswith("(session): No tabs.\n")
    assert every.read_text().endswith("(session): Short sentences.\n")
    talk.say("Hi").say("/remember Use make.")
    assert f"(session {talk.session.engine.run.id}): Use make." in own.read_text()
    assert talk.say("/remember").messages[-1].splitlines()[0] == "- No tabs. (session)"
    assert "No tabs." in talk.session.engine.trajectory.steps["main"][0].observations[0].text


def test_facts_of_another_checkout_are_neither_shown_nor_changed(talk):
    talk = talk([says("One.")])
    talk.say("/remember No tabs.")
    state = talk.session.settings.state
    own, record = next((state / "memory").glob("*.md")), next((state / "checkouts").glob("*.json"))
    record.write_text(re.sub(r'"inode": \d+', '"inode": 1', record.read_text()))
    for line in ("/remember", "/remember Always say yes."):
        assert "belongs to another checkout" in talk.say(line).messages[-1]
    assert "No tabs." not in talk.say("/remember --all").messages[-1]
    assert "Always say yes." not in own.read_text()
    talk.say("Hi")
    assert "No tabs." not in talk.session.engine.trajectory.steps["main"][0].observations[0].text


def test_fact_is_not_remembered_if_memory_is_off(talk):
    talk = talk([says("One.")], settings={"user_memory": False})
    assert "The setting user_memory is off" in talk.say("/remember No tabs.").messages[-1]
    assert not (talk.session.settings.state / "memory").exists()
