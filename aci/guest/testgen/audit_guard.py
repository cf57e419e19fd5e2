"""Stops code that is called with made-up arguments before it does harm: files, processes, network, signals.

By an audit hook, which Python has since 3.8 and which cannot be taken off: for processes of our own only. What raises
no audit event is replaced.
Standard library only, for the target's own Python (3.6 and later).
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
LOOKS = "open", "os.listdir", "os.scandir"
UNHEARD = (
    *(
        ("atexit", "register"),
        ("posix", "mkfifo"),
        ("posix", "mknod"),
        ("_posixsubprocess", "fork_exec"),
        ("_posixshmem", "shm_open"),
    ),
    *(("_posixshmem", "shm_unlink"), ("_gdbm", "open"), ("_dbm", "open")),
)
"""Functions that do harm without an audit event, now or when the process ends."""
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


class Harm(BaseException):
    """What was called would have done something outside of its process, or has looked where nobody asked it to."""


class Watch:
    """`harm`: what was stopped first since `begin`, "" if nothing.

    Once installed it is never off, as what a call leaves behind (finalizers, threads, what is registered for the end)
    runs when it has returned. While it is not `strict` only commands and the network are forbidden.
    """

    def __init__(self, root, strict=True):
        # Who warns or formats a traceback reads source, ours too.
        places = [root, sys.prefix, sys.base_prefix, os.path.dirname(os.__file__), os.path.dirname(__file__)]
        self.places = tuple(os.path.join(os.path.realpath(one), "") for one in places)
        self.harm = ""
        self.strict = strict

    @staticmethod
    def is_possible():
        return hasattr(sys, "addaudithook")

    def install(self):
        sys.addaudithook(self._see)

    def begin(self):
        self.harm = ""

    def stop(self, event):
        self.harm = self.harm or event
        raise Harm(event)

    def replace(self):
        """Put what stops in the place of what raises no event, wherever a module holds it."""
        stops = {}
        for module, name in UNHEARD:
            with contextlib.suppress(ImportError, AttributeError):
                real = getattr(importlib.import_module(module), name)
                stops[id(real)] = _Stop(self, name, real)
        for module in list(sys.modules.values()):
            held = getattr(module, "__dict__", None)
            for name, value in list(held.items()) if type(held) is dict else ():
                if id(value) in stops:
                    held[name] = stops[id(value)]

    def _see(self, event, arguments):
        if event in LOOKS:
            bad = self.strict and not self._may_look(event, arguments)
        elif event == "import":
            bad = self.strict and str(arguments[0]).split(".")[0] == "multiprocessing"
        else:
            bad = event.startswith(HARMS if self.strict else COMMANDS) and not _is_pair(event)
        if bad:
            self.stop(event)

    def _may_look(self, event, arguments):
        """Reading the repository's own files and the interpreter's, which imports do."""
        path = arguments[0]
        if event == "open":
            mode, flags = arguments[1], arguments[2]
            if isinstance(mode, str) and any(mark in mode for mark in "wax+"):
                return False
            if isinstance(flags, int) and flags & WRITING:
                return False
        if type(path) not in (str, bytes, type(None)):  # an object of other code's might say something else each time
            return False
        try:
            real = os.path.realpath(os.fsdecode(path)) if path is not None else os.getcwd()
        except (OSError, ValueError):
            return False
        return os.path.join(real, "").startswith(self.places)


class _Stop:
    """Stands for a function, and stops whoever calls it."""

    def __init__(self, watch, name, real):
        self.watch, self.name, self.real = watch, name, real

    def __call__(self, *arguments, **named):
        code = sys._getframe(1).f_code
        # Modules of the interpreter's, as logging, are registered for the end while they are imported.
        if (
            self.name == "register"
            and code.co_name == "<module>"
            and code.co_filename.startswith(self.watch.places[1:])
        ):
            return self.real(*arguments, **named)
        return self.watch.stop(self.name)


def _is_pair(event):
    """Whether a socket is made as one of a pair, which is heard by nobody else: the event loop of asyncio has one."""
    if event != "socket.__new__":
        return False
    frame = sys._getframe(2)
    codes = [one.f_code for one in (frame, frame.f_back) if one is not None]
    return getattr(socket.socketpair, "__code__", None) in codes


def guard(names, root):
    """Watch the tests among a module's `names` while each runs, and forbid its process commands and the network from
    then on: what a test leaves behind runs later."""
    if not Watch.is_possible():
        return
    watch = Watch(root, strict=False)
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
        except Harm:
            pass
        finally:
            watch.strict = False
        if watch.harm:
            raise AssertionError("it was stopped before %s" % watch.harm)

    return watched
