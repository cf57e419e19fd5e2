"""Server that runs generated test cases of a module: their coverage, possible assertions, and the mutants they detect.

One process imports the module, and everything else runs in its forked children. A case is {id, lines, call, watch}:
`lines` are statements, `call` is an expression whose value becomes `result`, and `watch` lists names from `lines` that
are inspected afterwards. A case with an empty `call` is an existing test: its coverage counts as a whole, and it keeps
its own assertions. Requests are JSON lines on descriptor 7, and answers are written to descriptor 8.

Standard library only, for the target's own Python (3.6 and later).
"""

import _thread
import ast
import asyncio
import builtins
import collections
import contextlib
import copy
import functools
import gc
import importlib
import itertools
import json
import math
import os
import random
import select
import sys
import traceback
import unittest
import warnings

from extensions.experiment.guest.call_frames import raising_code
from extensions.experiment.guest.code_swap import FUTURE, Editor, apply_edits, compile_function
from extensions.experiment.guest.forked_sandbox import PRIVATE_DESCRIPTORS, TimeUp, cpu_limit, run_forked
from extensions.experiment.guest.subject_function import module_name

from .audit_guard import AuditGuard, HarmStopped
from .example_recorder import ExampleRecorder
from .module_description import describe_module
from .nondeterminism import NondeterminismProbe
from .value_assertions import Assertions

SOURCE, SINK = 7, 8
DRAWN, PATIENCE, QUIET = 30, 3.0, 0.25
"""Maximum number of items taken from an iterator; seconds of silence before a child is killed, and between checks
whether it waits forever."""
MOST_WAITS = 3
"""Number of cases that wait forever after which the request's other cases are skipped; also the number of times that a
mutant may cause this."""
THREAD_CHECKS = 20
"""Number of checks, 5 ms apart, after which a thread that is still running counts as left behind."""
PROFILED = 3
"""Factor by which the time limit is multiplied for a case whose calls are profiled."""
MOST_ARCS = 20000
CONTAINERS = (list, dict, set, tuple, str, bytes)
HELPERS = {"islice": itertools.islice, "math": math, "asyncio": asyncio, "copy": copy}


