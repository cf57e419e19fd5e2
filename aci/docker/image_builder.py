"""Containers in which images are prepared, with a root shell and commands of other users."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from aci.docker.container_exec import execute
from aci.docker.container_limits import parse_size, preparation_limits
from aci.docker.disk_quota import DiskWatch
from aci.docker.docker_daemon import Daemon, error_message
from aci.docker.exec_stream import ExecProgram, FirstProgram, first_program_arguments
from aci.observation.untrusted_text import clean_output
from aci.runtime.control_shell import QUICK, CommandTimeout, ControlShell
from aci.runtime.process_channel import Channel
from aci.runtime.shell_session import quote, shell_arguments
from aci.runtime.workspace import WorkspaceOptions
from trajectories.errors import WorkspaceError

if TYPE_CHECKING:
    from docker.models.containers import Container
    from docker.models.images import Image

ROOT_USER = "0:0"
LAYOUT_TIMEOUT = 1800.0
"""The time limit in seconds for work on all files in an image's repository folder, whose number is unknown."""

_MAX_OUTPUT = 64_000  # maximum number of bytes kept of a step's output


class RootShell:
    """A root shell in a container, used instead of `docker exec`, which would take 50 ms for each step."""

    def __init__(self, daemon: Daemon, container: Container, options: WorkspaceOptions) -> None:
        self._daemon, self._id = daemon, str(container.id)
        self._first_words: list[str] | None = shell_arguments("sh")
        self._service = ControlShell(self._start, "/", options.cancel, shared=False)

    def _start(self, program: Sequence[str]) -> Channel:
        if program == self._first_words:
            self._first_words = None
            return FirstProgram(self._daemon, self._id)
        return ExecProgram(self._daemon, self._id, program, {})

    def __call__(self, script: str, env: Mapping[str, str], seconds: float = QUICK, program: str = "sh") -> str:
        """Run a script for at most `seconds` and return its output. `program` is the name used in the error message of
        a time-out.

        Raises WorkspaceError and Cancelled.
        """
        exports = b"".join(b"export %b=%b\n" % (name.encode(), quote(value)) for name, value in env.items())
        body = b"(exec 2>&1\n%b%b)" % (exports, script.encode("utf-8", "surrogateescape"))
        try:
            ran = self._service.run(body, _MAX_OUTPUT, seconds)
        except CommandTimeout:
            raise _timeout_error(program, seconds) from None
        return _checked_output(ran.code, ran.text)

    def close(self) -> None:
        self._service.close()


@contextmanager
def start_container(
    daemon: Daemon, source: Image, name: str, options: WorkspaceOptions
) -> Iterator[tuple[Container, RootShell, DiskWatch]]:
    """Start a container of the image `name`, and check that it has a shell and git. The container is removed at the end
    of the context."""
    from docker.errors import APIError

    advice = "Use an image that has both git and a POSIX shell, such as python:3.12."
    try:
        container = daemon.start(
            str(source.id),
            user="0",
            **(preparation_limits(options) | first_program_arguments(shell_arguments("sh"), {})),
        )
    except APIError as error:
        if "executable file not found" in error_message(error) or "no such file" in error_message(error):
            raise WorkspaceError(f"The image {name} has no POSIX shell.", advice) from error
        raise
    try:
        with watch_disk(daemon, container, source, options) as watch:
            as_root = RootShell(daemon, container, options)
            try:
                try:
                    as_root("command -v git", {})
                except CommandTimeout:
                    raise
                except WorkspaceError as error:
                    raise WorkspaceError(f"The image {name} has no git.", advice) from error
                yield container, as_root, watch
            finally:
                as_root.close()
    finally:
        daemon.discard(str(container.id))


@contextmanager
def watch_disk(daemon: Daemon, container: Container, image: Image, options: WorkspaceOptions) -> Iterator[DiskWatch]:
    """Limit the disk usage of a container while an image is prepared: its programs may come from an untrusted set-up.

    Changing owners may copy all files of the image, so its size is added to the limit. Raises WorkspaceError if more is
    written.
    """
    watch = DiskWatch(daemon, str(container.id), parse_size(options.disk) + int(image.attrs["Size"]))
    try:
        yield watch
    except WorkspaceError as error:
        _refuse_full(watch, error)
        raise
    finally:
        watch.stop()
    _refuse_full(watch)


def _refuse_full(watch: DiskWatch, error: WorkspaceError | None = None) -> None:
    if notice := watch.notice():
        full = notice.decode().strip("[]\n").partition(". ")[0]
        fix = "Set a larger `disk`, free space where Docker writes, or name another --image."
        raise WorkspaceError(f"The base image could not be prepared. {full}.", fix) from error


def run_as(
    daemon: Daemon,
    container: Container,
    options: WorkspaceOptions,
    script: str,
    user: str,
    env: Mapping[str, str],
    seconds: float = QUICK,
    program: str = "sh",
) -> str:
    """Run a script as the user and return its output; see `RootShell`. Raises WorkspaceError and Cancelled."""
    ran = execute(daemon, str(container.id), script, options.cancel, seconds, user=user, env=env)
    if ran.late:
        raise _timeout_error(program, seconds)
    return _checked_output(ran.code, ran.text)


def _timeout_error(program: str, seconds: float) -> CommandTimeout:
    return CommandTimeout(
        f"The base image could not be prepared: `{program}` of the image did not end within {seconds:.0f} s.",
        "Check that it works there, or name another image with --image.",
    )


def _checked_output(code: int, text: str) -> str:
    if code:
        raise WorkspaceError(
            f"The base image could not be prepared: {clean_output(text.strip()[-500:])}",
            "Check that Docker's disk is not full.",
        )
    return text.strip()
