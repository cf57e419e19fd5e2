"""Stops code that is called with made-up arguments before it does harm: files, processes, network, signals.

By an audit hook, which Python has since 3.8 and which cannot be taken off: for forked children only.
Standard library only, for the target's own Python (3.6 and later).
"""

import os
import sys

HARMS = (
    *("socket.", "subprocess.", "shutil.", "pty.", "ctypes.", "ftplib.", "smtplib.", "urllib.", "http.", "imaplib."),
    *("poplib.", "nntplib.", "telnetlib.", "webbrowser.", "sqlite3.", "syslog.", "fcntl.", "os.exec", "os.spawn"),
    *("os.system", "os.fork", "os.posix_spawn", "os.startfile", "os.remove", "os.rename", "os.rmdir", "os.mkdir"),
    *("os.link", "os.symlink", "os.chmod", "os.chown", "os.chflags", "os.truncate", "os.utime", "os.setxattr"),
    *("os.removexattr", "os.kill", "os.chdir", "os.fchdir", "os.chroot", "os.lockf", "signal.", "time.sleep"),
    *("tempfile.", "os.unshare", "os.setns", "resource."),
)
LOOKS = "open", "os.listdir", "os.scandir"
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


class Harm(BaseException):
    """What was called would have done something outside of its process, or has looked where nobody asked it to."""


class Watch:
    """`harm`: what the present call was stopped at, "" if nothing. It is on between `begin` and `end` only."""

    def __init__(self, root):
        # Who warns or formats a traceback reads source, ours too.
        places = [root, sys.prefix, sys.base_prefix, os.path.dirname(os.__file__), os.path.dirname(__file__)]
        self.places = tuple(os.path.join(os.path.realpath(one), "") for one in places)
        self.harm = ""
        self.on = False

    @staticmethod
    def is_possible():
        return hasattr(sys, "addaudithook")

    def install(self):
        sys.addaudithook(self._see)

    def begin(self):
        self.harm = ""
        self.on = True

    def end(self):
        self.on = False

    def _see(self, event, arguments):
        if not self.on:
            return
        bad = not self._may_look(event, arguments) if event in LOOKS else event.startswith(HARMS)
        if bad:
            self.on = False
            self.harm = self.harm or event
            self.on = True
            raise Harm(event)

    def _may_look(self, event, arguments):
        """Reading the repository's own files and the interpreter's, which imports do."""
        path = arguments[0]
        if event == "open":
            mode, flags = arguments[1], arguments[2]
            if isinstance(mode, str) and any(mark in mode for mark in "wax+"):
                return False
            if isinstance(flags, int) and flags & WRITING:
                return False
        self.on = False
        try:
            real = os.path.realpath(os.fsdecode(path)) if path is not None else os.getcwd()
        except Exception:  # noqa: BLE001 - whatever it was called with
            return False
        finally:
            self.on = True
        return os.path.join(real, "").startswith(self.places)
