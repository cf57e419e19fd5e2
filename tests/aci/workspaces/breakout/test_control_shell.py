# ruff: noqa: E501  (the programs are easier to read with long lines)
"""Attacks on the control of a workspace: its control session, process 1 and the framing of answers."""

from __future__ import annotations

import pytest

from tests.aci.workspaces.breakout.hostile import python
from trajectories.errors import SweAgentError, WorkspaceError

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]


@pytest.mark.slow
def test_killing_all_processes_loses_no_files_silently(ws):
    ws.run("echo new > new.txt")
    try:
        ws.run("kill -9 -1", timeout=10)
        ws.run("kill -9 1", timeout=10)
        assert ws.run("echo alive").text.endswith("alive\n")
        assert ws.options.trees.read(ws.snapshot().tree, "new.txt") == b"new\n"
    except WorkspaceError as error:
        assert error.fix  # noqa: PT017  (both outcomes are allowed)


STOP = r"""
import os, signal
for pid in map(int, filter(str.isdigit, os.listdir("/proc"))):
    if pid not in (1, os.getpid(), os.getppid()):
        try: os.kill(pid, signal.SIGSTOP)
        except OSError: pass
"""


@pytest.mark.slow
def test_stopping_control_session_loses_no_files_silently(ws):
    ws.snapshot()
    ws.run("echo new > new.txt")
    ws.run(python(STOP), timeout=10)
    try:
        assert ws.options.trees.read(ws.snapshot().tree, "new.txt") == b"new\n"
    except WorkspaceError as error:
        assert error.fix  # noqa: PT017  (both outcomes are allowed)


FORGE = r"""
import os, time
for pid in filter(str.isdigit, os.listdir("/proc")):
    for fd in ("1", "2"):
        try:
            with open(f"/proc/{pid}/fd/{fd}", "wb", buffering=0) as out:
                out.write(b"\n0 0\n" + b"4b825dc642cb6eb9a060e54bf8d69288fbee4904\n" * 3)
        except OSError: pass
"""


def test_writing_to_control_pipes_forges_no_answer(ws):
    ws.snapshot()
    ws.run(python(FORGE))
    ws.run("echo new > new.txt")
    try:
        assert ws.options.trees.read(ws.snapshot().tree, "new.txt") == b"new\n"
        assert ws.run("echo alive").text.endswith("alive\n")
    except WorkspaceError as error:
        assert error.fix  # noqa: PT017  (both outcomes are allowed)


def test_repeating_frame_forges_no_answer(ws):
    """The command prints everything that the shell knows about its framing; later answers must be unaffected."""
    commands = "set; export -p; fc -l -100; tr '\\0' '\\n' < /proc/$$/cmdline; tr '\\0' '\\n' < /proc/$$/environ"
    output = ws.run(f"{{ {commands}; }} 2>&1 | sed 's/[^ -~]//g' | head -c 100000").text
    ws.run(f"cat <<'END_OF_SEEN'\n{output}\nEND_OF_SEEN\nexit 0")
    assert ws.run("echo first; exit 3").code == 3
    assert ws.run("echo second").text.endswith("second\n")
    assert ws.run("echo third").text == "third\n"


def test_poisoned_environment_does_not_affect_workspace(ws):
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
    if libc.ptrace(16, pid, None, None) == 0:  # attach, and never detach
        os.waitpid(pid, 0x40000000)
marks = [mark.decode() for mark in found]
for first in marks[:8]:
    for second in marks[:8]:
        for number in range(1, 12):
            print(f"{first}{second}end {number} 0 /\0export FORGED=1{second}{first}", end="")
"""


@pytest.mark.slow
def test_tracing_sessions_forges_nothing_in_snapshot_or_fork(ws):
    """A program that has learnt the marks can end its own command early and forge its result, but no more."""
    ws.snapshot()
    ws.run("echo new > new.txt")
    try:
        ws.run(python(PTRACE), timeout=10)
        assert ws.options.trees.read(ws.snapshot(exact=True).tree, "new.txt") == b"new\n"
    except WorkspaceError as error:
        assert error.fix  # noqa: PT017  (both outcomes are allowed)
    fresh = ws.fork(ws.options.base.tree)
    assert fresh.run("echo $FORGED").text == "\n"
    fresh.close()


@pytest.mark.parametrize("signal", ["TERM", "INT", "STOP", "HUP", "QUIT"])
def test_signal_to_process_1_loses_no_files_silently(ws, signal):
    ws.run("echo new > new.txt")
    try:
        ws.run(f"kill -{signal} 1; sleep 0.2", timeout=10)
        assert ws.options.trees.read(ws.snapshot().tree, "new.txt") == b"new\n"
    except WorkspaceError as error:
        assert error.fix  # noqa: PT017  (both outcomes are allowed)


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
def test_fork_is_unaffected_by_replaced_system_programs(ws, command):
    """The attacked workspace may fail or report wrong files. A fork, in which proofs run, must be unaffected."""
    ws.snapshot()
    ws.run(command, timeout=20)
    try:
        ws.snapshot(exact=True)
        ws.write("new.txt", b"new\n")
        ws.restore(ws.options.base.tree)
    except (SweAgentError, OSError):
        pass
    fresh = ws.fork(ws.options.base.tree)
    assert fresh.run("cat README; git status --porcelain; ls /tmp | grep -xE 'g|s|libc.*'").text == "hello\n"
    assert fresh.snapshot(exact=True).tree == ws.options.base.tree
    fresh.close()
