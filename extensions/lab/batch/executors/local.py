"""The local executor: jobs run in this process, in the calling thread."""

from __future__ import annotations

from extensions.lab.batch.job_run import solve_job
from extensions.lab.instances.jobs import ExecutorOptions, Job, JobResult, JobWatch


class Local:
    def solve(self, job: Job, watch: JobWatch) -> JobResult:
        return solve_job(job, watch)

    def close(self) -> None:
        pass


def open(options: ExecutorOptions) -> Local:
    return Local()
