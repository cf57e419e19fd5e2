"""Gradings in a sandbox use the Python that runs the tests, which has pytest: set-up would need the network."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def python_of_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("extensions.lab.evaluation.grading_images.set_up_environment", lambda place, *_: place)
