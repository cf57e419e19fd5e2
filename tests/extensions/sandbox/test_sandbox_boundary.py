"""Attacks on the boundary of the sandbox by programs inside: on namespaces, mounts and the harness's own programs."""

from __future__ import annotations

import ctypes
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.aci.workspaces.breakout.hostile import assert_refused, python
from tests.conftest import committed, git

pytestmark = [
    pytest.mark.slow,
    pytest.mark.sandbox,
    pytest.mark.parametrize("isolated_kind", ["sandbox"], indirect=True),
]
SECRET = "a secret of this machine"


def count_processes(word: str) -> int:
    """Return the number of processes of this machine whose command line contains the word."""
    count = 0
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            count += word.encode() in file.read_bytes()
        except OSError:
            continue
    return count


@contextmanager
def shared_memory_segment(content: bytes) -> Iterator[int]:
    """Create a System V segment and yield its id."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.shmat.restype = ctypes.c_void_p
    id = libc.shmget(0x53414645, 4096, 0o1666)
    address = libc.shmat(id, None, 0)
    ctypes.memmove(address, content, len(content))
    try:
        yield id
    finally:
        libc.shmdt(ctypes.c_void_p(address))
        libc.shmctl(id, 0, None)


# Files


@pytest.mark.parametrize("place", ["home", "temporary", "memory"])
def test_files_of_user_are_invisible(ws, place, tmp_path):
    folder = {"home": Path.home(), "temporary": tmp_path, "memory": Path("/dev/shm")}[place]
    file = folder / f"secret-{os.getpid()}"
    file.write_text(SECRET)
    try:
        assert_refused(ws, f"cat {file}", f"cat /proc/1/root{file}", f"cat /proc/self/root/../..{file}")
        assert SECRET not in ws.run(f"for p in /proc/[0-9]*; do cat $p/root{file} $p/cwd{file}; done 2>&1").text
    finally:
        file.unlink()


def test_system_and_shown_folders_cannot_be_written(ws):
    objects = "/swe-agent/objects/history"
    assert_refused(
        ws,
        "touch /usr/x",
        "touch /etc/x",
        "touch /x",
        "touch /dev/x",
        f"touch {objects}/x",
        f"chmod 777 {objects}",
        "echo x > /etc/passwd",
        "echo x > /swe-agent/sandbox_init.py",
        "mv /swe-agent/store.git/config /swe-agent/store.git/other",
    )


def test_no_run_var_or_sys_folder_exists(ws):
    assert ws.run("ls -d /run /sys /var/run /var/lib /boot /mnt /media 2>/dev/null").text == ""
    assert ws.run("find / -xdev -type s 2>/dev/null").text == ""


def test_set_uid_bit_cannot_be_set(ws):
    assert_refused(ws, "cp /bin/sh s && chmod u+s s", "cp /bin/sh t && chmod 4755 t")


# Processes


def test_first_process_and_control_shell_cannot_be_traced(ws):
    programs = ws.run("cd /proc; grep -lz store.git [0-9]*/environ 2>/dev/null; echo 1/environ").text.split()
    assert programs == ["1/environ"], "the environment of the control shell can be read"
    attach = """
import ctypes, sys
libc = ctypes.CDLL(None, use_errno=True)
print([pid for pid in range(1, 5) if libc.ptrace(0x4206, pid, 0, 0) == 0])
for pid in (1, 2, 4):
    for name in ("mem", "environ", "maps", "fd"):
        try:
            open(f"/proc/{pid}/{name}", "rb").read(10)
            print(pid, name)
        except OSError:
            pass
