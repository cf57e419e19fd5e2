"""Fixtures: a fake GitLab server, and a user at a terminal with a clone of a project on it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.gitlab_server import GitLab, Project

VARIABLES = ("GITLAB_HOST", "GITLAB_TOKEN", "GITLAB_CI", "CI_SERVER_URL", "CI_JOB_TOKEN", "GITHUB_TOKEN", "GH_TOKEN")


@pytest.fixture
def gitlab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[GitLab]:
    """A server with group/sub/calc, which the user's environment names, without a token."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    with GitLab(tmp_path) as server:
        server.project("group/sub/calc")
        monkeypatch.setenv("GITLAB_HOST", server.url)
        yield server


@pytest.fixture
def project(gitlab: GitLab) -> Project:
    return gitlab.projects[0]
