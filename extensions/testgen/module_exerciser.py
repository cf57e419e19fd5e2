"""The host's connection to a process in a workspace that calls a module with generated arguments.

The process also runs untrusted code, so the form of every answer is checked.
"""

from __future__ import annotations

import json
import keyword
import secrets
import shlex
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from threading import Event
from typing import Any

from aci.runtime.guest_programs import install_programs, parse_object
from aci.runtime.target_function import PYTHON
from aci.runtime.workspace import LineConversation, Workspace
from extensions.experiment.canonical_values import format_value
from extensions.testgen.answer_schema import is_exploration, is_offer, is_sound
from extensions.testgen.mutants import Mutant
from trajectories.errors import Cancelled, UsageError, WorkspaceError

START, SILENT = 90.0, 120.0
"""Time limits in seconds for importing the module, and for answering a request."""
LIMIT, MUTANT_LIMIT = 0.15, 0.1
"""Limits in CPU seconds for a case, and for a case on a mutant; nearly every case that ends at all ends within them."""
EXAMPLE_LIMIT = 0.5
"""Limit in CPU seconds for an example."""
MOST_ENDS = 3


@dataclass(frozen=True, slots=True)
class Case:
    """A program that calls the module: statements, then an expression whose value is `result`.

    `watch` lists the names bound by `lines` whose values are inspected afterwards; `about` is the dotted name of the
    callee. If `call` is empty, `lines` is the body of a complete test with its own assertions.
    """

    lines: tuple[str, ...]
    call: str
    watch: tuple[str, ...] = ()
    about: str = ""


@dataclass(frozen=True, slots=True)
class CaseOutcome:
    """The observed outcome of a case. `kind` is returned, raised, late (timed out), died (the process ended), harm (a
    harmful action was prevented) or setup (the case cannot be used).

    `arcs` holds the transitions between lines of the module during the last call; the first starts at the negated first
    line of the function, and the last ends at 0. `asserts` lists assertions that hold for the outcome, as (kind,
    expression, text). For an exception, `error` is its class, `name` is a name under which a test can import it,
    `meant` tells whether a `raise` statement of the repository raised it, and `line` is the line of the module where it
    occurred.
    """

    case: Case
    kind: str
    arcs: frozenset[tuple[int, int]] = frozenset()
    asserts: tuple[tuple[str, str, str], ...] = ()
    error: str = ""
    name: str = ""
    meant: bool = False
    text: str = ""
    line: int = 0
    function: str = ""
    harm: str = ""

    @property
    def lines(self) -> frozenset[int]:
        """The lines of the module that the last call runs."""
        return frozenset(after for _, after in self.arcs if after > 0)

    def program(self) -> list[str]:
        """Return the lines of a test after the case's own: its call and its assertions."""
        if not self.case.call:
            return []
        if self.kind == "raised":
            body = [f"    {self.case.call}", f"except {self.name}:", "    pass", "else:", "    assert False"]
            return ["try:", *body]
        return [f"result = {self.case.call}", *(f"assert {format_assertion(*one)}" for one in self.asserts)]


@dataclass(frozen=True, slots=True)
class AssertionCheck:
    """Whether a case's assertions pass every time, and the numbers of the mutants that they kill."""

    steady: bool
    killed: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class ExampleRecord:
    """What an example shows about the module."""

    case: Case
    """The example; `about` is the function of the module that it calls itself, "" if there is none."""
    calls: tuple[tuple[str, str, str, str], ...]
    """Arguments in calls of the module's functions: owner, parameter, source text, and class in the module; the last
    two may be empty."""
    objects: tuple[tuple[str, str], ...]
    """Objects in the result: their class, and what follows the example's expression to reach them."""


