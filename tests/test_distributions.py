"""Files of the wheel and the source distribution. `make dist` builds, installs and runs both."""

from __future__ import annotations

import subprocess
import tomllib
from pathlib import Path

import pytest
from hatchling.builders.plugin.interface import BuilderInterface
from hatchling.builders.sdist import SdistBuilder
from hatchling.builders.wheel import WheelBuilder

import swe_agent

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("swe_agent", "extensions", "agent", "tools", "aci", "trajectories")

pytestmark = pytest.mark.skipif(not (ROOT / ".git").exists(), reason="not a clone")


def tracked(*paths: str) -> set[str]:
    command = ["git", "ls-files", "-z", "--cached", "--", *paths]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return {path for path in listed.split("\0") if path and (ROOT / path).exists()}


def untracked(*paths: str) -> set[str]:
    command = ["git", "ls-files", "-z", "--others", "--exclude-standard", "--", *paths]
    return set(subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0"))


def included(builder: BuilderInterface) -> set[str]:
    return {Path(file.path).relative_to(ROOT).as_posix() for file in builder.recurse_included_files()}


def test_wheel_holds_the_packages_and_nothing_else() -> None:
    """Guest programs, prompts and stylesheets are read at run time, so all files count, not only modules."""
    files = included(WheelBuilder(str(ROOT)))
    assert files - untracked(*PACKAGES) == tracked(*PACKAGES)
    assert {f"{package}/py.typed" for package in PACKAGES} <= files
    assert {Path(file).suffix for file in files if "/guest/" in file} >= {".py", ".cjs", ".sh", ".pl", ".js"}


@pytest.mark.slow
def test_sdist_holds_the_sources_without_ci() -> None:
    files = included(SdistBuilder(str(ROOT)))
    expected = {path for path in tracked() if not path.startswith((".github/", ".ci/"))}
    assert {path for path in expected if not (ROOT / path).is_symlink()} - files == set()
    assert not {path for path in files if path.startswith((".github/", ".ci/", ".venv", "dist/", "build/"))}


def test_metadata_names_command_licence_and_version() -> None:
    metadata = WheelBuilder(str(ROOT)).metadata
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert metadata.core.scripts == {"swe-agent": "swe_agent:main"}
    assert metadata.core.license_files == ["LICENSE"]
    assert metadata.version == swe_agent.__version__
    assert project["readme"] == "README.md"
