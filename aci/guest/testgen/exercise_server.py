"""Calls a module with arguments written as source: what they cover, what can be asserted, which mutants they notice.

One process imports the module; everything is run in forked children of it. A case is {id, lines, call, watch}: `lines`
are statements, `call` an expression whose value is `result`, `watch` names of `lines` that are looked at afterwards. A
case with an empty `call` is a test that somebody wrote: all of it counts, and it asserts what it asserts.
Requests come as JSON lines on descriptor 7, answers go to 8.

Standard library only, for the target's own Python (3.6 and later).
"""

import _thread
import ast
import asyncio
import builtins
import collections
import contextlib
import copy
import dis
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
import time
import unittest
import warnings

from .asserting import Assertions
from .chance import Asked
from .describing import described
from .harmless import Harm, Watch
from .sandbox import PRIVATE, SLAIN, Child, TimeUp, cpu_limit
from .subject import module_name
from .swap import FUTURE, Editor, compile_function, edited

SOURCE, SINK = 7, 8
RAISE = dis.opmap["RAISE_VARARGS"]
DRAWN, PATIENCE, QUIET = 30, 3.0, 0.25
"""Items taken of what is lazy; seconds of silence after which a child is ended, and after which it is looked whether it
sleeps: who does so at two looks without using the CPU waits for what does not come."""
MOST_WAITS = 3
"""Cases of a request that wait, after which its others are not tried; and how often a mutant may wait."""
LEAVING = 20
"""Looks, 5 ms apart, after which a thread that is still there is left behind."""
LOOKED_AT = 3
"""How many times as long a case may take whose calls are looked at."""
MOST_ARCS = 20000
CONTAINERS = (list, dict, set, tuple, str, bytes)
HELPERS = {"islice": itertools.islice, "math": math, "asyncio": asyncio, "copy": copy}


