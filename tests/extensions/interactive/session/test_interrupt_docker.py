"""Interrupts while a container starts, a command runs in it or a proof runs; the turn can be resumed."""

from __future__ import annotations

import os
import subprocess
from threading import Event as Flag

import pytest

from extensions.interactive.session import session_events
from tests.conftest import IMAGE
from tests.e2e.test_lost_container import containers_of
from tests.extensions.interactive.session.scripted_session import PATIENCE, calls, says

pytestmark = [pytest.mark.slow, pytest.mark.docker, pytest.mark.timeout(200)]

SLOW = "import time\n\nfrom a import f\n\n\ndef test_f():\n    time.sleep(2)\n    f()\n"
SCRIPT = [
    says("Better.", calls("edit", path="a.py", old="return 1", new="return 2"), n=1),
    says("Done."),
]
MOMENTS = {"opening": "", "acting": "edit a.py", "proving": "Running the tests"}


@pytest.mark.parametrize("moment", MOMENTS)
def test_interrupted_turn_is_resumed(talk, make_repo, moment):
    root = make_repo({"a.py": "def f():\n    return 1\n", "tests/test_a.py": SLOW})
    talk = talk(SCRIPT, root=root, settings={"workspace": "docker", "image": IMAGE})
    reached = Flag()

    def check_moment(event: session_events.Event) -> None:
        text = event.happening.text if isinstance(event, session_events.ProgressReported) else ""
        if isinstance(event, session_events.TurnStarted) if moment == "opening" else MOMENTS[moment] in text:
            reached.set()

    talk.hooks.append(check_moment)
    talk.session.say("Make it better")
    assert reached.wait(PATIENCE)
    talk.session.interrupt()
    talk.wait_for_event(session_events.TurnStopped)
    talk.session.go_on()
    ended = talk.wait_for_event(session_events.TurnEnded).result
    assert talk.replies[0].startswith("Done.")
    assert ended.exit.kind == "unproven"
    assert "return 2" in ended.patch.diff
    assert len(talk.session.engine.trajectory.turns) == 1


def test_killed_container_is_replaced(talk, make_repo):
    root = make_repo({"a.py": "def f():\n    return 1\n"})
    wait = says("Wait.", calls("shell", command="sleep 5"), n=2)
    talk = talk([SCRIPT[0], wait, SCRIPT[1]], root=root, settings={"workspace": "docker", "image": IMAGE})

    def kill(event: session_events.Event) -> None:
        if (
            isinstance(event, session_events.ProgressReported)
            and "sleep 5" in event.happening.text
            and not killed.is_set()
        ):
            killed.set()
            subprocess.run(["docker", "kill", *containers_of(os.getpid())], check=True, capture_output=True)

    killed = Flag()
    talk.hooks.append(kill)
    talk.session.say("Make it better")
    assert talk.wait_for_event(session_events.TurnStopped).error.code == 5
    talk.session.go_on()
    ended = talk.wait_for_event(session_events.TurnEnded).result
    assert "return 2" in ended.patch.diff
    steps = talk.session.engine.trajectory.steps["main"]
    notices = [
        observation.text
        for step in steps
        for observation in step.observations
        if "in a new workspace" in observation.text
    ]
    assert len(notices) == 1, "the model must know that its processes are gone"
