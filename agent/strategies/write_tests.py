"""Write tests for functions: they cover what none covers, notice mutants that none notices, and hold each time.

Without a model it is a search after DynaMOSA with inputs drawn by Hypothesis, malicious ones among them.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING

from agent.consent import REFUSED, may_test
from agent.moves.covering import Cover, beside, command_of, targets_of
from agent.outcome import Outcome
from trajectories.errors import UsageError
from trajectories.records import Verdict

if TYPE_CHECKING:
    from agent.task import Task
    from trajectories.records import Step

ROLES = ()
AUTHOR = "write-tests"
MOST_DROPPED = 5


def solve(task: Task) -> Generator[Step, None, Outcome]:
    """For each file: what its tests do, a search, a file of tests; in the end the other tests beside them."""
    words: list[str] = []
    if not may_test(task):
        yield task.say(REFUSED, author=AUTHOR)
        return Outcome(task.base.tree, Verdict(), "not_found")
    targets = targets_of(task.settings.function)
    for path, names in targets.items():
        try:
            yield from _covered(task, Cover(task, path, names, len(targets)), words)
        except UsageError as error:
            words.append(f"{path}: {error.message} {error.fix}".strip())
    if task.tree == task.base.tree:
        yield task.say("\n".join(["No test was written.", *words]), author=AUTHOR)
        return Outcome(task.base.tree, Verdict(), "not_found")
    task.note("phase", "run the other tests beside them")
    verdict = beside(task, command_of(task))
    words += verdict.notes
    if verdict.lost:
        words.insert(0, f"No test is kept, as others fail beside them: {', '.join(verdict.lost[:MOST_DROPPED])}.")
        yield task.adopt(task.base.tree, words[0], author=AUTHOR)
        yield task.say("\n".join(words), author=AUTHOR)
        return Outcome(task.base.tree, verdict, "not_found")
    yield task.say("\n".join(words), author=AUTHOR)
    return Outcome(task.tree, verdict, "written")


def _covered(task: Task, cover: Cover, words: list[str]) -> Generator[Step, None, None]:
    """The tests of one file, adopted, and what is to be said of them."""
    if not cover.subjects:
        words.append(f"{cover.path} has no function to test.")
        return
    task.note("phase", f"see what tests do for {cover.path}")
    before = cover.standing()
    task.note("phase", f"search for tests of {cover.path}")
    found = cover.found()
    cases, dropped = cover.holding(found.cases, found.module)
    start = cover.reach(before.arcs, before.killed, found.usable)
    if not cases:
        why = "every test that was found changed from run to run" if dropped or found.unsteady else found.why
        words.append(f"{cover.what}: no test would reach more than there is ({start}): {why}.")
        words += _more(found.trouble, dropped, found.harms)
        return
    tree = task.trees.write({cover.place(): cover.text(cases, found.module).encode()}, task.tree)
    after = cover.reach(before.arcs | found.arcs, before.killed | found.killed, found.usable)
    told = [
        f"{cover.place()}: {len(cases)} tests of {cover.what}, from {found.tried} calls tried; {found.why}.",
        f"Before: {start}." + (f" {before.said}" if before.said else ""),
        f"After:  {after}.",
        *_more(found.trouble, dropped, found.harms),
    ]
    left = cover.survivors(before.killed | found.killed, found.usable)
    told += ["Mutants that no test notices:", *(f"- {one}" for one in left)] if left else []
    task.note("summary", told[0], before=str(start), after=str(after))
    yield task.adopt(tree, "\n".join(told), author=AUTHOR)
    words += told


def _more(trouble: object, dropped: list[str], harms: object) -> list[str]:
    """What breaks, what was dropped, and what was not tried."""
    told = []
    if isinstance(trouble, tuple) and trouble:
        told += ["What looks wrong, and is no test:", *(f"- {one}" for one in trouble)]
    if dropped:
        told.append(f"Dropped, as they do not pass each time: {'; '.join(dropped[:MOST_DROPPED])}.")
    if isinstance(harms, dict) and harms:
        named = ", ".join(f"{name} ({count} times)" for name, count in sorted(harms.items()))
        told.append(f"Stopped before it did harm, and not tested: {named}.")
    return told
