"""Official images of instances: used unchanged, with their conda environment activated."""

from __future__ import annotations

import subprocess
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from aci.environments.environment_plan import EnvironmentOptions
from aci.repository.user_repository import Repository
from aci.runtime.workspace import WorkspaceOptions
from agent.config.settings import Settings
from extensions.lab.evaluation.grading_images import Registry, image_of_python, with_test_image
from extensions.lab.evaluation.grading_specs import GradingSpec
from extensions.lab.evaluation.instance_grading import EvaluationContext, evaluate_one
from extensions.lab.instances.dataset_instances import Gold
from extensions.lab.instances.image_registry import official_image
from extensions.lab.instances.jobs import Instance
from tests.conftest import IMAGE, MakeRepo, git
from trajectories.errors import WorkspaceError
from trajectories.git_store.trees import Trees
from trajectories.records import Issue

NAME = "tests/test_it.py::test_conda"
TESTS = "import os\n\n\ndef test_conda():\n    assert os.environ['FROM_CONDA'] == 'testbed'\n"


@pytest.fixture
def published() -> Iterator[Instance]:
    """An instance whose official image exists locally, with the repository in /testbed and a conda environment."""
    instance = Instance(f"own__thing-{uuid.uuid4().hex[:8]}", "own/thing", "", Issue("t", ""))
    activate = "conda() { export FROM_CONDA=$2; }"
    recipe = [
        f"FROM {IMAGE}",
        "RUN mkdir -p /testbed /opt/miniconda3/bin && cd /testbed && git init -q",
        f"RUN echo '{activate}' > /opt/miniconda3/bin/activate",
    ]
    name = official_image(instance)
    subprocess.run(["docker", "build", "-q", "-t", name, "-"], input="\n".join(recipe).encode(), check=True)
    yield instance
    subprocess.run(["docker", "image", "rm", "-f", name], check=True, capture_output=True)


@pytest.mark.slow
@pytest.mark.docker
def test_local_official_image_is_used_unchanged(published: Instance, make_repo: MakeRepo) -> None:
    repo = make_repo({"setup.py": "raise SystemExit(1)\n"})
    (repo / "tests").mkdir()
    (repo / "tests/test_it.py").write_text(TESTS)
    git(repo, "add", "-A")
    tests = git(repo, "diff", "--cached") + "\n"
    git(repo, "reset", "-q", "--hard")
    messages: list[str] = []
    settings = Settings(workspace="docker")
    image = Registry().image(published, GradingSpec(publisher="swebench"), settings, messages.append)
    assert image == official_image(published)
    assert Registry().image(published, GradingSpec(), settings, messages.append) == ""
    assert Registry().image(published, GradingSpec(publisher="swebench"), Settings(image="own"), messages.append) == ""
    instance = Instance(published.id, "own/thing", git(repo, "rev-parse", "HEAD"), published.issue, image=image)
    gold = Gold(published.id, "", tests, (NAME,), (), {})
    result = evaluate_one(gold, instance, "", EvaluationContext(settings, lambda _: repo, say=messages.append))
    assert result.resolved, result.log
    assert "cd /testbed" in result.script
    assert not any("Pulling" in line or "Setting up" in line for line in messages)


@pytest.mark.docker
def test_images_are_pulled_in_parallel_and_fail_independently(monkeypatch: pytest.MonkeyPatch) -> None:
    barrier = Barrier(2, timeout=30)
    failing: dict[str, str] = {}

    def fake_pull(daemon: object, name: str) -> None:
        if "late" not in name:
            barrier.wait()
        for part, reason in failing.items():
            if part in name:
                raise WorkspaceError(f"The image {name} does not exist locally and cannot be pulled: {reason}.")

    monkeypatch.setattr("extensions.lab.evaluation.grading_images.pull", fake_pull)
    messages: list[str] = []
    registry, settings, spec = Registry(), Settings(workspace="docker"), GradingSpec(publisher="swebench")

    def image(id: str) -> str:
        return registry.image(Instance(id, "o/t", "", Issue("t", "")), spec, settings, messages.append)

    failing["own__bad-1"] = failing["own_1776_bad-1"] = "unexpected status 500"
    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(image, ("own__bad-1", "own__good-1"))) == [
            "",
            "swebench/sweb.eval.x86_64.own_1776_good-1:latest",
        ]
    assert image("own__late-1")
    failing["late-2"] = "dial tcp: lookup registry-1.docker.io: no such host"
    assert [image("own__late-2"), image("own__late-3")] == ["", ""], "an unreachable registry is not contacted again"
    assert not any("late-3" in line for line in messages)


def test_users_image_for_python_precedes_official_one() -> None:
    assert image_of_python("3.9", {"python3.9": "mine"}) == "mine"
    assert image_of_python("3.9", {"python": "mine"}) == "python:3.9"
    assert image_of_python("3.6", {}) == "python:3.6"


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (GradingSpec(python="2.7", setup=lambda files: "true"), r"need Python 2\.7, but python3 is 3\."),
        (GradingSpec(node="20", setup=lambda files: "npm ci"), "Only Python environments can be set up"),
        (GradingSpec(image="theirs:1", setup=lambda files: "bundle install"), "Only Python environments"),
    ],
)
def test_environment_that_needs_an_image_is_refused_in_sandbox(
    spec: GradingSpec, message: str, make_repo: MakeRepo, tmp_path: Path
) -> None:
    repository = Repository.open(make_repo({"package.json": "{}"}))
    with Trees(tmp_path / "trees.git") as trees:
        place = WorkspaceOptions(repository, repository.base(trees), trees)
        with pytest.raises(WorkspaceError, match=message):
            with_test_image(spec, place, Settings(workspace="sandbox"), "")


@pytest.mark.parametrize("workspace", ["sandbox", "local"])
def test_repository_gets_the_environment_that_fix_would_use(
    workspace: str, make_repo: MakeRepo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, str, str]] = []

    def set_up(place: WorkspaceOptions, wished: EnvironmentOptions, kind: str) -> WorkspaceOptions:
        asked.append((wished.setup, wished.image, kind))
        return place

    monkeypatch.setattr("extensions.lab.evaluation.grading_images.set_up_environment", set_up)
    repository = Repository.open(make_repo({"requirements.txt": "six\n"}))
    with Trees(tmp_path / "trees.git") as trees:
        place = WorkspaceOptions(repository, repository.base(trees), trees)
        settings = Settings.model_validate({"workspace": workspace, "image": "mine:1"})
        assert with_test_image(GradingSpec(image="theirs:1"), place, settings, "") == (place, ())
    assert asked == [("", "", workspace)]
