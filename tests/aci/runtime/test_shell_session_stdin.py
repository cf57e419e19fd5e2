"""Much data goes through a shell's stdin: what the shell does not take must never become a command."""

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
def service(tmp_path: Path):
    service = ControlShell(local_starter(), str(tmp_path))
    yield service
    service.close()


def test_file_is_written_to_byte_and_keeps_its_mode(service: ControlShell, tmp_path: Path) -> None:
    path = tmp_path / "it's a file"
    path.write_bytes(b"before")
    path.chmod(0o751)
    assert service.pour(quote(str(path)), DATA).code == 0
    assert path.read_bytes() == DATA
    assert path.stat().st_mode & 0o777 == 0o751
    assert service.run("echo after").output == b"after\n"


@pytest.mark.parametrize("target", ["/dev/full", "nowhere/file", "."])
def test_what_cannot_be_written_is_run_by_nobody(service: ControlShell, tmp_path: Path, target: str) -> None:
    ran = service.pour(quote(target), DATA)
    assert ran.code
    assert ran.output
    assert service.run("echo after; ls").output == b"after\n"
    assert not (tmp_path / "evil").exists()


@pytest.mark.parametrize("program", SHELLS)
def test_command_that_reads_too_little_ends_its_shell(program, tmp_path: Path) -> None:
    shell = Shell(local_starter(), cwd=str(tmp_path), program=program)
    ran = shell.run("head -c 5; exit 3", data=DATA)
    assert ran.output == b"touch"
    assert (ran.code, ran.restarted) == (3, True)
    assert shell.run("cat; ls").output == b""
    assert not (tmp_path / "evil").exists()
    shell.close()


@pytest.mark.parametrize("program", SHELLS)
def test_directory_and_variables_last_over_data(program, tmp_path: Path) -> None:
    shell = Shell(local_starter(), cwd=str(tmp_path), program=program)
    shell.run("mkdir sub; cd sub; export there=yes")
    ran = shell.run("cat > file", data=b"x" * 10, timeout=0.5)
    assert ran.timed_out, "it waits for more than there is"
    ran = shell.run(f"head -c {len(DATA)} | wc -c; echo $there", data=DATA)
    assert ran.output.split() == [str(len(DATA)).encode(), b"yes"]
    assert ran.cwd == str(tmp_path / "sub")
    shell.close()


def test_write_that_used_up_its_time_says_how_much_it_had(
    service: ControlShell, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter([0.0, 1000.0])  # the first block took very long
    monkeypatch.setattr("aci.runtime.control_shell.time", SimpleNamespace(monotonic=lambda: next(clock)))
    with pytest.raises(CommandTimeout, match="within 60 s"):
        service.put(b"file", b"x" * 40_000)
