"""Terminal sessions: debuggers, REPLs, editors, prompts, and the end of sessions."""

from __future__ import annotations

import shutil
import subprocess
import threading
import time
from collections.abc import Iterator

import pytest

from aci.runtime.posix_workspace import PosixWorkspace
from tests.aci.workspaces.conformance.conftest import Shared, changed, check_output
from tests.aci.workspaces.conformance.test_shell_sessions import has_ended, running_commands
from tests.conftest import MakeRepo, OpenWorkspace
from trajectories.errors import Cancelled, UsageError, WorkspaceError

SUM = "def total(n):\n    t = 0\n    for i in range(n):\n        t += i\n    return t\n\nprint(total(3))\n"
EDITOR = """\
import os, sys, termios, tty
was = termios.tcgetattr(0)
tty.setcbreak(0)
size = os.get_terminal_size()
sys.stdout.write(f"\\x1b[?1049h\\x1b[2J\\x1b[{size.lines};1Hlast line\\x1b[1;1Hfirst of {size.lines}x{size.columns}")
sys.stdout.flush()
while (key := os.read(0, 10)) != b"q":
    sys.stdout.write(f"\\x1b[3;5H\\x1b[K{key!r}")
    sys.stdout.flush()
sys.stdout.write("\\x1b[?1049l")
termios.tcsetattr(0, termios.TCSADRAIN, was)
"""


@pytest.fixture(autouse=True)
def short_quiet_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("extensions.terminal_programs.pty_session.QUIET_SECONDS", 0.12)


@pytest.fixture
def ws(kind: str, shared: Shared) -> Iterator[PosixWorkspace]:
    workspace = shared.take(kind)
    yield workspace
    for name in list(workspace._terminals):
        workspace._terminals.pop(name).close()
    shared.reset(kind, workspace)


def type_and_read(ws: PosixWorkspace, session: str, *texts: str, wait: float = 10.0, until: str = "") -> str:
    """Type these texts and return what appears after the last, on a slow machine not before it ends with `until`."""
    for text in texts:
        output = ws.type(session, text, wait).text
    deadline = time.monotonic() + 30
    while not output.rstrip().endswith(until) and time.monotonic() < deadline:
        output = "\n".join([*output.splitlines()[:-1], ws.type(session, "", 1.0).text])
    return output


def test_shell_has_terminal(ws: PosixWorkspace) -> None:
    assert type_and_read(ws, "a", "") == "$"
    output = type_and_read(ws, "a", "[ -t 0 ] && [ -t 1 ] && tty; stty size; pwd; echo $TERM\n", until="\n$")
    assert output.splitlines()[1].startswith("/dev/")
    assert output.splitlines()[2:] == ["40 120", ws.root, "xterm", "$"]


@pytest.mark.slow
def test_state_persists_in_its_session_only(ws: PosixWorkspace) -> None:
    ws.type("a", "A=1; cd pkg\n")
    assert type_and_read(ws, "a", "echo $A $PWD\n", until="\n$").splitlines()[1] == f"1 {ws.root}/pkg"
    assert type_and_read(ws, "b", "echo $A $PWD\n", until="\n$").splitlines()[1] == ws.root
    assert check_output(ws, "echo $A $PWD") == ws.root


@pytest.mark.slow
def test_python_debugger_can_be_used(ws: PosixWorkspace) -> None:
    ws.write("sum.py", SUM.encode())
    assert "(Pdb)" in type_and_read(ws, "pdb", "python3 -m pdb sum.py\n", until="(Pdb)")
    assert "Breakpoint 1 at" in type_and_read(ws, "pdb", "b 4\n", until="\n(Pdb)")
    assert "t += i" in type_and_read(ws, "pdb", "c\n", until="\n(Pdb)")
    assert type_and_read(ws, "pdb", "c\n", "p t, i\n", until="(0, 1)\n(Pdb)").splitlines()[-2:] == ["(0, 1)", "(Pdb)"]
    assert type_and_read(ws, "pdb", "q\n", until="\n$").splitlines()[-1] == "$"


