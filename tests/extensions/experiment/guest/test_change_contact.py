"""Contact of tests with a patch, as found inside the workspace."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from extensions.experiment.guest.change_contact import run_contact

NAME = "tests/test_a.py::test_a"


class Ending:
    """A test with this outcome."""

    def __init__(self, outcome: str) -> None:
        self._outcome = outcome

    def run(self):
        return self._outcome, None


@pytest.mark.parametrize(
    ("loaded", "unseen"),
    [
        ({NAME: Ending("passed")}, False),
        ({NAME: Ending("failed")}, False),
        ({NAME: Ending("skipped")}, True),
        ({}, True),
    ],
)
def test_test_that_is_skipped_or_not_loaded_is_unseen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, loaded: dict, unseen: bool
) -> None:
    monkeypatch.setattr("extensions.experiment.guest.change_contact.SPAWNED", ())  # other tests may have loaded these
    spec = {"files": ["a.py"], "tests": [NAME]}
    job = SimpleNamespace(editor=SimpleNamespace(root=str(tmp_path)), spec=spec, tests=loaded, left=lambda: 20.0)
    found = run_contact(job)
    assert (found["lines"], found["functions"], found["unseen"]) == ({"a.py": []}, [], unseen)
