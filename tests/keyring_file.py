"""A keyring backend for tests. Keyring loads it with PYTHON_KEYRING_BACKEND=keyring_file.Keyring."""

from __future__ import annotations

import json
import os
from pathlib import Path

from keyring.backend import KeyringBackend
from keyring.compat import properties
from keyring.errors import KeyringLocked, PasswordDeleteError


class Keyring(KeyringBackend):
    """Stores entries in the file at $FILERING. A file `locked` beside it locks the keyring."""

    @properties.classproperty
    def priority(self) -> float:
        if "FILERING" not in os.environ:  # the class stays known in this process after the tests that need it
            raise RuntimeError("$FILERING is not set")
        return 5

    def _read(self) -> dict[str, str]:
        if self._file().with_name("locked").exists():
            raise KeyringLocked("The collection is locked")
        return json.loads(self._file().read_text()) if self._file().exists() else {}

    def _file(self) -> Path:
        return Path(os.environ["FILERING"])

    def get_password(self, service: str, username: str) -> str | None:
        return self._read().get(f"{service} {username}")

    def set_password(self, service: str, username: str, password: str) -> None:
        self._file().write_text(json.dumps(self._read() | {f"{service} {username}": password}))

    def delete_password(self, service: str, username: str) -> None:
        entries = self._read()
        if entries.pop(f"{service} {username}", None) is None:
            raise PasswordDeleteError(username)
        self._file().write_text(json.dumps(entries))
