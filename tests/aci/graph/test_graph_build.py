"""Incremental builds: only changed files are read and resolved, and the result equals a build from nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aci.graph.code_graph import Graph, query_graph
from aci.graph.edge_columns import KINDS
from aci.graph.graph_build import MISSING_BLOB, MOST_PARTS, load_manifest
from aci.graph.graph_store import Store
from aci.graph.outline import Location
from aci.repository.file_blobs import File, GitBlobs
from tests.conftest import MakeRepo, git
from tests.text_blobs import TextBlobs

Row = tuple[Location, Location, str, int, float]


class RecordingBlobs(TextBlobs):
    """Texts that record which of them were read."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        super().__init__(texts)
        self.read_ids: list[str] = []

    def read(self, ids: Sequence[str]) -> Iterator[bytes | None]:
        self.read_ids += ids
        return super().read(ids)


def edge_rows(graph: Graph) -> list[Row]:
    """All edges, in order."""
    edges = graph.edges()
    columns = (edges.source, edges.target, edges.kind, edges.line, edges.weight)
    return sorted(
        (graph.place(source), graph.place(target), KINDS[kind], line, round(weight, 4))
        for source, target, kind, line, weight in zip(*(column.tolist() for column in columns), strict=True)
    )


def resolved_bundles(store: Store) -> list[set[str]]:
    """Return the files of each bundle: there is one for each time that references were resolved."""
    return [set(store.bundle(number).files) for (number,) in store.cache.read("SELECT id FROM edges ORDER BY id")]


BASE = {
    "pkg/__init__.py": "from .core import Engine\n",
    "pkg/core.py": "from .base import Base\nclass Engine(Base):\n    def run(self):\n        return self.stop()\n",
    "pkg/base.py": "class Base:\n    def stop(self):\n        pass\n",
    "pkg/alone.py": "def nobody():\n    pass\n",
    "main.py": "from pkg import Engine\nEngine().run()\n",
}


def test_known_tree_causes_no_read_and_no_write() -> None:
    store = Store(None)
    load_manifest(TextBlobs(BASE), store)
    recording = RecordingBlobs(BASE)
    assert load_manifest(recording, store) == load_manifest(TextBlobs(BASE), store)
    assert recording.read_ids == []
    assert len(resolved_bundles(store)) == 1
    store.close()


def test_next_commit_resolves_only_files_that_change_may_affect() -> None:
    store = Store(None)
    load_manifest(TextBlobs(BASE), store)
    changed = RecordingBlobs(BASE | {"pkg/base.py": "class Base:\n    x = 1\n    def stop(self):\n        pass\n"})
    load_manifest(changed, store)
    assert len(changed.read_ids) == 1
    first, second = resolved_bundles(store)
    assert first == set(BASE)
    assert second == {"pkg/base.py", "pkg/core.py", "pkg/__init__.py", "main.py"} - (
        second ^ set(BASE) - {"pkg/alone.py"}
    )
    assert {"pkg/base.py", "pkg/core.py"} <= second
    assert "pkg/alone.py" not in second
    store.close()


def test_change_of_file_without_importers_resolves_one_file() -> None:
    store = Store(None)
    load_manifest(TextBlobs(BASE), store)
    load_manifest(TextBlobs(BASE | {"pkg/alone.py": "def nobody():\n    return 1\n"}), store)
    assert resolved_bundles(store)[1:] == [{"pkg/alone.py"}]
    store.close()


def test_earlier_tree_is_reused_without_resolving() -> None:
    store = Store(None)
    load_manifest(TextBlobs(BASE), store)
    load_manifest(TextBlobs(BASE | {"pkg/alone.py": "x = 1\n"}), store)
    before = resolved_bundles(store)
    load_manifest(TextBlobs(BASE), store)
    assert resolved_bundles(store) == before
    store.close()