class Server:
    """Holds the imported module with its mutants, compiled."""

    def __init__(self, job):
        self.root, self.path = os.path.realpath(job["root"]), job["path"]
        self.module = importlib.import_module(module_name(job["root"], job["path"]))
        self.file = os.path.realpath(self.module.__file__)
        if self.file != os.path.join(self.root, self.path):
            raise ImportError("%s is imported from %s" % (self.module.__name__, self.file))
        self.names = dict(HELPERS, **vars(self.module))
        self.names.setdefault("self", unittest.TestCase())
        with contextlib.suppress(ImportError):
            self.names.setdefault("pytest", importlib.import_module("pytest"))
        self.assertions = Assertions(vars(self.module))
        self.watch = Watch(self.root)
        self.caches = [one for one in gc.get_objects() if type(one) is functools._lru_cache_wrapper]
        self.code = Editor(self.root)
        self.mutants = self._compiled(job["mutants"])
        self.once, self.noticed = False, set()
        self.waited = collections.Counter()
        self.threads = 0
        self.watch.replace()
        if hasattr(gc, "freeze"):
            gc.freeze()  # so that to collect what a case leaves behind takes no longer than that is large

    def _compiled(self, mutants):
        """Number -> (functions, code before, code with the mutant), of those that can be put in."""
        found, source = {}, self.code.source(self.path)
        for number, mutant in enumerate(mutants):
            function = mutant["function"]
            made = self.code.functions(self.path, function)
            if not made or len({one.__code__ for one in made}) > 1:
                continue
            old = made[0].__code__
            text = edited(source, mutant["edits"], function["start"], function["end"])
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
        units, self.once, self.noticed = request["units"], request.get("once"), set()
        work = self.observe if request["mode"] == "observe" else self.check
        found, at, waits = {}, 0, 0
        while at < len(units):
            begun, known = [at], len(found.get(at, ()))

            def receive(value):  # beside which the code under test may have written
                if not isinstance(value, dict):
                    return
                if type(value.get("begin")) is int and begun[0] <= value["begin"] < len(units):  # noqa: B023
                    begun[0] = value["begin"]  # noqa: B023 - used before the next turn
                elif value.get("unit") == begun[0]:  # noqa: B023
                    found.setdefault(begun[0], []).append(value)  # noqa: B023

            rest = range(at, len(units))
            ended = _forked(functools.partial(self._child, work, units, rest, request["limit"]), receive)
            waits += ended == "waits"
            first, at = at, begun[0]
            if ended == "done":  # with the last, or because something was left behind
                at += 1
                continue
            answers = found.setdefault(at, [])
            if work == self.observe:
                answers.append({"unit": at, "kind": "late" if ended == "late" else "died"})
                at += 1
                if waits >= MOST_WAITS:
                    found.update({number: [{"unit": number, "kind": "setup"}] for number in range(at, len(units))})
                    break
            else:
                fresh = answers[known if at == first else 0 :]
                if ended == "waits" and any(one.get("steady") for one in fresh):
                    self.waited.update(_untried(units[at], fresh)[:1])
                at = _behind(units, at, answers, fresh)
        return {"answers": [one for number in sorted(found) for one in found[number]]}

    def _child(self, work, units, numbers, limit, emit):
        self.watch.install()
        warnings.simplefilter("ignore")
        for number in numbers:
            emit({"begin": number})
            work(units[number], limit, lambda value: emit(dict(value, unit=number)))  # noqa: B023 - called at once
            if self._has_left():
                return

    def _begin(self, seed=0):
        """The state that each case begins in."""
        self.watch.begin()
        self.threads = _thread._count()
        for cache in self.caches:
            cache.cache_clear()
        random.seed(seed)

    def _settle(self, limit):
        """Free what the case has left behind, so that finalizers run under the watch; what it was stopped at in all, ""
        if nothing. Raises TimeUp."""
        with cpu_limit(limit):
            gc.collect()
        left = self._has_left()
        return self.watch.harm or left

    def _has_left(self):
        """What the case has begun that goes on behind it, in a word."""
        for _ in range(LEAVING):
            if _thread._count() <= self.threads:
                return ""
            select.select([], [], [], 0.005)  # time.sleep is stopped
        return "threads"

    # What a case does

    def observe(self, case, limit, emit):
        arcs, around, space = set(), set(), dict(self.names)
        self._begin()
        lines, call = list(case["lines"]), case["call"]
        answer = {"kind": "returned"}
        tracer, other = self._tracer(arcs), self._tracer(around)
        place, lazy, states, value = -1, 0, {}, None
        try:
            with cpu_limit(limit):
                for place, line in enumerate(lines):  # noqa: B007 - where it raised
                    sys.settrace(other if call and _is_plain(line) else tracer)
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
        except Harm:
            answer = {"kind": "harm"}
        except BaseException as error:  # noqa: BLE001 - the code under test may raise anything
            sys.settrace(None)
            answer = self._raised(error)
            if call and place < len(lines):
                arcs |= around
                lines, call = lines[:place], _value_of(lines[place])
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
        if (case["call"] and not call) or len(arcs) > MOST_ARCS:
            answer = {"kind": "setup"}
        ran = sorted({line for _, line in arcs | around if line > 0})
        emit(dict(answer, lines=lines, call=call, arcs=sorted(arcs), ran=ran))

    def _asserts(self, case, space, before):
        """Of the result, and of what is watched where the call has changed it; of an object, too, whose method gives
        nothing."""
        result = space["result"]
        found = self.assertions.of(result, "result")
        for name in case["watch"]:
            if name in space and space[name] is not result:
                state = self.assertions.state(space[name], name)
                gives_nothing = result is None and type(space[name]) not in CONTAINERS
                if gives_nothing or state != before.get(name) or not all(map(_is_plain, case["lines"])):
                    found += state
        return found

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
        """The exception by a name that a test can import; `meant` where the repository's own code says `raise`."""
        kind = type(error)
        last, line, function = error.__traceback__, 0, ""
        while last is not None:
            code = last.tb_frame.f_code
            if os.path.realpath(code.co_filename) == self.file:
                line, function = last.tb_lineno, code.co_name
            if last.tb_next is None:
                break
            last = last.tb_next
        code = last.tb_frame.f_code
        line = 0 if code.co_filename == "<case>" else line  # it raises what it was given to call
        own = os.path.realpath(code.co_filename).startswith(os.path.join(self.root, ""))
        meant = own and code.co_code[last.tb_lasti] == RAISE
        name = next((one.__name__ for one in kind.__mro__ if self._reachable(one)), "")
        if name in ("Exception", "BaseException", "object") and name != kind.__name__:
            name = ""
        text = str(error)[:200] if kind is not RecursionError else ""
        found = {"kind": "raised", "error": kind.__name__, "name": name, "meant": bool(meant)}
        return dict(found, text=text, line=line, function=function)

    def _reachable(self, kind):
        return self.names.get(kind.__name__, getattr(builtins, kind.__name__, None)) is kind

    # Which mutants a case notices

    def check(self, unit, limit, emit):
        """Whether the case with its assertions holds on the module as it is, and on which mutants it does not."""
        program = compile("\n".join(unit["program"]), "<case>", "exec")
        if not self._holds(program, limit) or not self._holds_elsewhere(unit, program, limit):
            emit({"steady": False})
            return
        emit({"steady": True})
        for number in unit["mutants"]:
            skipped = self.waited[number] >= MOST_WAITS or (self.once and number in self.noticed)
            if number not in self.mutants or skipped:
                emit({"mutant": number, "killed": None})
                continue
            made, old, new = self.mutants[number]
            for one in made:
                one.__code__ = new
            try:
                held = self._holds(program, limit)
            finally:
                for one in made:
                    one.__code__ = old
            if not held:
                self.noticed.add(number)
            emit({"mutant": number, "killed": not held})

    def _holds_elsewhere(self, unit, program, limit):
        """Whether it holds under another seed of chance and in another environment, and asks for neither, nor for the
        clock."""
        if len(self.root) > 1 and any(self.root in line for line in unit["program"]):
            return False
        asked = Asked()
        return self._holds(program, limit * LOOKED_AT, 1, asked.elsewhere) and not asked.what

    def _holds(self, program, limit, seed=0, around=contextlib.ExitStack):
        self._begin(seed)
        held = True
        try:
            with cpu_limit(limit), around():
                exec(program, dict(self.names))
        except BaseException:  # noqa: BLE001 - that is how it does not hold
            held = False
        try:
            return not self._settle(limit) and held
        except TimeUp:
            return False


