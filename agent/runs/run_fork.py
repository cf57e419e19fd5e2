"""A new run with another's history up to a step: what `fork` makes, and then goes on with as `resume` would."""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.casting import cast, checked
from agent.ownership import UNTRUSTED, is_own, register
from agent.run_origin import has_untrusted_origin
from agent.run_settings import of_untrusted_run, recorded_in
from agent.settings import NOWHERE, Settings, load_settings
from agent.standing import MAIN
from agent.synced import EFFECT
from agent.untrusted_run import conversation_of
from trajectories.errors import RunBroken, TryLater, UsageError, WorkspaceError
from trajectories.journal import encode, first_record, locked, read, write_durably
from trajectories.limits import is_in
from trajectories.migrations import is_goes_on
from trajectories.parting import REPLAY, replay_of
from trajectories.plumbing import create_store, sync_folder
from trajectories.read_only_store import check_objects
from trajectories.records import Base, Hold, Note, Record, Run, Settle, Step, Turn
from trajectories.trajectory import Trajectory
from trajectories.trees import Trees

if TYPE_CHECKING:
    from aci.repository import Repository

DEEDS = frozenset({"intent", "done"})
"""Notes about what was done to the user's repository."""
STORED = "trees.git/objects"
PACKS = f"{STORED}/pack"
COPIED = (STORED, PACKS, "out")
"""In this order: what `gc` puts into a pack meanwhile is in one by the time that packs are copied."""
NOT_COPIED = shutil.ignore_patterns("new-*", "tmp_*", "*.lock", "multi-pack-index*", "alternates")
NEVER_CHANGED = re.compile(r"pack-[0-9a-f]+\.\w+|[0-9a-f]{38}|[0-9]+")
"""Packs, loose objects, outputs."""
MOST_NAMED = 12


@dataclass(frozen=True, slots=True)
class Origin:
    """A step of a run on disk, where a fork begins; without a step its last record."""

    directory: Path
    trajectory: Trajectory
    run: Run
    step: Step | None
    untrusted: Mapping[str, Any] | None = None
    """The recorded settings of a run that is not the user's own; `trajectory` and `run` are without them."""

    @property
    def name(self) -> str:
        return f"{self.run.id}@{self.step.id}" if self.step else self.run.id

    @property
    def records(self) -> list[Record]:
        """The parent's up to and with the step."""
        records = self.trajectory.records
        return records[: records.index(self.step) + 1] if self.step else records

    @property
    def deeds(self) -> list[Note]:
        """What a session did to the user's files up to the step; after the last one too, for it says what they hold
        now. What a run was to deliver its fork delivers anew."""
        at_end = self.trajectory.steps[MAIN][-1:] == [self.step]
        records = self.trajectory.records if at_end else self.records
        notes = [record for record in records if isinstance(record, Note) and record.kind in DEEDS]
        known = {note.data.get(EFFECT) for note in notes if note.kind == "done" and _is_of_session(note)}
        return [note for note in notes if _is_of_session(note) and note.data[EFFECT] in known]

    @property
    def turn(self) -> Turn:
        """The turn that the step is of."""
        return next(record for record in reversed(self.records) if isinstance(record, Turn))

    def overrides(self, before: bool = False) -> dict[str, Any]:
        """What the turns up to the step's changed of the run's settings; without its own `before` it."""
        turns = [record for record in self.records if isinstance(record, Turn)]
        return {name: value for turn in turns[: -1 if before else None] for name, value in turn.settings.items()}


def _is_of_session(note: Note) -> bool:
    """A session numbers what it does: `apply 2`."""
    return re.fullmatch(r"\w+ [0-9]+", str(note.data.get(EFFECT, ""))) is not None and len(note.data) > 1


def origin(name: str, settings: Settings, at: Path | None = None, trusted: bool = False) -> Origin:
    """What `RUN@STEP` names; STEP is `main#7`, or `7` for that. A `trusted` run is the user's own wherever it lies; one
    that is not is about the repository `at` a path, the current folder if None. Raises UsageError, and RunBroken for a
    damaged run."""
    run, mark, step = name.rpartition("@")
    if not mark or not run or not step:
        raise UsageError(f"{name!r} names no step of a run.", "Write RUN@STEP, as in 20260101-120000-abcdef@main#7.")
    whole = whole_run(settings.run_directory(run), settings, at, trusted)
    found = step_of(whole.trajectory, step, whole.directory.name)
    if found.reply is not None and (found.branch, found.reply) not in whole.trajectory.replies:
        raise RunBroken(f"The reply of step {found.id} is not on the record of {whole.run.id}.", "Fork another step.")
    return replace(whole, step=found)


