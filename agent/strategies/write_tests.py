"""Write tests for functions: they cover what none covers, notice mutants that none notices, and hold each time.

Without a model it is a search after DynaMOSA with inputs drawn by Hypothesis, malicious ones among them; a model is
asked, after CodaMosa (ICSE 2023), ChatUniTest (FSE 2024) and HITS (ASE 2024), for what it leaves.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING

from aci.generating.changes import targets_of
from agent.consent import REFUSED, may_test
from agent.moves.covering import Cover, beside, command_of
from agent.moves.more_tests import More, asked
from agent.outcome import Outcome
from trajectories.errors import UsageError
from trajectories.records import Verdict

if TYPE_CHECKING:
    from aci.generating.exercise import Seen
    from aci.generating.writing import Found
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
        except OSError:
            words.append(f"{path}: there is no such file.")
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
    """The tests of one file, adopted, and what is to be said of them.

    What the search finds is adopted before a model is asked, so that a run that is stopped has it.
    """
    if not cover.subjects:
        words.append(f"{cover.path} has no function to test.")
        return
    task.note("phase", f"see what tests do for {cover.path}")
    before = cover.standing()
    task.note("phase", f"search for tests of {cover.path}")
    found = cover.found()
    cases, dropped = cover.holding(found.cases, found.module)
    if cases:
        tree = task.trees.write({cover.place(): cover.text(cases, found.module).encode()}, task.tree)
        yield task.adopt(tree, f"{cover.place()}: {len(cases)} tests by the search.", author=AUTHOR)
    killed = found.killed if len(cases) == len(found.cases) else cover.noticed(cases, found.usable)
    more = More(cover, found, set(before.arcs | cover.arcs(cases)), set(before.killed | killed))
    if task.settings.model:
        task.note("phase", f"ask for tests of {cover.path}")
        yield from asked(task, more)
        cases, others = _with(cover, cases, more.cases, found.module)
        dropped += others
        by_model = sum(not one.case.call for one in cases)
        if by_model:
            tree = task.trees.write({cover.place(): cover.text(cases, found.module).encode()}, task.tree)
            yield task.adopt(tree, f"{cover.place()}: {by_model} more by the model.", author=AUTHOR)
        if by_model == len(more.cases):
            killed = frozenset(more.killed)
        elif by_model:
            killed = cover.noticed(cases, found.usable)
    killed |= before.killed
    start = cover.reach(before.arcs, before.killed, found.usable)
    after = cover.reach(before.arcs | cover.arcs(cases), killed, found.usable)
    if cases:
        written = sum(not one.case.call for one in cases)
        said = f", {written} tests by the model" if written else ""
        told = [
            f"{cover.place()}: {len(cases)} tests of {cover.what}, from {found.tried} calls tried{said}; {found.why}.",
            f"Before: {start}." + (f" {before.said}" if before.said else ""),
            f"After:  {after}.",
        ]
    else:
        why = "every test that was found changed from run to run" if found.unsteady else found.why
        why = "none of the tests that were found passes in the repository's runner" if dropped else why
        told = [f"{cover.what}: no test would reach more than there is ({start}): {why}."]
    task.note("summary", told[0], before=str(start), after=str(after))
    if cases and (needs := cover.needs(found.module)):
        told.append(needs)
    words += [*told, *_more(found, dropped)]
    if cases and (left := cover.survivors(killed, found.usable)):
        words += ["Mutants that no test notices:", *(f"- {one}" for one in left)]


def _with(cover: Cover, cases: list[Seen], written: list[Seen], module: str) -> tuple[list[Seen], list[str]]:
    """The cases of the search with those of the model's tests that hold, alone and beside them; and what was dropped.

    Alone first: what ends the runner then takes no other test with it.
    """
    good, dropped = cover.holding(written, module, 1) if written else ([], [])
    if not good:
        return cases, dropped
    both, others = cover.holding([*cases, *good], module)
    return (both if all(one in both for one in cases) else cases), dropped + others


def _more(found: Found, dropped: list[str]) -> list[str]:
    """What breaks, what was dropped, and what was not tried."""
    told = []
    if found.trouble:
        told += ["What looks wrong, and is no test:", *(f"- {one}" for one in found.trouble)]
    if dropped:
        told.append(f"Dropped, as they do not pass each time: {'; '.join(dropped[:MOST_DROPPED])}.")
    if found.harms:
        named = ", ".join(f"{name} ({count} times)" for name, count in sorted(found.harms.items()))
        told.append(f"Stopped before it did harm, and not tested: {named}.")
    return told
