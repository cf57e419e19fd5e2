"""Valgrind's callgrind: exact, in any machine, about 26 times as slow as the work itself.

What it counts are instructions of user mode as the processor would execute them, of all threads and all processes.
The tool is linked statically, so a container whose C library is as old or new as can be runs that of this machine.
"""

from __future__ import annotations

import itertools
import os
import platform
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from aci.counters import Desk, Tool, Unusable

ORDER = 1
FORKS = ("fork", "__fork", "__libc_fork", "vfork")
"""Before these callgrind writes what a process has cost: a fork would have it all over again, and say so as its own."""

OPTIONS = ("-q", "--tool=callgrind", *(f"--dump-before={name}" for name in FORKS))
FOLLOW = "--trace-children=yes"
LIBRARIES = (
    *("/usr/libexec/valgrind", "/usr/lib/valgrind", "/usr/lib/x86_64-linux-gnu/valgrind"),
    *("/usr/lib/aarch64-linux-gnu/valgrind", "/usr/local/libexec/valgrind", "/usr/lib64/valgrind"),
)
LAUNCHERS = ("/usr/bin/valgrind.bin", "/usr/bin/valgrind", "/usr/local/bin/valgrind")
PLATFORMS = {"x86_64": "amd64-linux", "aarch64": "arm64-linux"}
SECONDS = 60.0


def ready(desk: Desk) -> Tool:
    """The valgrind of the place, else this machine's put there. Raises Unusable."""
    tried = []
    for words, environment, about in itertools.chain(_there(desk), _brought(desk)):
        line = " ".join(f"{name}={shlex.quote(value)}" for name, value in environment.items())
        probe = (*words, *OPTIONS, "--callgrind-out-file=/dev/null", "/bin/sh", "-c", ":")
        code, said = desk.run(f"env {line} {shlex.join(probe)}", SECONDS)
        if code == 0:
            return Tool((*words, *OPTIONS), environment, about)
        tried.append(said.strip().rpartition("\n")[2][:200])
    raise Unusable(f"valgrind cannot run there: {tried[-1]}" if tried else "there is no valgrind")


Way = tuple[tuple[str, ...], dict[str, str], dict[str, str]]


def _there(desk: Desk) -> list[Way]:
    code, said = desk.run("command -v valgrind && valgrind --version", SECONDS)
    lines = said.split()
    if code or len(lines) < 2:
        return []
    return [((lines[0], FOLLOW), {}, {"tool": lines[-1], "child processes": "counted"})]


def _brought(desk: Desk) -> Iterator[Way]:
    """Put there once it is asked for, as it is 2.4 MB.

    By its launcher, which follows into programs that are started but needs a C library like this machine's; else by
    the tool itself, which stays with the first program and its forks.
    """
    library, machine = _library(), platform.machine()
    if library is None:
        return
    code, said = desk.run("uname -m", SECONDS)
    if code or said.strip() != machine:
        return
    folder = f"{desk.folder}/valgrind"
    tool = f"callgrind-{PLATFORMS[machine]}"
    launcher = next((Path(each) for each in LAUNCHERS if _is_program(Path(each))), None)
    for name in (tool, f"vgpreload_core-{PLATFORMS[machine]}.so", "default.supp"):
        desk.write(f"{folder}/{name}", (library / name).read_bytes())
    if launcher:
        desk.write(f"{folder}/valgrind", launcher.read_bytes())
    desk.run(f"chmod +x {shlex.quote(folder)}/*", SECONDS)
    home = {"VALGRIND_LIB": folder}
    alone = {**home, "VALGRIND_LAUNCHER": f"{folder}/{tool}"}
    about = {"tool": "valgrind of the machine outside"}
    if launcher:
        yield (f"{folder}/valgrind", FOLLOW), home, {**about, "child processes": "counted"}
    yield (f"{folder}/{tool}",), alone, {**about, "child processes": "counted as far as they are forks"}


@cache
def _library() -> Path | None:
    """This machine's folder of valgrind's tools."""
    wanted = f"callgrind-{PLATFORMS.get(platform.machine(), '')}"
    known = [os.environ.get("VALGRIND_LIB", ""), *LIBRARIES]
    return next((Path(each) for each in known if each and (Path(each) / wanted).exists()), None)


def _is_program(file: Path) -> bool:
    try:
        with file.open("rb") as stream:
            return stream.read(4) == b"\x7fELF"
    except OSError:
        return False
