"""What works if an image cannot be pulled."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from aci.docker.docker_daemon import OTHER_WORKSPACE, connect
from aci.docker.image_availability import alternatives, registry_error


def daemon_with(*tags: list[str] | None) -> Any:
    """Return a daemon with images of these tags."""
    api = SimpleNamespace(images=lambda: [{"RepoTags": each} for each in tags])
    return SimpleNamespace(client=SimpleNamespace(api=api))


def test_present_images_of_the_same_name_come_first() -> None:
    daemon = daemon_with(["debian:12"], ["my/python:old", "my/python:latest"], None, ["a:1"], ["b:1"])
    fix = alternatives(daemon, "registry.example/python:3.14")
    assert fix.startswith("Without a registry: --image my/python:latest (or a:1, b:1), which is present; --workspace ")
    assert OTHER_WORKSPACE in fix


def test_images_of_runs_are_not_proposed() -> None:
    daemon = daemon_with(["swe-agent-base/0a1b:latest"], ["swe-agent-environment/0a1b:latest"], ["<none>:<none>"])
    assert alternatives(daemon, "python:3.14").startswith("Without a registry: --workspace ")


@pytest.mark.docker
def test_registry_that_does_not_answer_is_reported() -> None:
    daemon = connect()
    try:
        assert "localhost:1" in registry_error(daemon, "localhost:1/python:3.14")
    finally:
        daemon.rest()