def _forked(work, receive):
    """Call `work(emit)` in a child; each `emit(value)` there is a `receive(value)` here. Answers how it ended: `done`,
    `late` (it was silent for long, or its time was up), `waits` (it slept), or `died`."""
    child = Child(lambda emit, take: work(emit))
    heard, looks = time.monotonic(), []
    try:
        while not child.ended:
            if select.select([child], [], [], QUIET)[0]:
                heard, looks = time.monotonic(), []
                for value in child.receive():
                    receive(value)
                continue
            looks = [*looks[-1:], _asleep(child.pid)]
            if len(looks) > 1 and looks[0] == looks[1] is not None:
                return "waits"
            if time.monotonic() - heard > PATIENCE:
                return "late"
    finally:
        child.kill()
    if child.done:
        return "done"
    return "late" if child.signal == SLAIN else "died"


def _asleep(pid):
    """The CPU time that a process has used by now, if it sleeps; None if not, or where nobody can tell."""
    try:
        with open("/proc/%d/stat" % pid, "rb") as stat:
            fields = stat.read().rpartition(b")")[2].split()
    except OSError:
        return None
    return fields[11:13] if fields[0] == b"S" else None


def _untried(unit, fresh):
    """The mutants of a unit that have no answer yet."""
    return unit["mutants"][sum("mutant" in one for one in fresh) :]


def _behind(units, at, answers, fresh):
    """Where to go on after a child that ended in unit `at`, with `fresh` answers: behind the mutant that ended it, or
    behind the unit, where it was the code as it is."""
    if not any(one.get("steady") for one in fresh):
        answers.append({"unit": at, "steady": False})
        return at + 1
    left = _untried(units[at], fresh)
    if left:
        answers.append({"unit": at, "mutant": left[0], "killed": True})
    units[at] = dict(units[at], mutants=left[1:])
    return at if left[1:] else at + 1


def _is_plain(line):
    """Whether a statement only binds a name, or calls something: no `del`, no assignment to an item."""
    node = ast.parse(line).body[0]
    if isinstance(node, ast.Assign):
        return isinstance(node.targets[0], ast.Name)
    return isinstance(node, ast.Expr)


def _value_of(line):
    """The expression of a statement `name = expression`, or that is one; else ""."""
    try:
        (node,) = ast.parse(line).body
    except (SyntaxError, ValueError):
        return ""
    if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
        return line.split("=", 1)[1].strip()
    return line if isinstance(node, ast.Expr) else ""


def main(file):
    with open(file, encoding="utf-8") as opened:
        job = json.load(opened)
    PRIVATE.update((SOURCE, SINK))
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
        say(dict(hello, guarded=Watch.is_possible(), **described(module, server.file, server.root)))
        with os.fdopen(SOURCE, "rb", closefd=False) as source:
            for line in source:
                say(server.answer(json.loads(line.decode())))
