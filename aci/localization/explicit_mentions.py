"""Places that an issue names explicitly: paths, linked lines, traceback frames, classes, functions, methods, and quoted
error messages.

The edges of the code graph give further places: those near those that the issue names or describes, and functions that
likely functions call.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np

from aci.graph.code_graph import Graph
from aci.graph.edge_columns import KINDS
from aci.graph.outline import CLASS, FUNCTION
from aci.issue_text.issue_mentions import BLOCK, INLINE, TITLE, Mentions, is_identifier_like
from aci.issue_text.issue_snippets import SnippetTrace
from aci.localization.signals import Flags, Floats, Ints, Signal, below_best, log_scale, normalise

_INSTALLED = re.compile(r"(?:site|dist)-packages/")
ROOTS = 3
"""One more than the number of leading path components, such as `src/` or `lib/`, that a dotted name may omit."""


class PathIndex:
    """An index of some of a tree's paths, by their numbers in the graph."""

    def __init__(self, paths: Sequence[str], wanted: Iterable[int]) -> None:
        self._by_name: dict[str, list[tuple[list[str], int]]] = defaultdict(list)
        self._modules: dict[str, list[int]] = defaultdict(list)
        for number in wanted:
            parts = paths[number].split("/")
            self._by_name[parts[-1]].append((parts, number))
            dotted = paths[number].rpartition(".")[0].removesuffix("/__init__").split("/")
            for first in range(min(len(dotted) - 1, ROOTS)):
                self._modules[".".join(dotted[first:])].append(number)

    def at(self, mentioned: str) -> list[int]:
        """Return the files that a path may refer to; the path may be relative to any folder, or absolute on another
        machine."""
        wanted = _INSTALLED.split(mentioned)[-1].strip("/").split("/")
        enough = 3 if "-packages/" in mentioned else 2
        found: dict[int, list[int]] = defaultdict(list)
        for parts, number in self._by_name.get(wanted[-1], ()):
            common = _common_end(parts, wanted)
            if common == min(len(parts), len(wanted)) or common >= enough:
                found[common].append(number)
        return found[max(found)] if found else []

    def module(self, dotted: str) -> list[int]:
        """Return the files of the module named by the longest matching prefix of a dotted name, of at least two
        parts."""
        parts = dotted.split(".")
        for length in range(len(parts), 1, -1):
            if found := self._modules.get(".".join(parts[:length])):
                return found if len(parts) - length < 3 else []
        return []


def _common_end(one: Sequence[str], other: Sequence[str]) -> int:
    common = 0
    while common < min(len(one), len(other)) and one[-1 - common] == other[-1 - common]:
        common += 1
    return common


RUN = 3
"""Number of consecutive words that are searched for together; the constant parts of a message are usually at least that
long."""
MOST_RUNS, MOST_MESSAGES = 40, 40
_NO_WORD = re.compile(r"\W+")


class MessageSearch:
    """The text that one issue quotes, split into runs of words."""

    def __init__(self, messages: Sequence[str]) -> None:
        self._messages = [(message, runs) for message in messages[:MOST_MESSAGES] if (runs := _runs(message))]

    def found(self, texts: Mapping[int, str], inside: Mapping[int, int], candidates: int) -> Signal:
        """Return a signal for documents whose text contains parts of the messages; `inside` maps each document to its
        file.

        A run of words counts less if more files contain it. A message has its full value if RUN of its runs are found.
        """
        signal = Signal.none(candidates)
        spaced = {number: _words_only(text) for number, text in texts.items()} if self._messages else {}
        for message, runs in self._messages:
            holders = {run: [number for number, text in spaced.items() if f" {run} " in text] for run in set(runs)}
            files = {run: len({inside[number] for number in numbers}) for run, numbers in holders.items()}
            enough = min(RUN, len(runs))
            weights: dict[int, float] = {}
            for run, numbers in holders.items():
                for number in numbers:
                    weights[number] = weights.get(number, 0.0) + runs.count(run) / files[run]
            for number, weight in weights.items():
                signal.raise_to(number, min(weight, enough) / enough, f"says {message[:60]!r}")
        return signal


