"""The difference between the seccomp profile of containers and Docker's default: it is listed here in full."""

from __future__ import annotations

import errno
import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from aci.docker import container_limits
from aci.docker.container_limits import container_limits as confined
from aci.runtime.workspace import WorkspaceOptions
from tests.conftest import MakeRepo, OpenWorkspace

DEFAULT = {
    "amd64": "2316c8ec492d6bb8bbbb2d4fed8e85ec8e4466c968dfcf4713456e89c5188fea",
    "arm64": "0ee0efd10ada776b34a25fec1886956b8513199e72b5067ae99db34b54d68171",
}
"""Digests of the rules of Docker's default profile for a container without capabilities, except sockets.

Source: moby/profiles at cd3bed8061c7b7378b61fc6827c7885779417a75 (2026-06-30), `allowed(...)` of its
seccomp/default.json.
"""

FAMILIES = {13, 14, 15, 16, 17, 18, 21, 22, 24, *range(26, 34), 35, 36, 39, 41, 42, 43, 44, 45}
"""Families of sockets beyond the first twelve.

Each release of the default profile knows them and allows them, unlike 12, 19, 20, 23, 25, 34, 37, 38 and 40.
"""


class Rule(NamedTuple):
    name: str
    action: str
    error: int
    kernel: str
    arguments: tuple[tuple[int, int, int, str], ...]


def allowed(profile: Mapping[str, Any], processor: str) -> set[Rule]:
    """Return the rules that hold for a container without capabilities."""
    rules = set()
    for rule in profile["syscalls"]:
        includes, excludes = rule.get("includes") or {}, rule.get("excludes") or {}
        processors = includes.get("arches", [processor])
        if includes.get("caps") or processor not in processors or processor in excludes.get("arches", []):
            continue
        tests = [(each["index"], each["value"], each.get("valueTwo", 0), each["op"]) for each in rule.get("args") or []]
        more = (rule["action"], rule.get("errnoRet", 0), includes.get("minKernel", ""), tuple(tests))
        rules |= {Rule(name, *more) for name in rule["names"]}
    return rules


def digest(rules: Iterable[Rule]) -> str:
    return hashlib.sha256("\n".join(sorted(map(repr, map(tuple, rules)))).encode()).hexdigest()


def allow(syscall: str, *tests: tuple[int, int, int, str]) -> Rule:
    return Rule(syscall, "SCMP_ACT_ALLOW", 0, "", tests)


def masked_rule(name: str, mask: int, value: int, error: int = 0) -> Rule:
    test = (1, mask, value, "SCMP_CMP_MASKED_EQ")
    return allow(name, test) if not error else Rule(name, "SCMP_ACT_ERRNO", error, "", (test,))


DENIED = Rule("socketcall", "SCMP_ACT_ERRNO", 38, "", ())
"""The 32-bit call that opens a socket of any family: its arguments are in memory, which filters cannot read."""

PAIR = allow("socketpair", (0, 1, 0, "SCMP_CMP_EQ"))
"""Only AF_UNIX: for any other family the kernel loads the protocol before it reports that it has no pairs."""

ALLOCATION = {
    masked_rule("fallocate", 1, 0),
    masked_rule("fallocate", 3, 3),
    masked_rule("fallocate", 3, 1, errno.EOPNOTSUPP),
    *(masked_rule("ioctl", bit, ~(ord("X") << 8) & bit) for bit in (1 << place for place in range(8, 16))),
    masked_rule("ioctl", 0xFF00, ord("X") << 8, errno.ENOTTY),
}
"""Space that a file's size does not show: FALLOC_FL_KEEP_SIZE without FALLOC_FL_PUNCH_HOLE, and ioctls of type 'X'."""


def profiles(options: WorkspaceOptions, counting: bool) -> list[dict[str, Any]]:
    security_options = confined(options, counting=counting)["security_opt"]
    return [json.loads(each.partition("=")[2]) for each in security_options if each.startswith("seccomp=")]


@pytest.fixture
def options(make_repo: MakeRepo, open_ws: OpenWorkspace) -> WorkspaceOptions:
    return open_ws("local", make_repo({"a.py": ""})).options


@pytest.mark.parametrize("machine", ["x86_64", "aarch64", "arm64"])
@pytest.mark.parametrize(("counting", "counter"), [(False, True), (True, False), (True, True)])
def test_profile_differs_from_default_only_as_listed(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    options: WorkspaceOptions,
    machine: str,
    counting: bool,
    counter: bool,
) -> None:
    monkeypatch.setattr("platform.machine", lambda: machine)
    monkeypatch.setattr(container_limits, "COUNTERS", tmp_path if counter else tmp_path / "none")
    [profile] = profiles(options, counting)
    assert (profile["defaultAction"], profile["defaultErrnoRet"]) == ("SCMP_ACT_ERRNO", 1)
    beyond = {allow("personality", (0, 0x40000, 0, "SCMP_CMP_EQ"))} if counting else set()
    beyond |= {allow("perf_event_open")} if counting and counter else set()
    for processor, expected in DEFAULT.items():
        rules = allowed(profile, processor)
        sockets = {rule for rule in rules if rule.name == "socket"}
        assert beyond <= rules
        assert (DENIED in rules) == (processor == "amd64")
        assert rules >= ALLOCATION | {PAIR}
        own_rules = beyond | sockets | ALLOCATION | {DENIED, PAIR}
        unfiltered = {allow(name) for name in ("socketcall", "socketpair", "fallocate", "ioctl")}
        assert not unfiltered & rules
        assert digest((rules - own_rules) | unfiltered) == expected
        assert sockets == {
            allow("socket", (0, 12, 0, "SCMP_CMP_LT")),
            *(allow("socket", (0, family, 0, "SCMP_CMP_EQ")) for family in FAMILIES),
        }


def test_other_processors_have_profile_of_daemon(monkeypatch: pytest.MonkeyPatch, options: WorkspaceOptions) -> None:
    monkeypatch.setattr("platform.machine", lambda: "ppc64le")
    assert profiles(options, counting=False) == profiles(options, counting=True) == []
    assert "no-new-privileges" in confined(options)["security_opt"]
