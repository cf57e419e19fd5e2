"""Candidate files and functions for an issue, with the values of their signals."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from aci.graph.code_graph import Graph
from aci.graph.file_selection import is_test_or_example
from aci.graph.outline import FUNCTION, Symbol
from aci.issue_text.issue_mentions import Mentions
from aci.issue_text.issue_snippets import SnippetTrace
from aci.localization.bm25 import Documents, TermIndex
from aci.localization.explicit_mentions import MessageSearch, Pointer, Pointers
from aci.localization.name_signals import file_stems, name_words, special_names
from aci.localization.past_changes import Commits, SimilarCommits
from aci.localization.signals import Floats, Ints, IssueWords, Signal, normalise

KINDS = {
    **dict.fromkeys(("class", "function", "method", "called", "trace", "link"), 1.0),
    **dict.fromkeys(("class_in_title", "function_in_title"), 2.0),
}
DAMPING = 0.5
"""The damping factor: the share of the weight that follows edges at each step; the rest returns to the seeds."""
STEPS = 12


def personalised_pagerank(graph: Graph, files: Ints, pointers: Iterable[Pointer], nodes: Ints) -> Floats:
    """Return the weight that reaches each of `nodes` from the nodes that the issue names, along edges within
    `files`."""
    inside = np.flatnonzero(np.isin(graph.file, files))
    local = np.full(len(graph.file), -1)
    local[inside] = np.arange(len(inside))
    seeds = np.zeros(len(inside))
    for pointer in pointers:
        if pointer.node >= 0 and pointer.kind in KINDS and local[pointer.node] >= 0:
            seeds[local[pointer.node]] += pointer.value * KINDS[pointer.kind]
    if not seeds.any() or not len(nodes):
        return np.zeros(len(nodes))
    reached = local[nodes]
    weights = _power_iteration(graph, files, local, inside, seeds / seeds.sum())
    return np.where(reached >= 0, np.sqrt(weights[np.maximum(reached, 0)]), 0.0)


def _power_iteration(graph: Graph, files: Ints, local: Ints, inside: Ints, seeds: Floats) -> Floats:
    edges = graph.edges(files.tolist(), loose=False)
    source, target = local[edges.source], local[edges.target]
    known = (source >= 0) & (target >= 0) & (source != target)
    around = local[graph.parent[inside]]
    members = np.flatnonzero(around != np.arange(len(inside)))
    one_way = (
        np.concatenate([source[known], members]),
        np.concatenate([target[known], around[members]]),
        np.concatenate([edges.weight[known], np.ones(len(members))]),
    )
    begins, ends = np.concatenate(one_way[:2]), np.concatenate(one_way[1::-1])
    weights = np.concatenate([one_way[2], one_way[2]])
    weights = weights / np.bincount(begins, weights, len(inside))[begins]
    found = seeds
    for _ in range(STEPS):
        found = (1 - DAMPING) * seeds + DAMPING * np.bincount(ends, found[begins] * weights, len(inside))
    return found


MOST_FILES = 300
READ_FILES = 60
"""Maximum number of files that are read and searched for messages."""
OPENED_FILES = 40
"""Number of best-ranked files all of whose functions are candidates."""
MOST_FUNCTIONS = 150
"""Maximum number of functions from other files, chosen by text match."""
FILE_POINTERS = ("path", "link", "trace", "ran", "class", "class_in_title", "function", "method")
FUNCTION_POINTERS = ("link", "trace", "ran", "called", "method")

PATH_SIGNALS: Mapping[str, Callable[[Sequence[str], IssueWords], Signal]] = {
    "stem": file_stems,
}
"""Signals of files that are computed from their paths and the words of the issue."""
SYMBOL_SIGNALS: Mapping[str, Callable[[Sequence[Symbol], IssueWords], Signal]] = {
    "special": special_names,
}
"""Signals of functions that are computed from their names and the words of the issue."""

ReadFiles = Callable[[Sequence[str]], Mapping[str, bytes]]
"""Returns the bytes of the files at the given paths."""


@dataclass(slots=True)
class FileCandidates:
    """Candidate files by their numbers in the graph, and their signals in the same order."""

    numbers: Ints
    signals: dict[str, Signal]


@dataclass(slots=True)
class FunctionCandidates:
    """Candidate functions with their signals; `nodes` are their nodes in the graph, `files` the indexes of their files
    in `FileCandidates.numbers`."""

    nodes: Ints
    files: Ints
    symbols: list[Symbol]
    signals: dict[str, Signal]


class CandidateSearch:
    """Localization of one issue in one tree."""

    def __init__(
        self,
        graph: Graph,
        mentions: Mentions,
        read: ReadFiles,
        commits: Commits | None,
        traced: SnippetTrace | None = None,
    ) -> None:
        self.graph, self.mentions, self._read = graph, mentions, read
        wanted = np.array([not is_test_or_example(path) for path in graph.paths], bool)
        self._texts = TermIndex(graph, wanted, mentions)
        self._words = self._texts.words
        self._pointers = Pointers(graph, wanted, mentions, traced)
        self._earlier = SimilarCommits(commits, self._words.all, mentions)
        self._past = self._earlier.files(graph.number)
        for signal in self._past.values():
            signal.values[~wanted] = 0.0
        self._messages = MessageSearch(mentions.messages)
        self._read_texts: dict[int, bytes] = {}

    # Files

    def files(self) -> FileCandidates:
        """Return the candidate files with their signals."""
        documents = self._texts.files()
        chosen = self._chosen_files(documents)
        slot = {number: place for place, number in enumerate(chosen.tolist())}
        whole, title = documents.scores([self._words.all, self._words.title], chosen)
        signals = {"text": self._text_signal(normalise(whole), documents, chosen), "title": Signal(normalise(title))}
        for name in ("past", "commit", "commit_message"):
            signals[name] = _selected(self._past[name], chosen)
        signals |= {name: Signal.none(len(chosen)) for name in FILE_POINTERS}
        for kind, file, _, value, why in self._pointers.all:
            if kind in signals and file in slot:
                signals[kind].raise_to(slot[file], value, why)
        paths = [self.graph.paths[number] for number in chosen]
        signals |= {name: find(paths, self._words) for name, find in PATH_SIGNALS.items()}
        likeliest = self._likeliest(signals)
        self._fetch(chosen[likeliest])
        texts = {int(place): self._read_texts[int(chosen[place])].decode("utf-8", "replace") for place in likeliest}
        signals["message"] = self._messages.found(texts, {place: place for place in texts}, len(chosen))
        return FileCandidates(chosen, signals)

    def _chosen_files(self, documents: Documents) -> Ints:
        """Return the files that match the issue's words best, that past commits suggest, or that the issue names."""
        look = documents.matched_weights(self._words.all)
        best = np.argsort(-look, kind="stable")[: MOST_FILES - 100]
        chosen = {int(number) for number in best if look[number] > 0}
        for signal in self._past.values():
            chosen |= {
                int(number) for number in np.argsort(-signal.values, kind="stable")[:100] if signal.values[number]
            }
        chosen |= {pointer.file for pointer in self._pointers.all}
        return np.array(sorted(chosen), np.int64)

    def _text_signal(self, values: Floats, documents: Documents, chosen: Ints) -> Signal:
        best = np.argsort(-values, kind="stable")[:READ_FILES]
        words = {int(n): documents.heaviest(self._words.all, int(chosen[n])) for n in best}
        return Signal(values, {n: f"text: {', '.join(found)}" for n, found in words.items()})

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

    def functions(self, files: FileCandidates, scores: Floats) -> FunctionCandidates:
        """Return the candidate functions with their signals; `scores` are the scores of `files`.

        Candidates are the functions of the best files, and functions in other files that the issue names or describes.
        """
        documents = self._texts.functions()
        slot = {int(number): place for place, number in enumerate(files.numbers)}
        order = np.argsort(-scores, kind="stable")[:OPENED_FILES]
        nodes = self._chosen_functions(documents, set(files.numbers[order].tolist()), slot)
        symbols = [symbol for node in nodes if (symbol := self.graph.symbol(self.graph.place(int(node))))]
        kept = [place for place, symbol in enumerate(symbols) if symbol.kind == FUNCTION]
        nodes, symbols = nodes[kept], [symbols[place] for place in kept]
        of_file = np.array([slot[int(self.graph.file[node])] for node in nodes], np.int64)
        found = FunctionCandidates(nodes, of_file, symbols, {})
        if len(nodes):
            self._add_signals(found, documents, files, scores)
        return found

    def _chosen_functions(self, documents: Documents, best: set[int], slot: Mapping[int, int]) -> Ints:
        chosen = np.isin(self.graph.file, np.array(sorted(best), np.int64)) & ~self._texts.is_file
        look = documents.matched_weights(self._words.all)
        chosen[np.argsort(-look, kind="stable")[:MOST_FUNCTIONS]] = True
        for pointer in self._pointers.all:
            if pointer.node >= 0 and pointer.kind != "function":
                chosen[pointer.node] = True
        in_files = np.isin(self.graph.file, np.array(sorted(slot), np.int64))
        return np.flatnonzero(chosen & in_files & ~self._texts.is_file)

    def _add_signals(
        self, found: FunctionCandidates, documents: Documents, files: FileCandidates, scores: Floats
    ) -> None:
        nodes, count = found.nodes, len(found.nodes)
        whole, title = documents.scores([self._words.all, self._words.title], nodes)
        text = Signal(normalise(whole))
        best = np.argsort(-text.values, kind="stable")[:READ_FILES]
        for place in best.tolist():
            text.why[place] = "text: " + ", ".join(documents.heaviest(self._words.all, int(nodes[place])))
        signals = found.signals
        signals["text"], signals["title"] = text, Signal(normalise(title))
        in_file = _ranks(whole, found.files)
        signals["text_rank_in_file"] = Signal(
            1 / (1 + in_file), dict.fromkeys(np.flatnonzero(in_file == 0).tolist(), "best text match in its file")
        )
        signals["covered"] = Signal(documents.coverage(self._words.all)[nodes])
        order = _ranks(scores, np.zeros(len(scores), np.int64))
        signals["file"] = Signal(1 + np.maximum(scores - scores.max(), -8.0)[found.files] / 8)
        signals["file_rank"] = Signal(1 / (1 + order[found.files]))
        signals |= {name: Signal.none(count) for name in FUNCTION_POINTERS}
        place_of = {int(node): place for place, node in enumerate(nodes)}
        for kind, _, node, value, why in self._pointers.all:
            if kind in signals and node in place_of:
                signals[kind].raise_to(place_of[node], value, why)
        signals["class_in_title"] = self._class_in_title(found, place_of)
        reached = personalised_pagerank(self.graph, files.numbers, self._pointers.all, nodes)
        signals["spread"] = Signal(normalise(reached), common="near what the issue names")
        signals |= {name: find(found.symbols, self._words) for name, find in SYMBOL_SIGNALS.items()}
        signals |= self._name_signals(found, documents)
        sources = self._sources(found, files)
        signals["message"] = self._message(found, files, sources)
        lines = {
            place: (self.graph.paths[files.numbers[found.files[place]]], frozenset(map(str.strip, text.split("\n"))))
            for place, text in sources.items()
        }
        signals["past_lines"] = self._earlier.lines(lines, count)

    def _class_in_title(self, found: FunctionCandidates, place_of: Mapping[int, int]) -> Signal:
        """Return a signal for the methods of classes that the title names."""
        signal = Signal.none(len(found.nodes))
        named = {one.node: one for one in self._pointers.all if one.kind == "class_in_title"}
        for place, node in enumerate(found.nodes):
            if one := named.get(int(self.graph.parent[node])):
                signal.raise_to(place, one.value, one.why)
        return signal

    def _name_signals(self, found: FunctionCandidates, documents: Documents) -> dict[str, Signal]:
        """Return signals from names, such as the share of the words in a function's or class's name that occur in the
        issue."""
        count = len(found.nodes)
        name, owner = Signal.none(count), Signal.none(count)
        for place, symbol in enumerate(found.symbols):
            around, _, bare = symbol.name.rpartition(".")
            name.raise_to(place, self._known_share(name_words(bare), documents), "words of its name")
            owner.raise_to(
                place, self._known_share(name_words(around.rpartition(".")[2]), documents), "words of its class's name"
            )
        length = self.graph.code_length[found.nodes]
        return {
            "name": name,
            "class_name": owner,
            "length": Signal(np.minimum(np.log1p(length) / 6, 1.0)),
        }

    def _known_share(self, words: Sequence[str], documents: Documents) -> float:
        """Return the share of these words that the issue contains, weighted by rarity; a word that is not in the index
        counts as rare."""
        weights = [documents.rarity.get(word, 6.0) for word in words]
        known = sum(weight for word, weight in zip(words, weights, strict=True) if word in self._words.all)
        return known / sum(weights) if weights else 0.0

    def _sources(self, found: FunctionCandidates, files: FileCandidates) -> dict[int, str]:
        """Return the source of each function whose file was read."""
        texts = {}
        for place, (symbol, file) in enumerate(zip(found.symbols, found.files.tolist(), strict=True)):
            if data := self._read_texts.get(int(files.numbers[file])):
                texts[place] = data[symbol.start : symbol.stop].decode("utf-8", "replace")
        return texts

    def _message(self, found: FunctionCandidates, files: FileCandidates, sources: Mapping[int, str]) -> Signal:
        in_files = files.signals["message"].values
        texts = {place: text for place, text in sources.items() if in_files[found.files[place]] > 0}
        inside = {place: int(found.files[place]) for place in texts}
        return self._messages.found(texts, inside, len(found.nodes))


def _selected(signal: Signal, chosen: Ints) -> Signal:
    why = {place: signal.why[n] for place, n in enumerate(chosen.tolist()) if n in signal.why}
    return Signal(normalise(signal.values[chosen]), why)


def _ranks(values: Floats, groups: Ints) -> Ints:
    """Return the rank of each value within its group, starting at 0 for the greatest."""
    order = np.lexsort((-values, groups))
    begins = np.searchsorted(groups[order], groups[order])
    ranks = np.empty(len(values), np.int64)
    ranks[order] = np.arange(len(values)) - begins
    return ranks
