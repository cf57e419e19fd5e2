"""A provider at its worst: no instance of a batch is lost, and the batch_budget is exact to the request."""

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

SAID = "x" * 300
USAGE = Tokens(input=1000, output=50)
PRICE = (1.0, 5.0)
FAULTS = {
    "429": Answer(status=429),
    "429, wait": Answer(status=429, headers={"Retry-After": "0.3"}),
    "500": Answer(status=500),
    "502": Answer(status=502),
    "503": Answer(status=503, headers={"Retry-After": "0.2"}),
    "529": Answer(status=529),
    "half a stream": Answer(text=SAID, cut=2),
    "a stream that says so": Answer(text=SAID, cut=2, then="error"),
    "a stream that ends": Answer(text=SAID, cut=2, then="end"),
    "a stream that hangs": Answer(text=SAID, cut=2, then="hang"),
    "no answer": Answer(drop=True),
    "wrong JSON": Answer(raw=b'{"choices": [{"mess'),
    "a web page": Answer(raw=b"<html>busy</html>"),
    "silence": Answer(hang=True),
    "content filter": Answer(text="I cannot", finish="content_filter", usage=USAGE),
    "too long": Answer(status=400, error="This model's maximum context length is 8192 tokens."),
}
REFUSED = {"429", "429, wait", "500", "503", "529", "too long"}
"""An answer of the provider's own: it charges nothing."""
FINAL = {"content filter", "too long"}
"""What this conversation cannot get past."""


class Moody:
    """Solves a calculator in three replies, with a share of faults in each ten requests. No kind of fault comes twice
    before all came."""

    def __init__(self, share: float) -> None:
        self._dice, self._share, self._next = random.Random(SEED), share, list[str]()
        self._ten = list[int]()
        self.given: dict[str, list[str]] = defaultdict(list)
        """By instance what each of its requests got, in order."""

    def __call__(self, request: Request) -> Answer:
        found = re.search(rb"This is issue (\d+)\.", request.data)
        assert found
        fault = self._fault()
        self.given[f"people__calc-{int(found[1])}"].append(fault)
        if fault:
            return FAULTS[fault]
        actions = [[LOOK], [("view", {"path": "calc/text.py"})], [ADD_TEST, FIX, SUBMIT]][min(request.turns, 2)]
        return Answer(text="So.", actions=actions, usage=USAGE)

    def _fault(self) -> str:
        if not self._ten:
            self._ten = self._dice.sample(range(10), 10)
        if self._ten.pop() >= self._share * 10:
            return ""
        if not self._next:
            self._next = self._dice.sample(list(FAULTS), len(FAULTS))
        return self._next.pop()


def has(machine: Machine, endpoint: Endpoint, **more: Any) -> None:
    """The model at the endpoint is the user's."""
    lines = [f'api_base = "{endpoint.openai}"', f'key_env = "{KEY_IN}"', "max_output = 1000"]
    lines += [f"price_in = {PRICE[0]}", f"price_out = {PRICE[1]}"]
    (machine.home / "config.toml").write_text(f'[models."{MODEL}"]\n' + "\n".join(lines) + "\n")
    machine.extra |= {KEY_IN: KEY, "SWE_AGENT_RETRY_WAIT": "0", **more}


def charges(batcher: Batcher, run: str, given: list[str]) -> float:
    """What a run may have been charged by what its requests got, each at its own hold at most."""
    trajectory = read(batcher.out / "runs" / run)
    holds = list(trajectory.holds.values())
    assert len(holds) == len(given), "each request on the wire has one hold, and no hold has two"
    usage = (USAGE.input * PRICE[0] + USAGE.output * PRICE[1]) / 10**6
    charged = 0.0
    for hold, fault in zip(holds, given, strict=True):
        assert hold.dollars is not None
        assert usage < hold.dollars
        charged += 0.0 if fault in REFUSED else usage if fault in ("", "content filter") else hold.dollars
    return charged


