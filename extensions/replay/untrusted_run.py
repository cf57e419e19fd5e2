"""The safe part of an untrusted run: its issue, its conversation and its files.

An untrusted record cannot choose the model, its API key and address, the workspace, the limits or the repository; it
cannot deliver anything and proves nothing. Its recorded results are computed again, and the current prompts and tools
are used.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aci.repository.user_repository import Repository
from agent.config.settings import NOWHERE, OF_REPOSITORY, WITHOUT_MEMORY, Settings
from agent.engine.branch import EFFECTS
from agent.engine.strategy_prompts import load_prompts
from agent.run_state.run_settings import ISOLATION
from tools.base import Toolbox
from trajectories.errors import NoRepository, UsageError
from trajectories.facts import Fact
from trajectories.records import Exit, Note, Observation, Record, Reply, Run, Step, Turn
from trajectories.trajectory import Trajectory
from trajectories.verdict import Verdict

if TYPE_CHECKING:
    from pydantic import TypeAdapter

OF_PROCESS = EFFECTS - {"message", "overflow"}
"""Kinds of notes about approvals, effects on the user's files, and the process."""
DATA: Mapping[str, object] = {
    **dict.fromkeys(("back_to", "files", "matches", "passed", "rewind", "turns"), int),
    **dict.fromkeys(("assumed", "granularity", "last_line", "path", "summary", "title", "tree", "unchanged"), str),
    **dict.fromkeys(("complete", "submitted", "timed_out", "told"), bool),
    **dict.fromkeys(("code", "passing"), int | None),
    "counts": dict[str, int],
    "failed": list[str],
    "failures": list[dict[str, str | int | None]],
    "seconds": float,
}
"""Types of the structured data that tools and strategies add to observations."""
FAILURE = frozenset({"id", "path", "error", "at", "missing", "message"})
OF_TESTS = frozenset({"complete", "failed", "failures", "passed", "passing", "tree"})
"""Keys in the data of a test run; `passing` is removed unless all of them are present."""
ENDS_WITHOUT_PROOF = frozenset(
    {"answered", "asked", "budget", "done", "error", "interrupted", "limit", "not_found", "open", "stuck", "undone"}
    | {"unproven"}
)
"""Exit kinds that do not claim that anything was tested."""
UNCHANGED_ENDS = frozenset({"answered", "done", "undone"})
"""Exit kinds with exit code 0 if no file differs from the base."""
NOT_RUN_HERE = "This proof comes from an untrusted run. It was not run on this machine."


def safe_trajectory(trajectory: Trajectory, at: Path, prompts: Path | None) -> Trajectory:
    """Return the run without records that act for the user, and with the repository at the path `at`.

    `prompts` is the folder of the user's own prompts. Raises UsageError for a strategy that is not installed.
    """
    root = repository_path(at)
    own = {turn.strategy: load_prompts(turn.strategy, prompts) for turn in trajectory.turns}
    base = trajectory.run.base.tree if trajectory.run else ""
    records = (
        _ending(record, base) if isinstance(record, Exit) else _safe(record, root, own) for record in trajectory.records
    )
    return Trajectory(record for record in records if record is not None)


def settings_of_untrusted_run(
    said: Mapping[str, Any], where: Path, today: Settings, flags: Mapping[str, Any]
) -> Settings:
    """Return the user's current settings, with `image`, `setup`, `test` and `serve` from the record where the user has
    not set them.

    Raises UsageError for an image that a repository would not be allowed to choose, and if the run's commands would run
    without isolation although `flags` does not request it.
    """
    from aci.environments.registries import image_refusal

    if today.workspace == "local" and flags.get("workspace") != "local":
        raise UsageError(f"{where} is not among your runs, and its commands would run without isolation.", ISOLATION)
    theirs = {name: said[name] for name in sorted(OF_REPOSITORY) if isinstance(said.get(name), str) and said[name]}
    theirs = {name: value for name, value in theirs.items() if name not in today.model_fields_set}
    if why := image_refusal(theirs.get("image", "")) if "image" in theirs else "":
        what = f"The image {theirs['image'][:80]!r} of the run in {where} is not used: {why}."
        raise UsageError(what, "If you trust it, name it with --image.")
    return today.model_copy(update={**theirs, **NOWHERE, **WITHOUT_MEMORY})


def repository_path(at: Path) -> str:
    """Return the repository to use for an untrusted run: the one at this path, regardless of the recorded one."""
    try:
        return str(Repository.open(at).root)
    except NoRepository:
        return str(at.resolve())


def _images(urls: tuple[str, ...]) -> tuple[str, ...]:
    """Keep only images that are embedded in the record, because the model's provider would fetch any other URL."""
    return tuple(url for url in urls if url.startswith("data:image/"))


def _observation(seen: Observation) -> Observation:
    """Return an observation with only the known data of the expected types."""
    data = {name: value for name, value in seen.data.items() if name in DATA and _is(value, DATA[name])}
    if not all(failure.keys() >= FAILURE for failure in data.get("failures", ())):
        del data["failures"]
    if not data.keys() >= OF_TESTS:
        data.pop("passing", None)
    return replace(seen, data=data)


def _is(value: object, kind: object) -> bool:
    try:
        _adapter(kind).validate_python(value, strict=True)
    except ValueError:
        return False
    return True


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    from pydantic import TypeAdapter

    return TypeAdapter(kind)


def _safe(record: Record, root: str, prompts: Mapping[str, Mapping[str, str]]) -> Record | None:
    """Return what may be copied of a record; None for costs, effects, and kinds of records not named here."""
    match record:
        case Note() if record.kind in OF_PROCESS:
            return None
        case Run():
            comments = tuple(replace(comment, trust="stranger") for comment in record.issue.comments)
            images = _images(record.issue.images)
            issue = replace(record.issue, trust="stranger", comments=comments, images=images)
            tools = Toolbox().schemas()
            return replace(record, issue=issue, repository=root, settings={}, prompts={}, versions={}, tools=tools)
        case Turn():
            own = dict(prompts[record.strategy])
            return replace(record, models={}, settings={}, prompts=own, images=_images(record.images))
        case Step() if record.author == "proof":
            asked: object = next((seen.data["asked"] for seen in record.observations if "asked" in seen.data), {})
            verdict = asdict(Verdict("unproven", facts=(Fact("limit", NOT_RUN_HERE),)))
            data = {"verdict": verdict, "asked": asked}
            return replace(record, observations=(Observation(NOT_RUN_HERE, ok=False, data=data),))
        case Step():
            return replace(record, observations=tuple(map(_observation, record.observations)))
        case Reply() | Note() | Exit():
            return record
    return None


def _ending(exit: Exit, base: str) -> Exit:
    """Return an exit without its verdict and message. Its code is 0 only if no file was changed."""
    kind = exit.kind if exit.kind in ENDS_WITHOUT_PROOF else "unproven"
    code = 0 if kind in UNCHANGED_ENDS and exit.tree in ("", base) else exit.code or 6
    return replace(exit, kind=kind, code=code, verdict=Verdict(), message="", fix="")
