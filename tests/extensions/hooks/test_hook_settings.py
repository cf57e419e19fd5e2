"""Hooks are set by the user and the administrator, and by no one else."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.config import settings as settings_module
from agent.config.settings import load_settings
from agent.config.user_config import change
from tests.extensions.hooks.conftest import write_hooks
from trajectories.errors import ConfigError, UsageError


def test_repository_cannot_set_hooks() -> None:
    with pytest.raises(ConfigError, match="sets hooks; it may set only image, setup, test and serve"):
        load_settings(b'[[hooks.session_start]]\ncommand = ["/bin/true"]\n')


@pytest.mark.parametrize(
    ("policy", "names"),
    [("", ["mine"]), ("[hooks]\n", []), ('[[hooks.patch]]\ncommand = ["/bin/theirs"]\n', ["theirs"])],
)
def test_policy_forbids_or_sets_hooks(
    own_config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, policy: str, names: list[str]
) -> None:
    write_hooks(own_config, session_start="/bin/mine")
    (tmp_path / "policy.toml").write_text(policy)
    monkeypatch.setattr(settings_module, "POLICY", tmp_path / "policy.toml")
    assert [hook.name for hook in load_settings().hooks.all] == names


@pytest.mark.parametrize(
    "text",
    [
        '[[hooks.before_tool]]\ncommand = ["/bin/true"]\n',
        '[[hooks.patch]]\ncommand = "true"\n',
        '[[hooks.patch]]\ncommand = ["./true"]\n',
        '[[hooks.patch]]\ncommand = ["/bin/true"]\ntimeout = 0\n',
        '[[hooks.patch]]\ncommand = ["/bin/true"]\nshell = true\n',
        "hooks = 1\n",
    ],
)
def test_bad_hooks_are_a_configuration_error(own_config: Path, text: str) -> None:
    own_config.write_text(text)
    with pytest.raises(ConfigError, match="Invalid value for hooks"):
        load_settings()


@pytest.mark.parametrize("name", ["hooks", "permissions"])
def test_table_is_not_set_on_the_command_line(own_config: Path, name: str) -> None:
    with pytest.raises(UsageError, match=f"{name} is a table, which this command cannot set"):
        change(name, "x")
    assert not own_config.exists()