@pytest.mark.slow
def test_python_prompt_can_be_used(ws: PosixWorkspace) -> None:
    assert type_and_read(ws, "py", "PYTHON_BASIC_REPL=1 python3 -q\n", until="\n>>>").endswith(">>>")
    output = type_and_read(ws, "py", "x = 20\n", "for i in range(2):\n    print(x + i)\n\n", until="21\n>>>")
    assert output.splitlines()[-3:] == ["20", "21", ">>>"]
    assert "done" in type_and_read(ws, "py", "import time; time.sleep(1); print('do' + 'ne')\n", until="\n>>>")
    assert type_and_read(ws, "py", "<up><enter>", until="\n>>>").count("done") == 1
    assert type_and_read(ws, "py", "<ctrl-d>", until="\n$").splitlines()[-1] == "$"


@pytest.mark.slow
def test_endless_loop_is_interrupted_by_ctrl_c(ws: PosixWorkspace) -> None:
    type_and_read(ws, "py", "python3 -q\n", until="\n>>>")
    type_and_read(ws, "py", "while True: pass\n\n", wait=1)
    assert type_and_read(ws, "py", "<ctrl-c>", until="\n>>>").splitlines()[-2:] == ["KeyboardInterrupt", ">>>"]
    type_and_read(ws, "py", "exit()\n", "sleep 600\n", wait=1)
    assert type_and_read(ws, "py", "<c-c>", until="\n$").splitlines()[-1] == "$"


def test_password_prompt_shows_no_password(ws: PosixWorkspace) -> None:
    program = "import getpass; p = getpass.getpass(); print(len(p), 'characters')"
    assert type_and_read(ws, "a", f'python3 -c "{program}"\n', until="Password:").splitlines()[-1] == "Password:"
    output = type_and_read(ws, "a", "hunter2hunter2\n", until="\n$")
    assert "14 characters" in output
    assert "hunter2" not in output


@pytest.mark.slow
def test_interactive_rebase_can_be_used(ws: PosixWorkspace) -> None:
    ws.run("git config user.name a; git config user.email a@b; git config commit.gpgsign false")
    ws.run("for n in 1 2 3; do git commit -q --allow-empty -m commit-$n; done")
    ws.write(f"{ws.scratch}/ask", b'#!/bin/sh\ncat "$1"; printf "drop which? "; read n; sed -i "/commit-$n/d" "$1"\n')
    output = type_and_read(
        ws, "git", f"chmod +x {ws.scratch}/ask; GIT_SEQUENCE_EDITOR={ws.scratch}/ask git rebase -i HEAD~3\n", until="?"
    )
    assert output.splitlines()[-1] == "drop which?"
    assert "Success" in type_and_read(ws, "git", "2\n", until="\n$")
    assert check_output(ws, "git log --format=%s | head -2").split() == ["commit-3", "commit-1"]


@pytest.mark.slow
def test_screen_of_full_screen_program_is_shown(ws: PosixWorkspace) -> None:
    ws.write(f"{ws.scratch}/editor.py", EDITOR.encode())
    screen = ws.type("ed", f"python3 {ws.scratch}/editor.py\n")
    assert screen.painted
    assert (screen.text.splitlines()[0], screen.text.splitlines()[39]) == ("first of 40x120", "last line")
    assert type_and_read(ws, "ed", "<up>").splitlines()[2] == "    b'\\x1b[A'"
    screen = ws.type("ed", "q")
    assert not screen.painted
    assert "first of" not in screen.text


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("vi"), reason="vi is not installed")
def test_vi_can_be_used(shared: Shared) -> None:
    ws = shared.take("local")
    assert ws.type("vi", "vi README\n").painted
    type_and_read(ws, "vi", "Gochanged<esc>:wq\n")
    assert ws.read("README") == b"hello\nchanged\n"
    ws._terminals.pop("vi").close()
    shared.reset("local", ws)


