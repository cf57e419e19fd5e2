"""Hooks that misbehave: each ends in time and says no more than what is used."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from pydantic import ValidationError

from agent.config.hook_table import Hook
from extensions.hooks import hook_process
from extensions.hooks.hook_process import HookEnd, hook_environment, run_hook
from tests.extensions.hooks.conftest import MakeHook, is_running
from trajectories.errors import ConfigError


def run(*command: str, given: bytes = b"{}", seconds: float = 10.0) -> HookEnd:
    return run_hook(command, given, hook_environment(()), seconds, lambda: False)


def wait_until_gone(pid: int) -> None:
    end = time.monotonic() + 10
    while is_running(pid):
        assert time.monotonic() < end, f"process {pid} is left"
        time.sleep(0.02)


def test_answer_is_exit_code_and_stderr(make_hook: MakeHook) -> None:
    assert run(make_hook("cat >&2; exit 2"), given=b'{"a": 1}') == HookEnd(2, '{"a": 1}')
    assert run(make_hook("echo ignored")) == HookEnd(0)


def test_hook_that_hangs_is_stopped_with_its_children(make_hook: MakeHook, tmp_path: Path) -> None:
    hook = make_hook(f"trap '' TERM HUP INT\nsleep 60 & echo $! > {tmp_path}/pid\nwait")
    end = run(hook, seconds=0.5)
    assert end.problem == "it did not end within 0.5 s"
    wait_until_gone(int((tmp_path / "pid").read_text()))


@pytest.mark.parametrize("start", ["", "setsid "])
def test_process_that_hook_leaves_running_is_not_waited_for(make_hook: MakeHook, tmp_path: Path, start: str) -> None:
    end = run(make_hook(f"{start}sleep 60 & echo $! > {tmp_path}/pid\necho no >&2; exit 2"), seconds=30)
    assert end == HookEnd(2, "no\n")
    os.kill(int((tmp_path / "pid").read_text()), 9)


def test_start_of_a_flood_is_used(make_hook: MakeHook) -> None:
    end = run(make_hook("yes 1234567 | head -c 3000000 >&2; yes | head -c 3000000; exit 2"))
    assert (end.code, len(end.stderr), end.problem) == (2, hook_process.MOST_SAID, "")


def test_endless_flood_is_stopped(make_hook: MakeHook, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hook_process, "MOST_OUTPUT", 1 << 20)
    assert run(make_hook("yes >&2"), seconds=60).problem == "it printed more than 1 MB"


def test_hook_need_not_read_its_input(make_hook: MakeHook) -> None:
    assert run(make_hook("exit 0"), given=b"x" * 5_000_000).code == 0
    assert run(make_hook("exec 0<&- 1>&- 2>&-; exit 2"), given=b"x" * 5_000_000) == HookEnd(2)


def test_hook_killed_by_signal_has_negative_code(make_hook: MakeHook) -> None:
    assert run(make_hook("kill -9 $$")).code == -9


def test_interrupt_stops_hook(make_hook: MakeHook) -> None:
    end = run_hook((make_hook("sleep 60"),), b"", hook_environment(()), 60, lambda: True)
    assert end.problem == "it was interrupted"


@pytest.mark.parametrize("text", [None, "#!/nowhere/at/all\n", "\0\1\2"])
def test_program_that_cannot_be_executed_is_an_error(tmp_path: Path, text: str | None) -> None:
    program = tmp_path / "program"
    if text is None:
        program.mkdir()
    else:
        program.write_text(text)
        program.chmod(0o755)
    with pytest.raises(ConfigError, match="program cannot be run: "):
        run(str(program))
    with pytest.raises(ConfigError, match="there is no such program"):
        run(str(tmp_path / "missing"))
    program.chmod(0o644)
    with pytest.raises(ConfigError, match="cannot be run"):
        run(str(program))


def test_no_shell_reads_arguments(make_hook: MakeHook, tmp_path: Path) -> None:
    words = ("$(id)", f"; touch {tmp_path}/made", "a b")
    end = run(make_hook('printf "%s|" "$@" >&2; exit 2'), *words)
    assert end.stderr == "".join(f"{word}|" for word in words)
    assert not (tmp_path / "made").exists()


def test_hook_runs_in_no_repository(make_hook: MakeHook) -> None:
    assert run(make_hook("pwd >&2")).stderr == "/\n"


def test_environment_has_no_secret(make_hook: MakeHook, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "secret-by-name")
    monkeypatch.setenv("INDEX_URL", "https://me:secret-in-address@example.org/simple")
    monkeypatch.setenv("MY_MODEL", "the-key-of-my-model")
    monkeypatch.setenv("HARMLESS", "kept")
    env = hook_environment(("the-key-of-my-model",))
    said = run_hook((make_hook("env >&2"),), b"", env, 10, lambda: False).stderr
    assert "HARMLESS=kept" in said
    assert "secret-" not in said
    assert "the-key-of" not in said


def test_program_is_not_taken_from_relative_folder(
    make_hook: MakeHook, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    name = Path(make_hook("exit 2")).name
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", f".{os.pathsep}{os.pathsep}{os.environ['PATH']}")
    with pytest.raises(ConfigError, match="there is no such program"):
        run(name)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    assert run(name).code == 2


@pytest.mark.parametrize("command", [(), ("",), ("./check",), ("hooks/check",), ("check\0",), ("~nobody-here/check",)])
def test_bad_command_is_rejected(command: tuple[str, ...]) -> None:
    with pytest.raises(ValidationError):
        Hook(command=command)


def test_home_is_expanded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    hook = Hook(command=("~/bin/check", "~"))
    assert (hook.command, hook.name) == (("/home/me/bin/check", "~"), "check")
