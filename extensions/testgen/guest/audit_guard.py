"""Guard that keeps code called with generated arguments from harming files and processes or using the network.

It uses an audit hook (Python 3.8 and later), which cannot be removed, so it is for the agent's own processes only.
Functions that raise no audit event are replaced. Standard library only, for the target's own Python (3.6 and later).
"""

import contextlib
import functools
import importlib
import os
import socket
import sys
import types
import unittest

COMMANDS = (
    *("socket.", "subprocess.", "pty.", "ctypes.", "ftplib.", "smtplib.", "urllib.", "http.", "imaplib.", "poplib."),
    *("nntplib.", "telnetlib.", "webbrowser.", "os.exec", "os.spawn", "os.system", "os.fork", "os.posix_spawn"),
    *("os.startfile", "os.kill", "os.unshare", "os.setns", "os.chroot"),
)
HARMS = (
    *COMMANDS,
    *("shutil.", "sqlite3.", "syslog.", "fcntl.", "os.remove", "os.rename", "os.rmdir", "os.mkdir", "os.link"),
    *("os.symlink", "os.chmod", "os.chown", "os.chflags", "os.truncate", "os.utime", "os.setxattr", "os.removexattr"),
    *("os.chdir", "os.fchdir", "os.lockf", "signal.", "time.sleep", "tempfile.", "resource."),
)
READS = "open", "os.listdir", "os.scandir"
UNAUDITED = (
    *(("atexit", "register"), ("posix", "mkfifo"), ("posix", "mknod"), ("_posixsubprocess", "fork_exec")),
    *(("_posixshmem", "shm_open"), ("_posixshmem", "shm_unlink"), ("_multiprocessing", "SemLock")),
    *(("_gdbm", "open"), ("_dbm", "open"), ("readline", "read_history_file"), ("readline", "write_history_file")),
    *(("readline", "append_history_file"), ("readline", "read_init_file"), ("posix", "pidfd_open")),
    *(("_signal", "pidfd_send_signal"), ("signal", "pidfd_send_signal"), ("posix", "setpriority")),
    *(("posix", "sched_setaffinity"), ("posix", "sched_setscheduler")),
)
"""Functions that can do harm without an audit event, now or when the process ends."""
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


class HarmStopped(BaseException):
    """The code would have changed something outside its process, or read files outside the allowed folders."""


class AuditGuard:
    """The audit hook and its state. `harm` is the first event stopped since `begin`, "" if none.

    Once installed it is always active, as finalizers, threads and exit handlers of a call may run after it has
    returned. If it is not `strict`, only commands and the network are forbidden.
    """

    def __init__(self, root, strict=True):
        # Warnings and tracebacks read source files, including those of this package.
        places = [root, sys.prefix, sys.base_prefix, os.path.dirname(os.__file__), os.path.dirname(__file__)]
        self.places = tuple(os.path.join(os.path.realpath(one), "") for one in places)
        self.harm = ""
        self.strict = strict

    @staticmethod
    def is_possible():
        return hasattr(sys, "addaudithook")

    def install(self):
        sys.addaudithook(self._on_event)

    def begin(self):
        self.harm = ""

    def stop(self, event):
        self.harm = self.harm or event
        raise HarmStopped(event)

    def replace(self):
        """Replace functions that raise no audit event, wherever modules refer to them, by ones that stop the caller."""
        stops = {}
        for module, name in UNAUDITED:
            with contextlib.suppress(ImportError, AttributeError):
                real = getattr(importlib.import_module(module), name)
                stops[id(real)] = _Stop(self, name, real)
        for module in list(sys.modules.values()):
            held = getattr(module, "__dict__", None)
            for name, value in list(held.items()) if type(held) is dict else ():
                if id(value) in stops:
                    held[name] = stops[id(value)]

    def _on_event(self, event, arguments):
        if event in READS:
            bad = self.strict and not self._may_read(event, arguments)
        elif event == "import":
            bad = self.strict and str(arguments[0]).split(".")[0] == "multiprocessing"
        else:
            bad = event.startswith(HARMS if self.strict else COMMANDS) and not _is_pair(event)
        if bad:
            self.stop(event)

    def _may_read(self, event, arguments):
        """Return whether the event only reads files of the repository or the interpreter, as imports do."""
        path = arguments[0]
        if event == "open":
            mode, flags = arguments[1], arguments[2]
            if isinstance(mode, str) and any(mark in mode for mark in "wax+"):
                return False
            if isinstance(flags, int) and flags & WRITING:
                return False
        if type(path) not in (str, bytes, type(None)):  # another object might return a different path each time
            return False
        try:
            real = os.path.realpath(os.fsdecode(path)) if path is not None else os.getcwd()
        except (OSError, ValueError):
            return False
        return os.path.join(real, "").startswith(self.places)


class _Stop:
    """Replacement for a function: calling it stops the caller."""

    def __init__(self, watch, name, real):
        self.watch, self.name, self.real = watch, name, real

    def __call__(self, *arguments, **named):
        code = sys._getframe(1).f_code
        # Modules of the standard library, such as logging, register exit handlers while they are imported.
        if (
            self.name == "register"
            and code.co_name == "<module>"
            and code.co_filename.startswith(self.watch.places[1:])
        ):
            return self.real(*arguments, **named)
        return self.watch.stop(self.name)


def _is_pair(event):
    """Return whether a socket is created for a private socket pair, as asyncio's event loop does."""
    if event != "socket.__new__":
        return False
    frame = sys._getframe(2)
    codes = [one.f_code for one in (frame, frame.f_back) if one is not None]
    return getattr(socket.socketpair, "__code__", None) in codes


def guard(names, root):
    """Guard each test among a module's `names` strictly while it runs.

    From then on commands and the network are forbidden in the whole process, as code that a test leaves behind may run
    later.
    """
    if not AuditGuard.is_possible():
        return
    watch = AuditGuard(root, strict=False)
    watch.replace()
    watch.install()
    for value in [names, *names.values()]:
        if value is names:
            _guard(watch, names, names.__setitem__)
        elif isinstance(value, type) and issubclass(value, unittest.TestCase):
            _guard(watch, vars(value), functools.partial(setattr, value))


def _guard(watch, names, put):
    for name, value in list(names.items()):
        if name.startswith("test") and isinstance(value, types.FunctionType):
            put(name, _watched(watch, value))


def _watched(watch, test):
    @functools.wraps(test)
    def watched(*arguments):
        watch.begin()
        watch.strict = True
        try:
            test(*arguments)
        except HarmStopped:
            pass
        finally:
            watch.strict = False
        if watch.harm:
            raise AssertionError("it was stopped before %s" % watch.harm)

    return watched
