"""Hostile and unusual checkouts and environments: none shows a private folder of the home."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.aci.host.test_generated_files import write
from tests.extensions.sandbox.test_visible_paths import (
    environment,
    find_tools,
    home,
    installation,
    program,
    root,
    shows,
)

__all__ = ["home", "root"]


def test_interpreter_in_local_does_not_show_local(home: Path, root: Path) -> None:
    """Python was installed with --prefix=~/.local: _show_interpreters does not check for private folders."""
    folder = installation(home / ".local")
    write(folder / "share/keyrings/login.keyring", "")
    tools = find_tools(root, python=environment(root / ".venv", folder / "bin/python3"))
    assert not shows(tools, folder)


@pytest.mark.parametrize("name", [".local", ".config"])
def test_private_folder_that_is_a_link_is_not_shown(home: Path, root: Path, name: str) -> None:
    """~/.local -> /data/local, as managers of dot files make it: the real folder does not count as private."""
    folder = installation(home.parent / "data" / name.strip("."))
    (home / name).symlink_to(folder)
    assert not shows(find_tools(root, home / name / "bin"), folder)


@pytest.mark.parametrize("name", [".config", ".local"])
def test_environment_that_is_a_link_to_a_private_folder_is_not_shown(home: Path, root: Path, name: str) -> None:
    """.venv -> ~/.config, if that has pyvenv.cfg and bin/python (PDM's .pdm-python can name it too)."""
    folder = environment(home / name, Path("/usr/bin/python3"))
    (root / ".venv").symlink_to(folder)
    assert not shows(find_tools(root, python=root / ".venv"), folder)


def test_program_of_environment_does_not_show_another_project(home: Path, root: Path) -> None:
    other = home / "work/other"
    program(other / "bin/run")
    write(other / "package.json", "{}")
    write(other / ".env", "SECRET=1")
    venv = environment(home / "cache/venv", Path("/usr/bin/python3"))
    (venv / "bin/node").symlink_to(other / "bin/run")
    assert not shows(find_tools(root, python=venv), other)


def test_cache_that_is_the_home_is_not_shown(home: Path, root: Path) -> None:
    """GOMODCACHE, RUSTUP_HOME: _show_caches does not use _may_show."""
    assert not shows(find_tools(root, GOMODCACHE=str(home)), home)


def test_version_file_of_pyenv_with_other_bytes_is_ignored(home: Path, root: Path) -> None:
    """UnicodeDecodeError: a hostile repository makes every sandbox crash."""
    (root / ".python-version").write_bytes(b"\xff")
    assert find_tools(root).shown == {}
