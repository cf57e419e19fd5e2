"""Runs a Python module and records which functions of a folder call which. Started by `benchmarks/calls.py`.

    python calls_tracer.py OUT.json FOLDER MODULE [ARGUMENTS]

Runs in the Python of the measured package, 3.8 or newer, and imports only the standard library. Paths are relative to
FOLDER. A row is [how, caller's path, its line, callee's path, first line, name, wrapper or null]; `wrapper` is
[path, first line] of a nested function that passed the call on. `ran` has [path, first line, name].
"""

from __future__ import annotations

import atexit
import dis
import json
import os
import runpy
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

NESTED, GENERATOR = 0x10, 0x20 | 0x80 | 0x200
ALLOWED = frozenset(("__init__", "__new__", "__call__"))
CALLS = ("CALL", "PRECALL")
ATTRIBUTES = ("LOAD_ATTR", "LOAD_METHOD", "LOAD_SUPER", "STORE_ATTR", "DELETE_ATTR")


class Tracer:
    """Records calls by the identity of both code objects and the caller's instruction; resolves them at the end."""

    def __init__(self, folder: str) -> None:
        self.folder = os.path.realpath(folder) + os.sep
        self.codes: dict[int, CodeType] = {}
        self.paths: dict[int, str] = {}
        self.starts: dict[int, int] = {}
        self.calls: set[tuple[int, int, int, bool, int]] = set()
        self.ran: set[int] = set()
        self.local = threading.local()

    def path_of(self, code: CodeType) -> str:
        """The code's path relative to the folder; an empty string for code outside it."""
        known = self.paths.get(id(code))
        if known is None:
            self.codes[id(code)] = code
            path = os.path.realpath(code.co_filename)
            inside = path.startswith(self.folder) and not code.co_filename.startswith("<")
            known = self.paths[id(code)] = path[len(self.folder) :] if inside else ""
        return known

    def profile(self, frame: FrameType, event: str, _argument: object) -> None:
        if event == "call":
            caller = frame.f_back
            if caller is not None and self.path_of(frame.f_code):
                self.record_frame(frame, caller)
        elif event == "c_call":
            self.c_frames().append(frame)
        elif event in ("c_return", "c_exception"):
            pending = self.c_frames()
            if pending:
                pending.pop()

    def c_frames(self) -> list[FrameType]:
        """The frames of this thread that are currently calling a C function, innermost last."""
        if not hasattr(self.local, "pending"):
            self.local.pending = []
        pending: list[FrameType] = self.local.pending
        return pending

    def record_frame(self, frame: FrameType, caller: FrameType) -> None:
        code = frame.f_code
        if code.co_flags & GENERATOR and frame.f_lasti != self.start_of(code):
            return
        self.ran.add(id(code))
        pending = self.c_frames()
        through_c = bool(pending) and pending[-1] is caller
        outer = caller.f_back if caller.f_code.co_flags & NESTED else None
        if self.path_of(caller.f_code):
            self.record_call(caller, code, through_c, 0)
        if outer is not None and not through_c and self.path_of(outer.f_code) and self.path_of(caller.f_code):
            self.record_call(outer, code, False, id(caller.f_code))

    def record_call(self, caller: FrameType, code: CodeType, through_c: bool, wrapper: int) -> None:
        self.calls.add((id(caller.f_code), caller.f_lasti, id(code), through_c, wrapper))

    def start_of(self, code: CodeType) -> int:
        """The instruction at which a generator starts, after it was made; -1 if the code has none."""
        known = self.starts.get(id(code))
        if known is None:
            resumes = (one.offset for one in dis.get_instructions(code) if one.opname == "RESUME")
            known = self.starts[id(code)] = next(resumes, -1)
        return known

    def rows(self) -> Iterator[list[Any]]:
        for caller_id, at, callee_id, through_c, wrapper_id in list(self.calls):
            caller, callee = self.codes[caller_id], self.codes[callee_id]
            how = "through C" if through_c else how_called(caller, at, callee)
            wrapper = self.codes[wrapper_id] if wrapper_id else None
            yield [
                how,
                self.paths[caller_id],
                line_of(caller, at),
                self.paths[callee_id],
                callee.co_firstlineno,
                callee.co_name,
                wrapper and [self.paths[wrapper_id], wrapper.co_firstlineno],
            ]


def how_called(caller: CodeType, at: int, callee: CodeType) -> str:
    """`call`, `attribute` (properties), `generator` (made elsewhere) or `protocol` (`a + b`, `str(a)`)."""
    name = callee.co_name
    known = name in caller.co_names or name in caller.co_varnames or name in caller.co_freevars
    if callee.co_flags & GENERATOR:
        return "call" if known or name in caller.co_cellvars else "generator"
    while at > 0 and dis.opname[caller.co_code[at]] == "CACHE":
        at -= 2
    opcode = dis.opname[caller.co_code[at]] if at >= 0 else ""
    if opcode.startswith(ATTRIBUTES):
        return "attribute"
    dunder = name.startswith("__") and name.endswith("__") and name not in ALLOWED
    return "call" if opcode.startswith(CALLS) and (known or not dunder) else "protocol"


def line_of(code: CodeType, at: int) -> int:
    line = code.co_firstlineno
    for start, found in dis.findlinestarts(code):
        if start > at:
            break
        line = found or line
    return line


def main() -> None:
    out, folder, module = sys.argv[1:4]
    sys.argv = [module, *sys.argv[4:]]
    sys.path[0] = str(Path.cwd())
    tracer = Tracer(folder)
    process = os.getpid()

    def write() -> None:
        sys.setprofile(None)
        threading.setprofile(None)
        if os.getpid() == process:
            codes = [tracer.codes[one] for one in tracer.ran]
            ran = [[tracer.path_of(code), code.co_firstlineno, code.co_name] for code in codes]
            Path(out).write_text(json.dumps({"rows": list(tracer.rows()), "ran": ran}), "utf-8")

    atexit.register(write)
    threading.setprofile(tracer.profile)
    sys.setprofile(tracer.profile)
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
