"""The graph on disk: what goes in comes out, whoever shares the file, and whatever happens to it."""

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
from aci.repository.file_blobs import TextBlobs
from tests.aci.graph.graph_answers import OTHER, TEXTS, Answer, answer
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
def test_edges_come_out_as_they_went_in(resolved: dict[str, ResolvedReferences], data: st.DataObject) -> None:
    bundle = Bundle(pack_edges(resolved))
    assert bundle.files == list(resolved)
    some = data.draw(st.lists(st.sampled_from(list(resolved)), unique=True)) if resolved else []
    rows = bundle.edges([bundle.number[path] for path in some])
    found = [
        (bundle.files[file], Edge(symbol, KINDS[kind], bundle.paths[path], target, weight, line))
        for file, symbol, kind, line, path, target, weight in zip(*(one.tolist() for one in rows), strict=True)
    ]
    assert found == [(path, edge) for path, one in resolved.items() if path in some for edge in one.edges]
    loose = bundle.loose([bundle.number[path] for path in some])
    assert [
        (bundle.files[file], LooseReference(symbol, KINDS[kind], bundle.names[name], line))
        for file, symbol, kind, line, name in zip(*(one.tolist() for one in loose), strict=True)
    ] == [(path, one) for path, mine in resolved.items() if path in some for one in mine.loose]
    changed = data.draw(st.sets(PATHS))
    assert bundle.reaching(changed) == {path for path, one in resolved.items() if one.reached & changed}


@given(st.dictionaries(PATHS, st.tuples(st.text(max_size=5), NUMBERS, NUMBERS, NUMBERS)), st.dictionaries(PATHS, PATHS))
def test_manifest_comes_out_as_it_went_in(
    files: dict[str, tuple[str, int, int, int]], left_out: dict[str, str]
) -> None:
    columns = [tuple(column) for column in zip(*files.values(), strict=True)] or [()] * 4
    one = Manifest(tuple(files), *columns, left_out)  # type: ignore[arg-type]
    assert Manifest.unpacked(one.packed()) == one


@pytest.fixture(scope="module")
def right() -> dict[str, Answer]:
    return {"texts": query_graph(TextBlobs(TEXTS), None, answer), "other": query_graph(TextBlobs(OTHER), None, answer)}


def _filled(cache: Path) -> bytes:
    for texts in (TEXTS, OTHER):
        query_graph(TextBlobs(texts), cache, answer)
    return file_in(cache).read_bytes()


def test_cache_answers_as_build_from_nothing(tmp_path: Path, right: dict[str, Answer]) -> None:
    _filled(tmp_path)
    assert query_graph(TextBlobs(TEXTS), tmp_path, answer) == right["texts"]
    assert query_graph(TextBlobs(OTHER), tmp_path, answer) == right["other"]


def _put(cache: Path, data: bytes) -> None:
    for file in cache.iterdir():
        file.unlink()
    file_in(cache).write_bytes(data)


@pytest.mark.slow
def test_flipped_bytes_never_make_wronganswer(tmp_path: Path, right: dict[str, Answer]) -> None:
    whole = _filled(tmp_path)
    for seed in range(40):
        chance = random.Random(seed)
        damaged = bytearray(whole)
        for _ in range(chance.choice((1, 3, 30, 500))):
            damaged[chance.randrange(len(damaged))] ^= 1 << chance.randrange(8)
        _put(tmp_path, bytes(damaged))
        assert query_graph(TextBlobs(TEXTS), tmp_path, answer) == right["texts"]
        assert query_graph(TextBlobs(OTHER), tmp_path, answer) == right["other"]


def test_pages_that_changed_places_never_make_wronganswer(tmp_path: Path, right: dict[str, Answer]) -> None:
    whole = _filled(tmp_path)
    pages = [whole[at : at + 4096] for at in range(0, len(whole), 4096)]
    for seed in range(20):
        chance = random.Random(seed)
        damaged = list(pages)
        one, other = chance.sample(range(1, len(pages)), 2)
        damaged[one], damaged[other] = damaged[other], damaged[one]
        _put(tmp_path, b"".join(damaged))
        assert query_graph(TextBlobs(TEXTS), tmp_path, answer) == right["texts"]


@pytest.mark.parametrize("part", [0, 0.1, 0.5, 0.9, 0.99])
def test_cut_file_never_makes_wronganswer(tmp_path: Path, right: dict[str, Answer], part: float) -> None:
    whole = _filled(tmp_path)
    _put(tmp_path, whole[: int(part * len(whole))])
    assert query_graph(TextBlobs(TEXTS), tmp_path, answer) == right["texts"]


