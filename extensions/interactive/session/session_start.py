"""The start of a session: settings, repository and the run to resume. Problems with them are reported in the
session."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_settings.exceptions import SettingsError

from aci.repository.plain_folder import open_folder
from aci.repository.user_repository import Repository
from agent.config.environment_variables import PREFIX
from agent.config.settings import HELP, NOWHERE, POLICY, Settings, load_settings, read_toml
from agent.config.validation_reason import validation_reason
from agent.config.workspace_choice import choose_workspace
from agent.console.rich_terminal import plain_waiting
from agent.inputs.issue_input import repository_from
from agent.run_state.run_ownership import ask_for_owner
from trajectories.errors import ConfigError, NoRepository, UsageError

MODES = ("build", "plan")


@dataclass(frozen=True, slots=True)
class Start:
    """The data with which a session starts. `run` is the folder of a run to resume; with `choose`, the user chooses the
    run. `request` is what the user asks first.

    `run_name` is the name of the run that the first request starts; "" for one from the time. With `in_editor`, no
    file outside the repository is attached to a request, and the user's own commands do not run in the workspace
    `local`: an editor is not trusted to send what only the user typed.

    `given` are settings from flags, which also apply to a resumed run. `trouble` contains problems that are reported
    first. `reload` reads the settings again. If the config is invalid (`broken`), nothing runs until that succeeds.
    """

    source: Repository
    settings: Settings
    base: str | None = None
    run: Path | None = None
    mode: str = "build"
    choose: bool = False
    subtree: str = ""
    given: Mapping[str, Any] = field(default_factory=dict)
    trouble: tuple[str, ...] = ()
    reload: Callable[[], Settings] | None = None
    broken: bool = False
    request: str = ""
    run_name: str = ""
    in_editor: bool = False


def start(
    repo: str,
    base: str | None,
    subtree: str,
    mode: str,
    flags: Mapping[str, Any],
    run: str | None,
    choose: bool,
    trouble: Sequence[str] = (),
    newest: bool = False,
    request: str = "",
) -> Start:
    """Return the data with which the session starts; with `newest`, it resumes the newest run of the repository.

    Raises UsageError for an invalid flag or folder, ConfigError for an invalid administrator's policy. With any other
    invalid config the session opens with defaults, and nothing runs until the config is fixed.
    """
    if mode not in MODES:
        raise UsageError(f"--mode cannot be {mode!r}.", f"Choose one of {', '.join(MODES)}.")
    folder = repository_from(repo, plain_waiting)
    source = _open_repository(folder, flags)
    flags = {**flags, "subtree": _path_in_repository(source, folder, subtree)}

    def load() -> Settings:
        settings = load_settings(source.file(".swe-agent.toml", base) or b"", **flags)
        return session_settings(choose_workspace(settings, lambda text: None))

    broken = False
    try:
        settings = load()
    except ConfigError as error:
        trouble, broken = (*trouble, f"{error.message} {error.fix}"), True
        settings = session_settings(_defaults(flags))
    directory = settings.run_directory(run) if run else None
    if newest:
        from agent.runs.resumable_runs import runs_of

        known = (found for found in runs_of(settings.runs, source.root) if not found.is_proof)
        directory = next((settings.runs / found.name for found in known), None)
        if directory is None:
            trouble = (*trouble, f"There is no earlier run of {source.root}; this is a new one.")
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
        reload=load,
        broken=broken,
        request=request,
    )


def _open_repository(folder: Path, flags: Mapping[str, Any]) -> Repository:
    """Open a repository; a folder without git or without a commit is opened for reading. Raises UsageError."""
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


def session_settings(settings: Settings) -> Settings:
    """Return settings for a session: tests may be changed unless the config forbids it, and nothing is delivered."""
    kept = {"update_tests": True} if "update_tests" not in settings.model_fields_set else {}
    return settings.model_copy(update=kept | NOWHERE)


def _path_in_repository(source: Repository, folder: Path, subtree: str) -> str | None:
    """Return the path of a subfolder relative to the repository's root. Raises UsageError if the folder is not in the
    repository."""
    if not subtree:
        return None
    path = (folder / subtree).resolve()
    if not path.is_relative_to(source.root) or not path.is_dir():
        raise UsageError(f"There is no folder {subtree} in {source.root}.", "Name one with --subtree.")
    return path.relative_to(source.root).as_posix()


class _Defaults(Settings):
    """Settings that ignore environment variables."""

    @classmethod
    def settings_customise_sources(cls, settings_cls: Any, init_settings: Any, *_: Any, **__: Any) -> tuple[Any, ...]:
        return (init_settings,)


def _defaults(flags: Mapping[str, Any]) -> Settings:
    """Return settings from flags and policy, and from the environment if it is valid."""
    given = {name: value for name, value in flags.items() if value is not None} | read_toml(POLICY)
    try:
        return Settings(**given)
    except (ValidationError, SettingsError):
        state = {"state": Path(folder)} if (folder := os.environ.get(f"{PREFIX}STATE")) else {}
    try:
        return _Defaults(**(state | given))
    except ValidationError as error:
        name = error.errors()[0]["loc"][0]
        raise UsageError(f"Invalid value for {name}: {validation_reason(error)}.", HELP) from None
