"""Events on their way from the session's threads to the app: all of them, in order, in frames."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from threading import Thread
from typing import Any

import pytest

from agent.engine.engine import ProgressEvent
from agent.session.session_events import Event, MessageEvent, ProgressReported, SessionClosed, StatusChanged
from agent.tui.event_queue import EventQueue


def delta(text: str, branch: str = "main") -> ProgressReported:
    return ProgressReported(ProgressEvent("delta", branch, text))


def delivered(post: Callable[[EventQueue], None], deliver: Callable[[Any], None] = lambda event: None) -> list[Any]:
    """What arrives of what is posted in another thread, up to Closed."""
    seen: list[Any] = []

    async def main() -> None:
        closed = asyncio.Event()

        def take(event: Any) -> None:
            seen.append(event)
            deliver(event)
            if isinstance(event, SessionClosed):
                closed.set()

        mailbox = EventQueue(lambda frame: frame(), take)
        thread = Thread(target=lambda: (post(mailbox), mailbox.post(SessionClosed())))
        thread.start()
        await asyncio.wait_for(closed.wait(), 30)
        thread.join()
        assert mailbox.waiting == 0

    asyncio.run(main())
    return seen


def test_all_come_in_order() -> None:
    told: list[Event] = [MessageEvent(str(number)) for number in range(2_000)]

    def post(mailbox: EventQueue) -> None:
        for event in told:
            mailbox.post(event)

    assert delivered(post) == [*told, SessionClosed()]


def test_texts_that_follow_each_other_on_branch_are_one() -> None:
    events = [
        delta("a"),
        delta("b"),
        delta("c", "other"),
        delta("d"),
        MessageEvent("between"),
        delta("e"),
        StatusChanged(),
    ]

    async def main() -> None:
        seen: list[Any] = []
        frames: list[Callable[[], None]] = []
        mailbox = EventQueue(frames.append, seen.append)
        for event in events:
            mailbox.post(event)
        while not frames:
            await asyncio.sleep(0)
        assert not seen, "nothing is delivered where it is posted"
        while mailbox.waiting:
            mailbox._frame()
        assert seen == [
            delta("ab"),
            delta("c", "other"),
            delta("d"),
            MessageEvent("between"),
            delta("e"),
            StatusChanged(),
        ]

    asyncio.run(main())


@pytest.mark.slow
def test_flood_of_text_loses_nothing() -> None:
    def post(mailbox: EventQueue) -> None:
        for number in range(5_000):
            mailbox.post(delta(f"{number} "))

    texts = [event.happening.text for event in delivered(post) if isinstance(event, ProgressReported)]
    assert "".join(texts) == "".join(f"{number} " for number in range(5_000))
    assert len(texts) < 5_000


def test_flood_leaves_time_between_frames() -> None:
    async def main() -> None:
        frames = 0
        mailbox: EventQueue

        def take(event: Any) -> None:
            nonlocal shown
            shown += 1
            clock[0] += 0.001

        shown = 0
        clock = [0.0]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("agent.tui.event_queue.monotonic", lambda: clock[0])
            mailbox = EventQueue(lambda frame: None, take)
            for number in range(100):
                mailbox.post(MessageEvent(str(number)))
            while mailbox.waiting:
                before = shown
                mailbox._frame()
                frames += 1
                assert 0 < shown - before < 40, "a share of a frame, and no more"
        assert shown == 100
        assert frames > 2

    asyncio.run(main())


def test_posting_to_screen_that_is_gone_is_no_trouble_of_session() -> None:
    async def main() -> EventQueue:
        return EventQueue(lambda frame: frame(), lambda event: None)

    mailbox = asyncio.run(main())
    mailbox.post(MessageEvent("nobody reads this"))
    mailbox.post(MessageEvent("nor this"))
