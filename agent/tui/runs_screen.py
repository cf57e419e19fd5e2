"""The runs there are, to go on with one."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.screen import ModalScreen


class RunsScreen(ModalScreen[Path | None]):
    """Ends with the folder of a run, None if the user wants none."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss(None)", "back")]

    def __init__(self, runs: Path, repository: str = "") -> None:
        super().__init__()
        self.runs, self.repository = runs, repository
