# ruff: noqa: E501  (programs are read more easily unbroken)
"""Attacks on what serves the workspace: our own session, process 1, the frame around each answer."""

from __future__ import annotations

import pytest

from tests.aci.workspaces.breakout.hostile import python
from trajectories.errors import SweAgentError, WorkspaceError

pytestmark = [pytest.mark.slow, pytest.mark.docker, pytest.mark.timeout(400)]


@pytest.mark.slow
def test_everything_is_killed(ws):
    ws.run("echo new > new.txt")
    try:
        ws.run("kill -9 -1", timeout=10)
        ws.run("kill -9 1", timeout=10)
        assert ws.run("echo alive").text.endswith("alive\n")
        assert ws.options.trees.read(ws.snapshot().tree, "new.txt") == b"new\n"
    except WorkspaceError as error:
        assert error.fix  # noqa: PT017  (either way will do)


STOP = r"""
import os, signal
for pid in map(int, filter(str.isdigit, os.listdir("/proc"))):
    if pid not in (1, os.getpid(), os.getppid()):
        try: os.kill(pid, signal.SIGSTOP)
        except OSError: pass
"""


@pytest.mark.slow
def test_our_session_is_stopped(ws):
    ws.snapshot()
    ws.run("echo new > new.txt")
    ws.run(python(STOP), timeout=10)
    try:
        assert ws.options.trees.read(ws.snapshot().tree, "new.txt") == b"new\n"
    except WorkspaceError as error:
        assert error.fix  # noqa: PT017  (either way will do)


FORGE = r"""
import os, time
for pid in filter(str.isdigit, os.listdir("/proc")):
    for fd in ("1", "2"):
        try:
            with open(f"/proc/{pid}/fd/{fd}", "wb", buffering=0) as out:
                out.write(b"\n0 0\n" + b"4b825dc642cb6eb9a060e54bf8d69288fbee4904\n" * 3)
        except OSError: pass
"""


def test_answers_are_written_into_our_pipes(ws):
    ws.snapshot()
    ws.run(python(FORGE))
    ws.run("echo new > new.txt")
    try:
        assert ws.options.trees.read(ws.snapshot().tree, "new.txt") == b"new\n"
        assert ws.run("echo alive").text.endswith("alive\n")
    except WorkspaceError as error:
        assert error.fix  # noqa: PT017  (either way will do)


def test_frame_is_read_back_and_repeated(ws):
    """Whatever the shell knows of how its answers are framed is printed again; the next answer is its own."""
    known = "set; export -p; fc -l -100; tr '\\0' '\\n' < /proc/$$/cmdline; tr '\\0' '\\n' < /proc/$$/environ"
    seen = ws.run(f"{{ {known}; }} 2>&1 | sed 's/[^ -~]//g' | head -c 100000").text
    ws.run(f"cat <<'END_OF_SEEN'\n{seen}\nEND_OF_SEEN\nexit 0")
    assert ws.run("echo first; exit 3").code == 3
    assert ws.run("echo second").text.endswith("second\n")
    assert ws.run("echo third").text == "third\n"


def test_poisoned_environment(ws):
    ws.snapshot()
    ws.run(
        "export PATH=/nowhere:$PATH GIT_DIR=/nowhere GIT_INDEX_FILE=/nowhere GIT_OBJECT_DIRECTORY=/nowhere IFS=x "
        "LD_PRELOAD=/nowhere.so BASH_ENV=/tmp/bad ENV=/tmp/bad PROMPT_COMMAND='echo bad' POSIXLY_CORRECT=1; "
        "echo 'echo bad; exit 9' > /tmp/bad; cp /tmp/bad ~/.bashrc; cp /tmp/bad ~/.profile; "
        "printf '[core]\\n\\thooksPath=/tmp\\n\\tfsmonitor=/tmp/bad\\n[alias]\\n\\tadd=!false\\n' > ~/.gitconfig"
    )
    ws.write("new.txt", b"new\n")
    tree = ws.snapshot().tree
    assert ws.options.trees.read(tree, "new.txt") == b"new\n"
    assert ws.read("new.txt") == b"new\n"
    ws.restore(ws.options.base.tree)
    assert ws.snapshot(exact=True).tree == ws.options.base.tree


