"""Services in the user's config: changed by commands and read as settings."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from aci.runtime.workspace import Service
from agent.config.environment_options import services
from agent.config.settings import load_settings
from agent.config.user_config import change, remove
from trajectories.errors import ConfigError, UsageError


def test_service_is_configured_by_commands(own_config: Path) -> None:
    change("services.postgres.image", "postgres:16")
    change("services.postgres.env.POSTGRES_PASSWORD", "test")
    change("services.postgres.variables.DATABASE_URL", "postgres://localhost/")
    change("services.postgres.ready", "pg_isready -h 127.0.0.1")
    change("services.postgres.ports", "5432, 5433")
    change("services.postgres.seconds", "90")
    assert services(load_settings(), "shop") == (
        Service(
            "postgres",
            "postgres:16",
            env={"POSTGRES_PASSWORD": "test"},
            variables={"DATABASE_URL": "postgres://localhost/"},
            ready="pg_isready -h 127.0.0.1",
            ports=(5432, 5433),
            seconds=90.0,
        ),
    )
    remove("services.postgres.env.POSTGRES_PASSWORD")
    assert not tomllib.loads(own_config.read_text())["services"]["postgres"].get("env")
    remove("services.postgres")
    assert services(load_settings(), "shop") == ()


def test_service_can_be_limited_to_repositories(own_config: Path) -> None:
    change("services.redis.image", "redis")
    change("services.redis.repositories", "shop,till")
    assert len(services(load_settings(), "till")) == 1
    assert services(load_settings(), "other") == ()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("services", "postgres"),
        ("services.postgres", "postgres:16"),
        ("services.postgres.command", "before-its-image"),
        ("services.postgres.volumes", "/:/host"),
        ("services.postgres.privileged", "true"),
        ("services.postgres.env", "A=B"),
        ("services.postgres.env.", "B"),
        ("services.postgres.image.more", "x"),
        ("services.", "x"),
    ],
)
def test_invalid_service_setting_writes_no_file(own_config: Path, name: str, value: str) -> None:
    with pytest.raises(UsageError):
        change(name, value)
    assert not own_config.exists()


def test_repository_file_cannot_add_services() -> None:
    with pytest.raises(ConfigError, match="sets services"):
        load_settings(b'[services.x]\nimage = "evil"\n')


@pytest.mark.parametrize("name", ["Bad_Name", '"a b"', "-a"])
def test_service_name_must_be_valid_host_name(own_config: Path, name: str) -> None:
    own_config.write_text(f'[services.{name}]\nimage = "x"\n')
    with pytest.raises(ConfigError, match="cannot name a service"):
        load_settings()
