"""Forks: fresh, from one base and independent of each other."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from aci.runtime.posix_workspace import PosixWorkspace
from tests.aci.workspaces.conformance.conftest import FILES, changed, check_output
from tests.conftest import MakeRepo, OpenWorkspace
from trajectories.errors import Cancelled, RunBroken, WorkspaceError


@pytest.mark.slow
def test_fork_holds_only_its_tree(ws: PosixWorkspace) -> None:
    ws.run("echo new > a; echo log > x.log; export A=1; cd pkg; sleep 501 >/dev/null 2>&1 &")
    tree = ws.snapshot().tree
    ws.run("echo later > b; git branch mine; git config user.name me")
    with ws.fork(tree) as fork:
        assert check_output(fork, "cat a; ls x.log b 2>/dev/null; echo $A; git rev-parse HEAD; git branch | wc -l") == (
            f"new\n\n{ws.options.base.commit}\n1"
        ), "the fork has no ignored files, no later files and no changes to git"
        assert check_output(fork, "pwd") == fork.root
        assert check_output(fork, f"ls -A {fork.scratch}") == ""


@pytest.mark.slow
def test_fork_and_origin_are_independent(ws: PosixWorkspace) -> None:
    with ws.fork(ws.options.base.tree) as fork:
        fork.write("README", b"fork\n")
        ws.write("run.sh", b"origin\n")
        assert ws.read("README") == b"hello\n"
        assert changed(fork, fork.snapshot().tree) == {"README": "M"}
        assert changed(ws, ws.snapshot().tree) == {"run.sh": "M"}


@pytest.mark.slow
def test_fork_of_fork_holds_its_tree(ws: PosixWorkspace) -> None:
    ws.write("a", b"1")
    with ws.fork(ws.snapshot().tree) as fork:
        fork.write("b", b"2")
        with fork.fork(ws.options.base.tree) as second:
            assert second.snapshot(exact=True).tree == ws.options.base.tree
        with fork.fork(fork.snapshot().tree) as second:
            assert second.read("a") + second.read("b") == b"12"


@pytest.mark.slow
def test_fork_preserves_unusual_files(ws: PosixWorkspace) -> None:
    for name in FILES:
        if not name.startswith("many/"):
            ws.write(name, b"changed: " + name.encode("utf-8", "surrogateescape"))
    ws.run("rm -r many; chmod +x README; ln -sfn elsewhere dangling")
    tree = ws.snapshot().tree
    with ws.fork(tree) as fork:
        assert fork.snapshot(exact=True).tree == tree


def test_fork_at_missing_tree_fails(ws: PosixWorkspace) -> None:
    with pytest.raises((RunBroken, WorkspaceError)):
        ws.fork("1" * 40)


@pytest.mark.slow
def test_fork_is_cancelled_separately(ws: PosixWorkspace) -> None:
    cancel = threading.Event()
    with ws.fork(ws.options.base.tree, cancel=cancel) as fork:
        threading.Timer(0.2, cancel.set).start()
        with pytest.raises(Cancelled):
            fork.run("sleep 60")
        assert check_output(ws, "echo alive") == "alive"


@pytest.mark.slow
def test_parallel_forks_are_independent(ws: PosixWorkspace) -> None:
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
        for future in [pool.submit(attempt, number) for number in range(3)]:
            future.result()


@pytest.mark.slow
def test_fork_outlives_its_origin(kind: str, make_repo: MakeRepo, open_ws: OpenWorkspace) -> None:
    ws = open_ws(kind, make_repo({"README": "hello\n"}))
    with ws.fork(ws.options.base.tree) as fork:
        ws.close()
        assert check_output(fork, "cat README") == "hello"
        with fork.fork(ws.options.base.tree) as second:
            assert check_output(second, "cat README") == "hello"