def _runs(message: str) -> list[str]:
    words = _NO_WORD.sub(" ", message.lower()).split()
    return [" ".join(words[start : start + RUN]) for start in range(min(len(words) - RUN + 1, MOST_RUNS))]


def _words_only(text: str) -> str:
    return f" {_NO_WORD.sub(' ', text.lower())} "


MAX_DEFINITIONS = 20
"""Names with more definitions than this are ignored."""


class Pointer(NamedTuple):
    """A file or node that the issue names; `node` is -1 for a whole file, and `kind` is the name of the signal."""

    kind: str
    file: int
    node: int
    value: float
    why: str


class Pointers:
    """All places in a tree that one issue's text names."""

    def __init__(self, graph: Graph, wanted: Flags, mentions: Mentions, trace: SnippetTrace | None = None) -> None:
        self._graph, self._mentions, self._wanted = graph, mentions, wanted
        self._trace = trace or SnippetTrace()
        self._paths = PathIndex(graph.paths, wanted.nonzero()[0].tolist())

    @cached_property
    def all(self) -> list[Pointer]:
        return [
            *self._written_paths(),
            *self._links(),
            *self._frames(),
            *self._executed_functions(),
            *self._names(),
            *self._methods(),
        ]

    def _written_paths(self) -> Iterator[Pointer]:
        for mentioned in self._mentions.paths:
            found = self._paths.at(mentioned) or self._paths.module(mentioned.replace("/", "."))
            for file in found:
                yield Pointer("path", file, -1, 1 / len(found), f"path {mentioned} in the issue")

    def _links(self) -> Iterator[Pointer]:
        for link in self._mentions.links:
            for file in self._paths.at(link.path)[:1]:
                yield Pointer("link", file, -1, 1.0, f"link to {_lines(link.line, link.last) or 'it'}")
                if link.line:
                    for node in self._functions_in(file, link.line, link.last):
                        yield Pointer("link", file, node, 1.0, f"link to {_lines(link.line, link.last)}")

    def _functions_in(self, file: int, first: int, last: int) -> list[int]:
        symbols = self._graph.outline(self._graph.paths[file]).symbols
        start = int(self._graph.first[file]) + 1
        return [
            start + number
            for number, symbol in enumerate(symbols)
            if symbol.kind == FUNCTION and symbol.line <= last and first <= symbol.end
        ]

    def _frames(self) -> Iterator[Pointer]:
        """Yield the repository's files and functions that occur in tracebacks, closest to the error first."""
        files: dict[int, None] = {}
        nodes: dict[int, int] = {}
        for frame in reversed(self._mentions.frames):
            for file in self._paths.at(frame.path)[:1]:
                files.setdefault(file)
                if (node := self._function(file, frame.name, frame.line)) is not None:
                    nodes.setdefault(node, file)
        for place, file in enumerate(files):
            yield Pointer("trace", file, -1, 1 / (1 + place), "in the traceback" + _innermost_note(place))
        for place, (node, file) in enumerate(nodes.items()):
            yield Pointer("trace", file, node, 1 / (1 + place), "in the traceback" + _innermost_note(place))

    def _executed_functions(self) -> Iterator[Pointer]:
        """Yield the functions that the issue's example called, and those that its exception passed through.

        The more functions the example called, the lower the value of each.
        """
        called = [(one.path, one.line) for one in self._trace.functions if self._is_source(one.path)]
        value = 1 / (1 + math.log10(max(len(called), 1)))
        for path, line in called:
            file = self._graph.number[path]
            for node in self._functions_at(file, line):
                yield Pointer("ran", file, node, value, "runs in the issue's example")
        raised = [frame for frame in reversed(self._trace.raised) if self._is_source(frame[0])]
        for place, (path, line, name) in enumerate(raised):
            file = self._graph.number[path]
            found = self._function(file, name, line)
            yield Pointer(
                "trace", file, -1 if found is None else found, 1 / (1 + place), "in the traceback of the example"
            )

    def _is_source(self, path: str) -> bool:
        file = self._graph.number.get(path)
        return file is not None and bool(self._wanted[file])

    def _functions_at(self, file: int, line: int) -> list[int]:
        """Return the function whose definition starts at this line; some Python versions report the line of its first
        decorator instead."""
        symbols = self._graph.outline(self._graph.paths[file]).symbols
        start = int(self._graph.first[file]) + 1
        return [start + n for n, symbol in enumerate(symbols) if symbol.line <= line <= symbol.header][-1:]

    def _function(self, file: int, name: str, line: int) -> int | None:
        symbols = self._graph.outline(self._graph.paths[file]).symbols
        named = [n for n, symbol in enumerate(symbols) if symbol.bare == name and symbol.kind == FUNCTION]
        around = [n for n in named if symbols[n].line <= line <= symbols[n].end]
        nearest = around[-1:] or sorted(named, key=lambda n: abs(symbols[n].line - line))[:1]
        return int(self._graph.first[file]) + 1 + nearest[0] if nearest else None

    def _names(self) -> Iterator[Pointer]:
        for name, nodes in self._definitions(self._mentions.names):
            classes = [node for node in nodes if self._kind(node) == CLASS]
            functions = [node for node in nodes if self._kind(node) == FUNCTION]
            places = self._mentions.names[name]
            strong = is_identifier_like(name) or name in self._mentions.called or bool(places & {INLINE, BLOCK})
            where = " in the title" if TITLE in places else " in the issue"
            if strong or name[0].isupper():
                yield from self._name_pointers("class", classes, name, TITLE in places, where)
            if strong and not name.startswith("__"):
                yield from self._name_pointers("function", functions, name, TITLE in places, where)
                if name in self._mentions.called:
                    yield from self._name_pointers("called", functions, f"{name}()", False, where)

    def _name_pointers(self, kind: str, nodes: list[int], name: str, in_title: bool, where: str) -> Iterator[Pointer]:
        value = 1 / math.sqrt(max(len(nodes), 1))
        for node in nodes:
            file = int(self._graph.file[node])
            yield Pointer(kind, file, node, value, f"{name}{where}")
            if in_title:
                yield Pointer(f"{kind}_in_title", file, node, value, f"{name}{where}")

    def _methods(self) -> Iterator[Pointer]:
        """Yield methods that the issue names as `Class.method`, and functions that it names as `module.function`, if
        the class or module matches."""
        ends = dict.fromkeys(tuple(dotted.split(".")[-2:]) for dotted in self._mentions.dotted)
        known = dict(self._definitions({name for _, name in ends}))
        for owner, name in ends:
            owned = [node for node in known.get(name, ()) if self._owner(node) == owner]
            for node in owned:
                file = int(self._graph.file[node])
                yield Pointer("method", file, node, 1 / math.sqrt(len(owned)), f"{owner}.{name} in the issue")

    def _definitions(self, names: Iterable[str]) -> Iterator[tuple[str, list[int]]]:
        for name, nodes in self._graph.nodes_defining(sorted(names)).items():
            wanted = [node for node in sorted(nodes.tolist()) if self._wanted[self._graph.file[node]]]
            if 0 < len(wanted) <= MAX_DEFINITIONS:
                yield name, wanted

    def _kind(self, node: int) -> str:
        symbol = self._graph.symbol(self._graph.place(node))
        return symbol.kind if symbol else ""

    def _owner(self, node: int) -> str:
        """Return the class that encloses a definition, or the last part of its module's name."""
        place = self._graph.place(node)
        symbol = self._graph.symbol(place)
        around = symbol.name.rpartition(".")[0].rpartition(".")[2] if symbol else ""
        return around or place.path.rpartition(".")[0].removesuffix("/__init__").rpartition("/")[2]


