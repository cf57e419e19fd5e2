"""Plugins of other packages, found through entry points."""

from __future__ import annotations

import sys

import pytest

from trajectories import plugins
from trajectories.plugins import FORMER_PACKAGES, built_in_plugins, find, missing_extension, names


@pytest.mark.parametrize(
    ("package", "group"),
    [
        ("trajectories.exports", "trajectories.exports"),  # a kind without a package
        *((package, group) for package, former in FORMER_PACKAGES.items() for group in (package, *former)),
    ],
)
def test_entry_point_is_found_in_current_and_former_group(package, group, tmp_path, monkeypatch):
    folder = tmp_path / f"{package}-{group}"  # entry points are cached by folder
    info = folder / "outsider-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: outsider\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[swe_agent.{group}]\nfar-away = outsider.far\n")
    before = names(package)
    monkeypatch.syspath_prepend(folder)
    assert names(package) == {**before, "far-away": "outsider.far"}


def test_extension_adds_plugins_and_replaces_none(tmp_path, monkeypatch):
    name = "extensions_of_a_test"
    own = tmp_path / name / "counting"
    for folder in (own / "exports", own / "runners"):
        folder.mkdir(parents=True)
    for folder in (own.parent, own, own / "exports", own / "runners"):
        (folder / "__init__.py").write_text("")
    kinds = {"trajectories.exports": "exports", "aci.runners": "runners"}
    (own / "__init__.py").write_text(f"PLUGINS = {kinds}\n")
    (own / "runners" / "python.py").write_text("")
    (own / "exports" / "far_away.py").write_text("export = 'found'\n")
    (own.parent / "notes").mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(plugins, "EXTENSIONS", name)
    monkeypatch.setattr(plugins, "extension_names", plugins.extension_names.__wrapped__)
    monkeypatch.setattr(plugins, "_extension_folders", plugins._extension_folders.__wrapped__)
    assert plugins.extension_names() == ("counting",)
    assert names("aci.runners")["python"] == "aci.runners.python"
    assert find("trajectories.exports", "far-away", "export", "export") == "found"
    assert names("tools") == built_in_plugins("tools")
    (own / "__init__.py").write_text("REQUIRES = ('measuring',)\n")
    monkeypatch.delitem(sys.modules, f"{name}.counting")
    assert plugins.extension_names() == ()
    sentence = "`swe-agent count` requires the extension measuring, which is not installed."
    assert str(missing_extension("`swe-agent count`", "counting")).startswith(sentence)
