"""Forks: new runs that start with another run's history up to a step and are then resumed."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.config.settings import NOWHERE, Settings, load_settings
from agent.conversation.model_roles import assign_roles, validate_models
from agent.run_state.merge_base import EFFECT
from agent.run_state.run_ownership import UNTRUSTED, is_own, register
from agent.run_state.run_settings import has_untrusted_origin, recorded_settings
from agent.run_state.turn_state import MAIN
from agent.runs.run_lookup import find_step
from agent.version import __version__
from extensions.replay.untrusted_run import safe_trajectory, settings_of_untrusted_run
from trajectories.errors import RunBroken, TryLater, UsageError, WorkspaceError
from trajectories.file_limits import is_in
from trajectories.git_store.git_commands import check_objects, create_store, sync_folder
from trajectories.git_store.trees import Trees
from trajectories.journal import encode, first_record, lock_run, read, write_durably
from trajectories.migrations import is_version_note
from trajectories.records import Base, Hold, Note, Record, Run, Settle, Step, Turn, record_time
from trajectories.trajectory import REPLAY, Trajectory, replay_of

if TYPE_CHECKING:
    from aci.repository.user_repository import Repository

EFFECT_NOTES = frozenset({"intent", "done"})
"""Kinds of notes about effects on the user's repository."""
STORED = "trees.git/objects"
PACKS = f"{STORED}/pack"
COPIED = (STORED, PACKS, "out")
"""Folders to copy; in this order, objects that `gc` packs during the copy are still found in the packs."""
NOT_COPIED = shutil.ignore_patterns("new-*", "tmp_*", "*.lock", "multi-pack-index*", "alternates")
NEVER_CHANGED = re.compile(r"pack-[0-9a-f]+\.\w+|[0-9a-f]{38}|[0-9]+")
"""Pattern for the names of files that never change: packs, loose objects, outputs."""


@dataclass(frozen=True, slots=True)
class Origin:
    """The point of a run from which a fork starts: a step, or the last record if `step` is None."""

    directory: Path
    trajectory: Trajectory
    run: Run
    step: Step | None
    untrusted: Mapping[str, Any] | None = None
    """The recorded settings of an untrusted run; `trajectory` and `run` do not contain them."""

    @property
    def name(self) -> str:
        return f"{self.run.id}@{self.step.id}" if self.step else self.run.id

    @property
    def records(self) -> list[Record]:
        """The parent's records up to and including the step."""
        records = self.trajectory.records
        return records[: records.index(self.step) + 1] if self.step else records

    @property
    def deeds(self) -> list[Note]:
        """Notes about a session's effects on the user's files up to the step.

        If the step is the last one, later notes are included too, because they describe the current files. Notes about
        the delivery of a run are left out, because the fork delivers its own result.
        """
        at_end = self.trajectory.steps[MAIN][-1:] == [self.step]
        records = self.trajectory.records if at_end else self.records
        notes = [record for record in records if isinstance(record, Note) and record.kind in EFFECT_NOTES]
        known = {note.data.get(EFFECT) for note in notes if note.kind == "done" and _is_of_session(note)}
        return [note for note in notes if _is_of_session(note) and note.data[EFFECT] in known]

    @property
    def turn(self) -> Turn:
        """The turn that contains the step."""
        return next(record for record in reversed(self.records) if isinstance(record, Turn))

    def overrides(self, before: bool = False) -> dict[str, Any]:
        """Return the settings changed by turns up to and including the step's turn; `before` excludes the step's
        turn."""
        turns = [record for record in self.records if isinstance(record, Turn)]
        return {name: value for turn in turns[: -1 if before else None] for name, value in turn.settings.items()}


def _is_of_session(note: Note) -> bool:
    """Return whether a note is about a session's effect; the names of such effects are numbered (`apply 2`), and the
    notes on them have more data than those on the delivery to a branch `2`."""
    has_more = not note.data.keys() <= {EFFECT, "branch", "commit"}
    return has_more and re.fullmatch(r"\w+ [0-9]+", str(note.data.get(EFFECT, ""))) is not None


def find_origin(name: str, settings: Settings, at: Path | None = None, trusted: bool = False) -> Origin:
    """Return the origin that `RUN@STEP` names; STEP is a step such as `main#7`, or `7` for short.

    A `trusted` run counts as the user's own wherever it is. For an untrusted run, `at` is the path of its repository;
    None means the current folder. Raises UsageError, and RunBroken for a damaged run.
    """
    run, mark, step = name.rpartition("@")
    if not mark or not run or not step:
        raise UsageError(f"{name!r} is not a step of a run.", "Write RUN@STEP, as in 20260101-120000-abcdef@main#7.")
    whole = run_as_origin(settings.run_directory(run), settings, at, trusted)
    found = find_step(whole.trajectory, step, whole.directory.name)
    if found.reply is not None and (found.branch, found.reply) not in whole.trajectory.replies:
        raise RunBroken(f"The reply of step {found.id} is missing in {whole.run.id}.", "Fork another step.")
    return replace(whole, step=found)