class Server:
    """The imported module with its compiled mutants."""

    def __init__(self, job):
        self.root, self.path = os.path.realpath(job["root"]), job["path"]
        self.module = importlib.import_module(module_name(job["root"], job["path"]))
        self.file = os.path.realpath(self.module.__file__)
        if self.file != os.path.join(self.root, self.path):
            raise ImportError("%s is imported from %s" % (self.module.__name__, self.file))
        self.names = dict(HELPERS, **vars(self.module))
        package = self.module.__name__.partition(".")[0]
        self.names.setdefault(package, sys.modules[package])
        self.names.setdefault("self", unittest.TestCase())
        with contextlib.suppress(ImportError):
            self.names.setdefault("pytest", importlib.import_module("pytest"))
        self.assertions = Assertions(vars(self.module))
        self.watch = AuditGuard(self.root)
        self.caches = [one for one in gc.get_objects() if type(one) is functools._lru_cache_wrapper]
        self.code = Editor(self.root)
        self.mutants = self._compiled(job["mutants"])
        self.once, self.detected = False, set()
        self.waited = collections.Counter()
        self.threads = 0
        self.watch.replace()
        if hasattr(gc, "freeze"):
            gc.freeze()  # collecting a case's garbage then takes time proportional to that garbage only

    def _compiled(self, mutants):
        """Return a dict of number -> (functions, original code, mutated code) for the mutants that can be applied."""
        found, source = {}, self.code.source(self.path)
        for number, mutant in enumerate(mutants):
            function = mutant["function"]
            made = self.code.functions(self.path, function)
            if not made or len({one.__code__ for one in made}) > 1:
                continue
            old = made[0].__code__
            text = apply_edits(source, mutant["edits"], function["start"], function["end"])
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    first = function["lines"][1]
                    new = compile_function(text, function["qualname"], old.co_filename, old.co_flags & FUTURE, first)
            except (SyntaxError, ValueError):
                continue
            if new is not None and new.co_freevars == old.co_freevars:
                found[number] = made, old, new
        return found

    def answer(self, request):
        units, self.once, self.detected = request["units"], request.get("once"), set()
        work = {"observe": self.observe, "explore": self.explore, "check": self.check}[request["mode"]]
        found, at, waits = {}, 0, 0
        while at < len(units):
            begun, known = [at], len(found.get(at, ()))

            def receive(value):  # the code under test may have written such lines, too
                if not isinstance(value, dict):
                    return
                if type(value.get("begin")) is int and begun[0] <= value["begin"] < len(units):  # noqa: B023
                    begun[0] = value["begin"]  # noqa: B023 - used before the next turn
                elif value.get("unit") == begun[0]:  # noqa: B023
                    found.setdefault(begun[0], []).append(value)  # noqa: B023

            child = functools.partial(self._child, work, units, range(at, len(units)), request["limit"])
            ended = run_forked(child, receive, PATIENCE, QUIET)
            waits += ended == "waits"
            first, at = at, begun[0]
            if ended == "done":  # it ran all units, or stopped after a unit that left threads running
                at += 1
                continue
            answers = found.setdefault(at, [])
            if work != self.check:
                answers.append({"unit": at, "kind": "late" if ended == "timeout" else "died"})
                at += 1
                if waits >= MOST_WAITS:
                    found.update({number: [{"unit": number, "kind": "setup"}] for number in range(at, len(units))})
                    break
            else:
                fresh = answers[known if at == first else 0 :]
                if ended == "waits" and any(one.get("steady") for one in fresh):
                    self.waited.update(_untried(units[at], fresh)[:1])
                at = _next_unit(units, at, answers, fresh)
        return {"answers": [one for number in sorted(found) for one in found[number]]}

    def _child(self, work, units, numbers, limit, emit):
        self.watch.install()
        warnings.simplefilter("ignore")
        for number in numbers:
            emit({"begin": number})
            work(units[number], limit, lambda value: emit(dict(value, unit=number)))  # noqa: B023 - called at once
            if self._left_behind():
                return

    def _begin(self, seed=0):
        """Set the state in which each case starts."""
        self.watch.begin()
        self.threads = _thread._count()
        for cache in self.caches:
            cache.cache_clear()
        random.seed(seed)

    def _settle(self, limit):
        """Collect the case's garbage, so that finalizers run under the guard; return the harm done, or "" if none.

        Raises TimeUp.
        """
        with cpu_limit(limit):
            gc.collect()
        left = self._left_behind()
        return self.watch.harm or left

    def _left_behind(self):
        """Return "threads" if the case left threads running, else ""."""
        for _ in range(THREAD_CHECKS):
            if _thread._count() <= self.threads:
                return ""
            select.select([], [], [], 0.005)  # time.sleep is forbidden
        return "threads"

    def explore(self, case, limit, emit):
        """Emit what an example shows: the function that it calls, arguments of calls, and objects in its result."""
        space, recorder = dict(self.names), ExampleRecorder(self.module, self.assertions)
        self._begin()
        try:
            with cpu_limit(limit):
                for line in case["lines"]:
                    exec(compile(line, "<case>", "exec"), space)
                sys.setprofile(recorder.profile)
                value = eval(compile(case["call"], "<case>", "eval"), space)
                sys.setprofile(None)
                objects = recorder.objects(value)
        except BaseException:  # noqa: BLE001 - the code under test may raise anything
            objects = []
        finally:
            sys.setprofile(None)
        emit({"about": recorder.about, "calls": list(recorder.calls), "objects": objects})

    # The results of a case

    def observe(self, case, limit, emit):
        """Emit the outcome of a case; a statement before its call that raises becomes the call."""
        arcs, space = set(), dict(self.names)
        self._begin()
        lines, call = list(case["lines"]), case["call"]
        answer = {"kind": "returned"}
        tracer = self._tracer(arcs)
        place, lazy, states, value = -1, 0, {}, None
        try:
            with cpu_limit(limit):
                for place, line in enumerate(lines):  # noqa: B007 - where it raised
                    if not call or not _is_plain(line):
                        sys.settrace(tracer)
                    exec(compile(line, "<case>", "exec"), space)
                    sys.settrace(None)
                place = len(lines)
                states = {name: self.assertions.state(space[name], name) for name in case["watch"] if name in space}
                sys.settrace(tracer)
                value = eval(compile(call or "None", "<case>", "eval"), space)
                if hasattr(type(value), "__next__"):
                    lazy = DRAWN + 1
                    value = list(itertools.islice(value, DRAWN + 1))
                    lazy = len(value)
                sys.settrace(None)
                space["result"] = value[:DRAWN] if lazy else value
                answer["asserts"] = self._asserts(case, space, states) if call else []
        except TimeUp:
            answer = {"kind": "late"}
        except HarmStopped:
            answer = {"kind": "harm"}
        except BaseException as error:  # noqa: BLE001 - the code under test may raise anything
            sys.settrace(None)
            answer = self._raised(error)
            if call and place < len(lines):
                wrong = _value_of(lines[place])
                if wrong:
                    return self.observe(dict(case, lines=lines[:place], call=wrong), limit, emit)
                return emit({"kind": "setup"})
        finally:
            sys.settrace(None)
        del space, value
        try:
            harm = self._settle(limit)
        except TimeUp:
            answer, harm = {"kind": "late"}, ""
        if harm:
            answer = {"kind": "harm", "harm": harm}
        if lazy:
            call = "list(%s)" % call if lazy <= DRAWN else "list(islice(%s, %d))" % (call, DRAWN)
        if len(arcs) > MOST_ARCS:
            answer = {"kind": "setup"}
        return emit(dict(answer, lines=lines, call=call, arcs=sorted(arcs)))

    def _asserts(self, case, space, before):
        """Return assertions on the result, and on what the call changed in watched names.

        What it changed comes before a None result, and an object whose method returns None is included even if it is
        unchanged.
        """
        result = space["result"]
        changed, same = [], []
        for name in case["watch"]:
            if name in space and space[name] is not result:
                state = self.assertions.state(space[name], name)
                known = before.get(name, ()) if all(map(_is_plain, case["lines"])) else ()
                changed += [one for one in state if one not in known]
                if result is None and type(space[name]) not in CONTAINERS:
                    same += [one for one in state if one in known]
        found = self.assertions.of(result, "result")
        return (changed + found if result is None else found + changed) + same

    def _tracer(self, arcs):
        names = {self.module.__file__, self.file}

        def call(frame, event, argument):
            code = frame.f_code
            if code.co_filename not in names:
                return None
            last = -code.co_firstlineno

            def local(frame, event, argument):
                nonlocal last
                if event == "line":
                    arcs.add((last, frame.f_lineno))
                    last = frame.f_lineno
                elif event == "return":
                    arcs.add((last, 0))
                return local

            return local

        return call

    def _raised(self, error):
        """Describe the exception with an importable name; `meant` tells whether the repository's code raises it."""
        kind = type(error)
        line, function = 0, ""
        for frame, number in traceback.walk_tb(error.__traceback__):
            if os.path.realpath(frame.f_code.co_filename) == self.file:
                line, function = number, frame.f_code.co_name
        code, is_explicit = raising_code(error)
        line = 0 if code.co_filename == "<case>" else line  # a function passed as an argument raised it
        own = os.path.realpath(code.co_filename).startswith(os.path.join(self.root, ""))
        name = next((one.__name__ for one in kind.__mro__ if self._reachable(one)), "")
        if name in ("Exception", "BaseException", "object") and name != kind.__name__:
            name = ""
        text = str(error)[:200] if kind is not RecursionError else ""
        found = {"kind": "raised", "error": kind.__name__, "name": name, "meant": own and is_explicit}
        return dict(found, text=text, line=line, function=function)

    def _reachable(self, kind):
        return self.names.get(kind.__name__, getattr(builtins, kind.__name__, None)) is kind

    # Which mutants a case detects

    def check(self, unit, limit, emit):
        """Emit whether the case passes on the original module, and which mutants make it fail.

        A mutant replaces the original only after the statements that prepare the call.
        """
        lines, first = unit["lines"], 0
        while unit["call"] and first < len(lines) and _is_plain(lines[first]):
            first += 1
        parts = lines[:first], [*lines[first:], *unit["program"]]
        program = [compile("\n".join(one), "<case>", "exec") for one in parts]
        if not self._holds(program, limit) or not self._holds_elsewhere(unit, program, limit):
            emit({"steady": False})
            return
        emit({"steady": True})
        for number in unit["mutants"]:
            skipped = self.waited[number] >= MOST_WAITS or (self.once and number in self.detected)
            if number not in self.mutants or skipped:
                emit({"mutant": number, "killed": None})
                continue
            held = self._holds(program, limit, mutant=self.mutants[number])
            if not held:
                self.detected.add(number)
            emit({"mutant": number, "killed": not held})

    def _holds_elsewhere(self, unit, program, limit):
        """Return whether the case passes with another seed and environment and calls no nondeterministic function."""
        if len(self.root) > 1 and any(self.root in line for line in (*unit["lines"], *unit["program"])):
            return False
        probe = NondeterminismProbe()
        return self._holds(program, limit * PROFILED, 1, probe.elsewhere) and not probe.what

    def _holds(self, program, limit, seed=0, around=contextlib.ExitStack, mutant=((), None, None)):
        self._begin(seed)
        held, space = True, dict(self.names)
        made, old, new = mutant
        preparation, test = program
        try:
            with cpu_limit(limit), around():
                exec(preparation, space)
                for one in made:
                    one.__code__ = new
                exec(test, space)
        except BaseException:  # noqa: BLE001 - any error means that the case fails
            held = False
        finally:
            for one in made:
                one.__code__ = old
        try:
            return not self._settle(limit) and held
        except TimeUp:
            return False


