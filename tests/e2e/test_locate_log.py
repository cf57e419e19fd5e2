"""`swe-agent locate --log` as a process: named places, suspect commits, and the bisection."""

from __future__ import annotations

import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import git
from tests.e2e.conftest import Machine

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

LOG = """\
2026-01-02T03:04:05.1Z ##[group]Run tests
2026-01-02T03:04:06.1Z Traceback (most recent call last):
2026-01-02T03:04:06.1Z   File "/home/runner/work/shop/shop/tests/test_cart.py", line 7, in test_total
2026-01-02T03:04:06.1Z     self.assertEqual(total([1, 2]), 3)
2026-01-02T03:04:06.1Z   File "/home/runner/work/shop/shop/shop/cart.py", line 2, in total
2026-01-02T03:04:06.1Z     raise ValueError("the basket is too heavy")
2026-01-02T03:04:06.1Z ValueError: the basket is too heavy
"""
TEST = "import unittest\n\nfrom shop.cart import total\n\n\nclass CartTest(unittest.TestCase):\n" + (
    "    def test_total(self):\n        self.assertEqual(total([1, 2]), 3)\n"
)
GOOD, BROKEN = "def total(prices):\n    return sum(prices)\n", "def total(prices:\n"
BAD = 'def total(prices):\n    raise ValueError("the basket is too heavy")\n'
UNITTEST = f"{shlex.quote(sys.executable)} -m unittest"


@pytest.fixture
def shop(make_repo) -> tuple[Path, dict[str, str]]:
    """A repository in which one commit of several breaks `total`; its commits by subject."""
    repo = make_repo({"shop/__init__.py": "", "shop/cart.py": GOOD, "shop/till.py": "", "tests/__init__.py": ""})
    changes = [
        ("Ring", "shop/till.py", "def ring():\n    return 1\n"),
        ("Ring twice", "shop/till.py", "def ring():\n    return 2\n"),
        ("Break the syntax", "shop/cart.py", BROKEN),
        ("Repair the syntax", "shop/cart.py", GOOD),
        ("Limit the weight", "shop/cart.py", BAD),
        ("Close the till", "shop/till.py", "def ring():\n    return 3\n"),
        ("Test the total", "tests/test_cart.py", TEST),
    ]
    commits = {"first": git(repo, "rev-parse", "HEAD").strip()}
    for subject, path, text in changes:
        (repo / path).write_text(text)
        git(repo, "add", "-A")
        git(repo, "commit", "-qm", subject)
        commits[subject] = git(repo, "rev-parse", "HEAD").strip()
    return repo, commits


@pytest.fixture
def log(tmp_path: Path) -> Path:
    (tmp_path / "ci.log").write_text(LOG)
    return tmp_path / "ci.log"


def test_log_leads_to_places_and_commit(machine: Machine, shop, log: Path) -> None:
    repo, commits = shop
    found = machine.json("locate", "--repo", str(repo), "--log", str(log), "--good", commits["first"])
    assert found["returncode"] == 0
    named = [(one["path"], one["line"], one["name"], one["log_line"]) for one in found["named"]]
    assert named == [("shop/cart.py", 2, "total", 5), ("tests/test_cart.py", 7, "CartTest.test_total", 3)]
    first = found["commits"][0]
    assert (first["commit"], first["subject"]) == (commits["Limit the weight"], "Limit the weight")
    assert {"changes total, which the log names", "adds the text 'the basket is too heavy'"} <= {*first["why"]}
    (other,) = [one for one in found["commits"] if one["subject"] == "Close the till"]
    assert other["score"] < first["score"] / 2
    assert found["functions"][0]["name"] == "total"
    command = machine.command("locate", "--repo", str(repo), "--log", "-")
    shown = subprocess.check_output(command, env=machine.environment, input=LOG, text=True)
    assert shown.startswith("Named in the log:\n  shop/cart.py:2 total — line 5 of the log\n")


@pytest.mark.parametrize("is_outside", [False, True])
def test_bisection_finds_commit_and_skips_broken_ones(machine: Machine, shop, log: Path, is_outside: bool) -> None:
    repo, commits = shop
    test = log.parent / "test_outside.py" if is_outside else repo / "tests" / "test_cart.py"
    test.write_text(TEST)
    before = git(repo, "status", "--porcelain"), git(repo, "rev-parse", "HEAD")
    options = ["--good", commits["Ring"], "--reproduce", str(test), "--workspace", "local", "--test", UNITTEST]
    found = machine.json("locate", "--repo", str(repo), "--log", str(log), *options)
    assert found["returncode"] == 0, found
    assert found["bisect"]["first_bad"] == commits["Limit the weight"]
    assert found["bisect"]["candidates"] == [{"commit": commits["Limit the weight"], "subject": "Limit the weight"}]
    tested = {one["commit"]: one["outcome"] for one in found["bisect"]["tested"]}
    assert tested.get(commits["Break the syntax"], "skip") == "skip"
    assert (git(repo, "status", "--porcelain"), git(repo, "rev-parse", "HEAD")) == before


def test_bisection_names_all_candidates_if_commits_cannot_be_tested(machine: Machine, make_repo, log: Path) -> None:
    repo = make_repo(
        {"shop/__init__.py": "", "shop/cart.py": GOOD, "tests/__init__.py": "", "tests/test_cart.py": TEST}
    )
    good = git(repo, "rev-parse", "HEAD").strip()
    for text in (BROKEN, BAD):
        (repo / "shop/cart.py").write_text(text)
        git(repo, "commit", "-qam", "A change")
    options = ["--good", good, "--test", f"{UNITTEST} tests.test_cart", "--workspace", "local"]
    options += ["--reproduce", "tests.test_cart.CartTest.test_total"]
    found = machine.json("locate", "--repo", str(repo), "--log", str(log), *options)
    assert (found["returncode"], found["bisect"]["first_bad"], len(found["bisect"]["candidates"])) == (1, None, 2)


