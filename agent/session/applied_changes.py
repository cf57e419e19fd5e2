"""The session's changes on their way to the user's working tree, and back: three-way, by hunk, asked before.

What both have (`agent/synced.py`), the session's files and the user's are merged; only what comes of the session's
changes is written. So the user's own edits stay, and what cannot be merged stays as the user has it, and is named.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from functools import partial
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING

from aci.hunks import Part, parts, taken
from aci.merging import Conflict, Merged, merge
from agent.approvals import Approval
from agent.host_edits import seen_changed
from agent.link_names import names_through_links
from agent.session import effects
from agent.synced import EFFECT, MOVED, present, synced
from agent.synced import effects as done_effects
from trajectories.errors import SweAgentError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from threading import Event
    from typing import Any

    from agent.engine import Engine
    from agent.session.session import Session

BACK, PARTLY = "back", "partly"
"""In an effect's data: the name of the one that it takes back, whole or in part."""
OVERLOOKED = "git is told to overlook your edits of it; git update-index {option} {path} ends that"
SOLVE = "Ask for them to be worked in: the session gets your edits with your next request, then say /apply again."


def engine_of(session: Session) -> Engine:
    """Raises UsageError where nothing was begun yet."""
    if session.engine is None:
        raise UsageError("The session has changed nothing yet.", "Say what to do first.")
    return session.engine


def both(engine: Engine) -> str:
    """The tree that session and user have in common."""
    return synced(engine.trees, engine.trajectory, engine.run.base.tree).tree


def ours(engine: Engine) -> str:
    """The session's files as they are now."""
    return present(engine.trajectory, engine.run.base.tree)


def noticed(session: Session) -> tuple[str, ...]:
    """The files that the user changed and the session has not taken over: two commands of git, so ask now and then.
    From any thread; none where it cannot be told."""
    engine = session.engine
    try:
        return tuple(change.path for change in seen_changed(engine)[2]) if engine else ()
    except (SweAgentError, OSError):
        return ()


def settle(session: Session) -> None:
    """Bring to its end what a process that died had begun to apply; tells what was found."""
    for text in effects.settle(engine_of(session)):
        session.tell(text)


def named(engine: Engine, words: Sequence[str]) -> tuple[str, ...]:
    """Paths as trees have them, of what the user wrote."""
    root = engine.repository.root
    found = []
    for word in words:
        path = Path(word).expanduser()
        inside = path.relative_to(root) if path.is_absolute() and path.is_relative_to(root) else path
        found.append(inside.as_posix().rstrip("/"))
    return tuple(found)


def apply(session: Session, words: Sequence[str] = ()) -> bool:
    """Ask, and write what is agreed to; whether anything was. `words` are paths; all if there are none."""
    engine = engine_of(session)
    if engine.repository.bare:
        raise UsageError(f"{engine.repository.root} is bare: it has no files.", "Use /commit --branch NAME.")
    settle(session)
    base, mine = both(engine), ours(engine)
    every = parts(engine.trees, base, mine, named(engine, words))
    if not every:
        where = f" in {' '.join(words)}" if words else ""
        session.tell(f"There is nothing to apply: you have all that the session changed{where}.")
        return False
    chosen = _agreed(session, engine, base, every)
    if not chosen:
        return False
    wanted = taken(engine.trees, base, mine, chosen, every)
    host = engine.working_tree.tree()  # again: the user may have gone on while being asked
    merged = _merged(engine, base, host, wanted)
    if merged.conflicts:
        wanted = engine.trees.overlay(wanted, base, merged.paths)
    if host == merged.tree and base == wanted:
        session.tell(_left(merged, "Nothing was applied.", SOLVE), "error")
        return False
    data = {EFFECT: effects.name(engine, "apply"), "host": host, "after": merged.tree, MOVED: [base, wanted]}
    _write(engine, data, f"{_files(engine, base, wanted)} applied to {engine.repository.root}.")
    session.tell(_left(merged, f"Applied to {_files(engine, base, wanted)}. /apply --undo takes it back.", SOLVE))
    return True


def _agreed(session: Session, engine: Engine, base: str, every: Sequence[Part]) -> list[Part]:
    """The parts that the user wants; none for a no."""
    paths = list(dict.fromkeys(part.path for part in every))
    all_of_it = taken(engine.trees, base, ours(engine), every, every)
    merged = _merged(engine, base, engine.working_tree.tree(), all_of_it)
    if len(set(merged.paths)) == len(every):  # each part is of a file of its own, and none can be had
        session.tell(_left(merged, "Nothing was applied.", SOLVE), "error")
        return []
    count = f"{len(every)} changes" if len(every) > 1 else "1 change"
    title = f"Apply {count} in {counted(paths)} to {engine.repository.root}?"
    answer = session.ask(
        Approval(
            "apply",
            _left(merged, title),
            subject="\n".join(paths),
            detail="".join(part.text for part in every) if len(every) == 1 else engine.trees.diff(base, all_of_it),
            parts=tuple(part.text for part in every),
            other_names=partial(names_through_links, engine.trees, base, all_of_it),
            cancel=never(),
        )
    )
    if not answer.yes:
        session.tell(f"Nothing was applied. {answer.reason}".strip())
        return []
    numbers = range(len(every)) if answer.chosen is None else answer.chosen
    chosen = [part for number, part in enumerate(every) if number in numbers]
    if not chosen:
        session.tell("Nothing was applied: no part was chosen.")
    return chosen


