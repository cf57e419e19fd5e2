"""How well the words of files and functions fit those of the issue: BM25 over weighted fields.

Which documents hold a term is read from the graph's postings. A word counts by where it stands: in code, in comments,
in a name, in a path.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import NamedTuple

import numpy as np
from rank_bm25 import BM25Okapi  # type: ignore[import-untyped]

from aci.graph.graph import Graph
from aci.graph.postings import Postings
from aci.localization.signals import Flags, Floats, Ints
from aci.mentions import Mentions
from aci.words import terms

TITLE_WEIGHT = 3.0
MOST_TERMS = 200


class Shape(NamedTuple):
    """What a word counts in each field, and BM25's two constants."""

    prose: float
    name: float
    class_name: float
    path: float
    k1: float
    b: float


FILES = Shape(prose=0.7, name=6.0, class_name=16.0, path=12.0, k1=6.0, b=0.4)
FUNCTIONS = Shape(prose=0.5, name=4.0, class_name=2.0, path=2.0, k1=0.9, b=0.2)


class Held(NamedTuple):
    """Nodes that hold a term, and how often in each field."""

    nodes: Ints
    code: Floats
    prose: Floats
    name: Floats


class Texts:
    """A graph seen from the words of one issue."""

    def __init__(self, graph: Graph, wanted: Flags, said: Mentions) -> None:
        """`wanted` are the files that may be answers, by their numbers."""
        self.graph, self.wanted = graph, wanted
        counts = said.title + said.prose + said.code + said.trace
        self.title = {term: float(count) for term, count in said.title.items()}
        self.all = {
            term: (1 + math.log(count)) * (TITLE_WEIGHT if term in self.title else 1.0)
            for term, count in sorted(counts.items())
        }
        self.nodes = len(graph.file)
        self.in_wanted = wanted[graph.file]
        self.held = {term: _only(found, self.in_wanted) for term, found in graph.holding(list(self.all)).items()}
        self.encloses = np.zeros(self.nodes, bool)
        """Nodes with others in them: files, classes."""
        self.encloses[graph.parent] = True
        self.is_file = graph.parent == np.arange(self.nodes)
        self._in_paths = _words_of_paths(graph.paths, self.all)

    def files(self) -> Documents:
        """All wanted files as documents; weights of words as in FILES."""
        graph, count = self.graph, len(self.graph.paths)
        of_nodes = graph.code_length + FILES.prose * graph.prose_length
        lengths = np.bincount(graph.file, of_nodes, count).astype(np.float64)
        documents = Documents(self.wanted, lengths, FILES)
        for term in self.all:
            weights: Floats = np.zeros(count)
            if term in self.held:
                nodes, code, prose, name = self.held[term]
                in_name = np.where(self.encloses[nodes], FILES.class_name, FILES.name)
                weights = np.bincount(graph.file[nodes], code + FILES.prose * prose + in_name * name, count).astype(
                    float
                )
            for file, found in self._in_paths.get(term, ()):
                weights[file] += FILES.path * found
            documents.add(term, np.flatnonzero((weights > 0) & self.wanted), weights)
        return documents

    def functions(self) -> Documents:
        """All nodes that are not files; a method has a part in the name of its class, all in their file's path."""
        graph = self.graph
        lengths = graph.code_length + FUNCTIONS.prose * graph.prose_length
        documents = Documents(self.in_wanted & ~self.is_file, lengths, FUNCTIONS)
        around = np.where(self.is_file[graph.parent], -1, graph.parent)
        for term in self.all:
            weights = np.zeros(self.nodes)
            holders: Ints = np.zeros(0, np.int64)
            if term in self.held:
                nodes, code, prose, name = self.held[term]
                weights[nodes] = code + FUNCTIONS.prose * prose + FUNCTIONS.name * name
                holders = nodes
                of_class = np.zeros(self.nodes + 1)
                of_class[nodes] = name
                weights += FUNCTIONS.class_name * of_class[around]
            for file, found in self._in_paths.get(term, ()):
                weights[graph.first[file] : graph.first[file + 1]] += FUNCTIONS.path * found
            documents.add(term, np.flatnonzero((weights > 0) & documents.there), weights, holders)
        return documents


