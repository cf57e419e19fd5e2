"""Answers of the base and of a patch to calls like those of the reproducing tests.

The calls of the changed functions are recorded in the patched tree. Those that the base answers differently are varied,
and both versions answer the variants. `extensions/experiment/generality.py` judges the answers.

Standard library only, for the target's own Python (3.6 and later).
"""

import ast
import contextlib
import inspect
import os
import sys
import time
from functools import partial

from .answer_collection import answer_digest, clear_caches
from .argument_variants import is_method, part, places, probe_calls, reachable, vary_calls
from .base_version import load_files, restore_base
from .call_frames import call_arguments
from .change_contact import run_contact
from .forked_sandbox import run_forked
from .item_runners import run_watched
from .parameter_reads import parameter_at, read_parameters
from .recorded_calls import Recorder
from .renamed_calls import rename_calls, replace_words
from .repeated_tests import find_blind_tests, find_flaky_tests
from .value_text import HIDDEN, Shower, call_text, full_text, outline_text

TEST_SECONDS = 10.0
"""Maximum CPU seconds of a test while its calls are recorded."""
LATE, SECONDS = 12, 4.0
"""Number of calls that may exceed their time limit, and CPU seconds, before a version gets no more calls."""
SLOWER, LEAST_SECONDS = 20, 0.02
"""Factor of the time limit of a call over the longest recorded one, and the minimum limit in CPU seconds."""
PATIENCE = 30.0
"""Wall-clock seconds after which a silent child is killed."""
SCALARS = (bool, int, float, complex, str, bytes, type(None))
MOST_STATE = 30
MOST_LOOKED = 50
"""Maximum number of nested calls of which the arguments are looked at."""
RENAMED = 40
"""Number of variants of each function's calls in which all words and numbers are others."""
PROBES = 12
"""Number of variants in which a special argument is changed, to see whether the patch's change depends on it."""
ORIGINS = 3
"""Number of each function's calls of which single words are replaced."""
LONGEST = 200
NOT_FINITE = ("inf", "-inf", "nan")
UNKNOWN = "!unknown argument"
"""The answer of the base to a call with an argument that only the patch accepts."""


def compare(job):
    """Emit `{"contact": ..}`, what the tests run (`change_contact.py`) and which of them are `blind` or
    `flaky` (`repeated_tests.py`), then `{"calls": [..]}`, with a row for each
    recorded call that the versions answer differently, and for each variant of such a call: what `_row` and `_variants`
    return. A recorded call has the names of the parameters that are `given` its arguments, "" for arguments that are
    not read.

    `files` maps the changed paths to the base's text, `functions` are the changed functions (path, name, lines) and
    `added` the new ones (also with `qualname`).
    `tests` are the names of the tests, `limit` the maximum CPU seconds of each call, `most` the number of variants of
    each function, and `constants` the constants of the base that count as special values.
    """
    spec = job.spec
    HIDDEN.update(spec["new_attributes"])
    load_files(job)
    contact = run_contact(job)
    job.answer({"contact": contact and dict(contact, blind=find_blind_tests(job), flaky=find_flaky_tests(job))})
    if not spec["functions"]:
        return
    calls = _recorded(job)
    job.answer({"recorded": len(calls)})
    limit = _time_limit(job, calls)
    seeds = [row for row in _rows(job, calls, limit) if row["base"] != row["patch"] and _is_stable(row)]
    own, groups = {}, {}
    for row in seeds:
        call = calls[row["number"]]
        own.setdefault(call.function.__code__, set()).add(call.text)
        groups.setdefault(id(call.function), []).append(call)
    reads = _read_places(job, list(groups.values()))
    variants = [one for group, read in zip(groups.values(), reads) for one in _variants(spec, group, read)]
    variants.sort(key=lambda one: ("probe" in one[1], "renamed" in one[1]))  # in case that not all get an answer
    rows = _answered(job, variants, limit, own)
    if not any(row.get("renamed") and row["base"] != row["patch"] for row in rows):
        words = [one for group, read in zip(groups.values(), reads) for one in _word_variants(spec, group, read)]
        rows += _answered(job, words, limit, own)
    for row in seeds:
        call = calls[row["number"]]
        read = reads[list(groups).index(id(call.function))]
        names = [parameter_at(call.function.__code__, one) if one in read else "" for one in _arguments(call)]
        row.update(made=False, given=names)
    job.answer({"calls": seeds + rows})


def _answered(job, variants, limit, own):
    """Return the rows of variants, with the facts that are given with each."""
    rows = _rows(job, [call for call, _ in variants], limit, own)
    return [dict(row, made=True, **facts) for row, (_, facts) in zip(rows, variants)]


def _word_variants(spec, group, read):
    """Return variants in which only one `word` is different, as in `_variants`; `origin` is the number of the call."""
    found = []
    for origin, call in enumerate(group[:ORIGINS]):
        for word, made in replace_words(call, partial(is_special, constants=spec["constants"]), read):
            made.name = call.name
            found.append((made, {"probe": True, "word": word, "origin": origin}))
    return found


