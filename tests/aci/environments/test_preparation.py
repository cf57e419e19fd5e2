"""What a run gets without the extension `environments`: an image as it is, and no set-up."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from aci.environments.environment_plan import EnvironmentOptions
from aci.environments.preparation import DEFAULT_IMAGES, NOT_PREPARED, default_image, prepare_environment
from aci.repository.user_repository import Repository
from aci.runtime.workspace import WorkspaceOptions
from tests.conftest import MakeRepo
from trajectories import plugins
from trajectories.errors import UsageError
from trajectories.git_store.trees import Trees

MakeOptions = Callable[[dict[str, str]], WorkspaceOptions]


@pytest.fixture(autouse=True)
def no_extension(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plugins, "extension_names", lambda: ())


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def make_options(make_repo: MakeRepo, tmp_path: Path, said: list[str]) -> Iterator[MakeOptions]:
    with Trees(tmp_path / "trees.git") as trees:

        def make_options(files: dict[str, str]) -> WorkspaceOptions:
            repository = Repository.open(make_repo(files))
            return WorkspaceOptions(repository, repository.base(trees), trees, say=said.append)

        yield make_options


@pytest.mark.parametrize(
    ("files", "settings", "image"),
    [
        ({"go.mod": ""}, {}, DEFAULT_IMAGES["go"]),
        ({"package.json": "{}", "setup.py": ""}, {"images": {"python": "own:1"}}, "own:1"),
        ({"go.mod": ""}, {"image": "named:1"}, "named:1"),
        ({"a.txt": ""}, {}, DEFAULT_IMAGES["python"]),
    ],
)
def test_image_is_used_without_set_up(
    make_options: MakeOptions, said: list[str], files: dict[str, str], settings: dict, image: str
) -> None:
    options, setup = prepare_environment(make_options(files), EnvironmentOptions(**settings), "docker")
    assert (options.image, setup, said) == (image, [], [NOT_PREPARED])


@pytest.mark.parametrize("workspace", ["sandbox", "local"])
def test_workspace_on_this_machine_gets_no_environment(
    make_options: MakeOptions, said: list[str], workspace: str
) -> None:
    options = make_options({"setup.py": ""})
    assert prepare_environment(options, EnvironmentOptions(), workspace) == (options, [])
    assert said == [NOT_PREPARED]


@pytest.mark.parametrize("workspace", ["docker", "sandbox", "local"])
def test_set_up_commands_are_refused(make_options: MakeOptions, said: list[str], workspace: str) -> None:
    settings = EnvironmentOptions(image="named:1", setup="make deps")
    with pytest.raises(UsageError, match="is in the extension environments, which is not installed"):
        prepare_environment(make_options({"a.py": ""}), settings, workspace)
    assert said == []


def test_language_of_first_manifest_decides() -> None:
    assert default_image({"pom.xml": b"", "Gemfile": b""}, {"ruby": "own"}) == DEFAULT_IMAGES["java"]
