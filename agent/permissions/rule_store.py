"""What is decided without asking: rules of the configuration, of the session, and of the project in the user's state.

A rule that denies wins over every rule that allows; `agent/judging.py` says what rules decide.
"""

from __future__ import annotations

import json
import os
import stat
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Literal

from agent.rules import Rule, rule_of
from trajectories.errors import ConfigError, WorkspaceError
from trajectories.journal import write_durably

if TYPE_CHECKING:
    from agent.settings import PermissionTable

By = Literal["config", "project", "session"]
FILE = "permissions.json"
PATIENCE = 10.0
"""Seconds that another process may hold the file."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A rule that allows; `since` in seconds since the epoch, 0 for the configuration's."""

    rule: Rule
    by: By
    since: float = 0.0


class Permissions:
    """Those that hold in one repository. Safe to share between threads and, for the file, between processes."""

    def __init__(self, state: Path, repository: Path, config: Callable[[], PermissionTable]) -> None:
        self.path = state / FILE
        self._repository = str(repository.resolve())
        self._config = config
        self._session: list[Kept] = []
        self._lock = Lock()

    def kept(self) -> tuple[Kept, ...]:
        """All rules that allow, as they are numbered for the user. Raises ConfigError."""
        with self._lock:
            session = tuple(self._session)
        return (*self._of_config(), *self._of_project(self._read()), *session)

    def without_file(self) -> tuple[Kept, ...]:
        """Those that hold when the file cannot be read."""
        with self._lock:
            return (*self._of_config(), *self._session)

    @property
    def denied(self) -> tuple[Rule, ...]:
        return tuple(rules_of(self._config().deny))

    def _of_config(self) -> Iterator[Kept]:
        return (Kept(rule, "config") for rule in rules_of(self._config().allow))

    def keep(self, rules: Iterable[Rule], by: By) -> None:
        """Allow from now on. Raises ConfigError for a damaged file and WorkspaceError for one that cannot be written;
        the session keeps the rule all the same."""
        now = time.time()
        if by == "project":
            try:
                with self._changing() as table:
                    have = {kept.rule for kept in self._of_project(table)}
                    new = [{"rule": str(rule), "since": now} for rule in rules if rule not in have]
                    table[self._repository] = [*table.get(self._repository, []), *new]
                return
            except (ConfigError, WorkspaceError):
                self.keep(rules, "session")
                raise
        with self._lock:
            have = {kept.rule for kept in self._session}
            self._session += [Kept(rule, by, now) for rule in rules if rule not in have]

    def remove(self, kept: Kept) -> None:
        """Ask again from now on. Raises as `keep` does."""
        if kept.by == "project":
            with self._changing() as table:
                left = [entry for entry in table.get(self._repository, []) if entry["rule"] != str(kept.rule)]
                table[self._repository] = left
        with self._lock:
            self._session = [each for each in self._session if each != kept]

    # The file

    def _of_project(self, table: dict[str, list[dict[str, object]]]) -> Iterator[Kept]:
        for entry in table.get(self._repository, []):
            rule = rule_of(str(entry["rule"]))
            if isinstance(rule, Rule):
                yield Kept(rule, "project", float(str(entry["since"])))

    def _read(self) -> dict[str, list[dict[str, object]]]:
        try:
            with self.path.open("rb") as file:
                about = os.fstat(file.fileno())
                if about.st_uid != os.getuid() or stat.S_IMODE(about.st_mode) & 0o022:
                    raise ConfigError(
                        f"{self.path} can be written by others: nothing in it holds.", f"chmod 600 {self.path}"
                    )
                table = json.loads(file.read())
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, RecursionError) as error:
            raise self._damaged(str(error)) from None
        if not _is_table(table):
            raise self._damaged("it is no table of rules")
        return table  # type: ignore[no-any-return]

    def _damaged(self, why: str) -> ConfigError:
        return ConfigError(f"{self.path} is damaged ({why}): nothing in it holds.", "Mend the file, or remove it.")

    @contextmanager
    def _changing(self) -> Iterator[dict[str, list[dict[str, object]]]]:
        """The file's table, which is written when the block is done; no other process changes it meanwhile."""
        from filelock import FileLock, Timeout

        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with FileLock(self.path.with_name(f".{FILE}.lock"), timeout=PATIENCE):
                table = self._read()
                yield table
                write_durably(self.path, json.dumps(table, indent=1).encode())
        except (OSError, Timeout) as error:
            said = getattr(error, "strerror", None) or "another process holds it"
            raise WorkspaceError(
                f"{self.path} cannot be written: {said}.", "The rule holds for this session."
            ) from None


def _is_table(table: object) -> bool:
    """Whether it is what we write; a rule that we do not know is passed over, not a damage."""
    return isinstance(table, dict) and all(
        isinstance(entries, list)
        and all(
            isinstance(entry, dict)
            and isinstance(entry.get("rule"), str)
            and isinstance(entry.get("since"), (int, float))
            for entry in entries
        )
        for entries in table.values()
    )


def rules_of(texts: Iterable[str]) -> Iterator[Rule]:
    """The rules of the configuration, whose form the settings have checked."""
    for text in texts:
        rule = rule_of(text)
        assert isinstance(rule, Rule), rule
        yield rule
