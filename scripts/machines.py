"""Runs `make demo` and `make test` in fresh clones, as on the machines of different people, and prints a table.

    python3 scripts/machines.py [--keep] [MACHINE ..]      without names: all machines that can be tried here

Requires root on Debian, with the packages git, make, python3-venv and util-linux. Each machine gets a clone of HEAD in
a new home under /home, and an environment of its own. The packages are installed first. After that, a machine without
Docker has no network but loopback. The row fails if a test fails, or if the tests change the list of installed packages
or a file in the home.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import re
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
USER = 1000
CLONE_NEW_NET = 0x40000000
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
INDEX = re.compile(r"(?i)PIP_\w+|UV_\w+|\w*_PROXY|SSL_CERT_FILE|REQUESTS_CA_BUNDLE")
"""Variables of the caller for the installation of packages: how the package index is reached."""
GIT_CONFIG = """\
[commit]
	gpgsign = true
[tag]
	gpgsign = true
[init]
	defaultBranch = trunk
[core]
	autocrlf = true
	hooksPath = {home}/hooks
	excludesFile = {home}/ignored
[diff]
	noprefix = true
	mnemonicPrefix = true
[color]
	ui = always
[log]
	showSignature = true
[apply]
	whitespace = error
"""
HOOKS = {f"hooks/{name}": "#!/bin/sh\nexit 1\n" for name in ("pre-commit", "post-checkout", "reference-transaction")}


@dataclass(frozen=True)
class Machine:
    """What a machine has that others do not have."""

    about: str
    """Description in the table."""
    user: int = USER
    """Id of the user who runs the commands."""
    docker: bool = False
    """Whether the user may use the Docker daemon. It must be running then, and must not if root is to have none."""
    home: str = "home"
    """Name of the home folder."""
    umask: int = 0o022
    variables: Mapping[str, str] = field(default_factory=dict)
    """Environment variables; `{home}` is the path of the home, `{other}` a folder on another file system."""
    files: Mapping[str, str] = field(default_factory=dict)
    """Texts of files in the home; `{home}` is its path. All are executable."""


MACHINES = {
    "user": Machine("ordinary user, no Docker, no git identity, no network"),
    "root": Machine("root, no Docker", user=0),
    "docker": Machine("ordinary user with Docker", docker=True),
    "spaces": Machine("home folder with spaces", home="a home with spaces"),
    "tmpdir": Machine("TMPDIR on another file system", variables={"TMPDIR": "{other}"}),
    "umask": Machine("umask 077", umask=0o077),
    "locale": Machine("locale C", variables={"LANG": "C", "LC_ALL": "C"}),
    "timezone": Machine("time zone Pacific/Kiritimati (UTC+14)", variables={"TZ": "Pacific/Kiritimati"}),
    "git": Machine("unusual git configuration", files={".gitconfig": GIT_CONFIG, **HOOKS, "ignored": "*.py\n"}),
}


@dataclass
class Row:
    """Result of a machine."""

    about: str
    python: str = ""
    demo: str = ""
    tests: str = ""
    """Counts of pytest."""
    seconds: float = 0.0
    """Wall time of `make test` after the set-up."""
    failures: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        minutes, seconds = divmod(round(self.seconds), 60)
        result = "; ".join(self.failures) or "green"
        return f"| {self.about} | {self.python} | {self.demo} | {self.tests} | {minutes}:{seconds:02} | {result} |"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("machines", nargs="*", metavar="MACHINE", help=f"one of {', '.join(MACHINES)}")
    parser.add_argument("--keep", action="store_true", help="keep the homes")
    options = parser.parse_args()
    unknown = sorted(set(options.machines) - set(MACHINES))
    if unknown or os.geteuid():
        print(f"There is no machine {unknown[0]}." if unknown else "Run this as root.", file=sys.stderr)
        return 2
    left_out = "root" if _docker_answers() else "docker"
    if left_out in options.machines:
        print("`docker` needs a Docker daemon, and `root` can be tried only while none runs.", file=sys.stderr)
        return 2
    rows = []
    for name in options.machines or [name for name in MACHINES if name != left_out]:
        print(f"== {MACHINES[name].about}", flush=True)
        rows.append(try_machine(MACHINES[name], options.keep))
    print("\n| machine | Python | `make demo` | `make test` | time | result |\n|---|---|---|---|---|---|")
    print("\n".join(map(str, rows)))
    return int(any(row.failures for row in rows))


def try_machine(machine: Machine, keep: bool = False) -> Row:
    """Run the README's two commands in a fresh clone on this machine."""
    row = Row(machine.about)
    with _folders(machine, keep) as (home, other):
        clone = home / "swe-agent"
        subprocess.run(["git", "clone", "--quiet", "--no-hardlinks", ROOT, clone], check=True, umask=machine.umask)
        for name, text in machine.files.items():
            (home / name).parent.mkdir(exist_ok=True)
            (home / name).write_text(text.format(home=home))
            (home / name).chmod(0o755)
        subprocess.run(["chown", "--recursive", f"{machine.user}:{machine.user}", home, other], check=True)
        name = "user" if machine.user else "root"
        own = {"PATH": SYSTEM_PATH, "HOME": str(home), "USER": name, "LOGNAME": name, "LANG": "C.UTF-8"}
        own |= {name: value.format(home=home, other=other) for name, value in machine.variables.items()}
        index = {name: value for name, value in os.environ.items() if INDEX.fullmatch(name)}
        if _run(machine, ["make", ".venv/.ready"], clone, own | index).returncode:
            row.failures.append("set-up")
            return row
        python = [clone / ".venv/bin/python", "-c", "import platform; print(platform.python_version())"]
        row.python = subprocess.run(python, capture_output=True, text=True, check=True).stdout.strip()

        # a daemon cannot reach the servers of tests that run in another network namespace
        disconnect = None if machine.docker else _disconnect
        demo = _run(machine, ["make", "demo"], clone, own, disconnect)
        row.demo = "verified" if demo.returncode == 0 else f"exit {demo.returncode}"
        if demo.returncode:
            row.failures.append("make demo")

        before, started = _machine_state(home, clone), time.monotonic()
        tests = _run(machine, ["make", "test"], clone, own, disconnect)
        row.seconds = time.monotonic() - started
        counts = re.findall(r"^=* ?(\d+ (?:passed|failed|error).*?) in [\d.]+s", tests.stdout, re.MULTILINE)
        row.tests = counts[-1] if counts else "no result"
        # a test with a time limit can fail because other tests run beside it
        if tests.returncode and _run(machine, ["make", "test-failed"], clone, own, disconnect).returncode:
            row.failures.append("make test")
        changed = sorted(before.items() ^ _machine_state(home, clone).items())
        row.failures += [f"changed {name}" for name in dict.fromkeys(name for name, _ in changed)]
    return row


