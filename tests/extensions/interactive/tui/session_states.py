"""Statuses of a session for tests, and a runner for Textual apps."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

from textual.app import App
from textual.pilot import Pilot

from extensions.interactive.session.session_status import ChangedFile, Status
from trajectories.records import Spent

STATUS = Status(
    state="idle",
    mode="build",
    strategy="build",
    model="maker/model-4-large",
    workspace="docker",
    branch="main",
    base="1a2b3c4d5e + 3 changes",
    spent=Spent(0.12, 41_000, 30_000, 900, 7),
    budget=2.0,
    seconds=200.4,
    context=0.34,
)
FILES = (
    ChangedFile("M", "invoices/a/folder/with/a/rather/long/path/money.py", 12, 3),
    ChangedFile("A", "tests/test_[b]money.py", 30, 0),
    ChangedFile("D", "logo.png"),
)


def status(**changes: Any) -> Status:
    return replace(STATUS, **changes)


def run_app(app: App[Any], interact: Callable[[Pilot[Any]], Awaitable[Any]], size: tuple[int, int] = (80, 24)) -> Any:
    """Run the app and return the result of `interact`."""

    async def run() -> Any:
        async with app.run_test(size=size) as pilot:
            await pilot.pause()
            return await interact(pilot)

    return asyncio.run(run())