@pytest.mark.parametrize("content", [b"", b"a text, not a database\n" * 500])
def test_another_file_in_its_place_is_begun_anew(tmp_path: Path, right: dict[str, Answer], content: bytes) -> None:
    file_in(tmp_path).write_bytes(content)
    for _ in range(2):
        assert query_graph(TextBlobs(TEXTS), tmp_path, answer) == right["texts"]


@pytest.mark.parametrize("version", [1, 99])
def test_another_version_is_begun_anew(tmp_path: Path, right: dict[str, Answer], version: int) -> None:
    _filled(tmp_path)
    store = Store(tmp_path)
    with store.cache.writing() as write:
        write.execute(f"PRAGMA user_version = {version}")
    store.close()
    assert query_graph(TextBlobs(TEXTS), tmp_path, answer) == right["texts"]


def test_folder_in_its_place_is_one_clear_error(tmp_path: Path) -> None:
    file_in(tmp_path).mkdir()
    with pytest.raises(WorkspaceError, match="cannot be used"):
        query_graph(TextBlobs(TEXTS), tmp_path, answer)


@pytest.mark.parametrize("table", ["segments", "blobs", "postings", "edges", "trees"])
def test_rows_that_are_gone_are_made_again(tmp_path: Path, right: dict[str, Answer], table: str) -> None:
    _filled(tmp_path)
    store = Store(tmp_path)
    with store.cache.writing() as write:
        write.execute(f"DELETE FROM {table}")
    store.close()
    assert query_graph(TextBlobs(TEXTS), tmp_path, answer) == right["texts"]


def test_row_of_another_kind_is_damage(tmp_path: Path) -> None:
    store = Store(tmp_path)
    made = load_manifest(TextBlobs(TEXTS), store)
    with store.cache.writing() as write:
        write.execute("UPDATE blobs SET number = number + 1")
    with pytest.raises(Damaged):
        store.known(made.keys)
    store.close()


BUILDS = """
import hashlib, sys
from pathlib import Path
from aci.repository.file_blobs import TextBlobs
from aci.graph.code_graph import query_graph
from tests.aci.graph.graph_answers import OTHER, TEXTS, answer
texts = {"texts": TEXTS, "other": OTHER}[sys.argv[2]]
print(hashlib.sha256(repr(query_graph(TextBlobs(texts), Path(sys.argv[1]), answer)).encode()).hexdigest())
"""


def _started(cache: Path, which: str) -> subprocess.Popen[str]:
    root = Path(__file__).parents[3]
    command = [sys.executable, "-c", BUILDS, str(cache), which]
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
def test_processes_that_build_at_once_all_answer_rightly(tmp_path: Path, before: str, which: tuple[str, ...]) -> None:
    if before == "a text":
        file_in(tmp_path).write_text("a text " * 1000)
    elif before == "damage":
        whole = bytearray(_filled(tmp_path))
        for at in range(9000, len(whole), 500):
            whole[at] ^= 255
        _put(tmp_path, bytes(whole))
    processes = [_started(tmp_path, one) for one in which]
    said = [process.communicate() for process in processes]
    assert [process.returncode for process in processes] == [0] * len(which), said
    alone = {one: _started(tmp_path / "alone", one).communicate()[0] for one in set(which)}
    assert [out for out, _ in said] == [alone[one] for one in which]


@pytest.mark.parametrize("after", [0.0, 0.03, 0.1])
def test_build_that_was_killed_does_not_harm_next(tmp_path: Path, right: dict[str, Answer], after: float) -> None:
    process = _started(tmp_path, "texts")
    until = time.monotonic() + 60
    while not file_in(tmp_path).exists() and time.monotonic() < until:
        time.sleep(0.001)
    time.sleep(after)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    assert query_graph(TextBlobs(TEXTS), tmp_path, answer) == right["texts"]


def test_graph_answers_on_while_another_process_begins_file_anew(tmp_path: Path) -> None:
    def question(graph: Graph) -> list[Location]:
        found = graph.defining("f3")
        other = Store(tmp_path)
        other.cache._start_over()
        other.close()
        assert graph.holding(["f4"]).keys() == {"f4"}
        return found

    assert query_graph(TextBlobs(TEXTS), tmp_path, question) == [Location("pkg/m3.py", 0)]
    assert query_graph(TextBlobs(TEXTS), tmp_path, lambda graph: graph.defining("f3")) == [Location("pkg/m3.py", 0)]


# Room


