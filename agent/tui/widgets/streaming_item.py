"""The live item at the end of the conversation: the model's streamed text and the current action."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from aci.observation.untrusted_text import clean_text
from agent.tui.rendering.markdown_parts import split_markdown
from agent.tui.widgets.conversation_items import Block, blank_block, markdown_blocks, text_blocks

if TYPE_CHECKING:
    from textual.strip import Strip

    from agent.tui.rendering.line_renderer import LineRenderer

Secrets = Callable[[], tuple[str, ...]]


def no_secrets() -> tuple[str, ...]:
    return ()


@dataclass(slots=True)
class Branch:
    """The live state of a branch: `whole` holds the blocks of complete text, `rest` the text that is still growing."""

    rest: str = ""
    whole: list[Block] = field(default_factory=list)
    doing: str = ""


class LiveItem:
    """The live item; it is falsy if there is nothing to show. Only the end of a growing text is laid out again."""

    opens = False

    def __init__(self, secrets: Secrets = no_secrets) -> None:
        self._secrets = secrets
        self._branches: dict[str, Branch] = {}

    def __bool__(self) -> bool:
        return bool(self._branches)

    def heard(self, kind: str, branch: str, text: str) -> None:
        """Add streamed text, or the start of an action."""
        if kind == "ask":
            self._branches[branch] = Branch()
        elif kind == "delta":
            self._extend(self._branches.setdefault(branch, Branch()), text)
        else:
            self._branches.setdefault(branch, Branch()).doing = text

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
        *whole, rest = list(split_markdown(branch.rest)) or [""]
        for part in whole:
            branch.whole += [*markdown_blocks(f"{self._masked(part)}\n\n"), blank_block()]
        branch.rest = rest

    def blocks(self, opened: bool, whole: bool = True) -> list[Block]:
        found: list[Block] = []
        for name, branch in self._branches.items():
            if name not in ("main", "proof") and (branch.rest or branch.doing):
                found += text_blocks(name, "muted")
            if branch.whole or branch.rest:
                found += [blank_block(), *branch.whole]
            if rest := self._masked(branch.rest):
                found += markdown_blocks(rest)
            if branch.doing:
                found.append(Block(partial(_doing, clean_text(branch.doing))))
        return found


def _doing(text: str, pen: LineRenderer) -> list[Strip]:
    return [pen.line((f"{pen.sign('▸', '>')} {text}", "primary"), indent=2)]
