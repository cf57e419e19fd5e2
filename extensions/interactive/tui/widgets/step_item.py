"""A step in the conversation: the model's text and one line per action with its result; when opened, all details."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from textual.strip import Strip

from aci.observation.untrusted_text import clean_text, strip_tags
from extensions.interactive.tui.widgets.conversation_items import (
    Block,
    blank_block,
    code_blocks,
    markdown_blocks,
    text_blocks,
)
from trajectories.page_picture import picture_number
from trajectories.unified_diff import count_changed_lines

if TYPE_CHECKING:
    from extensions.interactive.tui.rendering.line_renderer import LineRenderer
    from trajectories.records import Action, Observation, Reply, Step

Outputs = Callable[[int], str]
"""Function that returns the stored output with the given number."""
CODE = ("content", "new", "old", "text", "patch", "code")
"""Names of arguments that contain code."""
PictureFile = Callable[[int], str]
"""Function that returns the path of the picture with the given number; "" if there is none."""
SHORTEST = 1.0
"""Minimum number of seconds that are shown."""
BY_HAND = 12
"""Maximum number of output lines of a user's command that are shown while the item is closed."""
CLOSED_DIFF = 12
"""Maximum number of lines of an edit's diff that are shown while the item is closed."""


def no_outputs(number: int) -> str:
    return ""


def pictures_of(step: Step, file: PictureFile) -> dict[int, str]:
    """Return the paths of a step's pictures by the number of the observation."""
    numbers = ((place, picture_number(seen)) for place, seen in enumerate(step.observations))
    paths = {place: file(number) for place, number in numbers if number is not None}
    return {place: path for place, path in paths.items() if path}


@dataclass(frozen=True, slots=True)
class StepItem:
    """A step of the model, the user or a strategy. `seconds` is the time of the model and of its commands."""

    step: Step
    reply: Reply | None = None
    outputs: Outputs = no_outputs
    seconds: float = 0.0
    pictures: Mapping[int, str] = field(default_factory=dict)
    """The paths of the pictures that observations have, by the observation's number."""

    @property
    def opens(self) -> bool:
        return bool(self.step.actions or self.step.observations or (self.reply and self.reply.reasoning))

    def blocks(self, opened: bool, whole: bool = True) -> list[Block]:
        found: list[Block] = []
        if self.step.branch != "main":
            found += text_blocks(self.step.branch, "muted")
        if self.reply is not None and (text := self.reply.text.strip()):
            found += [blank_block(), *markdown_blocks(text)]
        if opened and self.reply is not None and (thought := self.reply.reasoning.strip()):
            found += [blank_block(), *text_blocks(thought, "italic muted")]
        if not self.step.actions and self.step.observations:
            return found + self._remark_blocks(opened)
        for number, action in enumerate(self.step.actions):
            seen = self.step.observations[number] if number < len(self.step.observations) else None
            is_last = number == len(self.step.actions) - 1
            found.append(Block(partial(_action_line, action, seen, self.seconds if is_last else 0.0)))
            if path := self.pictures.get(number):
                found += text_blocks(path, "muted", 4)
            if opened:
                found += self._whole(action, seen, self.outputs if whole else no_outputs)
            elif self.step.author == "hand" and seen is not None:
                found += text_blocks("\n".join(seen.text.rstrip().split("\n")[-BY_HAND:]), "text", 4)
            elif seen is not None and seen.ok:
                found += _first_changes(action, seen.text)
        if self.step.error:
            found += text_blocks(self.step.error, "error", 4)
        return found

    def _remark_blocks(self, opened: bool) -> list[Block]:
        """Return the blocks of a step without actions, whose text was not written by the model."""
        text = "\n".join(observation.text for observation in self.step.observations)
        line = Block(partial(_remark, self.step.author, text))
        return [line, *text_blocks(text, "muted", 4)] if opened else [line]

    def _whole(self, action: Action, seen: Observation | None, outputs: Outputs) -> Iterator[Block]:
        from tools.base import metadata_of

        path = str(action.arguments.get("path", ""))
        if seen is None or not _is_diff(seen.text):
            yield from _arguments(action.arguments, path)
        if seen is None:
            return
        text = (outputs(seen.out) if seen.out is not None else "") or seen.text
        if _is_diff(text):
            yield from code_blocks(text, language="diff", indent=4)
        elif seen.ok and path and metadata_of(action.tool).result == "file":
            yield from code_blocks(text, path, indent=4)
        else:
            yield from text_blocks(text, "text" if seen.ok else "warning", 4)
        yield blank_block()