def _lines(first: int, last: int) -> str:
    return f"lines {first}-{last}" if last > first else f"line {first}" if first else ""


def _innermost_note(place: int) -> str:
    return " (innermost)" if not place else ""


DAMPING = 0.5
"""The share of the weight that follows edges at each step of PageRank; the rest returns to the seeds."""
PAGERANK_STEPS = 12
CALL_STEPS = 3
"""Maximum number of calls between a likely function and one that gains from it."""
CALL_KINDS = (KINDS.index("call"), KINDS.index("use"))


class Calls(NamedTuple):
    """Calls and uses among functions, by their numbers. `weight` is divided by the square root of the number of
    callers, so that a function called from everywhere gains little from one caller."""

    source: Ints
    target: Ints
    weight: Floats

    def from_likely(self, scores: Floats) -> Floats:
        """Return, for each function, how strongly functions with a high score call it, directly or through others."""
        strength = np.exp((scores - scores.max(initial=-np.inf)) / 2)
        total = np.zeros(len(scores))
        for _ in range(CALL_STEPS):
            passed = np.zeros(len(scores))
            np.maximum.at(passed, self.target, strength[self.source] * self.weight)
            strength = passed
            total += passed
        return np.minimum(total, 1.0)


class EdgesWithin:
    """The resolved edges of a graph that start and end in some of its files."""

    def __init__(self, graph: Graph, files: Ints) -> None:
        self._inside = np.flatnonzero(np.isin(graph.file, files))
        self._local = np.full(len(graph.file), -1)
        self._local[self._inside] = np.arange(len(self._inside))
        edges = graph.edges(files.tolist(), loose=False)
        source, target = self._local[edges.source], self._local[edges.target]
        kept = (source >= 0) & (target >= 0) & (source != target)
        self._source, self._target, self._weight = source[kept], target[kept], edges.weight[kept].astype(np.float64)
        self._is_call = np.isin(edges.kind[kept], CALL_KINDS)
        self._parent = self._local[graph.parent[self._inside]]

    def pagerank(self, seeds: Floats) -> Floats:
        """Return the personalised PageRank of all nodes of the graph; `seeds` holds a weight for each node.

        The weight flows both ways along edges, and between definitions and what contains them.
        """
        ranks = np.zeros(len(self._local))
        start = seeds[self._inside]
        if start.any():
            ranks[self._inside] = self._power_iteration(start / start.sum())
        return ranks

    def _power_iteration(self, seeds: Floats) -> Floats:
        count = len(seeds)
        members = np.flatnonzero(self._parent != np.arange(count))
        begins = np.concatenate([self._source, members])
        ends = np.concatenate([self._target, self._parent[members]])
        begins, ends = np.concatenate([begins, ends]), np.concatenate([ends, begins])
        weights = np.tile(np.concatenate([self._weight, np.ones(len(members))]), 2)
        weights = weights / np.bincount(begins, weights, count)[begins]
        ranks = seeds
        for _ in range(PAGERANK_STEPS):
            ranks = (1 - DAMPING) * seeds + DAMPING * np.bincount(ends, ranks[begins] * weights, count)
        return ranks

    def calls(self, nodes: Ints) -> Calls:
        """Return the calls among some nodes, numbered by their order in `nodes`.

        The number of callers includes those that are not in `nodes`.
        """
        count = len(self._inside)
        pairs, first = np.unique(self._source[self._is_call] * count + self._target[self._is_call], return_index=True)
        weight = self._weight[self._is_call][first]
        source, target = pairs // max(count, 1), pairs % max(count, 1)
        weight = weight / np.sqrt(np.bincount(target, minlength=count))[target]
        number = np.full(count, -1)
        number[self._local[nodes]] = np.arange(len(nodes))
        known = (number[source] >= 0) & (number[target] >= 0)
        return Calls(number[source][known], number[target][known], weight[known])


CALLED, BEST = "called_by_likely", "best_function"
SECOND_PASS = (CALLED, BEST)
"""Signals that need the scores of all functions by the other signals."""


def called_signal(calls: Calls, scores: Floats) -> Signal:
    """Return the signal of functions that likely functions call, given the scores of all functions."""
    return Signal(calls.from_likely(scores), common="called by a likely function")


def file_signals(functions_files: Ints, called: Floats, scores: Floats, files: int) -> dict[str, Signal]:
    """Return the signals of files from their functions: `called` is the signal of functions that likely ones call,
    `scores` are their scores."""
    most_called, best = np.zeros(files), np.zeros(files)
    np.maximum.at(most_called, functions_files, called)
    np.maximum.at(best, functions_files, below_best(scores))
    return {
        CALLED: Signal(log_scale(normalise(most_called)), common="its functions are called by likely ones"),
        BEST: Signal(best, common="has a likely function"),
    }
