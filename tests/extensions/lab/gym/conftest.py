"""A small instance with hidden tests, and replies that work on it."""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import MakeRepo, git

CODE = "def add(a, b):\n    return a - b\n\n\ndef same(a):\n    return a\n"
TESTS = "from calc import same\n\n\ndef test_same():\n    assert same(1) == 1\n"
HIDDEN = TESTS.replace("import", "import add,") + "\n\ndef test_add():\n    assert add(2, 3) == 5\n"
ISSUE = "add() subtracts\n\nadd(2, 3) gives -1 but should give 5."
REPRODUCTION = "from calc import add\n\n\ndef test_add():\n    assert add(2, 3) == 5\n"


def call(tool: str, **arguments: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"name": tool, "arguments": json.dumps(arguments)}}


def reply(*calls: dict[str, Any], text: str = "") -> dict[str, Any]:
    return {"role": "assistant", "content": text, "tool_calls": list(calls)}


WORKSPACE = re.compile(r"/[^\s\"]*/swe-agent-local-\w+/\w+")
LOOK = reply(call("view", path="calc.py"), text="Look.")
FIX = call("edit", path="calc.py", old="a - b", new="a + b")
BREAK = call("edit", path="calc.py", old="a - b", new="b")
SUBMIT = call("submit", summary="It subtracted.")
SOLVE = reply(FIX, SUBMIT)
FAIL = reply(BREAK, SUBMIT)


@pytest.fixture
def repository(make_repo: MakeRepo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with a bug. The runs of this test have a folder of their own."""
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("SWE_AGENT_STATE", str(tmp_path / "state"))
    return make_repo({"calc.py": CODE, "tests/test_calc.py": TESTS, "conftest.py": ""})


@pytest.fixture
def row(repository: Path) -> dict[str, Any]:
    """The instance as a row of a data set in SWE-bench's fields."""
    (repository / "tests/test_calc.py").write_text(HIDDEN)
    hidden = git(repository, "diff") + "\n"
    git(repository, "checkout", "-q", ".")
    return {
        "instance_id": "calc-1",
        "repo": str(repository),
        "base_commit": git(repository, "rev-parse", "HEAD"),
        "problem_statement": ISSUE,
        "hints_text": "The fix is in calc.py.",
        "patch": "the answer",
        "test_patch": hidden,
        "FAIL_TO_PASS": '["tests/test_calc.py::test_add"]',
        "PASS_TO_PASS": ["tests/test_calc.py::test_same"],
    }


def workspace_in(observation: object) -> Path:
    """Return the folder of the local workspace that an episode's first messages name."""
    found = WORKSPACE.search(json.dumps(observation))
    assert found
    return Path(found[0])


def without_workspace(observation: object) -> str:
    """Return an observation without the folder of the local workspace, which is another one in each episode."""
    return WORKSPACE.sub("WORKSPACE", json.dumps(observation))
