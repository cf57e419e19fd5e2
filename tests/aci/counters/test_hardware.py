"""The processor's counter: how it is asked for, what it says, and that a machine without one is told of."""

import os
import struct
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

import aci.inside
from aci.counters import Unusable
from aci.counters.hardware import ready
from aci.counting_job import Here, inside

INSIDE = Path(aci.inside.__file__).parent


@pytest.fixture
def told(monkeypatch):
    """The module as it is where it runs: beside `meters`."""
    monkeypatch.syspath_prepend(str(INSIDE))
    spec = spec_from_file_location("meters_told", INSIDE / "meters_told.py")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    sys.modules.pop("meters", None)


def test_what_the_kernel_is_asked_for(told):
    data = told.perf_attributes(told.INHERIT | told.DISABLED)
    kind, size, config = struct.unpack_from("=IIQ", data)
    assert (kind, size, config, len(data)) == (0, 64, 1, 64)  # hardware, version 0, instructions
    flags = struct.unpack_from("=Q", data, 40)[0]
    assert flags == 0b1100011  # disabled, inherit, exclude kernel, exclude hypervisor


def test_a_count_is_read_whole(told):
    reading, writing = os.pipe()
    os.write(writing, (2**40 + 7).to_bytes(8, sys.byteorder))
    assert told.perf_read(reading) == 2**40 + 7
    os.close(reading)
    os.close(writing)


def test_the_machine_gives_a_counter_that_counts_or_says_why_not(told, tmp_path):
    for name in ("meters", "meters_told"):
        (tmp_path / f"{name}.py").write_bytes(inside(name))
    try:
        number = told.perf_open(0, told.INHERIT)
    except OSError:
        with pytest.raises(Unusable, match=r"the machine gives no hardware counter: .*Error: \[Errno \d+\]"):
            ready(Here(str(tmp_path)))
    else:
        before = told.perf_read(number)
        sum(range(100_000))
        assert told.perf_read(number) - before > 100_000
        os.close(number)