def _commits(store: Store, count: int) -> list[TextBlobs]:
    trees = [TextBlobs(TEXTS | {"pkg/m3.py": f"def f3():\n    return {n}\n" + "x = 1\n" * n}) for n in range(count)]
    for number, tree in enumerate(trees):
        load_manifest(tree, store)
        with store.cache.writing() as write:
            write.execute("UPDATE trees SET used = ? WHERE key = ?", (number, tree.key))
    return trees


def test_room_is_made_by_dropping_trees_used_longest_ago_and_what_only_they_need(tmp_path: Path) -> None:
    store = Store(tmp_path)
    trees = _commits(store, 12)
    drop_old_trees(store.cache, store.cache.size() - 1)
    assert [store.manifest(tree.key) is not None for tree in trees] == [False] * 6 + [True] * 6
    tables = {name: store.cache.read(f"SELECT count(*) FROM {name}")[0][0] for name in ("segments", "edges", "blobs")}
    assert tables == {"segments": 7, "edges": 7, "blobs": len(TEXTS) + 6}
    for tree in trees:
        assert answer(Graph(load_manifest(tree, store), store)) == query_graph(tree, None, answer)
    store.close()


def test_last_tree_stays_however_little_room_there_is(tmp_path: Path) -> None:
    store = Store(tmp_path)
    trees = _commits(store, 5)
    drop_old_trees(store.cache, 0)
    assert [store.manifest(tree.key) is not None for tree in trees] == [False] * 4 + [True]
    store.close()


def test_room_is_made_when_tree_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(tmp_path)
    _commits(store, 6)
    monkeypatch.setattr("aci.graph.graph_store.LARGEST", store.cache.size())
    load_manifest(TextBlobs(OTHER), store)
    assert store.cache.read("SELECT count(*) FROM trees")[0][0] < 5
    store.close()


def test_graph_whose_tree_is_dropped_meanwhile_is_made_again(tmp_path: Path) -> None:
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


def test_tree_whose_parts_are_dropped_while_it_is_made_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    query_graph(TextBlobs(TEXTS), tmp_path, answer)
    for number in range(3):
        query_graph(TextBlobs({"z.py": f"def z{number}(): pass\n"}), tmp_path, answer)
    resolved = graph_build._edges
    dropped: list[bool] = []

    def drops_first(*of: Any) -> dict[str, int]:
        edges = resolved(*of)
        if not dropped:
            dropped.append(True)
            other = Store(tmp_path)
            with other.cache.writing() as write:
                write.execute("UPDATE trees SET used = id")
            drop_old_trees(other.cache, 0)
            other.close()
        return edges

    monkeypatch.setattr(graph_build, "_edges", drops_first)
    assert query_graph(TextBlobs(OTHER), tmp_path, answer) == query_graph(TextBlobs(OTHER), None, answer)
    assert dropped
    assert [file.name for file in tmp_path.glob("*.sqlite")] == [file_in(tmp_path).name]
    store = Store(tmp_path)
    assert store.cache.read("SELECT count(*) FROM trees") == [(2,)]
    store.close()


def test_blobs_that_were_dropped_meanwhile_are_not_taken_for_written_elsewhere() -> None:
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


def test_when_tree_was_used_is_noted_once_hour(tmp_path: Path) -> None:
    store = Store(tmp_path)
    tree = TextBlobs(TEXTS)
    load_manifest(tree, store)

    def used() -> float:
        return float(store.cache.read("SELECT used FROM trees")[0][0])

    recent = time.time() - HOUR / 2
    for before, noted in ((recent, False), (time.time() - 2 * HOUR, True)):
        with store.cache.writing() as write:
            write.execute("UPDATE trees SET used = ?", (before,))
        load_manifest(tree, store)
        assert (used() > before) is noted
    store.close()


@settings(max_examples=8, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), st.sampled_from(sorted(TEXTS))), max_size=6), st.integers(0, 200_000))
def test_however_room_is_made_every_tree_is_answered_rightly(changes: list[tuple[int, str]], most: int) -> None:
    store = Store(None)
    texts = dict(TEXTS)
    for number, path in changes:
        texts = texts | {path: f"def f{number}():\n    pass\n"}
        graph = Graph(load_manifest(TextBlobs(texts), store), store)
        assert [place.path for place in graph.defining(f"f{number}")].count(path) <= 1
        drop_old_trees(store.cache, most)
        assert answer(Graph(load_manifest(TextBlobs(texts), store), store)) == query_graph(
            TextBlobs(texts), None, answer
        )
    store.close()