@pytest.mark.slow
def test_each_key_reaches_program_at_once(ws: PosixWorkspace) -> None:
    """By default, Docker detaches from a container's terminal on ctrl-p ctrl-q."""
    loop = "while (k := os.read(0, 9)) != b'x': print(k, end=';', flush=True)"
    ws.write("keys.py", f"import os, tty\ntty.setraw(0)\nprint('ready')\n{loop}\n".encode())
    type_and_read(ws, "a", "python3 keys.py\n", until="ready")
    assert type_and_read(ws, "a", "<ctrl-p>", until=";").strip() == "b'\\x10';"
    assert type_and_read(ws, "a", "<ctrl-q>", until="';").endswith("b'\\x11';")
    assert "42" in type_and_read(ws, "a", "x", "stty sane; echo $((6 * 7))\n", until="\n$").splitlines()


def test_long_lines_and_long_output_are_complete(ws: PosixWorkspace) -> None:
    output = type_and_read(ws, "a", "printf 'x%.0s' $(seq 500); echo; seq 300\n", until="\n$").splitlines()
    assert output[1] == "x" * 500
    assert output[2:302] == [str(number) for number in range(1, 301)]


@pytest.mark.slow
def test_binary_output_and_flood_are_bounded(ws: PosixWorkspace) -> None:
    ws.type("a", "head -c 300000 /dev/urandom; printf '\\033c'\n")
    output = type_and_read(ws, "a", "head -c 5000000 /dev/zero | tr '\\0' x; echo; echo end\n", wait=30, until="end\n$")
    assert len(output) < 2_000_000
    assert output.splitlines()[-2] == "end"


@pytest.mark.slow
def test_ended_session_can_be_restarted(ws: PosixWorkspace) -> None:
    screen = ws.type("a", "A=1; exit 3\n")
    assert screen.code == (3 if ws.kind == "local" else screen.code)
    assert screen.code is not None
    assert type_and_read(ws, "a", "echo a${A}b\n", until="\n$").splitlines()[1] == "ab"
    assert ws.type("a", "kill -9 $$\n").code is not None
    assert ws.type("a", "").text == "$"


@pytest.mark.slow
def test_program_outlives_time_out_of_shell_and_ends_with_session(ws: PosixWorkspace) -> None:
    ws.type("a", "sleep 611\n", wait=1)
    assert ws.run("sleep 612", timeout=0.4).timed_out
    assert running_commands(ws, "sleep 611", "sleep 612") == ["sleep 611"]
    ws._terminals.pop("a").close()
    assert running_commands(ws, "sleep 611") == []


def test_files_of_session_are_in_snapshot(ws: PosixWorkspace) -> None:
    ws.type("a", "echo typed > new; echo at $PWD\n")
    assert changed(ws, ws.snapshot().tree) == {"new": "A"}


def test_cancel_ends_session(ws: PosixWorkspace) -> None:
    ws.type("a", "true\n")
    threading.Timer(0.3, ws.options.cancel.set).start()
    with pytest.raises(Cancelled):
        ws.type("a", "sleep 600\n", wait=600)


@pytest.mark.parametrize("name", ["", "a b", "$(id)"])
def test_invalid_session_name_is_refused(ws: PosixWorkspace, name: str) -> None:
    with pytest.raises(UsageError):
        ws.type(name, "")


@pytest.mark.slow
def test_number_of_sessions_is_limited(kind: str, make_repo: MakeRepo, open_ws: OpenWorkspace) -> None:
    ws = open_ws(kind, make_repo({"README": "hello\n"}))
    output = ws.type("t0", "echo pid $$\n").text
    for number in range(1, 8):
        ws.type(f"t{number}", "")
    with pytest.raises(UsageError, match="t3"):
        ws.type("t8", "")
    ws.close()
    if kind == "local":
        assert has_ended(output.splitlines()[1].split()[1])
    with pytest.raises(WorkspaceError):
        ws.type("t0", "")


@pytest.mark.slow
@pytest.mark.docker
def test_killed_container_is_workspace_error(make_repo: MakeRepo, open_ws: OpenWorkspace) -> None:
    ws = open_ws("docker", make_repo({"README": "hello\n"}))
    ws.type("a", "")
    subprocess.run(["docker", "kill", ws._host._container.id], check=True, capture_output=True)  # type: ignore[attr-defined]
    with pytest.raises(WorkspaceError) as caught:
        ws.type("a", "echo 1\n")
    assert "resume" in caught.value.fix
