"""Source of each environment option, as reported before set-up."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.config.environment_options import option_source
from agent.config.settings import REPOSITORY, load_settings

REPOSITORY_FILE = b'image = "theirs"\nsetup = "make"\n'


def test_option_in_repository_file_is_attributed_to_it() -> None:
    assert option_source(load_settings(REPOSITORY_FILE), REPOSITORY_FILE) == {"image": REPOSITORY, "setup": REPOSITORY}
    assert option_source(load_settings(), b"") == {}


def test_option_without_other_source_is_attributed_to_flag() -> None:
    assert option_source(load_settings(REPOSITORY_FILE, image="mine"), REPOSITORY_FILE) == {
        "image": "--image",
        "setup": REPOSITORY,
    }
    assert option_source(load_settings(image="mine"), b"\xff no toml") == {"image": "--image"}


def test_users_file_and_environment_are_reported_as_sources(own_config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own_config.write_text('image = "mine"\n')
    assert option_source(load_settings(REPOSITORY_FILE), REPOSITORY_FILE) == {
        "image": str(own_config),
        "setup": REPOSITORY,
    }
    monkeypatch.setenv("SWE_AGENT_SETUP", "true")
    assert option_source(load_settings(REPOSITORY_FILE), REPOSITORY_FILE) == {
        "image": str(own_config),
        "setup": "$SWE_AGENT_SETUP",
    }
    recorded = load_settings(REPOSITORY_FILE)
    own_config.write_text('image = "another since"\n')
    assert option_source(recorded, REPOSITORY_FILE)["image"] == "--image", (
        "the user's file may have changed since the resumed run was recorded"
    )
