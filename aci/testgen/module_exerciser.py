"""The host's end of the process in a workspace that calls a module with made-up arguments.

What it says was said beside code that is not trusted: its shape is checked.
"""

from __future__ import annotations

import json
import keyword
import secrets
import shlex
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from threading import Event
from typing import Any

from aci.conversation import Conversation
from aci.forms import shown
from aci.generating.mutants import Mutant
from aci.generating.shapes import is_offer, is_sound
from aci.target import PYTHON, place
from aci.workspace import Workspace
from trajectories.errors import Cancelled, UsageError, WorkspaceError

PACKAGE = "swe_agent_exercise"
FILES = ("sandbox", "swap", "subject", "asserting", "chance", "harmless", "describing", "exercising")
LAUNCH = (
    "import sys; sys.path.insert(0, sys.argv[1]); import importlib as i;"
    f"main = i.import_module('{PACKAGE}.exercising').main; sys.path.pop(0); main(sys.argv[2])"
)
START, SILENT = 90.0, 120.0
"""Seconds in which the module has to be imported, and in which a request has to be answered."""
LIMIT, MUTANT_LIMIT = 0.15, 0.1
"""CPU seconds of a case, and of a case on a mutant: in these nearly everything that ends at all has ended."""
MOST_ENDS = 3


@dataclass(frozen=True, slots=True)
class Case:
    """A program that calls the module: statements, then an expression whose value is `result`.

    `watch` are names bound by `lines` that are looked at afterwards; `about` is the dotted name of what is called. With
    an empty `call` it is the body of a test that somebody wrote, with assertions of its own.
    """

    lines: tuple[str, ...]
    call: str
    watch: tuple[str, ...] = ()
    about: str = ""


@dataclass(frozen=True, slots=True)
class Seen:
    """What a case did. `kind`: returned, raised, late, died, harm (was stopped before it), setup (of no use).

    `arcs` are steps from line to line that its last call takes in the module: minus a function's first line before its
    first, 0 after its last. `lines` are all that ran, of what comes before it too.
    `asserts` are (kind, expression, text) that hold of its outcome. Of an exception: `error` is its class, `name` one
    that a test can import, `meant` says that code of the repository raises it, at `line`.
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
    lines: frozenset[int] = frozenset()

    def program(self) -> list[str]:
        """The case as a test would run it, with what it asserts."""
        if not self.case.call:
            return list(self.case.lines)
        if self.kind == "raised":
            body = [f"    {self.case.call}", f"except {self.name}:", "    pass", "else:", "    assert False"]
            return [*self.case.lines, "try:", *body]
        asserts = [f"assert {holds(*one)}" for one in self.asserts]
        return [*self.case.lines, f"result = {self.case.call}", *asserts]


@dataclass(frozen=True, slots=True)
class Noticed:
    """Whether a case's assertions hold each time, and the mutants (numbers) that they notice."""

    steady: bool
    killed: frozenset[int] = frozenset()