def _variants(spec, group, read):
    """Return variants of calls of one function, each with a dict: which parameters are `varied`, i.e. get what they get
    in none of these calls, and whether it is `renamed` or a `probe`.

    Probes vary the special arguments, which other variants keep. `read` are the places of the arguments that either
    version reads; others are not varied.
    """
    is_fixed = partial(is_special, constants=spec["constants"])
    varied = vary_calls(group, spec["most"], (), is_fixed=is_fixed, where=read)
    renamed = rename_calls(group, RENAMED, is_fixed, read)
    probes, own = [], {}
    for place in sorted(read, key=repr):
        there = [call for call in group if place in places(call.values)]
        own[place] = {_text_at(call, place) for call in there}
        if any(place in _arguments(call) and is_fixed(part(call.values, place)) for call in there):
            probes += probe_calls(group, PROBES, place, _known_values(spec["constants"]))
    found = []
    for made, kind in ((varied, {}), (renamed, {"renamed": True}), (probes, {"probe": True})):
        for call in made:
            call.name = group[0].name
            changed = [one for one in places(call.values) if one in read and _text_at(call, one) not in own[one]]
            names = {parameter_at(call.function.__code__, one) for one in changed}
            found.append((call, dict(kind, varied=sorted(names))))
    return found


def _read_places(job, groups):
    """Return, for each group of calls of a function, the places of the arguments that the base or the patch may read;
    all if this cannot be found out."""
    reads = [_read_by(group) for group in groups]
    found = []

    def work(emit):
        restore_base(job)
        for group in groups:
            for call in group:
                _rebind(job, call)
            emit(sorted(_read_by(group), key=repr))

    run_forked(work, found.append, max(1.0, min(PATIENCE, job.left())))
    if len(found) < len(groups):
        return [{place for call in group for place in places(call.values)} for group in groups]
    return [read.union(map(tuple, base)) for read, base in zip(reads, found)]


def _read_by(group):
    """Return the places of arguments that this version reads, and of those for which it has no parameter."""
    code = group[0].function.__code__
    read = {"", *read_parameters(code)}
    return {place for call in group for place in places(call.values) if parameter_at(code, place) in read}


def _arguments(call):
    """Return the places of the arguments of a call, without a method's `self`."""
    return places(call.values)[is_method(call.function, call.values) :]


def _text_at(call, place):
    return outline_text(part(call.values, place)) if place in places(call.values) else None


def _known_values(constants):
    kinds = ("int", "float", "str", "bytes")
    texts = [text for kind, text in constants if kind in kinds and not text.startswith(NOT_FINITE)]
    return [ast.literal_eval(text) for text in texts]


def _recorded(job):
    """Return the calls that the tests make, without the arguments that are equal to the parameters' defaults.

    Calls of a function that a decorator replaced have the `name` (path, qualified name) by which the base finds its own
    function. `text` shows the arguments.
    """
    functions = [one for given in job.spec["functions"] for one in job.editor.functions(given["path"], given)]
    codes = {one.__code__ for one in functions}
    wrappers = {}
    for given in job.spec["functions"]:
        bound = job.editor.bound(given["path"], given["qualname"])
        if bound is not None and bound.__code__ not in codes:
            wrappers[bound] = given["path"], given["qualname"]
    recorder = Recorder(job.editor.root, codes.union(one.__code__ for one in wrappers))
    for name in job.spec["tests"]:
        if name in job.tests and job.left() > 0:
            recorder.start(True)
            run_watched(job.tests[name], TEST_SECONDS, recorder)
    clear_caches()
    calls = recorder.calls()
    for call in calls:
        call.text = Shower(True).text(call.values)
        _drop_defaults(call)
        call.name = wrappers.get(call.function)
    return calls


def _rebind(job, call):
    """Let a call of a decorated function use what this version binds to its name."""
    if call.name:
        call.function = job.editor.bound(*call.name) or call.function


def _drop_defaults(call):
    """Remove the last arguments that are equal to their defaults, since a default is a part of the function."""
    positional, named = call.values
    code, defaults = call.function.__code__, call.function.__defaults__ or ()
    first = code.co_argcount - len(defaults)
    while first < len(positional) <= code.co_argcount:
        if full_text(positional[-1]) != full_text(defaults[len(positional) - 1 - first]):
            break
        del positional[-1]
    for name, value in (call.function.__kwdefaults__ or {}).items():
        if name in named and full_text(named[name]) == full_text(value):
            del named[name]


def _time_limit(job, calls):
    """Return the CPU seconds that a call may take, based on the time of the recorded calls that end in time."""
    longest = []

    def work(is_base, emit):
        if is_base:
            restore_base(job)
        for call in calls[:LATE]:
            _rebind(job, call)
            started = time.process_time()
            if answer_digest(call, job.spec["limit"], {}, "") != "!late":
                emit(time.process_time() - started)
            elif is_base:  # it may hang in each of them
                break

    for is_base in (True, False):
        run_forked(partial(work, is_base), longest.append, max(1.0, min(PATIENCE, job.left())))
    return min(job.spec["limit"], max([LEAST_SECONDS, *(SLOWER * seconds for seconds in longest)]))


