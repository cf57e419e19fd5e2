"""Shells without a workspace: helper, output cap and arbitrary bytes. The conformance suite has the other tests."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aci.runtime.process_channel import ChildChannel, ProgramStarter, local_starter
from aci.runtime.shell_session import REPORTED_BYTES, Shell, quote
from trajectories.errors import Cancelled, WorkspaceError

ENV = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "LC_ALL": "C"}


def test_output_cap_is_exact(tmp_path: Path) -> None:
    shell = Shell(local_starter(ENV), cwd=str(tmp_path))
    result = shell.run("printf head; head -c 3000000 /dev/zero; printf tail", cap=1000)
    assert (len(result.output), result.cut) == (1000, 3_000_008 - 1000)
    assert result.output.startswith(b"head\0")
    assert result.output.endswith(b"\0tail")
    assert shell.run("printf 12345", cap=5).cut == 0
    result = shell.run("while :; do echo yyyyyyyyyyyyyyyyyyyy; done", timeout=0.3, cap=100)
    assert (result.code, len(result.output)) == (124, 100)
    shell.close()


@pytest.mark.parametrize("endless", ["sleep 60", "while :; do echo y; done"])
def test_cancel_ends_command_and_refuses_next(tmp_path: Path, endless: str) -> None:
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


class FileHelper:
    """A helper that writes big commands to a folder of this machine."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def alive(self, pid: int) -> bool:
        return Path(f"/proc/{pid}").exists()

    def end(self, pid: int, seconds: float) -> None:
        os.kill(pid, 9)

    def deliver(self, data: bytes) -> str:
        (self.folder / "it's big").write_bytes(data)
        return str(self.folder / "it's big")


def test_last_bytes_of_running_command_are_reported(tmp_path: Path) -> None:
    shell = Shell(local_starter(), cwd=str(tmp_path))
    seen: list[bytes] = []
    try:
        ran = shell.run("seq 5000; printf 'no newline.'; sleep 1; echo end", on_output=seen.append)
        shell.run("echo another", on_output=None)
    finally:
        shell.close()
    assert len(seen[0]) < REPORTED_BYTES + 100
    assert seen[0].endswith(b"5000\nno newline."), "no mark begins with a dot, so it is not held back"
    assert all(b"end\n" not in each for each in seen[:-1]), "only new output is reported"
    assert ran.output.endswith(b"no newline.end\n")
    assert not any(b"another" in each for each in seen)


def test_big_command_is_passed_as_file(tmp_path: Path) -> None:
    shell = Shell(local_starter(ENV), cwd=str(tmp_path), helper=FileHelper(tmp_path))
    assert shell.run(f"x='{'é' * 300_000}'; echo ${{#x}}").text == "600000\n"
    assert shell.run("echo ${#x}; y=1").text == "600000\n"
    shell.close()


def starter_with_prefix(prefix: list[str]) -> ProgramStarter:
    return lambda command: ChildChannel([*prefix, *command], ENV)


def test_shell_that_cannot_start_is_reported(tmp_path: Path) -> None:
    for prefix in (["/nonexistent/program"], ["sh", "-c", "echo no such container; exit 1"]):
        shell = Shell(starter_with_prefix(prefix), cwd=str(tmp_path))
        with pytest.raises(WorkspaceError) as caught:
            shell.run("true")
        assert "started" in caught.value.message
    assert "no such container" in caught.value.message
    assert "resume" in caught.value.fix


@pytest.fixture(scope="module")
def shared_shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Shell]]:
    shells = {
        name: Shell(local_starter(ENV), cwd=str(tmp_path_factory.mktemp(name)), program=name) for name in ("bash", "sh")
    }
    yield shells.__getitem__
    for shell in shells.values():
        shell.close()


@pytest.mark.parametrize("program", ["bash", "sh"])
@given(data=st.binary(max_size=300).map(lambda data: data.replace(b"\0", b"")))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_pass_through_unchanged(shared_shell: Callable[[str], Shell], program: str, data: bytes) -> None:
    result = shared_shell(program).run(b"\\command printf %s " + quote(data))
    assert (result.output, result.code, result.restarted) == (data, 0, False)


ALIVE = "\\command echo alive"


@pytest.mark.parametrize("program", ["bash", "sh"])
@given(text=st.text(st.sampled_from("'\"\\`$(){}[];&|<>\n #!*?~=aE:"), max_size=30))
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_shell_answers_after_any_syntax(shared_shell: Callable[[str], Shell], program: str, text: str) -> None:
    shell = shared_shell(program)
    shell.run(text, timeout=5)
    result = shell.run(ALIVE)
    if result.restarted and result.code:  # after some texts, such as `?\\"<(`, bash 5.2 aborts at its next command
        assert result.code in (134, 139)
        result = shell.run(ALIVE)
    assert b"alive\n" in result.output  # background processes of the text may still be writing


def test_oversized_exported_variables_are_not_stored_on_host(tmp_path: Path) -> None:
    """The shell reports its exported variables after each command, and a hostile command may export any amount."""
    shell = Shell(local_starter(ENV), cwd=str(tmp_path))
    shell.run("export SMALL=kept")
    result = shell.run("echo output; export BIG=$(head -c 9000000 /dev/zero | tr '\\0' x)")
    assert (result.code, result.restarted) == (1, True)
    assert result.text.startswith("output\n[The exported variables take more than 4 MB")
    assert len(shell._pending) < 4_000_000
    assert shell.run("echo ${#BIG} $SMALL").text == "0 kept\n"
    shell.close()
