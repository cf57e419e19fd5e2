"""`--disk-limit` as a process: images are pulled for their instances and removed afterwards."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator

import pytest

from tests.conftest import IMAGE
from tests.e2e.batch_setup import ADD_TEST, FIX, Batcher
from tests.e2e.conftest import Machine, answer, call
from tests.extensions.lab.instances.image_registry import Registry

pytestmark = [pytest.mark.docker, pytest.mark.slow, pytest.mark.timeout(300)]


def docker(*arguments: str) -> str:
    return subprocess.run(["docker", *arguments], check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def registry() -> Iterator[Registry]:
    with Registry() as registry:
        yield registry
        for name in docker("images", "--format", "{{.Repository}}:{{.Tag}}").splitlines():
            if name.startswith(registry.address):
                docker("rmi", "-f", name)


def test_images_are_pulled_once_and_removed_after_use(machine: Machine, tmp_path, registry: Registry) -> None:
    """With two instances per image and almost no disk, each image is pulled once and then removed."""
    machine.workspace = "docker"
    machine.extra["SWE_AGENT_RETRY_WAIT"] = "0"
    files = tmp_path / "rootfs.tar"
    container = docker("create", IMAGE, "true")
    try:
        docker("export", "-o", str(files), container)
    finally:
        docker("rm", container)
    names = [registry.add(f"us/room-{n}", files.read_bytes(), f"{tmp_path}") for n in range(2)]
    batcher = Batcher(machine, tmp_path, count=4)
    batcher.write_rows(*(batcher.row(n, image_name=names[n % 2]) for n in range(4)))
    model = machine.script(answer("Both.", ADD_TEST, FIX, call("submit")))
    report = machine.json(*batcher.arguments(model, "--workers", 1, "--disk-limit", "1k"), timeout=250)
    assert (report["returncode"], report["exits"]) == (0, {"plausible": 4}), report
    assert [result["instance"][-1] for result in batcher.results()] == ["0", "2", "1", "3"]
    assert registry.pulled == ["us/room-0", "us/room-1"]
    local_images = docker("images", "--format", "{{.Repository}}:{{.Tag}}").splitlines()
    assert not set(names) & set(local_images)
    assert set(json.loads((batcher.out / "manifest.json").read_text())["images"]) >= set(names)
