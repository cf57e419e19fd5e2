"""Answers (results or exceptions) of candidates to calls like those of the tests, to tell plausible candidates apart.

Calls of the edited functions, and of the functions through which tests reach them, are recorded while the tests run,
and then varied. Then the base and every candidate run all of these calls, each in its own child process.

Standard library only, for the target's own Python (3.6 and later).
"""

import contextlib
import copy
import gc
import hashlib
import io
import os
import time
from functools import partial

from .argument_variants import vary_calls
from .call_frames import nested_codes, raising_code
from .executed_lines import executed_texts, lines_of
from .forked_sandbox import TimeUp, cpu_limit, run_forked
from .item_runners import run_watched
from .recorded_calls import Recorder
from .value_text import call_text, full_text, readable_text, shorten, take_items

MOST, MOST_OF_ENTRIES = 160, 320
"""Maximum number of variants of calls for one edited function, and for all functions together."""
FEWEST = 24
LATE, LATE_ON_BASE = 3, 10
"""Number of calls that may exceed their time limit before a candidate, or the base, gets no more calls."""
SECONDS, FEWER, MOST_SECONDS = 2.0, 4, 10.0
"""Maximum CPU seconds for all answers of the base. If the answers take longer, only every 4th variant is used, or every
16th, and so on; with such coarse steps, similar machines select the same calls. A candidate that has used
`MOST_SECONDS` gets no more calls."""
PATIENCE = 60.0
"""Wall-clock seconds after which a silent child is killed."""
EFFECTS = "+"
"""Separates the digest of a result from that of the changed arguments and the output."""
BASE = -1
"""The id under which the answers of the unedited base are emitted."""


def run(spec, editor, tests, answer, left):
    """Emit `{"inputs": [..]}`, then `{"id", "answers"}` for the base and each candidate.

    Before the answers, it emits new human-readable texts (`{"texts": {digest: text}}`). After a candidate's answers, it
    emits `{"id", "lost"}`, where `lost` is the share of the function's lines that ran on the base but no longer run.
    Running this changes the state of this process.

    An answer is `type:digest` for a result, `type:digest+digest` for one with other effects, `!Error` for an exception,
    `!Error:digest` for one that the repository's own code raises (with a digest of its text), `!late` for a timeout, or
    "" for a call that was not made because it does not concern the candidate or no time was left.
    """
    if hasattr(gc, "unfreeze"):  # otherwise `gc.get_objects` would omit the functions
        gc.unfreeze()
    candidates = spec["candidates"]
    calls = record_calls(spec, editor, tests, left)
    calls += _variants(calls, spec.get("constants", []), _read_names(editor, candidates, calls))
    calls, base = _base_answers(editor, calls, spec["limit"])
    names = [call_text(call.function, call.values) for call in calls]
    answer({"inputs": [_input(call, name) for call, name in zip(calls, names)]})
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
        work = partial(_answer, editor, candidate, _edited_ids(editor, candidate), calls, spec["limit"])
        run_forked(work, receive, max(1.0, min(PATIENCE, left())))
        lost = before.get(_place(candidate))
        if lost and left() > 0:
            run_forked(partial(_emit_lost_lines, editor, candidate, lost, calls, spec["limit"]), answer, PATIENCE)


def _base_answers(editor, calls, limit):
    """Select the calls that can be answered in time at the base's speed; return them with the base's answers."""
    found = []
    run_forked(
        partial(_answer, editor, None, {id(call.function) for call in calls}, calls, limit), found.append, PATIENCE
    )
    if not found:
        return calls, None
    base = found[0]
    step = sampling_step(base.pop("cpu"))
    used = [place for place, call in enumerate(calls) if not call.made or place % step == 0]
    base["answers"] = [base["answers"][place] for place in used]
    return [calls[place] for place in used], base


def sampling_step(cpu):
    """Return n such that every n-th variant is used, given the base's CPU seconds for all variants."""
    step = 1
    while cpu > SECONDS * step:
        step *= FEWER
    return step


def _place(candidate):
    function = candidate["function"]
    return (candidate["path"], function["start"]) if function else None


def _lines_before(editor, candidates, calls, limit):
    """Return the text of each line that runs on the base, grouped by the location of the edited function."""
    found = {}
    for candidate in candidates:
        place, functions = _place(candidate), _functions(editor, candidate)
        if functions and place not in found:
            lines = lines_of(editor.source(candidate["path"]))

            def work(emit, functions=functions, lines=lines):
                emit(sorted(executed_texts(functions, calls, lines, limit)))

            texts = []
            run_forked(work, texts.append, PATIENCE)
            found[place] = texts[0] if texts else []
    return found


def _emit_lost_lines(editor, candidate, before, calls, limit, emit):
    """Emit which share of the unedited lines that ran on the base no longer runs with the edit."""
    functions = _functions(editor, candidate)
    try:
        editor.apply(candidate)
    except Exception:  # noqa: BLE001 - a candidate that cannot be applied loses no lines
        return
    lines = lines_of(editor.source(candidate["path"]), candidate["edits"])
    left = set(before).intersection(lines)
    lost = left - executed_texts(functions, calls, lines, limit)
    emit({"id": candidate["id"], "lost": len(lost) / len(left) if left else 0.0})


