"""Tests by a model for what the search did not reach: asked for, tried, told what failed, until nothing new comes."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aci.generating.answers import callees, read_tests, sliced
from aci.generating.exercise import Case, Exercise, Seen
from aci.generating.reading import Subject
from aci.generating.rendering import HELPERS
from aci.generating.writing import Found, seen_as_json, seen_of
from agent.moves.covering import LIMIT_OF_WRITTEN, Cover
from agent.moves.framing import framed_whole

if TYPE_CHECKING:
    from agent.task import Task
    from trajectories.records import Step

REPAIRS = 2
MOST_TRIED = 40
"""Mutants of which a test that runs new lines must notice one."""
MOST_MUTANTS, MOST_EXAMPLES, MOST_WRONG, LONGEST_SOURCE = 15, 3, 8, 12_000
RAISES = {"pytest": "with pytest.raises(Error):", "unittest": "with self.assertRaises(Error):"}


@dataclass
class More:
    """What tests reach by now: steps and mutants (numbers) of a file, and the cases that are kept."""

    cover: Cover
    found: Found
    arcs: set[tuple[int, int]]
    killed: set[int]
    cases: list[Seen] = field(default_factory=list)
    given_up: set[str] = field(default_factory=set)
    """Functions that were asked about."""

    def left(self) -> tuple[Subject, set[int], list[int]] | None:
        """The function with most left to reach, with its lines that nothing runs and its living mutants."""
        run = {after for _, after in self.arcs}
        alive = self.found.usable - self.killed
        options = []
        for one in self.cover.subjects:
            mutants = [number for number in sorted(alive) if one.first <= self.cover.mutants[number].line <= one.last]
            lines = set(one.lines - run)
            options.append((one, lines, mutants))
        options = [one for one in options if (one[1] or one[2]) and one[0].name not in self.given_up]
        return max(options, key=lambda one: 3 * len(one[1]) + len(one[2]), default=None)


def asked(task: Task, more: More) -> Generator[Step, None, None]:
    """Rounds of tests for one function each; ends when a round brings nothing new, or when nothing is left."""
    for number in range(task.settings.rounds):
        left = more.left()
        if left is None:
            return
        subject, lines, mutants = left
        before = len(more.cases)
        yield task.say(_opening(task, more, subject, lines, mutants))
        for turn in range(1 + REPAIRS):
            reply = task.ask(tools=False)
            yield task.step(reply, ())
            name = f"tried {more.cover.path} {number} {turn}"
            text = reply.text
            came = task.once(name, lambda text=text, subject=subject: _tried(more, subject, text))  # type: ignore[misc]
            kept = [seen_of(one) for one in came["kept"]]
            more.cases += kept
            more.arcs |= {arc for one in kept for arc in one.arcs}
            more.killed |= set(came["killed"])
            if not came["wrong"] or turn == REPAIRS:
                break
            told = f"{len(kept)} of your tests are kept." if kept else "None of your tests is kept."
            wrong = framed_whole("\n".join(came["wrong"][:MOST_WRONG]))
            yield task.say(task.prompt("again", kept=told, wrong=wrong))
        if len(more.cases) == before:
            return
        more.given_up.add(subject.name)


def _opening(task: Task, more: More, subject: Subject, lines: set[int], mutants: list[int]) -> str:
    cover = more.cover
    about = [one for one in more.found.cases if one.case.about == subject.name] or list(more.found.cases)
    style = cover.style()
    text = cover.text(about[:MOST_EXAMPLES], more.found.module) if about else ""
    heads = callees(cover.data, subject)
    faults = [f"- line {cover.mutants[number].line}: {cover.mutants[number].what}" for number in mutants[:MOST_MUTANTS]]
    return task.prompt(
        "start",
        function=subject.name,
        path=cover.path,
        raises=RAISES[style],
        source=framed_whole(sliced(cover.data, subject, lines)[:LONGEST_SOURCE]),
        callees=framed_whole("\n".join(["It calls:", *heads])) if heads else "",
        mutants=framed_whole("\n".join(["Faults that no test notices:", *faults])) if faults else "",
        examples=framed_whole(f"Some of the tests that are there:\n{text}") if text else "",
    )


def _tried(more: More, subject: Subject, said: str) -> dict[str, Any]:
    """The tests of an answer: those `kept`, the mutants that they notice, and what is `wrong` with others."""
    cover = more.cover
    found, wrong = read_tests(said, subject.name, _names(cover.data), {more.found.module.split(".")[0]})
    if not found and not wrong:
        wrong = ["There is no test function in your answer."]
    kept: list[Seen] = []
    killed: set[int] = set()
    with (
        closing(cover.task.engine.fork(cover.task.tree, cover.task.cancel)) as room,
        closing(Exercise(room, cover.path, cover.mutants, cover.task.cancel)) as exercise,
        closing(Exercise(room, cover.path, (), cover.task.cancel, hash_seed=1)) as witness,
    ):
        arcs = set(more.arcs)
        for name, case in found:
            seen, why = _one(exercise, witness, case)
            if why:
                wrong.append(f"{name}: {why}")
                continue
            alive = sorted(number for number in more.found.usable - more.killed - killed)
            reached = [number for number in alive if cover.mutants[number].reach & seen.lines]
            (noticed,) = exercise.check([(seen, reached)], LIMIT_OF_WRITTEN)
            new = {arc for arc in seen.arcs if cover.is_own(arc)} - arcs
            if not new and not noticed.killed:
                wrong.append(f"{name}: it passes, but runs no new line and notices no new fault.")
                continue
            if not noticed.killed and not _notices(exercise, more, seen, reached):
                wrong.append(f"{name}: it passes, but passes as well with each fault that was put into what it runs.")
                continue
            kept.append(seen)
            arcs |= new
            killed |= noticed.killed
    return {"kept": [seen_as_json(one) for one in kept], "killed": sorted(killed), "wrong": wrong}


def _notices(exercise: Exercise, more: More, seen: Seen, tried: list[int]) -> bool:
    """Whether it notices a mutant that others notice already: a test that does not asserts nothing of what it runs."""
    rest = sorted(more.found.usable - set(tried))
    reached = [number for number in rest if more.cover.mutants[number].reach & seen.lines]
    (noticed,) = exercise.check([(seen, reached[:MOST_TRIED])], LIMIT_OF_WRITTEN)
    return bool(noticed.killed)


def _one(exercise: Exercise, witness: Exercise, case: Case) -> tuple[Seen, str]:
    """What a test does, and why it cannot be kept."""
    (seen,) = exercise.observe([case], LIMIT_OF_WRITTEN)
    if seen.kind == "raised":
        return seen, f"it fails: {seen.error}: {seen.text}" if seen.text else f"it fails: {seen.error}"
    if seen.kind != "returned":
        words = {"late": "it does not end in time", "harm": f"it was stopped before {seen.harm}"}
        return seen, f"{words.get(seen.kind, 'it ends the process')}."
    for one in (exercise, witness):
        (noticed,) = one.check([(seen, ())], LIMIT_OF_WRITTEN)
        if not noticed.steady:
            return seen, "it does not pass each time."
    return seen, ""


def _names(data: bytes) -> set[str]:
    """What tests can name: builtins, and what the module binds at its top."""
    found = {*dir(builtins), *HELPERS}
    for node in ast.walk(ast.parse(data)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.alias):
            found.add((node.asname or node.name).split(".")[0])
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
    return found