def whole_run(directory: Path, settings: Settings, at: Path | None = None, trusted: bool = False) -> Origin:
    """All of a run, as `origin` says."""
    trajectory = read(directory)
    run = first_record(trajectory, directory)
    if trusted or is_own(directory, trajectory, settings.state):
        return Origin(directory, trajectory, run, None)
    safe = conversation_of(trajectory, at or Path.cwd(), settings.prompts)
    return Origin(directory, safe, first_record(safe, directory), None, recorded_in(trajectory))


def step_of(trajectory: Trajectory, name: str, run: str) -> Step:
    """The step called `main#7`, or `7` for that; of `main?3`, a request to the model, the step that acted its reply.
    Raises UsageError that says which there are."""
    asked, mark, ask = name.rpartition("?")
    if mark:
        branch = asked or "main"
        for step in trajectory.steps.get(branch, []):
            if str(step.reply) == ask:
                return step
        raise UsageError(
            f"{name} names a request to the model, and no step of {run} acted its reply.",
            f"Steps are named as {branch}#7; `swe-agent show {run}` shows them.",
        )
    branch, _, number = name.rpartition("#")
    branch = branch or "main"
    steps = trajectory.steps.get(branch, [])
    for step in steps:
        if str(step.n) == number:
            return step
    if steps:
        there = f"{branch} has the steps 1 to {steps[-1].n}"
    else:
        branches = sorted(branch for branch, steps in trajectory.steps.items() if steps)
        more = " …" if len(branches) > MOST_NAMED else ""
        there = f"its branches with steps are {', '.join(branches[:MOST_NAMED])}{more}" if branches else "it has none"
    raise UsageError(f"The run {run} has no step {branch}#{number}; {there}.", f"`swe-agent show {run}` shows them.")


def adopt(directory: Path, settings: Settings, flags: Mapping[str, Any], at: Path | None = None) -> Path:
    """Copy a run that is not the user's own, to continue the copy under the user's settings, `flags` of the command
    among them: write it and return its directory. `at` is where its repository is, the current folder if None. Raises
    as `of_untrusted_run` and `fork` do."""
    whole = whole_run(directory, settings, at)
    return fork(whole, of_untrusted_run(whole.untrusted or {}, directory, settings, flags))


def settings_of(origin: Origin, **flags: Any) -> Settings:
    """The parent's settings with these flags changed (None: not given), and the user's model tables as they are today;
    of an untrusted run those of `of_untrusted_run`.

    What the parent was to deliver (`apply`, `branch`, `pr`) the fork is not, unless it is asked for again. Raises
    UsageError and ConfigError.
    """
    if (of := replay_of(origin.trajectory)) and not flags.get("model"):
        raise UsageError(
            f"{origin.run.id} is a replay of {of} and has no model.", f"Name one with --model, or fork a step of {of}."
        )
    if origin.untrusted is not None:
        given = {name: value for name, value in flags.items() if value is not None}
        today = load_settings(**given)
        delivery = {name: given.get(name, nothing) for name, nothing in NOWHERE.items()}
        return of_untrusted_run(origin.untrusted, origin.directory, today, given).model_copy(update=delivery)
    said = origin.run.settings | origin.overrides()
    recorded = {name: value for name, value in said.items() if name in Settings.model_fields}
    given = {name: value for name, value in flags.items() if value is not None}
    checked = load_settings(**given)  # so that a bad flag is named, and not the parent's settings
    models = recorded.pop("models", {}) | {name: table.model_dump() for name, table in checked.models.items()}
    return load_settings(**(recorded | NOWHERE | given | {"models": models}))


def fork(origin: Origin, settings: Settings, hint: str = "", name: str = "") -> Path:
    """Write the new run, of that name or a new one, and return its directory; nothing is left behind when that fails.

    It has the parent's records up to and with the step, none of its costs, and objects of its own (hard links). With
    a hint the model reads that next on the step's branch. Raises ConfigError, UsageError, RunBroken and WorkspaceError.
    """
    from agent.solve import VERSION

    settings, _ = checked(settings, origin.turn.strategy)
    source = _source(origin, settings)
    source.check_delivery(settings.apply, settings.branch)
    with copied(origin.directory, settings, name, trusted=origin.untrusted is None) as directory:
        run = replace(
            origin.run,
            base=origin.run.base if origin.untrusted is None else _base(origin, source, directory),
            id=directory.name,
            settings=settings.recorded(),
            versions=origin.run.versions | {"swe-agent": VERSION},
            at=time.time(),
        )
        records = [run, *_history(origin, settings), *_news(origin, hint)]
        lines = b"".join(map(encode, records))
        register(directory, settings.state, lines)
        write_durably(directory / "journal.jsonl", lines)
    return directory


