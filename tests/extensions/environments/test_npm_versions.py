"""Versions that npm's registry no longer has, and a newer Node if the image's is too old."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from aci.environments.environment_plan import EnvironmentOptions
from extensions.environments.npm_versions import relax_command, unavailable_package
from extensions.environments.other_environments import node
from extensions.environments.setup_repairs import REBUILD, Failure, find_repair

TARBALL = """\
npm ERR! code E404
npm ERR! 404 Not Found - GET https://registry.npmjs.org/top-sites/-/top-sites-1.1.225.tgz
npm ERR! 404
npm ERR! 404  'top-sites@https://registry.npmjs.org/top-sites/-/top-sites-1.1.225.tgz' is not in this registry.
"""
VERSION = "npm error code ETARGET\nnpm error notarget No matching version found for @scope/left-pad@9.9.9.\n"


@pytest.mark.parametrize(
    ("output", "package"),
    [
        (TARBALL, "top-sites"),
        (VERSION, "@scope/left-pad"),
        ("npm error notarget No matching version found for --eval@1", ""),
        ("npm ERR! 404  'a;b@https://x/y.tgz' is not in this registry.", ""),
        ("all is well", ""),
    ],
)
def test_unavailable_package_is_found_in_output(output: str, package: str) -> None:
    assert unavailable_package(output) == package


def test_version_is_relaxed_first_and_lock_ignored_second() -> None:
    relaxing = find_repair(Failure("cd web && npm ci --no-audit", TARBALL))
    assert relaxing
    assert relaxing.again == "cd web && npm install --no-audit --no-fund"
    assert relaxing.first[0].startswith("cd web && node -e ")
    assert relaxing.first[0].endswith(" top-sites")
    unlocked = find_repair(Failure("npm ci --no-audit", TARBALL), [relaxing.what])
    assert unlocked
    assert "--no-package-lock" in unlocked.again
    assert find_repair(Failure("npm test", TARBALL)) is None


def relax(folder: Path, name: str, manifest: dict[str, Any], lock: dict[str, Any] | None = None) -> list[Any]:
    files = [folder / file for file in ("package.json", "package-lock.json")][: 2 if lock else 1]
    for file, value in zip(files, (manifest, lock), strict=False):
        file.write_text(json.dumps(value))
    subprocess.run(relax_command(name), shell=True, cwd=folder, check=True)
    return [json.loads(file.read_text()) for file in files]


needs_node = pytest.mark.skipif(not shutil.which("node"), reason="node is not installed")


@needs_node
def test_only_unavailable_package_is_relaxed(tmp_path: Path) -> None:
    manifest = {"name": "x", "dependencies": {"a": "1.0.0"}, "devDependencies": {"b": "2.0.0"}}
    paths = ("node_modules/a", "node_modules/b", "node_modules/a/node_modules/b")
    entries = {"": manifest, **{path: {"version": "1.9.0"} for path in paths}}
    package, lock = relax(tmp_path, "b", manifest, {"packages": entries})
    assert package == {**manifest, "devDependencies": {"b": "*"}}
    assert set(lock["packages"]) == {"", "node_modules/a"}
    assert lock["packages"][""]["devDependencies"] == {"b": "*"}
    assert lock["packages"][""]["dependencies"] == {"a": "1.0.0"}


@needs_node
def test_indirect_dependency_is_overridden(tmp_path: Path) -> None:
    (package,) = relax(tmp_path, "deep", {"dependencies": {"a": "1"}, "overrides": {"c": "3"}})
    assert package == {"dependencies": {"a": "1"}, "overrides": {"c": "3", "deep": "*"}}


@pytest.mark.parametrize(
    ("engines", "release"), [(">=22", "22"), ("^20.19.0 || >=22.12.0", "20"), (">=18", ""), ("^16", ""), ("", "")]
)
def test_newer_node_is_fetched_if_version_of_image_is_too_old(engines: str, release: str) -> None:
    manifest = json.dumps({"engines": {"node": engines}} if engines else {})
    plan = node({"package.json": manifest.encode()}, EnvironmentOptions(images={"node": "old-node"}))
    assert plan
    assert len(plan.setup) == (2 if release else 1)
    assert plan.paths == (("/opt/swe-agent/node/bin",) if release else ())
    if release:
        assert plan.setup[0].optional
        assert f"-ge {release} ]" in plan.setup[0].text
        assert f"@{release} npm@10" in plan.setup[0].text


def test_failing_install_script_of_repository_is_skipped() -> None:
    output = (
        "npm error code 1\nnpm error path /workspace/repo\nnpm error command failed\nnpm error command sh -c husky\n"
    )
    repair = find_repair(Failure("cd web && npm install --no-fund", output.replace("repo", "repo/web")))
    assert repair is None
    repair = find_repair(Failure("npm install --no-fund", output))
    assert repair
    assert repair.again == f"npm install --no-fund --ignore-scripts && {REBUILD}"
