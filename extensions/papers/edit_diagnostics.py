"""Diagnostics after an edit: new inconsistencies, reported to the model in a separate step."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Any

from aci.observation.untrusted_text import clean_text, one_line, quote_text
from agent.engine.permission_checks import may_test
from extensions.papers.diagnostics import CHECKERS, MOST_TEXT, Checker, find_checkers, new_errors, run_checker
from extensions.papers.static_checks import ConsistencyError, find_inconsistencies
from trajectories.plugins import installed_module

if TYPE_CHECKING:
    from agent.engine.task import Task
    from trajectories.records import Step

SERVERS = "extensions.papers.edit_diagnostics"
"""The kind of plug-in that asks language servers."""
AUTHOR, DIAGNOSTICS, SILENT = "checker", "diagnostics ", "said nothing: "
MOST = 12
FOUND = "New diagnostics after your edit (static analysis, not all of them need be errors):\n{lines}"
NOTHING = "The diagnostics after your edit are fixed."


class EditDiagnostics:
    """The diagnostics of a conversation. `news` says whether the last step caused new diagnostics."""

    def __init__(self, task: Task) -> None:
        self._task, self._tree = task, task.tree
        self._last_shown = _last_shown(task)
        self.news = False

    def after(self, step: Step) -> Generator[Step, None, None]:
        """Yield a step with the diagnostics if both the files and the diagnostics changed in this step."""
        self.news = False
        task = self._task
        if task.tree == self._tree:
            return
        self._tree = task.tree
        found = [ConsistencyError(*one) for one in task.once(f"{DIAGNOSTICS}{step.n}", lambda: _find_new(task))]
        known = {(one.path, one.text) for one in found}
        if known == self._last_shown:
            return
        self.news, self._last_shown = bool(known - self._last_shown), known
        lines = "\n".join(map(str, found))
        yield task.say(FOUND.format(lines=quote_text(lines)) if found else NOTHING, author=AUTHOR)


def _last_shown(task: Task) -> set[tuple[str, str]]:
    """Return the diagnostics that were last shown in this conversation."""
    known = task.branch.known(DIAGNOSTICS)
    last = max((name for name in known if _step(name) <= len(task.branch.steps)), key=_step, default="")
    return {(path, text) for path, _, text in known[last]} if last else set()


def _step(name: str) -> int:
    return int(name.removeprefix(DIAGNOSTICS))


def _find_new(task: Task) -> list[tuple[str, int, str]]:
    """Return diagnostics of the changed files that the base does not have."""
    changed = [one for one in task.trees.changed(task.turn.base.tree, task.tree) if one.path.isprintable()]
    now = [one.path for one in changed if one.status != "D"]
    before = [path for path in now if task.trees.entry(task.turn.base.tree, path)]
    found = new_errors(_misfits(task, task.tree, now), _misfits(task, task.turn.base.tree, before))
    if may_test(task.branch):
        found += _run_checkers(task, now, before)
    return [(one.path, one.line, one.text) for one in found[:MOST]]


def _run_checkers(task: Task, now: Sequence[str], before: Sequence[str]) -> list[ConsistencyError]:
    """Return new diagnostics of the environment's checkers, which run in forks of the workspace because they may write
    files.

    Files for which the environment has a language server are not checked again. A checker that fails once is not run
    again.
    """
    found, served = _ask_servers(task, now, before)
    now = [path for path in now if path not in served]
    if not now:
        return found
    kinds = sorted({path.rpartition(".")[2] for path in now})
    names = task.once(
        f"checkers for {' '.join(kinds)}", lambda: [one.name for one in find_checkers(task.workspace, now)]
    )
    for checker in (
        one for one in CHECKERS if one.name in names and f"{SILENT}{one.name}" not in task.branch.known(SILENT)
    ):
        found_now = _run_in_fork(task, checker, task.tree, now)
        mine = [path for path in before if path.endswith(checker.suffixes)] if found_now else []
        was = [_at_the_base(task, checker, path) for path in mine]
        if found_now is None or None in was:
            task.once(f"{SILENT}{checker.name}", lambda: True)
        else:
            found += new_errors(found_now, [one for each in was for one in each or ()])
    return found


def _ask_servers(task: Task, now: Sequence[str], before: Sequence[str]) -> tuple[list[ConsistencyError], set[str]]:
    """Return the new diagnostics of the environment's language servers, and the files that these checked."""
    found: list[ConsistencyError] = []
    served: set[str] = set()
    kinds: dict[str, list[str]] = {}
    servers = installed_module(SERVERS)
    if servers is None:
        return found, served
    for path in now:
        server = servers.server_for(task.workspace, path).program
        if server:
            kinds.setdefault(server.name, []).append(path)
    for paths in kinds.values():
        states = (task.turn.base.tree, task.tree)
        answer = servers.find_diagnostics(task.workspace, task.trees, states, {path: path in before for path in paths})
        if answer is not None:
            was, is_now = ([_error(one) for one in side] for side in answer)
            found += new_errors(is_now, was)
            served.update(paths)
    return found, served


def _error(one: Any) -> ConsistencyError:
    return ConsistencyError(one.path, one.line, one_line(clean_text(one.text))[:MOST_TEXT])


def _at_the_base(task: Task, checker: Checker, path: str) -> list[ConsistencyError] | None:
    def check() -> list[tuple[str, int, str]] | None:
        found_now = _run_in_fork(task, checker, task.turn.base.tree, [path])
        return None if found_now is None else [(one.path, one.line, one.text) for one in found_now]

    known = task.once(f"{checker.name} of {path} at the base", check)
    return None if known is None else [ConsistencyError(*one) for one in known]


def _run_in_fork(task: Task, checker: Checker, tree: str, paths: Sequence[str]) -> list[ConsistencyError] | None:
    with closing(task.branch.place.fork(tree)) as workspace:
        return run_checker(workspace, checker, paths)


def _misfits(task: Task, tree: str, paths: Sequence[str]) -> list[ConsistencyError]:
    def read(path: str) -> bytes | None:
        try:
            return task.trees.read(tree, path)
        except OSError:
            return None

    return [one for path in paths if path.endswith((".py", ".pyi")) for one in find_inconsistencies(path, read)]
