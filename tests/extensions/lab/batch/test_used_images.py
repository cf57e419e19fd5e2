"""The setting `images` of a batch that is resumed: only entries count that a run depends on."""

from __future__ import annotations

import shutil
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from agent.config.settings import Settings
from extensions.lab.batch.reports.batch_manifest import check, manifest, read_manifest
from extensions.lab.batch.used_images import used_images
from extensions.lab.instances.jobs import Instance
from trajectories.errors import UsageError
from trajectories.git_store.trees import EMPTY_TREE, Trees
from trajectories.journal import Journal
from trajectories.records import Base, Issue, Run, Turn

PYTHON = {"pyproject.toml": b'[project]\nname = "shop"\nversion = "1"\n', "shop.py": b""}
RUST = {"Cargo.toml": b'[package]\nname = "shop"\nversion = "0.1.0"\n', "src/lib.rs": b""}
INSTANCE = Instance("i", "ada/shop", "1" * 40, Issue("It fails"))


def record_run(out: Path, files: dict[str, bytes], image: str = "") -> None:
    folder = out / "runs" / INSTANCE.id
    with Trees(folder / "trees.git") as trees, closing(Journal(folder)) as journal:
        base = Base("c" * 40, trees.write(files, EMPTY_TREE))
        journal.append(Run(INSTANCE.id, INSTANCE.issue, "/nowhere", base, {"image": image}), Turn("fix", "templates"))


def resume(out: Path, **images: str) -> None:
    settings = Settings(strategy="templates", state=out, images=images)
    wanted = manifest(settings, [INSTANCE], [], {})
    check(out, wanted, used_images=partial(used_images, settings.runs, settings))


def test_batch_resumes_with_another_image_of_a_language_that_no_run_has(tmp_path: Path) -> None:
    resume(tmp_path, go="go:1")
    record_run(tmp_path, PYTHON)
    resume(tmp_path, rust="mine:1")
    assert (read_manifest(tmp_path) or {})["room"]["images"] == {"rust": "mine:1"}


@pytest.mark.parametrize(
    ("before", "after", "difference"),
    [
        ({}, {"rust": "mine:1"}, "environment images.rust was nothing, now mine:1."),
        ({"rust": "mine:1"}, {}, "environment images.rust was mine:1, now nothing."),
        ({"rust": "a:1", "go": "b:1"}, {"rust": "a:2", "go": "b:2"}, "environment images.rust was a:1, now a:2."),
    ],
)
def test_image_of_a_runs_language_may_not_change(
    tmp_path: Path, before: dict[str, str], after: dict[str, str], difference: str
) -> None:
    resume(tmp_path, **before)
    record_run(tmp_path, RUST)
    with pytest.raises(UsageError) as caught:
        resume(tmp_path, **after)
    assert caught.value.message.endswith(f"was started with other settings: {difference}")


def test_run_with_an_image_of_its_own_depends_on_no_language(tmp_path: Path) -> None:
    resume(tmp_path)
    record_run(tmp_path, RUST, image="theirs:1")
    resume(tmp_path, rust="mine:1")


def test_run_that_cannot_be_read_depends_on_all_images(tmp_path: Path) -> None:
    record_run(tmp_path, PYTHON)
    shutil.rmtree(tmp_path / "runs" / INSTANCE.id / "trees.git")
    settings = Settings(state=tmp_path, images={"rust": "mine:1"})
    assert used_images(settings.runs, settings, {"go": "go:1"}) == {"rust", "go"}
