"""A step as the conversation shows it: the thought, a line an action with what came of it; opened, all there is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from aci.view import clean
from agent.frames import unframed
from agent.tui.blocks import Block, folded, gap, said, source

if TYPE_CHECKING:
    from textual.strip import Strip

    from agent.tui.pen import Pen
    from trajectories.records import Action, Observation, Reply, Step

Outputs = Callable[[int], str]
"""The whole output kept under a number."""
CODE = ("content", "new", "old", "text", "patch", "code")
"""Arguments that are files' texts."""
BY_HAND = 12
"""Lines of an output that a user asked for by hand which are shown unopened."""


def none_kept(number: int) -> str:
    return ""


@dataclass(frozen=True, slots=True)
class Taken:
    """A step that a model, the user or a strategy took."""

    step: Step
    reply: Reply | None = None
    outputs: Outputs = none_kept

    @property
    def opens(self) -> bool:
        return bool(self.step.actions or self.step.observations or (self.reply and self.reply.reasoning))

    def blocks(self, opened: bool, whole: bool = True) -> list[Block]:
        found: list[Block] = []
        if self.step.branch != "main":
            found += folded(self.step.branch, "muted")
        if self.reply is not None and (text := self.reply.text.strip()):
            found += [gap(), *said(text)]
        if opened and self.reply is not None and (thought := self.reply.reasoning.strip()):
            found += [gap(), *folded(thought, "italic muted")]
        if not self.step.actions and self.step.observations:
            return found + self._told(opened)
        for number, action in enumerate(self.step.actions):
            seen = self.step.observations[number] if number < len(self.step.observations) else None
            found.append(Block(partial(_acted, action, seen)))
            if opened:
                found += self._whole(action, seen, self.outputs if whole else none_kept)
            elif self.step.author == "hand" and seen is not None:
                found += folded("\n".join(seen.text.rstrip().split("\n")[-BY_HAND:]), "text", 4)
        if self.step.error:
            found += folded(self.step.error, "error", 4)
        return found

    def _told(self, opened: bool) -> list[Block]:
        """What somebody else than the model put into the conversation."""
        text = "\n".join(observation.text for observation in self.step.observations)
        line = Block(partial(_remark, self.step.author, text))
        return [line, *folded(text, "muted", 4)] if opened else [line]

    def _whole(self, action: Action, seen: Observation | None, outputs: Outputs) -> Iterator[Block]:
        path = str(action.arguments.get("path", ""))
        if seen is None or not _is_diff(seen.text):
            yield from _arguments(action.arguments, path)
        if seen is None:
            return
        text = (outputs(seen.out) if seen.out is not None else "") or seen.text
        if _is_diff(text):
            yield from source(text, language="diff", indent=4)
        elif seen.ok and action.tool == "view" and path:
            yield from source(text, path, indent=4)
        else:
            yield from folded(text, "text" if seen.ok else "warning", 4)
        yield gap()


def _arguments(arguments: dict[str, Any], path: str) -> Iterator[Block]:
    """Those that do not fit a line, whole."""
    if isinstance(old := arguments.get("old"), str) and isinstance(new := arguments.get("new"), str):
        lines = [f"-{line}" for line in old.split("\n")] + [f"+{line}" for line in new.split("\n")]
        yield from source("\n".join(lines), language="diff", indent=4)
        arguments = {name: value for name, value in arguments.items() if name not in ("old", "new")}
    for name, value in arguments.items():
        text = str(value)
        if "\n" not in text and len(text) <= 60:
            continue
        yield from folded(f"{name}:", "muted", 4)
        code = path if name in CODE else "x.sh" if name == "command" else ""
        yield from source(text, code, indent=6)


def _acted(action: Action, seen: Observation | None, pen: Pen) -> list[Strip]:
    from agent.describing import describe

    ok = None if seen is None else seen.ok
    mark = (pen.mark(ok), {True: "success", False: "error", None: "muted"}[ok])
    came = _came(str(action.arguments.get("path", "")), seen.text) if seen else "not run"
    tool, _, rest = clean(describe(replace(action, arguments=_short(action)))).partition(" ")
    done: list[str | tuple[str, str]] = [mark, (f" {tool}", "bold"), f" {rest} " if rest else " "]
    return [pen.line(*done, (f"{pen.sign('→', '->')} {came}" if came else "", "muted"), indent=2)]


def _came(path: str, text: str) -> str:
    """What came of it, in short: the path stands there already."""
    from agent.task import RESUMED

    text = text.removeprefix(RESUMED).lstrip()
    first = first_line(text)
    if path and first == f"Edited {path}" and _is_diff(text):
        lines = text.split("\n@@ ", 1)[1].split("\n")[1:]
        added, removed = (sum(line.startswith(sign) for line in lines) for sign in "+-")
        return f"+{added} -{removed}"
    return first.removeprefix(f"{path}, ") if path else first


def _short(action: Action) -> dict[str, Any]:
    """The arguments that tell what is done, without the texts: what came of it is worth more in one line."""
    return {
        name: " ".join(map(str, value)) if isinstance(value, list | tuple) else value
        for name, value in action.arguments.items()
        if name not in CODE
    }


def _remark(author: str, text: str, pen: Pen) -> list[Strip]:
    lines = text.count("\n") + 1
    more = f" ({lines} lines)" if lines > 1 else ""
    who = "told the model" if author in ("task", "user", "host") else author
    text = unframed(text)
    style = "warning" if author in ("safety", "stuck") else "muted"
    return [pen.line((f"{pen.sign('·', '-')} {who}{more}: {first_line(text)}", style), indent=2)]


def first_line(text: str) -> str:
    return next((line.strip() for line in clean(text[:4000]).splitlines() if line.strip()), "")


def _is_diff(text: str) -> bool:
    return text.startswith(("diff --git ", "--- ")) or "\n@@ -" in text[:2000]