"""
    traced = ws.run(python(attach)).text
    assert "1 mem" not in traced
    assert "1 environ" not in traced
    assert "1" not in traced.splitlines()[0]
    assert "2" not in traced.splitlines()[0], "the control shell's wrapper can be traced"


@pytest.mark.parametrize("signal", ["KILL", "STOP", "INT", "TERM", "CHLD", "USR1", "PIPE"])
def test_first_process_survives_signal(ws, signal):
    ws.run(f"kill -{signal} 1; for i in $(seq 50); do kill -{signal} 1; done")
    ran = ws.run("echo alive")
    assert (ran.text, ran.restarted) == ("alive\n", False)


def test_limits_of_other_processes_cannot_be_changed(ws):
    limit = "import resource, sys; resource.prlimit(int(sys.argv[1]), resource.RLIMIT_NOFILE, (5, 5))"
    assert_refused(ws, f'python3 -c "{limit}" 1', f'python3 -c "{limit}" 2')


def test_processes_of_host_are_invisible(ws):
    assert_refused(ws, f"kill -0 {os.getpid()}")
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)", "witness-of-host"]) as process:
        assert "witness-of-host" not in ws.run("cat /proc/[0-9]*/cmdline").text
        process.kill()


def test_nothing_runs_after_close(ws):
    word = f"daemon-{os.getpid()}"
    daemon = f"trap '' TERM HUP INT; : {word}; while :; do sleep 1; done"
    ws.run(f'for i in 1 2 3 4 5; do (setsid sh -c "{daemon}" >/dev/null 2>&1 <&- &); done')
    deadline = time.monotonic() + 30
    while count_processes(word) < 5:
        assert time.monotonic() < deadline, "the processes did not start"
        time.sleep(0.02)
    ws.close()
    assert count_processes(word) == 0


# Namespaces and the kernel


def test_shared_memory_and_sockets_of_host_are_not_reachable(ws, tmp_path):
    with shared_memory_segment(SECRET.encode()) as id, socket.socket(socket.AF_UNIX) as server:
        server.bind(f"\0swe-agent-boundary-{os.getpid()}")
        server.listen()
        attach = f"import ctypes, sys; sys.exit(ctypes.CDLL(None).shmget(0x53414645, 0, 0) < 0 or {id} < 0)"
        connect = f"import socket; socket.socket(socket.AF_UNIX).connect('\\0swe-agent-boundary-{os.getpid()}')"
        assert_refused(ws, python(attach), python(connect))


def test_namespaces_and_mounts_cannot_be_changed(ws):
    calls = """
import ctypes, sys
libc = ctypes.CDLL(None, use_errno=True)
made = [flag for flag in (0x10000000, 0x20000, 0x20000000, 0x40000000, 0x8000000, 0x4000000, 0x2000000, 0x80)
        if libc.unshare(flag) == 0]
for number, arguments in {
    165: (b"none", b"/tmp", b"tmpfs", 0, 0), 155: (b"/", b"/"), 161: (b"/tmp",), 428: (-100, b"/", 1),
    430: (b"tmpfs", 0), 442: (-100, b"/", 0, 0, 0), 308: (0, 0), 425: (1, 0), 323: (0,), 321: (0, 0, 0),
    250: (11, -3, 0, 0), 304: (0, 0, 0), 438: (3, 0, 0), 206: (1, 0), 240: (b"/q", 0o102, 0o600, 0),
}.items():
    ctypes.set_errno(0)
    if libc.syscall(number, *arguments) >= 0:
        made.append(number)
print(made)
sys.exit(not made)
"""
    assert_refused(ws, python(calls))


def test_input_of_terminal_cannot_be_forged(ws):
    inject = "import fcntl, termios; fcntl.ioctl(0, {}, b'x')"
    for request in ("termios.TIOCSTI", "0x541C", "0xffffffff00005412"):
        assert "Error" in ws.type("a", f'python3 -c "{inject.format(request)}"\n').text


def test_setting_of_kernel_cannot_be_opened_for_writing(ws):
    assert (
        ws.run(
            "find /proc/sys -type f -writable 2>/dev/null | while read -r f; do (: >> $f) 2>/dev/null && echo $f; done"
        ).text
        == ""
    )


# The restart


def test_links_in_place_of_mount_points_are_not_followed_at_restart(isolated_kind, open_ws, tmp_path):
    victim = tmp_path / "victim"
    victim.mkdir()
    swap = f"""
import os
for name in os.listdir("/tmp"):
    os.rename(f"/tmp/{{name}}", f"/tmp/moved-{{name}}")
    os.symlink("/oldroot{victim}", f"/tmp/{{name}}")
