"""The files and functions that may be answers to an issue, and what every signal says of each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from aci.graph.graph import Graph
from aci.graph.outline import FUNCTION, Symbol
from aci.issue_run import Traced
from aci.localization.messages import Messages
from aci.localization.past import Commits, Earlier
from aci.localization.pointers import Pointers
from aci.localization.signals import Floats, Ints, Signal, never_an_answer, share
from aci.localization.spread import spread
from aci.localization.text import Documents, Texts
from aci.mentions import Mentions
from aci.words import split

MOST_FILES = 300
READ_FILES = 60
"""Files whose text is read, for messages in it."""
OPENED_FILES = 40
"""Files all of whose functions are candidates."""
MOST_FUNCTIONS = 150
"""Functions elsewhere, by their words."""
FILE_POINTERS = ("path", "link", "trace", "ran", "class", "class_in_title", "function", "method")
FUNCTION_POINTERS = ("link", "trace", "ran", "called", "method")

Read = Callable[[Sequence[str]], Mapping[str, bytes]]
"""The bytes of the files at some paths."""


@dataclass(slots=True)
class Files:
    """Candidates by their numbers in the graph, and the signals of each in that order."""

    numbers: Ints
    signals: dict[str, Signal]


@dataclass(slots=True)
class Functions:
    """Candidates by their nodes, the file of each as an index into `Files.numbers`, and their signals."""

    nodes: Ints
    files: Ints
    symbols: list[Symbol]
    signals: dict[str, Signal]


class Search:
    """One issue in one tree."""

    def __init__(
        self, graph: Graph, said: Mentions, read: Read, commits: Commits | None, traced: Traced | None = None
    ) -> None:
        self.graph, self.said, self._read = graph, said, read
        wanted = np.array([not never_an_answer(path) for path in graph.paths], bool)
        self._texts = Texts(graph, wanted, said)
        self._pointers = Pointers(graph, wanted, said, traced)
        self._earlier = Earlier(commits, self._texts.all, said)
        self._past = self._earlier.files(graph.number)
        for signal in self._past.values():
            signal.values[~wanted] = 0.0
        self._messages = Messages(said.messages)
        self._read_texts: dict[int, bytes] = {}

    # Files

    def files(self) -> Files:
        documents = self._texts.files()
        chosen = self._chosen_files(documents)
        slot = {number: place for place, number in enumerate(chosen.tolist())}
        whole, title = documents.scores([self._texts.all, self._texts.title], chosen)
        signals = {"text": self._worded(share(whole), documents, chosen), "title": Signal(share(title))}
        for name in ("past", "commit", "told"):
            signals[name] = _picked(self._past[name], chosen)
        signals |= {name: Signal.none(len(chosen)) for name in FILE_POINTERS}
        for kind, file, _, value, why in self._pointers.all:
            if kind in signals and file in slot:
                signals[kind].raise_to(slot[file], value, why)
        signals["stem"] = self._stems(chosen)
        likeliest = self._likeliest(signals)
        self._fetch(chosen[likeliest])
        texts = {int(place): self._read_texts[int(chosen[place])].decode("utf-8", "replace") for place in likeliest}
        signals["message"] = self._messages.found(texts, {place: place for place in texts}, len(chosen))
        return Files(chosen, signals)

    def _chosen_files(self, documents: Documents) -> Ints:
        """Those that hold most of the issue's words, that the past points at, or that the text names."""
        look = documents.first_look(self._texts.all)
        best = np.argsort(-look, kind="stable")[: MOST_FILES - 100]
        chosen = {int(number) for number in best if look[number] > 0}
        for signal in self._past.values():
            chosen |= {
                int(number) for number in np.argsort(-signal.values, kind="stable")[:100] if signal.values[number]
            }
        chosen |= {pointer.file for pointer in self._pointers.all}
        return np.array(sorted(chosen), np.int64)

    def _worded(self, values: Floats, documents: Documents, chosen: Ints) -> Signal:
        best = np.argsort(-values, kind="stable")[:READ_FILES]
        words = {int(n): documents.heaviest(self._texts.all, int(chosen[n])) for n in best}
        return Signal(values, {n: f"text: {', '.join(found)}" for n, found in words.items()})

    def _stems(self, chosen: Ints) -> Signal:
        """The share of the words of a file's name that the title has."""
        signal = Signal.none(len(chosen))
        for place, number in enumerate(chosen):
            words = _words(_stem(self.graph.paths[number]))
            if words:
                found = sum(word in self._texts.title for word in words) / len(words)
                signal.raise_to(place, found, "its name in the title")
        return signal

    def _likeliest(self, signals: Mapping[str, Signal]) -> Ints:
        look = signals["text"].values + 0.5 * signals["past"].values
        for name in ("link", "commit", "path", "trace", "class"):
            look = look + 0.4 * signals[name].values
        return np.argsort(-look, kind="stable")[:READ_FILES]

    def _fetch(self, numbers: Iterable[int]) -> None:
        missing = [int(number) for number in numbers if int(number) not in self._read_texts]
        found = self._read([self.graph.paths[number] for number in missing])
        self._read_texts |= {number: found.get(self.graph.paths[number], b"") for number in missing}

    # Functions

    def functions(self, files: Files, scores: Floats) -> Functions:
        """Of the best files, and what the text names or describes elsewhere. `scores` are those of `files`."""
        documents = self._texts.functions()
        slot = {int(number): place for place, number in enumerate(files.numbers)}
        order = np.argsort(-scores, kind="stable")[:OPENED_FILES]
        nodes = self._chosen_functions(documents, set(files.numbers[order].tolist()), slot)
        symbols = [symbol for node in nodes if (symbol := self.graph.symbol(self.graph.place(int(node))))]
        kept = [place for place, symbol in enumerate(symbols) if symbol.kind == FUNCTION]
        nodes, symbols = nodes[kept], [symbols[place] for place in kept]
        of_file = np.array([slot[int(self.graph.file[node])] for node in nodes], np.int64)
        found = Functions(nodes, of_file, symbols, {})
        if len(nodes):
            self._judge(found, documents, files, scores)
        return found

    def _chosen_functions(self, documents: Documents, best: set[int], slot: Mapping[int, int]) -> Ints:
        chosen = np.isin(self.graph.file, np.array(sorted(best), np.int64)) & ~self._texts.is_file
        look = documents.first_look(self._texts.all)
        chosen[np.argsort(-look, kind="stable")[:MOST_FUNCTIONS]] = True
        for pointer in self._pointers.all:
            if pointer.node >= 0 and pointer.kind != "function":
                chosen[pointer.node] = True
        in_files = np.isin(self.graph.file, np.array(sorted(slot), np.int64))
        return np.flatnonzero(chosen & in_files & ~self._texts.is_file)

    def _judge(self, found: Functions, documents: Documents, files: Files, scores: Floats) -> None:
        nodes, count = found.nodes, len(found.nodes)
        whole, title = documents.scores([self._texts.all, self._texts.title], nodes)
        text = Signal(share(whole))
        best = np.argsort(-text.values, kind="stable")[:READ_FILES]
        for place in best.tolist():
            text.why[place] = "text: " + ", ".join(documents.heaviest(self._texts.all, int(nodes[place])))
        signals = found.signals
        signals["text"], signals["title"] = text, Signal(share(title))
        in_file = _ranks(whole, found.files)
        signals["text_rank_in_file"] = Signal(
            1 / (1 + in_file), dict.fromkeys(np.flatnonzero(in_file == 0).tolist(), "fits best in its file")
        )
        signals["covered"] = Signal(documents.covered(self._texts.all)[nodes])
        order = _ranks(scores, np.zeros(len(scores), np.int64))
        signals["file"] = Signal(1 + np.maximum(scores - scores.max(), -8.0)[found.files] / 8)
        signals["file_rank"] = Signal(1 / (1 + order[found.files]))
        signals |= {name: Signal.none(count) for name in FUNCTION_POINTERS}
        place_of = {int(node): place for place, node in enumerate(nodes)}
        for kind, _, node, value, why in self._pointers.all:
            if kind in signals and node in place_of:
                signals[kind].raise_to(place_of[node], value, why)
        signals["class_in_title"] = self._members(found, place_of)
        reached = spread(self.graph, files.numbers, self._pointers.all, nodes)
        signals["spread"] = Signal(share(reached), common="near what the issue names")
        signals |= self._by_name(found, documents)
        sources = self._sources(found, files)
        signals["message"] = self._message(found, files, sources)
        lines = {
            place: (self.graph.paths[files.numbers[found.files[place]]], frozenset(map(str.strip, text.split("\n"))))
            for place, text in sources.items()
        }
        signals["past_lines"] = self._earlier.lines(lines, count)

    def _members(self, found: Functions, place_of: Mapping[int, int]) -> Signal:
        """Methods of a class that the title names."""
        signal = Signal.none(len(found.nodes))
        named = {one.node: one for one in self._pointers.all if one.kind == "class_in_title"}
        for place, node in enumerate(found.nodes):
            if one := named.get(int(self.graph.parent[node])):
                signal.raise_to(place, one.value, one.why)
        return signal

    def _by_name(self, found: Functions, documents: Documents) -> dict[str, Signal]:
        """The share of the words of its name, and of its class's, that the issue has."""
        count = len(found.nodes)
        name, owner, special = Signal.none(count), Signal.none(count), np.zeros(count)
        for place, symbol in enumerate(found.symbols):
            around, _, bare = symbol.name.rpartition(".")
            special[place] = bare.startswith("__")
            name.raise_to(place, self._known(_words(bare), documents), "words of its name")
            owner.raise_to(
                place, self._known(_words(around.rpartition(".")[2]), documents), "words of its class's name"
            )
        length = self.graph.code_length[found.nodes]
        return {
            "name": name,
            "class_name": owner,
            "special": Signal(special),
            "length": Signal(np.minimum(np.log1p(length) / 6, 1.0)),
        }

    def _known(self, words: Sequence[str], documents: Documents) -> float:
        """What the issue has of these words, by their rarity; one that it lacks counts as rare."""
        weights = [documents.rarity.get(word, 6.0) for word in words]
        there = sum(weight for word, weight in zip(words, weights, strict=True) if word in self._texts.all)
        return there / sum(weights) if weights else 0.0

    def _sources(self, found: Functions, files: Files) -> dict[int, str]:
        """The text of each function whose file was read."""
        texts = {}
        for place, (symbol, file) in enumerate(zip(found.symbols, found.files.tolist(), strict=True)):
            if data := self._read_texts.get(int(files.numbers[file])):
                texts[place] = data[symbol.start : symbol.stop].decode("utf-8", "replace")
        return texts

    def _message(self, found: Functions, files: Files, sources: Mapping[int, str]) -> Signal:
        said = files.signals["message"].values
        texts = {place: text for place, text in sources.items() if said[found.files[place]] > 0}
        inside = {place: int(found.files[place]) for place in texts}
        return self._messages.found(texts, inside, len(found.nodes))


def _picked(signal: Signal, chosen: Ints) -> Signal:
    why = {place: signal.why[n] for place, n in enumerate(chosen.tolist()) if n in signal.why}
    return Signal(share(signal.values[chosen]), why)


def _words(name: str) -> Sequence[str]:
    whole, *parts = split(name) or ("",)
    return parts or ([whole] if whole else [])


def _stem(path: str) -> str:
    folder, _, name = path.rpartition("/")
    stem = name.rpartition(".")[0]
    return folder.rpartition("/")[2] if stem in ("__init__", "index", "mod") and folder else stem


def _ranks(values: Floats, groups: Ints) -> Ints:
    """The place of each value among those of its group, from 0, the greatest first."""
    order = np.lexsort((-values, groups))
    begins = np.searchsorted(groups[order], groups[order])
    ranks = np.empty(len(values), np.int64)
    ranks[order] = np.arange(len(values)) - begins
    return ranks
