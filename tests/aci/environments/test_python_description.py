"""The Python of a workspace, as a proof names it."""

from __future__ import annotations

import platform
from pathlib import Path

import pytest

from aci.environments.python_description import describe_python
from tests.conftest import MakeRepo, OpenWorkspace


def test_version_and_packages_are_named(make_repo: MakeRepo, open_ws: OpenWorkspace) -> None:
    found = describe_python(open_ws("local", make_repo({"a.py": ""})))
    packages = found["packages"]
    assert isinstance(packages, list)
    assert found["python"] == platform.python_version()
    assert any(package.startswith("pytest==") for package in packages)


@pytest.mark.parametrize(
    "program", ["exit 1", "echo nothing", "echo 'swe-agent-python:[1]'", "echo 'swe-agent-python:'"]
)
def test_other_program_called_python_is_not_described(
    make_repo: MakeRepo, open_ws: OpenWorkspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str
) -> None:
    workspace = open_ws("local", make_repo({"a.py": ""}))
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python3").write_text(f"#!/bin/sh\n{program}\n")
    (tmp_path / "bin" / "python3").chmod(0o755)
    workspace.run(f"export PATH={tmp_path}/bin:$PATH", session="tests")
    assert describe_python(workspace) == {}
