"""The source of tasks: its name and date must be usable in ids and commits."""

from __future__ import annotations

import pytest

from extensions.lab.synthesis import source_repository
from extensions.lab.synthesis.source_repository import open_source
from tests.conftest import MakeRepo, OpenWorkspace, git


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://github.com/ada/my..lib.", "ada/my-.lib-"),
        ("https://github.com/caf\u00e9/sh\u00f6p", "caf-/sh-p"),
        ("https://github.com/\u00e9a/.github", "a/.github"),
    ],
)
def test_name_is_usable_in_ids(make_repo: MakeRepo, open_ws: OpenWorkspace, url: str, name: str) -> None:
    repo = make_repo({"a.py": "x = 1\n"})
    git(repo, "remote", "add", "origin", url)
    assert open_source(open_ws("local", repo, "HEAD").options, None).name == name


@pytest.mark.parametrize(
    ("seconds", "date"),
    [(-5, "1970-01-01T00:00:00Z"), (10**12, "2099-12-31T23:59:59Z"), (None, "1970-01-01T00:00:00Z")],
)
def test_date_is_one_that_git_accepts(
    make_repo: MakeRepo, open_ws: OpenWorkspace, monkeypatch: pytest.MonkeyPatch, seconds: int | None, date: str
) -> None:
    options = open_ws("local", make_repo({"a.py": "x = 1\n"}), "HEAD").options
    monkeypatch.setattr(source_repository.GitLog, "time", lambda *args: seconds)
    assert open_source(options, None).created_at == date
