"""A session of turns without a front end, run inside the test process."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from agent.config.settings import Settings
from agent.engine.engine import Engine
from agent.lifecycle.run_lifecycle import reopen, solve
from agent.lifecycle.run_result import Result
from agent.lifecycle.turn_lifecycle import next_turn
from agent.models.scripted import Scripted
from agent.run_state.progress_event import ProgressEvent
from tests.agent.conftest import Bench, act
from trajectories.records import Step

UNITTEST = f"{shlex.quote(sys.executable)} -m unittest discover -s tests -t ."
FILES = {
    "calc.py": "def add(a, b):\n    return a - b\n",
    "words.py": "def loud(word):\n    return word.upper()\n",
    "tests/__init__.py": "",
    "tests/test_words.py": (
        "import unittest\n\nfrom words import loud\n\n\nclass WordsTest(unittest.TestCase):\n"
        '    def test_loud(self):\n        self.assertEqual(loud("a"), "A")\n'
    ),
    ".gitignore": "*.pyc\n__pycache__/\n*.tmp\n",
}
FIX = act("edit", path="calc.py", old="a - b", new="a + b")
DOUBLE = act("edit", path="double.py", old="", new="def double(a):\n    return 2 * a\n")
LOUDER = act("edit", path="words.py", old="upper()", new='upper() + "!"')


@dataclass
class TurnSession:
    """A session of turns. `send` works on one turn from start to end; the run stays open for the next one."""

    bench: Bench
    settings: Settings
    engine: Engine
    on_event: Callable[[Engine, ProgressEvent], object] = lambda engine, event: None
    results: list[Result] = field(default_factory=list)

    def send(self, prompt: str, strategy: str = "build", images: tuple[str, ...] = (), **changes: Any) -> Result:
        self.settings = self.settings.model_copy(update={"strategy": strategy, **changes})
        next_turn(self.engine, prompt, strategy, self.settings, images)
        return self.finish_turn()

    def finish_turn(self) -> Result:
        """Finish the open turn."""
        self.results.append(finish_solving(self.engine))
        return self.results[-1]

    def reopen(self) -> None:
        """Open the run again, as another process would."""
        self.engine.close()
        self.engine = open_engine(self, self.bench)

    @property
    def steps(self) -> list[Step]:
        return self.engine.trajectory.steps["main"]

    def file(self, path: str) -> str:
        return self.engine.trees.read(self.steps[-1].tree, path).decode()


def finish_solving(engine: Engine) -> Result:
    running = solve(engine)
    while True:
        try:
            next(running)
        except StopIteration as end:
            result: Result = end.value
            return result


def start_turn_session(bench: Bench, *lines: dict, strategy: str = "build", **settings: Any) -> TurnSession:
    """Start a session whose first request is the bench's issue; its first turn has not been worked on."""
    bench.begin(*lines, **{"strategy": strategy, "update_tests": True, "test": UNITTEST, **settings})
    talk: TurnSession = TurnSession(bench, bench.settings, engine=None)  # type: ignore[arg-type]
    talk.engine = open_engine(talk, bench)
    return talk


def open_engine(talk: TurnSession, bench: Bench) -> Engine:
    return reopen(bench.directory, bench.settings.state, lambda event: talk.on_event(talk.engine, event))


class Sent(list[list[tuple[str, str]]]):
    """Every request to the scripted model, as (role, text) pairs."""

    def __init__(self, monkeypatch: Any) -> None:
        reply = Scripted.reply

        def record_request(model: Scripted, messages: Any, tools: Any, asking: Any) -> Any:
            self.append([(message["role"], str(message["content"])) for message in messages])
            return reply(model, messages, tools, asking)

        monkeypatch.setattr(Scripted, "reply", record_request)
