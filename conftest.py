"""Rules for every test: none reaches the network or changes the machine, and CI skips none that needs Docker."""

from __future__ import annotations

import gc
import ipaddress
import json
import os
import re
import shutil
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from tests import machine_guard
from tests.machine_guard import RealMachine, isolated_environment

IMAGE = os.environ.get("SWE_AGENT_TEST_IMAGE") or os.environ.get("SWE_AGENT_IMAGE") or "swe-agent-base:latest"
IN_CI = os.environ.get("CI", "").lower() in ("1", "true")

# On a loaded machine generating data takes its time; that is no finding. CI tries the same examples each time, so
# that it judges the change and not the dice; everywhere else they are new ones.
settings.register_profile("house", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=IN_CI)
settings.load_profile("house")

LONGEST_ID = 1_000
GIT_STARTERS = re.compile(r".*/(?:git_store/git_commands\.py|(?:tests|benchmarks|scripts)/.*)")
git_starts: list[str] = []
"""Places other than those that started git in the present test: options that protect the user are missing there."""
contacted: list[str] = []
"""Addresses outside this machine that the present test tried to reach. Trying fails; so does the test."""


def _is_local(host: Any) -> bool:
    if host in (None, "", "localhost", b"localhost", socket.gethostname()):
        return True
    try:
        return ipaddress.ip_address(host.decode() if isinstance(host, bytes) else host).is_loopback
    except ValueError:
        return False


def _refuse_remote(name: str, host: Any) -> None:
    if not _is_local(host):
        contacted.append(f"{name} {host}")
        raise ConnectionRefusedError(f"A test tried to reach {host}: no test may use the network.")


def _guard_socket(name: str) -> None:
    """Have a method of sockets refuse addresses outside this machine; its address is the last argument.

    An audit hook would see every way, but Python 3.11 cannot start two threads at once under coverage with one.
    """
    method = getattr(socket.socket, name)

    def guarded(self: socket.socket, *arguments: Any) -> Any:
        address = arguments[-1] if arguments else None
        _refuse_remote(f"socket.{name}", address[0] if isinstance(address, tuple) else None)
        return method(self, *arguments)

    setattr(socket.socket, name, guarded)


def _guard_lookup(name: str) -> None:
    function = getattr(socket, name)

    def guarded(host: Any, *arguments: Any, **named: Any) -> Any:
        if isinstance(host, str):
            host.encode("idna")  # raises what the function would raise before it asks the network
        _refuse_remote(f"socket.{name}", host)
        return function(host, *arguments, **named)

    setattr(socket, name, guarded)


def _guard_git() -> None:
    """Note where git is started on this machine, except by tests and by the program's module for it."""
    start = subprocess.Popen.__init__

    def guarded(self: subprocess.Popen[Any], args: Any, *rest: Any, **named: Any) -> None:
        program = args if isinstance(args, (str, bytes, os.PathLike)) else next(iter(args), "")
        if Path(os.fsdecode(program)).name == "git":
            frame = sys._getframe(1)
            while frame.f_back and frame.f_code.co_filename == subprocess.__file__:
                frame = frame.f_back
            if not GIT_STARTERS.fullmatch(frame.f_code.co_filename):
                git_starts.append(f"{frame.f_code.co_filename}:{frame.f_lineno}")
        start(self, args, *rest, **named)

    subprocess.Popen.__init__ = guarded  # type: ignore[method-assign]


_guard = ExitStack()
_own_environment = _guard.enter_context(isolated_environment(os.environ))
MACHINE = RealMachine(**json.loads(_own_environment[machine_guard.MACHINE]))
# Before the first test is imported: some modules read the environment when they are imported.
os.environ.clear()
os.environ.update(_own_environment)


def pytest_unconfigure() -> None:
    _guard.close()


def pytest_collection() -> None:
    gc.disable()  # everything that collection creates is kept


def pytest_collection_finish() -> None:
    gc.freeze()  # otherwise each collection of garbage would visit all tests and modules, which takes 0.4 s
    gc.enable()


def pytest_configure() -> None:
    _guard_git()
    for name in ("connect", "connect_ex", "sendto"):
        _guard_socket(name)
    for name in ("getaddrinfo", "gethostbyname", "gethostbyname_ex"):
        _guard_lookup(name)


@pytest.fixture(autouse=True)
def no_network() -> Iterator[None]:
    """Fails a test that tried to leave this machine, also where the code under test swallowed the refusal, and one that
    started git outside of the module for it."""
    contacted.clear()
    git_starts.clear()
    yield
    assert not git_starts, f"git was started in {', '.join(git_starts)}"
    assert not contacted, f"the test tried to reach the network: {contacted}"


@pytest.fixture(autouse=True)
def unchanged_machine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Fails a test that started a package manager, or after which the machine is not as it was."""
    if request.node.get_closest_marker("installers"):
        monkeypatch.setenv("PATH", MACHINE.path_with_installers())
    started, before = MACHINE.started_installers(), MACHINE.state()
    yield
    new = MACHINE.started_installers().removeprefix(started)
    assert not new, f"the test started a package manager: {new}"
    after = MACHINE.state()
    changed = sorted(name for name in before | after if before.get(name) != after.get(name))
    assert not changed, f"changed during the test, or by another program at that time: {', '.join(changed)}"


@pytest.fixture(autouse=True)
def tracer() -> Iterator[None]:
    """Puts back what measures coverage, where a test has ended it: of all tests after it nothing would be seen."""
    before = sys.gettrace()
    yield
    if sys.gettrace() is None:
        sys.settrace(before)


@cache
def docker_trouble() -> str:
    """Why Docker tests cannot run here; empty if they can."""
    for command, reason in (
        (["docker", "version", "--format", "{{.Server.Version}}"], "no Docker daemon answers"),
        (["docker", "image", "inspect", IMAGE], f"Docker has no image {IMAGE}; scripts/base-image makes one"),
    ):
        try:
            if subprocess.run(command, capture_output=True, timeout=20).returncode:
                return reason
        except (OSError, subprocess.TimeoutExpired):
            return reason
    return ""


def chromium() -> str:
    """Where Chromium, or a browser made of it, is; empty if there is none."""
    names = (os.environ.get("SWE_AGENT_TEST_CHROMIUM", ""), "chromium", "chromium-browser", "google-chrome")
    return next((path for name in names if name and (path := shutil.which(name))), "")


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("docker") and docker_trouble():
        pytest.skip(docker_trouble())
    if item.get_closest_marker("browser") and not chromium():
        pytest.skip("there is no Chromium; SWE_AGENT_TEST_CHROMIUM names one that is not on the PATH")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """CI has a Docker daemon and a browser: a test that needs them and is skipped is a failure."""
    report = yield
    if not IN_CI or not report.skipped or hasattr(report, "wasxfail"):
        return report
    needs = [name for name in ("docker", "browser") if item.get_closest_marker(name)]
    if needs:
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"A test that needs {needs[0]} was skipped in CI. {reason}"
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say at the end what was not tested here: one line a reason, with the number of tests."""
    reasons = Counter(
        report.longrepr[2].removeprefix("Skipped: ")
        for report in terminalreporter.stats.get("skipped", [])
        if isinstance(report.longrepr, tuple)
    )
    for reason, count in reasons.most_common():
        terminalreporter.write_line(f"Skipped {count:5}: {reason}")


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """A long value is named by its length: pytest puts ids into the environment, which takes 128 kB a variable."""
    return f"{argname}-{len(val)}" if isinstance(val, (str, bytes)) and len(val) > LONGEST_ID else None
