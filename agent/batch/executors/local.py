"""Instances are solved in this process, in the thread that asks."""

from __future__ import annotations

from agent.batch.place import Done, Job, PlaceOptions, Watch
from agent.batch.solving import solve_job


class Local:
    def solve(self, job: Job, watch: Watch) -> Done:
        return solve_job(job, watch)

    def close(self) -> None:
        pass


def open(options: PlaceOptions) -> Local:
    return Local()