def test_renamed_file_is_not_read_again() -> None:
    store = Store(None)
    load_manifest(TextBlobs(BASE), store)
    texts = dict(BASE)
    texts["pkg/renamed.py"] = texts.pop("pkg/base.py")
    moved = RecordingBlobs(texts)
    graph = Graph(load_manifest(moved, store), store)
    assert moved.read_ids == []
    assert "pkg/base.py" not in graph.paths
    assert graph.bases(Location("pkg/core.py", 0)) == []
    store.close()


@pytest.mark.parametrize("name", ["base", "error", "code", "x", "file"])
def test_added_file_resolves_imports_that_failed_before(name: str) -> None:
    """Some names are stop words, which have no postings."""
    texts = {"main.py": f"from pkg.{name} import stop\nstop()\n", "pkg/__init__.py": ""}
    store = Store(None)
    assert Graph(load_manifest(TextBlobs(texts), store), store).callees(Location("main.py")) == []
    texts[f"pkg/{name}.py"] = "def stop():\n    pass\n"
    graph = Graph(load_manifest(TextBlobs(texts), store), store)
    assert Location(f"pkg/{name}.py", 0) in [link.place for link in graph.callees(Location("main.py"))]
    store.close()


def test_removed_file_has_no_more_edges() -> None:
    store = Store(None)
    load_manifest(TextBlobs(BASE), store)
    texts = {path: text for path, text in BASE.items() if path != "pkg/base.py"}
    graph = Graph(load_manifest(TextBlobs(texts), store), store)
    assert graph.bases(Location("pkg/core.py", 0)) == []
    assert edge_rows(graph) == query_graph(TextBlobs(texts), None, edge_rows)
    store.close()


MODULES = ("one", "error", "x")
NAMES = ("load", "save", "Base", "Engine")


@st.composite
def modules(draw: st.DrawFn) -> str:
    """Generate a small module of a package that imports from others in different ways and uses the names."""
    module, name, other = (st.sampled_from(names) for names in (MODULES, NAMES, NAMES))
    lines = []
    for kind in draw(st.lists(st.sampled_from(range(8)), min_size=1, max_size=5)):
        m, n, o = draw(module), draw(name), draw(other)
        lines.append(
            (
                f"from .{m} import {n} as {o}",
                f"from pkg.{m} import *",
                f"import pkg.{m}\npkg.{m}.{n}()",
                f"from . import {m}\n{m}.{n}({o})",
                f"def {n}(a):\n    return {o}(a).{n}()",
                f"class {n}({o}):\n    def load(self):\n        self.v = {n}()\n        return self.v.load()",
                f"value = {n}()\nvalue.{o.lower()}()",
                f"from .sub.{m} import {n}\n{n}()",
            )[kind]
        )
    return "\n".join(lines) + "\n"


PATHS = ("pkg/__init__.py", *(f"pkg/{name}.py" for name in MODULES), "pkg/sub/__init__.py", "pkg/sub/one.py", "x.py")
CHANGES = st.lists(st.dictionaries(st.sampled_from(PATHS), st.none() | modules(), min_size=1, max_size=3), max_size=5)


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.sampled_from(PATHS), modules(), min_size=1, max_size=3), CHANGES)
def test_edges_after_any_commits_equal_build_from_nothing(
    texts: dict[str, str], changes: list[dict[str, str | None]]
) -> None:
    store = Store(None)
    for change in [{}, *changes]:
        texts = {path: text for path, text in (texts | change).items() if text is not None}
        graph = Graph(load_manifest(TextBlobs(texts), store), store)
        assert edge_rows(graph) == query_graph(TextBlobs(texts), None, edge_rows)
    store.close()


