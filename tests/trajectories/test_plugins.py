"""Plugins of other packages, found through entry points."""

from __future__ import annotations

import pytest

from trajectories.plugins import FORMER_PACKAGES, built_in_plugins, names


@pytest.mark.parametrize(
    ("package", "group"),
    [(package, group) for package, former in FORMER_PACKAGES.items() for group in (package, *former)],
)
def test_entry_point_is_found_in_current_and_former_group(package, group, tmp_path, monkeypatch):
    folder = tmp_path / f"{package}-{group}"  # entry points are cached by folder
    info = folder / "outsider-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: outsider\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[swe_agent.{group}]\nfar-away = outsider.far\n")
    monkeypatch.syspath_prepend(folder)
    assert names(package) == {**built_in_plugins(package), "far-away": "outsider.far"}
