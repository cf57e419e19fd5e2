"""The candidates for an issue and their signals, from a real code graph."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from aci.graph.code_graph import Graph, query_graph
from aci.issue_text.issue_mentions import find_mentions
from aci.localization.candidate_places import CandidateSearch, FileCandidates, SymbolCandidates
from aci.localization.explicit_mentions import SECOND_PASS
from aci.localization.place_ranking import file_reader
from aci.localization.signals import FILE_SIGNALS, scores
from tests.text_blobs import TextBlobs
from trajectories.records import Issue

FindCandidates = Callable[[Mapping[str, str], Issue], tuple[FileCandidates, SymbolCandidates]]


@pytest.fixture
def find_candidates() -> FindCandidates:
    """`find_candidates({"a.py": "x = 1\\n"}, Issue("Title"))` returns the candidate files and functions."""

    def find(texts: Mapping[str, str], issue: Issue) -> tuple[FileCandidates, SymbolCandidates]:
        def collect(graph: Graph) -> tuple[FileCandidates, SymbolCandidates]:
            search = CandidateSearch(graph, find_mentions(issue), file_reader(graph, TextBlobs(texts)), None)
            files = search.files()
            by_file = scores(files.signals, FILE_SIGNALS, len(files.numbers), SECOND_PASS)
            return files, search.functions(files, by_file)

        return query_graph(TextBlobs(texts), None, collect)

    return find
