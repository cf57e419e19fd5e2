"""Probe for nondeterminism: detects calls that use randomness, the clock or the environment.

Standard library only, for the target's own Python (3.6 and later).
"""

import contextlib
import datetime
import os
import random
import sys
import time

CLOCK = tuple(
    getattr(time, name)
    for name in ("time", "time_ns", "localtime", "gmtime", "ctime", "asctime", "strftime")
    if hasattr(time, name)
)
TODAY = "now", "today", "utcnow"
PLACE = os.getcwd, os.getcwdb, os.urandom
OTHERS = {
    "HOME": "/nowhere/at/all",
    "USER": "somebody",
    "LOGNAME": "somebody",
    "TZ": "XXX-13:45",
    "LANG": "C",
    "LC_ALL": "C",
    "COLUMNS": "93",
}


class NondeterminismProbe:
    """Probe of the calls in the current thread; `what` is the first nondeterministic function called, "" if none."""

    def __init__(self):
        self.what = ""
        self._seeded = False

    @contextlib.contextmanager
    def elsewhere(self):
        """Return a context manager that probes calls and temporarily changes home, user, time zone and language."""
        old = {name: os.environ.get(name) for name in OTHERS}
        _set(OTHERS)
        sys.setprofile(self._on_profile)
        try:
            yield
        finally:
            sys.setprofile(None)
            _set(old)

    def _on_profile(self, frame, event, argument):
        if event == "call":
            if frame.f_code is random.Random.seed.__code__:
                own = frame.f_locals.get("a") is not None
                if frame.f_locals.get("self") is random._inst:
                    self._seeded = own
                elif not own:
                    self._note("random.Random()")
        elif event == "c_call" and not self.what:
            self._check_c_call(frame, argument)

    def _check_c_call(self, frame, called):
        # Compare by identity and type only: an owner's `==`, `__class__` and `__getattr__` are code under test.
        owner = getattr(called, "__self__", None)
        if owner is random._inst:
            if not self._seeded and called.__name__ in ("random", "getrandbits"):
                self._note("random." + called.__name__)
        elif issubclass(type(owner), type):
            if called.__name__ in TODAY and issubclass(owner, datetime.date):
                self._note("%s.%s" % (owner.__name__, called.__name__))
        elif type(owner) is type(sys):
            # Logging reads the clock and imports read the folder, but neither affects the result of the call.
            file = frame.f_code.co_filename
            if file.startswith("<frozen ") or file == getattr(sys.modules.get("logging"), "__file__", None):
                return
            if called in CLOCK or called in PLACE:
                self._note(called.__name__)

    def _note(self, what):
        self.what = self.what or what


def _set(values):
    for name, value in values.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
    time.tzset()
