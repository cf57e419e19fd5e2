"""A run on a machine other than the driver's: it starts from the driver's data and sends everything back."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from agent.config.settings import Settings
from agent.version import __version__
from extensions.lab.batch.job_run import solve_job
from extensions.lab.batch.node_messages import HubConnection, RemoteJob, RemoteOutcome
from extensions.lab.batch.repository_bundles import local_clone
from extensions.lab.batch.run_stream import RemoteLimiter, RunStream
from extensions.lab.batch.run_upload import Receiver
from extensions.lab.instances.host_errors import check_machine, is_machine_error
from extensions.lab.instances.jobs import Instance, Job, JobResult, JobWatch
from trajectories.errors import Cancelled, ConfigError, SweAgentError, WorkspaceError
from trajectories.journal import first_record, is_started, read


def solve_remote_job(sent: RemoteJob, link: HubConnection) -> RemoteOutcome:
    """Solve the job on this node. When this returns an outcome with `done`, the driver has received all data of the
    run."""
    with tempfile.TemporaryDirectory(prefix="swe-agent-node-", ignore_cleanup_errors=True) as state:
        try:
            return RemoteOutcome(_solve(sent, link, Path(state)))
        except WorkspaceError as error:
            return _failed(error, sent, Path(state))
        except SweAgentError as error:
            return RemoteOutcome.of(error)
        except OSError as error:
            failed = WorkspaceError(f"A node failed: {error.strerror or error}.", "Fix that machine.")
            failed.__cause__ = error
            return _failed(failed, sent, Path(state))


def _failed(error: WorkspaceError, sent: RemoteJob, state: Path) -> RemoteOutcome:
    """Return the outcome of a failed attempt; `of_node` tells whether other jobs would fail on this machine as well."""
    if is_machine_error(error):
        return RemoteOutcome.of(error, of_node=True)
    try:
        check_machine(Settings(workspace=sent.workspace, state=state))
    except WorkspaceError as second:
        return RemoteOutcome.of(second, of_node=True)
    return RemoteOutcome.of(error)


def _solve(sent: RemoteJob, link: HubConnection, state: Path) -> JobResult:
    if sent.version != __version__:
        what = f"The driver is swe-agent {sent.version}, a node has {__version__}."
        raise ConfigError(what, "Install the same version on all nodes.")
    os.environ.update(link.keys(sent.token))
    receiver = Receiver(state / "runs" / sent.directory.name)
    while parts := link.pull(sent.token):
        receiver.take(parts)
    if not is_started(receiver.directory):
        raise Cancelled("Another node has taken over the run.")
    record = first_record(read(receiver.directory), receiver.directory)
    settings = Settings(**record.settings, state=state)
    repository = local_clone(
        sent.repository, sent.state, sent.commit, lambda: link.bundle(sent.repository, sent.commit)
    )
    job = Job(Instance(sent.instance, record.repository, sent.commit, record.issue), sent.repeat, repository, settings)
    with RunStream(sent, link, job.directory) as stream:
        watch = JobWatch(stream.cancel, RemoteLimiter(stream, settings), stream.step, stream.happening)
        return solve_job(job, watch, sent=True)
