"""What candidates answer on calls like those of the tests: to tell plausible ones apart.

Calls of the functions that candidates edit, and of those through which tests reach them, are recorded while the tests
run, and varied; then every candidate answers all of them, each in a child of its own, and so does the base.

Standard library only, for the target's own Python (3.6 and later).
"""

import contextlib
import copy
import gc
import hashlib
import io
import opcode
import os
import time
from functools import partial

from .calling import Recorder
from .lines_run import lines_of, nested, texts_run
from .sandbox import TimeUp, cpu_limit, forked
from .shape import brief, drawn, shown, shown_call, told
from .variants import varied

MOST, MOST_OF_ENTRIES = 160, 320
"""Calls made of an edited function, and of all through which tests reach them."""
FEWEST = 24
LATE, LATE_ON_BASE = 3, 10
"""After so many calls that took too long nothing is asked on."""
SECONDS, FEWER, MOST_SECONDS = 2.0, 4, 10.0
"""CPU seconds that all answers of the base may take; where they take more, a fourth of the calls is made, or a
sixteenth: steps so wide that the same calls are made on machines that are not much unlike. A candidate that has used
`MOST_SECONDS` is asked no more."""
PATIENCE = 60.0
"""Seconds of the clock that a child may be silent."""
RAISE = opcode.opmap["RAISE_VARARGS"]
BASE = -1
"""The id of the answers without any edit."""


def run(spec, editor, tests, answer, left):
    """Answer `{"inputs": [..]}`, then for the base and each candidate `{"id", "answers"}`, with texts to be read in
    between (`{"texts": {digest: text}}`), and `{"id", "lost"}`: the share of the function's lines that ran and now do
    not. It leaves traces in this process.

    An answer is `type:digest`, `!` and what was raised, with a digest of its text where the repository's own code says
    `raise`, `!late`, or "" for a call that does not concern the candidate, or that there was no time for.
    """
    if hasattr(gc, "unfreeze"):  # else functions are not among the objects that can be found
        gc.unfreeze()
    candidates = spec["candidates"]
    calls = recorded(spec, editor, tests, left)
    calls += _made(calls, spec.get("constants", []), _read(editor, candidates, calls))
    calls, base = _base(editor, calls, spec["limit"])
    names = [shown_call(call.function, call.values) for call in calls]
    answer({"inputs": [_told(call, name) for call, name in zip(calls, names)]})
    known = set()

    def receive(line):
        texts = {digest: text for digest, text in line.pop("texts").items() if digest not in known}
        known.update(texts)
        answer({"texts": texts})
        answer(line)

    if base:
        receive(base)
    before = _lines_before(editor, candidates, calls, spec["limit"])
    for candidate in candidates:
        if left() < 0:
            return
        work = partial(_answer, editor, candidate, _edited(editor, candidate), calls, spec["limit"])
        forked(work, receive, max(1.0, min(PATIENCE, left())))
        lost = before.get(_place(candidate))
        if lost and left() > 0:
            forked(partial(_lost, editor, candidate, lost, calls, spec["limit"]), answer, PATIENCE)


def _base(editor, calls, limit):
    """The base's answers, and of the calls so many that a candidate as quick as the base has answered in time."""
    found = []
    forked(partial(_answer, editor, None, {id(call.function) for call in calls}, calls, limit), found.append, PATIENCE)
    if not found:
        return calls, None
    base = found[0]
    step = every(base.pop("cpu"))
    kept = [place for place, call in enumerate(calls) if not call.made or place % step == 0]
    base["answers"] = [base["answers"][place] for place in kept]
    return [calls[place] for place in kept], base


def every(cpu):
    """Of how many made calls one is kept, where the base used so many CPU seconds for all."""
    step = 1
    while cpu > SECONDS * step:
        step *= FEWER
    return step


def _place(candidate):
    function = candidate["function"]
    return (candidate["path"], function["start"]) if function else None


def _lines_before(editor, candidates, calls, limit):
    """Place of an edited function -> the texts of its lines that run on the base."""
    found = {}
    for candidate in candidates:
        place, functions = _place(candidate), _functions(editor, candidate)
        if functions and place not in found:
            lines = lines_of(editor.source(candidate["path"]))

            def work(emit, functions=functions, lines=lines):
                emit(sorted(texts_run(functions, calls, lines, limit)))

            texts = []
            forked(work, texts.append, PATIENCE)
            found[place] = texts[0] if texts else []
    return found


def _lost(editor, candidate, before, calls, limit, emit):
    """Which share of the lines that ran on the base, and that the edit leaves as they are, never runs with it."""
    functions = _functions(editor, candidate)
    try:
        editor.apply(candidate)
    except Exception:  # noqa: BLE001 - a candidate that cannot be put in loses nothing
        return
    lines = lines_of(editor.source(candidate["path"]), candidate["edits"])
    left = set(before).intersection(lines)
    lost = left - texts_run(functions, calls, lines, limit)
    emit({"id": candidate["id"], "lost": len(lost) / len(left) if left else 0.0})


