"""`swe-agent synth --engine ray` on a local cluster of two nodes: kills, an interrupt, and the same rows as here."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks.ray import ROOT, cluster, environment, make_repository
from tests.conftest import git

pytestmark = [
    pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="ray is not installed: swe-agent[ray]"),
    pytest.mark.timeout(600),
]
NAMES = ["one", "two", "six", "ten"]
KEY = "sk-9c41e0aa73d2bf58"
CODE = """\
def {name}(count, rate={number}):
    if count < 0:
        raise ValueError("negative")
    total = _{name}(count, rate)
    return total + {number}


def _{name}(count, rate):
    return count * rate - 1


"""
TESTS = """\
import time
import unittest

from calc import {name}


class Test(unittest.TestCase):
    def test_value(self):
        time.sleep(0.2)
        self.assertEqual({name}(2), {value})

    def test_negative(self):
        with self.assertRaises(ValueError):
            {name}(-1)

    def test_other(self):
        self.assertTrue(True)

    def test_last(self):
        self.assertTrue(True)
"""


class Command:
    """`swe-agent synth` in a repository; each call is a process."""

    def __init__(self, home: Path) -> None:
        self.home, self.repository = home, make_repository(home / "sums", NAMES)
        for number, name in enumerate(NAMES):
            test = TESTS.format(name=name, value=3 * number - 1)
            (self.repository / f"test_{name}.py").write_text(test)
        (self.repository / "test_calc.py").unlink()
        code = "".join(CODE.format(name=name, number=number) for number, name in enumerate(NAMES))
        (self.repository / "calc.py").write_text(code)
        git(self.repository, "add", "-A")
        git(self.repository, "commit", "-q", "-m", "Longer")
        (home / "config.toml").write_text("")

    def start(self, out: str, address: str, *options: str, count: int = 6) -> subprocess.Popen[str]:
        engine = ["--engine", "ray", "--engine-option", f"address={address}"] if address else []
        words = ["synth", str(self.repository), "--out", str(self.home / out), "--count", str(count), "--workers", "2"]
        words += ["--workspace", "local", "--test", "python3 -m unittest discover", "--json", "--plain"]
        command = [sys.executable, "-c", "from swe_agent import main; main()", *words, *engine, *options]
        env = {**environment(self.home), "OPENAI_API_KEY": KEY}
        pipe = subprocess.PIPE
        return subprocess.Popen(command, env=env, cwd=ROOT, stdout=pipe, stderr=pipe, text=True)

    def run(self, out: str, address: str, *options: str) -> str:
        """Run the command to its end and return what it says."""
        return self.end(self.start(out, address, *options))

    def end(self, process: subprocess.Popen[str], code: int = 0) -> str:
        said, err = process.communicate(timeout=400)
        assert process.returncode == code, said + err
        assert "Traceback" not in err
        return err

    def rows(self, out: str) -> list[dict[str, Any]]:
        lines = (self.home / out).read_text().splitlines()
        return [{**json.loads(line), "bundle": ""} for line in lines]

    def tried(self, out: str) -> list[dict[str, Any]]:
        file = (self.home / out).with_suffix(".tried.jsonl")
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []

    def wait_for_result(self, out: str, process: subprocess.Popen[str]) -> None:
        while not self.tried(out) and process.poll() is None:
            time.sleep(0.05)


@pytest.fixture(scope="module")
def nodes() -> Iterator[tuple[str, Callable[[], object]]]:
    with cluster() as found:
        yield found


@pytest.fixture
def command(tmp_path: Path) -> Command:
    return Command(tmp_path)


def workers() -> list[int]:
    """The processes of this machine that validate candidates."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if b"ray::_Worker" in (process / "cmdline").read_bytes():
                found.append(int(process.name))
        except OSError:  # it has ended
            continue
    return found


def test_killed_worker_costs_no_result(command: Command, nodes: tuple[str, object]) -> None:
    command.run("here.jsonl", "")
    process = command.start("there.jsonl", nodes[0])
    command.wait_for_result("there.jsonl", process)
    os.kill(workers()[0], signal.SIGKILL)
    assert "A candidate is tried again: A worker of the cluster was lost" in command.end(process)
    assert command.rows("there.jsonl") == command.rows("here.jsonl")
    assert command.tried("there.jsonl") == command.tried("here.jsonl")
    session = Path(os.path.realpath("/tmp/ray/session_latest"))
    assert [file for file in session.rglob("*") if file.is_file() and KEY.encode() in file.read_bytes()] == []


def test_interrupted_job_ends_its_workers_and_continues(command: Command, nodes: tuple[str, object]) -> None:
    process = command.start("there.jsonl", nodes[0])
    command.wait_for_result("there.jsonl", process)
    process.send_signal(signal.SIGINT)
    command.end(process, 130)
    while workers():  # they have been told to end; the test's time limit holds
        time.sleep(0.1)
    first = command.tried("there.jsonl")
    command.run("there.jsonl", nodes[0])
    command.run("here.jsonl", "")
    assert command.tried("there.jsonl")[: len(first)] == first
    assert command.tried("there.jsonl") == command.tried("here.jsonl")
    assert command.rows("there.jsonl") == command.rows("here.jsonl")


def test_killed_node_costs_no_result(command: Command) -> None:
    with cluster() as (address, kill):
        process = command.start("there.jsonl", address, "--engine-option", "cpus=2")  # one worker on each node
        command.wait_for_result("there.jsonl", process)
        kill()
        assert "A candidate is tried again: A worker of the cluster was lost" in command.end(process)
    command.run("here.jsonl", "")
    assert command.rows("there.jsonl") == command.rows("here.jsonl")


@pytest.mark.parametrize("option", ["cpus=64", "pass-keys=1", "address=ray://127.0.0.1:1"])
def test_bad_engine_option_is_refused(command: Command, nodes: tuple[str, object], option: str) -> None:
    command.end(command.start("there.jsonl", nodes[0], "--engine-option", option), 2)
    assert not (command.home / "there.jsonl").exists()
