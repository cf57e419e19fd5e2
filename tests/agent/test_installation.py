"""How to add an extra: the advice repeats how this installation was made."""

from __future__ import annotations

import json
import shlex
import sys
from importlib.metadata import Distribution, PackageNotFoundError, PathDistribution
from pathlib import Path

import pytest

from agent import installation
from agent.installation import extra_advice

METADATA = "Metadata-Version: 2.1\nName: swe-agent\nVersion: 1\nRequires-Dist: mcp<3,>=2.3; extra == 'mcp'\n"
METADATA += 'Requires-Dist: ray>=2; extra == "ray"\nRequires-Dist: rich\n'
PIP = f"{shlex.quote(sys.executable)} -m pip install"


@pytest.fixture
def prefix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the environment that runs the program."""
    folder = tmp_path / "environment"
    folder.mkdir()
    monkeypatch.setattr(sys, "prefix", str(folder))
    return folder


def install(folder: Path, monkeypatch: pytest.MonkeyPatch, direct_url: object = None) -> None:
    """Make an installation of the program, with what the installer recorded about its source."""
    info = folder / "swe_agent-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(METADATA)
    if direct_url is not None:
        (info / "direct_url.json").write_text(json.dumps(direct_url))
    monkeypatch.setattr(installation, "distribution", lambda name: PathDistribution(info))


@pytest.mark.parametrize("name", ["clone", "my clone", "swe_agent-1-py3-none-any.whl"])
def test_folder_and_wheel_are_installed_again(
    name: str, prefix: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / name).mkdir()
    install(prefix, monkeypatch, {"url": (tmp_path / name).as_uri(), "dir_info": {}})
    assert extra_advice("mcp") == f"Run `{PIP} '{tmp_path / name}[mcp]'`."


def test_editable_installation_stays_editable(prefix: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(prefix, monkeypatch, {"url": tmp_path.as_uri(), "dir_info": {"editable": True}})
    assert extra_advice("ray") == f"Run `{PIP} --editable '{tmp_path}[ray]'`."


def test_commit_of_a_repository_is_kept(prefix: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    vcs = {"vcs": "git", "commit_id": "a" * 40}
    install(prefix, monkeypatch, {"url": "https://example.org/us/code.git", "vcs_info": vcs})
    place = f"git+https://example.org/us/code.git@{'a' * 40}"
    assert extra_advice("mcp") == f"Run `{PIP} 'swe-agent[mcp] @ {place}'`."


@pytest.mark.parametrize(
    ("marker", "command"),
    [("pipx_metadata.json", "pipx install --force"), ("uv-receipt.toml", "uv tool install --force")],
)
def test_installer_is_the_one_of_the_environment(
    marker: str, command: str, prefix: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (prefix / marker).touch()
    install(prefix, monkeypatch, {"url": tmp_path.as_uri(), "dir_info": {}})
    assert extra_advice("mcp") == f"Run `{command} '{tmp_path}[mcp]'`."


@pytest.mark.parametrize(
    "recorded", [None, {"url": "file:///removed/clone", "dir_info": {}}, {}, [], {"url": "x", "vcs_info": {"vcs": 1}}]
)
def test_unknown_source_is_not_replaced_by_a_name(
    recorded: object, prefix: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(prefix, monkeypatch, recorded)
    assert extra_advice("mcp") == f"Run `{PIP} 'mcp<3,>=2.3'`."
    (prefix / "pipx_metadata.json").touch()
    assert extra_advice("ray") == "Run `pipx inject swe-agent 'ray>=2'`."


def test_environment_without_pip_uses_uv(prefix: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(prefix, monkeypatch)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert extra_advice("ray") == f"Run `uv pip install --python {shlex.quote(sys.executable)} 'ray>=2'`."


def test_program_in_a_clone_is_installed_from_it(prefix: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> Distribution:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(installation, "distribution", missing)
    clone = Path(installation.__file__).resolve().parents[1]
    assert extra_advice("mcp") == f"Run `{PIP} --editable '{clone}[mcp]'`."
