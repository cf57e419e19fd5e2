"""Reading and writing a workspace's files through its control shell, within the allowed folders only."""

from __future__ import annotations

import errno
import posixpath
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from aci.runtime.control_shell import CommandTimeout, ControlShell
from aci.runtime.shell_session import quote
from aci.runtime.workspace import CommandResult
from trajectories.errors import UsageError, WorkspaceError

_HEADER_BYTES = 100_000  # maximum number of bytes of output before a file's content
_LARGE = 50_000  # above this number of bytes, writing through a process is faster
_PATIENCE = 30.0  # seconds; a FIFO that replaced a file after its check would block for ever


class WorkspaceFiles:
    """The files under `roots`, which are real absolute paths. A relative path is relative to the first root."""

    def __init__(self, service: ControlShell, roots: Sequence[str]) -> None:
        self._service, self._roots = service, tuple(roots)
        self._inside = b"|".join(quote(root) + b"/*" for root in roots)

    def read(self, path: str, limit: int) -> bytes:
        """Return a file's bytes; see `Workspace.read`. Only regular files are read."""
        full = quote(self._within(path))
        ran = self._run(
            path,
            b"p=$(readlink -f -- %b 2>/dev/null && echo .) && p=${p%%??} || p=\n"  # a file name may end in newlines
            b'case "$p/" in\n'
            b"//*|/) echo missing ;;\n"
            b"%b)\n"
            b'    if [ -d "$p" ]; then echo folder; elif [ ! -e "$p" ]; then echo missing\n'
            b'    elif [ ! -f "$p" ]; then echo special; elif [ ! -r "$p" ]; then echo forbidden\n'
            b'    else echo file; head -c %d -- "$p"; fi ;;\n'
            b"*) echo outside ;;\n"
            b"esac" % (full, self._inside, limit + 1),
            limit + _HEADER_BYTES,
        )
        found, _, data = ran.output.partition(b"\n")
        if found == b"file" and ran.code == 0:
            if len(data) > limit or ran.cut:
                raise UsageError(f"{path} is larger than {limit:,} bytes.", "Read a part of it with a shell command.")
            return data
        raise _error_for((data if found == b"file" else found).decode("utf-8", "replace"), path)

    def write(self, path: str, data: bytes) -> None:
        """Write a file; see `Workspace.write`."""
        full = self._within(path)
        ran = self._run(
            path,
            b"p=%b; h=${p%%/*}; d=$h\n"
            b'while [ ! -d "$d" ] && [ -n "$d" ]; do d=${d%%/*}; done\n'
            b'[ "$d" = "$h" ] && [ ! -L "$p" ] || h=\n'  # if `h` stays set, one readlink is enough
            b'd=$(readlink -f -- "$d" 2>/dev/null && echo .); d=${d%%??}\n'
            b'case "$d/" in %b) ;; *) echo outside; d= ;; esac\n'
            b'if [ -n "$d" ]; then\n'
            b'    [ -d "${p%%/*}" ] || mkdir -p -- "${p%%/*}"\n'
            b'    if [ -n "$h" ]; then r=$d/${p##*/}; else r=$(readlink -f -- "$p" && echo .); r=${r%%??}; fi\n'
            b'    case "$r/" in %b)\n'
            b'        if [ -d "$r" ]; then echo folder\n'
            b'        elif [ -e "$r" ] && [ ! -f "$r" ]; then echo special\n'
            b'        else printf "file\\n%%s" "$r"; fi ;;\n'
            b"    *) echo outside ;; esac\n"
            b"fi 2>&1" % (quote(full), self._inside, self._inside),
        )
        found, _, real = ran.output.partition(b"\n")
        if found != b"file":
            raise _error_for(found.decode("utf-8", "replace"), path)
        with _bounded(path):
            write = self._service.put if len(data) <= _LARGE else self._service.pour
            ran = write(quote(real), data, _PATIENCE)
        if ran.code:
            raise _error_for(ran.text, path)

    def _run(self, path: str, script: bytes, cap: int = _HEADER_BYTES) -> CommandResult:
        with _bounded(path):
            return self._service.run(script, cap, _PATIENCE)

    def _within(self, path: str) -> str:
        if "\0" in path or not path:
            raise UsageError(f"{path!r} is not a path.", "Name a file in the repository.")
        full = posixpath.normpath(posixpath.join(self._roots[0], path))
        if not any(f"{full}/".startswith(f"{root}/") for root in self._roots):
            raise _error_for("outside", path)
        return full


@contextmanager
def _bounded(path: str) -> Iterator[None]:
    try:
        yield
    except CommandTimeout as error:
        raise UsageError(
            f"{path} is not a regular file, or a program of the image did not end within {_PATIENCE:.0f} s.",
            "Use a regular file, and check that head, mkdir and readlink work there.",
        ) from error


def _error_for(found: str, path: str) -> Exception:
    """Return the exception for a path that is not a readable regular file."""
    word = found.strip()
    if word == "missing" or "No such file" in found or "nonexistent directory" in found:
        return FileNotFoundError(errno.ENOENT, "No such file", path)
    if word == "folder" or "s a directory" in found:
        return IsADirectoryError(errno.EISDIR, "Is a directory", path)
    if word == "outside":
        return UsageError(f"{path} is outside the repository.", "Use a path inside the repository.")
    if word == "special":
        return UsageError(f"{path} is not a regular file.", "Use a regular file.")
    if "too long" in found:
        return UsageError(f"{path[:80]}… has a name that is too long.", "Use a shorter one.")
    if "exists" in found or "Not a directory" in found:
        return UsageError(f"{path} cannot be used: a part of it is a file, not a folder.", "Use another path.")
    if word == "forbidden" or any(text in found for text in ("ermission denied", "Read-only", "not permitted")):
        return PermissionError(errno.EACCES, "Permission denied", path)
    return WorkspaceError(f"{path} cannot be used: {word[-300:]}.", "Check that the workspace's disk is not full.")
