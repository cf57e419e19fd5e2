"""The side panel, which can be hidden: phases of the turn, changed files, proof and queue."""

from __future__ import annotations

from collections.abc import Iterator

from rich.cells import cell_len, set_cell_size
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from aci.observation.untrusted_text import one_line
from extensions.interactive.session.session_status import ChangedFile, Status
from trajectories.outcome_words import NO_NEW_FAILURE, PART_LABELS, verdict_tone

WORD_STYLES = {"good": "bold $text-success", "warning": "$text-warning", "bad": "$text-error", "neutral": "$text-muted"}
MARKS = {True: ("✓", "$text-success"), False: ("✗", "$text-error"), None: ("·", "$text-muted")}
LETTERS = {"A": "$text-success", "M": "$text-warning", "D": "$text-error", "R": "$text-secondary"}
NARROWEST, SCROLLBAR = 28, 1
"""Width in columns."""
HINTS = {
    "idle": "ctrl-b hides this · f1 help",
    "working": "esc stops · ctrl-s steers",
    "asking": "waiting for your answer",
    "paused": "enter resumes · words steer",
}


class Panel(VerticalScroll, can_focus=False):
    """Shows a `Status`. Selecting a file opens its diff."""

    DEFAULT_CSS = """
    Panel { width: 30%; min-width: 30; max-width: 44; background: $surface; padding: 0 1; scrollbar-size-vertical: 1; }
    Panel .heading { text-style: bold; color: $text-muted; margin-top: 1; }
    Panel OptionList, Panel OptionList:focus {
        height: auto; max-height: 12; border: none; padding: 0; background: $surface; scrollbar-size-vertical: 1;
    }
    Panel OptionList > .option-list--option { padding: 0; }
    Panel #hint { color: $text-muted; margin-top: 1; }
    Panel .none { display: none; }
    """

    class FileChosen(Message):
        """Posted when the user selects a file."""

        def __init__(self, path: str) -> None:
            super().__init__()
            self.path = path

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.status: Status | None = None

    def compose(self) -> ComposeResult:
        for name in ("plan", "changed", "proof", "queue"):
            yield Static(name.capitalize(), classes="heading", id=f"{name}-heading", markup=False)
            if name == "changed":
                yield OptionList(id="files", markup=False)
            yield Static(id=name, markup=False)
        yield Static(id="hint", markup=False)

    def on_mount(self) -> None:
        if self.status is not None:
            self.show(self.status)

    def show(self, status: Status) -> None:
        before, self.status = self.status, status
        if not self.is_mounted:
            return
        self._section("plan", plan(status))
        self._section("proof", proof(status))
        self._section("queue", queue(status))
        self.query_one("#hint", Static).update(HINTS[status.state])
        files = self.query_one("#files", OptionList)
        if before is None or before.files != status.files or files.option_count != len(status.files):
            self._files(files, status.files)

    def on_resize(self) -> None:
        if self.status is not None:
            self._files(self.query_one("#files", OptionList), self.status.files)

    def _section(self, name: str, content: Content) -> None:
        body = self.query_one(f"#{name}", Static)
        body.update(content)
        body.set_class(not content, "none")
        self.query_one(f"#{name}-heading").set_class(not content, "none")

    def _files(self, shown: OptionList, files: tuple[ChangedFile, ...]) -> None:
        at = shown.highlighted
        width = (self.scrollable_content_region.width or NARROWEST) - SCROLLBAR
        shown.clear_options().add_options([Option(file_line(file, width), id=file.path) for file in files])
        shown.highlighted = min(at, len(files) - 1) if files and at is not None else None
        shown.set_class(not files, "none")
        self.query_one("#changed", Static).set_class(bool(files), "none")
        self.query_one("#changed", Static).update("nothing yet")

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        if event.option_id is not None:
            self.post_message(self.FileChosen(event.option_id))


def plan(status: Status) -> Content:
    """Return the turn's phases; the last one is current while the session works."""
    if not status.phases:
        return Content("")
    *done, last = [one_line(phase) for phase in status.phases]
    lines = [Content.styled(f"✓ {phase}", "$text-muted") for phase in done]
    style = "" if status.state == "idle" else "bold $text-primary"
    lines.append(Content.styled(f"{'✓' if status.state == 'idle' else '▸'} {last}", style))
    return Content("\n").join(lines)


def proof(status: Status) -> Content:
    """Return the results of the checks in the last proof, and its word."""
    verdict = status.verdict
    if not status.files:
        return Content("")
    if verdict is None or all(getattr(verdict, part) is None for part in PART_LABELS):
        return Content.styled("unproven: /prove", "$text-warning")
    lines = [Content.assemble(MARKS[getattr(verdict, part)], " ", words) for part, words in PART_LABELS.items()]
    if verdict.no_loss and verdict.compared:
        lines.append(Content.styled(f"  in {one_line(verdict.compared)}", "$text-muted"))
    elif verdict.no_loss is None:
        lines[-1] = Content.styled(f"? {PART_LABELS['no_loss']}: unknown", "$text-warning")
    if verdict.new_failures:
        lines.append(Content.assemble(MARKS[False], " ", NO_NEW_FAILURE))
    word = f"{verdict.kind}: /prove" if verdict.kind == "unproven" else verdict.kind
    whole = (word, WORD_STYLES[verdict_tone(verdict)])
    return Content("\n").join([*lines, Content.styled(*whole)])


def queue(status: Status) -> Content:
    return Content("\n").join(_queued(status))


def _queued(status: Status) -> Iterator[Content]:
    for number, words in enumerate(status.queued, 1):
        first = one_line(words)
        yield Content.assemble((f"{number} ", "$text-accent"), first).truncate(60, ellipsis=True)


def file_line(file: ChangedFile, width: int) -> Content:
    """Return a line with status letter, path and line counts; a long path is truncated at its start."""
    counts = "binary" if file.added is None else f"+{file.added} -{file.removed}"
    room = max(4, width - 3 - len(counts))
    path = one_line(file.path)
    while cell_len(path) > room:
        path = f"…{path[2:]}"
    return Content.assemble(
        (f"{file.letter} ", LETTERS.get(file.letter, "")), f"{set_cell_size(path, room)} ", (counts, "$text-muted")
    )
