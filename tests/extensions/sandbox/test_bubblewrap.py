"""The command line of bubblewrap, and the reasons why a sandbox is impossible."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from extensions.sandbox import bubblewrap
from extensions.sandbox.bubblewrap import KEPT_CAPABILITY, SandboxContents, failure, unavailable_reason
from extensions.sandbox.visible_paths import add_own_files, system_contents


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A Linux machine of an ordinary user with bubblewrap; returns the program's path."""
    program = tmp_path / "bin/bwrap"
    program.parent.mkdir()
    program.write_text("")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent))
    monkeypatch.setattr(platform, "system", lambda: "Linux")
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    bubblewrap._program.cache_clear()
    yield program
    bubblewrap._program.cache_clear()


def test_nothing_is_missing_on_an_ordinary_machine(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert unavailable_reason() is None
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    assert unavailable_reason() is None


@pytest.mark.parametrize(
    ("module", "name", "value", "reason", "fix"),
    [
        (platform, "system", "Darwin", "bubblewrap needs Linux", "--workspace docker"),
        (os, "geteuid", 0, "a sandbox of root could change settings", "as an ordinary user"),
        (platform, "machine", "riscv64", "there is no seccomp filter for riscv64", "--workspace docker"),
    ],
)
def test_missing_part_is_named_with_a_fix(
    machine: Path, monkeypatch: pytest.MonkeyPatch, module: object, name: str, value: object, reason: str, fix: str
) -> None:
    monkeypatch.setattr(module, name, lambda: value)
    error = unavailable_reason()
    assert error
    assert reason in error.message
    assert fix in error.fix


def test_missing_program_is_named(machine: Path) -> None:
    machine.unlink()
    error = unavailable_reason()
    assert error
    assert "bubblewrap is not installed" in error.message
    assert "Install the package `bubblewrap`" in error.fix


@pytest.mark.parametrize(
    ("output", "reason", "fix"),
    [
        ("bwrap: No permissions to create new namespace, likely because", "does not allow user namespaces", "outside"),
        (
            "bwrap: Can't mount proc on /newroot/proc: Operation not permitted",
            "does not allow user namespaces",
            "local",
        ),
        ("bwrap: Creating new namespace failed: nesting depth or /proc/sys/user/max_*", "the limit", "administrator"),
        ("bwrap: Creating new namespace failed: error ENOSPC", "the limit of user namespaces", "administrator"),
        ("bwrap: setting up uid map: Permission denied", "AppArmor", "bwrap-userns-restrict"),
        ("bwrap: loopback: Failed RTM_NEWADDR: Operation not permitted", "AppArmor", "profile"),
        ("bwrap: setuid use of bubblewrap is not supported in this build", "installed setuid", "setuid bit"),
        ("bwrap: cannot open /proc/sys/user/max_user_namespaces: Permission denied", "setuid", "setuid bit"),
        ("bwrap: Unknown option --disable-userns", "older than 0.8", "0.8 or later"),
        ("bwrap: execvp python3: No such file or directory.\n", ": bwrap: execvp python3: No such file or", "docker"),
        ("", "bubblewrap did not answer", "docker"),
    ],
)
def test_failure_is_explained(output: str, reason: str, fix: str) -> None:
    error = failure(output)
    assert error.message.startswith("The sandbox cannot be used: ")
    assert error.message.endswith(".")
    assert not error.message.endswith("..")
    assert reason in error.message
    assert fix in error.fix


def test_long_output_is_cut() -> None:
    assert len(failure("x" * 10_000).message) < 400


def test_command_mounts_in_order_and_drops_all_rights(machine: Path) -> None:
    inside = SandboxContents()
    inside.show("/usr")
    inside.share("/made", "/tmp")
    inside.show(Path("/made/tool"), "/tool")
    inside.put("/etc/hosts", "127.0.0.1 localhost\n")
    with ExitStack() as stack:
        words, descriptors = inside.command("plain", stack)
        assert os.read(descriptors[0], 1000) == b"127.0.0.1 localhost\n"
        assert (words[0], words[-1]) == (str(machine), "--")
        mounts = "--ro-bind /usr /usr --bind /made /tmp --ro-bind /made/tool /tool"
        shown = f"--clearenv {mounts} --ro-bind-data {descriptors[0]} /etc/hosts --remount-ro /dev --remount-ro /"
        assert f" {shown} " in " ".join(words)
        assert f"--cap-drop ALL --cap-add {KEPT_CAPABILITY} " in " ".join(words)
        assert {"--unshare-user", "--unshare-net", "--unshare-pid", "--disable-userns", "--die-with-parent"} < set(
            words
        )
        filters = [int(words[at + 1]) for at, word in enumerate(words) if word == "--add-seccomp-fd"]
        assert filters == descriptors[1:]
    for descriptor in descriptors:
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(descriptor)


@pytest.mark.parametrize("processor", bubblewrap.PROCESSORS)
def test_three_filters_are_loaded(machine: Path, monkeypatch: pytest.MonkeyPatch, processor: str) -> None:
    monkeypatch.setattr(platform, "machine", lambda: processor)
    folder = Path(bubblewrap.__file__).parent / "seccomp"
    with ExitStack() as stack:
        plain = [os.read(each, 100_000) for each in SandboxContents().command("plain", stack)[1]]
        counting = [os.read(each, 100_000) for each in SandboxContents().command("counting", stack)[1]]
    assert plain == [(folder / f"{name}.bpf").read_bytes() for name in (processor, f"{processor}-denied", "newer")]
    assert counting == [(folder / f"{processor}-counting.bpf").read_bytes(), *plain[1:]]
    assert all(len(program) % 8 == 0 for program in (*plain, *counting))


@pytest.mark.sandbox
def test_sandbox_contains_only_what_is_shown(tmp_path: Path) -> None:
    (tmp_path / "shown").mkdir()
    (tmp_path / "shown/file").write_text("shown\n")
    inside = system_contents()
    add_own_files(inside, "/home")
    inside.show(tmp_path / "shown", "/shown")
    inside.put("/note", "put\n")
    script = f"cat /shown/file /note; ls -d /run /var {tmp_path}; ls /home; touch /x /shown/x /note; env; id -u"
    with ExitStack() as stack:
        words, descriptors = inside.command("plain", stack)
        done = subprocess.run(
            [*words, "/bin/sh", "-c", script], pass_fds=descriptors, capture_output=True, text=True, check=False
        )
    assert done.stdout.splitlines() == ["shown", "put", "PWD=/", str(os.getuid())]
    assert done.stderr.count("No such file or directory") == 4
    assert done.stderr.count("Read-only file system") == 3
