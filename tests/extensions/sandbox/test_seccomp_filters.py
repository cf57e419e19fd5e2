"""The seccomp filters in the package are those that the script compiles."""

from __future__ import annotations

import ctypes
import errno
import importlib.util
import os
import struct
from pathlib import Path
from types import ModuleType

import pytest

from extensions.sandbox import bubblewrap

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "extensions/sandbox/seccomp"


@pytest.fixture(scope="module")
def script() -> ModuleType:
    """The script as a module."""
    spec = importlib.util.spec_from_file_location("seccomp_filters", ROOT / "scripts/seccomp_filters.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_files_equal_what_the_script_compiles(script: ModuleType) -> None:
    try:
        ctypes.CDLL("libseccomp.so.2")
    except OSError:
        if os.environ.get("CI"):  # Docker depends on it
            raise
        pytest.skip("libseccomp.so.2 is missing, as on macOS")
    assert script.filters() == {file.name: file.read_bytes() for file in FOLDER.iterdir()}


def test_each_processor_of_the_sandbox_has_filters(script: ModuleType) -> None:
    assert set(script.PROCESSORS) == set(bubblewrap.PROCESSORS)
    names = {f"{each}{kind}.bpf" for each in bubblewrap.PROCESSORS for kind in ("", "-counting", "-denied")}
    assert {file.name for file in FOLDER.iterdir()} == {*names, "newer.bpf"}


@pytest.mark.parametrize(("call", "is_allowed"), [(0, True), (455, True), (456, True), (457, False), (2**31, False)])
def test_unknown_system_calls_fail_as_unknown(script: ModuleType, call: int, is_allowed: bool) -> None:
    expected = script.ALLOW if is_allowed else script.DENY | errno.ENOSYS
    assert run((FOLDER / "newer.bpf").read_bytes(), struct.pack("II", call, 0xC000003E) + bytes(56)) == expected


@pytest.mark.parametrize(
    ("name", "call", "arguments", "error"),
    [
        ("x86_64-denied.bpf", 16, (0, 0x5412), errno.EPERM),  # ioctl with TIOCSTI
        ("x86_64-denied.bpf", 16, (0, 0xFFFFFFFF_00005412), errno.EPERM),  # the kernel ignores the upper half
        ("x86_64-denied.bpf", 16, (0, 0x5413), 0),
        ("x86_64-denied.bpf", 90, (0, 0o4755), errno.EPERM),  # chmod with the setuid bit
        ("x86_64-denied.bpf", 90, (0, 0o755), 0),
        ("x86_64-denied.bpf", 302, (7, 0, 1), errno.EPERM),  # prlimit64 of another process
        ("x86_64-denied.bpf", 302, (0, 0, 1), 0),
        ("x86_64.bpf", 0, (), 0),  # read
        ("x86_64.bpf", 298, (), errno.EPERM),  # perf_event_open
        ("x86_64-counting.bpf", 298, (), 0),
        ("x86_64.bpf", 425, (), errno.EPERM),  # io_uring_setup
        ("x86_64.bpf", 321, (), errno.EPERM),  # bpf
        ("x86_64.bpf", 41, (38,), errno.EPERM),  # socket with AF_ALG
        ("x86_64.bpf", 41, (1,), 0),  # socket with AF_UNIX
        ("aarch64.bpf", 63, (), 0),  # read
        ("aarch64.bpf", 280, (), errno.EPERM),  # bpf
    ],
)
def test_system_calls_are_allowed_or_denied(
    script: ModuleType, name: str, call: int, arguments: tuple[int, ...], error: int
) -> None:
    processor = script.PROCESSORS[name.partition(".")[0].partition("-")[0]][1]
    data = struct.pack("<IIQ6Q", call, processor, 0, *(*arguments, *[0] * 6)[:6])
    assert run((FOLDER / name).read_bytes(), data) == (script.DENY | error if error else script.ALLOW)


def run(program: bytes, data: bytes) -> int:
    """Return the result of a filter for a system call, as the kernel computes it."""
    instructions = list(struct.iter_unpack("<HBBI", program))
    value = at = 0
    while True:
        code, yes, no, operand = instructions[at]
        at += 1
        match code:
            case 0x20:
                (value,) = struct.unpack_from("<I", data, operand)
            case 0x54:
                value &= operand
            case 0x05:
                at += operand
            case 0x15:
                at += yes if value == operand else no
            case 0x25:
                at += yes if value > operand else no
            case 0x35:
                at += yes if value >= operand else no
            case 0x06:
                return int(operand)
            case _:
                raise ValueError(f"unknown instruction {code:#x}")