@pytest.mark.slow
@pytest.mark.timeout(500)
def test_provider_with_all_faults_loses_no_instance_and_no_cent(machine: Machine, tmp_path) -> None:
    batcher = Batcher(machine, tmp_path, count=12)
    provider = Moody(0.3)
    with Endpoint(provider) as endpoint:
        has(machine, endpoint, SWE_AGENT_FIRST_TIMEOUT="2", SWE_AGENT_MODEL_TIMEOUT="2")
        told = batcher.machine.json(
            *batcher.arguments(MODEL, "--workers", 4, "--budget", 0.5, "--total", 7, "--workspace", "local"),
            timeout=500,
        )
    assert (told["returncode"], told["done"], told["left"]) == (0, 12, 0), told
    results = {result["instance"]: result for result in batcher.results()}
    assert len(results) == len(batcher.results()) == len(batcher.predictions()) == 12
    faults = Counter(fault for each in provider.given.values() for fault in each if fault)
    assert faults.total() >= 10, "the seed gave too few faults"
    for id, given in provider.given.items():
        result = results[id]
        money = account(batcher.out / "runs" / id)
        assert money["in flight"] == 0
        assert result["calls"] == len(given)
        assert result["dollars"] == pytest.approx(money["settled"], abs=1e-12)
        assert result["dollars"] == pytest.approx(charges(batcher, id, given), abs=1e-9), given
        if FINAL & set(given):
            assert (result["kind"], bool(result["error"])) == ("error", True), result
        else:
            assert result["kind"] == "verified", (result, given)
    assert told["dollars"] == pytest.approx(sum(result["dollars"] for result in results.values()), abs=1e-9)


def test_provider_that_refuses_for_long_stops_batch_and_it_goes_on_later(machine: Machine, tmp_path) -> None:
    batcher = Batcher(machine, tmp_path, count=4)
    with Endpoint(lambda request: Answer(status=429, headers={"Retry-After": "3600"})) as endpoint:
        has(machine, endpoint)
        told = batcher.run(MODEL, "--workers", 2, "--workspace", "local")
        assert (told["returncode"], told["done"], told["left"], told["dollars"]) == (75, 0, 4, 0), told
        assert len(endpoint.requests) <= 2, "one refusal is for all"
    provider = Moody(0.0)
    with Endpoint(provider) as endpoint:
        has(machine, endpoint)
        told = batcher.run(MODEL, "--workers", 2, "--workspace", "local")
    assert (told["returncode"], told["exits"]) == (0, {"verified": 4}), told


def test_refusals_slow_batch_and_fail_none_of_it(machine: Machine, tmp_path) -> None:
    """More refusals a run than it has tries: they are pauses of all."""
    batcher = Batcher(machine, tmp_path, count=3)
    provider, refusals = Moody(0.0), iter(range(15))

    def answers(request: Request) -> Answer:
        return provider(request) if next(refusals, None) is None else Answer(status=429)

    with Endpoint(answers) as endpoint:
        has(machine, endpoint)
        told = batcher.run(MODEL, "--workers", 3, "--workspace", "local")
    assert (told["returncode"], told["exits"]) == (0, {"verified": 3}), told
    assert [result["tries"] for result in batcher.results()] == [1, 1, 1]
    assert sum(result["calls"] for result in batcher.results()) == 9 + 15


def test_provider_that_cannot_be_reached_stops_batch_and_gives_up_none(machine: Machine, tmp_path) -> None:
    batcher = Batcher(machine, tmp_path, count=6)
    with Endpoint(Moody(0.0)) as endpoint:
        has(machine, endpoint)
    flags = ("--workers", 1, "--workspace", "local", "--retries", 0)
    told = batcher.run(MODEL, *flags)  # nobody listens there any more
    assert told["returncode"] in (5, 75), told
    assert (told["exits"], told["left"], told["done"]) == ({"infrastructure": 3}, 6, 0), told
    assert "3 instances in a row failed with the same error" in told["error"]["message"]
    assert batcher.predictions() == []
    with Endpoint(Moody(0.0)) as endpoint:
        has(machine, endpoint)
        told = batcher.run(MODEL, *flags)
    assert (told["returncode"], told["exits"], told["left"]) == (0, {"verified": 6}, 0), told
    assert len(batcher.predictions()) == 6
    money = sum(account(batcher.out / "runs" / one["instance_id"])["settled"] for one in batcher.predictions())
    assert told["dollars"] == pytest.approx(money, abs=1e-9)