def run_as_origin(directory: Path, settings: Settings, at: Path | None = None, trusted: bool = False) -> Origin:
    """Return an origin for a whole run; see `find_origin`."""
    trajectory = read(directory)
    run = first_record(trajectory, directory)
    if trusted or is_own(directory, trajectory, settings.state):
        return Origin(directory, trajectory, run, None)
    safe = safe_trajectory(trajectory, at or Path.cwd(), settings.prompts)
    return Origin(directory, safe, first_record(safe, directory), None, recorded_settings(trajectory))


def copy_untrusted_run(directory: Path, settings: Settings, flags: Mapping[str, Any], at: Path | None = None) -> Path:
    """Copy an untrusted run so that it can be resumed with the user's settings and `flags`; return the copy's folder.

    `at` is the path of the run's repository; None means the current folder. Raises the same errors as
    `settings_of_untrusted_run` and `fork`.
    """
    whole = run_as_origin(directory, settings, at)
    return fork(whole, settings_of_untrusted_run(whole.untrusted or {}, directory, settings, flags))


def fork_settings(origin: Origin, **flags: Any) -> Settings:
    """Return the settings of a fork: the parent's settings, overridden by `flags` (None means not given), with the
    current model tables.

    For an untrusted run, the parent's settings come from `settings_of_untrusted_run`. Delivery settings (`apply`,
    `branch`, `pr`) are not inherited. Raises UsageError and ConfigError.
    """
    if (replayed := replay_of(origin.trajectory)) and not flags.get("model"):
        raise UsageError(
            f"{origin.run.id} is a replay of {replayed} and has no model.",
            f"Name one with --model, or fork a step of {replayed}.",
        )
    if origin.untrusted is not None:
        given = {name: value for name, value in flags.items() if value is not None}
        today = load_settings(**given)
        delivery = {name: given.get(name, nothing) for name, nothing in NOWHERE.items()}
        return settings_of_untrusted_run(origin.untrusted, origin.directory, today, given).model_copy(update=delivery)
    combined = origin.run.settings | origin.overrides()
    recorded = {name: value for name, value in combined.items() if name in Settings.model_fields}
    recorded.pop("copy_files", None)  # only the user's own configuration names them
    given = {name: value for name, value in flags.items() if value is not None}
    # Flags are checked alone first, so that errors name a bad flag, not the parent's settings.
    checked = load_settings(**given)
    models = recorded.pop("models", {}) | {name: table.model_dump() for name, table in checked.models.items()}
    return load_settings(**(recorded | NOWHERE | given | {"models": models}))


def fork(origin: Origin, settings: Settings, hint: str = "", name: str = "") -> Path:
    """Write the new run, called `name` or a generated name, and return its folder; if this fails, the folder is
    removed.

    It contains the parent's records up to and including the step, without costs, and its own copy of the parent's
    objects (hard links if possible). `hint`, if given, is the next message to the model on the step's branch. Raises
    ConfigError, UsageError, RunBroken and WorkspaceError.
    """
    settings, _ = validate_models(settings, origin.turn.strategy)
    source = _source(origin, settings)
    source.check_delivery(settings.apply, settings.branch)
    with copy_run(origin.directory, settings, name, trusted=origin.untrusted is None) as directory:
        run = replace(
            origin.run,
            base=origin.run.base if origin.untrusted is None else _base(origin, source, directory),
            id=directory.name,
            settings=settings.recorded(),
            versions=origin.run.versions | {"swe-agent": __version__},
            at=record_time(),
        )
        records = [run, *_history(origin, settings), *_fork_notes(origin, hint)]
        lines = b"".join(map(encode, records))
        register(directory, settings.state, lines)
        write_durably(directory / "journal.jsonl", lines)
    return directory


def _source(origin: Origin, settings: Settings) -> Repository:
    from aci.repository.plain_folder import reopen_repository

    at, commit = origin.run.repository, origin.run.base.commit
    if origin.untrusted is None:
        return reopen_repository(at, settings.state, commit)
    try:
        source = reopen_repository(at, settings.state, commit)
        source.commit(commit)
    except UsageError:
        what = f"The run in {origin.directory} started at commit {commit[:10]}, which is not in {at}."
        raise UsageError(what, "Change to your clone of its repository, and try again.") from None
    return source


def _base(origin: Origin, source: Repository, directory: Path) -> Base:
    """Return the base, read from the commit in the user's own repository. Raises UsageError if its files differ from
    the recorded ones."""
    with Trees(directory / "trees.git") as trees:
        base = source.base(trees, origin.run.base.commit)
    if base.tree != origin.run.base.tree:
        what = f"The run in {origin.directory} did not start with the files of its commit {base.commit[:10]}."
        raise UsageError(what, "Start a new run instead.")
    return base


