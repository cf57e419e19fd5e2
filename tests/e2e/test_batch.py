"""`swe-agent batch` from the outside: what a user gets, and gets again when it is started again."""

from __future__ import annotations

import json

import pytest

from tests.e2e.batching import Batcher, solving
from tests.e2e.conftest import Machine


@pytest.fixture
def batcher(machine: Machine, tmp_path) -> Batcher:
    machine.extra |= {"SWE_AGENT_RETRY_WAIT": "0"}
    return Batcher(machine, tmp_path)


def test_two_instances_end_verified_and_their_predictions_are_those_of_swe_bench(batcher, machine):
    told = batcher.run(solving(machine))
    assert (told["returncode"], told["exits"], told["verified"]) == (0, {"verified": 2}, 2), told
    assert (told["instances"], told["done"], told["left"]) == (2, 2, 0)
    assert told["dollars"] == pytest.approx(0.0004)
    assert {prediction["instance_id"] for prediction in batcher.predictions()} == {"people__calc-0", "people__calc-1"}
    for prediction in batcher.predictions():
        assert set(prediction) == {"instance_id", "model_name_or_path", "model_patch"}
        assert "return a + b" in prediction["model_patch"]
        assert "tests/" not in prediction["model_patch"], "the source part only"
    assert json.loads((batcher.out / "preds.json").read_text()).keys() == {"people__calc-0", "people__calc-1"}
    again = batcher.run(solving(machine))
    assert (again["returncode"], again["done"], again["dollars"]) == (0, 2, told["dollars"])
    assert len(batcher.results()) == 2