def take_back(session: Session) -> None:
    """Ask, and take what was applied last out of the user's files again; what the user did since stays."""
    engine = engine_of(session)
    settle(session)
    if not standing(engine):
        session.tell("There is nothing to take back: nothing that was applied stands.")
        return
    before = engine.working_tree.tree()
    for last in reversed(standing(engine)):
        merged = _merged(engine, last["after"], before, last["host"])
        if merged.tree != before or not merged.conflicts:
            break
        text = f"Nothing of what was applied to {_files(engine, last['host'], last['after'])} can be taken back."
        session.tell(_left(merged, text, "Take your own changes of these lines out, then say /apply --undo again."))
    else:
        return
    if merged.tree != before:
        paths = [change.path for change in engine.trees.changed(before, merged.tree)]
        title = f"Take back what was applied to {counted(paths)} in {engine.repository.root}?"
        detail = engine.trees.diff(before, merged.tree)
        asked = Approval(
            "apply",
            _left(merged, title),
            subject="\n".join(paths),
            detail=detail,
            cancel=never(),
            other_names=partial(names_through_links, engine.trees, before, merged.tree),
        )
        answer = session.ask(asked)
        if not answer.yes:
            session.tell(f"Nothing was taken back. {answer.reason}".strip())
            return
        before = engine.working_tree.tree()
        merged = _merged(engine, last["after"], before, last["host"])
    now = both(engine)
    old, new = last[MOVED]
    since = merge(engine.trees, new, now, old).tree
    if merged.conflicts:
        since = engine.trees.overlay(since, now, merged.paths)
    data = {
        EFFECT: effects.name(engine, "apply"),
        "host": before,
        "after": merged.tree,
        MOVED: [now, since],
        PARTLY if merged.conflicts else BACK: last[EFFECT],
    }
    _write(engine, data, f"What was applied to {_files(engine, before, merged.tree)} was taken back.")
    told = f"Taken back from {_files(engine, before, merged.tree)}. The session still has it: /apply brings it again."
    if merged.tree == before and not merged.conflicts:
        told = "Your files no longer contain what was applied last."
    session.tell(_left(merged, told, "They are as you have them."))


def standing(engine: Engine) -> list[Mapping[str, Any]]:
    """What was applied and not taken back, oldest first."""
    found = list(done_effects(engine.trajectory, "apply"))
    back = {data[BACK] for data in found if BACK in data}
    return [data for data in found if not {BACK, PARTLY} & data.keys() and data[EFFECT] not in back]


def tell_what_stands(session: Session) -> None:
    """After going back: what was applied is still in the user's files, who has to say whether it is to go."""
    engine = session.engine
    if engine and standing(engine) and both(engine) != ours(engine):
        session.tell(
            "Your own files still have what was applied: /apply makes them follow, /apply --undo takes it out."
        )


def _merged(engine: Engine, base: str, host: str, theirs: str) -> Merged:
    """The user's files with what was changed since `base`. One that git ignores is in no tree, and stays."""
    merged, root = merge(engine.trees, base, host, theirs), engine.repository.root
    changes = engine.trees.changed(host, merged.tree)
    gone = {change.path for change in changes if change.status == "D"}
    found = {change.path: _in_the_way(root, change.path, gone) for change in changes if change.status == "A"}
    kept = tuple(Conflict(path, f"you have {what} that git ignores") for path, what in found.items() if what)
    overlooked = engine.working_tree.overlooked(host, {change.path for change in changes})
    kept += tuple(
        Conflict(path, OVERLOOKED.format(option=option, path=quote(path))) for path, option in overlooked.items()
    )
    if not kept:
        return merged
    tree = engine.trees.overlay(merged.tree, host, [conflict.path for conflict in kept])
    return Merged(tree, (*merged.conflicts, *kept))


def _in_the_way(root: Path, path: str, gone: Collection[str]) -> str:
    """What keeps a new file from being written at `path`: "one" of that name, or a file or a link in place of a folder
    above it. Paths in `gone` are deleted in the same step and do not count."""
    for above in reversed(Path(path).parents[:-1]):
        if str(above) in gone:
            return ""
        if (root / above).is_symlink():
            return f"the link {above}"
        if (root / above).exists() and not (root / above).is_dir():
            return f"the file {above}"
    return "one" if os.path.lexists(root / path) else ""


def _write(engine: Engine, data: Mapping[str, Any], text: str) -> None:
    def do() -> Mapping[str, Any]:
        effects.write(engine, data["host"], data["after"])
        return {}

    effects.recorded(engine, data, do, text)


def _left(merged: Merged, text: str, fix: str = "") -> str:
    """The text, and which files stay as the user has them."""
    if not merged.conflicts:
        return text
    return f"{text} Left out, because you changed them too: {', '.join(map(str, merged.conflicts))}. {fix}".strip()


def _files(engine: Engine, old: str, new: str) -> str:
    return counted([change.path for change in engine.trees.changed(old, new)])


def counted(paths: Sequence[str]) -> str:
    """`a.py`, or `3 files`."""
    return paths[0] if len(paths) == 1 else f"{len(paths)} files"


def never() -> Event:
    """A question of the user's own command is not ended by the interrupt of a turn that was before it."""
    from threading import Event

    return Event()
