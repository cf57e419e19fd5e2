"""What settings refuse of a repository's own file, and of sizes and commands that nothing could run with."""

from pathlib import Path

import pytest

from agent.config.settings import load_settings
from agent.config.user_config import change
from agent.engine.engine import secrets_of_services
from trajectories.errors import ConfigError, UsageError


@pytest.fixture(autouse=True)
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SWE_AGENT_CONFIG", str(tmp_path / "config.toml"))
    monkeypatch.delenv("SWE_AGENT_IMAGE", raising=False)


@pytest.mark.parametrize("image", ["10.1.2.3:5000/x", "router.lan/x", "localhost/x"])
def test_image_that_repository_names_is_of_public_registry(image: str) -> None:
    theirs = f'image = "{image}"'.encode()
    with pytest.raises(ConfigError, match="public"):
        load_settings(theirs)
    assert load_settings(theirs, image="mine.lan/y").image == "mine.lan/y"
    change("image", image)
    assert load_settings(theirs).image == image


def test_image_of_this_machine() -> None:
    assert load_settings(b'image = "swe-agent-base:latest"').image == "swe-agent-base:latest"


def test_file_that_is_nested_without_end() -> None:
    with pytest.raises(ConfigError):
        load_settings(b"image = " + b"[" * 20_000)


@pytest.mark.parametrize("name", ["disk", "memory"])
@pytest.mark.parametrize("size", ["0", "5k", "15m"])
def test_sizes_that_nothing_runs_with(name: str, size: str) -> None:
    with pytest.raises(UsageError, match="16m"):
        change(name, size)
    assert change(name, "16m") == "16m"


def test_command_of_service_that_is_none() -> None:
    change("services.db.image", "postgres:16")
    with pytest.raises(UsageError, match="not a command"):
        change("services.db.command", "it's")
    assert change("services.db.command", "postgres -c 'a=b'")


def test_what_services_are_given_is_known_as_secret() -> None:
    change("services.db.image", "postgres:16")
    change("services.db.env.POSTGRES_PASSWORD", "a-long-password-of-this-test")
    assert secrets_of_services(load_settings()) == ("a-long-password-of-this-test",)
