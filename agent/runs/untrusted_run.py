"""What is used of a run that is not the user's own: its issue, its conversation and its files.

A record that somebody else wrote chooses no model, key, address, workspace, limit or repository, delivers nothing, and
proves nothing. Its results are computed again, with the prompts and tools of today.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aci.repository import Repository
from agent.solve import prompts_of
from agent.task import EFFECTS
from tools.base import Toolbox
from trajectories.errors import NoRepository
from trajectories.records import Exit, Hold, Note, Observation, Once, Record, Run, Settle, Step, Turn, Verdict
from trajectories.trajectory import Trajectory

if TYPE_CHECKING:
    from pydantic import TypeAdapter

OF_PROCESS = EFFECTS - {"message", "overflow"}
"""Notes about what a user allowed, what was done to a user's files, and how the process went."""
DATA: Mapping[str, object] = {
    **dict.fromkeys(("back_to", "files", "matches", "passed", "rewind", "turns"), int),
    **dict.fromkeys(("granularity", "path", "summary", "title", "tree", "unchanged"), str),
    **dict.fromkeys(("complete", "submitted", "told"), bool),
    **dict.fromkeys(("code", "passing"), int | None),
    "counts": dict[str, int],
    "failed": list[str],
    "failures": list[dict[str, str | int | None]],
    "seconds": float,
}
"""What tools and strategies leave for programs in an observation."""
FAILURE = frozenset({"id", "path", "error", "at", "missing", "message"})
OF_TESTS = frozenset({"complete", "failed", "failures", "passed", "passing", "tree"})
"""What is read together."""
ENDS_WITHOUT_PROOF = frozenset(
    {"answered", "budget", "done", "error", "interrupted", "limit", "not_found", "open", "stuck", "undone", "unproven"}
)
"""How a run may end without a claim that anything was tested."""
UNCHANGED_ENDS = frozenset({"answered", "done", "undone"})
"""Those with exit code 0 if no file differs from the base."""
NOT_RUN_HERE = "A proof was recorded here by somebody else. It was not run on this machine."


def conversation_of(trajectory: Trajectory, at: Path, prompts: Path | None) -> Trajectory:
    """The run without records that act for the user, set in the repository at this path. `prompts` is the folder with
    the user's own prompts. Raises UsageError for a strategy that is not installed here."""
    root = repository_at(at)
    own = {turn.strategy: prompts_of(turn.strategy, prompts) for turn in trajectory.turns}
    base = trajectory.run.base.tree if trajectory.run else ""
    records = (
        _ending(record, base) if isinstance(record, Exit) else _safe(record, root, own) for record in trajectory.records
    )
    return Trajectory(record for record in records if record is not None)


def repository_at(at: Path) -> str:
    """The repository that an untrusted run is about: the one around this path, whatever its record says."""
    try:
        return str(Repository.open(at).root)
    except NoRepository:
        return str(at.resolve())


def _images(urls: tuple[str, ...]) -> tuple[str, ...]:
    """Pictures that are in the record: the model's provider would fetch any other address."""
    return tuple(url for url in urls if url.startswith("data:image/"))


def _observation(seen: Observation) -> Observation:
    """With the data only that programs read, where it has the types that they expect."""
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
    match record:
        case Hold() | Settle() | Once():
            return None
        case Note() if record.kind in OF_PROCESS:
            return None
        case Run():
            said = tuple(replace(comment, trust="stranger") for comment in record.issue.comments)
            images = _images(record.issue.images)
            issue = replace(record.issue, trust="stranger", comments=said, images=images)
            tools = Toolbox().schemas()
            return replace(record, issue=issue, repository=root, settings={}, prompts={}, versions={}, tools=tools)
        case Turn():
            own = dict(prompts[record.strategy])
            return replace(record, models={}, settings={}, prompts=own, images=_images(record.images))
        case Step() if record.author == "proof":
            asked: object = next((seen.data["asked"] for seen in record.observations if "asked" in seen.data), {})
            verdict = asdict(Verdict("unproven", notes=(NOT_RUN_HERE,)))
            data = {"verdict": verdict, "asked": asked}
            return replace(record, observations=(Observation(NOT_RUN_HERE, ok=False, data=data),))
        case Step():
            return replace(record, observations=tuple(map(_observation, record.observations)))
    return record


def _ending(exit: Exit, base: str) -> Exit:
    """How a run or turn ended, without its verdict and its words. It succeeded only if it changed nothing."""
    kind = exit.kind if exit.kind in ENDS_WITHOUT_PROOF else "unproven"
    code = 0 if kind in UNCHANGED_ENDS and exit.tree in ("", base) else exit.code or 6
    return replace(exit, kind=kind, code=code, verdict=Verdict(), message="", fix="")