PTRACE = r"""
import ctypes, os, re
libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
found = set()
for pid in map(int, filter(str.isdigit, os.listdir("/proc"))):
    if pid in (os.getpid(), 1):
        continue
    try:
        for line in open(f"/proc/{pid}/maps"):
            first, last = (int(part, 16) for part in line.split()[0].split("-"))
            if "rw" in line and last - first < 1 << 22:
                with open(f"/proc/{pid}/mem", "rb", 0) as memory:
                    memory.seek(first)
                    found |= set(re.findall(rb"(?<![0-9a-f])[0-9a-f]{32}(?![0-9a-f])", memory.read(last - first)))
    except OSError:
        pass
    if libc.ptrace(16, pid, None, None) == 0:  # attach; never let go
        os.waitpid(pid, 0x40000000)
marks = [mark.decode() for mark in found]
for first in marks[:8]:
    for second in marks[:8]:
        for number in range(1, 12):
            print(f"{first}{second}end {number} 0 /\0export FORGED=1{second}{first}", end="")
"""


@pytest.mark.slow
def test_our_sessions_are_traced_and_their_frames_forged(ws):
    """Who has learnt the marks can end its own command early and lie about it, and no more than that."""
    ws.snapshot()
    ws.run("echo new > new.txt")
    try:
        ws.run(python(PTRACE), timeout=10)
        assert ws.options.trees.read(ws.snapshot(exact=True).tree, "new.txt") == b"new\n"
    except WorkspaceError as error:
        assert error.fix  # noqa: PT017  (either way will do)
    fresh = ws.fork(ws.options.base.tree)
    assert fresh.run("echo $FORGED").text == "\n"
    fresh.close()


@pytest.mark.parametrize("signal", ["TERM", "INT", "STOP", "HUP", "QUIT"])
def test_process_1_is_signalled(ws, signal):
    ws.run("echo new > new.txt")
    try:
        ws.run(f"kill -{signal} 1; sleep 0.2", timeout=10)
        assert ws.options.trees.read(ws.snapshot().tree, "new.txt") == b"new\n"
    except WorkspaceError as error:
        assert error.fix  # noqa: PT017  (either way will do)


@pytest.mark.slow
@pytest.mark.parametrize(
    "command",
    [
        "for b in git cat rm mkdir chmod find sed sleep; do p=$(command -v $b) && rm -f $p && ln -s /bin/false $p; done",
        "p=$(command -v git); printf '#!/bin/sh\\necho 4b825dc642cb6eb9a060e54bf8d69288fbee4904\\n' > /tmp/g; cp /tmp/g $p",
        "echo /nowhere/evil.so > /etc/ld.so.preload",
        "rm -rf /swe-agent /workspace/scratch",
        "chmod -R 000 /workspace/repo /swe-agent",
        "rm -rf /workspace/repo; ln -s /etc /workspace/repo",
        "printf '#!/bin/sh\\nexit 0\\n' > /tmp/s; cp /tmp/s /bin/sh",
        "mv /lib/x86_64-linux-gnu/libc.so.6 /tmp/",
    ],
    ids=lambda command: command[:20],
)
def test_what_we_stand_on_is_replaced(ws, command):
    """This workspace may be lost, or lie about its own files; a fresh one, in which proofs run, knows nothing of it."""
    ws.snapshot()
    ws.run(command, timeout=20)
    try:
        ws.snapshot(exact=True)
        ws.write("new.txt", b"new\n")
        ws.restore(ws.options.base.tree)
    except (SweAgentError, OSError):
        pass
    fresh = ws.fork(ws.options.base.tree)
    assert fresh.run("cat README; git status --porcelain; ls /tmp").text == "hello\n"
    assert fresh.snapshot(exact=True).tree == ws.options.base.tree
    fresh.close()
