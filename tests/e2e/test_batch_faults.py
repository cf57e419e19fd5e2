"""A batch with a faulty provider: no instance is lost, and costs are exact."""

from __future__ import annotations

import random
import re
from collections import Counter, defaultdict
from typing import Any

import pytest

from tests.e2e.batch_setup import Batcher
from tests.e2e.conftest import Machine
from tests.e2e.kill_runner import MODEL, account
from tests.e2e.provider_user import ADD_TEST, FIX, KEY, KEY_IN, LOOK, SUBMIT
from tests.endpoint import Answer, Endpoint, Request, Tokens
from tests.sampling import SEED
from trajectories.journal import read

pytestmark = pytest.mark.slow

LONG_TEXT = "x" * 300
USAGE = Tokens(input=1000, output=50)
PRICE = (1.0, 5.0)
FAULTS = {
    "429": Answer(status=429),
    "429, wait": Answer(status=429, headers={"Retry-After": "0.3"}),
    "500": Answer(status=500),
    "502": Answer(status=502),
    "503": Answer(status=503, headers={"Retry-After": "0.2"}),
    "529": Answer(status=529),
    "half a stream": Answer(text=LONG_TEXT, cut=2),
    "a stream that says so": Answer(text=LONG_TEXT, cut=2, then="error"),
    "a stream that ends": Answer(text=LONG_TEXT, cut=2, then="end"),
    "a stream that hangs": Answer(text=LONG_TEXT, cut=2, then="hang"),
    "no answer": Answer(drop=True),
    "wrong JSON": Answer(raw=b'{"choices": [{"mess'),
    "a web page": Answer(raw=b"<html>busy</html>"),
    "silence": Answer(hang=True),
    "content filter": Answer(text="I cannot", finish="content_filter", usage=USAGE),
    "too long": Answer(status=400, error="This model's maximum context length is 8192 tokens."),
}
REFUSED = {"429", "429, wait", "500", "503", "529", "too long"}
"""Refusals by the provider, which are not charged."""
FINAL = {"content filter", "too long"}
"""Faults after which this conversation cannot continue."""


class FaultyProvider:
    """Solves a calculator in three replies; a share of each ten requests fails.

    No kind of fault is repeated before all kinds occurred.
    """

    def __init__(self, share: float) -> None:
        self._rng, self._share, self._next = random.Random(SEED), share, list[str]()
        self._decile = list[int]()
        self.outcomes: dict[str, list[str]] = defaultdict(list)
        """For each instance, the faults of its requests in order; "" for none."""

    def __call__(self, request: Request) -> Answer:
        match = re.search(rb"This is issue (\d+)\.", request.data)
        assert match
        fault = self._fault()
        self.outcomes[f"people__calc-{int(match[1])}"].append(fault)
        if fault:
            return FAULTS[fault]
        actions = [[LOOK], [("view", {"path": "calc/text.py"})], [ADD_TEST, FIX, SUBMIT]][min(request.turns, 2)]
        return Answer(text="So.", actions=actions, usage=USAGE)

    def _fault(self) -> str:
        if not self._decile:
            self._decile = self._rng.sample(range(10), 10)
        if self._decile.pop() >= self._share * 10:
            return ""
        if not self._next:
            self._next = self._rng.sample(list(FAULTS), len(FAULTS))
        return self._next.pop()


def write_model_config(machine: Machine, endpoint: Endpoint, **environment: Any) -> None:
    """Write a configuration with the model at the endpoint."""
    lines = [f'api_base = "{endpoint.openai}"', f'key_env = "{KEY_IN}"', "max_output = 1000"]
    lines += [f"price_in = {PRICE[0]}", f"price_out = {PRICE[1]}"]
    (machine.home / "config.toml").write_text(f'[models."{MODEL}"]\n' + "\n".join(lines) + "\n")
    machine.extra |= {KEY_IN: KEY, "SWE_AGENT_RETRY_WAIT": "0", **environment}


def charged_dollars(batcher: Batcher, run: str, outcomes: list[str]) -> float:
    """The charges for a run with these outcomes; a request of unknown cost counts with its hold."""
    trajectory = read(batcher.out / "runs" / run)
    holds = list(trajectory.holds.values())
    assert len(holds) == len(outcomes), "each request has exactly one hold"
    usage = (USAGE.input * PRICE[0] + USAGE.output * PRICE[1]) / 10**6
    charged = 0.0
    for hold, fault in zip(holds, outcomes, strict=True):
        assert hold.dollars is not None
        assert usage < hold.dollars
        charged += 0.0 if fault in REFUSED else usage if fault in ("", "content filter") else hold.dollars
    return charged


