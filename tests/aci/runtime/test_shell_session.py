"""A shell without a workspace: its helper, its caps, and any bytes at all. The rest is in the conformance suite."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aci.runtime.process_channel import ChildChannel, ProgramStarter, local_starter
from aci.runtime.shell_session import Shell, quote
from trajectories.errors import Cancelled, WorkspaceError

ENV = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "LC_ALL": "C"}


def test_cap_is_kept_to_byte(tmp_path: Path) -> None:
    shell = Shell(local_starter(ENV), cwd=str(tmp_path))
    ran = shell.run("printf head; head -c 3000000 /dev/zero; printf tail", cap=1000)
    assert (len(ran.output), ran.cut) == (1000, 3_000_008 - 1000)
    assert ran.output.startswith(b"head\0")
    assert ran.output.endswith(b"\0tail")
    assert shell.run("printf 12345", cap=5).cut == 0
    ran = shell.run("while :; do echo yyyyyyyyyyyyyyyyyyyy; done", timeout=0.3, cap=100)
    assert (ran.code, len(ran.output)) == (124, 100)
    shell.close()


@pytest.mark.parametrize("endless", ["sleep 60", "while :; do echo y; done"])
def test_cancelling(tmp_path: Path, endless: str) -> None:
    cancel = threading.Event()
    shell = Shell(local_starter(ENV), cwd=str(tmp_path), cancel=cancel)
    shell.run("cd /")
    threading.Timer(0.2, cancel.set).start()
    with pytest.raises(Cancelled):
        shell.run(endless)
    with pytest.raises(Cancelled):
        shell.run("touch started")
    cancel.clear()
    assert shell.run("pwd").text == "/\n"
    assert not (tmp_path / "started").exists()
    shell.close()
    shell.close()


class Delivers:
    """A helper that puts big commands into a folder of this machine."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def alive(self, pid: int) -> bool:
        return Path(f"/proc/{pid}").exists()

    def end(self, pid: int, seconds: float) -> None:
        os.kill(pid, 9)

    def deliver(self, data: bytes) -> str:
        (self.folder / "it's big").write_bytes(data)
        return str(self.folder / "it's big")


def test_big_command_goes_by_file(tmp_path: Path) -> None:
    shell = Shell(local_starter(ENV), cwd=str(tmp_path), helper=Delivers(tmp_path))
    assert shell.run(f"x='{'é' * 300_000}'; echo ${{#x}}").text == "600000\n"
    assert shell.run("echo ${#x}; y=1").text == "600000\n"
    shell.close()


def started_by(prefix: list[str]) -> ProgramStarter:
    return lambda words: ChildChannel([*prefix, *words], ENV)


def test_shell_that_cannot_be_started(tmp_path: Path) -> None:
    for prefix in (["/nonexistent/program"], ["sh", "-c", "echo no such container; exit 1"]):
        shell = Shell(started_by(prefix), cwd=str(tmp_path))
        with pytest.raises(WorkspaceError) as caught:
            shell.run("true")
        assert "started" in caught.value.message
    assert "no such container" in caught.value.message
    assert "resume" in caught.value.fix


@pytest.fixture(scope="module")
def lasting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Shell]]:
    shells = {
        name: Shell(local_starter(ENV), cwd=str(tmp_path_factory.mktemp(name)), program=name) for name in ("bash", "sh")
    }
    yield shells.__getitem__
    for shell in shells.values():
        shell.close()


@pytest.mark.parametrize("program", ["bash", "sh"])
@given(data=st.binary(max_size=300).map(lambda data: data.replace(b"\0", b"")))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_pass_through(lasting: Callable[[str], Shell], program: str, data: bytes) -> None:
    ran = lasting(program).run(b"\\command printf %s " + quote(data))
    assert (ran.output, ran.code, ran.restarted) == (data, 0, False)


ALIVE = "\\command echo alive"


@pytest.mark.parametrize("program", ["bash", "sh"])
@given(text=st.text(st.sampled_from("'\"\\`$(){}[];&|<>\n #!*?~=aE:"), max_size=30))
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_syntax_leaves_shell_that_answers(lasting: Callable[[str], Shell], program: str, text: str) -> None:
    shell = lasting(program)
    shell.run(text, timeout=5)
    ran = shell.run(ALIVE)
    if ran.restarted and ran.code:  # bash 5.2 dies of some of these with its next command: SIGABRT after `?\\"<(`
        assert ran.code in (134, 139)
        ran = shell.run(ALIVE)
    assert b"alive\n" in ran.output  # what the text put in the background may still be writing


def test_exported_variables_that_fit_nowhere_are_not_kept_on_host(tmp_path: Path) -> None:
    """The shell tells its exported variables after each command: a hostile one may export as much as it has memory."""
    shell = Shell(local_starter(ENV), cwd=str(tmp_path))
    shell.run("export SMALL=kept")
    ran = shell.run("echo said; export BIG=$(head -c 9000000 /dev/zero | tr '\\0' x)")
    assert (ran.code, ran.restarted) == (1, True)
    assert ran.text.startswith("said\n[The exported variables take more than 4 MB")
    assert len(shell._pending) < 4_000_000
    assert shell.run("echo ${#BIG} $SMALL").text == "0 kept\n"
    shell.close()
