"""The status line at the bottom of the screen."""

from __future__ import annotations

from dataclasses import dataclass

from textual.content import Content
from textual.timer import Timer
from textual.widget import Widget

from aci.observation.untrusted_text import one_line
from agent.console.activity_lines import FRAMES, thousands
from extensions.interactive.session.session_status import Status

STATES = {"idle": "ready", "working": "working", "asking": "asks you", "paused": "paused"}
STYLES = {
    "idle": "$text-success",
    "working": "$text-primary",
    "asking": "bold $text-warning",
    "paused": "$text-warning",
}
MARKS = {"idle": "●", "working": "◐", "asking": "?", "paused": "‖"}
NEARLY = 0.8
"""Share of the budget, or of the model's context window, in use above which the figure is coloured."""
LONGEST = 28
"""Maximum number of characters of the name of a model, branch or base."""
BETWEEN = " · "


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the status line. If the parts do not fit, those with the highest `rank` are left out first."""

    text: str
    rank: int
    style: str = ""


class StatusLine(Widget):
    """Shows a `Status`, with an animated mark while the session works, unless the user disabled animations."""

    DEFAULT_CSS = """
    StatusLine { height: 1; width: 1fr; padding: 0 1; background: $panel; color: $text; text-wrap: nowrap; }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.status: Status | None = None
        self._frame = 0
        self._timer: Timer | None = None

    def show(self, status: Status) -> None:
        self.status = status
        self._move(status.state == "working" and self.is_mounted and self.app.animation_level != "none")
        self.refresh()

    @property
    def moves(self) -> bool:
        """Whether the mark is animated."""
        return self._timer is not None

    def _move(self, moves: bool) -> None:
        if moves and self._timer is None:
            self._timer = self.set_interval(0.25, self._next_frame)
        elif not moves and self._timer is not None:
            self._timer.stop()
            self._timer = None

    def _next_frame(self) -> None:
        self._frame += 1
        self.refresh()

    def render(self) -> Content:
        if self.status is None:
            return Content("")
        mark = FRAMES[self._frame % len(FRAMES)] if self._timer else MARKS[self.status.state]
        return line(self.status, self.size.width, mark)


def line(status: Status, width: int, mark: str = "") -> Content:
    """Return the status in at most `width` columns."""
    kept = list(enumerate(parts(status, mark or MARKS[status.state])))
    while len(kept) > 1 and _width(part for _, part in kept) > width:
        kept.remove(max(kept, key=lambda item: item[1].rank))
    shown = Content(BETWEEN).join(Content.styled(part.text, part.style) for _, part in kept)
    return shown.truncate(width, ellipsis=True)


def _width(parts: object) -> int:
    texts = [Content(part.text).cell_length for part in parts]  # type: ignore[attr-defined]
    return sum(texts) + len(BETWEEN) * (len(texts) - 1)


def parts(status: Status, mark: str) -> list[Part]:
    """Return the parts of the line in order."""
    found = [Part(f"{mark} {STATES[status.state]}", 0, STYLES[status.state]), Part(_mode(status), 1, "bold")]
    if status.model:
        found.append(Part(_short(status.model.rpartition("/")[2]), 3))
    if status.context is not None:
        style = "$text-warning" if status.context >= NEARLY else ""
        found.append(Part(f"context {status.context:.0%}", 5, style))
    found.append(Part(_money(status), 2, _money_style(status)))
    if status.queued:
        found.append(Part(f"{len(status.queued)} queued", 4, "$text-accent"))
    if count := len(status.edited):
        found.append(Part(f"you changed {count} file{'s' * (count != 1)}", 5, "$text-accent"))
    found.append(Part(clock(status.seconds), 7))
    if status.branch:
        found.append(Part(_short(status.branch), 6))
    found.append(Part(status.workspace, 9))
    if status.base:
        found.append(Part(_short(status.base), 8, "$text-muted"))
    return found


def _mode(status: Status) -> str:
    mode = status.mode if status.strategy in ("", status.mode) else f"{status.mode}: {status.strategy}"
    return f"{mode}, in place" if status.in_place and status.mode == "build" else mode


def _short(name: str) -> str:
    name = one_line(name)
    return name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}…"


def _money(status: Status) -> str:
    spent = status.spent
    if spent is not None and spent.dollars is None:
        return f"{thousands(spent.input_tokens + spent.output_tokens)} tokens, price unknown"
    dollars = f"${(spent.dollars or 0.0) - spent.held_dollars if spent else 0.0:.2f}"
    return dollars if status.budget is None else f"{dollars} of ${status.budget:.2f}"


def _money_style(status: Status) -> str:
    if not status.budget or status.spent is None or status.spent.dollars is None:
        return ""
    share = status.spent.dollars / status.budget
    return "bold $text-error" if share >= 1 else "$text-warning" if share >= NEARLY else ""


def clock(seconds: float) -> str:
    """Format seconds as `0:42`, `12:07` or `1:02:07`."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
