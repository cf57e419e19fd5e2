"""A line for what happens in a batch."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from agent.batch.driver import Front
from agent.batch.place import Done, Job
from agent.engine import Happening
from trajectories.records import Step


class Plainly(Front):
    def began(self, jobs: Sequence[Job], done: Sequence[Done] = ()) -> None:
        self.say(f"{len(jobs)} to do, {len(done)} done before.")

    def started(self, job: Job, image: str) -> None:
        pass

    def step(self, job: Job, step: Step, dollars: float | None) -> None:
        pass

    def happening(self, job: Job, event: Happening) -> None:
        pass

    def done(self, done: Done) -> None:
        self.say(f"{done.run}: {done.kind} {done.error}")

    def say(self, text: str) -> None:
        print(text, file=sys.stderr)  # noqa: T201

    def __exit__(self, *_: object) -> None:
        pass
