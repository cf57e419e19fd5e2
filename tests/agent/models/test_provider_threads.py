"""Many workers of a batch ask through one litellm at the same time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from agent.models.base import RequestOptions
from agent.models.provider import Provider
from tests.agent.models.conftest import CHAT, CLAUDE, RESPONSES, SAID, VIEW, Load
from tests.endpoint import Answer, Endpoint, Request

# What a thread ignores for a moment, another that ends such a moment no longer does: filters are the process's.
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

THREADS, EACH = 16, 6
FILES = Path("/proc/self/fd")


@pytest.fixture
def answering() -> Iterator[Endpoint]:
    """Each fourth stream breaks off."""
    asked = iter(range(THREADS * EACH))

    def answer(request: Request) -> Answer:
        who = request.news.partition("I am ")[2].partition(".")[0]
        return Answer(text=f"You are {who}.", cut=2 if next(asked) % 4 == 3 else None)

    with Endpoint(answer) as endpoint:
        yield endpoint


@pytest.mark.skipif(not FILES.exists(), reason="only Linux tells which files are open")
@pytest.mark.parametrize("name", [CHAT, CLAUDE, RESPONSES])
def test_everybody_gets_their_own_answer_and_no_connection_stays(load: Load, answering: Endpoint, name: str) -> None:
    def one(number: int) -> str:
        model: Provider = load(answering, name)
        who = f"worker-{number}"
        try:
            reply = model.reply(
                [*SAID, {"role": "user", "content": f"I am {who}."}], [VIEW], RequestOptions("main", 1, 1000)
            )
        except Exception as error:  # noqa: BLE001 - counted below
            return str(error)
        assert reply.text == f"You are {who}."
        return "answered"

    with ThreadPoolExecutor(THREADS) as pool:
        first = list(pool.map(one, range(THREADS)))
        before = len(list(FILES.iterdir()))
        rest = list(pool.map(one, range(THREADS, THREADS * EACH)))
        after = len(list(FILES.iterdir()))
    came = [*first, *rest]
    assert Counter(came)["answered"] == THREADS * EACH * 3 // 4, Counter(came)
    assert after <= before + 2
