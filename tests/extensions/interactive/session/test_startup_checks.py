"""What a session says at its start about the last run of its repository."""

from __future__ import annotations

from typing import Any

import pytest

from aci.repository.user_repository import Repository
from extensions.interactive.session.session_start import Start
from extensions.interactive.session.startup_checks import run_startup_checks
from trajectories.records import Exit


@pytest.mark.parametrize("is_open", [True, False])
def test_last_run_that_did_not_end_is_named(session: Any, is_open: bool) -> None:
    session.begin()
    if not is_open:
        session.close()
    (text,) = _messages_about(session, session.run.name)
    other = f"Another session works on this repository: {session.run.name}, “Work”."
    ended = f"The last run here did not end: {session.run.name}, “Work”. `/resume {session.run.name}` resumes it."
    assert text == (other if is_open else ended)


def test_run_that_ended_is_not_named(session: Any) -> None:
    session.begin()
    session.engine.journal.append(Exit("done", 0, session.tree))
    session.close()
    assert _messages_about(session, session.run.name) == []


def _messages_about(session: Any, run: str) -> list[str]:
    events: list[Any] = []
    start = Start(Repository.open(session.root), session.settings)
    run_startup_checks(start, lambda: session.settings, events.append).join()
    return [event.text for event in events if run in getattr(event, "text", "")]