def _rows(job, calls, limit, own=()):
    """Return a row for each call, with the answers of the base, of the base once more, and of the patch.

    `own` are the texts of the arguments in the tests, by the code of the function.
    """
    answers = [_answers(job, calls, limit, is_base, own) for is_base in (True, True, False)] if calls else []
    return [_row(call, number, *[version[number] for version in answers]) for number, call in enumerate(calls)]


def _row(call, number, base, again, patch):
    """Return a dict: the call's `text`, its answers (see `answer_collection.py`) and `texts` of the first and the last,
    and for each argument its type, its value if it is a scalar, and whether it is empty, and its `features`.

    `state` has the scalars in a method's object. `nested` tells whether a changed function gets what it gets in the
    tests, inside of the call.
    """
    own = [part(call.values, place) for place in _arguments(call)]
    return {
        "number": number,
        "function": call.function.__qualname__,
        "text": call_text(call.function, call.values),
        "base": base[0],
        "again": again[0],
        "patch": patch[0],
        "texts": [base[1], patch[1]] if base[0] != patch[0] else [],
        "nested": patch[2],
        "arguments": [_argument(value) for value in own],
        "features": [_features(value) for value in own],
        "state": _state(call) if is_method(call.function, call.values) else [],
    }


def _state(call):
    """Return the type and `repr` of scalars in the attributes of a method's object."""
    values = [value for one in reachable(call.values[0][0]) for name, value in vars(one).items() if name not in HIDDEN]
    values += [part for value in values if type(value) in (list, tuple, set, frozenset) for part in value]
    values += [part for value in values if type(value) is dict for pair in value.items() for part in pair]
    found = [one for one in values if type(one) in SCALARS and not is_special(one, ())]
    return [[type(one).__name__, repr(one)[:LONGEST]] for one in found[:MOST_STATE]]


def _argument(value):
    scalar = repr(value)[:LONGEST] if type(value) in SCALARS else ""
    return [type(value).__name__, scalar, is_special(value, ())]


def _features(value):
    """Return properties of a value by which a patch may select it, as a user reads them: its length, its first and last
    item or character."""
    if type(value) not in (str, bytes, list, tuple) or not value:
        return []
    found = ["length %d" % len(value)]
    unit = {str: "character", bytes: "byte"}.get(type(value), "item")
    for name, item in (("first", value[0]), ("last", value[-1])):
        if type(item) in SCALARS:
            found.append("%s %s %s" % (name, unit, repr(item)[:LONGEST]))
    return found


def is_special(value, constants):
    """Return whether a value is special for its type (None, False, 0, empty), or one of the constants."""
    if type(value) in SCALARS:
        return not value or [type(value).__name__, repr(value)] in constants
    try:
        return len(value) == 0
    except Exception:  # noqa: BLE001 - any object may refuse to be measured
        return False


def _is_stable(row):
    return row["base"] == row["again"] and row["patch"] != "!late" and row["base"] and row["patch"]


def _answers(job, calls, limit, is_base, own):
    """Return the answers of one version, which runs in a child, each with its text and whether it uses `own` calls."""
    found = []
    work = partial(_emit_answers, job, calls, limit, is_base, own)
    run_forked(work, found.append, max(1.0, min(PATIENCE, job.left())))
    return found + [["", "", False]] * (len(calls) - len(found))


def _emit_answers(job, calls, limit, is_base, own, emit):
    root = os.path.join(job.editor.root, "")
    if is_base:
        restore_base(job)
    started, late = time.process_time(), 0
    for call in calls:
        _rebind(job, call)
        if late >= LATE or time.process_time() - started > SECONDS:
            return
        if is_base and not accepts(call.function, call.values):
            emit([UNKNOWN, "an argument is unknown", False])
            continue
        texts, watch = {}, NestedCalls({} if is_base else own)
        answer = answer_digest(call, limit, texts, root, watch)
        late += answer == "!late"
        emit([answer, texts.get(answer, "raises " + answer[1:]), watch.found])


class NestedCalls:
    """Watcher for calls of functions, inside of a call, with arguments whose texts are in `own` by their code."""

    def __init__(self, own):
        self.own = own
        self.found = False
        self._is_inside = False
        self._looked = 0

    def __enter__(self):
        if self.own:
            sys.setprofile(self._on_event)

    def __exit__(self, *error):
        sys.setprofile(None)

    def _on_event(self, frame, event, argument):
        if event != "call" or self.found or self._looked > MOST_LOOKED:
            return
        texts = self.own.get(frame.f_code)
        if self._is_inside and texts:
            self._looked += 1
            sys.setprofile(None)
            with contextlib.suppress(Exception):  # any object may refuse to be shown
                self.found = Shower(True).text(call_arguments(frame)) in texts
            sys.setprofile(self._on_event)
        self._is_inside = True


def accepts(function, values):
    """Return whether a function has parameters for these arguments."""
    positional, named = values
    code = function.__code__
    if len(positional) > code.co_argcount and not code.co_flags & inspect.CO_VARARGS:
        return False
    names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    return bool(code.co_flags & inspect.CO_VARKEYWORDS) or set(named) <= set(names)
