"""Candidate files, functions and classes for an issue, with the values of their signals."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from aci.graph.code_graph import Graph
from aci.graph.file_selection import is_test_or_example
from aci.graph.outline import CLASS, FUNCTION, Symbol
from aci.issue_text.issue_mentions import Mentions, split_identifier
from aci.issue_text.issue_snippets import SnippetTrace
from aci.localization.bm25 import Documents, TermIndex
from aci.localization.explicit_mentions import Calls, EdgesWithin, MessageSearch, Pointer, Pointers
from aci.localization.past_changes import Commits, SimilarCommits
from aci.localization.signals import Floats, Ints, Signal, below_best, log_scale, normalise

SEED_WEIGHTS = {
    **dict.fromkeys(("class", "function", "method", "called", "trace", "link"), 1.0),
    **dict.fromkeys(("class_in_title", "function_in_title"), 2.0),
}
"""The weight in PageRank's seeds of the places that the issue names, by kind of pointer."""
MATCHED_FUNCTIONS, SEED_FUNCTIONS, SEED_POWER = 300, 30, 4
"""The seeds also contain the functions that match the issue's words best: of the MATCHED_FUNCTIONS that share most
words with it, the SEED_FUNCTIONS with the best BM25, to the power of SEED_POWER."""
MOST_FILES = 300
READ_FILES = 60
"""Maximum number of files that are read and searched for messages."""
OPENED_FILES = 40
"""Number of best-ranked files all of whose functions are candidates."""
MOST_FUNCTIONS = 150
"""Maximum number of functions from other files, chosen by text match."""
FILE_POINTERS = ("path", "link", "trace", "ran", "method")
FUNCTION_POINTERS = ("link", "trace", "ran", "method")

ReadFiles = Callable[[Sequence[str]], Mapping[str, bytes]]
"""Returns the bytes of the files at the given paths."""


@dataclass(slots=True)
class FileCandidates:
    """Candidate files by their numbers in the graph, and their signals in the same order.

    `edges` are the graph's edges within them, `ranks` the PageRank of the graph's nodes along these edges.
    """

    numbers: Ints
    signals: dict[str, Signal]
    edges: EdgesWithin
    ranks: Floats


