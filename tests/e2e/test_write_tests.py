"""`swe-agent test` as a process: written tests, changed functions, bad arguments, and an interrupted run."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import copy_run, git
from tests.e2e.conftest import write
from tests.sampling import sample

SHOP = '''"""Prices."""


def reduced(price, percent=0):
    """The price reduced by a percentage."""
    if price < 0:
        raise ValueError("no price")
    if percent > 50:
        percent = 50
    return price - price * percent // 100


def sign(number):
    if number > 0:
        return 1
    return -1 if number < 0 else 0
'''
TESTS = """import unittest

from shop import sign


class SignTest(unittest.TestCase):
    def test_sign(self):
        self.assertEqual([sign(3), sign(0), sign(-2)], [1, 0, -1])
        self.assertEqual([sign(1), sign(-1)], [1, -1])
"""


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    folder = tmp_path / "shop"
    write(
        folder, {"shop.py": SHOP, "tests/__init__.py": "", "tests/test_shop.py": TESTS, ".gitignore": "__pycache__/\n"}
    )
    git(folder, "init", "-q")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "one")
    return folder


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_tests_are_written_and_applied_and_run_can_be_resumed(machine, shop) -> None:
    result = machine.json(
        *("test", "--repo", shop, "--function", "shop.py:reduced", "--apply"),
        *("--test", f"{shlex.quote(sys.executable)} -m unittest discover -s tests -t ."),
        timeout=300,
    )
    assert (result.get("exit"), result["returncode"]) == (0, 0), result
    assert git(shop, "status", "--porcelain") == "?? tests/test_shop_reduced.py"
    text = (shop / "tests/test_shop_reduced.py").read_text()
    assert "self.assertRaises(ValueError)" in text
    completed = subprocess.run(
        [sys.executable, "-m", "unittest"], cwd=shop, capture_output=True, text=True, check=False
    )
    assert completed.returncode == 0, completed.stderr
    assert result["verdict"]["no_loss"]
    directory = Path(result["directory"])
    lines = (directory / "journal.jsonl").read_bytes().splitlines(keepends=True)
    for length in sample(list(range(2, len(lines))), 1):
        copied = directory.parent / f"cut-{length}"
        copy_run(directory, copied, b"".join(lines[:length]) + lines[length][:7])
        resumed = machine.json("resume", copied.name, timeout=300)
        if "time limit" not in resumed["word"] + resumed["stderr"] + result["word"]:  # on a busy machine
            assert (resumed["exit"], resumed["patch"]) == (0, result["patch"]), f"{length}: {resumed['stderr']}"


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_changed_option_tests_only_changed_functions(machine, shop) -> None:
    (shop / "shop.py").write_text(SHOP.replace("percent > 50", "percent > 60").replace("percent = 50", "percent = 60"))
    result = machine.json("test", "--repo", shop, "--changed", timeout=280)
    assert result["exit"] == 0, result
    assert "def test_reduced" in result["patch"]
    assert "sign" not in result["patch"]


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_no_test_is_written_for_covered_function(machine, shop) -> None:
    completed = machine.run("test", "--repo", str(shop), "--function", "shop.py:sign", "--plain", timeout=280)
    assert completed.returncode == 1, completed.stdout + completed.stderr
    assert "No test was written." in completed.stdout
    assert "Traceback" not in completed.stdout + completed.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "Give --function PATH.py:NAME, or --changed."),
        (["--function", "shop.py:sign", "--changed"], "Both --function and --changed were given"),
        (["--function", "shop"], "is not a function"),
        (["--function", "shop.py:"], "is not a function"),
        (["--function", "nothing.py:f"], "There is no file nothing.py"),
        (["--function", "shop.py:total"], "has no function or class total"),
        (["--function", "tests/__init__.py"], "has no functions"),
        (["--changed"], "No Python function outside of tests differs from HEAD"),
        (["--changed", "--base", "nowhere"], "There is no commit 'nowhere'"),
        (["--function", "broken.py:f"], "broken.py cannot be parsed"),
    ],
)
def test_bad_arguments_are_refused(machine, shop, arguments, message) -> None:
    (shop / "broken.py").write_text("def f(:\n")
    completed = machine.run("test", "--repo", str(shop), *arguments)
    assert completed.returncode == 2
    assert message in completed.stderr.replace("\n", " ")
    assert "Traceback" not in completed.stderr
