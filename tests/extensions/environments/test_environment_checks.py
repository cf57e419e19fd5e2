"""What `doctor` says about the Python of a project for which an environment can be set up."""

from __future__ import annotations

import pytest

from aci.runtime import sandbox_availability
from extensions.housekeeping.workspace_checks import _python


def test_project_without_environment_gets_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox_availability, "sandbox_error", lambda: None)
    assert "gets one" in _python(None).found
