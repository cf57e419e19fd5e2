"""Sessions of a workspace: their state, time-outs and cancellation."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from aci.runtime.posix_workspace import PosixWorkspace
from aci.workspaces import local
from tests.aci.workspaces.conformance.conftest import check_output
from tests.conftest import NO_PLUGINS, MakeRepo, OpenWorkspace
from trajectories.errors import Cancelled, UsageError, WorkspaceError

ALLOWED = {
    # set by our sessions
    *("LANG", "PAGER", "GIT_PAGER", "GIT_TERMINAL_PROMPT", "TERM", "PIP_PROGRESS_BAR", "PIP_DISABLE_PIP_VERSION_CHECK"),
    *("PYTHONDONTWRITEBYTECODE", "PYTHONPATH", "SWE_AGENT_SESSION"),
    # set by a shell or the image
    *("PATH", "PWD", "OLDPWD", "SHLVL", "_", "HOME", "HOSTNAME"),
    # passed on by the local workspace
    *("USER", "LOGNAME", "SHELL", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "LD_LIBRARY_PATH", "PYTHONUSERBASE"),
    *("VIRTUAL_ENV", "CONDA_PREFIX", "CONDA_DEFAULT_ENV", "PYENV_ROOT", "PYENV_VERSION", "JAVA_HOME", "GOROOT"),
    *("RUSTUP_HOME", "CARGO_HOME", "RUSTUP_TOOLCHAIN"),
    *local.EXPLICIT_BARE_REPOSITORY,
}


def running_commands(ws: PosixWorkspace, *commands: str) -> list[str]:
    """Return the commands among these that run in this workspace, found by their arguments."""
    files = " ".join(f"/proc/{process.pid}/cmdline" for process in ws._processes("").table() if process.marked)
    lines = ws._service.run(f"for f in {files}; do {{ tr '\\0' ' ' <$f; echo; }} 2>/dev/null; done").text.splitlines()
    return [command for command in commands if any(line.strip() == command for line in lines)]


def test_state_persists_in_its_session_only(ws: PosixWorkspace) -> None:
    ws.run("cd pkg; export A='b c'; B=2")
    assert check_output(ws, 'echo "$PWD|$A|$B"') == f"{ws.root}/pkg|b c|2"
    assert ws.run('echo "$PWD|$A|$B"', session="other").text == f"{ws.root}||\n"


def test_folder_of_session_is_not_read_from_variable(ws: PosixWorkspace) -> None:
    ws.run("ln -s pkg link-of-folder; cd link-of-folder")
    assert ws.folder() == f"{ws.root}/pkg"
    ws.run("export PWD=/tmp; OLDPWD=/tmp")
    assert ws.folder() == f"{ws.root}/pkg"
    ws.run(f"mkdir {ws.scratch}/gone; cd {ws.scratch}/gone; rmdir {ws.scratch}/gone; set -e")
    assert ws.folder() == f"{ws.scratch}/gone"


def test_bare_repository_in_files_is_ignored_in_local_workspace(make_repo: MakeRepo, open_ws: OpenWorkspace) -> None:
    """Files that a tool may write without permission could name programs that git runs."""
    ws = open_ws("local", make_repo({"README": "hello\n"}))
    for path, text in {"HEAD": "ref: refs/heads/main\n", "objects/x": "", "refs/x": ""}.items():
        ws.write(f"bare/{path}", text.encode())
    settings = "[core]\nrepositoryformatversion = 0\nbare = false\nworktree = ..\n"
    ws.write("bare/config", f'{settings}fsmonitor = "touch {ws.scratch}/ran; false"\n'.encode())
    output = ws.run("cd bare && git status").text
    assert check_output(ws, f"[ -e {ws.scratch}/ran ] || echo no") == "no"
    assert "bare repository" in output
    assert ws.run("git --git-dir=. status").code == 0, "an explicitly named repository may be used"
    assert check_output(ws, f"ls {ws.scratch}/ran") == f"{ws.scratch}/ran"
    ws.run(f"cd {ws.scratch}; git init -q --bare new.git && git clone -q new.git cloned")
    assert (
        check_output(ws, "git --git-dir new.git rev-parse --is-bare-repository; ls cloned/.git/HEAD")
        == "true\ncloned/.git/HEAD"
    )


def test_session_starts_at_root(ws: PosixWorkspace) -> None:
    assert check_output(ws, "pwd") == ws.root
    assert ws.run("true").cwd == ws.root


@pytest.mark.parametrize("name", ["", "a b", "../x", "a-b", "$(id)"])
def test_invalid_session_name_is_refused(ws: PosixWorkspace, name: str) -> None:
    with pytest.raises(UsageError):
        ws.run("true", session=name)


def test_session_has_no_terminal_and_no_input(ws: PosixWorkspace) -> None:
    assert ws.run("cat; [ -t 0 ] || [ -t 1 ] || [ -t 2 ]").code == 1
    assert ws.run("echo x > /dev/tty").code != 0
    assert check_output(ws, "echo $PYTHONDONTWRITEBYTECODE $PAGER $TERM") == "1 cat dumb"


def test_environment_has_only_allowed_variables(
    kind: str, make_repo: MakeRepo, open_ws: OpenWorkspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    repo = make_repo({"README": "hello\n"})
    for name in ("SOME_API_KEY", "GITHUB_TOKEN", "HTTPS_PROXY", "SWE_AGENT_STATE", "PYTHONSTARTUP", "GIT_AUTHOR_NAME"):
        monkeypatch.setenv(name, "of-the-host")
    monkeypatch.setenv("PYTHONPATH", "")
    ws = open_ws(kind, repo)
    output = check_output(ws, "env -0 | tr '\\n\\0' ' \\n'; export")
    assert "of-the-host" not in output
    names = {line.partition("=")[0] for line in check_output(ws, "env -0 | tr '\\n\\0' ' \\n'").splitlines()}
    assert names <= ALLOWED | {NO_PLUGINS}


def test_harness_is_not_on_python_path(ws: PosixWorkspace) -> None:
    assert check_output(ws, "echo $PYTHONPATH").split(":")[:2] == [ws.root, f"{ws.root}/src"]
    assert ws.harness not in check_output(ws, "env")


def test_no_control_descriptor_is_open(ws: PosixWorkspace) -> None:
    assert check_output(ws, "ls /proc/self/fd").split() == ["0", "1", "2", "3"], "3 is the listed folder"


def test_git_of_agent_uses_repository_of_workspace(ws: PosixWorkspace) -> None:
    expected = (
        {f"{name}={value}" for name, value in local.EXPLICIT_BARE_REPOSITORY.items()} if ws.kind == "local" else set()
    )
    assert set(check_output(ws, "env | grep ^GIT_ | grep -v -e PAGER -e PROMPT || :").splitlines()) == expected
    assert check_output(ws, "git rev-parse --show-toplevel") == ws.root


# Time-outs


@pytest.mark.slow
def test_time_out_ends_only_processes_of_its_command(ws: PosixWorkspace) -> None:
    ws.run("sleep 301 >/dev/null 2>&1 &")
    time.sleep(0.2)
    result = ws.run("echo before; sleep 302 & (setsid sleep 303 &); sleep 304; touch after", timeout=0.5)
    assert (result.code, result.timed_out, result.restarted, result.text) == (124, True, True, "before\n")
    assert running_commands(ws, "sleep 301", "sleep 302", "sleep 303", "sleep 304") == ["sleep 301"]
    assert "after" not in check_output(ws, "ls")


@pytest.mark.parametrize(
    "hide",
    [
        "(setsid sh -c 'setsid sleep 311 & sleep 311' &)",
        "nohup sleep 311 >/dev/null 2>&1 &",
        "(trap '' TERM HUP INT; sleep 311) &",
        "sh -c 'sh -c \"sleep 311 &\" &'",
        "(cd /; exec sleep 311 <&- >&- 2>&-) &",
    ],
)
def test_time_out_ends_detached_processes(ws: PosixWorkspace, hide: str) -> None:
    assert ws.run(f"{hide}\nsleep 60", timeout=0.6).timed_out
    assert running_commands(ws, "sleep 311") == []


def test_time_out_does_not_affect_other_sessions(ws: PosixWorkspace) -> None:
    ws.run("A=kept; sleep 321 & :", session="other")
    assert ws.run("sleep 322", timeout=0.3).timed_out
    assert ws.run("echo $A", session="other").text == "kept\n"
    assert running_commands(ws, "sleep 321", "sleep 322") == ["sleep 321"]


def test_exported_variables_and_directory_survive_time_out(ws: PosixWorkspace) -> None:
    ws.run("cd pkg; export A=' a\n\\b'; B=gone")
    assert ws.run("cd /; export A=changed; sleep 60", timeout=0.3).timed_out
    assert check_output(ws, 'echo "$PWD|$A|$B"') == f"{ws.root}/pkg| a\n\\b|"


def test_time_out_of_flood_keeps_start_of_output(ws: PosixWorkspace) -> None:
    result = ws.run(
        "echo first; while :; do echo yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy; done", timeout=0.5
    )
    assert result.timed_out
    assert result.text.startswith("first\n")
    assert check_output(ws, "echo alive") == "alive"


def test_background_jobs_continue_between_commands(ws: PosixWorkspace) -> None:
    ws.run("(sleep 0.3; echo done > flag) >/dev/null 2>&1 &")
    assert not check_output(ws, "ls").count("flag")
    time.sleep(0.6)
    assert check_output(ws, "cat flag") == "done"


def test_output_of_job_that_outlives_its_shell_is_dropped(ws: PosixWorkspace) -> None:
    ws.run("(sleep 0.4; echo stray) & exit")
    time.sleep(0.6)
    assert check_output(ws, "echo mine") == "mine"


# Cancelling


@pytest.mark.parametrize("endless", ["sleep 71; touch after", "while :; do echo y; done", "trap '' TERM; sleep 71"])
def test_cancel_ends_command_within_second(ws: PosixWorkspace, endless: str) -> None:
    ws.run("true")
    threading.Timer(0.2, ws.options.cancel.set).start()
    with pytest.raises(Cancelled):
        ws.run(endless)
    with pytest.raises(Cancelled):
        ws.run("touch started")
    ws.options.cancel.clear()
    assert ws.run("ls after started 2>/dev/null").text == ""
    assert running_commands(ws, "sleep 71") == []


@pytest.mark.slow
def test_cancel_ends_snapshot_and_workspace_can_be_closed(
    kind: str, make_repo: MakeRepo, open_ws: OpenWorkspace
) -> None:
    cancel = threading.Event()
    ws = open_ws(kind, make_repo({"README": "hello\n"}), cancel=cancel)
    job = check_output(ws, "head -c 150000000 /dev/urandom > big; sleep 303 >/dev/null 2>&1 & echo $!")
    threading.Timer(0.2, cancel.set).start()
    with pytest.raises(Cancelled):
        ws.snapshot()
    with pytest.raises(Cancelled):
        ws.read("README")
    ws.close()
    if kind == "local":
        assert not Path(ws.root).exists()
        assert has_ended(job)


# Closing


def has_ended(pid: str) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    return not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] == "Z"


def test_closed_workspace_refuses_all_operations(kind: str, make_repo: MakeRepo, open_ws: OpenWorkspace) -> None:
    ws = open_ws(kind, make_repo({"README": "hello\n"}))
    ws.close()
    ws.close()
    for use in (lambda: ws.run("true"), lambda: ws.read("README"), ws.snapshot, lambda: ws.fork("")):
        with pytest.raises(WorkspaceError):
            use()


@pytest.mark.slow
def test_closed_local_workspace_leaves_no_files_and_processes(make_repo: MakeRepo, open_ws: OpenWorkspace) -> None:
    ws = open_ws("local", make_repo({"README": "hello\n"}))
    pids = check_output(ws, "sleep 401 & echo $!; (setsid sleep 402 & echo $!)").split()
    ws.run("mkdir ro; touch ro/x; chmod 500 ro; mkdir -p $(printf 'd/%.0s' $(seq 900))")
    ws.close()
    assert not Path(ws.root).parent.parent.exists()
    assert all(map(has_ended, pids))


@pytest.mark.slow
def test_local_workspace_reports_isolation_and_foreign_imports(make_repo: MakeRepo, open_ws: OpenWorkspace) -> None:
    messages: list[str] = []
    open_ws("local", make_repo({"src/own/__init__.py": "", "json/__init__.py": ""}), say=messages.append)
    assert len(messages) == 1
    assert "not isolated" in messages[0]
    open_ws("local", make_repo({"sys/__init__.py": ""}), say=messages.append)
    assert "sys is imported from " in messages[2]
