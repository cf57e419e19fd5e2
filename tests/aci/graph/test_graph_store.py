"""The graph on disk: complete storage, concurrent processes and damaged files."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aci.graph import graph_build
from aci.graph.code_graph import Graph, query_graph
from aci.graph.edge_columns import KINDS, Bundle, pack_edges
from aci.graph.graph_build import load_manifest
from aci.graph.graph_store import HOUR, Manifest, ParsedBlob, Store, drop_old_trees, file_in
from aci.graph.name_resolution import Edge, LooseReference, ResolvedReferences
from aci.graph.outline import Location, Outline
from aci.graph.term_postings import Builder
from aci.repository.disk_cache import Damaged
from tests.aci.graph.graph_answers import OTHER, TEXTS, Summary, graph_summary
from tests.text_blobs import TextBlobs
from trajectories.errors import WorkspaceError

PATHS = st.text(min_size=1, max_size=8) | st.just("not-\udcff.py")
SYMBOLS = st.integers(-1, 2**31 - 2)
EDGES = st.builds(Edge, SYMBOLS, st.sampled_from(KINDS), PATHS, SYMBOLS, st.sampled_from([1.0, 0.5, 0.25]), SYMBOLS)
LOOSE = st.builds(LooseReference, SYMBOLS, st.sampled_from(KINDS), PATHS, SYMBOLS)
RESOLVED = st.builds(
    ResolvedReferences,
    st.lists(EDGES, max_size=4).map(tuple),
    st.lists(LOOSE, max_size=4).map(tuple),
    st.frozensets(PATHS),
)
NUMBERS = st.integers(0, 2**31)


@pytest.mark.slow
@given(st.dictionaries(PATHS, RESOLVED, max_size=5), st.data())
def test_packed_edges_are_restored_unchanged(resolved: dict[str, ResolvedReferences], data: st.DataObject) -> None:
    bundle = Bundle(pack_edges(resolved))
    assert bundle.files == list(resolved)
    selected = data.draw(st.lists(st.sampled_from(list(resolved)), unique=True)) if resolved else []
    rows = bundle.edges([bundle.number[path] for path in selected])
    edges = [
        (bundle.files[file], Edge(symbol, KINDS[kind], bundle.paths[path], target, weight, line))
        for file, symbol, kind, line, path, target, weight in zip(*(column.tolist() for column in rows), strict=True)
    ]
    assert edges == [
        (path, edge) for path, references in resolved.items() if path in selected for edge in references.edges
    ]
    loose = bundle.loose([bundle.number[path] for path in selected])
    assert [
        (bundle.files[file], LooseReference(symbol, KINDS[kind], bundle.names[name], line))
        for file, symbol, kind, line, name in zip(*(column.tolist() for column in loose), strict=True)
    ] == [(path, loose) for path, references in resolved.items() if path in selected for loose in references.loose]
    changed = data.draw(st.sets(PATHS))
    assert bundle.reaching(changed) == {path for path, references in resolved.items() if references.reached & changed}


@pytest.mark.slow
@given(st.dictionaries(PATHS, st.tuples(st.text(max_size=5), NUMBERS, NUMBERS, NUMBERS)), st.dictionaries(PATHS, PATHS))
def test_packed_manifest_is_restored_unchanged(
    files: dict[str, tuple[str, int, int, int]], left_out: dict[str, str]
) -> None:
    columns = [tuple(column) for column in zip(*files.values(), strict=True)] or [()] * 4
    manifest = Manifest(tuple(files), *columns, left_out)  # type: ignore[arg-type]
    assert Manifest.unpacked(manifest.packed()) == manifest


@pytest.fixture(scope="module")
def expected_summaries() -> dict[str, Summary]:
    return {
        "texts": query_graph(TextBlobs(TEXTS), None, graph_summary),
        "other": query_graph(TextBlobs(OTHER), None, graph_summary),
    }


def filled_cache(cache: Path) -> bytes:
    for texts in (TEXTS, OTHER):
        query_graph(TextBlobs(texts), cache, graph_summary)
    return file_in(cache).read_bytes()


def test_cached_graph_equals_build_from_nothing(tmp_path: Path, expected_summaries: dict[str, Summary]) -> None:
    filled_cache(tmp_path)
    assert query_graph(TextBlobs(TEXTS), tmp_path, graph_summary) == expected_summaries["texts"]
    assert query_graph(TextBlobs(OTHER), tmp_path, graph_summary) == expected_summaries["other"]


def replace_cache_file(cache: Path, data: bytes) -> None:
    for file in cache.iterdir():
        file.unlink()
    file_in(cache).write_bytes(data)


@pytest.mark.slow
def test_flipped_bytes_never_give_wrong_graph(tmp_path: Path, expected_summaries: dict[str, Summary]) -> None:
    data = filled_cache(tmp_path)
    for seed in range(40):
        rng = random.Random(seed)
        damaged = bytearray(data)
        for _ in range(rng.choice((1, 3, 30, 500))):
            damaged[rng.randrange(len(damaged))] ^= 1 << rng.randrange(8)
        replace_cache_file(tmp_path, bytes(damaged))
        assert query_graph(TextBlobs(TEXTS), tmp_path, graph_summary) == expected_summaries["texts"]
        assert query_graph(TextBlobs(OTHER), tmp_path, graph_summary) == expected_summaries["other"]


@pytest.mark.slow
def test_swapped_pages_never_give_wrong_graph(tmp_path: Path, expected_summaries: dict[str, Summary]) -> None:
    data = filled_cache(tmp_path)
    pages = [data[position : position + 4096] for position in range(0, len(data), 4096)]
    for seed in range(20):
        rng = random.Random(seed)
        damaged = list(pages)
        first, second = rng.sample(range(1, len(pages)), 2)
        damaged[first], damaged[second] = damaged[second], damaged[first]
        replace_cache_file(tmp_path, b"".join(damaged))
        assert query_graph(TextBlobs(TEXTS), tmp_path, graph_summary) == expected_summaries["texts"]


@pytest.mark.parametrize("part", [0, 0.1, 0.5, 0.9, 0.99])
def test_truncated_file_never_gives_wrong_graph(
    tmp_path: Path, expected_summaries: dict[str, Summary], part: float
) -> None:
    data = filled_cache(tmp_path)
    replace_cache_file(tmp_path, data[: int(part * len(data))])
    assert query_graph(TextBlobs(TEXTS), tmp_path, graph_summary) == expected_summaries["texts"]


@pytest.mark.parametrize("content", [b"", b"a text, not a database\n" * 500])
def test_invalid_cache_file_is_replaced(tmp_path: Path, expected_summaries: dict[str, Summary], content: bytes) -> None:
    file_in(tmp_path).write_bytes(content)
    for _ in range(2):
        assert query_graph(TextBlobs(TEXTS), tmp_path, graph_summary) == expected_summaries["texts"]


@pytest.mark.parametrize("version", [1, 99])
def test_cache_of_other_version_is_replaced(
    tmp_path: Path, expected_summaries: dict[str, Summary], version: int
) -> None:
    filled_cache(tmp_path)
    store = Store(tmp_path)
    with store.cache.writing() as write:
        write.execute(f"PRAGMA user_version = {version}")
    store.close()
    assert query_graph(TextBlobs(TEXTS), tmp_path, graph_summary) == expected_summaries["texts"]


def test_folder_at_path_of_cache_is_reported(tmp_path: Path) -> None:
    file_in(tmp_path).mkdir()
    with pytest.raises(WorkspaceError, match="cannot be used"):
        query_graph(TextBlobs(TEXTS), tmp_path, graph_summary)


@pytest.mark.parametrize("table", ["segments", "blobs", "postings", "edges", "trees"])
def test_deleted_rows_are_rebuilt(tmp_path: Path, expected_summaries: dict[str, Summary], table: str) -> None:
    filled_cache(tmp_path)
    store = Store(tmp_path)
    with store.cache.writing() as write:
        write.execute(f"DELETE FROM {table}")
    store.close()
    assert query_graph(TextBlobs(TEXTS), tmp_path, graph_summary) == expected_summaries["texts"]


def test_inconsistent_row_raises_damaged(tmp_path: Path) -> None:
    store = Store(tmp_path)
    manifest = load_manifest(TextBlobs(TEXTS), store)
    with store.cache.writing() as write:
        write.execute("UPDATE blobs SET number = number + 1")
    with pytest.raises(Damaged):
        store.known(manifest.keys)
    store.close()


BUILD_SCRIPT = """
import hashlib, sys
from pathlib import Path
from tests.text_blobs import TextBlobs
from aci.graph.code_graph import query_graph
from tests.aci.graph.graph_answers import OTHER, TEXTS, graph_summary
texts = {"texts": TEXTS, "other": OTHER}[sys.argv[2]]
print(hashlib.sha256(repr(query_graph(TextBlobs(texts), Path(sys.argv[1]), graph_summary)).encode()).hexdigest())
"""


def start_build(cache: Path, which: str) -> subprocess.Popen[str]:
    root = Path(__file__).parents[3]
    command = [sys.executable, "-c", BUILD_SCRIPT, str(cache), which]
    return subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("before", "which"),
    [
        ("nothing", ("texts", "texts")),
        ("nothing", ("texts", "other", "texts", "other")),
        ("a text", ("texts", "other")),
        ("damage", ("texts", "other", "texts")),
    ],
)
def test_concurrent_builds_give_correct_graphs(tmp_path: Path, before: str, which: tuple[str, ...]) -> None:
    if before == "a text":
        file_in(tmp_path).write_text("a text " * 1000)
    elif before == "damage":
        data = bytearray(filled_cache(tmp_path))
        for position in range(9000, len(data), 500):
            data[position] ^= 255
        replace_cache_file(tmp_path, bytes(data))
    processes = [start_build(tmp_path, name) for name in which]
    outputs = [process.communicate() for process in processes]
    assert [process.returncode for process in processes] == [0] * len(which), outputs
    expected = {name: start_build(tmp_path / "alone", name).communicate()[0] for name in set(which)}
    assert [out for out, _ in outputs] == [expected[name] for name in which]


@pytest.mark.parametrize("after", [0.0, 0.03, 0.1])
def test_killed_build_does_not_affect_next(
    tmp_path: Path, expected_summaries: dict[str, Summary], after: float
) -> None:
    process = start_build(tmp_path, "texts")
    deadline = time.monotonic() + 60
    while not file_in(tmp_path).exists() and time.monotonic() < deadline:
        time.sleep(0.001)
    time.sleep(after)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    assert query_graph(TextBlobs(TEXTS), tmp_path, graph_summary) == expected_summaries["texts"]


def test_open_graph_works_while_other_process_replaces_file(tmp_path: Path) -> None:
    def question(graph: Graph) -> list[Location]:
        places = graph.defining("f3")
        other = Store(tmp_path)
        other.cache._start_over()
        other.close()
        assert graph.holding(["f4"]).keys() == {"f4"}
        return places

    assert query_graph(TextBlobs(TEXTS), tmp_path, question) == [Location("pkg/m3.py", 0)]
    assert query_graph(TextBlobs(TEXTS), tmp_path, lambda graph: graph.defining("f3")) == [Location("pkg/m3.py", 0)]


# Size limit


def load_commits(store: Store, count: int) -> list[TextBlobs]:
    trees = [TextBlobs(TEXTS | {"pkg/m3.py": f"def f3():\n    return {n}\n" + "x = 1\n" * n}) for n in range(count)]
    for number, tree in enumerate(trees):
        load_manifest(tree, store)
        with store.cache.writing() as write:
            write.execute("UPDATE trees SET used = ? WHERE key = ?", (number, tree.key))
    return trees


def test_least_recently_used_trees_are_dropped_with_their_parts(tmp_path: Path) -> None:
    store = Store(tmp_path)
    trees = load_commits(store, 12)
    drop_old_trees(store.cache, store.cache.size() - 1)
    assert [store.manifest(tree.key) is not None for tree in trees] == [False] * 6 + [True] * 6
    tables = {name: store.cache.read(f"SELECT count(*) FROM {name}")[0][0] for name in ("segments", "edges", "blobs")}
    assert tables == {"segments": 7, "edges": 7, "blobs": len(TEXTS) + 6}
    for tree in trees:
        assert graph_summary(Graph(load_manifest(tree, store), store)) == query_graph(tree, None, graph_summary)
    store.close()


def test_last_tree_is_never_dropped(tmp_path: Path) -> None:
    store = Store(tmp_path)
    trees = load_commits(store, 5)
    drop_old_trees(store.cache, 0)
    assert [store.manifest(tree.key) is not None for tree in trees] == [False] * 4 + [True]
    store.close()


def test_old_trees_are_dropped_when_tree_is_stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(tmp_path)
    load_commits(store, 6)
    monkeypatch.setattr("aci.graph.graph_store.LARGEST", store.cache.size())
    load_manifest(TextBlobs(OTHER), store)
    assert store.cache.read("SELECT count(*) FROM trees")[0][0] < 5
    store.close()


def test_graph_is_rebuilt_if_its_tree_is_dropped_meanwhile(tmp_path: Path) -> None:
    query_graph(TextBlobs(OTHER), tmp_path, lambda graph: None)
    times = 0

    def question(graph: Graph) -> list[Location]:
        nonlocal times
        times += 1
        if times == 1:
            other = Store(tmp_path)
            query_graph(TextBlobs({"a.py": "x = 1\n"}), tmp_path, lambda graph: None)
            drop_old_trees(other.cache, 0)
            other.close()
        return graph.defining("f3")

    assert query_graph(TextBlobs(TEXTS), tmp_path, question) == [Location("pkg/m3.py", 0)]
    assert times == 2
    assert [file.name for file in tmp_path.glob("*.sqlite")] == [file_in(tmp_path).name]


def test_tree_is_rebuilt_if_its_parts_are_dropped_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    query_graph(TextBlobs(TEXTS), tmp_path, graph_summary)
    for number in range(3):
        query_graph(TextBlobs({"z.py": f"def z{number}(): pass\n"}), tmp_path, graph_summary)
    original = graph_build._edges
    dropped: list[bool] = []

    def drop_first(*arguments: Any) -> dict[str, int]:
        edges = original(*arguments)
        if not dropped:
            dropped.append(True)
            other = Store(tmp_path)
            with other.cache.writing() as write:
                write.execute("UPDATE trees SET used = id")
            drop_old_trees(other.cache, 0)
            other.close()
        return edges

    monkeypatch.setattr(graph_build, "_edges", drop_first)
    assert query_graph(TextBlobs(OTHER), tmp_path, graph_summary) == query_graph(TextBlobs(OTHER), None, graph_summary)
    assert dropped
    assert [file.name for file in tmp_path.glob("*.sqlite")] == [file_in(tmp_path).name]
    store = Store(tmp_path)
    assert store.cache.read("SELECT count(*) FROM trees") == [(2,)]
    store.close()


def test_blobs_dropped_meanwhile_are_written_again() -> None:
    store = Store(None)
    blobs = [ParsedBlob("a:python", Outline()), ParsedBlob("b:python", Outline())]
    builder = Builder()
    for _ in blobs:
        builder.add(b"", (), [])
    before = store.add(blobs, builder.segment(), {})
    with store.cache.writing() as write:
        write.execute("DELETE FROM blobs")
    after = store.add(blobs, builder.segment(), before)
    assert after.keys() == before.keys()
    assert store.known(before) == after
    store.close()


def test_time_of_use_is_updated_at_most_hourly(tmp_path: Path) -> None:
    store = Store(tmp_path)
    tree = TextBlobs(TEXTS)
    load_manifest(tree, store)

    def used() -> float:
        return float(store.cache.read("SELECT used FROM trees")[0][0])

    recent = time.time() - HOUR / 2
    for before, is_updated in ((recent, False), (time.time() - 2 * HOUR, True)):
        with store.cache.writing() as write:
            write.execute("UPDATE trees SET used = ?", (before,))
        load_manifest(tree, store)
        assert (used() > before) is is_updated
    store.close()


@pytest.mark.slow
@settings(max_examples=8, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), st.sampled_from(sorted(TEXTS))), max_size=6), st.integers(0, 200_000))
def test_graph_is_correct_after_any_dropped_trees(changes: list[tuple[int, str]], most: int) -> None:
    store = Store(None)
    texts = dict(TEXTS)
    for number, path in changes:
        texts = texts | {path: f"def f{number}():\n    pass\n"}
        graph = Graph(load_manifest(TextBlobs(texts), store), store)
        assert [place.path for place in graph.defining(f"f{number}")].count(path) <= 1
        drop_old_trees(store.cache, most)
        assert graph_summary(Graph(load_manifest(TextBlobs(texts), store), store)) == query_graph(
            TextBlobs(texts), None, graph_summary
        )
    store.close()
