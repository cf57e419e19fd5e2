"""Meters that the measured process can read: the processor's instruction counter and the interpreter's opcode events.

Standard library only, for the target's own Python (3.7 and later).
"""

import ctypes
import dis
import errno
import itertools
import json
import os
import struct
import sys
import threading
import types
from collections import Counter

from .region_runner import run_region

PERF_OPEN = {"x86_64": 298, "aarch64": 241}
PERF_ENABLE, PERF_DISABLE, PERF_RESET = 0x2400, 0x2401, 0x2403
INHERIT, EXCLUDE_KERNEL, EXCLUDE_HYPERVISOR, ENABLE_ON_EXEC, DISABLED = 1 << 1, 1 << 5, 1 << 6, 1 << 12, 1
IN_C = {"CONTAINS_OP", "LIST_EXTEND", "SET_UPDATE", "DICT_UPDATE", "DICT_MERGE", "BINARY_SLICE", "LIST_TO_TUPLE"}
"""Opcodes that iterate over a container in C."""


class ReadableMeter:
    """A meter whose count can be read: `now()` returns the total so far. It writes a line for each region to a file."""

    def __init__(self, out):
        self._file = os.path.join(out, "counts")
        self._before = self._after = 0

    def start(self):
        pass

    def run(self, function, args, kwargs, label):
        self._before = self.now()
        result = run_region(self.on, self.off, function, args, kwargs)
        self._after = self.now()
        self._write(label, self._after - self._before, self.in_c())
        return result

    def more(self, label):
        """Record the cost incurred since the region ended."""
        self._write(label, self.now() - self._after, "")

    def _write(self, label, cost, in_c):
        with open(self._file, "a") as stream:
            stream.write(json.dumps([label, cost, in_c]) + "\n")

    def in_c(self):
        return ""


class Hardware(ReadableMeter):
    """The processor's count of user-mode instructions, of this thread and of all threads and processes it starts."""

    def __init__(self, out):
        super().__init__(out)
        self._perf = perf_open(0, INHERIT)
        self.on = self.off = self.now  # counts continuously, to include threads that outlive a region

    def now(self):
        return perf_read(self._perf)


def perf_open(pid, flags):
    """Open an instruction counter for a process. Raises OSError if the machine does not support it."""
    libc = ctypes.CDLL(None, use_errno=True)
    attributes = ctypes.create_string_buffer(perf_attributes(flags))
    number = PERF_OPEN.get(os.uname().machine)
    if number is None:
        raise OSError(errno.ENOSYS, "no counter is known for %s" % os.uname().machine)
    found = libc.syscall(
        ctypes.c_long(number), attributes, ctypes.c_int(pid), ctypes.c_int(-1), ctypes.c_int(-1), ctypes.c_ulong(8)
    )
    if found < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return found


def perf_attributes(flags):
    """Return `struct perf_event_attr` of version 0 (64 bytes): type hardware, instructions, user mode only."""
    return struct.pack("=IIQQQQQIIQ", 0, 64, 1, 0, 0, 0, flags | EXCLUDE_KERNEL | EXCLUDE_HYPERVISOR, 0, 0, 0)


def perf_read(number):
    return struct.unpack("=Q", os.read(number, 8))[0]


class Opcodes(ReadableMeter):
    """A meter of executed opcodes, not of work in C; uses sys.monitoring (Python 3.12 and later) or sys.settrace."""

    def __init__(self, out):
        self._events, self._c_calls, self._names = itertools.count(), Counter(), {}
        self.on, self.off = (
            (self._monitor, self._unmonitor)
            if hasattr(sys, "monitoring")
            else (
                self._trace,
                self._untrace,
            )
        )
        super().__init__(out)

    def now(self):
        """Return the number of events so far, read from an `itertools.count`, whose `next` is thread-safe."""
        return self._events.__reduce__()[1][0] if sys.version_info < (3, 14) else int(repr(self._events)[6:-1])

    def in_c(self):
        """Return counts of the C functions called and of the opcodes that iterate over a container in C, as text."""
        counts = " ".join("%s:%d" % pair for pair in sorted(self._c_calls.items()))
        self._c_calls.clear()
        return counts

    def _name(self, code, offset):
        names = self._names.get(code)
        if names is None:
            names = self._names[code] = [
                name in IN_C and name for name in map(dis.opname.__getitem__, code.co_code[::2])
            ]
        return names[offset // 2]

    def _event(self, code, offset):
        next(self._events)
        name = self._name(code, offset)
        if name:
            self._c_calls[name] += 1

    def _frame(self, frame, event, argument):
        if frame.f_code in OWN_CODE:
            return None
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        if event == "opcode":
            self._event(frame.f_code, frame.f_lasti)
        return self._frame

    def _profile(self, frame, event, argument):
        if event == "c_call" and argument not in OWN_FUNCTIONS and frame.f_code not in OWN_CODE:
            self._c_calls[getattr(argument, "__qualname__", "?")] += 1

    def _trace(self):
        threading.settrace(self._frame)
        threading.setprofile(self._profile)
        sys.setprofile(self._profile)
        sys.settrace(self._frame)

    def _untrace(self):
        sys.settrace(None)
        sys.setprofile(None)
        threading.settrace(None)
        threading.setprofile(None)

    def _monitor(self):
        monitoring = sys.monitoring
        if monitoring.get_tool(monitoring.PROFILER_ID) != "swe-agent":
            monitoring.use_tool_id(monitoring.PROFILER_ID, "swe-agent")
        monitoring.register_callback(monitoring.PROFILER_ID, monitoring.events.INSTRUCTION, self._instruction)
        monitoring.register_callback(monitoring.PROFILER_ID, monitoring.events.CALL, self._call)
        monitoring.set_events(monitoring.PROFILER_ID, monitoring.events.INSTRUCTION | monitoring.events.CALL)

    def _instruction(self, code, offset):
        if code not in OWN_CODE:
            self._event(code, offset)

    def _call(self, code, offset, function, argument):
        if code not in OWN_CODE and isinstance(function, C_FUNCTIONS):
            self._c_calls[getattr(function, "__qualname__", "?")] += 1

    def _unmonitor(self):
        sys.monitoring.set_events(sys.monitoring.PROFILER_ID, 0)


C_FUNCTIONS = (types.BuiltinFunctionType, types.MethodDescriptorType, types.WrapperDescriptorType, type)
OWN_FUNCTIONS = (sys.settrace, sys.setprofile)
OWN_CODE = {each.__code__ for each in (run_region, Opcodes._monitor, Opcodes._unmonitor, threading.settrace)}
METERS = {"hardware": Hardware, "opcodes": Opcodes}
