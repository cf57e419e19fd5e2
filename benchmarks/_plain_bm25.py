"""Baseline localization: BM25 over the words of whole files and functions, neither split nor weighted."""

from __future__ import annotations

from collections.abc import Sequence

from aci.graph.code_graph import Graph
from aci.graph.file_selection import is_test_or_example
from aci.graph.outline import FUNCTION
from aci.issue_text.issue_mentions import WORD
from aci.localization.candidate_places import ReadFiles
from trajectories.records import Issue


def plain_bm25(graph: Graph, read: ReadFiles, issue: Issue, top: int) -> tuple[list[str], list[str]]:
    """Return the best files, and the best functions as `path:Class.method`; tests are excluded."""
    query = [word.lower() for word in WORD.findall(f"{issue.title}\n{issue.body}")]
    paths = [path for path in graph.paths if not is_test_or_example(path)]
    texts = read(paths)
    functions = {
        f"{path}:{symbol.name}": texts[path][symbol.start : symbol.stop]
        for path in paths
        for symbol in graph.outline(path).symbols
        if symbol.kind == FUNCTION
    }
    return _best(paths, [texts[path] for path in paths], query, top), _best(
        list(functions), list(functions.values()), query, top
    )


def _best(names: Sequence[str], texts: Sequence[bytes], query: Sequence[str], top: int) -> list[str]:
    from rank_bm25 import BM25Okapi  # type: ignore[import-untyped]

    if not names:
        return []
    wanted = set(query)
    words = [WORD.findall(text.decode("utf-8", "replace").lower()) for text in texts]
    index = BM25Okapi([[word for word in found if word in wanted] or ["-"] for found in words])
    index.doc_len = [len(found) for found in words]
    index.avgdl = max(sum(index.doc_len) / len(names), 1.0)
    scores = index.get_scores(list(query))
    return [names[number] for number in (-scores).argsort(kind="stable")[:top]]
