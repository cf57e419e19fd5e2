"""Scripts that repeat proofs of tests which open pages: the server beside them, and what is missing."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from extensions.bundles import proof_script
from extensions.bundles.proof_script import local_script
from extensions.pages.proof_server import record_server, script_lines
from tests.conftest import MakeRepo, git
from trajectories import plugins
from trajectories.git_store.trees import EMPTY_TREE, Trees
from trajectories.records import Base

PAGE = "<title>Shop</title><p>{}</p>"
TEST = """\
import os
import unittest
import urllib.request


class PageTest(unittest.TestCase):
    def test_page(self):
        with urllib.request.urlopen(os.environ["BASE_URL"]) as page:
            self.assertIn(b"new", page.read())
"""
OTHER = "import unittest\n\n\nclass OtherTest(unittest.TestCase):\n    def test_other(self):\n        pass\n"
FILES = {"index.html": PAGE.format("old"), "test_other.py": OTHER}
PYTHON = shlex.quote(sys.executable)
SERVER = f"exec {PYTHON} -m http.server $PORT --bind 127.0.0.1"
NODE_TEST = 'const { test } = require("@playwright/test")\n'


def repeat(make_repo: MakeRepo, **environment: list[str]) -> tuple[int, list[str]]:
    """Run the script of a proof whose new test opens the page; return its exit code and its lines."""
    repo = make_repo(FILES)
    (repo / "index.html").write_text(PAGE.format("new"))
    (repo / "test_page.py").write_text(TEST)
    git(repo, "add", "-A")
    patch, file = repo.parent / "patch.diff", repo.parent / "proof.sh"
    patch.write_text(git(repo, "diff", "--cached") + "\n")
    git(repo, "reset", "-q", "--hard")
    tests = f"{PYTHON} -m unittest test_page.PageTest.test_page"
    taken_out = "git apply -R --include=index.html patch.diff"
    commands = ["git apply patch.diff", tests, f"{PYTHON} -m unittest discover", taken_out, tests]
    file.write_text(local_script(Base("c" * 40, ""), patch, commands, (), environment))
    done = subprocess.run(["sh", file], cwd=repo, capture_output=True, text=True, check=False)
    assert git(repo, "status", "--porcelain", "--ignored") == ""
    return done.returncode, (done.stdout + done.stderr).splitlines()


@pytest.mark.slow
def test_script_starts_the_server(make_repo: MakeRepo) -> None:
    code, lines = repeat(make_repo, server=[SERVER, ""])
    assert (code, lines[-1]) == (0, "The proof holds."), lines
    code, lines = repeat(make_repo)
    assert (code, lines[-1]) == (1, "The proof does not hold here.")


@pytest.mark.slow
def test_server_that_does_not_start_is_said_before_a_test_runs(make_repo: MakeRepo) -> None:
    code, lines = repeat(make_repo, server=["echo no vite >&2; exit 3", ""])
    assert (code, lines[0]) == (1, "The project's server does not start here.")
    assert "    no vite" in lines
    assert not any("fails without" in line for line in lines)


@pytest.mark.parametrize("driver", [["python3", "pyppeteer"], ["node", "puppeteer-core"]])
def test_missing_driver_is_named(make_repo: MakeRepo, driver: list[str]) -> None:
    code, lines = repeat(make_repo, server=[SERVER, ""], driver=driver)
    missing = f"The tests need the package {driver[1]} of {driver[0]}, which is not installed here."
    assert (code, lines) == (1, [missing])


def test_script_made_without_pages_says_that_it_starts_no_server(
    make_repo: MakeRepo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plugins, "extension_names", lambda: ())
    code, lines = repeat(make_repo, server=[SERVER, ""])
    assert (code, lines) == (1, [proof_script.NO_SERVER])


@pytest.mark.parametrize("server", ["text", [], ["a'b", "c d", "x", "80"]])
def test_record_of_somebody_else_gives_a_script(make_repo: MakeRepo, server: list[str]) -> None:
    script = local_script(Base("c" * 40, ""), Path("patch.diff"), ["true"], (), {"server": server, "driver": "x"})
    assert subprocess.run(["sh", "-n"], input=script, text=True, check=False).returncode == 0


@pytest.mark.parametrize(
    "driver",
    [
        ["python3", "os; os.system('id')"],
        ["python3", "playwright\nimport os"],
        ["python3", "puppeteer"],
        ["node", "x'); evil('"],
        ["evil", "playwright"],
        [["evil"], 1],
    ],
)
def test_unknown_driver_of_somebody_elses_record_is_not_run(driver: list[str]) -> None:
    record = {"server": ["vite", ""]}
    assert script_lines(record | {"driver": driver}, ["exit 1"]) == script_lines(record, ["exit 1"])


@pytest.mark.parametrize(
    ("files", "test", "expected"),
    [
        ({"test_page.py": "from playwright.sync_api import x\n"}, "test_page.py::test", ["python3", "playwright"]),
        ({"e2e/a.spec.js": NODE_TEST}, "e2e/a.spec.js::a", ["node", "@playwright/test"]),
        ({"test_page.py": TEST}, "test_page.py::test", None),
    ],
)
def test_server_and_driver_of_tests_are_recorded(
    tmp_path: Path, files: dict[str, str], test: str, expected: list[str] | None
) -> None:
    with Trees(tmp_path / "trees.git") as trees:
        tree = trees.write({name: text.encode() for name, text in (FILES | files).items()}, EMPTY_TREE)
        found = record_server(trees, tree, [test], "npm test", "")
        assert record_server(trees, tree, ["test_other.py::test"], "npm test", "") == {}
        named = record_server(trees, tree, [test], "npm test", "vite --port 5173")
    assert found.get("driver") == expected
    assert "http.server" in found["server"][0]
    assert named["server"] == ["vite --port 5173", "", "5173"]
