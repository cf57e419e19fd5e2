"""Whether what is called asks for chance, the clock or where it is: what it gives then may be another thing tomorrow.

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


class Asked:
    """`what`: the first thing that was asked for, "" if nothing. It sees calls in the thread that makes it."""

    def __init__(self):
        self.what = ""
        self._seeded = False

    @contextlib.contextmanager
    def elsewhere(self):
        """Looks, with another home, user, time zone and language for the time of it."""
        old = {name: os.environ.get(name) for name in OTHERS}
        _set(OTHERS)
        sys.setprofile(self._see)
        try:
            yield
        finally:
            sys.setprofile(None)
            _set(old)

    def _see(self, frame, event, argument):
        if event == "call":
            if frame.f_code is random.Random.seed.__code__:
                own = frame.f_locals.get("a") is not None
                if frame.f_locals.get("self") is random._inst:
                    self._seeded = own
                elif not own:
                    self._say("random.Random()")
        elif event == "c_call" and not self.what:
            self._judge(frame, argument)

    def _judge(self, frame, called):
        # By identity and type alone: an owner's own `==`, `__class__` and `__getattr__` are code under test.
        owner = getattr(called, "__self__", None)
        if owner is random._inst:
            if not self._seeded and called.__name__ in ("random", "getrandbits"):
                self._say("random." + called.__name__)
        elif issubclass(type(owner), type):
            if called.__name__ in TODAY and issubclass(owner, datetime.date):
                self._say("%s.%s" % (owner.__name__, called.__name__))
        elif type(owner) is type(sys):
            # A log tells the time of day, and imports look at the folder: neither is what the call gives.
            file = frame.f_code.co_filename
            if file.startswith("<frozen ") or file == getattr(sys.modules.get("logging"), "__file__", None):
                return
            if called in CLOCK or called in PLACE:
                self._say(called.__name__)

    def _say(self, what):
        self.what = self.what or what


def _set(values):
    for name, value in values.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
    time.tzset()