class ModuleExerciser:
    """The module at `path` of the repository, imported by a process in the workspace; `offers` describes the module.

    Raises UsageError if the module cannot be imported, WorkspaceError if the process ends repeatedly, and Cancelled
    when `cancel` is set.
    """

    def __init__(
        self, room: Workspace, path: str, mutants: Sequence[Mutant], cancel: Event, hash_seed: int = 0
    ) -> None:
        self.room, self.path, self.cancel, self.hash_seed = room, path, cancel, hash_seed
        self.mutants = mutants
        self._conversation: LineConversation | None = None
        self._log = f"{room.harness}/exercise-log-{hash_seed}.txt"
        self._ends = 0
        self.offers: dict[str, Any] = {}
        self._start()

    def close(self) -> None:
        """End the process and its child processes. May be called twice."""
        if self._conversation:
            self._conversation.close()
            self._conversation = None

    def usable(self) -> frozenset[int]:
        """Return the numbers of the mutants that could be applied."""
        found = self.offers.get("mutants")
        return frozenset(one for one in found if isinstance(one, int)) if isinstance(found, list) else frozenset()

    def observe(self, cases: Sequence[Case], limit: float = LIMIT) -> list[CaseOutcome]:
        """Run the cases and return their outcomes."""
        units = [{"lines": list(one.lines), "call": one.call, "watch": list(one.watch)} for one in cases]
        found = {number: CaseOutcome(one, "died") for number, one in enumerate(cases)}
        for answer in self._ask({"mode": "observe", "units": units, "limit": limit}):
            number = answer.get("unit")
            if isinstance(number, int) and number in found:
                found[number] = parse_outcome(cases[number], answer)
        return list(found.values())

    def explore(self, examples: Sequence[Case]) -> list[ExampleRecord]:
        """Run examples and return what those that end show."""
        units = [{"lines": list(one.lines), "call": one.call} for one in examples]
        found = []
        for answer in self._ask({"mode": "explore", "units": units, "limit": EXAMPLE_LIMIT}):
            number = answer.get("unit")
            if isinstance(number, int) and 0 <= number < len(examples) and is_exploration(answer):
                case = replace(examples[number], about=answer["about"])
                calls, objects = (tuple(map(tuple, answer[name])) for name in ("calls", "objects"))
                found.append(ExampleRecord(case, calls, objects))
        return found

    def check(
        self, seen: Sequence[tuple[CaseOutcome, Sequence[int]]], limit: float = MUTANT_LIMIT, once: bool = False
    ) -> list[AssertionCheck]:
        """Check whether each case passes twice on the original module, and which of the mutants given with it the case
        kills.

        A mutant is in place only during the case's own call and its assertions, not while the objects for it are made.
        With `once`, a mutant that a case kills is not tried on later cases.
        """
        units = [
            {"lines": list(one.case.lines), "call": one.case.call, "program": one.program(), "mutants": list(numbers)}
            for one, numbers in seen
        ]
        steady = [False] * len(units)
        killed: list[set[int]] = [set() for _ in units]
        for answer in self._ask({"mode": "check", "units": units, "limit": limit, "once": once}):
            number, mutant = answer.get("unit"), answer.get("mutant")
            if not isinstance(number, int) or not 0 <= number < len(units):
                continue
            if "steady" in answer:
                steady[number] = answer["steady"] is True
            elif isinstance(mutant, int) and answer.get("killed") is True:
                killed[number].add(mutant)
        return [
            AssertionCheck(one, frozenset(more) if one else frozenset())
            for one, more in zip(steady, killed, strict=True)
        ]

    def _ask(self, request: Mapping[str, Any]) -> list[dict[str, Any]]:
        if not request["units"]:
            return []
        if self._conversation is None:
            self._start()
        assert self._conversation
        self._conversation.send(json.dumps(request).encode())
        answer = self._receive(SILENT)
        found = answer.get("answers") if answer is not None else None
        if not isinstance(found, list):
            self.close()
            self._ends += 1
            if self._ends > MOST_ENDS:
                raise WorkspaceError("The process that calls the module has ended.", "Check that it has enough memory.")
            return []
        return [one for one in found if isinstance(one, dict)]

    def _receive(self, seconds: float) -> dict[str, Any] | None:
        """Return the next object that the process writes; None if the process has ended or writes nothing in time."""
        assert self._conversation
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if self.cancel.is_set():
                raise Cancelled("The search for tests was interrupted.")
            lines = self._conversation.receive(0.2)
            if lines is None:
                return None
            for line in lines:
                if (value := parse_object(line)) is not None:
                    return value
        return None

    def _start(self) -> None:
        programs = install_programs(self.room.write, self.room.harness, "testgen.exercise_server")
        made = [one.candidate().job(number) for number, one in enumerate(self.mutants)]
        spec = f"{self.room.harness}/exercise-{secrets.token_hex(6)}.json"
        self.room.write(spec, json.dumps({"root": self.room.root, "path": self.path, "mutants": made}).encode())
        command = (
            f"exec 7<&0 8>&1 </dev/null >{shlex.quote(self._log)} 2>&1\n"
            f"cd {shlex.quote(self.room.root)} && PYTHONDONTWRITEBYTECODE=1 PYTHONHASHSEED={self.hash_seed} "
            f"{PYTHON} -B {shlex.join([programs, 'testgen.exercise_server', spec])}\n"
            "exit $?\n"
        )
        self._conversation = self.room.converse(command, f"exercise_{self.hash_seed}")
        hello = self._receive(START)
        if hello is None or "broken" in hello:
            self.close()
            reason = format_value(str(hello["broken"]), 400) if hello else "the process did not answer"
            raise UsageError(f"{self.path} cannot be imported: {reason}", "Check that its requirements are installed.")
        if hello.get("guarded") is not True:
            self.close()
            raise UsageError(
                "The workspace's Python is older than 3.8, which cannot prevent harmful calls.",
                "Choose an image with a newer one: --image.",
            )
        named = str(hello.get("module"))
        if not all(one.isidentifier() and not keyword.iskeyword(one) for one in named.split(".")):
            self.close()
            raise UsageError(f"No test can import {self.path}: {format_value(named, 100)} is not a valid Python name.")
        if not is_offer(hello):
            self.close()
            raise UsageError(
                f"The description of {self.path} is not valid.", "Check that the module writes to no file descriptor."
            )
        self.offers = hello


def format_assertion(kind: str, expression: str, text: str) -> str:
    """Return an assertion as a Python expression."""
    if kind == "nan":
        return f"math.isnan({expression})"
    if kind == "close":
        return f"math.isclose({expression}, {text})"
    if kind == "isa":
        return f"isinstance({expression}, {text})"
    return f"{expression} {'is' if kind == 'is' else '=='} {text}"


def parse_outcome(case: Case, answer: Mapping[str, Any]) -> CaseOutcome:
    """Parse the process's answer for a case; after an invalid answer, the process is considered dead."""
    if not is_sound(case.lines, case.call, answer):
        return CaseOutcome(case, "died")
    if "lines" in answer:
        kept = tuple(answer["lines"])
        watch = tuple(name for name in case.watch if any(name in one for one in kept))
        case = Case(kept, answer["call"], watch, case.about)
    return CaseOutcome(
        case,
        answer["kind"],
        frozenset((before, after) for before, after in answer.get("arcs", ())),
        tuple((kind, expression, text) for kind, expression, text in answer.get("asserts", ())),
        answer.get("error", ""),
        answer.get("name", ""),
        answer.get("meant") is True,
        answer.get("text", ""),
        answer.get("line", 0),
        answer.get("function", ""),
        answer.get("harm", ""),
    )
