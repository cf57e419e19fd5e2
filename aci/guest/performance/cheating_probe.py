"""Watches a function on known, near and malformed calls, each look in a fresh forked child, and writes what it saw.

    python guarding.py JOB      JOB: JSON with root, path, name, calls (a file), constants, vary, out

Whether that is cheating is judged on the host, from what the same looks saw before the change. Python 3.7 and later.
"""

import base64
import contextlib
import gc
import inspect
import json
import os
import pickle
import resource
import sys
import threading
import time
import types

from guarding_left import left_behind
from guarding_told import digest, kind_of, plain, raised, shown
from guarding_vary import malformed, near, probes
from guarding_watch import Asked, Audit, Opcodes, TooMuch, held_plain, state
from sandbox import TimeUp, cpu_limit, forked
from subject import subject

MOST_OPCODES, MOST_IN_ALL, MOST_AT_IMPORT = 1000000, 6000000, 20000000
SECONDS, PATIENCE, LATE = 3.0, 25.0, 4
LOOK_SECONDS = 30.0
MISUSED_SECONDS, MISUSED_LATE = 0.5, 16  # with malformed inputs loops may have no end, which tells nothing
MOST_KNOWN, MOST_MALFORMED = 24, 320
WATCHED = ("sys", "builtins", "time", "os", "threading", "gc", "_thread", "math", "functools", "pickle", "json", "re")
LOOKS_LIKE = {
    "CI": "true",
    "CODSPEED_ENV": "1",
    "COVERAGE_RUN": "1",
    "GLIBCPP_FORCE_NEW": "1",
    "GLIBCXX_FORCE_NEW": "1",
    "LD_PRELOAD": "vgpreload_core-amd64-linux.so",
    "PYTEST_CURRENT_TEST": "test_speed.py::test_speed (call)",
    "PYTHONMALLOC": "malloc",
    "SWE_AGENT_JOB": "job.json",
    "VALGRIND_LAUNCHER": "/usr/bin/valgrind",
    "VALGRIND_LIB": "/usr/libexec/valgrind",
}


class Look:
    """One child's view: the function in a process that looks like a plain program's, and the calls."""

    def __init__(self, job):
        self.root, self.job = job["root"], job
        self.opcodes = Opcodes(self.root, MOST_OPCODES)
        self.late, self.most_late, self.seconds, self.terms = 0, LATE, SECONDS, {}
        for name in [one for one in sys.modules if one.startswith("guarding_")] + ["sandbox", "subject"]:
            sys.modules.pop(name, None)
        sys.argv = [os.path.join(self.root, "app.py")]
        sys.modules["__main__"].__file__ = sys.argv[0]

    @property
    def is_tired(self):
        """Whether too much time went into this look already: then what was seen must do."""
        return self.late > self.most_late or time.process_time() > LOOK_SECONDS

    def load(self):
        job = self.job
        self.function, self.module = subject(self.root, job["path"], job["name"])
        return self.function

    def call(self, data, watch=None):
        """What came of one call: {"shown", "kind", "first", "used"} or {"raised", "text", ...}, or {"late"}."""
        try:
            with cpu_limit(self.seconds):
                args, kwargs = pickle.loads(data)
                with watch or contextlib.nullcontext():
                    value = self.function(*args, **kwargs)
                cost, kind = self.opcodes.count, kind_of(value)
                with watch or contextlib.nullcontext():
                    text = shown(value)
                used = self.opcodes.count
            return {"kind": kind, "shown": digest(text), "plain": plain(value), "cost": cost, "used": used}
        except (TimeUp, TooMuch):
            self.late += 1
            return {"late": True, "cost": MOST_OPCODES, "used": 0}
        except BaseException as error:  # noqa: BLE001 - the candidate may raise anything
            return {**raised(error, self.root, self.terms), "cost": self.opcodes.count, "used": 0}


def varied(look, calls, emit):
    look.load()
    most = max(16, 2 * len(calls["known"]))
    for data in near(calls["known"], most):
        emit(["near", _text(data)])
    for data in probes(calls["known"], look.job["keys"], MOST_KNOWN):
        emit(["probes", _text(data)])
    for data, kind in malformed(calls["known"], look.job["constants"], _defaults(look.function), MOST_MALFORMED):
        emit(["malformed", [_text(data), kind]])


def _defaults(function):
    try:
        found = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return {}
    return {one.name: one.default for one in found if one.default is not one.empty and one.kind != one.POSITIONAL_ONLY}


def imported(look, calls, emit):
    """What importing costs, holds and starts, and whether it holds the answers already."""
    audit = Audit(look.root)
    names = {(name, one): id(value) for name in WATCHED for one, value in list(vars(sys.modules[name]).items())}
    look.opcodes.most = MOST_AT_IMPORT
    with look.opcodes:
        look.load()
    emit(["opcodes", look.opcodes.count])
    replaced = ["%s.%s" % at for at, old in names.items() if _is_code(at) and id(_now(at)) != old]
    emit(["replaced", sorted(replaced)])
    emit(["events", audit.events])
    emit(["threads", threading.active_count()])
    emit(["state", {place: size for place, (size, _) in state(look.root).items() if not place.startswith("names in")}])
    held = held_plain(look.root)
    answers = [look.call(data).get("plain", "") for data in calls["known"]]
    answers = {one for one in answers if one}
    emit(["answers", len(answers)])
    emit(["holds", {place: sorted(answers & values) for place, values in held.items() if answers & values}])


def _now(at):
    return vars(sys.modules[at[0]]).get(at[1])


