"""Compiler of the seccomp filters of the sandbox, from the profile of containers (`aci/docker/seccomp.json`).

python scripts/seccomp_filters.py [FOLDER]

It writes the programs that the kernel loads into `extensions/sandbox/seccomp`, for each processor. It needs
libseccomp.so.2, the library that Docker uses too, which most Linux distributions install. System calls that its version
2.5 does not know fail with ENOSYS, so that programs use an older one.
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import struct
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "extensions/sandbox/seccomp"
PROFILE = ROOT / "aci/docker/seccomp.json"
PROCESSORS = {"x86_64": ("amd64", 0xC000003E), "aarch64": ("arm64", 0xC00000B7)}
"""The names of a processor in the profile, and its number in seccomp(2)."""

ALLOW, DENY = 0x7FFF0000, 0x00050000
COMPARISONS = {"SCMP_CMP_NE": 1, "SCMP_CMP_LT": 2, "SCMP_CMP_EQ": 4, "SCMP_CMP_MASKED_EQ": 7}
WORD = 0xFFFFFFFF
TIOCSTI, TIOCLINUX = 0x5412, 0x541C
SETUID = 0o4000
ADDR_NO_RANDOMIZE = 0x0040000
F_SETLEASE = 1024


class Comparison(ctypes.Structure):
    _fields_ = (("arg", ctypes.c_uint), ("op", ctypes.c_int), ("a", ctypes.c_uint64), ("b", ctypes.c_uint64))


NEWEST = 456
"""The highest number of a system call that libseccomp 2.5 knows. Numbers above 423 are the same on all processors."""

Rule = tuple[str, int, list[Comparison]]
"""A system call, an action, and conditions for its arguments."""


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER
    for name, program in filters().items():
        (folder / name).write_bytes(program)


def filters() -> dict[str, bytes]:
    """Return the programs by the names of their files. Raises OSError if libseccomp.so.2 is missing."""
    library = ctypes.CDLL("libseccomp.so.2")
    library.seccomp_init.restype = ctypes.c_void_p
    programs = {}
    for processor in PROCESSORS:
        profile = list(profile_rules(processor))
        programs[f"{processor}.bpf"] = _program(library, processor, DENY | errno.EPERM, profile)
        programs[f"{processor}-counting.bpf"] = _program(
            library, processor, DENY | errno.EPERM, [*profile, *counting_rules()]
        )
        programs[f"{processor}-denied.bpf"] = _program(library, processor, ALLOW, list(denied_rules()))
    return {**programs, "newer.bpf": newer_calls()}


def profile_rules(processor: str) -> Iterator[Rule]:
    """Yield the rules of the profile of containers for a processor."""
    name = PROCESSORS[processor][0]
    for rule in json.loads(PROFILE.read_bytes())["syscalls"]:
        if name in rule.get("includes", {}).get("arches", [name]):
            action = ALLOW if rule["action"] == "SCMP_ACT_ALLOW" else DENY | rule["errnoRet"]
            tests = [_comparison(test) for test in rule.get("args") or ()]
            yield from ((call, action, tests) for call in rule["names"])


def counting_rules() -> Iterator[Rule]:
    """Yield the rules for counting instructions: fixed memory addresses, and hardware counters."""
    yield "personality", ALLOW, [Comparison(0, COMPARISONS["SCMP_CMP_EQ"], ADDR_NO_RANDOMIZE, 0)]
    yield "perf_event_open", ALLOW, []


def denied_rules() -> Iterator[Rule]:
    """Yield what is denied in addition to the profile: input for another program of a terminal, setuid files, limits of
    other processes, leases on files of the user, and what counts for the whole machine or all programs of a user."""
    for request in (TIOCSTI, TIOCLINUX):
        yield "ioctl", DENY | errno.EPERM, [Comparison(1, COMPARISONS["SCMP_CMP_MASKED_EQ"], WORD, request)]
    yield "fcntl", DENY | errno.EPERM, [Comparison(1, COMPARISONS["SCMP_CMP_MASKED_EQ"], WORD, F_SETLEASE)]
    not_equal = COMPARISONS["SCMP_CMP_NE"]
    yield "prlimit64", DENY | errno.EPERM, [Comparison(0, not_equal, 0, 0), Comparison(2, not_equal, 0, 0)]
    yield from ((call, DENY | errno.ENOSYS, []) for call in ("io_setup", "mq_open"))
    for call, argument in (("chmod", 1), ("fchmod", 1), ("fchmodat", 2), ("fchmodat2", 2)):
        yield call, DENY | errno.EPERM, [Comparison(argument, COMPARISONS["SCMP_CMP_MASKED_EQ"], SETUID, SETUID)]


def newer_calls() -> bytes:
    """Return the program that lets every system call above NEWEST fail with ENOSYS."""
    load, jump_if_greater, give = 0x20, 0x25, 0x06
    instructions = [
        (load, 0, 0, 0),  # the number of the system call
        (jump_if_greater, 0, 1, NEWEST),
        (give, 0, 0, DENY | errno.ENOSYS),
        (give, 0, 0, ALLOW),
    ]
    return b"".join(struct.pack("HBBI", *each) for each in instructions)


def _comparison(test: dict[str, Any]) -> Comparison:
    return Comparison(test["index"], COMPARISONS[test["op"]], test["value"], test.get("valueTwo", 0))


def _program(library: Any, processor: str, default: int, rules: list[Rule]) -> bytes:
    context = ctypes.c_void_p(library.seccomp_init(ctypes.c_uint32(default)))
    try:
        native, wanted = library.seccomp_arch_native(), PROCESSORS[processor][1]
        if ctypes.c_uint32(native).value != wanted:
            _check(library.seccomp_arch_add(context, ctypes.c_uint32(wanted)))
            _check(library.seccomp_arch_remove(context, ctypes.c_uint32(native)))
        for name, action, tests in rules:
            number = library.seccomp_syscall_resolve_name_arch(ctypes.c_uint32(wanted), name.encode())
            if number < 0 or number > NEWEST or action == default:  # a negative number: not on this processor
                continue
            values = (Comparison * len(tests))(*tests)
            _check(library.seccomp_rule_add_array(context, ctypes.c_uint32(action), number, len(tests), values))
        with tempfile.TemporaryFile() as file:
            _check(library.seccomp_export_bpf(context, file.fileno()))
            file.seek(0)
            return file.read()
    finally:
        library.seccomp_release(context)


def _check(code: int) -> None:
    if code:
        raise OSError(-code, f"libseccomp: {os.strerror(-code)}")


if __name__ == "__main__":
    main()