def _run(
    machine: Machine,
    command: list[str],
    folder: Path,
    environment: Mapping[str, str],
    prepare: Callable[[], None] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a command as the machine's user, and show its output while it runs."""
    groups = f"--groups={_docker_group()}" if machine.docker else "--clear-groups"
    user = ["setpriv", f"--reuid={machine.user}", f"--regid={machine.user}", groups, "--inh-caps=-all"]
    words = [*user, *command] if machine.user else command
    process = subprocess.Popen(
        words,
        cwd=folder,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        umask=machine.umask,
        preexec_fn=prepare,
    )
    assert process.stdout
    output = []
    for line in process.stdout:
        print(line, end="", flush=True)
        output.append(line)
    return subprocess.CompletedProcess(words, process.wait(), "".join(output))


def _disconnect() -> None:
    """Put this process into a network namespace that has loopback only."""
    import ctypes

    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEW_NET):
        raise OSError(ctypes.get_errno(), "unshare")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        is_up = 0x1
        fcntl.ioctl(any_socket, 0x8914, struct.pack("16sH14s", b"lo", is_up, b""))  # SIOCSIFFLAGS


@contextmanager
def _folders(machine: Machine, keep: bool) -> Iterator[tuple[Path, Path]]:
    """Yield a new home, and a folder on another file system."""
    place = Path(tempfile.mkdtemp(prefix="swe-agent-", dir="/home"))
    other = Path(tempfile.mkdtemp(prefix="swe-agent-", dir="/dev/shm"))
    place.chmod(0o755)
    home = place / machine.home
    home.mkdir(0o700)
    try:
        yield home, other
    finally:
        if not keep:
            for folder in (place, other):
                shutil.rmtree(folder, ignore_errors=True)


def _machine_state(home: Path, clone: Path) -> dict[str, str]:
    """Return the versions of the installed packages, and the times of all files in the home outside of the clone."""
    listed = subprocess.run(["dpkg-query", "--show"], capture_output=True, text=True, check=True).stdout
    state = dict(line.split("\t", 1) for line in listed.splitlines())
    for folder, folders, files in os.walk(home):
        folders[:] = [name for name in folders if Path(folder, name) != clone]
        for path in (Path(folder, name) for name in files):
            state[f"~/{path.relative_to(home)}"] = str(path.lstat().st_mtime_ns)
    return state


def _docker_answers() -> bool:
    try:
        return subprocess.run(["docker", "version"], capture_output=True, timeout=20).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def _docker_group() -> int:
    """Return the group that may use Docker's socket."""
    return Path("/var/run/docker.sock").stat().st_gid


if __name__ == "__main__":
    sys.exit(main())
