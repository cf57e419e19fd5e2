"""A run on a machine that is not the driver's: it begins with what the driver has of it, and all it does goes there."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from agent.batch.attempt import Link, Outcome, Sent
from agent.batch.clones import here
from agent.batch.machine import check_machine, of_machine
from agent.batch.place import Done, Instance, Job, Watch
from agent.batch.solving import solve_job
from agent.batch.stream import FarLimiter, Stream
from agent.batch.streaming import Receiver
from agent.settings import Settings
from agent.solve import VERSION
from trajectories.errors import Cancelled, ConfigError, SweAgentError, WorkspaceError
from trajectories.journal import begun, first_record, read


def solve_sent(sent: Sent, link: Link) -> Outcome:
    """Solve the job here. All that it did has arrived at the driver when this returns an outcome with `done`."""
    with tempfile.TemporaryDirectory(prefix="swe-agent-node-", ignore_cleanup_errors=True) as state:
        try:
            return Outcome(_solve(sent, link, Path(state)))
        except WorkspaceError as error:
            return _failed(error, sent, Path(state))
        except SweAgentError as error:
            return Outcome.of(error)
        except OSError as error:
            failed = WorkspaceError(f"A node failed: {error.strerror or error}.", "Mend that machine.")
            failed.__cause__ = error
            return _failed(failed, sent, Path(state))


def _failed(error: WorkspaceError, sent: Sent, state: Path) -> Outcome:
    """What failed the attempt: this machine, where it would fail others as well."""
    if of_machine(error):
        return Outcome.of(error, of_node=True)
    try:
        check_machine(Settings(workspace=sent.workspace, state=state))
    except WorkspaceError as second:
        return Outcome.of(second, of_node=True)
    return Outcome.of(error)


def _solve(sent: Sent, link: Link, state: Path) -> Done:
    if sent.version != VERSION:
        what = f"The driver is swe-agent {sent.version}, a node has {VERSION}."
        raise ConfigError(what, "Install the same version on all nodes.")
    os.environ.update(link.keys(sent.token))
    receiver = Receiver(state / "runs" / sent.directory.name)
    while parts := link.pull(sent.token):
        receiver.take(parts)
    if not begun(receiver.directory):
        raise Cancelled("The run is another node's now.")
    record = first_record(read(receiver.directory), receiver.directory)
    settings = Settings(**record.settings, state=state)
    repository = here(sent.repository, sent.state, sent.commit, lambda: link.bundle(sent.repository, sent.commit))
    job = Job(Instance(sent.instance, record.repository, sent.commit, record.issue), sent.repeat, repository, settings)
    with Stream(sent, link, job.directory) as stream:
        watch = Watch(stream.cancel, FarLimiter(stream, settings), stream.step, stream.happening)
        return solve_job(job, watch, sent=True)
