"""The run of one job of a batch, started or resumed from its folder."""

from __future__ import annotations

import shutil
import time
from dataclasses import replace
from pathlib import Path

from aci.repository.user_repository import Repository
from agent.config.settings import WITHOUT_MEMORY, load_settings
from agent.engine.engine import Engine
from agent.lifecycle.run_lifecycle import begin, reopen, result, solve
from agent.lifecycle.run_result import Result
from agent.run_state.progress_event import ProgressEvent
from agent.run_state.run_ownership import run_owner
from agent.run_state.run_settings import recorded_settings
from extensions.lab.batch.batch_spending import dollars_spent
from extensions.lab.batch.job_settings import RUN_ONLY_SETTINGS
from extensions.lab.instances.issue_pictures import with_pictures
from extensions.lab.instances.jobs import FAILED, Job, JobResult, JobWatch
from trajectories.errors import Cancelled, SweAgentError, UsageError
from trajectories.journal import is_started, read

OF_MACHINE = {
    "workspace",
    "setup",
    "registries",
    "certificates",
    "setup_env",
    "services",
    "prompts",
    *RUN_ONLY_SETTINGS,
}
OF_MACHINE |= {"memory", "processes", "disk", "cpus", "runtime", "read_only"}
"""Settings that the batch determines for its runs; those in a run's record must not differ from them."""
OF_SERVER = ("api_base", "key_env")
"""Fields of a model's settings whose recorded values must not differ from the batch's either."""


def solve_job(job: Job, watch: JobWatch, sent: bool = False) -> JobResult:
    """Start or resume the job's run in this thread; see `Executor.solve`. If the job was `sent` to this machine, the
    driver has already started its run."""
    if watch.cancel.is_set():
        raise Cancelled("The batch was stopped.", "")
    if not sent:
        begin_job(job)

    def notify(event: ProgressEvent) -> None:
        watch.happening(job, event)

    engine = reopen(
        job.directory,
        job.settings.state,
        notify,
        watch.limiter,
        watch.cancel,
        trusted=job.settings.runs,
        registry=load_settings().state,
    )
    # An organisation's policy might enable it.
    engine.settings = engine.settings.model_copy(update=WITHOUT_MEMORY)
    engine.events.has_errors = False
    try:
        # The run was started on another machine, or the repository was moved.
        if str(job.repository.resolve()) != engine.run.repository:
            engine.repository = Repository.open(job.repository)
        return done(job, _solve(job, engine, watch))
    finally:
        engine.close()


def begin_job(job: Job) -> None:
    """Write the run's first records unless they exist.

    Raises UsageError for a run that someone else wrote, or whose recorded settings differ from the batch's.
    """
    state = load_settings().state
    if is_started(job.directory):
        _check(job, state)
    else:
        shutil.rmtree(job.directory, ignore_errors=True)  # left by a driver that died before the first record
        source, base = Repository.open(job.repository), job.instance.base or "HEAD"
        begin(with_pictures(job.instance), source, job.settings, base, job.run, state)


def _check(job: Job, state: Path) -> None:
    """Raise UsageError if someone else wrote or changed the run in `--out`."""
    if run_owner(job.directory, state) != "user":
        what = f"{job.directory} was not created by you on this computer."
        raise UsageError(what, "Start another batch with another --out.")
    recorded = recorded_settings(read(job.directory))
    meant = job.settings.recorded()
    changed = [name for name in sorted(OF_MACHINE) if name in recorded and recorded[name] != meant[name]]
    for name, table in recorded.get("models", {}).items():
        own = meant["models"].get(name, {})
        if any(table.get(field) not in ("", None, own.get(field)) and not own.get(field) for field in OF_SERVER):
            changed.append("models")
    if changed:
        what = f"The run {job.run} in {job.directory.parent} was started with another {changed[0]}."
        raise UsageError(what, "Start another batch with another --out.")


def _solve(job: Job, engine: Engine, watch: JobWatch) -> Result:
    steps = solve(engine)
    while True:
        try:
            watch.step(job, next(steps), engine.ledger.spent.dollars)
        except StopIteration as end:
            ended: Result = end.value
            return ended


def failed_result(job: Job, error: SweAgentError) -> JobResult:
    """Return the result of a job that failed because of infrastructure or its dataset row; the prediction is the run's
    best tree.

    For a damaged record the whole budget counts as spent; if the record cannot be read now, the cost is unknown.
    """
    lost = JobResult(job.instance.id, job.repeat, job.run, error.code, FAILED, "none", "", 0.0, error=error.message)
    try:
        if is_started(job.directory) and run_owner(job.directory, load_settings().state) == "user":
            engine = reopen(job.directory, job.settings.state, trusted=job.settings.runs)
            try:
                lost = replace(done(job, result(engine), error.message), code=error.code, kind=FAILED)
            finally:
                engine.close()
    except Exception as second:  # noqa: BLE001 - the record may be damaged, or reading it may have a bug
        dollars = dollars_spent(job.directory, job.settings.budget)
        lost = replace(lost, dollars=dollars, error=f"{error.message} {second}")
    return replace(lost, at=time.time())


def done(job: Job, result: Result, error: str = "") -> JobResult:
    """Return a run's result as a batch records it."""
    spent = result.spent
    return JobResult(
        instance=job.instance.id,
        repeat=job.repeat,
        run=job.run,
        code=result.exit.code,
        kind=result.exit.kind,
        verdict=result.exit.verdict.kind,
        patch=result.patch.source,
        dollars=spent.dollars,
        input_tokens=spent.input_tokens,
        cached_tokens=spent.cached_tokens,
        output_tokens=spent.output_tokens,
        calls=spent.calls,
        steps=result.steps,
        seconds=round(result.exit.seconds, 3),
        error=error or result.exit.message,
        at=time.time(),
    )
