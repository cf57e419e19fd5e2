"""The notes of a release, which the release workflow takes from the changelog."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import swe_agent

ROOT = Path(__file__).resolve().parent.parent
CHANGELOG = (ROOT / "CHANGELOG.md").read_text("utf-8")
VERSION = f"## [{swe_agent.__version__}] - "


def run(tag: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "scripts" / "release_notes.py"), tag]
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GITHUB_")}
    return subprocess.run(command, env=kept | environment, capture_output=True, text=True, timeout=60)


def test_notes_are_the_section_of_this_version() -> None:
    notes = run(f"v{swe_agent.__version__}").stdout.strip()
    assert notes == CHANGELOG.partition(VERSION)[2].partition("\n")[2].partition("\n## [")[0].strip()
    assert "### Added" in notes


def test_links_lead_to_the_repository_in_actions() -> None:
    notes = run(f"v{swe_agent.__version__}", GITHUB_REPOSITORY="ada/agent").stdout
    assert f"(https://github.com/ada/agent/blob/v{swe_agent.__version__}/docs/verdicts.md)" in notes
    assert "](docs/" not in notes


@pytest.mark.parametrize("tag", ["v9.9.9", "", swe_agent.__version__])
def test_other_tag_is_refused(tag: str) -> None:
    result = run(tag)
    assert (result.returncode, result.stdout) == (2, "")
    assert f"The tag {tag!r} is not v{swe_agent.__version__}" in result.stderr


def test_changelog_begins_with_unreleased_and_its_entries_are_short() -> None:
    assert re.findall(r"^## \[(.+?)\]", CHANGELOG, re.MULTILINE)[:2] == ["Unreleased", swe_agent.__version__]
    entries = re.split(r"^- ", CHANGELOG, flags=re.MULTILINE)[1:]
    lines = [re.split(r"\n(?=\n|#)", entry.rstrip())[0].count("\n") + 1 for entry in entries]
    assert max(lines) <= 2
    assert len(entries) == len(set(entries))
