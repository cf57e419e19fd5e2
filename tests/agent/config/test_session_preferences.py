"""`[session]` in the user's config: reading, validation and changes; a run does not record it."""

import subprocess
import sys

import pytest

from agent.config.session_preferences import Preferences, load_preferences
from agent.config.settings import load_settings
from agent.config.user_config import change, remove
from trajectories.errors import ConfigError, UsageError


def test_user_config_overrides_default_preferences(own_config):
    assert load_preferences() == Preferences()
    own_config.write_text('[session]\ntheme = "dracula"\nmouse = false\n')
    assert load_preferences() == Preferences(theme="dracula", mouse=False)
    assert load_preferences(screen="inline").screen == "inline"
    assert "theme" not in load_settings().recorded()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[session]\nscreen = "tiny"\n', "session.screen in .* 'tiny' is not one of auto, full, inline"),
        ('[session]\nmouse = "no"\n', "neither true nor false"),
        ("[session]\ncolour = 1\n", "sets session.colour, which does not exist"),
        ("session = 1\n", "is not a table"),
    ],
)
def test_invalid_preference_is_named(own_config, text, message):
    own_config.write_text(text)
    with pytest.raises(ConfigError, match=message):
        load_preferences()


def test_unreadable_config_gives_default_preferences(own_config):
    own_config.write_text("[")
    assert load_preferences() == Preferences()
    with pytest.raises(UsageError, match="--screen"):
        load_preferences(screen="tiny")


def test_preferences_can_be_set_and_unset(own_config):
    assert change("session.mouse", "off") is False
    assert change("session.theme", "nord") == "nord"
    assert load_preferences() == Preferences(theme="nord", mouse=False)
    remove("session.mouse")
    assert load_preferences().mouse
    for name, value in (("session.screen", "tiny"), ("session.mouse", "maybe"), ("session.x", "1"), ("session", "1")):
        with pytest.raises(UsageError):
            change(name, value)


def test_module_imports_no_slow_packages():
    code = "import agent.config.session_preferences, sys; print({'pydantic', 'textual', 'litellm'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"
