"""The session app under load: `python -m benchmarks._session_load LOG STEPS CHARACTERS`.

A thread reports STEPS steps with CHARACTERS characters each in three observations, as a model sees them (truncated).
Before each tenth step the words of the reply are streamed. LOG receives the memory after a tenth of the steps and at
the end, in bytes.
"""

from __future__ import annotations

import gc
import json
import sys
import time
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

from agent.config.session_preferences import Preferences
from extensions.interactive.tui.app import SessionApp

if TYPE_CHECKING:
    from extensions.interactive.session.session_start import Start
    from trajectories.records import Reply, Step

LATE, PAUSE = 600, 0.02
"""Number of last steps, which arrive while keys are timed, and the seconds between them."""
LIST = "- a list\n- of two\n\n```python\nx = 1\n```\n"
WORDS = f"The parser reads `tokens` one by one, and **forgets** the last of them.\n\n{LIST}"
LINE = "    def method(self, value: int) -> int: return value * 2  # of {}\n"


def start() -> Start:
    from aci.repository.user_repository import Repository
    from agent.config.settings import Settings
    from extensions.interactive.session.session_start import Start

    return Start(Repository.open(Path(__file__).resolve().parent.parent), Settings(workspace="local"))


def make_step(number: int, characters: int) -> tuple[Step, Reply]:
    from trajectories.records import Action, Observation, Reply, Step

    text = "".join(LINE.format(number) for _ in range(characters // 3 // len(LINE)))
    actions = (
        Action("view", {"path": f"package/module_{number}.py"}),
        Action("run", {"command": f"python -m pytest tests/test_{number}.py -q"}),
        Action("edit", {"path": f"package/module_{number}.py", "old": "x = 1\n", "new": "x = 2\ny = 3\n"}),
    )
    observations = tuple(Observation(f"{tool} {number}\n{text}", ok=tool != "edit") for tool in ("view", "run", "edit"))
    step = Step("main", number, "", "coder", "tree", reply=number, actions=actions, observations=observations)
    return step, Reply(f"Step {number}. {WORDS * (1 + number % 3)}", actions, branch="main", ask=number)


def feed(app: SessionApp, log: Path, steps: int, characters: int) -> None:
    while app.session is None:
        time.sleep(0.05)
    from agent.run_state.progress_event import ProgressEvent
    from extensions.interactive.session.session_events import ProgressReported, StepRecorded, TurnStarted
    from trajectories.records import Turn

    app._post_event(TurnStarted(Turn("Work", "build"), "Work"))
    memory = {"text": 0}
    for number in range(1, steps + 1):
        step, reply = make_step(number, characters)
        if number > steps // 10:
            memory["text"] += sum(len(observation.text) for observation in step.observations) + len(reply.text)
        if number % 10 == 0:
            for word in reply.text.split(" "):
                app._post_event(ProgressReported(ProgressEvent("delta", "main", f"{word} ")))
        app._post_event(StepRecorded(step, reply))
        time.sleep(0.002 if number < steps - LATE else PAUSE)
        if number == steps - LATE:
            settled_memory(app)
            log.with_suffix(".begun").touch()
        if number == steps // 10:
            memory["tenth"] = settled_memory(app)
    memory["end"] = settled_memory(app)
    log.write_text(json.dumps(memory))


def settled_memory(app: SessionApp) -> int:
    """Wait until all events are shown, and return the memory of this process."""
    time.sleep(1.0)
    while app.event_queue.waiting:
        time.sleep(0.1)
    gc.collect()
    return resident_memory()


def resident_memory() -> int:
    """Return the resident bytes of this process; Linux only."""
    pages = Path("/proc/self/statm").read_text().split()[1]
    return int(pages) * 4096


if __name__ == "__main__":
    app = SessionApp(start, Preferences())
    Thread(target=feed, args=(app, Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])), daemon=True).start()
    app.run()
