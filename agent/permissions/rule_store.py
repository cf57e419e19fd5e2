"""Stored rules: from the configuration, from the session, and for the project in the user's state.

A rule that denies takes precedence over all that allow; `agent/permissions/decisions.py` applies the rules.
"""

from __future__ import annotations

import json
import os
import shlex
import stat
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Literal

from agent.permissions.rules import Rule, parse_rule
from trajectories.errors import ConfigError, WorkspaceError
from trajectories.journal import write_durably

if TYPE_CHECKING:
    from agent.permissions.permission_table import PermissionTable

By = Literal["config", "project", "session"]
FILE = "permissions.json"
PATIENCE = 10.0
"""Maximum number of seconds to wait for another process that has locked the file."""


@dataclass(frozen=True, slots=True)
class StoredRule:
    """An allowing rule and where it is stored; `since` is in seconds since the epoch, or 0 for a rule of the
    configuration."""

    rule: Rule
    by: By
    since: float = 0.0


class Permissions:
    """The rules that apply in one repository. Threads may share this object, and processes may share the file."""

    def __init__(self, state: Path, repository: Path, config: Callable[[], PermissionTable]) -> None:
        self.path = state / FILE
        self._repository = str(repository.resolve())
        self._config = config
        self._session: list[StoredRule] = []
        self._lock = Lock()

    def allow_rules(self) -> tuple[StoredRule, ...]:
        """Return all allowing rules, in the order in which they are numbered for the user. Raises ConfigError."""
        with self._lock:
            session = tuple(self._session)
        return (*self._of_config(), *self._of_project(self._read()), *session)

    def without_file(self) -> tuple[StoredRule, ...]:
        """Return the rules that apply if the file cannot be read."""
        with self._lock:
            return (*self._of_config(), *self._session)

    @property
    def denied(self) -> tuple[Rule, ...]:
        return tuple(parse_rules(self._config().deny))

    def _of_config(self) -> Iterator[StoredRule]:
        return (StoredRule(rule, "config") for rule in parse_rules(self._config().allow))

    def keep(self, rules: Iterable[Rule], by: By) -> None:
        """Store allowing rules.

        Raises ConfigError for a damaged file and WorkspaceError for one that cannot be written; in both cases the rules
        apply to the session only.
        """
        now = time.time()
        if by == "project":
            try:
                with self._locked_table() as table:
                    have = {kept.rule for kept in self._of_project(table)}
                    new = [{"rule": str(rule), "since": now} for rule in rules if rule not in have]
                    table[self._repository] = [*table.get(self._repository, []), *new]
                return
            except (ConfigError, WorkspaceError):
                self.keep(rules, "session")
                raise
        with self._lock:
            have = {kept.rule for kept in self._session}
            self._session += [StoredRule(rule, by, now) for rule in rules if rule not in have]

    def remove(self, kept: StoredRule) -> None:
        """Remove an allowing rule. Raises the same errors as `keep`."""
        if kept.by == "project":
            with self._locked_table() as table:
                left = [entry for entry in table.get(self._repository, []) if entry["rule"] != str(kept.rule)]
                table[self._repository] = left
        with self._lock:
            self._session = [each for each in self._session if each != kept]

    # Reading and writing the file

    def _of_project(self, table: dict[str, list[dict[str, object]]]) -> Iterator[StoredRule]:
        for entry in table.get(self._repository, []):
            rule = parse_rule(str(entry["rule"]))
            if isinstance(rule, Rule):
                yield StoredRule(rule, "project", float(str(entry["since"])))

    def _read(self) -> dict[str, list[dict[str, object]]]:
        try:
            with self.path.open("rb") as file:
                about = os.fstat(file.fileno())
                if about.st_uid != os.getuid() or stat.S_IMODE(about.st_mode) & 0o022:
                    raise ConfigError(
                        f"{self.path} can be written by other users, so its rules are ignored.",
                        f"chmod 600 {shlex.quote(str(self.path))}",
                    )
                table = json.loads(file.read())
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, RecursionError) as error:
            raise self._damage_error(str(error)) from None
        if not _is_table(table):
            raise self._damage_error("it is not a table of rules")
        return table  # type: ignore[no-any-return]

    def _damage_error(self, why: str) -> ConfigError:
        return ConfigError(f"{self.path} is damaged ({why}), so its rules are ignored.", "Fix the file, or remove it.")

    @contextmanager
    def _locked_table(self) -> Iterator[dict[str, list[dict[str, object]]]]:
        """Yield the file's table while the file is locked against other processes, and write it when the context
        ends."""
        from filelock import FileLock, Timeout

        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with FileLock(self.path.with_name(f".{FILE}.lock"), timeout=PATIENCE):
                table = self._read()
                yield table
                write_durably(self.path, json.dumps(table, indent=1).encode())
        except (OSError, Timeout) as error:
            reason = getattr(error, "strerror", None) or "another process has locked it"
            raise WorkspaceError(
                f"{self.path} cannot be written: {reason}.", "The rule applies to this session only."
            ) from None


def _is_table(table: object) -> bool:
    """Return whether the data has the format of the file. Unknown rules are skipped; they are not an error."""
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


def parse_rules(texts: Iterable[str]) -> Iterator[Rule]:
    """Yield the parsed rules of the configuration, whose format was already validated with the settings."""
    for text in texts:
        rule = parse_rule(text)
        assert isinstance(rule, Rule), rule
        yield rule
