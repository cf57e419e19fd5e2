"""Valgrind's callgrind: exact on any machine, and about 26 times slower than the command alone.

It counts the user-mode instructions of all threads and processes as the processor would execute them. The tool is
linked statically, so the one of this machine runs in containers with any C library.
"""

from __future__ import annotations

import itertools
import os
import platform
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from extensions.optimize.counters import CounterUnusable, CountHost, Tool

ORDER = 1
FORKS = ("fork", "__fork", "__libc_fork", "vfork")
"""Functions before which callgrind dumps a process's count, since a forked child would otherwise report it a second
time."""

OPTIONS = ("-q", "--tool=callgrind", *(f"--dump-before={name}" for name in FORKS))
FOLLOW = "--trace-children=yes"
LIBRARIES = (
    *("/usr/libexec/valgrind", "/usr/lib/valgrind", "/usr/lib/x86_64-linux-gnu/valgrind"),
    *("/usr/lib/aarch64-linux-gnu/valgrind", "/usr/local/libexec/valgrind", "/usr/lib64/valgrind"),
)
LAUNCHERS = ("/usr/bin/valgrind.bin", "/usr/bin/valgrind", "/usr/local/bin/valgrind")
PLATFORMS = {"x86_64": "amd64-linux", "aarch64": "arm64-linux"}
SECONDS = 60.0


def ready(host: CountHost) -> Tool:
    """Return the tool: the host's own valgrind if installed, otherwise a copy of the one on this machine. Raises
    CounterUnusable."""
    errors = []
    for words, environment, about in itertools.chain(_installed(host), _copied(host)):
        line = " ".join(f"{name}={shlex.quote(value)}" for name, value in environment.items())
        probe = (*words, *OPTIONS, "--callgrind-out-file=/dev/null", "/bin/sh", "-c", ":")
        code, output = host.run(f"env {line} {shlex.join(probe)}", SECONDS)
        if code == 0:
            return Tool((*words, *OPTIONS), environment, about)
        errors.append(output.strip().rpartition("\n")[2][:200])
    raise CounterUnusable(f"valgrind cannot run there: {errors[-1]}" if errors else "valgrind is not installed")


Launch = tuple[tuple[str, ...], dict[str, str], dict[str, str]]


def _installed(host: CountHost) -> list[Launch]:
    code, output = host.run("command -v valgrind && valgrind --version", SECONDS)
    lines = output.split()
    if code or len(lines) < 2:
        return []
    return [((lines[0], FOLLOW), {}, {"tool": lines[-1], "child processes": "counted"})]


def _copied(host: CountHost) -> Iterator[Launch]:
    """Copy this machine's valgrind (2.4 MB) to the host on demand; yield the commands that can start it.

    The launcher comes first: it also counts programs that the command starts, but needs a C library compatible with
    this machine's. Without the launcher, the tool counts only the first program and its forks.
    """
    library, machine = _library(), platform.machine()
    if library is None:
        return
    code, output = host.run("uname -m", SECONDS)
    if code or output.strip() != machine:
        return
    folder = f"{host.folder}/valgrind"
    tool = f"callgrind-{PLATFORMS[machine]}"
    launcher = next((Path(each) for each in LAUNCHERS if _is_program(Path(each))), None)
    for name in (tool, f"vgpreload_core-{PLATFORMS[machine]}.so", "default.supp"):
        host.write(f"{folder}/{name}", (library / name).read_bytes())
    if launcher:
        host.write(f"{folder}/valgrind", launcher.read_bytes())
    host.run(f"chmod +x {shlex.quote(folder)}/*", SECONDS)
    home = {"VALGRIND_LIB": folder}
    alone = {**home, "VALGRIND_LAUNCHER": f"{folder}/{tool}"}
    about = {"tool": "valgrind copied from the machine outside"}
    if launcher:
        yield (f"{folder}/valgrind", FOLLOW), home, {**about, "child processes": "counted"}
    yield (f"{folder}/{tool}",), alone, {**about, "child processes": "counted as far as they are forks"}


@cache
def _library() -> Path | None:
    """Return this machine's folder of valgrind's tools."""
    wanted = f"callgrind-{PLATFORMS.get(platform.machine(), '')}"
    known = [os.environ.get("VALGRIND_LIB", ""), *LIBRARIES]
    return next((Path(each) for each in known if each and (Path(each) / wanted).exists()), None)


def _is_program(file: Path) -> bool:
    try:
        with file.open("rb") as stream:
            return stream.read(4) == b"\x7fELF"
    except OSError:
        return False
