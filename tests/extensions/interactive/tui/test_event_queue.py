"""The queue of events from the session's threads to the app: complete, in order, in frames."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from threading import Thread
from typing import Any

import pytest

from agent.run_state.progress_event import ProgressEvent
from extensions.interactive.session.session_events import (
    Event,
    MessageEvent,
    ProgressReported,
    SessionClosed,
    StatusChanged,
)
from extensions.interactive.tui.event_queue import EventQueue


def delta(text: str, branch: str = "main") -> ProgressReported:
    return ProgressReported(ProgressEvent("delta", branch, text))


def delivered_events(
    post: Callable[[EventQueue], None], on_event: Callable[[Any], None] = lambda event: None
) -> list[Any]:
    """The events delivered when `post` runs in another thread, up to `SessionClosed`."""
    received: list[Any] = []

    async def main() -> None:
        closed = asyncio.Event()

        def receive(event: Any) -> None:
            received.append(event)
            on_event(event)
            if isinstance(event, SessionClosed):
                closed.set()

        queue = EventQueue(lambda frame: frame(), receive)
        thread = Thread(target=lambda: (post(queue), queue.post(SessionClosed())))
        thread.start()
        await asyncio.wait_for(closed.wait(), 30)
        thread.join()
        assert queue.waiting == 0

    asyncio.run(main())
    return received


def test_events_are_delivered_in_order() -> None:
    events: list[Event] = [MessageEvent(str(number)) for number in range(2_000)]

    def post(queue: EventQueue) -> None:
        for event in events:
            queue.post(event)

    assert delivered_events(post) == [*events, SessionClosed()]


def test_consecutive_deltas_of_branch_are_merged() -> None:
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
        received: list[Any] = []
        frames: list[Callable[[], None]] = []
        queue = EventQueue(frames.append, received.append)
        for event in events:
            queue.post(event)
        while not frames:
            await asyncio.sleep(0)
        assert not received, "nothing is delivered in the posting thread"
        while queue.waiting:
            queue._frame()
        assert received == [
            delta("ab"),
            delta("c", "other"),
            delta("d"),
            MessageEvent("between"),
            delta("e"),
            StatusChanged(),
        ]

    asyncio.run(main())


@pytest.mark.slow
def test_many_deltas_lose_no_text() -> None:
    def post(queue: EventQueue) -> None:
        for number in range(5_000):
            queue.post(delta(f"{number} "))

    texts = [event.happening.text for event in delivered_events(post) if isinstance(event, ProgressReported)]
    assert "".join(texts) == "".join(f"{number} " for number in range(5_000))
    assert len(texts) < 5_000


def test_many_events_are_delivered_over_several_frames() -> None:
    async def main() -> None:
        frames = shown = 0
        queue: EventQueue

        def receive(event: Any) -> None:
            nonlocal shown
            shown += 1
            clock[0] += 0.001

        clock = [0.0]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("extensions.interactive.tui.event_queue.monotonic", lambda: clock[0])
            queue = EventQueue(lambda frame: None, receive)
            for number in range(100):
                queue.post(MessageEvent(str(number)))
            while queue.waiting:
                before = shown
                queue._frame()
                frames += 1
                assert 0 < shown - before < 40, "a frame delivers only some of the events"
        assert shown == 100
        assert frames > 2

    asyncio.run(main())


def test_post_after_app_closed_raises_nothing() -> None:
    async def main() -> EventQueue:
        return EventQueue(lambda frame: frame(), lambda event: None)

    queue = asyncio.run(main())
    queue.post(MessageEvent("never delivered"))
    queue.post(MessageEvent("neither is this"))
