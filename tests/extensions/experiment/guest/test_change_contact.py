"""Contact of tests with a patch, as found inside the workspace."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from extensions.experiment.guest.change_contact import run_contact

NAME = "tests/test_a.py::test_a"


class Passing:
    def run(self):
        return "passed", None


@pytest.mark.parametrize(("loaded", "elsewhere"), [({NAME: Passing()}, False), ({}, True)])
def test_test_that_cannot_be_loaded_may_run_more_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, loaded: dict, elsewhere: bool
) -> None:
    monkeypatch.setattr("extensions.experiment.guest.change_contact.SPAWNED", ())  # other tests may have loaded these
    spec = {"files": ["a.py"], "tests": [NAME]}
    job = SimpleNamespace(editor=SimpleNamespace(root=str(tmp_path)), spec=spec, tests=loaded, left=lambda: 20.0)
    found = run_contact(job)
    assert (found["lines"], found["functions"], found["elsewhere"]) == ({"a.py": []}, [], elsewhere)
