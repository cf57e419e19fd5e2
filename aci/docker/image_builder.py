"""A container in which an image is prepared: a shell of the user root, and commands of other users."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from aci.channel import Channel
from aci.confinement import preparation, size
from aci.daemon import Daemon, said
from aci.disk_watch import DiskWatch
from aci.exec_channel import Exec, First, first
from aci.execution import execute
from aci.service import QUICK, NoAnswer, Service
from aci.shell import quote, words
from aci.view import clean
from aci.workspace import Options
from trajectories.errors import WorkspaceError

if TYPE_CHECKING:
    from docker.models.containers import Container
    from docker.models.images import Image

ROOT = "0:0"
LAYOUT = 1800.0
"""Seconds for what is done with all files that an image has in its repository: their number is not known before."""

_SAID = 64_000  # bytes of what a step says that are kept


class AsRoot:
    """A shell in a container of preparation: no process stands between, as `docker exec` would cost 50 ms a step."""

    def __init__(self, daemon: Daemon, container: Container, options: Options) -> None:
        self._daemon, self._id = daemon, str(container.id)
        self._begun: list[str] | None = words("sh")
        self._service = Service(self._start, "/", options.cancel, shared=False)

    def _start(self, program: Sequence[str]) -> Channel:
        if program == self._begun:
            self._begun = None
            return First(self._daemon, self._id)
        return Exec(self._daemon, self._id, program, {})

    def __call__(self, script: str, env: Mapping[str, str], seconds: float = QUICK, program: str = "sh") -> str:
        """What the script says, in which `program` does the work for at most `seconds`. Raises WorkspaceError,
        Cancelled."""
        exports = b"".join(b"export %b=%b\n" % (name.encode(), quote(value)) for name, value in env.items())
        body = b"(exec 2>&1\n%b%b)" % (exports, script.encode("utf-8", "surrogateescape"))
        try:
            ran = self._service.run(body, _SAID, seconds)
        except NoAnswer:
            raise _late(program, seconds) from None
        return _said(ran.code, ran.text)

    def close(self) -> None:
        self._service.close()


@contextmanager
def started(
    daemon: Daemon, source: Image, name: str, options: Options
) -> Iterator[tuple[Container, AsRoot, DiskWatch]]:
    """A container of the image, which users call `name`, known to have a shell and git, while the context lasts."""
    from docker.errors import APIError

    another = "Use an image that has both git and a POSIX shell, such as python:3.12."
    try:
        container = daemon.start(str(source.id), user="0", **(preparation(options) | first(words("sh"), {})))
    except APIError as error:
        if "executable file not found" in said(error) or "no such file" in said(error):
            raise WorkspaceError(f"The image {name} has no POSIX shell.", another) from error
        raise
    try:
        with watched(daemon, container, source, options) as watch:
            as_root = AsRoot(daemon, container, options)
            try:
                try:
                    as_root("command -v git", {})
                except NoAnswer:
                    raise
                except WorkspaceError as error:
                    raise WorkspaceError(f"The image {name} has no git.", another) from error
                yield container, as_root, watch
            finally:
                as_root.close()
    finally:
        daemon.discard(str(container.id))


@contextmanager
def watched(daemon: Daemon, container: Container, image: Image, options: Options) -> Iterator[DiskWatch]:
    """The watch of a container of preparation: its programs are those of an image that a set-up may have made.

    A change of owners may copy all that the image holds, so its size comes on top of the limit. Raises WorkspaceError
    if more than both is written.
    """
    watch = DiskWatch(daemon, str(container.id), size(options.disk) + int(image.attrs["Size"]))
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
        raise WorkspaceError(f"The base could not be prepared. {full}.", fix) from error


def run_as(
    daemon: Daemon,
    container: Container,
    options: Options,
    script: str,
    user: str,
    env: Mapping[str, str],
    seconds: float = QUICK,
    program: str = "sh",
) -> str:
    """What a script of that user says; see `AsRoot`. Raises WorkspaceError, Cancelled."""
    ran = execute(daemon, str(container.id), script, options.cancel, seconds, user=user, env=env)
    if ran.late:
        raise _late(program, seconds)
    return _said(ran.code, ran.text)


def _late(program: str, seconds: float) -> NoAnswer:
    return NoAnswer(
        f"The base could not be prepared: `{program}` of the image did not end within {seconds:.0f} s.",
        "See that it works there, or name another image with --image.",
    )


def _said(code: int, text: str) -> str:
    if code:
        raise WorkspaceError(
            f"The base could not be prepared: {clean(text.strip()[-500:])}", "See that Docker's disk is not full."
        )
    return text.strip()
