"""/report and /export: files about the session, beside it."""

import json

from agent.runs.run_export import formats
from tests.agent.session.scripted_session import says


def test_session_of_two_turns_is_written_as_page_and_in_other_formats(talk, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    talk = talk([says("One.", n=1), says("Two.")], mode="plan")
    assert talk.say("/report").told[-1] == "There is nothing to report yet. Ask something first."
    assert talk.say("/export chat").told[-1] == "There is nothing to export yet. Ask something first."
    talk.say("First question").say("Second question").say("/report").say("/report page.html").say("/report page.html")
    run = talk.session.engine.run.id
    assert talk.told[-3:] == [
        f"Written to {tmp_path / f'report-{run}.html'}.",
        f"Written to {tmp_path / 'page.html'}.",
        f"Replaced {tmp_path / 'page.html'}.",
    ]
    page = (tmp_path / "page.html").read_text()
    assert "Second question" in page

    talk.say("/export")
    assert all(f"`/export {name}`: {what}" in talk.told[-1] for name, what in formats().items())
    talk.say("/export chat").say("/export chat ./mine.jsonl").say("/export chat mine.jsonl").say("/export nope")
    assert talk.told[-4:-2] == [f"Written to {tmp_path / name}." for name in (f"{run}.jsonl", "mine.jsonl")]
    assert talk.told[-2] == "mine.jsonl already exists. Name another file: /export chat FILE."
    assert "nope" in talk.told[-1]
    words = [
        message["content"] for message in json.loads((tmp_path / "mine.jsonl").read_text().splitlines()[-1])["messages"]
    ]
    assert any("Second question" in str(each) for each in words)
