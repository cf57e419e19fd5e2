"""The first process of a sandbox, which starts its programs on request. It uses the standard library only.

It answers requests on the socket whose descriptor is its argument, until that is closed. When it exits, the kernel ends
all other processes of the sandbox. As process 1, it cannot be stopped or killed from inside the sandbox. It keeps one
capability that the agent's programs do not have, because the kernel then denies them to trace it
(`cap_ptrace_access_check`); the harness's own programs keep it too.

A request is a JSON object with a program's `words`, `env` and `limits`, and three file descriptors: the
program's stdin, its output, and a socket for its control. With `terminal`, there is only the socket, on which the
descriptor of a new terminal is sent. On the socket of a program, `k` kills the program and `g` its process group, as
closing the socket does; the exit status is sent when the program ends.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import resource
import select
import signal
import socket
import sys
from pathlib import Path
from typing import Any

MOST_BYTES = 1 << 20
PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL = 47, 4
PR_SET_DUMPABLE = 4
LIMITS = {
    name: getattr(resource, f"RLIMIT_{name.upper()}")
    for name in ("nproc", "fsize", "nofile", "core", "data", "sigpending", "msgqueue", "memlock", "nice", "rtprio")
}

Programs = dict[int, socket.socket]
"""The control socket of each running program, by its pid."""

libc = ctypes.CDLL(None, use_errno=True)


def main() -> None:
    requests = socket.socket(fileno=int(sys.argv[1]))
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # a process 1 ignores it then
    signal.signal(signal.SIGCHLD, lambda *_: None)
    with contextlib.suppress(OSError):  # without memory, the kernel should end the sandbox, not the user's programs
        Path("/proc/self/oom_score_adj").write_text("500")
    libc.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
    ended, wake = os.pipe()
    for end in (ended, wake):
        os.set_blocking(end, False)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    poll = select.poll()
    poll.register(requests, select.POLLIN)
    poll.register(ended, select.POLLIN)
    programs: Programs = {}
    requests.send(b"ready")
    while True:
        for descriptor, _ in poll.poll():
            if descriptor == requests.fileno():
                if not start_requested(requests, poll, programs):
                    return
            elif descriptor == ended:
                with contextlib.suppress(BlockingIOError):
                    os.read(ended, 1 << 16)
                reap(poll, programs)
            else:
                handle_control(descriptor, poll, programs)


def start_requested(requests: socket.socket, poll: select.poll, programs: Programs) -> bool:
    """Start the requested program. Return whether there may be more requests."""
    try:
        data, descriptors, _, _ = socket.recv_fds(requests, MOST_BYTES, 3)
    except OSError:
        return False
    if not data:
        return False
    request = json.loads(data)
    if len(descriptors) < (1 if request["terminal"] else 3):  # the limit of open files was reached
        for descriptor in descriptors:
            os.close(descriptor)
        return True
    control = socket.socket(fileno=descriptors.pop())
    try:
        if request["terminal"]:
            master, slave = os.openpty()
            socket.send_fds(control, [b"t"], [master])
            os.close(master)
            descriptors = [slave, slave]
        pid = os.fork()
    except OSError as error:
        with contextlib.suppress(OSError):
            control.send(b"e" + str(error).encode())
        control.close()
        pid = -1
    if pid == 0:
        run(request, descriptors)
    for descriptor in set(descriptors):
        os.close(descriptor)
    if pid > 0:
        programs[pid] = control
        poll.register(control, select.POLLIN)
    return True


def run(request: dict[str, Any], descriptors: list[int]) -> None:
    """Become the requested program."""
    try:
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGINT, signal.SIGCHLD, signal.SIGPIPE, signal.SIGXFSZ):
            signal.signal(number, signal.SIG_DFL)
        if request["terminal"]:
            os.login_tty(os.dup(descriptors[0]))
        else:
            os.setsid()
            for target, source in enumerate((descriptors[0], descriptors[1], descriptors[1])):
                os.dup2(source, target)
        os.closerange(3, 1 << 16)
        for name, limit in request["limits"].items():
            hard = resource.getrlimit(LIMITS[name])[1]
            limit = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
            resource.setrlimit(LIMITS[name], (limit, limit))
        if not request["trusted"]:
            libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
        os.execvpe(request["words"][0], request["words"], request["env"])
    except (OSError, ValueError) as error:
        with contextlib.suppress(OSError):
            os.write(2, f"{error}\n".encode())
    finally:
        os._exit(127)


def reap(poll: select.poll, programs: Programs) -> None:
    """Report the exit status of each program that has ended. Orphans end here too."""
    with contextlib.suppress(ChildProcessError):
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                return
            if control := programs.pop(pid, None):
                with contextlib.suppress(KeyError):
                    poll.unregister(control)
                with contextlib.suppress(OSError):
                    control.send(b"x%d" % os.waitstatus_to_exitcode(status))
                control.close()


def handle_control(descriptor: int, poll: select.poll, programs: Programs) -> None:
    """Do what the other end of a program's control socket asks for."""
    found = [(pid, control) for pid, control in programs.items() if control.fileno() == descriptor]
    for pid, control in found:
        try:
            word = control.recv(1)
        except OSError:
            word = b""
        with contextlib.suppress(OSError):
            if word == b"k":
                os.kill(pid, signal.SIGKILL)
            else:
                os.killpg(pid, signal.SIGKILL)
        if not word:
            poll.unregister(control)


if __name__ == "__main__":
    main()
