"""A search for a repair that the user ends: the edits that pass the tests so far are shown."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.conftest import git
from tests.e2e.conftest import Machine, write

CORE = """\
import time


def add(a, b):
    time.sleep(0.5)
    return a - b


def total(items, start, factor):
    found = start
    for item in items:
        found = found + item * factor
    return add(found, 0)
"""
TESTS = """\
import unittest

from calc import add, total


class CalcTest(unittest.TestCase):
    def test_add(self):
        self.assertEqual(add(2, 3), 5)

    def test_total(self):
        self.assertEqual(total([1, 2], 0, 2), 6)
"""
PATIENCE = 120
"""Seconds; only a failing test waits this long."""


@pytest.fixture
def calculator(tmp_path: Path) -> Path:
    folder = tmp_path / "calc"
    write(folder, {"calc.py": CORE, "test_calc.py": TESTS, ".gitignore": "__pycache__/\n"})
    git(folder, "init", "-q")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "one")
    return folder


@pytest.mark.slow
@pytest.mark.parametrize(("form", "ending"), [("--plain", signal.SIGINT), ("--json", signal.SIGTERM)])
def test_edits_that_pass_are_shown_when_search_is_ended(
    machine: Machine, calculator: Path, tmp_path: Path, form: str, ending: signal.Signals
) -> None:
    arguments = ["fix", "--text", "add(2, 3) gives -1 but should give 5.", "--strategy", "templates", form]
    out, told = tmp_path / "out", tmp_path / "told"
    with out.open("wb") as stdout, told.open("wb") as stderr:
        process = subprocess.Popen(
            machine.command(*arguments, "--repo", str(calculator)),
            env=machine.environment,
            cwd=machine.home,
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
        )
        try:
            end = time.monotonic() + PATIENCE
            while process.poll() is None and time.monotonic() < end:
                if "passes the tests, first" in out.read_text() + told.read_text():
                    process.send_signal(ending)
                    break
                time.sleep(0.1)
            assert process.wait(PATIENCE) == 130
        finally:
            process.kill()
            process.wait()
    text = json.loads(out.read_text())["word"] if form == "--json" else out.read_text()
    assert "None is proven." in text, told.read_text()
    assert "Replace `-` by `+` before `b` in `add` (`calc.py`, line 6)." in text
    assert "+    return a + b" in text
