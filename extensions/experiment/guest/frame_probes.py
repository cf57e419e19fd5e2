"""Probes of conditions in the frames that reach a statement while tests run.

Standard library only, for the target's own Python (3.6 and later). The host sends only conditions that it considers
free of side effects; they are evaluated in a child nevertheless.
"""

from functools import partial

from .forked_sandbox import TimeUp, run_forked
from .item_runners import run_watched
from .line_tracer import Tracer

ARRIVALS = 10


def probe(job):
    """Emit `test`, `number` (an index into `asked`: {path, line, texts}) and `truths`, one string for each condition.

    Each character stands for one time that the statement was reached: `1` true, `0` false, `!` an exception.
    """
    names = [name for name in job.spec["failing"] + job.spec["passing"] if name in job.tests]
    limit = job.spec["limit"]
    run_forked(partial(_probe, job, names, limit), job.answer, 3 * limit * len(names) + 5)


def _probe(job, names, limit, emit):
    probes = Probes(job.editor.root, job.spec["asked"])
    for name in names:
        probes.begin()
        run_watched(job.tests[name], limit, probes)
        for number, truths in probes.truths.items():
            emit({"test": name, "number": number, "truths": ["".join(signs) for signs in truths]})


class Probes(Tracer):
    """Tracer of the requested places only; `truths` holds the results of the test since `begin`."""

    def __init__(self, root, places):
        Tracer.__init__(self, root)
        self.truths = {}
        self._count = len(places)
        self._full = 0
        self._requested = {}
        for number, one in enumerate(places):
            codes = [compile(text, "<condition>", "eval") for text in one["texts"]]
            self._requested.setdefault(one["path"], {}).setdefault(one["line"], []).append((number, codes))

    def begin(self):
        self.truths = {}
        self._full = 0
        self.start()

    def _call(self, frame, event, argument):
        places = self._places(frame.f_code)
        if not places:
            return None

        def line(frame, event, argument):
            if event == "line" and frame.f_lineno in places:
                for number, codes in places[frame.f_lineno]:
                    self._arrive(number, codes, frame)
            return line

        return line

    def _places(self, code):
        try:
            return self._codes[code]
        except KeyError:
            path = None if code.co_name[:1] == "<" else self.path(code.co_filename)
            lines = {line for _, line in _lines(code)} if path in self._requested else ()
            places = {line: found for line, found in self._requested.get(path, {}).items() if line in lines}
            self._codes[code] = places
            return places

    def _arrive(self, number, codes, frame):
        """Evaluate the conditions of a place.

        Raises TimeUp to end the test once every place has been reached ARRIVALS times.
        """
        truths = self.truths.setdefault(number, [[] for _ in codes])
        if truths and len(truths[0]) >= ARRIVALS:
            return
        scope = dict(frame.f_locals)
        for signs, code in zip(truths, codes):
            signs.append(_sign(code, frame.f_globals, scope))
        self._full += bool(truths) and len(truths[0]) == ARRIVALS
        if self._full == self._count:
            raise TimeUp


def _sign(code, known, scope):
    try:
        return "1" if eval(code, known, scope) else "0"
    except Exception:  # noqa: BLE001 - a condition may raise anything in this frame
        return "!"


def _lines(code):
    """Return (offset, line) pairs of a code object."""
    import dis

    return dis.findlinestarts(code)
