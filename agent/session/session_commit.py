"""The session's changes as a commit: exactly these, on the user's branch or a new one. Asked before, on the record."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from aci import committing
from aci.merging import Conflict, merge
from agent.approvals import Approval
from agent.github.runs_itself import is_hook
from agent.link_names import names_through_links
from agent.session import applying, effects
from agent.session.applying import BACK, counted
from agent.session.messages import message
from agent.synced import EFFECT
from agent.synced import effects as done_effects
from trajectories.errors import Cancelled, TryLater, UsageError
from trajectories.records import Base

if TYPE_CHECKING:
    from agent.engine import Engine
    from agent.session.session import Session

OF, TURNS, BRANCH, MESSAGE = "of", "turns", "branch", "message"
"""In a commit's data: the effects that are in it, how many turns there were, where it goes and what it says."""


@dataclass(frozen=True, slots=True)
class Own:
    """`head` with the session's own changes is `tree`; what could not be told from the user's is in `conflicts`.
    `effects` are in it whole."""

    head: Base
    tree: str
    conflicts: tuple[Conflict, ...]
    effects: tuple[str, ...]


def commit(session: Session, words: str) -> None:
    """Apply what is not applied yet, and commit it on the branch that is checked out."""
    engine = applying.engine_of(session)
    _of_git(engine)
    branch = committing.check(engine.repository)
    settle(session)
    if engine.trees.changed(applying.both(engine), applying.ours(engine)) and not applying.apply(session):
        return
    own = _own(engine, _uncommitted(engine))
    paths = _paths(engine, own)
    if not paths:
        session.tell(_left(own, "There is nothing to commit: your last commit holds all that was applied."))
        return
    text = message(engine, words, _turns(engine))
    who = committing.identity(engine.repository)
    detail = engine.trees.diff(own.head.tree, own.tree)
    title = _left(own, f"Commit {counted(paths)} on {branch} as {who}?")
    asked = Approval(
        "commit",
        title,
        subject="\n".join(paths),
        message=text,
        detail=detail,
        cancel=applying.never(),
        other_names=partial(names_through_links, engine.trees, own.head.tree, own.tree),
    )
    answer = session.ask(asked)
    if not answer.yes:
        session.tell(f"Nothing was committed. {answer.reason}".strip())
        return
    with_hooks = _hooks(session, engine)
    done: list[str] = []

    def do() -> Mapping[str, Any]:
        repository, stopped = engine.repository, session.stopped.is_set
        done.append(committing.commit(repository, engine.trees, own.head, own.tree, text, with_hooks, branch, stopped))
        return {"commit": done[-1]}

    said = f"{counted(paths)} committed on {branch}."
    try:
        effects.recorded(engine, _data(engine, own, "commit", branch, text), do, said)
    except Cancelled as error:
        session.tell(f"{error.message} {error.fix}", "notice")
        return
    session.tell(_left(own, f"Commit {done[0][:10]} on {branch}: “{text.partition(chr(10))[0]}”."))


def branch(session: Session, name: str, words: str) -> None:
    """Put the session's changes, applied or not, on a new branch; files, index and present branch stay as they are."""
    engine = applying.engine_of(session)
    _of_git(engine)
    engine.repository.check_delivery(False, name)
    settle(session)
    own = _own(engine, _uncommitted(engine), every=True)
    paths = _paths(engine, own)
    if not paths:
        session.tell(_left(own, "There is nothing to commit: your last commit holds all that the session changed."))
        return
    text = message(engine, words)
    detail = engine.trees.diff(own.head.tree, own.tree)
    title = _left(own, f"Make the branch {name}, with a commit of {counted(paths)} on top of {own.head.commit[:10]}?")
    asked = Approval("branch", title, subject=name, message=text, detail=detail, cancel=applying.never())
    answer = session.ask(asked)
    if not answer.yes:
        session.tell(f"No branch was made. {answer.reason}".strip())
        return
    done: list[str] = []

    def do() -> Mapping[str, Any]:
        done.append(engine.repository.branch(name, own.head, own.tree, engine.trees, text))
        return {"commit": done[-1]}

    effects.recorded(engine, _data(engine, own, "branch", name, text), do, f"The branch {name} was made.")
    session.tell(_left(own, f"Branch {name} is at {done[0][:10]}."))


