"""BM25 over weighted fields: how well the words of files and functions match those of the issue.

The graph's postings list the documents that contain a term. The weight of a word depends on where it occurs: in code,
in comments, in a name or in a path.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import NamedTuple

import numpy as np
from rank_bm25 import BM25Okapi  # type: ignore[import-untyped]

from aci.graph.code_graph import Graph
from aci.graph.term_postings import Postings
from aci.issue_text.issue_mentions import Mentions, count_terms
from aci.localization.signals import Flags, Floats, Ints, IssueWords

TITLE_WEIGHT = 3.0
MOST_TERMS = 200


class FieldWeights(NamedTuple):
    """The weight of a word in each field, and BM25's two constants."""

    prose: float
    name: float
    class_name: float
    path: float
    k1: float
    b: float


FILES = FieldWeights(prose=0.7, name=6.0, class_name=16.0, path=12.0, k1=6.0, b=0.4)
FUNCTIONS = FieldWeights(prose=0.5, name=4.0, class_name=2.0, path=2.0, k1=0.9, b=0.2)


def weigh_terms(mentions: Mentions) -> dict[str, float]:
    """Return the weights of an issue's terms, of which those of the title weigh more."""
    counts = mentions.title + mentions.prose + mentions.code + mentions.trace
    return {
        term: (1 + math.log(count)) * (TITLE_WEIGHT if term in mentions.title else 1.0)
        for term, count in sorted(counts.items())
    }


class TermNodes(NamedTuple):
    """Nodes that contain a term, and how often it occurs in each field."""

    nodes: Ints
    code: Floats
    prose: Floats
    name: Floats


class TermIndex:
    """The terms of one issue, and the nodes of a graph that contain them."""

    def __init__(self, graph: Graph, wanted: Flags, mentions: Mentions) -> None:
        """`wanted` holds a flag for each file number: whether the file may be a result."""
        self.graph, self.wanted = graph, wanted
        title = {term: float(count) for term, count in mentions.title.items()}
        self.all = weigh_terms(mentions)
        prose = {term: 1 + math.log(count) for term, count in mentions.prose.items()}
        self.words = IssueWords(title, self.all, prose, dict.fromkeys(mentions.identifiers(), 1.0))
        self.nodes = len(graph.file)
        self.in_wanted = wanted[graph.file]
        self.holders = {
            term: _filtered_nodes(found, self.in_wanted) for term, found in graph.holding(list(self.all)).items()
        }
        self.encloses = np.zeros(self.nodes, bool)
        """Flags the nodes that contain other nodes, such as files and classes."""
        self.encloses[graph.parent] = True
        self.is_file = graph.parent == np.arange(self.nodes)
        self._in_paths = _path_terms(graph.paths, self.all)

    def files(self) -> Documents:
        """Return all wanted files as documents, with the weights of FILES."""
        graph, count = self.graph, len(self.graph.paths)
        node_lengths = graph.code_length + FILES.prose * graph.prose_length
        lengths = np.bincount(graph.file, node_lengths, count).astype(np.float64)
        documents = Documents(self.wanted, lengths, FILES)
        for term in self.all:
            weights: Floats = np.zeros(count)
            if term in self.holders:
                nodes, code, prose, name = self.holders[term]
                in_name = np.where(self.encloses[nodes], FILES.class_name, FILES.name)
                weights = np.bincount(graph.file[nodes], code + FILES.prose * prose + in_name * name, count).astype(
                    float
                )
            for file, found in self._in_paths.get(term, ()):
                weights[file] += FILES.path * found
            documents.add(term, np.flatnonzero((weights > 0) & self.wanted), weights)
        return documents

    def functions(self) -> Documents:
        """Return all nodes that are not files, as documents with the weights of FUNCTIONS.

        A method's document includes the name of its class, and every document includes the path of its file.
        """
        graph = self.graph
        lengths = graph.code_length + FUNCTIONS.prose * graph.prose_length
        documents = Documents(self.in_wanted & ~self.is_file, lengths, FUNCTIONS)
        around = np.where(self.is_file[graph.parent], -1, graph.parent)
        for term in self.all:
            weights = np.zeros(self.nodes)
            holders: Ints = np.zeros(0, np.int64)
            if term in self.holders:
                nodes, code, prose, name = self.holders[term]
                weights[nodes] = code + FUNCTIONS.prose * prose + FUNCTIONS.name * name
                holders = nodes
                class_names = np.zeros(self.nodes + 1)
                class_names[nodes] = name
                weights += FUNCTIONS.class_name * class_names[around]
            for file, found in self._in_paths.get(term, ()):
                weights[graph.first[file] : graph.first[file + 1]] += FUNCTIONS.path * found
            documents.add(term, np.flatnonzero((weights > 0) & documents.present), weights, holders)
        return documents


