"""Which lines under a root run while a test does: `sys.monitoring` where there is one (3.12), else `sys.settrace`.

Standard library only, for the target's own Python (3.6 and later).
"""

import os
import sys
import threading

FOREIGN = (os.sep + "site-packages" + os.sep, os.sep + ".venv" + os.sep, os.sep + ".tox" + os.sep)


class LineTracer:
    """`lines` maps a root-relative path to the set of its lines that ran between `start` and `stop`."""

    def __init__(self, root):
        self.root = os.path.join(os.path.realpath(root), "")
        self.lines = {}
        self._files = {}

    def start(self):
        if hasattr(sys, "monitoring"):
            self._monitor()
        else:
            threading.settrace(self._call)
            sys.settrace(self._call)

    def stop(self):
        if hasattr(sys, "monitoring"):
            sys.monitoring.set_events(sys.monitoring.COVERAGE_ID, 0)
            sys.monitoring.free_tool_id(sys.monitoring.COVERAGE_ID)
        else:
            sys.settrace(None)
            threading.settrace(None)

    def _of(self, filename):
        """The set of lines seen of a file, or None for a file that is not the repository's."""
        try:
            return self._files[filename]
        except KeyError:
            path = os.path.realpath(filename)
            ours = filename[:1] != "<" and path.startswith(self.root) and not any(part in path for part in FOREIGN)
            seen = self.lines.setdefault(path[len(self.root) :].replace(os.sep, "/"), set()) if ours else None
            self._files[filename] = seen
            return seen

    def _call(self, frame, event, argument):
        seen = self._of(frame.f_code.co_filename)
        if seen is None:
            return None

        def line(frame, event, argument):
            if event == "line":
                seen.add(frame.f_lineno)
            return line

        return line

    def _monitor(self):
        monitoring = sys.monitoring
        if monitoring.get_tool(monitoring.COVERAGE_ID) is not None:
            monitoring.set_events(monitoring.COVERAGE_ID, 0)
            monitoring.free_tool_id(monitoring.COVERAGE_ID)
        monitoring.use_tool_id(monitoring.COVERAGE_ID, "swe-agent")

        def line(code, number):
            seen = self._of(code.co_filename)
            if seen is not None:
                seen.add(number)
            return monitoring.DISABLE

        monitoring.register_callback(monitoring.COVERAGE_ID, monitoring.events.LINE, line)
        monitoring.set_events(monitoring.COVERAGE_ID, monitoring.events.LINE)
        monitoring.restart_events()
