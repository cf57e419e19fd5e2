"""A run contacts nobody: every socket that the whole process opens is written down."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

WATCHED = """\
import os, sys

def watch(event, arguments):
    if event in ("socket.connect", "socket.sendto", "socket.getaddrinfo", "socket.gethostbyname"):
        log.write(f"{event} {arguments[1] if event in ('socket.connect', 'socket.sendto') else arguments[0]}\\n")
        log.flush()

log = open(os.environ["CONTACTS"], "a")
sys.addaudithook(watch)
from swe_agent import main
main()
"""


def contacts(machine, tmp_path: Path, *arguments: str) -> tuple[int, list[str]]:
    log = tmp_path / "contacts"
    done = subprocess.run(
        [sys.executable, "-c", WATCHED, *map(str, arguments)],
        env=machine.environment | {"CONTACTS": str(log)},
        cwd=machine.home,
        capture_output=True,
        timeout=110,
        stdin=subprocess.DEVNULL,
    )
    return done.returncode, log.read_text().splitlines()


@pytest.mark.slow
@pytest.mark.parametrize("workspace", ["local", pytest.param("docker", marks=pytest.mark.docker)])
def test_run_contacts_nobody_but_docker_daemon(machine, calculator, issue_file, tmp_path, workspace) -> None:
    flags = ("--repo", calculator, "--issue-file", issue_file, "--workspace", workspace)
    _, seen = contacts(machine, tmp_path, "fix", *flags)
    assert [Path(file, "journal.jsonl").exists() for file in machine.runs()] == [True]
    allowed = {"socket.connect /var/run/docker.sock"} if workspace == "docker" else set()
    assert set(seen) <= allowed


def test_watch_sees_what_it_should(tmp_path: Path) -> None:
    code = WATCHED.split("from swe_agent")[0] + "import socket\nsocket.socket().connect_ex(('127.0.0.1', 9))\n"
    log = tmp_path / "contacts"
    subprocess.run([sys.executable, "-c", code], env={"CONTACTS": str(log)}, check=True)
    assert log.read_text() == "socket.connect ('127.0.0.1', 9)\n"
