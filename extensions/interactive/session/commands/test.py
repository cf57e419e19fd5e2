"""Run all tests in the workspace, or the given files and tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from extensions.interactive.session.session import Session

USAGE = "[TESTS]"
GROUP = "what"
IN_EDITORS = "always"


def run(session: Session, words: str) -> None:
    session.turns.act(f"/test {words}".strip(), "by-hand")


def completions(session: Session, words: str) -> list[str]:
    before, _, last = words.rpartition(" ")
    found = session.paths.like(last or "test", 20)
    return [f"{before} {path}".strip() for path in found]
