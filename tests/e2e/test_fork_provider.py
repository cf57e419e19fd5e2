"""After a fork, signed blocks of a provider are sent unchanged to the same model, and to no other."""

import pytest

from tests.e2e.conftest import TEST_CORE
from tests.endpoint import Answer, Endpoint, Rule, rules

SIGNED = {"type": "thinking", "thinking": "Söme thought: <&>", "signature": "Eq+/äABC=="}
FIRST, OTHER = "anthropic/claude-sonnet-4-5", "anthropic/claude-haiku-4-5"


@pytest.fixture
def endpoint():
    answers = [
        Rule(Answer("A test first.", blocks=[SIGNED],
                    actions=[("edit", {"path": "tests/test_core.py", "old": "", "new": TEST_CORE})]), turns=0),
        Rule(Answer("Now plus.", actions=[("edit", {"path": "calc/core.py", "old": "a - b", "new": "a + b"}),
                                          ("submit", {})])),
    ]  # fmt: skip
    with Endpoint(rules(answers)) as endpoint:
        yield endpoint


@pytest.fixture
def user(machine, endpoint):
    machine.extra |= {"ANTHROPIC_API_KEY": "k-12345678", "SWE_AGENT_EFFORT": "low"}
    table = f'api_base = "{endpoint.url}"\nprice_in = 1.0\nprice_out = 5.0\nmax_output = 4096\n'
    tables = "".join(f'[models."{name}"]\n{table}' for name in (FIRST, OTHER))
    (machine.home / "config.toml").write_text(tables)
    return machine


def thinking(request) -> list[dict]:
    parts = [
        part for message in request.body["messages"] if message["role"] == "assistant" for part in message["content"]
    ]
    return [part for part in parts if isinstance(part, dict) and part["type"] == "thinking"]


@pytest.mark.slow
def test_signed_blocks_are_sent_to_their_own_model_only(user, endpoint, calculator, issue_file):
    parent = user.json(
        "fix", "--repo", calculator, "--issue-file", issue_file, "--model", FIRST, "--strategy", "react"
    )  # fmt: skip
    assert parent["verdict"]["kind"] == "plausible", parent["stderr"]
    assert thinking(endpoint.requests[-1]) == [SIGNED]
    before = len(endpoint.requests)
    forked = user.json("fork", f"{parent['run']}@2")
    assert (forked["verdict"]["kind"], forked["patch"]) == ("plausible", parent["patch"]), forked["stderr"]
    assert len(endpoint.requests) == before + 1
    assert thinking(endpoint.requests[-1]) == [SIGNED]
    other_model_fork = user.json("fork", f"{parent['run']}@2", "--model", OTHER)
    assert other_model_fork["verdict"]["kind"] == "plausible", other_model_fork["stderr"]
    assert other_model_fork["patch"] == parent["patch"]
    assert endpoint.requests[-1].model == OTHER.partition("/")[2]
    assert thinking(endpoint.requests[-1]) == []
    assert b"ABC==" not in endpoint.requests[-1].data