class Documents:
    """Weighted counts of terms in documents; `present` flags the numbers that belong to documents."""

    def __init__(self, present: Flags, lengths: Floats, shape: FieldWeights) -> None:
        self.present, self._lengths, self._shape = present, lengths, shape
        self._weights: dict[str, tuple[Ints, Floats]] = {}
        self.rarity: dict[str, float] = {}

    def add(self, term: str, holders: Ints, weights: Floats, counted: Ints | None = None) -> None:
        """Add a term; `counted` are the documents used for its document frequency, by default all `holders`."""
        if not len(holders):
            return
        common = len(holders) if counted is None else int(self.present[counted].sum())
        total = int(self.present.sum())
        self._weights[term] = holders, weights[holders]
        self.rarity[term] = math.log(1 + (total - common + 0.5) / (common + 0.5))

    def matched_weights(self, query: Mapping[str, float]) -> Floats:
        """Return, for each document, the total weight of the query's terms that it contains; candidates are chosen by
        this weight."""
        found = np.zeros(len(self.present))
        for term, weight in query.items():
            if term in self._weights:
                found[self._weights[term][0]] += weight * self.rarity[term]
        return found

    def coverage(self, query: Mapping[str, float]) -> Floats:
        """Return, for each document, the weight of the query's terms that it contains as a share of the query's total
        weight; terms in no document are ignored."""
        whole = sum(weight * self.rarity[term] for term, weight in query.items() if term in self._weights)
        return self.matched_weights(query) / whole if whole else np.zeros(len(self.present))

    def scores(self, queries: Sequence[Mapping[str, float]], candidates: Ints) -> list[Floats]:
        """Return the BM25 scores of the candidates for each query, with IDF and mean length computed from all
        documents."""
        slot = np.full(len(self.present), -1)
        slot[candidates] = np.arange(len(candidates))
        counts: list[dict[str, float]] = [{} for _ in candidates]
        for term, (holders, weights) in self._weights.items():
            slots = slot[holders]
            for place, weight in zip(slots[slots >= 0].tolist(), weights[slots >= 0].tolist(), strict=True):
                counts[place][term] = weight
        mean_length = max(float(self._lengths[self.present].mean()), 1.0) if len(candidates) else 1.0
        index = _CountedBM25(counts, self._lengths[candidates], mean_length, self._shape)
        return [index.weighted_scores(self._heaviest(query)) for query in queries]

    def _heaviest(self, query: Mapping[str, float]) -> dict[str, float]:
        """Return the MOST_TERMS heaviest terms of a query, with their weights multiplied by IDF."""
        weights = {term: query[term] * self.rarity[term] for term in query.keys() & self._weights}
        return dict(sorted(weights.items(), key=lambda item: (-item[1], item[0]))[:MOST_TERMS])

    def heaviest(self, query: Mapping[str, float], document: int, most: int = 4) -> list[str]:
        """Return the heaviest terms of the query that a document contains."""
        return list(islice((term for term in self._heaviest(query) if document in self._weights[term][0]), most))


class _CountedBM25(BM25Okapi):  # type: ignore[misc]
    """BM25 as implemented by the package rank-bm25, for precomputed word counts.

    BM25Okapi counts each occurrence of a word as one, and only in the documents that it scores. Here the weight of a
    word depends on its field, and its rarity is computed from all documents although few of them are scored.
    """

    def __init__(
        self, counts: Sequence[Mapping[str, float]], lengths: Floats, mean_length: float, shape: FieldWeights
    ) -> None:
        """`counts` holds the word counts of each scored document; `mean_length` is the mean over all documents."""
        self.corpus_size, self.doc_freqs = len(counts), counts
        self.doc_len, self.avgdl = lengths, mean_length
        self.k1, self.b = shape.k1, shape.b

    def weighted_scores(self, terms: Mapping[str, float]) -> Floats:
        """Return the score of each document for these terms, whose weights already include IDF."""
        self.idf = terms
        scores: Floats = self.get_scores(terms)
        return scores


def _filtered_nodes(found: Postings, flags: Flags) -> TermNodes:
    kept = flags[found.documents]
    return TermNodes(
        found.documents[kept].astype(np.int64),
        found.code[kept].astype(np.float64),
        found.prose[kept].astype(np.float64),
        found.name[kept].astype(np.float64),
    )


def _path_terms(paths: Iterable[str], wanted: Mapping[str, float]) -> dict[str, list[tuple[int, int]]]:
    """Return, for each wanted term, the numbers of the paths that contain it and its number of occurrences in each."""
    found: dict[str, list[tuple[int, int]]] = {}
    words: dict[str, Counter[str]] = {}
    for number, path in enumerate(paths):
        for part in path.rpartition(".")[0].split("/"):
            if part not in words:
                words[part] = count_terms(part)
            for term, count in words[part].items():
                if term in wanted:
                    found.setdefault(term, []).append((number, count))
    return found
