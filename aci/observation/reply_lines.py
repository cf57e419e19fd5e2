"""The text of a reply in whole lines while it arrives, so that a secret is not split between two pieces."""

from __future__ import annotations

from collections.abc import Sequence

from aci.observation.secret_masking import SHORTEST, mask_secrets

BEGIN, END = "-----BEGIN ", "-----END "
"""What a private key in text starts and ends with; it has many lines, which are masked as a whole."""


class ReplyLines:
    """The end of a reply that is not yet a whole line."""

    def __init__(self) -> None:
        self._rest = ""

    def add(self, text: str, secrets: Sequence[str]) -> str:
        """Add a piece of the reply, and return the lines that are now complete, with secrets masked."""
        self._rest += text
        end = self._rest.rfind("\n") + 1
        begun = self._rest.rfind(BEGIN, 0, end)
        if begun >= 0 and END not in self._rest[begun:end]:
            end = begun
        whole, self._rest = self._rest[:end], self._rest[end:]
        return _masked(whole, secrets)

    def finish(self, secrets: Sequence[str]) -> str:
        """Return the rest of the reply, with secrets masked."""
        whole, self._rest = self._rest, ""
        return _masked(whole, secrets)


def _masked(text: str, secrets: Sequence[str]) -> str:
    lines = (line for secret in secrets if "\n" in secret for line in secret.splitlines())
    return mask_secrets(text, (*secrets, *(line for line in lines if len(line) >= SHORTEST)))