def test_tree_has_few_parts_after_many_commits() -> None:
    store = Store(None)
    texts = {f"m{n}.py": f"from m{n + 1} import f{n + 1}\ndef f{n}():\n    f{n + 1}()\n" for n in range(30)}
    for step in range(MOST_PARTS + 15):
        texts |= {f"m{step % 30}.py": f"{texts[f'm{step % 30}.py']}    # step{step}\n"}
        manifest = load_manifest(TextBlobs(texts), store)
        assert len(set(manifest.segments)) <= MOST_PARTS
        assert len(set(manifest.edges)) <= MOST_PARTS
    graph = Graph(manifest, store)
    assert edge_rows(graph) == query_graph(TextBlobs(texts), None, edge_rows)
    assert len(graph.holding([f"step{MOST_PARTS + 14}"])) == 1
    store.close()


def test_parts_are_merged_before_there_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aci.graph.graph_build.MOST_PARTS", 4)
    store = Store(None)
    texts = {f"m{n}.py": f"def f{n}():\n    pass\n" for n in range(20)}
    parts = []
    for step in range(12):
        texts[f"m{step}.py"] += f"x = {step}\n"
        manifest = load_manifest(TextBlobs(texts), store)
        parts.append(len(set(manifest.segments)))
        assert query_graph(TextBlobs(texts), None, places_by_term) == places_by_term(Graph(manifest, store))
    assert max(parts) <= 5
    assert min(parts[6:]) < max(parts)
    store.close()


def places_by_term(graph: Graph) -> dict[str, list[Location]]:
    terms = ["x", "pass", *(f"f{n}" for n in range(20))]
    return {
        term: [graph.place(node) for node in sorted(columns[0].tolist())]
        for term, columns in graph.holding(terms).items()
    }


HARMLESS = {"good.py": b"def good():\n    pass\n"}
DEEP = b"x = " + b"(" * 3000 + b")" * 3000 + b"\n"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("broken.py", b"def f(:\n  class = 3\n" * 20),
        ("latin.py", b"# -*- coding: latin-1 -*-\ndef caf\xe9():\n    return '\xe9'\n"),
        ("bytes.py", bytes(range(1, 256)) * 20),
        ("deep.py", DEEP),
        ("nested.py", b"".join(b" " * n + b"def f%d():\n" % n for n in range(300)) + b" " * 300 + b"pass\n"),
        ("ifs.py", b"".join(b" " * n + b"if x:\n" for n in range(90)) + b" " * 90 + b"pass\n"),
        ("empty.py", b""),
        ("bom.py", b"\xef\xbb\xbfdef f():\n    pass\n"),
        ("mac.py", b"def f():\r    pass\rdef g():\r    f()\r"),
        ("long.py", b"x = '" + b"a" * 90_000 + b"'\n"),
        ("chain.py", b"x" + b".a()" * 20_000 + b"\n"),
        ("plus.py", b"x = 1" + b" + 1" * 50_000 + b"\n"),
    ],
)
def test_file_that_is_hard_to_parse_does_not_affect_others(make_repo: MakeRepo, name: str, content: bytes) -> None:
    repo = make_repo({**HARMLESS, name: content})

    def check(graph: Graph) -> None:
        assert graph.defining("good") == [Location("good.py", 0)]
        assert name in graph.paths or name in graph.left_out
        graph.edges()

    query_graph(GitBlobs.at(repo / ".git", "HEAD"), None, check)


def test_excluded_files_are_listed_with_reason(make_repo: MakeRepo) -> None:
    repo = make_repo(
        {
            **HARMLESS,
            "huge.py": b"x = 1\n" * 400_000,
            "zeros.py": b"\0" * 100,
            "min.js": b"a=1;" * 100_000,
            "text.txt": b"words",
        }
    )
    (repo / "link.py").symlink_to("good.py")
    (repo / "loop.py").symlink_to("loop.py")
    git(repo, "add", "-A")
    inner = make_repo({"inner.py": b"x = 1\n"})
    git(repo, "-c", "protocol.file.allow=always", "submodule", "add", "-q", str(inner), "module.py")
    git(repo, "commit", "-qm", "Links")

    def check(graph: Graph) -> None:
        assert graph.paths == ("good.py",)
        reasons = graph.left_out
        assert reasons.keys() == {
            "huge.py",
            "zeros.py",
            "min.js",
            "text.txt",
            "link.py",
            "loop.py",
            "module.py",
            ".gitmodules",
        }
        assert "large" in reasons["huge.py"]
        assert reasons["zeros.py"] == "binary"
        assert "link" in reasons["link.py"]
        assert "link" in reasons["loop.py"]
        assert "submodule" in reasons["module.py"]

    query_graph(GitBlobs.at(repo / ".git", "HEAD"), None, check)


