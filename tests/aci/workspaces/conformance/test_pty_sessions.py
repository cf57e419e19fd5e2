"""Side sessions with a terminal: debuggers, REPLs, editors, programs that ask, and what ends them."""

from __future__ import annotations

import shutil
import subprocess
import threading
import time
from collections.abc import Iterator

import pytest

from aci.runtime.posix_workspace import PosixWorkspace
from tests.aci.workspaces.conformance.conftest import Shared, changed, out
from tests.aci.workspaces.conformance.test_shell_sessions import ended, running
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
def shorter_quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aci.runtime.pty_session.QUIET_SECONDS", 0.12)


@pytest.fixture
def ws(kind: str, shared: Shared) -> Iterator[PosixWorkspace]:
    workspace = shared.take(kind)
    yield workspace
    for name in list(workspace._terminals):
        workspace._terminals.pop(name).close()
    shared.put_back(kind, workspace)


def last(ws: PosixWorkspace, session: str, *texts: str, wait: float = 10.0, until: str = "") -> str:
    """What appears after the last of these; where the machine is slow, in several looks `until` it ends so."""
    for text in texts:
        shown = ws.type(session, text, wait).text
    deadline = time.monotonic() + 30
    while not shown.rstrip().endswith(until) and time.monotonic() < deadline:
        shown = "\n".join([*shown.splitlines()[:-1], ws.type(session, "", 1.0).text])
    return shown


def test_shell_at_terminal(ws: PosixWorkspace) -> None:
    assert last(ws, "a", "") == "$"
    shown = last(ws, "a", "[ -t 0 ] && [ -t 1 ] && tty; stty size; pwd; echo $TERM\n", until="\n$")
    assert shown.splitlines()[1].startswith("/dev/")
    assert shown.splitlines()[2:] == ["40 120", ws.root, "xterm", "$"]


@pytest.mark.slow
def test_what_is_set_lasts_and_others_know_nothing_of_it(ws: PosixWorkspace) -> None:
    ws.type("a", "A=1; cd pkg\n")
    assert last(ws, "a", "echo $A $PWD\n", until="\n$").splitlines()[1] == f"1 {ws.root}/pkg"
    assert last(ws, "b", "echo $A $PWD\n", until="\n$").splitlines()[1] == ws.root
    assert out(ws, "echo $A $PWD") == ws.root


@pytest.mark.slow
def test_python_debugger(ws: PosixWorkspace) -> None:
    ws.write("sum.py", SUM.encode())
    assert "(Pdb)" in last(ws, "pdb", "python3 -m pdb sum.py\n", until="(Pdb)")
    assert "Breakpoint 1 at" in last(ws, "pdb", "b 4\n", until="\n(Pdb)")
    assert "t += i" in last(ws, "pdb", "c\n", until="\n(Pdb)")
    assert last(ws, "pdb", "c\n", "p t, i\n", until="(0, 1)\n(Pdb)").splitlines()[-2:] == ["(0, 1)", "(Pdb)"]
    assert last(ws, "pdb", "q\n", until="\n$").splitlines()[-1] == "$"


@pytest.mark.slow
def test_python_prompt(ws: PosixWorkspace) -> None:
    assert last(ws, "py", "python3 -q\n", until=">>>").endswith(">>>")
    shown = last(ws, "py", "x = 20\n", "for i in range(2):\n    print(x + i)\n\n", until="21\n>>>")
    assert shown.splitlines()[-3:] == ["20", "21", ">>>"]
    assert "done" in last(ws, "py", "import time; time.sleep(1); print('do' + 'ne')\n", until="\n>>>")
    assert last(ws, "py", "<up><enter>", until="\n>>>").count("done") == 1
    assert last(ws, "py", "<ctrl-d>", until="\n$").splitlines()[-1] == "$"


@pytest.mark.slow
def test_endless_loop_is_interrupted(ws: PosixWorkspace) -> None:
    last(ws, "py", "python3 -q\n", until="\n>>>")
    last(ws, "py", "while True: pass\n\n", wait=1)
    assert last(ws, "py", "<ctrl-c>", until="\n>>>").splitlines()[-2:] == ["KeyboardInterrupt", ">>>"]
    last(ws, "py", "exit()\n", "sleep 600\n", wait=1)
    assert last(ws, "py", "<c-c>", until="\n$").splitlines()[-1] == "$"


def test_password_is_asked_for(ws: PosixWorkspace) -> None:
    asks = "import getpass; p = getpass.getpass(); print(len(p), 'characters')"
    assert last(ws, "a", f'python3 -c "{asks}"\n', until="Password:").splitlines()[-1] == "Password:"
    shown = last(ws, "a", "hunter2hunter2\n", until="\n$")
    assert "14 characters" in shown
    assert "hunter2" not in shown


@pytest.mark.slow
def test_interactive_rebase(ws: PosixWorkspace) -> None:
    ws.run("git config user.name a; git config user.email a@b; git config commit.gpgsign false")
    ws.run("for n in 1 2 3; do git commit -q --allow-empty -m commit-$n; done")
    ws.write(f"{ws.scratch}/ask", b'#!/bin/sh\ncat "$1"; printf "drop which? "; read n; sed -i "/commit-$n/d" "$1"\n')
    shown = last(
        ws, "git", f"chmod +x {ws.scratch}/ask; GIT_SEQUENCE_EDITOR={ws.scratch}/ask git rebase -i HEAD~3\n", until="?"
    )
    assert shown.splitlines()[-1] == "drop which?"
    assert "Success" in last(ws, "git", "2\n", until="\n$")
    assert out(ws, "git log --format=%s | head -2").split() == ["commit-3", "commit-1"]


