"""Program that runs a function on recorded calls, each with newly loaded arguments, and writes one line of JSON per
call.

Its argument is the path of a job file {"root", "path", "name", "calls", "out", "seconds", "load"}; the token is read
from stdin. If "load" is true, the calls are loaded but not run.
"""

import asyncio
import functools
import hashlib
import inspect
import json
import os
import random
import resource
import sys
import tempfile
import warnings

from extensions.experiment.guest.forked_sandbox import TimeUp
from extensions.experiment.guest.subject_function import load_subject
from extensions.optimize.guest.child_process import run_in_children

from .call_pickles import loads, open_job, read_all
from .canonical_forms import FormBuilder, TooLarge, address_free_text

WHOLE, ALL = 1000000, 25000000
"""Maximum number of characters of one form, and of all answers; longer forms are replaced by a digest."""
SHOWN, PRINTED, TEXT = 60, 20000, 200
"""Limits: displayed parts of a call, characters of its output, and characters of a displayed string."""
MEMORY = 3 << 30
"""Limit of the process's address space, in bytes."""


class Caller:
    """Callable that runs the function on a recorded call in this process."""

    def __init__(self, job, calls):
        self.calls = calls
        self.load = job.get("load")
        self.root = job["root"]
        hard = resource.getrlimit(resource.RLIMIT_AS)[1]
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY if hard < 0 else min(hard, MEMORY), hard))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        self.printed = tempfile.TemporaryFile()  # noqa: SIM115  open until the process ends
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        for stream in (1, 2):
            os.dup2(self.printed.fileno(), stream)
        self.streams = open(1, "w", closefd=False), open(2, "w", closefd=False)  # noqa: SIM115
        sys.stdin, (sys.stdout, sys.stderr) = open(0, closefd=False), self.streams  # noqa: SIM115
        self.function = None if self.load else load_subject(job["root"], job["path"], job["name"])[0]

    def __call__(self, number):
        self.clear()
        try:
            args, kwargs = loads(self.calls[number])
        except TimeUp:
            raise
        except BaseException as error:  # noqa: BLE001 - loading runs the repository's code
            return {"kind": "unreadable", "text": address_free_text("%s: %s" % (type(error).__name__, error))[:500]}
        asked = displayed_call(args, kwargs)
        if self.load:
            return {"kind": "loaded", "asked": asked}
        answer = self.answer(args, kwargs)
        answer["printed"] = self.printed_text()
        return dict(shortened(answer), asked=asked)

    def answer(self, args, kwargs):
        random.seed(0)
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            try:
                value = self.function(*args, **kwargs)
                if inspect.iscoroutine(value):
                    value = asyncio.run(value)
            except TimeUp:
                raise
            except BaseException as error:  # noqa: BLE001 - the code under test may raise anything
                answer = build_answer(functools.partial(raised, error, args, kwargs, self.root))
            else:
                answer = build_answer(functools.partial(returned, value, args, kwargs, self.root))
        answer["warned"] = sorted([one.category.__name__, bounded(address_free_text(one.message))] for one in warned)[
            :50
        ]
        return answer

    def clear(self):
        for stream in self.streams:
            stream.flush()
        sys.stdout, sys.stderr = self.streams
        self.printed.seek(0)
        self.printed.truncate()

    def printed_text(self):
        for stream in self.streams:
            stream.flush()
        self.printed.seek(0)
        data = self.printed.read()
        more = hashlib.sha256(data).hexdigest() if len(data) > PRINTED else ""
        return address_free_text(data[:PRINTED].decode("utf-8", "replace")) + more


def displayed_call(args, kwargs):
    """Return the form of a call's [args, [(key, value), ..]] for display; parts after the first SHOWN of an argument
    are left out."""
    pairs = [["tuple", [key[:TEXT], displayed(value)]] for key, value in list(kwargs.items())[:SHOWN]]
    return ["list", [["list", [displayed(value) for value in args[:SHOWN]]], ["list", pairs]]]


def displayed(value):
    return clipped(FormBuilder(False, SHOWN, True).of(value))


def clipped(form):
    """Return a form for display: strings, including those that represent numbers and bytes, are truncated."""
    if isinstance(form, list):
        return [clipped(one) for one in form[:SHOWN]]
    return form[:TEXT] if isinstance(form, str) else form


def bounded(whole, most=10 * TEXT):
    """Return the text, or its prefix and a digest if it is too long."""
    return whole if len(whole) <= most else whole[:TEXT] + hashlib.sha256(whole.encode("utf-8", "replace")).hexdigest()


def build_answer(make):
    """Return `make()`, or an answer of kind `unread` if the values are too large to be described."""
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(limit + 5000)
    try:
        return make()
    except (TooLarge, MemoryError, RecursionError) as error:
        return {"kind": "unread", "text": "%s: %s" % (type(error).__name__, error)}
    finally:
        sys.setrecursionlimit(limit)


def raised(error, args, kwargs, root):
    forms = FormBuilder(root=root)
    return {"kind": "raised", "value": forms.error(error), "arguments": forms.of([args, kwargs])}


def returned(value, args, kwargs, root):
    """Return the forms of the returned value and of the arguments; if there are iterators, also of the arguments after
    iteration."""
    forms = FormBuilder(consume=False, root=root)
    answer = {"kind": "returned", "arguments": forms.of([args, kwargs]), "value": forms.of(value)}
    if forms.has_lazy:
        forms = FormBuilder(root=root)
        answer["value"] = forms.of(value)
        answer["later"] = forms.of([args, kwargs])
    return answer


def shortened(answer, most=WHOLE):
    """Replace each form that is too long by a digest; return the answer."""
    for name in ("value", "arguments", "later"):
        whole = json.dumps(answer.get(name))
        if len(whole) > most:
            answer[name] = ["digest", hashlib.sha256(whole.encode()).hexdigest(), whole[:200]]
    return answer


def strictly_shortened(answer):
    """Shorten all parts of an answer that is written after the first ALL characters of answers; return the answer."""
    answer["printed"] = bounded(answer.get("printed", ""))
    warnings_text = json.dumps(answer.get("warned") or [])
    if len(warnings_text) > 10 * TEXT:
        answer["warned"] = [["", bounded(warnings_text)]]
    return shortened(answer, 10 * TEXT)


def main(file):
    job, token = open_job(file)
    calls = read_all(job["calls"])
    lines, written = [], 0
    for answer in run_in_children(lambda: Caller(job, calls), len(calls), job["seconds"], token):
        lines.append(json.dumps(answer if written < ALL else strictly_shortened(answer)) + "\n")
        written += len(lines[-1])
    with open(job["out"], "w", encoding="utf-8") as out:  # opened only now, when no child can write to it
        out.writelines(lines)
