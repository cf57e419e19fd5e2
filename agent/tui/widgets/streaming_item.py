"""What streams in at the end of the conversation: a model's words as they come, and what is done meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from aci.cleaning import clean
from agent.tui.blocks import Block, folded, gap, said
from agent.tui.parts import parts

if TYPE_CHECKING:
    from textual.strip import Strip

    from agent.tui.pen import Pen

Secrets = Callable[[], tuple[str, ...]]


def no_secrets() -> tuple[str, ...]:
    return ()


@dataclass(slots=True)
class Branch:
    """`whole` are blocks of text that is complete, `rest` what still grows."""

    rest: str = ""
    whole: list[Block] = field(default_factory=list)
    doing: str = ""


class Live:
    """Fed with what happens; empty when nothing does. Only the end of a text is laid out anew as it grows."""

    opens = False

    def __init__(self, secrets: Secrets = no_secrets) -> None:
        self._secrets = secrets
        self._branches: dict[str, Branch] = {}

    def __bool__(self) -> bool:
        return bool(self._branches)

    def heard(self, kind: str, branch: str, text: str) -> None:
        """A delta of text, or an action that begins."""
        if kind == "ask":
            self._branches[branch] = Branch()
        elif kind == "delta":
            self._grown(self._branches.setdefault(branch, Branch()), text)
        else:
            self._branches.setdefault(branch, Branch()).doing = text

    def done(self, branch: str, author: str = "") -> None:
        """What streamed is on the record, or will never be."""
        for name in (branch, author):
            self._branches.pop(name, None)

    def clear(self) -> None:
        self._branches.clear()

    def _masked(self, text: str) -> str:
        from agent.live import masked

        return masked(text, self._secrets())

    def _grown(self, branch: Branch, text: str) -> None:
        branch.rest += text
        *whole, rest = list(parts(branch.rest)) or [""]
        for part in whole:
            branch.whole += [*said(f"{self._masked(part)}\n\n"), gap()]
        branch.rest = rest

    def blocks(self, opened: bool, whole: bool = True) -> list[Block]:
        found: list[Block] = []
        for name, branch in self._branches.items():
            if name not in ("main", "proof") and (branch.rest or branch.doing):
                found += folded(name, "muted")
            if branch.whole or branch.rest:
                found += [gap(), *branch.whole]
            if rest := self._masked(branch.rest):
                found += said(rest)
            if branch.doing:
                found.append(Block(partial(_doing, clean(branch.doing))))
        return found


def _doing(text: str, pen: Pen) -> list[Strip]:
    return [pen.line((f"{pen.sign('▸', '>')} {text}", "primary"), indent=2)]