class Exercise:
    """The module at `path` of the room's repository, imported in a process there; `offers` says what it has.

    Raises UsageError where the module cannot be imported, WorkspaceError where the process ends again and again,
    Cancelled when `cancel` is set.
    """

    def __init__(
        self, room: Workspace, path: str, mutants: Sequence[Mutant], cancel: Event, hash_seed: int = 0
    ) -> None:
        self.room, self.path, self.cancel, self.hash_seed = room, path, cancel, hash_seed
        self.mutants = mutants
        self._talk: Conversation | None = None
        self._log = f"{room.harness}/exercise-log-{hash_seed}.txt"
        self._ends = 0
        self.offers: dict[str, Any] = {}
        self._start()

    def close(self) -> None:
        """End the process with all that it started. May be called twice."""
        if self._talk:
            self._talk.close()
            self._talk = None

    def usable(self) -> frozenset[int]:
        """The mutants (numbers) that could be put in."""
        found = self.offers.get("mutants")
        return frozenset(one for one in found if isinstance(one, int)) if isinstance(found, list) else frozenset()

    def observe(self, cases: Sequence[Case], limit: float = LIMIT) -> list[Seen]:
        """What each case does."""
        units = [{"lines": list(one.lines), "call": one.call, "watch": list(one.watch)} for one in cases]
        found = {number: Seen(one, "died") for number, one in enumerate(cases)}
        for answer in self._ask({"mode": "observe", "units": units, "limit": limit}):
            number = answer.get("unit")
            if isinstance(number, int) and number in found:
                found[number] = answered(cases[number], answer)
        return list(found.values())

    def check(
        self, seen: Sequence[tuple[Seen, Sequence[int]]], limit: float = MUTANT_LIMIT, once: bool = False
    ) -> list[Noticed]:
        """Whether each holds on the module as it is, twice, and which of its mutants it notices.

        With `once` a mutant that one notices is not tried on the later ones.
        """
        units = [{"program": one.program(), "mutants": list(numbers)} for one, numbers in seen]
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
        return [Noticed(one, frozenset(more) if one else frozenset()) for one, more in zip(steady, killed, strict=True)]

    def _ask(self, request: Mapping[str, Any]) -> list[dict[str, Any]]:
        if not request["units"]:
            return []
        if self._talk is None:
            self._start()
        assert self._talk
        self._talk.send(json.dumps(request).encode())
        answer = self._hear(SILENT)
        found = answer.get("answers") if answer is not None else None
        if not isinstance(found, list):
            self.close()
            self._ends += 1
            if self._ends > MOST_ENDS:
                raise WorkspaceError("The process that calls the module has ended.", "See that it has enough memory.")
            return []
        return [one for one in found if isinstance(one, dict)]

    def _hear(self, seconds: float) -> dict[str, Any] | None:
        """The next object that the process says; None where it has ended or says nothing."""
        assert self._talk
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if self.cancel.is_set():
                raise Cancelled("The search for tests was interrupted.")
            lines = self._talk.receive(0.2)
            if lines is None:
                return None
            for line in lines:
                try:
                    value = json.loads(line)
                except (ValueError, RecursionError):
                    continue
                if isinstance(value, dict):
                    return value
        return None

    def _start(self) -> None:
        place(self.room, "__init__", *FILES, inside=PACKAGE)
        made = [one.candidate().job(number) for number, one in enumerate(self.mutants)]
        spec = f"{self.room.harness}/exercise-{secrets.token_hex(6)}.json"
        self.room.write(spec, json.dumps({"root": self.room.root, "path": self.path, "mutants": made}).encode())
        command = (
            f"exec 7<&0 8>&1 </dev/null >{shlex.quote(self._log)} 2>&1\n"
            f"cd {shlex.quote(self.room.root)} && PYTHONDONTWRITEBYTECODE=1 PYTHONHASHSEED={self.hash_seed} "
            f"{PYTHON} -B -c {shlex.quote(LAUNCH)} {shlex.quote(self.room.harness)} {shlex.quote(spec)}\n"
            "exit $?\n"
        )
        self._talk = self.room.converse(command, f"exercise_{self.hash_seed}")
        hello = self._hear(START)
        if hello is None or "broken" in hello:
            self.close()
            said = shown(str(hello["broken"]), 400) if hello else "nothing is heard of it"
            raise UsageError(f"{self.path} cannot be imported: {said}", "See that its requirements are installed.")
        if hello.get("guarded") is not True:
            self.close()
            raise UsageError(
                "The workspace's Python is older than 3.8: nothing stops calls there that would do harm.",
                "Choose an image with a newer one: --image.",
            )
        named = str(hello.get("module"))
        if not all(one.isidentifier() and not keyword.iskeyword(one) for one in named.split(".")):
            self.close()
            raise UsageError(f"No test can import {self.path}: {shown(named, 100)} is no name in Python.")
        if not is_offer(hello):
            self.close()
            raise UsageError(f"What {self.path} offers cannot be told.", "See that it writes to no descriptor.")
        self.offers = hello


def holds(kind: str, expression: str, text: str) -> str:
    """An assertion as an expression of Python."""
    if kind == "nan":
        return f"math.isnan({expression})"
    if kind == "close":
        return f"math.isclose({expression}, {text})"
    if kind == "isa":
        return f"isinstance({expression}, {text})"
    return f"{expression} {'is' if kind == 'is' else '=='} {text}"


def answered(case: Case, answer: Mapping[str, Any]) -> Seen:
    """What the process says of a case; what has not the shape of an answer counts as its end."""
    if not is_sound(case.lines, case.call, answer):
        return Seen(case, "died")
    if "lines" in answer:
        kept = tuple(answer["lines"])
        watch = tuple(name for name in case.watch if any(name in one for one in kept))
        case = Case(kept, answer["call"], watch, case.about)
    return Seen(
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
        frozenset(answer.get("ran", ())),
    )