@pytest.mark.slow
@pytest.mark.timeout(500)
def test_faulty_provider_loses_no_instance_and_no_money(machine: Machine, tmp_path) -> None:
    batcher = Batcher(machine, tmp_path, count=12)
    provider = FaultyProvider(0.3)
    with Endpoint(provider) as endpoint:
        write_model_config(machine, endpoint, SWE_AGENT_FIRST_TIMEOUT="2", SWE_AGENT_MODEL_TIMEOUT="2")
        report = batcher.machine.json(
            *batcher.arguments(MODEL, "--workers", 4, "--budget", 0.5, "--total", 7, "--workspace", "local"),
            timeout=500,
        )
    assert (report["returncode"], report["done"], report["left"]) == (0, 12, 0), report
    results = {result["instance"]: result for result in batcher.results()}
    assert len(results) == len(batcher.results()) == len(batcher.predictions()) == 12
    fault_counts = Counter(fault for each in provider.outcomes.values() for fault in each if fault)
    assert fault_counts.total() >= 10, "the seed gave too few faults"
    for id, outcomes in provider.outcomes.items():
        result = results[id]
        money = account(batcher.out / "runs" / id)
        assert money["in flight"] == 0
        assert result["calls"] == len(outcomes)
        assert result["dollars"] == pytest.approx(money["settled"], abs=1e-12)
        assert result["dollars"] == pytest.approx(charged_dollars(batcher, id, outcomes), abs=1e-9), outcomes
        if FINAL & set(outcomes):
            assert (result["kind"], bool(result["error"])) == ("error", True), result
        else:
            assert result["kind"] == "plausible", (result, outcomes)
    assert report["dollars"] == pytest.approx(sum(result["dollars"] for result in results.values()), abs=1e-9)


def test_batch_stops_at_long_refusal_and_can_be_continued(machine: Machine, tmp_path) -> None:
    batcher = Batcher(machine, tmp_path, count=4)
    with Endpoint(lambda request: Answer(status=429, headers={"Retry-After": "3600"})) as endpoint:
        write_model_config(machine, endpoint)
        result = batcher.run(MODEL, "--workers", 2, "--workspace", "local")
        assert (result["returncode"], result["done"], result["left"], result["dollars"]) == (75, 0, 4, 0), result
        assert len(endpoint.requests) <= 2, "one refusal pauses all workers"
    provider = FaultyProvider(0.0)
    with Endpoint(provider) as endpoint:
        write_model_config(machine, endpoint)
        result = batcher.run(MODEL, "--workers", 2, "--workspace", "local")
    assert (result["returncode"], result["exits"]) == (0, {"plausible": 4}), result


def test_refusals_pause_batch_without_failures(machine: Machine, tmp_path) -> None:
    """There are more refusals than a run has attempts; they pause the whole batch."""
    batcher = Batcher(machine, tmp_path, count=3)
    provider, refusals = FaultyProvider(0.0), iter(range(15))

    def answer_or_refuse(request: Request) -> Answer:
        return provider(request) if next(refusals, None) is None else Answer(status=429)

    with Endpoint(answer_or_refuse) as endpoint:
        write_model_config(machine, endpoint)
        report = batcher.run(MODEL, "--workers", 3, "--workspace", "local")
    assert (report["returncode"], report["exits"]) == (0, {"plausible": 3}), report
    assert [result["tries"] for result in batcher.results()] == [1, 1, 1]
    assert sum(result["calls"] for result in batcher.results()) == 9 + 15


def test_batch_stops_if_provider_is_unreachable(machine: Machine, tmp_path) -> None:
    batcher = Batcher(machine, tmp_path, count=6)
    with Endpoint(FaultyProvider(0.0)) as endpoint:
        write_model_config(machine, endpoint)
    flags = ("--workers", 1, "--workspace", "local", "--retries", 0)
    result = batcher.run(MODEL, *flags)  # the endpoint is closed
    assert result["returncode"] in (5, 75), result
    assert (result["exits"], result["left"], result["done"]) == ({"infrastructure": 3}, 6, 0), result
    assert "3 instances in a row failed with the same error" in result["error"]["message"]
    assert batcher.predictions() == []
    with Endpoint(FaultyProvider(0.0)) as endpoint:
        write_model_config(machine, endpoint)
        result = batcher.run(MODEL, *flags)
    assert (result["returncode"], result["exits"], result["left"]) == (0, {"plausible": 6}, 0), result
    assert len(batcher.predictions()) == 6
    money = sum(
        account(batcher.out / "runs" / prediction["instance_id"])["settled"] for prediction in batcher.predictions()
    )
    assert result["dollars"] == pytest.approx(money, abs=1e-9)
