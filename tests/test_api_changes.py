"""The check of the public names against an earlier version."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

from tests.conftest import git

ROOT = Path(__file__).resolve().parent.parent
spec = spec_from_file_location("api_changes", ROOT / "scripts" / "api_changes.py")
assert spec
assert spec.loader
api_changes = module_from_spec(spec)
sys.modules[spec.name] = api_changes
spec.loader.exec_module(api_changes)

BEFORE = {
    "swe_agent/__init__.py": '_MODULES = {"fix": "agent.engine", "begin": "agent.start"}',
    "agent/engine.py": "def fix(issue, *, repo='.'): ...\ndef internal(): ...",
    "agent/start.py": "def begin(): ...",
    "tools/base.py": "class Context:\n    def place(self, path): ...\n    def _hidden(self): ...",
}


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({}, {}),
        ({"swe_agent/__init__.py": '_MODULES = {"fix": "agent.engine"}'}, {"swe_agent.begin"}),
        ({"agent/engine.py": "def fix(issue, *, repo='.', model=''): ..."}, {}),
        ({"agent/engine.py": "def fix(issue, *, model): ..."}, {"agent.engine.fix"}),
        ({"tools/base.py": "class Context: ..."}, {"tools.base.Context.place"}),
        ({"tools/base.py": None}, {"tools.base"}),
    ],
    ids=["none", "name", "new option", "option", "method", "module"],
)
def test_removed_names_and_parameters_are_found(changes: dict[str, str | None], found: set[str]) -> None:
    assert set(api_changes.find_changes(BEFORE.get, (BEFORE | changes).get)) == set(found)


def test_moved_definition_is_no_change() -> None:
    moved = {
        "swe_agent/__init__.py": '_MODULES = {"fix": "agent.engine", "begin": "agent.run"}',
        "agent/start.py": None,
    }
    assert api_changes.find_changes(BEFORE.get, (BEFORE | moved | {"agent/run.py": "def begin(): ..."}).get) == {}


def test_change_that_the_changelog_names_since_is_announced() -> None:
    after = BEFORE | {"tools/base.py": "class Context: ..."}
    added, removed = "- `tools.base.Context.place` is new.\n", "- `tools.base.Context.place` is removed.\n"
    for old, new, is_found in (
        ("", "", True),
        ("", removed, False),
        (added, added, True),
        (added, removed + added, False),
    ):
        before, now = BEFORE | {"CHANGELOG.md": old}, after | {"CHANGELOG.md": new}
        assert bool(api_changes.unannounced_changes(before.get, now.get)) == is_found


def test_extension_points_exist_and_are_documented() -> None:
    documented = (ROOT / "docs" / "compatibility.md").read_text("utf-8")
    for module in api_changes.EXTENSION_POINTS:
        assert api_changes.load_module(module, api_changes.read_tree)
        assert f"`{module}`" in documented


def test_unknown_commit_is_explained() -> None:
    command = [sys.executable, str(ROOT / "scripts" / "api_changes.py"), "no-such-commit"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == (
        "check_api: no-such-commit is not a commit of this clone. Fetch it, or name another one.\n"
    )


def test_release_is_compared_with_the_one_before(tmp_path: Path) -> None:
    script = tmp_path / "scripts" / "check_api"
    script.parent.mkdir()
    script.write_bytes((ROOT / "scripts" / "check_api").read_bytes())
    git(tmp_path, "init", "-q")
    for version in ("v0.1.0", "v0.2.0"):
        git(tmp_path, "commit", "-q", "--allow-empty", "-m", version)
        git(tmp_path, "tag", version)
    environment = os.environ | {"PYTHON_OF_VENV": "echo"}
    shown = subprocess.run(["sh", str(script)], env=environment, capture_output=True, text=True, timeout=60)
    assert shown.stdout.strip() == "scripts/api_changes.py v0.1.0"
