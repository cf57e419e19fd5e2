"""The suite without the patch: run while the model works, and kept for later runs of the same environment."""

from __future__ import annotations

from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from aci.environments.environment_records import digest_of
from aci.proof.proof_run import fork_for_tests
from aci.proof.suite_selection import count_test_files
from aci.runtime.workspace import BackgroundTask
from aci.testing.suite_run import run_tests
from agent.limits.cancellation import CancellationToken
from trajectories.errors import SweAgentError

if TYPE_CHECKING:
    from collections.abc import Callable

    from aci.proof.suite_baselines import Baselines
    from aci.runtime.workspace import Workspace
    from agent.config.settings import Settings
    from trajectories.git_store.trees import Trees

LEAST_FILES = 10
"""Number of test files from which the suite runs ahead; a smaller one takes about as long as its workspace."""


class SuiteAhead:
    """A run of the suite without the patch in a workspace of its own, which the first proof waits for.

    `fork` opens a workspace at a tree, and `known` gets the results.
    """

    def __init__(self, trees: Trees, known: Baselines, fork: Callable[[str, CancellationToken], Workspace]) -> None:
        self._trees, self._known, self._fork = trees, known, fork
        self._cancel: CancellationToken | None = None
        self._task: BackgroundTask[None] | None = None

    def start(self, base: str, settings: Settings, parent: CancellationToken) -> None:
        """Start the run if there are many tests. It ends when `parent` is set."""
        if self._task is None and count_test_files(self._trees, base) >= LEAST_FILES:
            self._cancel = cancel = CancellationToken(parent)
            self._task = BackgroundTask(lambda: self._run(base, settings, cancel), "suite")

    def stop(self) -> None:
        """End the run, if it still runs."""
        if self._task and self._cancel:
            self._cancel.set()
            self._task.wait()
        self._task = None

    def _run(self, base: str, settings: Settings, cancel: CancellationToken) -> None:
        key = (base, settings.test)
        with self._known.lock_for(key), suppress(SweAgentError):  # the proof runs the suite, and says why it cannot
            if key in self._known:
                return
            self._known.take_stored(key, [*key, settings.test_timeout, settings.suite_time])
            if key not in self._known:
                with closing(fork_for_tests(lambda tree: self._fork(tree, cancel), base)) as workspace:
                    report = run_tests(workspace, settings.test, (), min(settings.suite_time, settings.test_timeout))
                if report.results or report.granularity == "command":
                    self._known[key] = report
                    self._known.own.add(key)


def environment_digest(kind: str, image: str, programs: Path | None, *others: str) -> str:
    """Return a digest of what the results of tests depend on apart from the files of the base, found without running a
    program of the workspace; "" if it is unknown.

    `kind` is that of the workspace, `programs` the folder of its Python. It is unknown in a workspace without
    isolation, and if one of `others`, which also count, is "".
    """
    parts = [_image_id(image)] if kind == "docker" else _packages(programs.parent) if programs else [""]
    if kind == "local" or not all([*parts, *others]):
        return ""
    return digest_of([kind, *parts, *others])


def _image_id(name: str) -> str:
    from docker.errors import DockerException

    from aci.docker.docker_daemon import connect

    with suppress(SweAgentError, DockerException):
        daemon = connect()
        try:
            return str(daemon.client.images.get(name).id)
        finally:
            daemon.rest()
    return ""


def _packages(prefix: Path) -> list[str]:
    """Return the environment's folder, and the names and times of what its folders of packages hold."""
    with suppress(OSError):
        sites = [*prefix.glob("lib/python3*/site-packages"), *prefix.glob("lib/python3*/dist-packages")]
        entries = sorted((str(each), each.stat().st_mtime_ns) for site in sites for each in (site, *site.iterdir()))
        return [str(prefix), *(f"{name} {time}" for name, time in entries)]
    return [""]