def _history(origin: Origin, settings: Settings) -> Iterator[Record]:
    """Yield the parent's records up to the step, without costs and with the notes in `deeds`. Any exit among them
    belongs to an earlier turn."""
    deeds, records = origin.deeds, origin.records
    for record in [*records, *(deed for deed in deeds if deed not in records)]:
        match record:
            case Run() | Hold() | Settle():
                pass
            case Note() if record.kind == REPLAY or is_version_note(record):
                pass
            case Note() if record.kind in EFFECT_NOTES and record not in deeds:
                pass
            case Turn() if record is origin.turn:
                changed = _changed_settings(origin, settings)
                yield replace(record, models=assign_roles(settings, record.strategy), settings=changed)
            case _:
                yield record


def _changed_settings(origin: Origin, settings: Settings) -> dict[str, Any]:
    """Return the fork's settings that differ from those of its run and of earlier turns."""
    wanted = settings.recorded()
    inherited = wanted | origin.overrides(before=True)
    return {name: value for name, value in wanted.items() if value != inherited[name]}


def _fork_notes(origin: Origin, hint: str) -> Sequence[Note]:
    from aci.observation.secret_masking import mask_secrets
    from agent.engine.engine import known_secrets

    step, hint = origin.step, mask_secrets(hint, known_secrets(os.environ))
    data: dict[str, Any] = {"run": origin.run.id} | ({"step": step.id} if step else {})
    if origin.untrusted is not None or has_untrusted_origin(origin.trajectory):
        data[UNTRUSTED] = True
    forked = Note("main", "forked", f"Forked from {origin.name}.", data)
    return (forked, Note(step.branch if step else MAIN, "message", hint)) if hint else (forked,)


@contextmanager
def copy_run(source: Path, settings: Settings, name: str = "", trusted: bool = True) -> Iterator[Path]:
    """Create the folder of a new run and copy another run's objects and outputs into it; they are checked unless
    `trusted`.

    The folder is removed if the body of the `with` statement fails. Raises RunBroken if there are no objects,
    WorkspaceError if they cannot be copied.
    """
    from agent.lifecycle.run_lifecycle import MAKE_ROOM, new_folder

    try:
        with new_folder(settings, name) as directory, ExitStack() as held:
            if trusted:
                with suppress(TryLater, OSError):  # if another process works on the run, it only adds files
                    held.callback(lock_run(source).release)
            elif (source / "trees.git").exists():
                check_objects(source / "trees.git")
            _copy_files(source, directory, _link if trusted else _copy)
            if not trusted:
                _check_objects(directory)
            held.close()
            yield directory
    except OSError as error:
        why = error.args[0][0][-1] if isinstance(error, shutil.Error) else error.strerror or error
        named = f" ({error.filename})" if error.filename else ""
        raise WorkspaceError(f"The run cannot be copied to {settings.runs}: {why}{named}.", MAKE_ROOM) from error


def _check_objects(directory: Path) -> None:
    """Copy the objects into a new store by content, because the index of an untrusted pack may give wrong ids."""
    theirs = directory / "theirs.git"
    (directory / "trees.git").rename(theirs)
    with Trees(directory / "trees.git") as trees:
        trees.take_all(theirs / "objects")
    shutil.rmtree(theirs)


def _copy_files(source: Path, target: Path, copy: Callable[[str, str], None]) -> None:
    """Copy a run's objects and outputs, without symbolic links, into a store with its own configuration.

    Raises OSError, and RunBroken if there are no objects.
    """
    there = [name for name in COPIED if (source / name).is_dir() and is_in(source / name, source)]
    if STORED not in there:
        raise RunBroken(f"The files of {source.name} are missing.", "Copy the run's whole folder, including trees.git.")
    for name in there:
        shutil.copytree(source / name, target / name, copy_function=copy, ignore=_ignored_names)
    for folder in filter(Path.is_dir, target.rglob("*")):
        sync_folder(folder)
    create_store(target / "trees.git")


def _ignored_names(folder: str, names: list[str]) -> set[str]:
    links = {name for name in names if Path(folder, name).is_symlink()}
    packs = {"pack"} if folder.endswith(STORED) else set()
    return links | packs | NOT_COPIED(folder, names)


def _link(source: str, target: str) -> None:
    """Hard-link a file that never changes, if the file system supports it; copy any other file."""
    if NEVER_CHANGED.fullmatch(Path(source).name):
        try:
            os.link(source, target)
        except OSError:  # another file system, or one without hard links
            pass
        else:
            return
    _copy(source, target)


def _copy(source: str, target: str) -> None:
    shutil.copy2(source, target)
    with Path(target).open("rb") as file:
        os.fsync(file.fileno())