"""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:  # a checkout that the sandbox shows in its own /tmp
        ws = open_ws(isolated_kind, committed(Path(folder, "repo"), {"README": "hello\n"}))
        assert ws.run(python(swap) + "\nls -l /tmp").text.count("->") >= 1
        assert ws._host.relieve()
        assert ws.run("cat README").text == "hello\n"
        assert list(victim.iterdir()) == []
        ws.close()


def test_fork_bomb_is_bounded_and_leaves_harness_working(open_isolated):
    ws = open_isolated(processes=100)
    ws.run("touch kept; bomb() { bomb | bomb & }; bomb", timeout=5)
    assert ws.snapshot().tree != ws.options.base.tree
    fresh = ws.fork(ws.options.base.tree)
    assert fresh.run("echo alive").text == "alive\n"
    fresh.close()
    assert ws._host.relieve()
    assert "kept" in ws.run("ls").text


def test_git_of_harness_runs_no_program_of_agent(ws):
    ws.run("printf '#!/bin/sh\\ntouch /tmp/ran\\n' > /tmp/evil; chmod +x /tmp/evil")
    ws.run(
        "git config --file /swe-agent/store.git/config core.fsmonitor /tmp/evil; git config core.fsmonitor /tmp/evil"
    )
    ws.run("mkdir -p /swe-agent/store.git/hooks; cp /tmp/evil /swe-agent/store.git/hooks/post-index-change")
    ws.run("echo '* filter=evil' > /swe-agent/store.git/info/attributes; echo new > README")
    assert ws.snapshot(exact=True).tree != ws.options.base.tree
    assert ws.run("ls /tmp/ran").code


# Generated files and environments


@pytest.mark.parametrize("name", [".env", ".git/config", "up/x.py", "link.py", "../x.py"])
def test_declared_version_file_leaves_no_path_of_repository(open_isolated, tmp_path, make_repo, open_ws, name):
    (tmp_path / "home").mkdir()
    project = f'[tool.setuptools_scm]\nversion_file = "{name}"\nversion_file_template = "evil"\n'
    root = make_repo({"pyproject.toml": project, ".gitignore": ".env\nx.py\nlink.py\n", "a.py": ""})
    (root / "up").symlink_to(tmp_path / "home")
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", "A link")
    (root / ".env").write_text(SECRET)
    (root / "link.py").symlink_to(root / ".env")
    ws = open_ws("sandbox", root)
    assert SECRET not in ws.run("cat .env .git/config link.py up/x.py ../x.py 2>&1").text
    assert "evil" not in ws.run("cat .env .git/config up/x.py ../x.py 2>&1").text
    assert list((tmp_path / "home").iterdir()) == []


def test_sockets_in_environment_and_packages_are_covered(isolated_kind, make_repo, open_ws, monkeypatch):
    """Through a socket or pipe in a read-only folder, a program could reach a process of the user."""
    for name in ("VIRTUAL_ENV", "CONDA_PREFIX"):
        monkeypatch.delenv(name, raising=False)
    root = make_repo({"package.json": "{}", ".gitignore": ".venv\nnode_modules\n"})
    (root / ".venv/bin").mkdir(parents=True)
    (root / ".venv/bin/python").symlink_to("/usr/bin/python3")
    (root / ".venv/pyvenv.cfg").write_text("home = /usr/bin\n")
    (root / "node_modules/.cache").mkdir(parents=True)
    (root / "node_modules/left").mkdir()
    os.mkfifo(root / ".venv/pipe")
    inside = (f"{root}/.venv/daemon", "node_modules/.cache/daemon", "node_modules/left/daemon")
    monkeypatch.chdir(root)
    with ExitStack() as stack:
        for name in (".venv/daemon", *inside[1:]):
            server = stack.enter_context(socket.socket(socket.AF_UNIX))
            server.bind(name)
            server.listen()
        ws = open_ws(isolated_kind, root)
        shown = ws.run(f"ls {root}/.venv node_modules/left; ls -A /swe-agent/packages/node_modules/.cache").text
        assert shown.count("daemon") == 2, "the folder of a tool's cache is empty"
        for name in inside:
            connect = f"import socket; socket.socket(socket.AF_UNIX).connect('{name}')"
            assert ws.run(f'python3 -c "{connect}"').code != 0
        reader = os.open(root / ".venv/pipe", os.O_RDONLY | os.O_NONBLOCK)
        stack.callback(os.close, reader)
        ws.run(f"echo x > {root}/.venv/pipe", timeout=5)
        assert os.read(reader, 10) == b""


def test_leases_on_shown_files_are_refused(ws):
    assert_refused(ws, python("import fcntl; fcntl.fcntl(open('/usr/bin/env'), fcntl.F_SETLEASE, fcntl.F_RDLCK)"))


def test_set_up_cannot_name_files_of_the_user(isolated_kind, make_repo, open_ws, tmp_path):
    """The environment's settings name an interpreter in the checkout, whose folder has a link to a private file."""
    secret = tmp_path / "secret"
    secret.write_text(SECRET)
    root = make_repo({"lib/python3.1/os.py": "", "bin/python3.1": "#!/bin/sh\n"})
    (root / "bin/python3-key").symlink_to(secret)
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", "A link")
    venv = tmp_path / "venv"
    (venv / "bin").mkdir(parents=True)
    (venv / "bin/python").symlink_to(root / "bin/python3.1")
    (venv / "pyvenv.cfg").write_text(f"home = {root}/bin\n")
    ws = open_ws(isolated_kind, root, environment=venv)
    assert ws.run("echo $VIRTUAL_ENV").text.strip() == str(venv)
    assert SECRET not in ws.run("cat bin/python3-key").text
    assert set(ws.run(f"ls {tmp_path}").text.split()) <= {root.name, "venv"}
