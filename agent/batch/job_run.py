"""One job of a batch, from whatever lies in its folder to its end."""

from __future__ import annotations

import shutil
import time
from dataclasses import replace
from pathlib import Path

from aci.repository import Repository
from agent.batch.place import FAILED, Done, Job, Watch
from agent.batch.preparing import OFF
from agent.batch.spending import spent_in
from agent.engine import Engine, Happening
from agent.ownership import run_owner
from agent.run_settings import recorded_in
from agent.settings import load_settings
from agent.solve import Result, begin, reopen, result, solve
from trajectories.errors import Cancelled, SweAgentError, UsageError
from trajectories.journal import begun, read

OF_MACHINE = {"workspace", "setup", "registries", "certificates", "setup_env", "services", "prompts", *OFF}
OF_MACHINE |= {"memory", "processes", "disk", "cpus", "runtime", "read_only"}
"""Settings in which a run of a batch is as the batch says, whatever its record does."""
OF_SERVER = ("api_base", "key_env")
"""Of a model's table."""


def solve_job(job: Job, watch: Watch, sent: bool = False) -> Done:
    """Begin the job's run, or go on with it, in this thread; see `Place.solve`. The driver began a `sent` one."""
    if watch.cancel.is_set():
        raise Cancelled("The batch was stopped.", "")
    if not sent:
        begin_job(job)

    def notify(event: Happening) -> None:
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
    engine.settings = engine.settings.model_copy(update={"experience": False})  # a policy might say otherwise
    try:
        if str(job.repository.resolve()) != engine.run.repository:  # begun on another machine, or moved since
            engine.repository = Repository.open(job.repository)
        return done(job, _solved(job, engine, watch))
    finally:
        engine.close()


def begin_job(job: Job) -> None:
    """Write the run's first records, unless they are there. Raises UsageError for a run that somebody else wrote, or
    whose record asks for more than the batch does."""
    state = load_settings().state
    if begun(job.directory):
        _check(job, state)
    else:
        shutil.rmtree(job.directory, ignore_errors=True)  # of a driver that died before the first record
        source, base = Repository.open(job.repository), job.instance.base or "HEAD"
        begin(job.instance.issue, source, job.settings, base, job.run, state)


def _check(job: Job, state: Path) -> None:
    """What lies in `--out` may have been changed, or come from somebody else, since it was written."""
    if run_owner(job.directory, state) != "user":
        raise UsageError(f"{job.directory} was not created by you here.", "Begin another batch with another --out.")
    recorded = recorded_in(read(job.directory))
    meant = job.settings.recorded()
    changed = [name for name in sorted(OF_MACHINE) if name in recorded and recorded[name] != meant[name]]
    for name, table in recorded.get("models", {}).items():
        own = meant["models"].get(name, {})
        if any(table.get(field) not in ("", None, own.get(field)) and not own.get(field) for field in OF_SERVER):
            changed.append("models")
    if changed:
        what = f"The run {job.run} in {job.directory.parent} was begun with another {changed[0]}."
        raise UsageError(what, "Begin another batch with another --out.")


def _solved(job: Job, engine: Engine, watch: Watch) -> Result:
    steps = solve(engine)
    while True:
        try:
            watch.step(job, next(steps), engine.ledger.spent.dollars)
        except StopIteration as end:
            ended: Result = end.value
            return ended


def given_up(job: Job, error: SweAgentError) -> Done:
    """What a job came to that infrastructure, or its own row, failed: its best tree so far is still its prediction.

    A record that is damaged counts as the whole budget; of one that cannot be read now nothing is known.
    """
    lost = Done(job.instance.id, job.repeat, job.run, error.code, FAILED, "none", "", 0.0, error=error.message)
    try:
        if begun(job.directory) and run_owner(job.directory, load_settings().state) == "user":
            engine = reopen(job.directory, job.settings.state, trusted=job.settings.runs)
            try:
                lost = replace(done(job, result(engine), error.message), code=error.code, kind=FAILED)
            finally:
                engine.close()
    except Exception as second:  # noqa: BLE001 - what is at fault may be the record, or how we read it
        dollars = spent_in(job.directory, job.settings.budget)
        lost = replace(lost, dollars=dollars, error=f"{error.message} {second}")
    return replace(lost, at=time.time())


def done(job: Job, result: Result, error: str = "") -> Done:
    """A result as a batch keeps it."""
    spent = result.spent
    return Done(
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
