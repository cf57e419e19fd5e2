"""Settings rejected from a repository's own file, and sizes and commands that cannot work."""

from pathlib import Path

import pytest

from agent.config.settings import load_settings
from agent.config.user_config import change
from agent.engine.engine import secrets_of_services
from trajectories.errors import ConfigError, UsageError


@pytest.fixture(autouse=True)
def isolated_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SWE_AGENT_CONFIG", str(tmp_path / "config.toml"))
    monkeypatch.delenv("SWE_AGENT_IMAGE", raising=False)


@pytest.mark.parametrize("image", ["10.1.2.3:5000/x", "router.lan/x", "localhost/x"])
def test_repository_image_must_be_in_public_registry(image: str) -> None:
    repository_file = f'image = "{image}"'.encode()
    with pytest.raises(ConfigError, match="public"):
        load_settings(repository_file)
    assert load_settings(repository_file, image="mine.lan/y").image == "mine.lan/y"
    change("image", image)
    assert load_settings(repository_file).image == image


def test_repository_may_name_local_base_image() -> None:
    assert load_settings(b'image = "swe-agent-base:latest"').image == "swe-agent-base:latest"


def test_deeply_nested_file_is_rejected() -> None:
    with pytest.raises(ConfigError):
        load_settings(b"image = " + b"[" * 20_000)


@pytest.mark.parametrize("name", ["disk", "memory"])
@pytest.mark.parametrize("size", ["0", "5k", "15m"])
def test_size_below_minimum_is_rejected(name: str, size: str) -> None:
    with pytest.raises(UsageError, match="16m"):
        change(name, size)
    assert change(name, "16m") == "16m"


def test_invalid_service_command_is_rejected() -> None:
    change("services.db.image", "postgres:16")
    with pytest.raises(UsageError, match="not a command"):
        change("services.db.command", "it's")
    assert change("services.db.command", "postgres -c 'a=b'")


def test_service_environment_values_are_secrets() -> None:
    change("services.db.image", "postgres:16")
    change("services.db.env.POSTGRES_PASSWORD", "a-long-password-of-this-test")
    assert secrets_of_services(load_settings()) == ("a-long-password-of-this-test",)
