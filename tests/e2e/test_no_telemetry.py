"""A run makes no network connections: all sockets opened by the process are recorded."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

WATCH_SCRIPT = """\
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


def run_and_log_contacts(machine, tmp_path: Path, *arguments: str) -> tuple[int, list[str]]:
    log = tmp_path / "contacts"
    completed = subprocess.run(
        [sys.executable, "-c", WATCH_SCRIPT, *map(str, arguments)],
        env=machine.environment | {"CONTACTS": str(log)},
        cwd=machine.home,
        capture_output=True,
        timeout=110,
        stdin=subprocess.DEVNULL,
    )
    return completed.returncode, log.read_text().splitlines()


@pytest.mark.slow
@pytest.mark.parametrize("workspace", ["local", pytest.param("docker", marks=pytest.mark.docker)])
def test_run_contacts_only_docker_daemon(machine, calculator, issue_file, tmp_path, workspace) -> None:
    flags = ("--repo", calculator, "--issue-file", issue_file, "--workspace", workspace)
    _, contacted = run_and_log_contacts(machine, tmp_path, "fix", *flags)
    assert [Path(file, "journal.jsonl").exists() for file in machine.runs()] == [True]
    allowed = {"socket.connect /var/run/docker.sock"} if workspace == "docker" else set()
    assert set(contacted) <= allowed


def test_watch_records_connections(tmp_path: Path) -> None:
    code = WATCH_SCRIPT.split("from swe_agent")[0] + "import socket\nsocket.socket().connect_ex(('127.0.0.1', 9))\n"
    log = tmp_path / "contacts"
    subprocess.run([sys.executable, "-c", code], env={"CONTACTS": str(log)}, check=True)
    assert log.read_text() == "socket.connect ('127.0.0.1', 9)\n"