def settle(session: Session) -> None:
    """See whether a commit was made by a process that died; says so where git is still at it."""
    engine = applying.engine_of(session)
    repository, trees = engine.repository, engine.trees
    for data in [*effects.unknown(engine, "commit"), *effects.unknown(engine, "branch")]:
        own = str(data[EFFECT]).startswith("commit ")
        try:
            committing.recover(repository)
        except TryLater as error:
            session.tell(f"{error.message} {error.fix}", "notice")
            return
        made = committing.made(repository, data["head"], data["tree"], data[MESSAGE], data[BRANCH])
        if made and own:
            committing.follow(repository, trees, repository.base(trees, data["head"]), made)
        text = f"The session ended while it committed on {data[BRANCH]}; the commit {'is' if made else 'is not'} there."
        effects.known(engine, {**data, "commit": made}, bool(made), text)
        session.tell(text)


def _of_git(engine: Engine) -> None:
    if engine.repository.plain:
        fix = "Make it one: git init && git add -A && git commit -m 'first commit'"
        raise UsageError(
            f"{engine.repository.root} has no git repository with a commit: there is nothing to commit to.", fix
        )


def _uncommitted(engine: Engine) -> list[Mapping[str, Any]]:
    """What was applied, and taken back, since it was committed; what came and went in between is not in it."""
    committed = {name for data in done_effects(engine.trajectory, "commit") for name in data[OF]}
    found = [data for data in done_effects(engine.trajectory, "apply") if data[EFFECT] not in committed]
    names = {data[EFFECT] for data in found}
    gone = {data[BACK] for data in found if data.get(BACK) in names}
    return [data for data in found if data[EFFECT] not in gone and data.get(BACK) not in gone]


def _own(engine: Engine, applied: list[Mapping[str, Any]], every: bool = False) -> Own:
    """HEAD with what was applied; with `every`, also with what was not."""
    trees, head = engine.trees, engine.repository.base(engine.trees, "HEAD")
    changes = [(data[EFFECT], data["host"], data["after"]) for data in applied]
    if every:
        changes.append(("", applying.both(engine), applying.ours(engine)))
    tree, conflicts, whole = head.tree, list[Conflict](), list[str]()
    for name, old, new in changes:
        merged = merge(trees, old, tree, new)
        tree = merged.tree
        conflicts += merged.conflicts
        whole += [] if merged.conflicts or not name else [name]
    return Own(head, tree, tuple(conflicts), tuple(whole))


def _hooks(session: Session, engine: Engine) -> bool:
    """Whether the user wants the repository's hooks to run."""
    found = committing.hooks(engine.repository)
    if not found:
        return False
    title = f"Run the repository's hooks too ({', '.join(found)})?"
    detail = "They are this repository's programs, and run on your machine, in no workspace. No commits without them."
    if changed := _changed_hooks(engine, found):
        title = f"Run the repository's hooks too ({', '.join(found)}), of which this session changed {changed}?"
    why = "hooks run what the repository holds by then"
    asked = Approval("hooks", title, "\n".join(found), detail, cancel=applying.never(), why=why)
    return session.ask(asked).yes


def _changed_hooks(engine: Engine, names: Sequence[str]) -> str:
    """Which files came from the session that are hooks, lie beside them, or are what a tool for hooks runs, as words;
    "" for none."""
    hooks = committing.hooks_in_tree(engine.repository, names)
    prefixes = tuple(prefix.casefold() for prefix in map(_prefix, hooks))
    changed = {
        change.path
        for data in done_effects(engine.trajectory, "apply")
        for change in engine.trees.changed(data["host"], data["after"])
    }
    return ", ".join(sorted(path for path in changed if is_hook(path) or f"{path}/".casefold().startswith(prefixes)))


def _prefix(hook: str) -> str:
    """The beginning of the paths of files that the hook may run: all in its folder. husky's `.husky/_/pre-commit` runs
    `.husky/pre-commit`. A hook in the root of the repository stands for itself only."""
    folder = posixpath.dirname(hook)
    if posixpath.basename(folder) == "_":
        return posixpath.join(posixpath.dirname(folder), "")
    return f"{folder or hook}/"


def _data(engine: Engine, own: Own, kind: str, branch: str, message: str) -> dict[str, Any]:
    turns = len(engine.trajectory.turns)
    return {
        EFFECT: effects.name(engine, kind),
        "head": own.head.commit,
        "tree": own.tree,
        BRANCH: branch,
        MESSAGE: message,
        OF: list(own.effects),
        TURNS: turns,
    }


def _turns(engine: Engine) -> int:
    """How many requests the last commit's message was made of."""
    return max((data[TURNS] for data in done_effects(engine.trajectory, "commit")), default=0)


def _paths(engine: Engine, own: Own) -> list[str]:
    return [change.path for change in engine.trees.changed(own.head.tree, own.tree)]


def _left(own: Own, text: str) -> str:
    if not own.conflicts:
        return text
    names = ", ".join(dict.fromkeys(conflict.path for conflict in own.conflicts))
    return f"{text} Left out: {names}, where your own edits, which are not committed, are in the same lines."