def _untried(unit, fresh):
    """Return the mutants of a unit that have no answer yet."""
    return unit["mutants"][sum("mutant" in one for one in fresh) :]


def _next_unit(units, at, answers, fresh):
    """Return the unit with which to continue after a child ended in unit `at` with the answers `fresh`.

    It is the same unit without the mutant that ended the child, or the next unit if the original code ended it.
    """
    if not any(one.get("steady") for one in fresh):
        answers.append({"unit": at, "steady": False})
        return at + 1
    left = _untried(units[at], fresh)
    if left:
        answers.append({"unit": at, "mutant": left[0], "killed": True})
    units[at] = dict(units[at], mutants=left[1:])
    return at if left[1:] else at + 1


def _is_plain(line):
    """Return whether a statement only binds a name or is an expression: no `del`, no assignment to an item."""
    node = ast.parse(line).body[0]
    if isinstance(node, ast.Assign):
        return isinstance(node.targets[0], ast.Name)
    return isinstance(node, ast.Expr)


def _value_of(line):
    """Return the expression of a statement `name = expression` or of an expression statement, else ""."""
    try:
        (node,) = ast.parse(line).body
    except (SyntaxError, ValueError):
        return ""
    if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
        return line.split("=", 1)[1].strip()
    return line if isinstance(node, ast.Expr) else ""


def main(file):
    sys.path.insert(0, "")  # sys.path is the same as for tests run in the repository
    with open(file, encoding="utf-8") as opened:
        job = json.load(opened)
    PRIVATE_DESCRIPTORS.update((SOURCE, SINK))
    with os.fdopen(SINK, "w", closefd=False) as sink:

        def say(value):
            sink.write(json.dumps(value) + "\n")
            sink.flush()

        try:
            server = Server(job)
        except BaseException as error:  # noqa: BLE001 - importing a module may raise anything
            say({"broken": ("%s: %s" % (type(error).__name__, error))[:500]})
            return
        module = server.module
        hello = {"module": module.__name__, "mutants": sorted(server.mutants), "version": list(sys.version_info[:2])}
        say(dict(hello, guarded=AuditGuard.is_possible(), **describe_module(module, server.root)))
        with os.fdopen(SOURCE, "rb", closefd=False) as source:
            for line in source:
                say(server.answer(json.loads(line.decode())))
