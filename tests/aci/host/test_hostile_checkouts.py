"""Hostile and unusual checkouts and environments: their files, links and settings."""

from __future__ import annotations

from pathlib import Path

import pytest

from aci.host.clones import CloneFamily
from aci.host.generated_files import find_generated_files
from aci.repository.untracked_files import lines_with
from aci.repository.user_repository import Repository
from aci.runtime.workspace import WorkspaceOptions
from tests.aci.host.test_generated_files import SCM, Find, find, put, write
from tests.conftest import MakeRepo, git
from trajectories.git_store.trees import Trees

__all__ = ["find"]
PB2 = {"pkg/__init__.py": "from pkg import shop_pb2\n", ".gitignore": "*_pb2.py*\nconfig.py\nlocal_settings.py\n"}


@pytest.mark.parametrize(
    "line",
    ["import shop_pb2", "from . import a, shop_pb2", "from .shop_pb2 import X", "from pkg import (\n    shop_pb2,\n)"],
)
def test_generated_module_that_a_tracked_module_imports_is_copied(find: Find, make_repo: MakeRepo, line: str) -> None:
    folder = make_repo({**PB2, "pkg/__init__.py": f"{line}\n"})
    for name in ("shop_pb2.py", "shop_pb2.pyi", "other_pb2.py"):
        write(folder / "pkg" / name, "X = 1\n")
    found = find(folder)
    assert list(found.copied) == ["pkg/shop_pb2.py", "pkg/shop_pb2.pyi"]
    assert (put(found, folder) / "pkg/shop_pb2.py").read_text() == "X = 1\n"


def test_imported_modules_like_secrets_are_refused(find: Find, make_repo: MakeRepo) -> None:
    folder = make_repo({**PB2, "pkg/__init__.py": "from pkg import config, local_settings\n"})
    write(folder / "pkg/config.py", "KEY = 'sk-proj-" + "a1B2c3D4" * 5 + "'\n")
    write(folder / "pkg/local_settings.py")
    found = find(folder)
    assert (found.copied, found.refused) == ({}, ["pkg/config.py", "pkg/local_settings.py"])


def test_imported_module_that_is_a_link_is_not_copied(find: Find, make_repo: MakeRepo, tmp_path: Path) -> None:
    folder = make_repo(PB2)
    (folder / "pkg/shop_pb2.py").symlink_to(write(tmp_path / "outside.py", "private"))
    assert find(folder).copied == {}


def test_lines_that_contain_a_word_are_found(make_repo: MakeRepo) -> None:
    folder = make_repo({"a/b.py": "import x\nxy = 1\n# x\n", "c.pyi": "from x import y\n", "d.txt": "x\n"})
    write(folder / "untracked.py", "import x\n")
    git(folder, "config", "grep.lineNumber", "true")
    git(folder, "config", "color.ui", "always")
    assert lines_with(folder, ["x", "-z"]).splitlines() == ["import x", "# x", "from x import y"]


def test_broken_pyproject_declares_nothing(find: Find, make_repo: MakeRepo) -> None:
    folder = make_repo({"pyproject.toml": "[project", "setup.py": "setup(use_scm_version={'write_to': 'v.py'})\n"})
    assert list(find(folder).written) == ["v.py"]


@pytest.mark.parametrize("link", ["lib", "lib/python3.12", "lib/python3.12/site-packages"])
def test_installed_copy_is_used_only_if_it_lies_in_the_environment(
    find: Find, make_repo: MakeRepo, tmp_path: Path, link: str
) -> None:
    folder = make_repo({"pyproject.toml": SCM.format("config.json")})
    docker = tmp_path / "home/.docker"
    inner = "lib/python3.12/site-packages".removeprefix(link).strip("/")
    write(docker / inner / "config.json", '{"auths": {}}')
    (tmp_path / "env" / link).parent.mkdir(parents=True)
    (tmp_path / "env" / link).symlink_to(docker)
    assert find(folder, tmp_path / "env").copied == {}


def clone_at(folder: Path, tmp_path: Path, rev: str) -> None:
    with Trees(tmp_path / "other.git") as trees:
        repository = Repository.open(folder)
        options = WorkspaceOptions(repository, repository.base(trees, rev), trees)
        family = CloneFamily(options, find_generated_files(options, None))
        family.remove(family.create().name)


@pytest.mark.parametrize("name", ["fast.so", "node_modules", "x.egg-info"])
def test_link_at_the_base_is_not_followed(make_repo: MakeRepo, tmp_path: Path, name: str) -> None:
    folder = make_repo({"package.json": "{}", ".gitignore": "fast.so\nnode_modules\n*.egg-info\n"})
    victim = tmp_path / "victim"
    if name == "fast.so":
        victim.write_text("precious")
    else:
        victim.mkdir()
    (folder / name).symlink_to(victim)
    git(folder, "add", "-A", "-f")
    git(folder, "commit", "-q", "-m", "A link")
    git(folder, "rm", "-q", name)
    git(folder, "commit", "-q", "-m", "No link")
    inner = {"fast.so": "", "node_modules": "left/index.js", "x.egg-info": "PKG-INFO"}[name]
    write(folder / name / inner, "overwritten")
    clone_at(folder, tmp_path, "HEAD~1")
    assert (victim.read_text() if victim.is_file() else list(victim.iterdir())) in ("precious", [])


def test_file_that_the_base_tracks_is_kept(make_repo: MakeRepo, tmp_path: Path) -> None:
    """FileExistsError: the folder is tracked at the base and ignored now."""
    folder = make_repo({"setup.py": "", "x.egg-info/PKG-INFO": "", ".gitignore": "*.egg-info\n"})
    git(folder, "rm", "-q", "-r", "x.egg-info")
    git(folder, "commit", "-q", "-m", "Remove it")
    write(folder / "x.egg-info/PKG-INFO")
    clone_at(folder, tmp_path, "HEAD~1")


def test_folder_with_the_name_of_a_version_file(make_repo: MakeRepo, tmp_path: Path) -> None:
    """FileExistsError: a hostile repository makes every workspace crash."""
    clone_at(make_repo({"pyproject.toml": SCM.format("v.py"), "v.py/a": ""}), tmp_path, "HEAD")


def test_metadata_in_src_is_copied(find: Find, make_repo: MakeRepo) -> None:
    folder = make_repo({"setup.py": "", "src/x/__init__.py": "", ".gitignore": "*.egg-info\n"})
    write(folder / "src/x.egg-info/PKG-INFO", "Name: x\n")
    assert list(find(folder).copied) == ["src/x.egg-info/PKG-INFO"]


def test_text_file_holds_only_the_version(find: Find, make_repo: MakeRepo) -> None:
    folder = make_repo({"pyproject.toml": SCM.format("version.txt")})
    assert find(folder).written["version.txt"].strip() == b"999.0.0"
