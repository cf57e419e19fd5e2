"""Postings compared with a direct count of the same words."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aci.graph.code_graph import Graph, query_graph
from aci.graph.graph_build import load_manifest
from aci.graph.graph_store import Store
from aci.graph.outline import Symbol
from aci.graph.parser import load_language
from aci.graph.term_postings import CODE, DEFINES, NAME, PROSE, Bucket, Builder, Documents, bucket_of
from aci.issue_text.issue_mentions import WORD, split_identifier
from tests.text_blobs import TextBlobs

WORDS = st.sampled_from(
    ["load", "loadHTTPResponse", "_private", "the", "x", "Élan", "snake_case_name", "error", "Δδ", "save2", "json"]
)
LINES = st.lists(WORDS, min_size=1, max_size=5).map(" + ".join)
Key = tuple[str, int, int]


@st.composite
def blocks(draw: st.DrawFn, depth: int = 0) -> str:
    """Generate lines of Python with nested definitions."""
    indent = "    " * depth
    lines = []
    for kind in draw(st.lists(st.sampled_from(["code", "comment", "function", "class"]), min_size=1, max_size=4)):
        if kind == "code" or (depth == 3 and kind != "comment"):
            lines.append(indent + draw(LINES))
        elif kind == "comment":
            lines.append(f"{indent}# {draw(LINES)}\n{indent}pass")
        else:
            head = f"def {draw(WORDS)}({draw(WORDS)}):" if kind == "function" else f"class {draw(WORDS)}:"
            doc = f'{indent}    """{draw(LINES)}"""\n' if draw(st.booleans()) else ""
            lines.append(f"{indent}{head}\n{doc}{draw(blocks(depth + 1))}")
    return "\n".join(lines)


def count_directly(text: str) -> tuple[Counter[Key], dict[str, set[int]], Counter[tuple[int, int]]]:
    """Return (term, document, field) -> count; documents by defined name; words in each (document, field).

    This counts byte by byte, from the parser's result alone.
    """
    data = text.encode()
    outline, prose = load_language("python").parse(data)
    owner = [0] * len(data)
    field = [CODE] * len(data)
    for number, symbol in enumerate(outline.symbols, 1):
        owner[symbol.start : symbol.stop] = [number] * (symbol.stop - symbol.start)
    for start, stop in prose:
        owner[start:stop] = [owner[start]] * (stop - start)
        field[start:stop] = [PROSE] * (stop - start)
    counts: Counter[Key] = Counter()
    words: Counter[tuple[int, int]] = Counter()
    position = 0
    while position < len(data):
        end = position
        while end < len(data) and (owner[end], field[end]) == (owner[position], field[position]):
            end += 1
        add_counts(counts, words, data[position:end].decode(), owner[position], field[position])
        position = end
    defined: dict[str, set[int]] = {}
    for number, symbol in enumerate(outline.symbols, 1):
        add_counts(counts, words, symbol.bare, number, NAME)
        defined.setdefault(symbol.bare, set()).add(number)
    return counts, defined, words


def add_counts(counts: Counter[Key], words: Counter[tuple[int, int]], text: str, document: int, field: int) -> None:
    for word in WORD.findall(text):
        words[document, field] += 1
        for term in split_identifier(word):
            counts[term, document, field] += 1


def graph_counts(graph: Graph, terms: list[str]) -> dict[tuple[str, str, int, int], int]:
    """Return (term, path, document of the path, field) -> count."""
    counts_by_term = {}
    for term, postings in graph.holding(terms).items():
        for node, *counts in zip(*(column.tolist() for column in postings), strict=True):
            path, symbol = graph.place(node)
            counts_by_term |= {(term, path, symbol + 1, field): count for field, count in enumerate(counts) if count}
    return counts_by_term


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(blocks(), max_size=4), min_size=1, max_size=3), st.data())
def test_each_term_is_counted_in_each_document_of_each_tree(trees: list[list[str]], data: st.DataObject) -> None:
    """Trees are stored in turn, so that later ones are in several segments; texts may repeat."""
    all_texts = sorted({text for tree in trees for text in tree})
    trees_of_texts = [
        {f"f{n}.py": data.draw(st.sampled_from(all_texts)) for n in range(len(tree))} for tree in trees if all_texts
    ]
    store = Store(None)
    graphs = [Graph(load_manifest(TextBlobs(texts), store), store) for texts in trees_of_texts]
    for texts, graph in zip(trees_of_texts, graphs, strict=True):
        counts = {path: count_directly(text) for path, text in texts.items()}
        # Equal files are indexed under the first path.
        first = {text: path for path, text in sorted(texts.items(), reverse=True)}
        expected = {
            (term, path, document, field): min(count, 255)
            for path in first.values()
            for (term, document, field), count in counts[path][0].items()
        }
        terms = sorted({key[0] for group, _, _ in counts.values() for key in group} | {"elsewhere"})
        assert graph_counts(graph, terms) == expected
        names = sorted({name for _, defined, _ in counts.values() for name in defined})
        nodes = graph.nodes_defining(names)
        assert {(name, *graph.place(node)) for name, group in nodes.items() for node in group.tolist()} == {
            (name, path, number - 1)
            for path in first.values()
            for name, numbers in counts[path][1].items()
            for number in numbers
        }
        for path in first.values():
            start = int(graph.first[graph.number[path]])
            for document in range(len(graph.outline(path).symbols) + 1):
                assert graph.code_length[start + document] == counts[path][2][document, CODE]
                assert graph.prose_length[start + document] == counts[path][2][document, PROSE]
    store.close()


def test_term_is_counted_to_255() -> None:
    postings = query_graph(TextBlobs({"a.py": "load = 1\n" * 300}), None, lambda graph: graph.holding(["load"])["load"])
    assert postings.code.tolist() == [255]


def test_equal_files_are_both_listed_but_indexed_once() -> None:
    texts = {"b.py": "def load(): pass\n", "a.py": "def load(): pass\n"}

    def question(graph: Graph) -> None:
        assert graph.paths == ("a.py", "b.py")
        assert [place.path for place in graph.defining("load")] == ["a.py"]
        assert graph.outline("b.py").symbols[0].name == "load"

    query_graph(TextBlobs(texts), None, question)


def test_blobs_of_other_trees_are_not_returned(tmp_path: Path) -> None:
    both = {"a.py": "def mine(): pass\n", "b.py": "def theirs(): pass\n"}
    query_graph(TextBlobs(both), tmp_path, lambda graph: None)

    def question(graph: Graph) -> None:
        assert graph.holding(["theirs", "mine"]).keys() == {"mine"}
        assert graph.defining("theirs") == []

    query_graph(TextBlobs({"c.py": both["a.py"]}), tmp_path, question)


def test_segment_without_blobs_is_empty() -> None:
    segment = Builder().segment()
    assert segment.names == []
    assert all(bucket.terms == [] for bucket in segment.buckets)


def test_packed_segment_is_restored_unchanged() -> None:
    builder = Builder()
    symbol = Symbol("load", "function", 1, 1, 1, 0, 15, -1, "def load()", "")
    builder.add(b"def load(): pas1\nsave()\n", (symbol,), [])
    for n in range(6000):
        builder.add(f"word{n} shared".encode(), (), [])
    segment = builder.segment()
    assert len(segment.buckets) > 1
    buckets = [Bucket.unpacked(bucket.packed()) for bucket in segment.buckets]
    for term, documents in (("word17", [19]), ("shared", list(range(2, 6002))), (DEFINES + "load", [1])):
        postings = buckets[bucket_of(term, len(buckets))].of(term)
        assert postings is not None
        assert postings.documents.tolist() == documents
    assert buckets[bucket_of("absent", len(buckets))].of("absent") is None
    unpacked = Documents.unpacked(segment.documents.packed())
    assert all(np.array_equal(column, other) for column, other in zip(unpacked, segment.documents, strict=True))
