"""`test` from the outside: tests that are written, what is changed, what cannot be tested, and a run that was cut."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import copy_run, git
from tests.e2e.conftest import write
from tests.sampling import sample

SHOP = '''"""Prices."""


def reduced(price, percent=0):
    """The price without so many percent."""
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
def test_tests_are_written_applied_and_same_when_run_was_cut(machine, shop) -> None:
    told = machine.json(
        *("test", "--repo", shop, "--function", "shop.py:reduced", "--apply"),
        *("--test", f"{sys.executable} -m unittest discover -s tests -t ."),
        timeout=300,
    )
    assert (told.get("exit"), told["returncode"]) == (0, 0), told
    assert git(shop, "status", "--porcelain") == "?? tests/test_shop_reduced.py"
    text = (shop / "tests/test_shop_reduced.py").read_text()
    assert "self.assertRaises(ValueError)" in text
    ran = subprocess.run([sys.executable, "-m", "unittest"], cwd=shop, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert told["verdict"]["no_loss"]
    directory = Path(told["directory"])
    lines = (directory / "journal.jsonl").read_bytes().splitlines(keepends=True)
    for kept in sample(list(range(2, len(lines))), 1):
        copy = directory.parent / f"cut-{kept}"
        copy_run(directory, copy, b"".join(lines[:kept]) + lines[kept][:7])
        again = machine.json("resume", copy.name, timeout=300)
        assert (again["exit"], again["patch"]) == (0, told["patch"]), (kept, again["stderr"])


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_only_what_is_changed_is_tested(machine, shop) -> None:
    (shop / "shop.py").write_text(SHOP.replace("percent > 50", "percent > 60").replace("percent = 50", "percent = 60"))
    told = machine.json("test", "--repo", shop, "--changed", timeout=280)
    assert told["exit"] == 0, told
    assert "def test_reduced" in told["patch"]
    assert "sign" not in told["patch"]


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_where_nothing_is_left_to_reach_no_test_is_written(machine, shop) -> None:
    told = machine.run("test", "--repo", str(shop), "--function", "shop.py:sign", "--plain", timeout=280)
    assert told.returncode == 1, told.stdout + told.stderr
    assert "No test was written." in told.stdout
    assert "Traceback" not in told.stdout + told.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
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
def test_what_cannot_be_tested_is_said_in_sentence(machine, shop, arguments, words) -> None:
    (shop / "broken.py").write_text("def f(:\n")
    done = machine.run("test", "--repo", str(shop), *arguments)
    assert done.returncode == 2
    assert words in done.stderr.replace("\n", " ")
    assert "Traceback" not in done.stderr
