"""A user's machine for tests of the whole program: own state, own configuration, the command as a process."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.conftest import IMAGE, git
from tests.e2e import forking
from tests.e2e.json_reference import check_keys

CALCULATOR = {
    "calc/__init__.py": "",
    "calc/core.py": (
        'def add(a, b):\n    """The sum of two numbers."""\n    return a - b\n\n\n'
        "def double(a):\n    return add(a, a)\n"
    ),
    "calc/text.py": "def shout(word):\n    return word.upper()\n",
    "tests/__init__.py": "",
    "tests/test_text.py": (
        "import unittest\n\nfrom calc.text import shout\n\n\nclass TextTest(unittest.TestCase):\n"
        '    def test_shout(self):\n        self.assertEqual(shout("a"), "A")\n'
    ),
    ".gitignore": "__pycache__/\n",
}
TEST_CORE = (
    "import unittest\n\nfrom calc.core import add\n\n\nclass CoreTest(unittest.TestCase):\n"
    "    def test_add(self):\n        self.assertEqual(add(2, 3), 5)\n"
)
STRICT_TEST = TEST_CORE + (
    "\n    def test_more(self):\n"
    "        for a, b, sum in ((7, 4, 11), (-1, 5, 4), (0, 3, 3), (3, 0, 3), (-2, -2, -4)):\n"
    "            self.assertEqual(add(a, b), sum)\n"
)
"""With so many expected results, hardly any edit but the right one passes."""
ISSUE = "# add() subtracts\n\nadd(2, 3) gives -1 but should give 5.\n"


@dataclass
class Machine:
    """A user's machine. `run` starts `swe-agent` as the user would."""

    home: Path
    workspace: str = "local"
    extra: dict[str, str] = field(default_factory=dict)
    plugins: Path | None = None

    @property
    def environment(self) -> dict[str, str]:
        inherited = {
            name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG", "DOCKER_HOST")
        }
        return inherited | {
            "SWE_AGENT_STATE": str(self.home / "state"),
            "SWE_AGENT_CONFIG": str(self.home / "config.toml"),
            "SWE_AGENT_CACHE": str(self.home / "cache"),
            "SWE_AGENT_WORKSPACE": self.workspace,
            "SWE_AGENT_IMAGE": IMAGE,
            "SWE_AGENT_INDEPENDENT": "false",
            **self.extra,
        }

    def command(self, *arguments: str) -> list[str]:
        first = f"import sys; sys.path.insert(0, {str(self.plugins)!r}); " if self.plugins else ""
        return [sys.executable, "-c", f"{first}from swe_agent import main; main()", *map(str, arguments)]

    def run(self, *arguments: str, cwd: Path | None = None, timeout: float = 100) -> subprocess.CompletedProcess[str]:
        environment = self.environment
        if not (self.plugins or any(name.startswith("PYTHON") for name in environment)):
            return forking.run([*map(str, arguments)], environment, cwd or self.home, timeout)
        return subprocess.run(
            self.command(*arguments),
            env=environment,
            cwd=cwd or self.home,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
            stdin=subprocess.DEVNULL,
        )

    def json(self, *arguments: str, cwd: Path | None = None, timeout: float = 100) -> dict:
        completed = self.run(*arguments, "--json", cwd=cwd, timeout=timeout)
        assert completed.stdout.count("\n") == 1, completed.stdout + completed.stderr
        printed = json.loads(completed.stdout)
        check_keys(arguments, printed)
        return printed | {"returncode": completed.returncode, "stderr": completed.stderr}

    def script(self, *lines: dict) -> str:
        """Write a scripted model's file; return its name for `--model`."""
        path = self.home / f"script-{len(list(self.home.glob('script-*')))}.jsonl"
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))
        return f"scripted:{path}"

    def runs(self) -> list[Path]:
        return sorted((self.home / "state" / "runs").glob("*"))


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    home = tmp_path / "home"
    home.mkdir()
    (home / "config.toml").write_text("[models.scripted]\nprice_in = 1.0\nprice_out = 5.0\nmax_output = 1000\n")
    return Machine(home)


@pytest.fixture
def calculator(tmp_path: Path) -> Path:
    """A repository with a bug, and an issue next to it."""
    folder = write(tmp_path / "calculator", CALCULATOR)
    git(folder, "init", "-q")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "A calculator")
    (tmp_path / "issue.md").write_text(ISSUE)
    return folder


@pytest.fixture
def issue_file(tmp_path: Path) -> str:
    path = tmp_path / "issue.md"
    path.write_text(ISSUE)
    return str(path)


def call(tool: str, **arguments: object) -> dict:
    return {"tool": tool, "arguments": arguments}


def answer(text: str, *actions: dict, **fields: object) -> dict:
    usage = {"input_tokens": 100, "output_tokens": 20}
    return {**fields, "reply": {"text": text, "actions": list(actions), "usage": usage}}


@pytest.fixture
def user(machine: Machine, calculator: Path, issue_file: str):
    """A user with this repository and this issue; tests add models at an endpoint."""
    from tests.e2e.provider_user import User

    (machine.home / "config.toml").unlink()
    machine.extra |= {"SWE_AGENT_RETRY_WAIT": "0"}
    test = ["--test", "python3 -m unittest discover"]
    return User(machine, ["fix", "--repo", str(calculator), "--issue-file", issue_file, *test])
