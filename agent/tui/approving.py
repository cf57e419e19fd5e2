"""The question before something leaves the workspace."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.screen import ModalScreen

from agent.approvals import Answer, Approval


class ApprovalScreen(ModalScreen[Answer]):
    """Ends with the user's answer. `clock` is in seconds."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("y", "answer(True)", "yes"), Binding("n,escape", "answer", "no")]

    def __init__(self, approval: Approval, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self.approval = approval

    def action_answer(self, yes: bool = False) -> None:
        self.dismiss(Answer(yes))
