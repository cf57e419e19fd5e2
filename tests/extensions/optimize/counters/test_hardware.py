"""The processor's instruction counter: its request to the kernel, its readings, and the error without one."""

import os
import struct
import sys

import pytest

from aci.runtime.guest_programs import install_programs
from extensions.optimize.counters import CounterUnusable
from extensions.optimize.counters.hardware import ready
from extensions.optimize.guest import counter_meters
from extensions.optimize.measurement.count_job import LocalHost


def test_perf_attributes_request_user_instructions():
    data = counter_meters.perf_attributes(counter_meters.INHERIT | counter_meters.DISABLED)
    kind, size, config = struct.unpack_from("=IIQ", data)
    assert (kind, size, config, len(data)) == (0, 64, 1, 64)  # hardware, version 0, instructions
    flags = struct.unpack_from("=Q", data, 40)[0]
    assert flags == 0b1100011  # disabled, inherit, exclude kernel, exclude hypervisor


def test_count_above_32_bits_is_read():
    read_end, write_end = os.pipe()
    os.write(write_end, (2**40 + 7).to_bytes(8, sys.byteorder))
    assert counter_meters.perf_read(read_end) == 2**40 + 7
    os.close(read_end)
    os.close(write_end)


def test_counter_counts_or_error_states_why_not(tmp_path):
    install_programs(LocalHost(str(tmp_path)).write, str(tmp_path), "optimize.count_runner")
    try:
        number = counter_meters.perf_open(0, counter_meters.INHERIT)
    except OSError:
        with pytest.raises(
            CounterUnusable, match=r"the machine has no usable hardware counter: .*Error: \[Errno \d+\]"
        ):
            ready(LocalHost(str(tmp_path)))
    else:
        before = counter_meters.perf_read(number)
        sum(range(100_000))
        assert counter_meters.perf_read(number) - before > 100_000
        os.close(number)
