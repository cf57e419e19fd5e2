"""Recalled code in a fork: what it prints is shown, and what it does has no effect outside."""

from __future__ import annotations

import re

import pytest

from extensions.papers.recalled_code import run_code
from tests.conftest import MakeRepo, OpenWorkspace

HOSTILE = """
import os, socket, time
print("started")
for path in ("calc.py", "new.py", os.path.expanduser("~/left"), "{outside}", ".git/hooks/post-checkout", "{shared}"):
    try:
        open(path, "w").write("hostile")
    except OSError as error:
        pass
try:
    socket.create_connection(("192.0.2.1", 80), 2)
    print("connected")
except OSError as error:
    print("no network")
os.fork()
while True:
    os.fork() if len(os.listdir("/proc")) < 60 else None
    print("x" * 1000, flush=True)
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    "kind",
    [pytest.param("docker", marks=pytest.mark.docker), pytest.param("sandbox", marks=pytest.mark.sandbox)],
)
def test_hostile_code_changes_nothing_outside_fork(
    kind: str, make_repo: MakeRepo, open_ws: OpenWorkspace, tmp_path: object
) -> None:
    repository = make_repo({"calc.py": "x = 1\n"})
    workspace = open_ws(kind, repository)
    outside = f"{tmp_path}/left"
    base = workspace.snapshot().tree
    fork = workspace.fork(base)
    try:
        shown = run_code(fork, HOSTILE.format(outside=outside, shared=f"{workspace.scratch}/left"), seconds=4)
    finally:
        fork.close()
    assert shown.startswith("started\nno network\n")
    assert shown.endswith("[stopped after 4 s]")
    assert len(shown) < 3_000
    assert workspace.snapshot(exact=True).tree == base
    assert (repository / "calc.py").read_text() == "x = 1\n"
    seen = workspace.run(f"ls {outside} {workspace.scratch}/left ~/left; cat /proc/[0-9]*/cmdline", 20).text
    assert len(re.findall("No such file", seen)) == 3
    assert "recalled.py" not in seen


def test_output_and_exit_status_are_shown(make_repo: MakeRepo, open_ws: OpenWorkspace) -> None:
    workspace = open_ws("local", make_repo({"calc.py": "x = 1\n"}))
    assert run_code(workspace, "print(open('calc.py').read())\nraise SystemExit(3)") == "x = 1\n[exit status 3]"
    assert run_code(workspace, "pass") == "(no output)\n[exit status 0]"
