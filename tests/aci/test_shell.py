"""One persistent shell: what lasts, what cannot break it, and what it says when it died."""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aci.shell import Shell, quote
from trajectories.errors import Cancelled, WorkspaceError

ENV = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "LC_ALL": "C"}
STARTED = ["bash", "sh"]
if shutil.which("busybox"):
    STARTED.append("busybox")


@pytest.fixture(params=STARTED)
def shell(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Shell]:
    """Each kind of POSIX shell that this machine has, in an empty folder."""
    (tmp_path / "work").mkdir()
    env, program = ENV, request.param
    if program == "busybox":  # found first as `sh`, by the wrapper and as the shell
        (tmp_path / "bin").mkdir()
        (tmp_path / "bin" / "sh").symlink_to(shutil.which("busybox") or "")
        env, program = {**ENV, "PATH": f"{tmp_path}/bin:{ENV['PATH']}"}, "sh"
    shell = Shell(cwd=str(tmp_path / "work"), env=env, program=program)
    yield shell
    shell.close()


def out(shell: Shell, command: str) -> str:
    ran = shell.run(command)
    assert ran.code == 0, ran.text
    return ran.text.rstrip("\n")


def test_directory_variables_and_functions_last(shell: Shell) -> None:
    shell.run("mkdir -p 'a b'; cd 'a b'; export A=1; B=2; f() { echo f; }")
    assert out(shell, 'echo "$A$B"; f').split() == ["12", "f"]
    assert shell.run("pwd").cwd.endswith("/a b")
    assert shell.run("false").code == 1


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("exit 3", 3),
        ("exec true", 0),
        ("kill -9 $$", 137),
        ("set -e; false; echo not here", 1),
        ("sleep 30 & exit 4", 4),
        ("exec sh -c 'exit 5'", 5),
    ],
)
def test_a_shell_that_died_is_replaced(shell: Shell, command: str, code: int) -> None:
    shell.run("mkdir d; cd d; export A='x\n'\"'y\"; B=gone")
    ran = shell.run(f"echo before; {command}")
    assert (ran.code, ran.text, ran.restarted) == (code, "before\n", True)
    assert out(shell, 'echo "$A|$B"; basename "$PWD"') == "x\n'y|\nd"
    assert shell.run("true").restarted is False


@pytest.mark.parametrize(
    "command",
    [
        "echo 'open",
        'echo "open',
        "echo )",
        "if",
        "{ echo",
        "f() {",
        "echo $((",
        "echo `",
        "case x in",
        "(",
        "<<'E",
        ";;",
    ],
)
def test_a_syntax_error_is_an_answer(shell: Shell, command: str) -> None:
    ran = shell.run(command)
    assert ran.code != 0
    assert out(shell, "echo alive") == "alive"


@pytest.mark.parametrize(
    ("command", "output"),
    [
        ("cat", ""),
        ("read x; echo $?", "1\n"),
        ("cat <<E\nfoo $((1+1))\nE", "foo 2\n"),
        ("cat <<'E'\n$x\nE\n", "$x\n"),
        ("echo x # comment", "x\n"),
        ("printf 'no newline'", "no newline"),
        ("printf '\\000\\377\\r\\n'", "\0\ufffd\r\n"),
        ("echo out; echo err >&2; echo out", "out\nerr\nout\n"),
        ("exec >/dev/null; echo lost", ""),
        ("exec 8>&- 9<&-; echo said", "said\n"),
        ("exec 8>/dev/null 1>&8; echo lost", ""),
        ("set -- a b; echo $#", "2\n"),
        ("IFS=x; echo ok", "ok\n"),
        ("set -f; set -C; set -a; set -u; echo ok", "ok\n"),
        ("trap 'echo trapped' TERM; kill -TERM $$", "trapped\n"),
        ("unset PWD PATH; echo ok", "ok\n"),
        ("echo end 1 0 /; echo 'bye 0'", "end 1 0 /\nbye 0\n"),
        ("set -v; echo v", "v\n"),
        ("alias printf=false eval=false; echo a", "a\n"),
        ("command() { :; }; echo c", "c\n"),
        ("printf() { :; }; cd() { :; }; echo f", "f\n"),
        ("(exit 3)", ""),
        ("", ""),
        ("   ", ""),
        ("# only this", ""),
        ("echo \udce9", "?\n"),
    ],
)
def test_commands_cannot_disturb_the_frame(shell: Shell, command: str, output: str) -> None:
    assert shell.run(command).text == output
    assert shell.run("echo next").text.endswith("next\n")


@pytest.mark.parametrize("of", ["cmdline", "environ"])
def test_no_process_shows_what_frames_are_made_of(shell: Shell, of: str) -> None:
    marks = shell._marks if shell.run(":").code == 0 else ()
    shown = out(shell, f"cat /proc/$PPID/{of} /proc/$$/{of} | tr -d '\\0'")
    assert shown
    assert not any(mark in shown for mark in marks)


