"""The live item at the end of the conversation: the model's streamed text and the current action."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from extensions.interactive.tui.rendering.markdown_parts import split_markdown
from extensions.interactive.tui.widgets.conversation_items import Block, blank_block, markdown_blocks, text_blocks

if TYPE_CHECKING:
    from textual.strip import Strip

    from extensions.interactive.tui.rendering.line_renderer import LineRenderer

Secrets = Callable[[], tuple[str, ...]]


def no_secrets() -> tuple[str, ...]:
    return ()


CHARACTERS_PER_TOKEN = 4


@dataclass(slots=True)
class Branch:
    """The live state of a branch: `whole` holds the blocks of complete text, `rest` the text that is still growing.

    `finished` are the finished actions of the reply and whether they succeeded, `doing` is the current action since
    the time `since`, and `output` the last lines of its output. `received` is the number of characters of the reply.
    """

    since: float
    rest: str = ""
    whole: list[Block] = field(default_factory=list)
    received: int = 0
    finished: list[tuple[str, bool]] = field(default_factory=list)
    doing: str = ""
    output: str = ""
    thinks: bool = False


class LiveItem:
    """The live item; it is falsy if there is nothing to show. Only the end of a growing text is laid out again."""

    opens = False

    def __init__(self, secrets: Secrets = no_secrets, clock: Callable[[], float] = time.monotonic) -> None:
        self._secrets, self._clock = secrets, clock
        self._branches: dict[str, Branch] = {}

    def __bool__(self) -> bool:
        return bool(self._branches)

    def add_event(self, kind: str, name: str, text: str) -> None:
        """Add streamed text, or the start, output or end of an action."""
        now = self._clock()
        if kind == "ask":
            self._branches[name] = Branch(now, thinks=True)
            return
        branch = self._branches.setdefault(name, Branch(now))
        match kind:
            case "delta":
                self._extend(branch, text)
            case "replied":
                branch.thinks = False
            case "output":
                branch.output = text
            case "done" | "failed":
                branch.finished.append((text, kind == "done"))
                branch.doing = branch.output = ""
            case _:
                branch.since = branch.since if kind == "progress" and branch.doing else now
                branch.doing, branch.output, branch.thinks = text, "", False

    def done(self, branch: str, author: str = "") -> None:
        """Remove a branch, because its step was recorded or cancelled."""
        for name in (branch, author):
            self._branches.pop(name, None)

    def clear(self) -> None:
        self._branches.clear()

    def _masked(self, text: str) -> str:
        from agent.console.activity_lines import mask_stream

        return mask_stream(text, self._secrets())

    def _extend(self, branch: Branch, text: str) -> None:
        branch.rest += text
        branch.received += len(text)
        *whole, rest = list(split_markdown(branch.rest)) or [""]
        for part in whole:
            branch.whole += [*markdown_blocks(f"{self._masked(part)}\n\n"), blank_block()]
        branch.rest = rest

    def blocks(self, opened: bool, whole: bool = True) -> list[Block]:
        found: list[Block] = []
        for name, branch in self._branches.items():
            if name not in ("main", "proof") and (branch.rest or branch.doing or branch.thinks):
                found += text_blocks(name, "muted")
            if branch.whole or branch.rest:
                found += [blank_block(), *branch.whole]
            if rest := self._masked(branch.rest):
                found += markdown_blocks(rest)
            found += [Block(partial(_finished, text, ok)) for text, ok in branch.finished]
            if branch.doing or branch.thinks:
                found.append(Block(partial(_doing, *self._activity(branch))))
            if output := self._masked(branch.output):
                found += [Block(partial(_output_line, line)) for line in output.split("\n")]
        return found

    def _activity(self, branch: Branch) -> tuple[str, str]:
        """Return what a branch does and for how long."""
        seconds = int(self._clock() - branch.since)
        parts = [f"{seconds} s"] if seconds else []
        if branch.doing:
            return branch.doing, " · ".join(parts)
        if tokens := branch.received // CHARACTERS_PER_TOKEN:
            parts.append(f"about {tokens} tokens")
        return "thinking", " · ".join(parts)


def _finished(text: str, ok: bool, pen: LineRenderer) -> list[Strip]:
    return [pen.line((pen.mark(ok), "success" if ok else "error"), f" {text}", indent=2)]


def _doing(text: str, time: str, pen: LineRenderer) -> list[Strip]:
    return [pen.line((f"{pen.sign('▸', '>')} {text}", "primary"), (f" {time}" if time else "", "muted"), indent=2)]


def _output_line(text: str, pen: LineRenderer) -> list[Strip]:
    return [pen.line((text, "muted"), indent=4)]