class Documents:
    """Weighted counts of terms in documents, of which only some are there."""

    def __init__(self, there: Flags, lengths: Floats, shape: Shape) -> None:
        self.there, self._lengths, self._shape = there, lengths, shape
        self._held: dict[str, tuple[Ints, Floats]] = {}
        self.rarity: dict[str, float] = {}

    def add(self, term: str, holders: Ints, weights: Floats, counted: Ints | None = None) -> None:
        """`counted` are the holders that make the term less rare, if not all do."""
        if not len(holders):
            return
        common = len(holders) if counted is None else int(self.there[counted].sum())
        total = int(self.there.sum())
        self._held[term] = holders, weights[holders]
        self.rarity[term] = math.log(1 + (total - common + 0.5) / (common + 0.5))

    def first_look(self, query: Mapping[str, float]) -> Floats:
        """The weight of the query's terms that each document holds at all, by which candidates are chosen."""
        found = np.zeros(len(self.there))
        for term, weight in query.items():
            if term in self._held:
                found[self._held[term][0]] += weight * self.rarity[term]
        return found

    def covered(self, query: Mapping[str, float]) -> Floats:
        """The share of the query's weight, held somewhere, that each document holds."""
        whole = sum(weight * self.rarity[term] for term, weight in query.items() if term in self._held)
        return self.first_look(query) / whole if whole else np.zeros(len(self.there))

    def scores(self, queries: Sequence[Mapping[str, float]], candidates: Ints) -> list[Floats]:
        """BM25 of the candidates for each query, with rarities and lengths of all documents."""
        slot = np.full(len(self.there), -1)
        slot[candidates] = np.arange(len(candidates))
        counts: list[dict[str, float]] = [{} for _ in candidates]
        for term, (holders, weights) in self._held.items():
            ours = slot[holders]
            for place, weight in zip(ours[ours >= 0].tolist(), weights[ours >= 0].tolist(), strict=True):
                counts[place][term] = weight
        usual = max(float(self._lengths[self.there].mean()), 1.0) if len(candidates) else 1.0
        index = _Counted(counts, self._lengths[candidates], usual, self._shape)
        return [index.weighed(self._heaviest(query)) for query in queries]

    def _heaviest(self, query: Mapping[str, float]) -> dict[str, float]:
        """The terms of a query that count most, weighed by their rarity."""
        weights = {term: query[term] * self.rarity[term] for term in query.keys() & self._held}
        return dict(sorted(weights.items(), key=lambda item: (-item[1], item[0]))[:MOST_TERMS])

    def heaviest(self, query: Mapping[str, float], document: int, most: int = 4) -> list[str]:
        """The terms of the query that say most of a document."""
        return list(islice((term for term in self._heaviest(query) if document in self._held[term][0]), most))


class _Counted(BM25Okapi):  # type: ignore[misc]
    """The formula of rank-bm25 for words that are counted already.

    BM25Okapi counts words itself, each as one, in the documents that it is to score. Here a word counts by where it
    stands, and few of the documents are scored, but how rare a word is depends on all of them.
    """

    def __init__(self, counts: Sequence[Mapping[str, float]], lengths: Floats, usual: float, shape: Shape) -> None:
        """Words in each document with their counts. `usual` is the mean length of all documents, scored or not."""
        self.corpus_size, self.doc_freqs = len(counts), counts
        self.doc_len, self.avgdl = lengths, usual
        self.k1, self.b = shape.k1, shape.b

    def weighed(self, terms: Mapping[str, float]) -> Floats:
        """The score of each document for these terms, each with its weight and rarity in one."""
        self.idf = terms
        scores: Floats = self.get_scores(terms)
        return scores


def _only(found: Postings, there: Flags) -> Held:
    kept = there[found.documents]
    return Held(
        found.documents[kept].astype(np.int64),
        found.code[kept].astype(np.float64),
        found.prose[kept].astype(np.float64),
        found.name[kept].astype(np.float64),
    )


def _words_of_paths(paths: Iterable[str], asked: Mapping[str, float]) -> dict[str, list[tuple[int, int]]]:
    found: dict[str, list[tuple[int, int]]] = {}
    words: dict[str, Counter[str]] = {}
    for number, path in enumerate(paths):
        for part in path.rpartition(".")[0].split("/"):
            if part not in words:
                words[part] = terms(part)
            for term, count in words[part].items():
                if term in asked:
                    found.setdefault(term, []).append((number, count))
    return found
