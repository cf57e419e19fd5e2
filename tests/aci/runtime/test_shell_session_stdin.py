"""Data on a shell's stdin: bytes that a command does not read must never run as commands."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from aci.runtime.control_shell import CommandTimeout, ControlShell
from aci.runtime.process_channel import local_starter
from aci.runtime.shell_session import Shell, quote

DATA = b"touch evil\n" * 20_000 + b"\0\\x41'\"$(touch evil)\xff" * 1_000
SHELLS = ["sh", "bash"]


@pytest.fixture
def control_shell(tmp_path: Path):
    control_shell = ControlShell(local_starter(), str(tmp_path))
    yield control_shell
    control_shell.close()


def test_file_is_written_exactly_and_keeps_its_mode(control_shell: ControlShell, tmp_path: Path) -> None:
    path = tmp_path / "it's a file"
    path.write_bytes(b"before")
    path.chmod(0o751)
    assert control_shell.pour(quote(str(path)), DATA).code == 0
    assert path.read_bytes() == DATA
    assert path.stat().st_mode & 0o777 == 0o751
    assert control_shell.run("echo after").output == b"after\n"


@pytest.mark.parametrize("target", ["/dev/full", "nowhere/file", "."])
def test_data_that_cannot_be_written_is_not_run(control_shell: ControlShell, tmp_path: Path, target: str) -> None:
    result = control_shell.pour(quote(target), DATA)
    assert result.code
    assert result.output
    assert control_shell.run("echo after; ls").output == b"after\n"
    assert not (tmp_path / "evil").exists()


@pytest.mark.parametrize("program", SHELLS)
def test_command_that_leaves_data_unread_ends_its_shell(program, tmp_path: Path) -> None:
    shell = Shell(local_starter(), cwd=str(tmp_path), program=program)
    result = shell.run("head -c 5; exit 3", data=DATA)
    assert result.output == b"touch"
    assert (result.code, result.restarted) == (3, True)
    assert shell.run("cat; ls").output == b""
    assert not (tmp_path / "evil").exists()
    shell.close()


@pytest.mark.parametrize("program", SHELLS)
def test_directory_and_variables_survive_commands_with_data(program, tmp_path: Path) -> None:
    shell = Shell(local_starter(), cwd=str(tmp_path), program=program)
    shell.run("mkdir sub; cd sub; export there=yes")
    result = shell.run("cat > file", data=b"x" * 10, timeout=0.5)
    assert result.timed_out, "the command waits for more data than it was given"
    result = shell.run(f"head -c {len(DATA)} | wc -c; echo $there", data=DATA)
    assert result.output.split() == [str(len(DATA)).encode(), b"yes"]
    assert result.cwd == str(tmp_path / "sub")
    shell.close()


def test_slow_write_times_out_and_reports_its_limit(
    control_shell: ControlShell, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter([0.0, 1000.0])  # the first block took very long
    monkeypatch.setattr("aci.runtime.control_shell.time", SimpleNamespace(monotonic=lambda: next(clock)))
    with pytest.raises(CommandTimeout, match="within 60 s"):
        control_shell.put(b"file", b"x" * 40_000)
