"""The Python environment of a project, found by reading files."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from aci.host import project_python
from aci.host.project_python import ProjectPython, find_project_python
from aci.runtime.workspace import WorkspaceOptions, open_workspace
from tests.conftest import MakeRepo

PYPROJECT = '[project]\nname = "My.Shop"\n'


def environment(folder: Path, version: str = "3.12.1") -> Path:
    (folder / "bin").mkdir(parents=True)
    (folder / "bin/python").symlink_to(sys.executable)
    (folder / "pyvenv.cfg").write_text(f"home = /usr/bin\nversion = {version}\n")
    return folder


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "shop").mkdir()
    return tmp_path / "shop"


def test_nothing_is_found_without_environment(root: Path, home: Path) -> None:
    (root / "pyproject.toml").write_text(PYPROJECT)
    (root / "Pipfile").write_text("")
    (root / ".venv").mkdir()
    assert find_project_python(root, {"HOME": str(home)}) is None


@pytest.mark.parametrize("folder", [".venv", "venv"])
def test_folder_of_the_project_is_used(root: Path, home: Path, folder: str) -> None:
    made = environment(root / folder)
    found = find_project_python(root, {"HOME": str(home)})
    assert found
    assert (found.prefix, found.reason, found.version) == (made, f"{folder} is the project's environment", "3.12.1")
    assert find_project_python(root, {"HOME": str(home)}, lambda path: path == folder) is None, "git tracks it"


def test_active_environment_comes_first(root: Path, home: Path, tmp_path: Path) -> None:
    environment(root / ".venv")
    active = environment(tmp_path / "active")
    found = find_project_python(root, {"HOME": str(home), "VIRTUAL_ENV": str(active)})
    assert found
    assert (found.prefix, found.reason) == (active, "it is active")


def test_environment_of_this_program_comes_last(root: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = environment(home / "own")
    monkeypatch.setattr(project_python.sys, "prefix", str(own))
    variables = {"HOME": str(home), "VIRTUAL_ENV": str(own)}
    found = find_project_python(root, variables)
    assert found
    assert found.prefix == own
    environment(root / ".venv")
    found = find_project_python(root, variables)
    assert found
    assert found.prefix == root / ".venv"


@pytest.mark.parametrize(("name", "is_used"), [("shop", True), ("base", False), ("", False)])
def test_conda_environment_is_used_if_it_is_not_the_base(root: Path, home: Path, name: str, is_used: bool) -> None:
    prefix = home / "conda"
    environment(prefix)
    variables = {"HOME": str(home), "CONDA_PREFIX": str(prefix)} | ({"CONDA_DEFAULT_ENV": name} if name else {})
    assert bool(find_project_python(root, variables)) == is_used


def test_environment_of_uv_may_have_another_name(root: Path, home: Path) -> None:
    environment(root / ".venv")
    environment(root / "env")
    found = find_project_python(root, {"HOME": str(home), "UV_PROJECT_ENVIRONMENT": "env"})
    assert found
    assert found.prefix == root / "env"


@pytest.mark.parametrize(
    ("root", "tool", "folder"),
    [  # as the tools named them
        ("/tmp/pp/po", "Poetry", ".cache/pypoetry/virtualenvs/my-shop-akAd22iK-py3.11"),
        ("/tmp/pp/ha", "Hatch", ".local/share/hatch/env/virtual/my-shop/v6mmBy6T/my-shop"),
        ("/tmp/pp/ha", "Hatch", ".local/share/hatch/env/virtual/my-shop/v6mmBy6T/hatch-test.py3.12"),
        ("/tmp/pp/pi", "Pipenv", ".local/share/virtualenvs/pi-6kbe5tne"),
    ],
)
def test_environments_that_tools_keep_are_found(
    home: Path, monkeypatch: pytest.MonkeyPatch, root: str, tool: str, folder: str
) -> None:
    monkeypatch.setattr(project_python.sys, "platform", "linux")
    monkeypatch.setattr(project_python, "_tables", lambda file: {"project": {"name": "My.Shop"}})
    monkeypatch.setattr(Path, "is_file", lambda self: self.name == "Pipfile" or self.exists())
    made = environment(home / folder)
    found = find_project_python(Path(root), {"HOME": str(home)})
    assert found
    assert (found.prefix, found.reason) == (made, f"{tool} keeps it for this project")


def test_environment_that_pdm_uses_is_found(root: Path, home: Path) -> None:
    made = environment(home / "envs/shop")
    (root / ".pdm-python").write_text(f"{made}/bin/python\n")
    found = find_project_python(root, {"HOME": str(home)})
    assert found
    assert found.prefix == made
    assert find_project_python(root, {"HOME": str(home)}, lambda path: path == ".pdm-python") is None
    (root / ".pdm-python").write_text(f"{environment(root / 'backend')}/bin/python\n")
    assert find_project_python(root, {"HOME": str(home)}) is None, "it would show files that git ignores"


@pytest.mark.parametrize("text", ["[project", "project = 3\n", "[tool]\npoetry = []\n", "[project]\nname = 7\n", "\0"])
def test_odd_project_files_are_ignored(root: Path, home: Path, text: str) -> None:
    (root / "pyproject.toml").write_text(text)
    assert find_project_python(root, {"HOME": str(home)}) is None


def test_folders_of_editable_packages_are_found(root: Path) -> None:
    python = ProjectPython(environment(root / ".venv"), "")
    site = root / ".venv/lib/python3.12/site-packages"
    site.mkdir(parents=True)
    (site / "a.pth").write_text(f"import os\n{root}/backend/src\n/usr/lib/other\nrelative\n{root}\n")
    mapping = {"shop": f"{root}/lib/shop", "other": "/opt/other"}
    (site / "__editable___shop_1_0_finder.py").write_text(f"import x\nMAPPING: dict[str, str] = {mapping}\nN = {{}}\n")
    assert python.editable_folders(root) == ["backend/src", ".", "lib"]


@pytest.mark.parametrize(
    "text", ["MAPPING = {1", "MAPPING = {'a': open('x')}", "MAPPING = {'a': 3}", "\0", "MAPPING = {}"]
)
def test_odd_finders_of_editable_packages_are_ignored(root: Path, text: str) -> None:
    python = ProjectPython(environment(root / ".venv"), "")
    site = root / ".venv/lib/python3.12/site-packages"
    site.mkdir(parents=True)
    (site / "__editable___shop_1_0_finder.py").write_text(text)
    assert [folder for folder in python.editable_folders(root) if folder != "."] == []


@pytest.mark.slow
def test_commands_of_local_workspace_run_in_the_environment(make_repo: MakeRepo, tmp_path: Path) -> None:
    import venv

    from aci.repository.user_repository import Repository
    from trajectories.git_store.trees import Trees

    folder = make_repo({"backend/lib/shop/__init__.py": "", ".gitignore": ".venv\n"})
    venv.create(folder / ".venv", symlinks=True)
    (site,) = folder.glob(".venv/lib/python3*/site-packages")
    (site / "shop.pth").write_text(f"{folder}/backend/lib\n")
    said: list[str] = []
    repository = Repository.open(folder)
    with Trees(tmp_path / "trees.git") as trees:
        options = WorkspaceOptions(repository, repository.base(trees, None), trees, say=said.append)
        workspace = open_workspace("local", options)
        try:
            printed = workspace.run("python -c 'import sys; print(sys.prefix)'; echo $VIRTUAL_ENV").text.split()
            imported = workspace.run("python -c 'import shop; print(shop.__file__)'").text.strip()
        finally:
            workspace.close()
    assert printed == [str(folder / ".venv")] * 2
    assert imported == f"{workspace.root}/backend/lib/shop/__init__.py", "not the user's files"
    assert any(line.endswith(".venv is the project's environment.") for line in said)


@pytest.mark.parametrize("kind", ["missing", "file", "unreadable"])
def test_pyenv_without_readable_folder_has_no_pythons(tmp_path: Path, kind: str) -> None:
    place = tmp_path / "pyenv"
    if kind == "file":
        place.touch()
    elif kind == "unreadable":
        (place / "versions/3.12.1").mkdir(parents=True)
        place.chmod(0)
        if os.access(place, os.R_OK):
            pytest.skip("root can read every folder")
    assert project_python.pyenv_prefixes({"PYENV_ROOT": str(place)}, "3.*") == []
    if place.exists():
        place.chmod(0o700)


def test_pythons_of_pyenv_are_found_by_pattern(tmp_path: Path) -> None:
    for name in ("3.9.18", "3.12.1", "pypy3"):
        (tmp_path / ".pyenv/versions" / name).mkdir(parents=True)
    found = project_python.pyenv_prefixes({"HOME": str(tmp_path)}, "3.*")
    assert [prefix.name for prefix in found] == ["3.12.1", "3.9.18"]