def test_uncommitted_changes_are_named(machine: Machine, shop, log: Path) -> None:
    repo, commits = shop
    git(repo, "revert", "--no-edit", commits["Limit the weight"])
    (repo / "shop/cart.py").write_text(BAD)
    options = ["--good", commits["Ring"], "--reproduce", "tests/test_cart.py", "--workspace", "local"]
    completed = machine.run("locate", "--log", str(log), *options, "--test", UNITTEST, cwd=repo)
    assert (completed.returncode, completed.stdout.split("\n")[0]) == (0, "The test fails since: the working tree")


def test_uncommitted_changes_may_be_the_cause_if_head_cannot_be_tested(machine: Machine, make_repo, log: Path) -> None:
    repo = make_repo(
        {"shop/__init__.py": "", "shop/cart.py": GOOD, "tests/__init__.py": "", "tests/test_cart.py": TEST}
    )
    good = git(repo, "rev-parse", "HEAD").strip()
    (repo / "shop/cart.py").write_text(BROKEN)
    git(repo, "commit", "-qam", "Break the syntax")
    (repo / "shop/cart.py").write_text(BAD)
    options = ["--good", good, "--reproduce", "tests/test_cart.py", "--workspace", "local", "--test", UNITTEST]
    found = machine.json("locate", "--repo", str(repo), "--log", str(log), *options)
    assert (found["returncode"], found["bisect"]["first_bad"]) == (1, None)
    assert [one["subject"] for one in found["bisect"]["candidates"]] == ["", "Break the syntax"]


def test_interrupted_bisection_says_how_to_continue(machine: Machine, shop, log: Path) -> None:
    repo, commits = shop
    slow = f"if grep -q 'return 2' shop/till.py; then sleep 60; fi; {UNITTEST}"
    options = ["--good", commits["Ring"], "--reproduce", "tests/test_cart.py", "--workspace", "local", "--test", slow]
    command = machine.command("locate", "--log", str(log), *options)
    started = subprocess.Popen(command, env=machine.environment, cwd=repo, stderr=subprocess.PIPE, text=True)
    with started:
        assert started.stderr
        said = iter(started.stderr.readline, "")
        seen = []
        assert any(seen.append(line) or "6 commits are left" in line for line in said), seen
        started.send_signal(signal.SIGINT)
        rest = "".join(said)
    assert started.returncode == 130
    assert f"Continue with --base {commits['Test the total'][:12]} --good {commits['Ring'][:12]}." in rest
    assert "Traceback" not in rest


def test_search_continues_with_a_test_that_is_not_committed(machine: Machine, shop, log: Path) -> None:
    """The hint of an interrupted search names commits, which do not have the test."""
    repo, commits = shop
    (repo / "tests" / "test_new.py").write_text(TEST)
    options = ["--good", commits["Repair the syntax"], "--base", commits["Close the till"], "--workspace", "local"]
    options += ["--reproduce", "tests/test_new.py", "--test", UNITTEST]
    found = machine.json("locate", "--repo", str(repo), "--log", str(log), *options)
    assert (found["returncode"], found["bisect"]["first_bad"]) == (0, commits["Limit the weight"])


def test_rule_denies_the_command_that_is_detected(machine: Machine, shop, log: Path) -> None:
    repo, commits = shop
    denied = {
        **machine.environment,
        "SWE_AGENT_PERMISSIONS": '{"deny": ["command python", "command python3", "command pytest"]}',
    }
    options = ["--good", commits["Ring"], "--reproduce", "tests/test_cart.py", "--workspace", "local"]
    command = machine.command("locate", "--repo", str(repo), "--log", str(log), *options)
    ran = subprocess.run(command, env=denied, capture_output=True, text=True)
    assert ran.returncode == 2, ran
    assert "The test was not run." in ran.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--log", "binary.log"], "is a binary file"),
        (["--log", "empty.log"], "is empty"),
        (["--log", "nowhere.log"], "cannot be read"),
        (["--log", "ci.log", "--good", "no-such"], "There is no commit 'no-such'"),
        (["--log", "ci.log", "--good", "HEAD"], "There is no commit after"),
        (["--log", "ci.log", "--base", "HEAD~2", "--good", "HEAD"], "is not an ancestor"),
        (["--log", "ci.log", "--text", "x"], "both given"),
        (["--log", "ci.log", "--reproduce", "tests/test_cart.py"], "needs a commit without the error"),
        (["--text", "x", "--good", "HEAD~1"], "without a log"),
        (
            ["--log", "ci.log", "--good", "HEAD~1", "--reproduce", "tests/test_cart.py", "--workspace", "local"],
            "also fails",
        ),
        (
            ["--log", "ci.log", "--base", "HEAD~3", "--good", "HEAD~4", "--test", "true", "--workspace", "local"],
            "passes at",
        ),
    ],
)
def test_bad_input_is_refused_in_one_sentence(
    machine: Machine, shop, tmp_path: Path, arguments: list[str], message: str
) -> None:
    repo, _ = shop
    files = {"binary.log": b"a\0b", "empty.log": b" \n", "ci.log": LOG.encode()}
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    arguments = [str(tmp_path / one) if one.endswith(".log") else one for one in arguments]
    if "true" not in arguments and "--workspace" in arguments:
        arguments += ["--test", UNITTEST]
    result = machine.json("locate", *arguments, cwd=repo)
    assert (result["returncode"], result["error"]["code"]) == (2, 2), result
    assert message in result["error"]["message"]
