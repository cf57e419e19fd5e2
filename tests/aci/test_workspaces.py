"""What every workspace promises, asked of each kind."""

from __future__ import annotations

import os
import shutil
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from aci.posix import PosixWorkspace
from aci.service import Service
from aci.workspace import Ran, Snapshot
from tests.conftest import MakeRepo, OpenWorkspace, git
from trajectories.errors import Cancelled, UsageError, WorkspaceError

FILES = {
    ".gitignore": "*.log\nbuild/\n",
    "README": "hello\n",
    "pkg/__init__.py": "x = 1\n",
    "pkg/mod.py": "def f():\n    return 1\n",
    "run.sh": "#!/bin/sh\necho ran\n",
}


@pytest.fixture
def repo(make_repo: MakeRepo) -> Path:
    return make_repo(FILES)


@pytest.fixture
def ws(kind: str, repo: Path, open_ws: OpenWorkspace) -> PosixWorkspace:
    return open_ws(kind, repo)


def changed(ws: PosixWorkspace, tree: str) -> dict[str, str]:
    """Path -> status of what differs from the base."""
    return {change.path: change.status for change in ws.options.trees.changed(ws.options.base.tree, tree)}


def ended(pid: str) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    return not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] == "Z"


def out(ws: PosixWorkspace, command: str) -> str:
    ran = ws.run(command)
    assert ran.code == 0, ran.text
    return ran.text.strip()


# The base


def test_stands_at_the_base(ws: PosixWorkspace) -> None:
    assert out(ws, "pwd") == ws.root
    assert out(ws, "git rev-parse HEAD") == ws.options.base.commit
    assert out(ws, "git status --porcelain") == ""
    assert ws.snapshot().tree == ws.snapshot(exact=True).tree == ws.options.base.tree


def test_shows_what_the_user_has_not_committed(kind: str, repo: Path, open_ws: OpenWorkspace) -> None:
    (repo / "README").write_text("changed\n")
    (repo / "new.txt").write_text("new\n")
    (repo / "run.sh").chmod(0o755)
    ws = open_ws(kind, repo)
    assert set(out(ws, "git status --porcelain").splitlines()) == {"M README", " M run.sh", "?? new.txt"}
    assert out(ws, "./run.sh") == "ran"
    assert ws.snapshot(exact=True).tree == ws.options.base.tree


def test_nothing_later_than_the_base_is_in_it(kind: str, repo: Path, open_ws: OpenWorkspace) -> None:
    first = git(repo, "rev-parse", "HEAD")
    (repo / "README").write_text("the fix\n")
    git(repo, "commit", "-qam", "later")
    git(repo, "tag", "v2")
    later = git(repo, "rev-parse", "HEAD")
    ws = open_ws(kind, repo, first)
    assert out(ws, "git log --all --format=%H") == first
    assert ws.run(f"git cat-file -e {later}").code != 0
    assert out(ws, "git tag; git remote; git reflog") == ""


def test_bytes_and_modes_are_exact(kind: str, make_repo: MakeRepo, open_ws: OpenWorkspace) -> None:
    repo = make_repo({"a.txt": b"one\r\ntwo\r\n"})
    (repo / "link").symlink_to("a.txt")
    ws = open_ws(kind, repo)
    assert ws.read("a.txt") == b"one\r\ntwo\r\n"
    assert ws.read("link") == b"one\r\ntwo\r\n"
    ws.write("c.txt", b"x\r\n$Id$\r\n")
    ws.write(".gitattributes", b"* text eol=lf ident working-tree-encoding=UTF-16\n")
    tree = ws.snapshot().tree
    assert ws.options.trees.read(tree, "c.txt") == b"x\r\n$Id$\r\n"
    ws.restore(ws.options.base.tree)
    ws.restore(tree)
    assert ws.read("c.txt") == b"x\r\n$Id$\r\n"


# Sessions


def test_a_session_lasts(ws: PosixWorkspace) -> None:
    ws.run("cd pkg; export A='b c'; B=2")
    assert out(ws, 'echo "$PWD|$A|$B"') == f"{ws.root}/pkg|b c|2"
    assert ws.run("pwd", session="other").text.strip() == ws.root
    died = ws.run("exit 7")
    assert (died.code, died.restarted, died.cwd) == (7, True, f"{ws.root}/pkg")
    assert out(ws, 'echo "$PWD|$A|$B"') == f"{ws.root}/pkg|b c|"


