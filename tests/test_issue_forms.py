"""Forms of issues on GitHub: fields that GitHub accepts, and commands that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from agent.cli.command_line import run

ROOT = Path(__file__).resolve().parent.parent
FORMS = sorted(set((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml")) - {ROOT / ".github/ISSUE_TEMPLATE/config.yml"})


@pytest.mark.parametrize("form", FORMS, ids=lambda path: path.stem)
def test_form_has_fields_with_names(form: Path) -> None:
    content = yaml.safe_load(form.read_text("utf-8"))
    assert content.keys() >= {"name", "description", "body"}
    assert {field["type"] for field in content["body"]} <= {"textarea", "input", "dropdown", "checkboxes"}
    names = [field["id"] for field in content["body"]]
    assert len(names) == len(set(names))
    assert all(field["attributes"]["label"] for field in content["body"])


def test_commands_in_forms_exist(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    texts = "".join(form.read_text("utf-8") for form in FORMS)
    commands = re.findall(r"`swe-agent ([a-z]\w*)([^`]*)`", texts)
    assert len(commands) == 3
    for name, arguments in commands:
        assert run([name, "--help"]) == 0
        shown = capfd.readouterr().out
        assert all(option in shown for option in re.findall(r"--[a-z-]+", arguments))
