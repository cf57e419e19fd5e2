"""Environments on this machine: what would be used, listing and pruning."""

from __future__ import annotations

import os
import shutil
import sys
import time
from pathlib import Path

import pytest

from aci.environments.environment_records import READY
from aci.repository.disk_cache import cache_folder
from extensions.environments.host_environment import FILES
from extensions.environments.host_environment_store import (
    describe_host_environment,
    list_host_environments,
    prune_host_environments,
)
from tests.extensions.environments.test_host_environment import PYTHON, SETTINGS, MakeOptions, make_options

__all__ = ["make_options"]


@pytest.fixture
def environments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Environments last used `days` days ago for each name; one more is not complete."""
    monkeypatch.setenv("SWE_AGENT_CACHE", str(tmp_path / "cache"))
    parent = cache_folder() / "host-environments"
    for name, days in (("today", 0), ("new", 2), ("old", 40), ("older", 50)):
        (parent / name / FILES).mkdir(parents=True)
        (parent / name / FILES / "big").write_bytes(b"x" * 1000)
        ready = parent / name / READY
        ready.write_text(f'{{"repository": "shop-{name}", "setup": "a"}}' if name != "older" else "")
        os.utime(ready, (time.time() - days * 86400,) * 2)
    (parent / "incomplete" / FILES).mkdir(parents=True)


def names() -> list[str]:
    return [one.key for one in list_host_environments()]


@pytest.mark.usefixtures("environments")
def test_complete_environments_are_listed_last_used_first() -> None:
    found = list_host_environments()
    assert [one.key for one in found] == ["today", "new", "old", "older"]
    assert [one.about["repository"] for one in found] == ["shop-today", "shop-new", "shop-old", ""]
    assert all(1000 <= one.size < 2000 for one in found)


@pytest.mark.usefixtures("environments")
@pytest.mark.parametrize(
    ("keep", "days", "left"),
    [
        (10, 30, ["today", "new"]),
        (10, 45, ["today", "new", "old"]),
        (1, 100, ["today"]),
        (0, 30, ["today"]),  # a session may use it
        (0, 0, []),
    ],
)
def test_old_environments_are_pruned(keep: int, days: float, left: list[str]) -> None:
    before = names()
    assert [one.key for one in prune_host_environments(keep, days)] == before[len(left) :]
    assert names() == left


def test_plan_names_python_of_this_machine(make_options: MakeOptions) -> None:
    plan = describe_host_environment(make_options(PYTHON), SETTINGS, "sandbox")
    assert plan.image == ""
    assert plan.reasons[0].startswith(f"The Python of this machine is used: {shutil.which('python3')}")
    assert plan.reasons[1].startswith(f"It would be set up in {cache_folder()}")
    assert plan.setup[0].text.startswith(f"python3 -m venv {cache_folder()}")


def test_own_environment_of_project_is_named(make_options: MakeOptions) -> None:
    options = make_options({**PYTHON, ".gitignore": ".venv\n"})
    venv = options.repository.root / ".venv"
    (venv / "bin").mkdir(parents=True)
    (venv / "bin/python").symlink_to(sys.executable)
    (venv / "pyvenv.cfg").touch()
    plan = describe_host_environment(options, SETTINGS, "sandbox")
    assert not plan.built
    assert str(venv) in plan.reasons[0]


@pytest.mark.parametrize("files", [{"package.json": "{}"}, {"README": ""}])
def test_other_projects_use_programs_of_this_machine(make_options: MakeOptions, files: dict[str, str]) -> None:
    plan = describe_host_environment(make_options(files), SETTINGS, "sandbox")
    assert not plan.built
    assert plan.reasons == ("The programs of this machine are used, with the packages that they have.",)