def test_a_session_has_no_terminal_no_input_and_no_secret(
    kind: str, repo: Path, open_ws: OpenWorkspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOME_API_KEY", "secret-of-the-host")
    monkeypatch.setenv("GITHUB_TOKEN", "secret-of-the-host")
    ws = open_ws(kind, repo)
    assert "secret-of-the-host" not in out(ws, "env; export")
    assert ws.run("cat; [ -t 0 ] || [ -t 1 ]").code == 1
    assert out(ws, "echo $PYTHONDONTWRITEBYTECODE $PAGER $TERM") == "1 cat dumb"


def test_a_time_out_ends_what_the_command_started_and_nothing_else(ws: PosixWorkspace) -> None:
    kept = out(ws, "sleep 301 >/dev/null 2>&1 & echo $!")
    time.sleep(0.2)
    ran = ws.run("echo before; sleep 302 & (setsid sleep 303 &); sleep 304; touch after", timeout=0.5)
    assert (ran.code, ran.timed_out, ran.restarted, ran.text) == (124, True, True, "before\n")
    left = out(ws, r"cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\0' ' '")
    assert "sleep 301" in left
    assert not any(f"sleep 30{n}" in left for n in (2, 3, 4))
    assert not out(ws, "ls").count("after")
    out(ws, f"kill {kept}")


def test_cancel_is_seen_within_a_second(kind: str, repo: Path, open_ws: OpenWorkspace) -> None:
    cancel = threading.Event()
    ws = open_ws(kind, repo, cancel=cancel)
    ws.run("true")
    threading.Timer(0.2, cancel.set).start()
    with pytest.raises(Cancelled):
        ws.run("sleep 60; touch after")
    cancel.clear()
    assert ws.run("ls after").code != 0


def test_big_commands_and_outputs(ws: PosixWorkspace) -> None:
    assert out(ws, "x=" + "a" * 200_000 + "; echo ${#x}") == "200000"
    ran = ws.run("head -c 30000000 /dev/zero; echo end")
    assert ran.cut == 30_000_004 - len(ran.output)
    assert ran.output.endswith(b"\0end\n")


# Files


@pytest.mark.parametrize("data", [b"", b"x", bytes(range(256)) * 300, b"\\n%s'\"$(id)`\n" * 9, b"\0" * 70_000])
def test_what_is_written_is_read(ws: PosixWorkspace, data: bytes) -> None:
    ws.write("deep/er/file name'", data)
    assert ws.read("deep/er/file name'") == data
    ws.write("deep/er/file name'", b"short")
    assert ws.read(f"{ws.root}/deep/er/file name'") == b"short"


def test_a_name_may_end_in_newlines(ws: PosixWorkspace) -> None:
    for name in ("n", "n\n", "n\n\n", "dir\n/n\n"):
        ws.write(name, name.encode())
    ws.run("ln -s 'n\n' link")
    assert ws.read("link") == b"n\n"
    for name in ("n", "n\n", "n\n\n", "dir\n/n\n"):
        assert ws.read(name) == name.encode()
    assert set(changed(ws, ws.snapshot().tree)) == {"n", "n\n", "n\n\n", "dir\n/n\n", "link"}


def test_writing_keeps_the_mode(ws: PosixWorkspace) -> None:
    ws.run("chmod 755 run.sh")
    ws.write("run.sh", b"#!/bin/sh\necho new\n")
    assert out(ws, "./run.sh") == "new"


def test_scratch_and_harness_are_outside_the_tree(ws: PosixWorkspace) -> None:
    ws.write(f"{ws.scratch}/note", b"n")
    ws.write(f"{ws.harness}/plug/in.py", b"h")
    assert ws.read(f"{ws.scratch}/note") + ws.read(f"{ws.harness}/plug/in.py") == b"nh"
    assert ws.snapshot().tree == ws.options.base.tree


def test_paths_do_not_leave(ws: PosixWorkspace) -> None:
    ws.run("ln -s /etc/passwd link; ln -s /etc folder; ln -s ../../nowhere/x dangling; mkfifo fifo; ln -s pkg inner")
    for path in ("../x", "/etc/passwd", "link", "folder/passwd", "dangling", "fifo", "a/../../x", "", "a\0b"):
        with pytest.raises((UsageError, FileNotFoundError)):
            ws.read(path)
        with pytest.raises((UsageError, FileNotFoundError)):
            ws.write(path, b"x")
    assert ws.read("inner/mod.py") == FILES["pkg/mod.py"].encode()


def test_what_is_not_a_file(ws: PosixWorkspace) -> None:
    with pytest.raises(FileNotFoundError):
        ws.read("none")
    with pytest.raises(FileNotFoundError):
        ws.read("none/at/all")
    with pytest.raises(IsADirectoryError):
        ws.read("pkg")
    with pytest.raises(IsADirectoryError):
        ws.write("pkg", b"")
    with pytest.raises(UsageError):
        ws.write("README/below", b"")
    with pytest.raises(UsageError):
        ws.read("README", limit=3)
    assert ws.read("README", limit=6) == b"hello\n"


def swap(folder: Path, program: str, commands: str) -> None:
    """A `program` of the workspace's that first runs `commands`, its last argument in `$last`."""
    folder.mkdir()
    (folder / program).write_text(f'#!/bin/sh\nfor last; do :; done\n{commands}\nexec {shutil.which(program)} "$@"\n')
    (folder / program).chmod(0o755)


@pytest.mark.parametrize(
    ("commands", "raised"),
    [
        ('rm "$last"', FileNotFoundError),
        ('rm "$last"; mkdir "$last"', IsADirectoryError),
        ('rm "$last"; mkfifo "$last"', UsageError),
    ],
)
def test_a_file_that_changes_while_it_is_read(
    repo: Path,
    open_ws: OpenWorkspace,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    commands: str,
    raised: type[Exception],
) -> None:
    swap(tmp_path / "bin", "head", commands)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setattr("aci.files._PATIENCE", 2.0)
    ws = open_ws("local", repo)
    with pytest.raises(raised):
        ws.read("README")
    with pytest.raises(FileNotFoundError):
        ws.read("none")


def test_a_file_that_becomes_a_pipe_before_it_is_written(ws: PosixWorkspace, monkeypatch: pytest.MonkeyPatch) -> None:
    put = Service.put

    def late(service: Service, path: bytes, data: bytes, *more: float) -> Ran:
        ws.run("rm README; mkfifo README")
        return put(service, path, data, *more)

    monkeypatch.setattr("aci.files._PATIENCE", 2.0)
    monkeypatch.setattr(Service, "put", late)
    with pytest.raises(UsageError):
        ws.write("README", b"x")
    assert ws.read("pkg/mod.py")


# Trees


def test_cancelling_ends_a_snapshot_and_closing_works(kind: str, repo: Path, open_ws: OpenWorkspace) -> None:
    cancel = threading.Event()
    ws = open_ws(kind, repo, cancel=cancel)
    job = out(ws, "head -c 150000000 /dev/urandom > big; sleep 303 >/dev/null 2>&1 & echo $!")
    threading.Timer(0.2, cancel.set).start()
    with pytest.raises(Cancelled):
        ws.snapshot()
    with pytest.raises(Cancelled):
        ws.read("README")
    ws.close()
    if kind == "local":
        assert not Path(ws.root).exists()
        assert ended(job)


def test_snapshot_and_restore(ws: PosixWorkspace) -> None:
    base = ws.options.base.tree
    ws.run("echo new > a; echo log > x.log; rm README; chmod +x run.sh; printf 'y = 2\\n' >> pkg/__init__.py")
    tree = ws.snapshot().tree
    assert changed(ws, tree) == {"a": "A", "README": "D", "run.sh": "M", "pkg/__init__.py": "M"}
    ws.run("echo more > b; cd pkg")
    ws.restore(base)
    assert ws.snapshot(exact=True).tree == base
    assert out(ws, "cd ..; ls; cat README") == "README\npkg\nrun.sh\nx.log\nhello"
    ws.restore(tree)
    assert ws.snapshot(exact=True).tree == tree


def test_a_tree_made_on_the_host_can_be_restored(ws: PosixWorkspace) -> None:
    tree = ws.options.trees.write({"pkg/mod.py": b"\xff\0host\n", "README": None}, ws.options.base.tree)
    ws.restore(tree)
    assert ws.read("pkg/mod.py") == b"\xff\0host\n"
    assert ws.snapshot().tree == tree


def test_restore_removes_what_resists(ws: PosixWorkspace) -> None:
    ws.run("mkdir -p ro/x; echo 1 > ro/x/y; chmod 500 ro ro/x; chmod 000 ro/x; git init -q nest; echo 1 > nest/f")
    ws.run("echo '*' > .gitignore; echo h > hidden; cd nest && git add f && git commit -qm x")
    ws.snapshot()
    ws.restore(ws.options.base.tree)
    assert ws.snapshot(exact=True) == ws.snapshot()
    assert out(ws, f"cd {ws.root}; ls -A") == ".git\n.gitignore\nREADME\npkg\nrun.sh"


def test_a_submodule_keeps_its_commit(kind: str, make_repo: MakeRepo, open_ws: OpenWorkspace) -> None:
    repo = make_repo({"README": "x\n"})
    git(repo, "update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},vendor/sub")
    git(repo, "commit", "-q", "-m", "a submodule that is not checked out")
    (repo / "vendor" / "sub").mkdir(parents=True)
    ws = open_ws(kind, repo)
    base = ws.options.base.tree
    assert ws.options.trees.files(base)["vendor/sub"].mode == "160000"
    ws.run("cd vendor/sub; git init -q; echo 1 > f; git add .; git -c user.name=a -c user.email=b commit -qm x")
    snapshot = ws.snapshot()
    assert snapshot.tree == base
    assert "vendor/sub" in snapshot.skipped[0]
    ws.restore(base)
    assert ws.snapshot(exact=True) == ws.snapshot()
    ws.run(f"cd {ws.root}; mkdir -p vendor/sub/d; echo 1 > 'vendor/sub/d/a b'")
    assert ws.snapshot() == Snapshot(base, ("vendor/sub/d/a b (in a submodule)",))
    ws.restore(base)
    assert ws.snapshot() == Snapshot(base)
    assert out(ws, "cd vendor/sub; ls") == ""
    ws.run('rm -rf "$PWD"')
    assert changed(ws, ws.snapshot().tree) == {"vendor/sub": "D"}
    ws.restore(base)
    assert ws.snapshot(exact=True).tree == base


def test_attempts_in_parallel(ws: PosixWorkspace) -> None:
    base, trees = ws.options.base.tree, ws.options.trees

    def attempt(number: int) -> None:
        with ws.fork(base) as fork:
            fork.run(f"echo {number} > mine")
            tree = fork.snapshot().tree
            assert trees.read(tree, "mine") == f"{number}\n".encode()
            fork.restore(base)
            with fork.fork(tree) as second:
                assert second.read("mine") == f"{number}\n".encode()

    with ThreadPoolExecutor(3) as pool:
        for done in [pool.submit(attempt, number) for number in range(3)]:
            done.result()


def test_a_removed_repository_comes_back(ws: PosixWorkspace) -> None:
    ws.run('rm -rf "$PWD"')
    assert set(changed(ws, ws.snapshot().tree).values()) == {"D"}
    ws.restore(ws.options.base.tree)
    assert out(ws, "cat README") == "hello"


def test_what_git_cannot_take_keeps_its_last_state_and_is_named(ws: PosixWorkspace) -> None:
    ws.run("rm README; mkfifo README; git init -q empty; echo 1 > fine; mv pkg p; git init -q pkg; mv p/* pkg; cd pkg")
    ws.run("git config user.name a; git config user.email a@b; git add .; git commit -qm x; cd ..; git init -q full")
    ws.run("cp -r pkg/. full; git rm -rq --cached pkg")
    snapshot = ws.snapshot()
    assert changed(ws, snapshot.tree) == {"fine": "A"}
    named = " ".join(snapshot.skipped)
    assert all(name in named for name in ("README", "full", "empty"))
    assert ws.snapshot().tree == snapshot.tree


def test_exact_sees_a_write_whose_time_was_put_back(ws: PosixWorkspace) -> None:
    ws.snapshot()
    ws.run("touch -r README stamp; printf 'HELLO\\n' > README; touch -r stamp README; rm stamp")
    assert changed(ws, ws.snapshot(exact=True).tree) == {"README": "M"}


def test_the_agents_own_git_has_no_say(ws: PosixWorkspace) -> None:
    ws.run("git config core.fsmonitor 'touch /tmp/pwned-$$; false'; git config core.hooksPath hooks")
    ws.run("git config filter.x.clean 'tr a-z A-Z'; git config filter.x.required true; git config core.autocrlf true")
    ws.run("echo '* filter=x text working-tree-encoding=UTF-16' > .git/info/attributes; echo '*' > .git/info/exclude")
    ws.run("git config core.worktree /tmp; touch .git/index.lock; printf 'a\\r\\n' > new")
    tree = ws.snapshot().tree
    assert ws.options.trees.read(tree, "new") == b"a\r\n"
    assert ws.run("ls /tmp/pwned-*").code != 0
    ws.run("rm -rf .git")
    assert ws.snapshot().tree == tree
    ws.restore(ws.options.base.tree)


def test_a_pack_that_is_refused_is_told(ws: PosixWorkspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aci.store.PACK_LIMIT", 1000)
    ws.run("head -c 100000 /dev/urandom > big")
    snapshot = ws.snapshot()
    assert snapshot.tree == ws.options.base.tree
    assert "all changes since the last step" in snapshot.skipped[0]
    ws.run("rm big; echo small > small")
    assert changed(ws, ws.snapshot().tree) == {"small": "A"}


# Forks and the end


def test_a_fork_is_fresh(ws: PosixWorkspace) -> None:
    ws.run("echo new > a; echo log > x.log; export A=1")
    tree = ws.snapshot().tree
    ws.run("echo later > b")
    with ws.fork(tree) as fork:
        assert out(fork, "cat a; ls x.log b 2>/dev/null; echo $A; git rev-parse HEAD") == (
            f"new\n\n{ws.options.base.commit}"
        ), "ignored and later files are not in it"
        fork.write("a", b"fork\n")
        assert ws.read("a") == b"new\n"
        with fork.fork(ws.options.base.tree) as second:
            assert second.snapshot(exact=True).tree == ws.options.base.tree
            assert changed(fork, fork.snapshot().tree) == {"a": "A"}


def test_a_fork_outlives_its_origin(ws: PosixWorkspace) -> None:
    with ws.fork(ws.options.base.tree) as fork:
        ws.close()
        assert out(fork, "cat README") == "hello"
        with fork.fork(ws.options.base.tree) as second:
            assert out(second, "cat README") == "hello"


def test_closed_is_closed(ws: PosixWorkspace) -> None:
    ws.close()
    ws.close()
    for use in (lambda: ws.run("true"), lambda: ws.read("README"), ws.snapshot):
        with pytest.raises(WorkspaceError):
            use()


def test_local_leaves_nothing_behind(repo: Path, open_ws: OpenWorkspace) -> None:
    ws = open_ws("local", repo)
    pids = out(ws, "sleep 401 & echo $!; (setsid sleep 402 & echo $!)").split()
    ws.run("mkdir ro; touch ro/x; chmod 500 ro")
    ws.close()
    assert not Path(ws.root).parent.parent.exists()
    assert all(map(ended, pids))


def test_local_says_that_it_is_no_boundary_and_what_is_imported_from_elsewhere(
    make_repo: MakeRepo, open_ws: OpenWorkspace
) -> None:
    said: list[str] = []
    open_ws("local", make_repo({"src/own/__init__.py": "", "json/__init__.py": ""}), say=said.append)
    assert len(said) == 1
    assert "no boundary" in said[0]
    open_ws("local", make_repo({"sys/__init__.py": ""}), say=said.append)
    assert "sys is not imported from the clone" in said[2]
