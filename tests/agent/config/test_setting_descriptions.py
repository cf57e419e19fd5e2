"""Every setting has one short description."""

from __future__ import annotations

from agent.config.session_preferences import NAMES, TABLE
from agent.config.setting_descriptions import SECTIONS
from agent.config.settings import Settings

WIDTH = 46
"""The width of a description that fits on a line of 80 columns, beside name and value."""


def test_each_setting_is_described_once_in_one_line() -> None:
    described = [name for section in SECTIONS.values() for name in section]
    settings = [*(Settings.model_fields.keys() - {"models"}), *(f"{TABLE}.{name}" for name in NAMES)]
    assert sorted(described) == sorted(settings)
    texts = [text for section in SECTIONS.values() for text in section.values()]
    assert [text for text in texts if len(text) > WIDTH or not text.endswith(".")] == []
