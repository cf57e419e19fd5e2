"""`[session]` of the user's config: read, checked, set; no part of a run."""

import subprocess
import sys

import pytest

from agent.config.session_preferences import Preferences, load_preferences
from agent.config.settings import load_settings
from agent.config.user_config import change, remove
from trajectories.errors import ConfigError, UsageError


def test_defaults_and_what_user_set(own_config):
    assert load_preferences() == Preferences()
    own_config.write_text('[session]\ntheme = "dracula"\nmouse = false\n')
    assert load_preferences() == Preferences(theme="dracula", mouse=False)
    assert load_preferences(screen="inline").screen == "inline"
    assert "theme" not in load_settings().recorded()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[session]\nscreen = "tiny"\n', "session.screen in .* 'tiny' is not one of auto, full, inline"),
        ('[session]\nmouse = "no"\n', "neither true nor false"),
        ("[session]\ncolour = 1\n", "sets session.colour, which does not exist"),
        ("session = 1\n", "is not a table"),
    ],
)
def test_what_cannot_be_used_is_named(own_config, text, said):
    own_config.write_text(text)
    with pytest.raises(ConfigError, match=said):
        load_preferences()


def test_file_that_cannot_be_read_is_for_settings_to_tell(own_config):
    own_config.write_text("[")
    assert load_preferences() == Preferences()
    with pytest.raises(UsageError, match="--screen"):
        load_preferences(screen="tiny")


def test_set_and_unset(own_config):
    assert change("session.mouse", "off") is False
    assert change("session.theme", "nord") == "nord"
    assert load_preferences() == Preferences(theme="nord", mouse=False)
    remove("session.mouse")
    assert load_preferences().mouse
    for name, value in (("session.screen", "tiny"), ("session.mouse", "maybe"), ("session.x", "1"), ("session", "1")):
        with pytest.raises(UsageError):
            change(name, value)


def test_it_imports_nothing_that_is_slow():
    code = "import agent.config.session_preferences, sys; print({'pydantic', 'textual', 'litellm'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"
