"""Subcommands of extensions take arguments, words and variables as those of the core do."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.agent.cli.test_command_line import (
    assert_options_are_named,
    assert_surplus_argument_is_named,
    complete,
    make_run,
)
from tests.agent.config.test_environment_variables import assert_misspelt_variable_is_refused, isolated_config

__all__ = ["isolated_config"]


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [["runs"], ["doctor"]])
def test_misspelt_variable_ends_command_with_code_3(tmp_path: Path, arguments: list[str]) -> None:
    assert_misspelt_variable_is_refused(tmp_path, arguments)


@pytest.mark.parametrize("command", ["locate", "reproduce"])
def test_text_without_option_names_the_options_for_an_issue(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert_options_are_named(command, capsys)


@pytest.mark.parametrize("arguments", [["runs", "x"], ["doctor", "shop.py"]])
def test_other_surplus_argument_is_named(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert_surplus_argument_is_named(arguments, capsys)


def test_run_to_show_is_completed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    make_run(tmp_path, monkeypatch)
    assert complete("swe-agent show o", monkeypatch, capsys) == ["one"]