def test_a_function_named_command_does_not_hide_an_exit_status(shell: Shell) -> None:
    assert shell.run("command() { return 0; }; (exit 3)").code == 3


def test_tracing_shows_the_command_and_nothing_of_ours(shell: Shell) -> None:
    assert "printf" not in shell.run("set -x; echo t").text
    assert "printf" not in shell.run("echo u").text


def test_nul_bytes_are_refused(shell: Shell) -> None:
    assert shell.run("echo a\0b").code == 2


def test_the_middle_of_a_long_output_is_dropped(shell: Shell) -> None:
    ran = shell.run("printf head; head -c 3000000 /dev/zero; printf tail", cap=1000)
    assert (len(ran.output), ran.cut) == (1000, 3_000_008 - 1000)
    assert ran.output.startswith(b"head\0")
    assert ran.output.endswith(b"\0tail")
    assert shell.run("printf 12345", cap=5).cut == 0


def test_a_background_job_does_not_hold_the_shell(shell: Shell) -> None:
    began = time.monotonic()
    shell.run("sleep 20 &")
    shell.run("sleep 20 & exit 1")
    assert time.monotonic() - began < 10


def test_output_of_a_background_job_comes_later(shell: Shell) -> None:
    shell.run("(sleep 0.2; echo late) &")
    assert shell.run("sleep 0.5").text == "late\n"


def test_a_time_out_gives_what_was_said(shell: Shell) -> None:
    ran = shell.run("cd /; echo said; sleep 60", timeout=0.3)
    assert (ran.code, ran.text, ran.timed_out, ran.restarted) == (124, "said\n", True, True)
    assert ran.cwd != "/", "the directory is the one before the command that never ended"
    assert out(shell, "echo alive") == "alive"


def test_endless_output_times_out_too(shell: Shell) -> None:
    ran = shell.run("while :; do echo yyyyyyyyyyyyyyyyyyyy; done", timeout=0.3, cap=100)
    assert (ran.code, len(ran.output)) == (124, 100)


def test_a_stopped_shell_times_out(shell: Shell) -> None:
    assert shell.run("kill -STOP $$", timeout=0.3).code == 124
    assert out(shell, "echo alive") == "alive"


def test_a_shell_killed_between_commands_is_replaced(shell: Shell) -> None:
    pid = int(out(shell, "cd /; echo $$"))
    os.kill(pid, 9)
    time.sleep(0.2)
    ran = shell.run("pwd")
    assert (ran.text, ran.restarted) == ("/\n", True)


def test_a_directory_that_is_gone(shell: Shell) -> None:
    first = out(shell, "pwd")
    shell.run('mkdir gone; cd gone; rmdir "$PWD"')
    assert shell.run("exit").restarted
    assert out(shell, "pwd") == first


@pytest.mark.parametrize("endless", ["sleep 60", "while :; do echo y; done"])
def test_cancelling(tmp_path: Path, endless: str) -> None:
    cancel = threading.Event()
    shell = Shell(cwd=str(tmp_path), env=ENV, cancel=cancel)
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


def test_a_big_command_goes_by_file(tmp_path: Path) -> None:
    shell = Shell(cwd=str(tmp_path), env=ENV, helper=Delivers(tmp_path))
    assert shell.run(f"x='{'é' * 300_000}'; echo ${{#x}}").text == "600000\n"
    assert shell.run("echo ${#x}; y=1").text == "600000\n"
    shell.close()


def test_a_shell_that_cannot_be_started(tmp_path: Path) -> None:
    for prefix in (["/nonexistent/program"], ["sh", "-c", "echo no such container; exit 1"]):
        shell = Shell(prefix, cwd=str(tmp_path), env=ENV)
        with pytest.raises(WorkspaceError) as caught:
            shell.run("true")
        assert "started" in caught.value.message
    assert "no such container" in caught.value.message
    assert "resume" in caught.value.fix


@pytest.fixture(scope="module")
def lasting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Shell]]:
    shells = {name: Shell(cwd=str(tmp_path_factory.mktemp(name)), env=ENV, program=name) for name in ("bash", "sh")}
    yield shells.__getitem__
    for shell in shells.values():
        shell.close()


@pytest.mark.parametrize("program", ["bash", "sh"])
@given(data=st.binary(max_size=300).map(lambda data: data.replace(b"\0", b"")))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_pass_through(lasting: Callable[[str], Shell], program: str, data: bytes) -> None:
    ran = lasting(program).run(b"\\command printf %s " + quote(data))
    assert (ran.output, ran.code, ran.restarted) == (data, 0, False)


@pytest.mark.parametrize("program", ["bash", "sh"])
@given(text=st.text(st.sampled_from("'\"\\`$(){}[];&|<>\n #!*?~=aE:"), max_size=30))
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_syntax_leaves_a_shell_that_answers(lasting: Callable[[str], Shell], program: str, text: str) -> None:
    shell = lasting(program)
    shell.run(text, timeout=5)
    # What the text put in the background may still be writing.
    assert b"alive\n" in shell.run("\\command echo alive").output