def _source(origin: Origin, settings: Settings) -> Repository:
    from aci.plain_folder import reopened

    at, commit = origin.run.repository, origin.run.base.commit
    if origin.untrusted is None:
        return reopened(at, settings.state, commit)
    try:
        source = reopened(at, settings.state, commit)
        source.commit(commit)
    except UsageError:
        what = f"The run in {origin.directory} began at commit {commit[:10]}, which is not in {at}."
        raise UsageError(what, "Change to your clone of its repository, and try again.") from None
    return source


def _base(origin: Origin, source: Repository, directory: Path) -> Base:
    """The user's own commit, whose files the patch is against and the proof begins with. Raises UsageError where the
    record says that they are others."""
    with Trees(directory / "trees.git") as trees:
        base = source.base(trees, origin.run.base.commit)
    if base.tree != origin.run.base.tree:
        what = f"The run in {origin.directory} did not begin with the files of its commit {base.commit[:10]}."
        raise UsageError(what, "Begin a new run instead.")
    return base


def _history(origin: Origin, settings: Settings) -> Iterator[Record]:
    """The parent's records from its first turn up to the step, without what it cost, and with its deeds. An exit
    among them is that of an earlier turn."""
    deeds, records = origin.deeds, origin.records
    for record in [*records, *(deed for deed in deeds if deed not in records)]:
        match record:
            case Run() | Hold() | Settle():
                pass
            case Note() if record.kind == REPLAY or is_goes_on(record):
                pass
            case Note() if record.kind in DEEDS and record not in deeds:
                pass
            case Turn() if record is origin.turn:
                changed = _changed(origin, settings)
                yield replace(record, models=cast(settings, record.strategy), settings=changed)
            case _:
                yield record


def _changed(origin: Origin, settings: Settings) -> dict[str, Any]:
    """What the fork's settings are beside what its run and earlier turns say."""
    wanted = settings.recorded()
    said = wanted | origin.overrides(before=True)
    return {name: value for name, value in wanted.items() if value != said[name]}


def _news(origin: Origin, hint: str) -> Sequence[Note]:
    from aci.view import mask
    from agent.engine import known_secrets

    step, hint = origin.step, mask(hint, known_secrets(os.environ))
    data: dict[str, Any] = {"run": origin.run.id} | ({"step": step.id} if step else {})
    if origin.untrusted is not None or has_untrusted_origin(origin.trajectory):
        data[UNTRUSTED] = True
    forked = Note("main", "forked", f"Forked from {origin.name}.", data)
    return (forked, Note(step.branch if step else MAIN, "message", hint)) if hint else (forked,)


@contextmanager
def copied(source: Path, settings: Settings, name: str = "", trusted: bool = True) -> Iterator[Path]:
    """The folder of a new run with another's objects and outputs, which are checked unless it is `trusted`; nothing is
    left of it when what is done with it fails. Raises RunBroken where there are no objects, WorkspaceError where they
    cannot be copied."""
    from agent.solve import MAKE_ROOM, new_folder

    try:
        with new_folder(settings, name) as directory, ExitStack() as held:
            if trusted:
                with suppress(TryLater, OSError):  # whoever else works on it only adds to it
                    held.callback(locked(source).release)
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
    """Put the copied objects into a new store, by their content: an index of packs may give another's id to them."""
    theirs = directory / "theirs.git"
    (directory / "trees.git").rename(theirs)
    with Trees(directory / "trees.git") as trees:
        trees.take_all(theirs / "objects")
    shutil.rmtree(theirs)


def _copy_files(source: Path, target: Path, copy: Callable[[str, str], None]) -> None:
    """A run's objects and outputs: hard links where they can be, durable copies elsewhere. A link that somebody put
    there leads nowhere, and a store is configured by us. Raises OSError, and RunBroken where there are no objects."""
    there = [name for name in COPIED if (source / name).is_dir() and is_in(source / name, source)]
    if STORED not in there:
        raise RunBroken(
            f"The files of {source.name} are not there.", "Copy the whole folder of the run, trees.git too."
        )
    for name in there:
        shutil.copytree(source / name, target / name, copy_function=copy, ignore=_left)
    for folder in filter(Path.is_dir, target.rglob("*")):
        sync_folder(folder)
    create_store(target / "trees.git")


def _left(folder: str, names: list[str]) -> set[str]:
    links = {name for name in names if Path(folder, name).is_symlink()}
    packs = {"pack"} if folder.endswith(STORED) else set()
    return links | packs | NOT_COPIED(folder, names)


def _link(source: str, target: str) -> None:
    """What git and the journal never change once it is there is shared, where the file system can."""
    if NEVER_CHANGED.fullmatch(Path(source).name):
        try:
            os.link(source, target)
        except OSError:  # another file system, or one without links
            pass
        else:
            return
    _copy(source, target)


def _copy(source: str, target: str) -> None:
    shutil.copy2(source, target)
    with Path(target).open("rb") as file:
        os.fsync(file.fileno())