ODD_NAMES = [
    b"new\nline.py",
    b"not-\xff-utf8.py",
    "sür/rögate.py".encode(),
    b"sp ace/tab\t.py",
    b'quo"te.py',
    b"back\\slash.py",
    b"-dash.py",
]


def test_paths_may_have_unusual_characters(make_repo: MakeRepo, tmp_path: Path) -> None:
    repo = make_repo({"good.py": "def good():\n    pass\n"})
    for number, name in enumerate(ODD_NAMES):
        file = bytes(repo) + b"/" + name
        Path(file.decode("utf-8", "surrogateescape")).parent.mkdir(exist_ok=True)
        Path(file.decode("utf-8", "surrogateescape")).write_text(
            f"from good import good\ndef odd{number}():\n    good()\n"
        )
    git(repo, "add", "-A")
    git(repo, "commit", "-qm", "Odd")

    def check(graph: Graph) -> None:
        assert set(graph.paths) == {"good.py", *(name.decode("utf-8", "surrogateescape") for name in ODD_NAMES)}
        assert len(graph.callers(Location("good.py", 0))) >= len(ODD_NAMES)
        assert [place.path for place in graph.defining("odd1")] == ["not-\udcff-utf8.py"]

    for _ in range(2):
        query_graph(GitBlobs.at(repo / ".git", "HEAD"), tmp_path / "cache", check)


def test_tree_without_files_gives_empty_graph(make_repo: MakeRepo) -> None:
    repo = make_repo({})

    def check(graph: Graph) -> None:
        assert graph.paths == ()
        assert graph.defining("x") == []
        assert graph.holding(["x"]) == {}
        assert len(graph.edges().source) == 0
        assert np.array_equal(graph.first, [0])

    query_graph(GitBlobs.at(repo / ".git", "HEAD"), None, check)


class MissingBlobs(TextBlobs):
    """Texts of which one blob is missing, as if it had been removed after the files were listed."""

    def __init__(self, texts: Mapping[str, str], missing: str) -> None:
        super().__init__(texts)
        self.missing = next(file.id for file in self.files() if file.path == missing)

    def read(self, ids: Sequence[str]) -> Iterator[bytes | None]:
        for id, data in zip(ids, super().read(ids), strict=True):
            if id == self.missing:
                self.absent.add(id)
            yield None if id == self.missing else data


def test_missing_blob_is_read_again_next_time(tmp_path: Path) -> None:
    for _ in range(2):
        result = query_graph(MissingBlobs(BASE, "pkg/base.py"), tmp_path, lambda graph: (graph.paths, graph.left_out))
        assert result == (tuple(sorted(BASE.keys() - {"pkg/base.py"})), {"pkg/base.py": MISSING_BLOB})

    def check(graph: Graph) -> None:
        assert graph.paths == tuple(sorted(BASE))
        assert not graph.left_out
        assert edge_rows(graph) == query_graph(TextBlobs(BASE), None, edge_rows)

    query_graph(TextBlobs(BASE), tmp_path, check)


def test_path_listed_twice_is_indexed_once() -> None:
    """The index of an unfinished merge lists a path more than once."""

    class Unmerged(TextBlobs):
        def files(self) -> list[File]:
            files = list(super().files())
            return [*files, *files]

    assert query_graph(Unmerged(BASE), None, lambda graph: Counter(graph.paths)) == Counter(list(BASE))
