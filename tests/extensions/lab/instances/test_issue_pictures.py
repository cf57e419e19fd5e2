"""Pictures that a row names by URL: only those of the issue reach a run."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import pytest

from agent.config.settings import load_settings
from extensions.github import github_input
from extensions.lab.batch import job_run
from extensions.lab.instances.dataset_instances import read_instances
from extensions.lab.instances.jobs import Job
from tests.conftest import MakeRepo
from trajectories.journal import read

ASSETS = "https://github.com/user-attachments/assets"
ROW = {
    "instance_id": "ada__engine-7",
    "repo": "ada/engine",
    "problem_statement": f"The bar is red\n\n![shot]({ASSETS}/1)",
    "image_assets": json.dumps(
        {
            "problem_statement": [f"{ASSETS}/1", "http://127.0.0.1/a.png"],
            "patch": [f"{ASSETS}/2"],
            "test_patch": [{"path": "test/a.png", "url": f"{ASSETS}/3"}],
        }
    ),
}


def test_only_pictures_of_issue_reach_run(make_repo: MakeRepo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "rows.jsonl").write_text(json.dumps(ROW))
    [instance] = read_instances([tmp_path / "rows.jsonl"])
    assert instance.pictures == (f"{ASSETS}/1",)
    asked: list[str] = []

    def fake_fetch(texts: Iterable[str], address: object) -> tuple[str, ...]:
        asked.extend(texts)
        return ("data:image/png;base64,AAAA",)

    monkeypatch.setattr(github_input, "fetch_images", fake_fetch)
    job = Job(instance, 1, make_repo({"a.py": "x = 1\n"}), load_settings(state=tmp_path / "out"))
    job_run.begin_job(job)
    assert asked == [f'<img src="{ASSETS}/1">']
    issue = read(job.directory).run.issue
    assert issue.images == ("data:image/png;base64,AAAA",)
    assert f"{ASSETS}/2" not in str(issue)
    assert f"{ASSETS}/3" not in str(issue)
    job_run.begin_job(job)
    assert len(asked) == 1, "a started run has its pictures"
