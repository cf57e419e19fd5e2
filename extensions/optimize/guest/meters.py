"""Meters, which count instructions while a region of Python runs: valgrind here, the others in `counter_meters`.

A meter has `run(function, args, kwargs, label)`, which returns the result or error of the call and writes the call's
cost under `label` to the folder `out`. `start()` begins counting.
Standard library only, for the target's own Python (3.7 and later).
"""

import ctypes
import functools
import mmap
import os

from .region_runner import run_region

REQUESTS = {
    "x86_64": "4889f0 4889fa 48c1c703 48c1c70d 48c1c73d 48c1c733 4887db 4889d0 c3",
    "aarch64": "e30300aa e40301aa 8c0dcc93 8c35cc93 8ccdcc93 8cf5cc93 4a010aaa e00303aa c0035fd6",
}
"""Machine code, by architecture, of valgrind's client request (see valgrind.h): (default, address of six words) ->
answer."""

RUNNING, DUMP_AT, INSTRUMENT = 0x1001, 0x43540003, 0x43540004


def meter_class(kind):
    """Return the meter class with this name; its constructor takes the folder `out`, to which counts are written."""
    if kind == "valgrind":
        return Valgrind
    from . import counter_meters

    return counter_meters.METERS[kind]


class Valgrind:
    """A meter based on callgrind, which dumps and resets the cost of all threads before and after a region."""

    def __init__(self, out):
        code = bytes.fromhex(REQUESTS[os.uname().machine].replace(" ", ""))
        page = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
        page.write(code)
        start = ctypes.addressof(ctypes.c_char.from_buffer(page))
        self._request = ctypes.PYFUNCTYPE(ctypes.c_size_t, ctypes.c_size_t, ctypes.c_void_p)(start)
        self._kept = [page]
        if not self._client_request(RUNNING)():
            raise OSError("valgrind does not answer")
        self._begin = self._client_request(DUMP_AT, "-")
        self.start = self._client_request(INSTRUMENT)
        for _ in range(20):  # warm up ctypes and the interpreter
            run_region(self._client_request(RUNNING), self._client_request(RUNNING), len, ((),), {})

    def _client_request(self, what, label=""):
        text = ctypes.create_string_buffer(label.encode())
        words = (ctypes.c_size_t * 6)(what, ctypes.addressof(text))
        self._kept += [text, words]
        return functools.partial(self._request, 0, ctypes.addressof(words))

    def run(self, function, args, kwargs, label):
        return run_region(self._begin, self._client_request(DUMP_AT, label), function, args, kwargs)

    def more(self, label):
        """Record the cost incurred since the region ended."""
        self._client_request(DUMP_AT, label)()
