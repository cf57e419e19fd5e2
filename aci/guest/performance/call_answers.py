"""What a function answers to kept calls, each with arguments made anew: one line of JSON a call.

Started with the path of a job {"root", "path", "name", "calls", "out", "seconds", "load"}; the token is read from
stdin. With "load" the calls are only loaded.
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

from .apart import TimeUp, each
from .canonical import Forms, TooLarge, text
from .keeping import loads, read_all
from .subject import subject

WHOLE, ALL = 1000000, 25000000
"""Characters of one form that are told whole, and of all: after that a digest stands for a form."""
SHOWN, PRINTED, TEXT = 60, 20000, 200
"""Parts of a call that are shown, characters of what it printed, and of a text that is only shown."""
MEMORY = 3 << 30
"""Bytes that the process may have mapped."""


class Caller:
    """Calls the function in this process."""

    def __init__(self, job, calls):
        self.calls = calls
        self.load = job.get("load")
        hard = resource.getrlimit(resource.RLIMIT_AS)[1]
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY if hard < 0 else min(hard, MEMORY), hard))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        self.printed = tempfile.TemporaryFile()  # noqa: SIM115  open until the process ends
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        for stream in (1, 2):
            os.dup2(self.printed.fileno(), stream)
        self.streams = open(1, "w", closefd=False), open(2, "w", closefd=False)  # noqa: SIM115
        sys.stdin, (sys.stdout, sys.stderr) = open(0, closefd=False), self.streams  # noqa: SIM115
        self.function = None if self.load else subject(job["root"], job["path"], job["name"])[0]

    def __call__(self, number):
        self.clear()
        try:
            args, kwargs = loads(self.calls[number])
        except TimeUp:
            raise
        except BaseException as error:  # noqa: BLE001 - loading runs the repository's code
            return {"kind": "unreadable", "text": text("%s: %s" % (type(error).__name__, error))[:500]}
        asked = clipped(Forms(False, SHOWN, True).of([list(args), list(kwargs.items())]))
        if self.load:
            return {"kind": "loaded", "asked": asked}
        answer = self.answer(args, kwargs)
        answer["printed"] = self.said()
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
                answer = told(functools.partial(raised, error, args, kwargs))
            else:
                answer = told(functools.partial(returned, value, args, kwargs))
        answer["warned"] = sorted([one.category.__name__, bounded(text(one.message))] for one in warned)[:50]
        return answer

    def clear(self):
        for stream in self.streams:
            stream.flush()
        sys.stdout, sys.stderr = self.streams
        self.printed.seek(0)
        self.printed.truncate()

    def said(self):
        for stream in self.streams:
            stream.flush()
        self.printed.seek(0)
        data = self.printed.read()
        more = hashlib.sha256(data).hexdigest() if len(data) > PRINTED else ""
        return text(data[:PRINTED].decode("utf-8", "replace")) + more


def clipped(form):
    """A form that is only shown: texts, and those that stand for numbers and bytes, are cut."""
    if isinstance(form, list):
        return [clipped(one) for one in form[:SHOWN]]
    return form[:TEXT] if isinstance(form, str) else form


def bounded(said, most=10 * TEXT):
    """The text, or its beginning and a digest."""
    return said if len(said) <= most else said[:TEXT] + hashlib.sha256(said.encode("utf-8", "replace")).hexdigest()


def told(make):
    """What `make` gives; what is too large for us is neither an answer nor an error of the function's."""
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(limit + 5000)
    try:
        return make()
    except (TooLarge, MemoryError, RecursionError) as error:
        return {"kind": "unread", "text": "%s: %s" % (type(error).__name__, error)}
    finally:
        sys.setrecursionlimit(limit)


def raised(error, args, kwargs):
    forms = Forms()
    return {"kind": "raised", "value": forms.error(error), "arguments": forms.of([args, kwargs])}


def returned(value, args, kwargs):
    """The arguments as they were when the function returned; where something is lazy, again when that has run."""
    forms = Forms(consume=False)
    answer = {"kind": "returned", "arguments": forms.of([args, kwargs]), "value": forms.of(value)}
    if forms.met_lazy:
        forms = Forms()
        answer["value"] = forms.of(value)
        answer["later"] = forms.of([args, kwargs])
    return answer


def shortened(answer, most=WHOLE):
    """The answer with a digest for each form that is too long."""
    for name in ("value", "arguments", "later"):
        whole = json.dumps(answer.get(name))
        if len(whole) > most:
            answer[name] = ["digest", hashlib.sha256(whole.encode()).hexdigest(), whole[:200]]
    return answer


def short(answer):
    """Nothing of it whole: for what comes after ALL characters."""
    answer["printed"] = bounded(answer.get("printed", ""))
    said = json.dumps(answer.get("warned") or [])
    if len(said) > 10 * TEXT:
        answer["warned"] = [["", bounded(said)]]
    return shortened(answer, 10 * TEXT)


def main(file):
    token = sys.stdin.readline().strip()
    with open(file, encoding="utf-8") as opened:
        job = json.load(opened)
    calls = read_all(job["calls"])
    lines, written = [], 0
    for answer in each(lambda: Caller(job, calls), len(calls), job["seconds"], token):
        lines.append(json.dumps(answer if written < ALL else short(answer)) + "\n")
        written += len(lines[-1])
    with open(job["out"], "w", encoding="utf-8") as out:  # once no child is there that could write to it
        out.writelines(lines)