def _first_changes(action: Action, text: str) -> Iterator[Block]:
    """Yield the first lines of an edit's diff."""
    from tools.base import metadata_of

    lines = text.rstrip().split("\n")
    start = next((number for number, line in enumerate(lines) if line.startswith("@@ ")), None)
    if start is None or metadata_of(action.tool).result != "diff":
        return
    changes = lines[start + 1 :]
    yield from code_blocks("\n".join(changes[:CLOSED_DIFF]), language="diff", indent=4)
    if len(changes) > CLOSED_DIFF:
        yield from text_blocks(f"… {len(changes) - CLOSED_DIFF} more lines", "muted", 4)


def _arguments(arguments: dict[str, Any], path: str) -> Iterator[Block]:
    """Yield, in full, the arguments that do not fit into a line."""
    if isinstance(old := arguments.get("old"), str) and isinstance(new := arguments.get("new"), str):
        lines = [f"-{line}" for line in old.split("\n")] + [f"+{line}" for line in new.split("\n")]
        yield from code_blocks("\n".join(lines), language="diff", indent=4)
        arguments = {name: value for name, value in arguments.items() if name not in ("old", "new")}
    for name, value in arguments.items():
        text = str(value)
        if "\n" not in text and len(text) <= 60:
            continue
        yield from text_blocks(f"{name}:", "muted", 4)
        code = path if name in CODE else "x.sh" if name == "command" else ""
        yield from code_blocks(text, code, indent=6)


def _action_line(action: Action, seen: Observation | None, seconds: float, pen: LineRenderer) -> list[Strip]:
    from agent.conversation.messages import describe

    ok = None if seen is None else seen.ok
    mark = (pen.mark(ok), {True: "success", False: "error", None: "muted"}[ok])
    came = _result_summary(str(action.arguments.get("path", "")), seen) if seen else "not run"
    tool, _, rest = clean_text(describe(replace(action, arguments=_short(action)))).partition(" ")
    done: list[str | tuple[str, str]] = [mark, (f" {tool}", "bold"), f" {rest} " if rest else " "]
    time = f" · {seconds:.0f} s" if seconds >= SHORTEST else ""
    room = replace(pen, width=max(1, pen.width - len(time)))
    line = room.line(*done, (f"{pen.sign('→', '->')} {came}" if came else "", "muted"), indent=2)
    return [Strip.join([line, pen.line((time, "muted"))]) if time else line]


def _result_summary(path: str, seen: Observation) -> str:
    """Return the result as short text, without the path, because the line already shows it."""
    from agent.conversation.messages import describe_result
    from agent.engine.branch import RESUMED

    text = seen.text.removeprefix(RESUMED).lstrip()
    first = describe_result(replace(seen, text=text))
    if path and first == f"Edited {path}" and _is_diff(text):
        added, removed = count_changed_lines(text)
        return f"+{added} -{removed}"
    return first.removeprefix(f"{path}, ") if path else first


def _short(action: Action) -> dict[str, Any]:
    """Return the arguments without code, to leave room for the result."""
    return {
        name: " ".join(map(str, value)) if isinstance(value, list | tuple) else value
        for name, value in action.arguments.items()
        if name not in CODE
    }


def _remark(author: str, text: str, pen: LineRenderer) -> list[Strip]:
    from agent.conversation.messages import first_line

    lines = text.count("\n") + 1
    more = f" ({lines} lines)" if lines > 1 else ""
    who = "sent to the model" if author in ("task", "user", "host") else author
    text = strip_tags(text)
    style = "warning" if author in ("safety", "stuck") else "muted"
    return [pen.line((f"{pen.sign('·', '-')} {who}{more}: {first_line(text)}", style), indent=2)]


def _is_diff(text: str) -> bool:
    return text.startswith(("diff --git ", "--- ")) or "\n@@ -" in text[:2000]