def record_calls(spec, editor, tests, left):
    """Return the calls that the tests make, those of the failing tests first.

    If possible, the tests run with the code of the first candidate, so that failing tests run to their end.
    """
    candidates = spec["candidates"]
    functions = [one for candidate in candidates for one in _functions(editor, candidate)]
    before = [(one, one.__code__) for one in functions]
    with contextlib.suppress(Exception):  # there may be no candidate, or its code may not be swappable
        editor.swap(candidates[0])
    recorder = Recorder(editor.root, {one.__code__ for one in functions})
    try:
        for failing, kind in ((True, "failing"), (False, "passing")):
            for name in spec[kind]:
                if name in tests and left() > 0:
                    recorder.start(failing)
                    run_watched(tests[name], 20 * spec["limit"], recorder)
        return recorder.calls()
    finally:
        for function, code in before:
            function.__code__ = code
        clear_caches()


def clear_caches():
    """Clear the `functools` caches, which hold results of other versions of the code."""
    for one in gc.get_objects():
        if type(one).__name__ == "_lru_cache_wrapper":
            one.cache_clear()


def _functions(editor, candidate):
    function = candidate["function"]
    return editor.functions(candidate["path"], function) if function else []


def _edited_ids(editor, candidate):
    return {id(one) for one in _functions(editor, candidate)}


def _read_names(editor, candidates, calls):
    """Return the names of attributes that the edited and the called functions may read."""
    functions = [one for candidate in candidates for one in _functions(editor, candidate)]
    functions += [call.function for call in calls]
    codes = {code for one in functions for code in nested_codes(one.__code__)}
    return {name for code in codes for name in code.co_names}


def _variants(calls, constants, read):
    """Return variants of the calls, with the maximum number divided equally between the functions."""
    functions = {}
    for call in calls:
        functions.setdefault(id(call.function), []).append(call)
    most = max(FEWEST, min(MOST, MOST_OF_ENTRIES // max(1, len(functions))))
    return [made for group in functions.values() for made in vary_calls(group, most, constants, read)]


def _input(call, name):
    return {"text": name, "entry": call.entry, "failing": call.failing, "made": call.made}


def _answer(editor, candidate, functions, calls, limit, emit):
    """Emit the answers of a candidate, or of the base if the candidate is None, with their texts."""
    if candidate is not None:
        try:
            editor.apply(candidate)
        except Exception:  # noqa: BLE001 - a candidate that cannot be applied has no answers
            return
    texts, answers, late = {}, [], 0
    most, seconds = (LATE, MOST_SECONDS) if candidate else (LATE_ON_BASE, PATIENCE)
    root = os.path.join(editor.root, "")
    started = time.process_time()
    for call in calls:
        digest = ""
        concerned = call.entry or id(call.function) in functions
        if concerned and time.process_time() - started < seconds:
            digest = answer_digest(call, limit, texts, root) if late < most else "!late"
            late += digest == "!late"
        answers.append(digest)
    answered = {"answers": answers, "texts": texts}
    if candidate is None:
        emit(dict(answered, id=BASE, cpu=max(0.0, time.process_time() - started - late * limit)))
    else:
        emit(dict(answered, id=candidate["id"]))


def answer_digest(call, limit, texts, root, watch=None):
    """Return a digest of what a call does: its result, changed arguments and output, or the exception it raises. If
    there are effects other than the result, their digest follows after EFFECTS.

    A human-readable text is added to `texts` under the digest. `root` is the repository's folder, with a trailing
    slash. The call runs in the context `watch`, if any.
    """
    out = io.StringIO()
    try:
        with cpu_limit(limit), contextlib.redirect_stdout(out):
            positional, named = copy.deepcopy(call.values)
            before = [full_text(one) for one in positional]
            with watch or contextlib.ExitStack():
                value = take_items(call.function(*positional, **named))
            after = [full_text(one) for one in positional]
            left = [place for place, (old, new) in enumerate(zip(before, after)) if old != new]
            printed = out.getvalue()
            digest = "%s:%s" % (type(value).__name__, text_digest([full_text(value)]))
            if left or printed:
                digest += EFFECTS + text_digest([*(after[place] for place in left), printed])
            if digest not in texts:
                changed = ", ".join(readable_text(positional[place]) for place in left)
                text = shorten(readable_text(value)) + (" and leaves " + shorten(changed) if left else "")
                texts[digest] = text + (" and prints " + shorten(repr(printed)) if printed else "")
            return digest
    except TimeUp:
        return "!late"
    except BaseException as error:  # noqa: BLE001 - the candidate may raise anything
        return raised_digest(error, texts, root)


def text_digest(texts):
    return hashlib.sha256("\n".join(texts).encode("utf-8", "replace")).hexdigest()[:12]


def raised_digest(error, texts, root):
    """Return the digest of an exception, including its text only if the repository's code raises it explicitly."""
    name = type(error).__name__
    code, is_explicit = raising_code(error)
    if not (is_explicit and os.path.realpath(code.co_filename).startswith(root)):
        return "!" + name
    try:
        text = "%s: %s" % (name, shorten(full_text(error.args)))
    except Exception:  # noqa: BLE001 - any object may refuse to be shown
        return "!" + name
    digest = "!%s:%s" % (name, text_digest([text]))
    texts[digest] = "raises " + text
    return digest