@pytest.mark.slow
def test_program_that_paints_screen(ws: PosixWorkspace) -> None:
    ws.write(f"{ws.scratch}/editor.py", EDITOR.encode())
    seen = ws.type("ed", f"python3 {ws.scratch}/editor.py\n")
    assert seen.painted
    assert (seen.text.splitlines()[0], seen.text.splitlines()[39]) == ("first of 40x120", "last line")
    assert last(ws, "ed", "<up>").splitlines()[2] == "    b'\\x1b[A'"
    seen = ws.type("ed", "q")
    assert not seen.painted
    assert "first of" not in seen.text


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("vi"), reason="no vi here")
def test_vi(shared: Shared) -> None:
    ws = shared.take("local")
    assert ws.type("vi", "vi README\n").painted
    last(ws, "vi", "Gochanged<esc>:wq\n")
    assert ws.read("README") == b"hello\nchanged\n"
    ws._terminals.pop("vi").close()
    shared.put_back("local", ws)


@pytest.mark.slow
def test_each_key_reaches_program_at_once(ws: PosixWorkspace) -> None:
    """ctrl-p ctrl-q leaves a container's terminal without ending what runs there, if it is not asked for other keys."""
    loop = "while (k := os.read(0, 9)) != b'x': print(k, end=';', flush=True)"
    ws.write("keys.py", f"import os, tty\ntty.setraw(0)\nprint('ready')\n{loop}\n".encode())
    last(ws, "a", "python3 keys.py\n", until="ready")
    assert last(ws, "a", "<ctrl-p>", until=";").strip() == "b'\\x10';"
    assert last(ws, "a", "<ctrl-q>", until="';").endswith("b'\\x11';")
    assert "42" in last(ws, "a", "x", "stty sane; echo $((6 * 7))\n", until="\n$").splitlines()


def test_lines_are_whole_however_long(ws: PosixWorkspace) -> None:
    shown = last(ws, "a", "printf 'x%.0s' $(seq 500); echo; seq 300\n", until="\n$").splitlines()
    assert shown[1] == "x" * 500
    assert shown[2:302] == [str(number) for number in range(1, 301)]


@pytest.mark.slow
def test_binary_junk_and_flood(ws: PosixWorkspace) -> None:
    ws.type("a", "head -c 300000 /dev/urandom; printf '\\033c'\n")
    shown = last(ws, "a", "head -c 5000000 /dev/zero | tr '\\0' x; echo; echo end\n", wait=30, until="end\n$")
    assert len(shown) < 2_000_000
    assert shown.splitlines()[-2] == "end"


@pytest.mark.slow
def test_session_that_ends_can_be_begun_anew(ws: PosixWorkspace) -> None:
    seen = ws.type("a", "A=1; exit 3\n")
    assert seen.code == (3 if ws.kind == "local" else seen.code)
    assert seen.code is not None
    assert last(ws, "a", "echo a${A}b\n", until="\n$").splitlines()[1] == "ab"
    assert ws.type("a", "kill -9 $$\n").code is not None
    assert ws.type("a", "").text == "$"


@pytest.mark.slow
def test_what_runs_in_it_outlives_time_out_of_shell_and_ends_with_it(ws: PosixWorkspace) -> None:
    ws.type("a", "sleep 611\n", wait=1)
    assert ws.run("sleep 612", timeout=0.4).timed_out
    assert running(ws, "sleep 611", "sleep 612") == ["sleep 611"]
    ws._terminals.pop("a").close()
    assert running(ws, "sleep 611") == []


def test_its_files_are_in_tree(ws: PosixWorkspace) -> None:
    ws.type("a", "echo typed > new; echo at $PWD\n")
    assert changed(ws, ws.snapshot().tree) == {"new": "A"}


def test_cancel_ends_it(ws: PosixWorkspace) -> None:
    ws.type("a", "true\n")
    threading.Timer(0.3, ws.options.cancel.set).start()
    with pytest.raises(Cancelled):
        ws.type("a", "sleep 600\n", wait=600)


@pytest.mark.parametrize("name", ["", "a b", "$(id)"])
def test_it_needs_plain_name(ws: PosixWorkspace, name: str) -> None:
    with pytest.raises(UsageError):
        ws.type(name, "")


@pytest.mark.slow
def test_there_are_only_so_many(kind: str, make_repo: MakeRepo, open_ws: OpenWorkspace) -> None:
    ws = open_ws(kind, make_repo({"README": "hello\n"}))
    shown = ws.type("t0", "echo pid $$\n").text
    for number in range(1, 8):
        ws.type(f"t{number}", "")
    with pytest.raises(UsageError, match="t3"):
        ws.type("t8", "")
    ws.close()
    if kind == "local":
        assert ended(shown.splitlines()[1].split()[1])
    with pytest.raises(WorkspaceError):
        ws.type("t0", "")


@pytest.mark.slow
@pytest.mark.docker
def test_container_that_is_gone_is_no_program_that_ended(make_repo: MakeRepo, open_ws: OpenWorkspace) -> None:
    ws = open_ws("docker", make_repo({"README": "hello\n"}))
    ws.type("a", "")
    subprocess.run(["docker", "kill", ws._host._container.id], check=True, capture_output=True)  # type: ignore[attr-defined]
    with pytest.raises(WorkspaceError) as caught:
        ws.type("a", "echo 1\n")
    assert "resume" in caught.value.fix