def recorded(spec, editor, tests, left):
    """Calls of the tests, the failing ones' first, while the first candidate is in: a failing test goes on to its end
    then. Where it cannot be put in by swapping code, as the tests call without it."""
    candidates = spec["candidates"]
    functions = [one for candidate in candidates for one in _functions(editor, candidate)]
    before = [(one, one.__code__) for one in functions]
    with contextlib.suppress(Exception):  # it may need its module run again, or be no candidate
        editor.swap(candidates[0])
    recorder = Recorder(editor.root, {one.__code__ for one in functions})
    try:
        for failing, kind in ((True, "failing"), (False, "passing")):
            for name in spec[kind]:
                if name in tests and left() > 0:
                    _watched(recorder, failing, tests[name], 20 * spec["limit"])
        return recorder.calls()
    finally:
        for function, code in before:
            function.__code__ = code
        forget()


def _watched(recorder, failing, test, seconds):
    recorder.start(failing)
    try:
        with cpu_limit(seconds):
            test.run()
    except TimeUp:
        pass
    finally:
        recorder.stop()


def forget():
    """Empty what functools remembers of calls: it was answered by other code."""
    for one in gc.get_objects():
        if type(one).__name__ == "_lru_cache_wrapper":
            one.cache_clear()


def _functions(editor, candidate):
    function = candidate["function"]
    return editor.functions(candidate["path"], function) if function else []


def _edited(editor, candidate):
    return {id(one) for one in _functions(editor, candidate)}


def _read(editor, candidates, calls):
    """Names of attributes that the edited functions and the called ones may read."""
    functions = [one for candidate in candidates for one in _functions(editor, candidate)]
    functions += [call.function for call in calls]
    codes = {code for one in functions for code in nested(one.__code__)}
    return {name for code in codes for name in code.co_names}


def _made(calls, constants, read):
    """Variants of the calls, as many of each function as there is room for."""
    functions = {}
    for call in calls:
        functions.setdefault(id(call.function), []).append(call)
    most = max(FEWEST, min(MOST, MOST_OF_ENTRIES // max(1, len(functions))))
    return [made for group in functions.values() for made in varied(group, most, constants, read)]


def _told(call, name):
    return {"text": name, "entry": call.entry, "failing": call.failing, "made": call.made}


def _answer(editor, candidate, functions, calls, limit, emit):
    """Answers of one candidate, or without one of the base, with their texts."""
    if candidate is not None:
        try:
            editor.apply(candidate)
        except Exception:  # noqa: BLE001 - a candidate that cannot be put in answers nothing
            return
    texts, answers, late = {}, [], 0
    most, seconds = (LATE, MOST_SECONDS) if candidate else (LATE_ON_BASE, PATIENCE)
    root = os.path.join(editor.root, "")
    started = time.process_time()
    for call in calls:
        digest = ""
        concerned = call.entry or id(call.function) in functions
        if concerned and time.process_time() - started < seconds:
            digest = one_answer(call, limit, texts, root) if late < most else "!late"
            late += digest == "!late"
        answers.append(digest)
    answered = {"answers": answers, "texts": texts}
    if candidate is None:
        emit(dict(answered, id=BASE, cpu=max(0.0, time.process_time() - started - late * limit)))
    else:
        emit(dict(answered, id=candidate["id"]))


def one_answer(call, limit, texts, root):
    """What a call does, as a digest: its result, what it did to its arguments, what it printed, or what it raised.

    `texts` gets the text of a digest to be read. `root`, with a slash, is the repository's.
    """
    out = io.StringIO()
    try:
        with cpu_limit(limit), contextlib.redirect_stdout(out):
            positional, named = copy.deepcopy(call.values)
            before = [told(one) for one in positional]
            value = drawn(call.function(*positional, **named))
            after = [told(one) for one in positional]
            left = [place for place, (old, new) in enumerate(zip(before, after)) if old != new]
            printed = out.getvalue()
            whole = [told(value), *(after[place] for place in left), printed]
            digest = "%s:%s" % (type(value).__name__, _digest(whole))
            if digest not in texts:
                changed = ", ".join(shown(positional[place]) for place in left)
                text = brief(shown(value)) + (" and leaves " + brief(changed) if left else "")
                texts[digest] = text + (" and prints " + brief(repr(printed)) if printed else "")
            return digest
    except TimeUp:
        return "!late"
    except BaseException as error:  # noqa: BLE001 - the candidate may raise anything
        return _raised(error, texts, root)


def _digest(texts):
    return hashlib.sha256("\n".join(texts).encode("utf-8", "replace")).hexdigest()[:12]


def _raised(error, texts, root):
    """What was raised. Its text counts where code of the repository says `raise`: then it is meant."""
    name = type(error).__name__
    last = error.__traceback__
    while last is not None and last.tb_next is not None:
        last = last.tb_next
    code = last.tb_frame.f_code
    meant = code.co_code[last.tb_lasti] == RAISE and os.path.realpath(code.co_filename).startswith(root)
    if not meant:
        return "!" + name
    try:
        text = "%s: %s" % (name, brief(told(error.args)))
    except Exception:  # noqa: BLE001 - any object may refuse to be shown
        return "!" + name
    digest = "!%s:%s" % (name, _digest([text]))
    texts[digest] = "raises " + text
    return digest
