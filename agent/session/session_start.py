"""What a session begins with: settings, repository, the run to go on with. What is wrong with them is said in place."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_settings.exceptions import SettingsError

from aci.plain_folder import open_folder
from aci.repository import Repository
from agent.environment_variables import PREFIX
from agent.intake import repository_from
from agent.ownership import ask_for_owner
from agent.session.session import MODES, Start
from agent.settings import HELP, NOWHERE, POLICY, Settings, load_settings, read_toml
from trajectories.errors import ConfigError, NoRepository, UsageError


def start(
    repo: str,
    base: str | None,
    subtree: str,
    mode: str,
    flags: Mapping[str, Any],
    run: str | None,
    choose: bool,
    trouble: Sequence[str] = (),
) -> Start:
    """Raises UsageError for a flag or a folder that cannot be used, ConfigError for the administrator's policy. Any
    other config that is broken opens a session with defaults, in which nothing runs until it is mended."""
    if mode not in MODES:
        raise UsageError(f"--mode cannot be {mode!r}.", f"Choose one of {', '.join(MODES)}.")
    folder = repository_from(repo)
    source = _opened(folder, flags)
    flags = {**flags, "subtree": _inside(source, folder, subtree)}

    def load() -> Settings:
        return for_sessions(load_settings(source.file(".swe-agent.toml", base) or b"", **flags))

    broken = False
    try:
        settings = load()
    except ConfigError as error:
        trouble, broken = (*trouble, f"{error.message} {error.fix}"), True
        settings = for_sessions(_defaults(flags))
    directory = settings.run_directory(run) if run else None
    if directory is not None or choose:
        ask_for_owner(settings.state, directory)
    return Start(
        source,
        settings,
        base,
        directory,
        "plan" if source.plain else mode,
        choose=choose and not run,
        given={name: value for name, value in flags.items() if value is not None},
        trouble=tuple(trouble),
        reload=load if broken else None,
    )


def _opened(folder: Path, flags: Mapping[str, Any]) -> Repository:
    """A folder without git, or without a commit, is opened too: to be read and asked about. Raises UsageError."""
    try:
        return Repository.open(folder)
    except NoRepository:
        if not folder.is_dir():
            raise
    try:
        state = load_settings(**flags).state
    except ConfigError:
        state = _defaults(flags).state
    return open_folder(folder, state)


def for_sessions(settings: Settings) -> Settings:
    """Most of what is asked for in a session changes tests with the code; who wants them kept says so in the config.
    Nothing is delivered unless the user says so."""
    kept = {"update_tests": True} if "update_tests" not in settings.model_fields_set else {}
    return settings.model_copy(update=kept | NOWHERE)


def _inside(source: Repository, folder: Path, subtree: str) -> str | None:
    """A folder as it is named from here, as the repository names it. Raises UsageError for one that is not in it."""
    if not subtree:
        return None
    path = (folder / subtree).resolve()
    if not path.is_relative_to(source.root) or not path.is_dir():
        raise UsageError(f"There is no folder {subtree} in {source.root}.", "Name one with --subtree.")
    return path.relative_to(source.root).as_posix()


class _Defaults(Settings):
    """Settings that heed no environment."""

    @classmethod
    def settings_customise_sources(cls, settings_cls: Any, init_settings: Any, *_: Any, **__: Any) -> tuple[Any, ...]:
        return (init_settings,)


def _defaults(flags: Mapping[str, Any]) -> Settings:
    """What is given by flags and policy, and by the environment where that is not what is broken."""
    given = {name: value for name, value in flags.items() if value is not None} | read_toml(POLICY)
    try:
        return Settings(**given)
    except (ValidationError, SettingsError):
        state = {"state": Path(folder)} if (folder := os.environ.get(f"{PREFIX}STATE")) else {}
    try:
        return _Defaults(**(state | given))
    except ValidationError as error:
        problem = error.errors()[0]
        raise UsageError(f"{problem['loc'][0]} cannot be used: {problem['msg']}.", HELP) from None