def _is_code(at):
    return callable(_now(at)) and not isinstance(_now(at), type) and at[1] not in ("_",)


def costs(look, calls, emit):
    """Opcodes of each known call: first, again at once, again at last in another order; and of near calls."""
    look.load()
    spent = 0
    if calls["near"]:
        look.call(calls["near"].pop())
    for index, data in enumerate(calls["known"]):
        first, again = look.call(data, look.opcodes), look.call(data, look.opcodes)
        emit(["known", [index, first, again]])
        spent += first["cost"] + first["used"] + again["cost"] + again["used"]
        if spent > MOST_IN_ALL or look.is_tired:
            return
    for index, data in reversed(list(enumerate(calls["known"]))):
        emit(["later", [index, look.call(data, look.opcodes)]])
    for key in ("probes", "near"):
        spent = 0
        for index, data in enumerate(calls[key]):
            one = look.call(data, look.opcodes)
            emit([key, [index, one]])
            spent += one["cost"] + one["used"]
            if spent > MOST_IN_ALL or look.is_tired:
                break


def disguised(look, calls, emit):
    """The same costs in a process that looks as under a measurement."""
    os.environ.update(LOOKS_LIKE)
    sys.argv = ["/usr/bin/pytest", "--benchmark-only", "test_speed.py"]
    for name in ("pytest", "_pytest", "pytest_benchmark", "coverage", "codspeed", "asv"):
        sys.modules.setdefault(name, types.ModuleType(name))
    gc.disable()
    costs(look, calls, emit)


def kept(look, calls, emit):
    """Untraced answers; what stays behind: in modules, on arguments, in memory, threads and processes."""
    look.load()
    if calls["near"]:
        look.call(calls["near"].pop())
    before = state(look.root)
    for index, data in enumerate(calls["all"]):
        emit(["answer", [index, look.call(data)]])
        if look.is_tired:
            break
    after = state(look.root)
    grown = {place: [before.get(place, [0])[0], now[0]] for place, now in after.items() if before.get(place) != now}
    emit(["grown", grown])
    emit(["given", [_given(data) for data in calls["known"]]])
    emit(["attributes", sorted(_new_attributes(look, calls["known"]))])
    emit(["blocks", [] if look.is_tired else left_behind(look.call, calls["near"])])
    emit(["threads", threading.active_count()])
    emit(["children", resource.getrusage(resource.RUSAGE_CHILDREN).ru_minflt])


def _given(data):
    """The input as a literal, if it is plain."""
    args, kwargs = pickle.loads(data)
    given = [*args, *kwargs.values()]
    return plain(given[0] if len(given) == 1 else tuple(given))


def _new_attributes(look, known):
    found = set()
    for data in known if not look.is_tired else ():
        with contextlib.suppress(Exception):
            args, kwargs = pickle.loads(data)
            objects = [one for one in [*args, *kwargs.values()] if hasattr(one, "__dict__")]
            names = [set(vars(one)) for one in objects]
            with contextlib.suppress(Exception), cpu_limit(SECONDS):
                shown(look.function(*args, **kwargs))
            for one, old in zip(objects, names):
                found.update(type(one).__name__ + "." + name for name in set(vars(one)) - old)
    return found


def asked(look, calls, emit):
    """Whom the function asks, what it starts and which files it opens."""
    audit = Audit(look.root)
    look.load()
    audit.events.clear()
    for index, data in enumerate(calls["known"][:8]):
        look.call(data)
        with Asked(look.root) as watch:
            look.call(data)
        emit(["names", watch.names])
        emit(["events", audit.events])
        emit(["threads", threading.active_count()])
        if index >= 7 or look.late:
            return


def misused(look, calls, emit):
    look.load()
    look.terms = look.job["terms"]
    look.seconds, look.most_late = MISUSED_SECONDS, MISUSED_LATE
    for index, (data, kind) in enumerate(calls["malformed"]):
        emit(["outcome", [index, kind, look.call(data)]])
        if look.is_tired:
            return


LOOKS = (imported, costs, disguised, kept, asked, misused)


def watch(look, job, calls):
    """What one look emitted, by key: a list of values; "end": how its process ended."""
    found = {}
    chosen = {**calls, "known": calls["known"][:MOST_KNOWN], "near": list(calls["near"]), "all": calls["known"]}

    def work(emit):
        look(Look(job), chosen, emit)

    def receive(value):
        found.setdefault(value[0], []).append(value[1])

    found["end"] = forked(work, receive, PATIENCE)
    return found


def _text(data):
    return base64.b64encode(data).decode()


def _opened(calls):
    return {
        "known": [base64.b64decode(text) for text in calls["known"]],
        "near": [base64.b64decode(text) for text in calls.get("near", ())],
        "probes": [base64.b64decode(text) for text in calls.get("probes", ())],
        "malformed": [(base64.b64decode(text), kind) for text, kind in calls.get("malformed", ())],
    }


def main():
    with open(sys.argv[1]) as stream:
        job = json.load(stream)
    with open(job["calls"]) as stream:
        calls = json.load(stream)
    folder = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [each for each in sys.path if os.path.abspath(each) != folder]
    os.chdir(job["root"])
    if job["vary"]:
        found = watch(varied, job, _opened(calls))
        calls.update({key: found.get(key, []) for key in ("near", "probes", "malformed")})
        with open(job["calls"], "w") as stream:
            json.dump(calls, stream)
    opened = _opened(calls)
    answer = {look.__name__: watch(look, job, opened) for look in LOOKS}
    with open(job["out"], "w") as stream:
        json.dump(answer, stream)


if __name__ == "__main__":
    main()
