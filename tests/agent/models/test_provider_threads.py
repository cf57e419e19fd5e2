"""Parallel workers of a batch that share one litellm."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from agent.models.base import RequestOptions
from agent.models.provider import Provider
from tests.agent.models.conftest import CHAT, CLAUDE, MESSAGES, RESPONSES, VIEW, Load
from tests.endpoint import Answer, Endpoint, Request

# Warning filters belong to the process, so a thread that restores them would end another thread's `ignore`.
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

THREADS, REQUESTS_EACH = 16, 6
OPEN_FILES = Path("/proc/self/fd")


@pytest.fixture
def failing_endpoint() -> Iterator[Endpoint]:
    """An endpoint that cuts each fourth stream."""
    numbers = iter(range(THREADS * REQUESTS_EACH))

    def answer(request: Request) -> Answer:
        worker = request.news.partition("I am ")[2].partition(".")[0]
        return Answer(text=f"You are {worker}.", cut=2 if next(numbers) % 4 == 3 else None)

    with Endpoint(answer) as endpoint:
        yield endpoint


@pytest.mark.skipif(not OPEN_FILES.exists(), reason="only Linux lists open files in /proc")
@pytest.mark.parametrize("name", [CHAT, CLAUDE, RESPONSES])
def test_each_worker_gets_its_answer_and_no_connection_leaks(load: Load, failing_endpoint: Endpoint, name: str) -> None:
    def request_once(number: int) -> str:
        model: Provider = load(failing_endpoint, name)
        worker = f"worker-{number}"
        try:
            reply = model.reply(
                [*MESSAGES, {"role": "user", "content": f"I am {worker}."}], [VIEW], RequestOptions("main", 1, 1000)
            )
        except Exception as error:  # noqa: BLE001 - counted below
            return str(error)
        assert reply.text == f"You are {worker}."
        return "answered"

    with ThreadPoolExecutor(THREADS) as pool:
        first = list(pool.map(request_once, range(THREADS)))
        before = len(list(OPEN_FILES.iterdir()))
        rest = list(pool.map(request_once, range(THREADS, THREADS * REQUESTS_EACH)))
        after = len(list(OPEN_FILES.iterdir()))
    results = [*first, *rest]
    assert Counter(results)["answered"] == THREADS * REQUESTS_EACH * 3 // 4, Counter(results)
    assert after <= before + 2
