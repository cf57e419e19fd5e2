"""/report and /export: files written about the session."""

import json

import pytest

from extensions.lab.run_export import formats
from tests.extensions.interactive.session.scripted_session import says


@pytest.mark.slow
def test_session_is_reported_and_exported_to_files(talk, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    talk = talk([says("One.", n=1), says("Two.")], mode="plan")
    assert talk.say("/report").messages[-1] == "There is nothing to report yet. Ask something first."
    assert talk.say("/export chat").messages[-1] == "There is nothing to export yet. Ask something first."
    talk.say("First question").say("Second question").say("/report").say("/report page.html").say("/report page.html")
    run = talk.session.engine.run.id
    assert talk.messages[-3:] == [
        f"Written to {talk.session.settings.reports / f'report-{run}.html'}.",
        f"Written to {tmp_path / 'page.html'}.",
        f"Replaced {tmp_path / 'page.html'}.",
    ]
    page = (tmp_path / "page.html").read_text()
    assert "Second question" in page

    talk.say("/export")
    assert all(f"`/export {name}`: {description}" in talk.messages[-1] for name, description in formats().items())
    talk.say("/export chat").say("/export chat ./mine.jsonl").say("/export chat mine.jsonl").say("/export nope")
    assert talk.messages[-4:-2] == [f"Written to {tmp_path / name}." for name in (f"{run}.jsonl", "mine.jsonl")]
    assert talk.messages[-2] == "mine.jsonl already exists. Name another file: /export chat FILE."
    assert "nope" in talk.messages[-1]
    contents = [
        message["content"] for message in json.loads((tmp_path / "mine.jsonl").read_text().splitlines()[-1])["messages"]
    ]
    assert any("Second question" in str(content) for content in contents)
