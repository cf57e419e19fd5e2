"""The instruction files of a base, and the test command that they document."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING

from aci.instructions.documented_commands import describe_command
from aci.instructions.instruction_files import Instructions
from aci.observation.untrusted_text import one_line
from agent.permissions.approvals import Approval

if TYPE_CHECKING:
    from aci.instructions.documented_commands import DocumentedCommand
    from agent.config.settings import Settings
    from agent.limits.cancellation import CancellationToken
    from agent.permissions.approvals import Approve
    from trajectories.git_store.trees import Trees


class BaseInstructions:
    """The instruction files of the tree `base`, whatever later turns change; none if the setting is off.

    `settings` returns the settings of the current turn.
    """

    def __init__(self, trees: Trees, base: str, settings: Callable[[], Settings]) -> None:
        self._trees, self._base, self._settings = trees, base, settings
        self.may_run_locally: bool | None = None
        """Whether the documented test command may run without isolation; None until the user has been asked."""

    @cached_property
    def _found(self) -> Instructions:
        return Instructions(self._trees.files(self._base), self._trees.read_blob)

    @cached_property
    def _documented(self) -> DocumentedCommand | None:
        from aci.testing.documented_test import documented_test

        return documented_test(self._found)

    @property
    def files(self) -> Instructions:
        return self._found if self._settings().instructions else Instructions()

    @property
    def test(self) -> DocumentedCommand | None:
        """The test command in use, if it comes from an instruction file."""
        settings = self._settings()
        found = self._documented if settings.instructions and settings.test else None
        return found if found and found.text == settings.test else None

    def offered_test(self, settings: Settings) -> DocumentedCommand | None:
        """Return the documented test command, if these settings have no test command and allow documented ones.

        It depends on the base only, so a resumed run has the same one.
        """
        return None if settings.test or not settings.instructions else self._documented

    def complete(self, settings: Settings) -> Settings:
        """Return the settings with the documented test command, if they have no test command.

        Without isolation, it is used only after the user agreed to it.
        """
        if settings.workspace == "local" and not self.may_run_locally:
            return settings
        found = self.offered_test(settings)
        return settings.model_copy(update={"test": found.text}) if found else settings

    def confirm(
        self, settings: Settings, approve: Approve, cancel: CancellationToken, say: Callable[[str], object]
    ) -> Settings:
        """Return the complete settings of a turn. Without isolation, ask once whether tests may run with the documented
        command; without a yes, the test command is detected. Raises Cancelled."""
        found = self.offered_test(settings) if settings.workspace == "local" else None
        if found is None or self.may_run_locally is not None:
            return settings
        answer = approve(
            Approval(
                "command",
                "Run the tests with a command from a file of the repository on this machine, without isolation?",
                subject=found.text,
                detail=f"It is from {one_line(found.where)}. If you refuse, the test command is detected.",
                cancel=cancel,
                why="a file of the repository chose it",
                needs_user=True,
            )
        )
        cancel.check()
        self.may_run_locally = answer.yes
        if not answer.yes:
            unused = f"{describe_command(found)}, is not used without isolation and your consent"
            say(f"{unused}. The test command is detected; choose another one with --test.")
        return self.complete(settings)