@dataclass(slots=True)
class SymbolCandidates:
    """Candidate functions or classes with their signals; `nodes` are their nodes in the graph, `files` the indexes of
    their files in `FileCandidates.numbers`, `calls` the calls among them."""

    nodes: Ints
    files: Ints
    symbols: list[Symbol]
    calls: Calls
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
        self._function_texts = self._texts.functions()
        self._words = self._texts.words
        self._shared = self._function_texts.matched_weights(self._words.all)
        """The weight of the issue's words that each function contains."""
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
        edges = EdgesWithin(self.graph, chosen)
        ranks = edges.pagerank(self._seeds())
        of_files = np.bincount(self.graph.file, ranks, len(self.graph.paths))[chosen]
        signals["spread"] = _spread(of_files, {one.file: one.why for one in self._named()}, chosen)
        likeliest = self._likeliest(signals)
        self._fetch(chosen[likeliest])
        texts = {int(place): self._read_texts[int(chosen[place])].decode("utf-8", "replace") for place in likeliest}
        signals["message"] = self._messages.found(texts, {place: place for place in texts}, len(chosen))
        return FileCandidates(chosen, signals, edges, ranks)

    def _seeds(self) -> Floats:
        """Return the share of each node in the seeds: half for the places that the issue names, half for the functions
        that it describes best."""
        named: Floats = np.zeros(len(self.graph.file))
        for pointer in self._named():
            named[pointer.node] += _seed_weight(pointer)
        described: Floats = np.zeros(len(named))
        best = np.argsort(-self._shared, kind="stable")[:MATCHED_FUNCTIONS]
        scores = self._function_texts.scores([self._words.all], best[self._shared[best] > 0])[0]
        order = np.argsort(-scores, kind="stable")[:SEED_FUNCTIONS]
        described[best[order]] = normalise(scores[order]) ** SEED_POWER
        shares = [seeds / seeds.sum() for seeds in (named, described) if seeds.any()]
        return np.sum(shares, axis=0) if shares else named

    def _named(self) -> list[Pointer]:
        """Return the definitions that the issue names, those with the greatest weight last."""
        named = (pointer for pointer in self._pointers.all if pointer.node >= 0 and pointer.kind in SEED_WEIGHTS)
        return sorted(named, key=_seed_weight)

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
        for name in ("link", "commit", "path", "trace", "spread"):
            look = look + 0.4 * signals[name].values
        return np.argsort(-look, kind="stable")[:READ_FILES]

    def _fetch(self, numbers: Iterable[int]) -> None:
        missing = [int(number) for number in numbers if int(number) not in self._read_texts]
        found = self._read([self.graph.paths[number] for number in missing])
        self._read_texts |= {number: found.get(self.graph.paths[number], b"") for number in missing}

    # Functions and classes

    def functions(self, files: FileCandidates, scores: Floats) -> SymbolCandidates:
        """Return the candidate functions with their signals; `scores` are the scores of `files`."""
        return self._candidates(FUNCTION, files, scores)

    def classes(self, files: FileCandidates, scores: Floats) -> SymbolCandidates:
        """Return the candidate classes with the signals of functions. The words of a class are those of its own
        statements, without its methods."""
        return self._candidates(CLASS, files, scores)

    def _candidates(self, kind: str, files: FileCandidates, scores: Floats) -> SymbolCandidates:
        """Return the definitions of a kind in the best files, and those in other files that the issue names or
        describes."""
        slot = {int(number): place for place, number in enumerate(files.numbers)}
        order = np.argsort(-scores, kind="stable")[:OPENED_FILES]
        nodes = self._chosen_nodes(set(files.numbers[order].tolist()), slot)
        symbols = [symbol for node in nodes if (symbol := self.graph.symbol(self.graph.place(int(node))))]
        kept = [place for place, symbol in enumerate(symbols) if symbol.kind == kind]
        nodes, symbols = nodes[kept], [symbols[place] for place in kept]
        of_file = np.array([slot[int(self.graph.file[node])] for node in nodes], np.int64)
        found = SymbolCandidates(nodes, of_file, symbols, files.edges.calls(nodes), {})
        if len(nodes):
            self._add_signals(found, files, scores)
        return found

    def _chosen_nodes(self, best: set[int], slot: Mapping[int, int]) -> Ints:
        chosen = np.isin(self.graph.file, np.array(sorted(best), np.int64)) & ~self._texts.is_file
        chosen[np.argsort(-self._shared, kind="stable")[:MOST_FUNCTIONS]] = True
        for pointer in self._pointers.all:
            if pointer.node >= 0 and pointer.kind != "function":
                chosen[pointer.node] = True
        in_files = np.isin(self.graph.file, np.array(sorted(slot), np.int64))
        return np.flatnonzero(chosen & in_files & ~self._texts.is_file)

    def _add_signals(self, found: SymbolCandidates, files: FileCandidates, scores: Floats) -> None:
        nodes, count, documents = found.nodes, len(found.nodes), self._function_texts
        queries = [self._words.all, self._words.title, self._words.prose, self._words.names]
        whole, title, prose, names = documents.scores(queries, nodes)
        text = Signal(normalise(whole))
        best = np.argsort(-text.values, kind="stable")[:READ_FILES]
        for place in best.tolist():
            text.why[place] = "text: " + ", ".join(documents.heaviest(self._words.all, int(nodes[place])))
        signals = found.signals
        signals["text"], signals["title"] = text, Signal(normalise(title))
        signals["prose"], signals["names"] = Signal(log_scale(normalise(prose))), Signal(normalise(names))
        in_file = _ranks(whole, found.files)
        signals["text_rank_in_file"] = Signal(
            1 / (1 + in_file), dict.fromkeys(np.flatnonzero(in_file == 0).tolist(), "best text match in its file")
        )
        signals["covered"] = Signal(documents.coverage(self._words.all)[nodes])
        order = _ranks(scores, np.zeros(len(scores), np.int64))
        signals["file"] = Signal(below_best(scores)[found.files])
        signals["file_rank"] = Signal(1 / (1 + order[found.files]))
        signals |= {name: Signal.none(count) for name in FUNCTION_POINTERS}
        place_of = {int(node): place for place, node in enumerate(nodes)}
        for kind, _, node, value, why in self._pointers.all:
            if kind in signals and node in place_of:
                signals[kind].raise_to(place_of[node], value, why)
        signals["spread"] = _spread(files.ranks[nodes], {one.node: one.why for one in self._named()}, nodes)
        signals |= self._name_signals(found, documents)
        sources = self._sources(found, files)
        signals["message"] = self._message(found, files, sources)
        lines = {
            place: (self.graph.paths[files.numbers[found.files[place]]], frozenset(map(str.strip, text.split("\n"))))
            for place, text in sources.items()
        }
        signals["past_lines"] = self._earlier.lines(lines, count)

    def _name_signals(self, found: SymbolCandidates, documents: Documents) -> dict[str, Signal]:
        """Return signals from names, such as the share of the words in a function's or class's name that occur in the
        issue."""
        count = len(found.nodes)
        name, owner = Signal.none(count), Signal.none(count)
        for place, symbol in enumerate(found.symbols):
            around, _, bare = symbol.name.rpartition(".")
            name.raise_to(place, self._known_share(_name_words(bare), documents), "words of its name")
            owner.raise_to(
                place, self._known_share(_name_words(around.rpartition(".")[2]), documents), "words of its class's name"
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

    def _sources(self, found: SymbolCandidates, files: FileCandidates) -> dict[int, str]:
        """Return the source of each function whose file was read."""
        texts = {}
        for place, (symbol, file) in enumerate(zip(found.symbols, found.files.tolist(), strict=True)):
            if data := self._read_texts.get(int(files.numbers[file])):
                texts[place] = data[symbol.start : symbol.stop].decode("utf-8", "replace")
        return texts

    def _message(self, found: SymbolCandidates, files: FileCandidates, sources: Mapping[int, str]) -> Signal:
        in_files = files.signals["message"].values
        texts = {place: text for place, text in sources.items() if in_files[found.files[place]] > 0}
        inside = {place: int(found.files[place]) for place in texts}
        return self._messages.found(texts, inside, len(found.nodes))


def _seed_weight(pointer: Pointer) -> float:
    return pointer.value * SEED_WEIGHTS[pointer.kind]


def _spread(ranks: Floats, named: Mapping[int, str], numbers: Ints) -> Signal:
    """Return the signal of files or nodes from their PageRank; `named` holds the reasons for those that the issue
    names."""
    why = {place: named[number] for place, number in enumerate(numbers.tolist()) if number in named}
    return Signal(log_scale(np.sqrt(normalise(ranks))), why, "near what the issue names or describes")


def _name_words(name: str) -> Sequence[str]:
    """Return the words of a name, without the whole name if it has several; compare them with those of the issue."""
    whole, *parts = split_identifier(name) or ("",)
    return parts or ([whole] if whole else [])


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
