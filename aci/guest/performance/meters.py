"""What counts while a region of Python runs: valgrind by its client requests here, the others in `meters_told`.

A meter has `run(function, args, kwargs, label)`, which returns what the call returned or raised, and leaves
under `label` what it cost in the folder `out`; and `on()` and `off()`, for regions that lie in a program's own code.
Standard library only, for the target's own Python (3.7 and later).
"""

import ctypes
import functools
import itertools
import mmap
import os
import types
from collections import deque

MOST_ITEMS = 1000000
"""Of a lazy result, which is part of the work."""

REQUESTS = {
    "x86_64": "4889f0 4889fa 48c1c703 48c1c70d 48c1c73d 48c1c733 4887db 4889d0 c3",
    "aarch64": "e30300aa e40301aa 8c0dcc93 8c35cc93 8ccdcc93 8cf5cc93 4a010aaa e00303aa c0035fd6",
}
"""A function (default, address of six words) -> answer: valgrind's client request, as valgrind.h writes it."""

RUNNING, DUMP, TOGGLE, DUMP_AT = 0x1001, 0x43540000, 0x43540002, 0x43540003


def meter(kind):
    """The meter of that name: a class, made with the folder `out`, where it leaves what it counts."""
    if kind == "valgrind":
        return Valgrind
    import meters_told

    return meters_told.METERS[kind]


def region(begin, end, function, args, kwargs):
    """Between begin and end nothing happens but the call and the using up of a lazy result; that is freed later."""
    begin()
    try:
        result = function(*args, **kwargs)
        if isinstance(result, LAZY):
            use_up(result)
    except BaseException as error:  # noqa: BLE001 - how a call ends is for others to judge
        result = error
    end()
    return result


LAZY = (types.GeneratorType, types.CoroutineType, map, filter, zip, enumerate, itertools.chain, itertools.islice)


def use_up(lazy):
    if isinstance(lazy, types.CoroutineType):
        import asyncio

        asyncio.run(lazy)
    else:
        deque(itertools.islice(lazy, MOST_ITEMS), 0)


class Valgrind:
    """Callgrind dumps, and sets to zero, what all threads have cost: before a region, and behind it with a label."""

    knows = False

    def __init__(self, out):
        code = bytes.fromhex(REQUESTS[os.uname().machine].replace(" ", ""))
        page = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
        page.write(code)
        start = ctypes.addressof(ctypes.c_char.from_buffer(page))
        self._request = ctypes.PYFUNCTYPE(ctypes.c_size_t, ctypes.c_size_t, ctypes.c_void_p)(start)
        self._kept = [page]
        if not self._asked(RUNNING)():
            raise OSError("valgrind does not answer")
        self._begin = self._asked(DUMP_AT, "-")
        self.on = self.off = self._asked(TOGGLE)
        for _ in range(20):  # ctypes and the interpreter settle
            region(self._asked(RUNNING), self._asked(RUNNING), len, ((),), {})

    def _asked(self, what, label=""):
        text = ctypes.create_string_buffer(label.encode())
        words = (ctypes.c_size_t * 6)(what, ctypes.addressof(text))
        self._kept += [text, words]
        return functools.partial(self._request, 0, ctypes.addressof(words))

    def run(self, function, args, kwargs, label):
        return region(self._begin, self._asked(DUMP_AT, label), function, args, kwargs)

    def more(self, label):
        """Add what has been done since the region's end."""
        self._asked(DUMP_AT, label)()
