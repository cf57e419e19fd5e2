"""Localization signals over a real code graph and history: the places they point to, and their reasons."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from aci.graph.code_graph import Graph, query_graph
from aci.graph.file_selection import is_test_or_example
from aci.history.commit_search import History
from aci.issue_text.issue_mentions import find_mentions
from aci.localization.explicit_mentions import BEST, CALLED, MessageSearch, PathIndex, Pointer, Pointers
from aci.localization.place_ranking import RankedPlaces, file_reader, rank_places
from aci.localization.signals import FILE_SIGNALS, FUNCTION_SIGNALS, weights
from aci.repository.file_blobs import GitBlobs
from tests.aci.localization.conftest import FindCandidates
from tests.conftest import MakeRepo, git
from tests.text_blobs import TextBlobs
from trajectories.records import Issue

DOOR = '''\
class Door:
    """What can be opened."""

    def __init__(self, width):
        self.width = width

    def close(self):
        if self.stuck:
            raise DoorError("The door %s is stuck in its frame" % self.width)


class SlidingDoor(Door):
    def open(self):
        return slide(self)
'''
FILES = {
    "src/shop/door.py": DOOR,
    "src/shop/windows/__init__.py": "def slide(window):\n    return window\n",
    "src/shop/stock.py": "def count(items):\n    return len(items)\n\n\ndef slide(shelf):\n    return shelf\n",
    "tests/test_door.py": "from shop.door import Door\n\n\ndef test_close():\n    Door(3).close()\n",
}


def pointers(issue: Issue) -> list[tuple[str, str]]:
    """Return (kind, `path` or `path:Class.method`) of every pointer."""

    def collect(graph: Graph) -> list[tuple[str, str]]:
        wanted = np.array([not is_test_or_example(path) for path in graph.paths], bool)
        return [(one.kind, place_name(graph, one)) for one in Pointers(graph, wanted, find_mentions(issue)).all]

    return query_graph(TextBlobs(FILES), None, collect)


def place_name(graph: Graph, one: Pointer) -> str:
    symbol = graph.symbol(graph.place(one.node)) if one.node >= 0 else None
    return graph.paths[one.file] + (f":{symbol.name}" if symbol else "")


@pytest.mark.parametrize(
    ("text", "pointer"),
    [
        ("see shop/door.py", ("path", "src/shop/door.py")),
        ("see src/shop/windows", ("path", "src/shop/windows/__init__.py")),
        ("https://github.com/a/b/blob/main/src/shop/door.py#L7-L8", ("link", "src/shop/door.py:Door.close")),
        ('  File "/usr/lib/site-packages/shop/door.py", line 9, in close', ("trace", "src/shop/door.py:Door.close")),
        ("`SlidingDoor` hangs", ("class", "src/shop/door.py:SlidingDoor")),
        ("calling count(x)", ("called", "src/shop/stock.py:count")),
        ("Door.close raises", ("method", "src/shop/door.py:Door.close")),
        ("stock.count is wrong", ("method", "src/shop/stock.py:count")),
    ],
)
def test_text_points_at_expected_place(text: str, pointer: tuple[str, str]) -> None:
    assert pointer in pointers(Issue("It fails", text))


def test_nothing_points_at_tests() -> None:
    places = pointers(
        Issue("test_close fails", "`test_close` in tests/test_door.py, tests/test_door.py:5: in test_close")
    )
    assert not [place for _, place in places if place.startswith("tests/")]


def test_module_is_found_by_its_dotted_name() -> None:
    paths = PathIndex(list(FILES), range(3))
    assert paths.module("shop.windows.slide") == [1]
    assert paths.module("windows.slide.a.b.c.d") == []
    assert paths.module("other.door") == []


@pytest.mark.parametrize(
    ("path", "test"),
    [
        ("tests/test_a.py", True),
        ("pkg/tests/helper.py", True),
        ("testing/run.py", True),
        ("src/test/java/ATest.java", True),
        ("web/a.spec.ts", True),
        ("django/test/client.py", False),
        ("sympy/testing/runtests.py", False),
        ("pkg/contest.py", False),
        ("src/latest/a.go", False),
    ],
)
def test_test_files_are_recognised_by_path(path: str, test: bool) -> None:
    assert is_test_or_example(path) is test


def test_messages_match_around_their_variable_parts() -> None:
    matches = MessageSearch(["The door 7 is stuck in its frame", "too short"]).found(
        {0: DOOR, 1: "nothing of the kind"}, {0: 0, 1: 1}, 2
    )
    assert matches.values[0] == 1.0
    assert matches.values[1] == 0.0
    assert matches.why[0].startswith("says 'The door 7")


def rank_for_issue(repo: Path, issue: Issue, cache: Path) -> RankedPlaces:
    commit = git(repo, "rev-parse", "HEAD")
    blobs = GitBlobs.at(repo / ".git", commit)
    with History.open(repo / ".git", commit, cache) as history:
        return query_graph(blobs, cache, lambda graph: rank_places(graph, issue, file_reader(graph, blobs), history))


def test_similar_commits_point_at_code_they_changed(make_repo: MakeRepo, tmp_path: Path) -> None:
    repo = make_repo(FILES)
    (repo / "src/shop/stock.py").write_text("def count(items):\n    return sum(1 for _ in items)  # lazily\n")
    git(repo, "commit", "-qam", "Inventory of generators: fixes #77")
    by_text = rank_for_issue(repo, Issue("Inventory of generators is wrong"), tmp_path)
    assert by_text.files[0].path == "src/shop/stock.py"
    assert any("Inventory of generators" in reason for reason in by_text.files[0].why)
    assert (by_text.functions[0].name, by_text.functions[0].line) == ("count", 1)
    by_number = rank_for_issue(repo, Issue("Broken", "since #77"), tmp_path)
    assert by_number.files[0].path == "src/shop/stock.py"
    assert any("a commit mentioned in the issue" in reason for reason in by_number.files[0].why)


def test_every_signal_has_weight_and_every_hit_has_reason() -> None:
    texts = TextBlobs(FILES)
    issue = Issue("Door.close hangs", "It says 'The door 7 is stuck in its frame'")
    places = query_graph(texts, None, lambda graph: rank_places(graph, issue, file_reader(graph, texts)))
    assert places.functions[0].name == "Door.close"
    assert places.functions[0].why
    assert all(hit.why for hit in places.files[:1])
    assert set(weights(FILE_SIGNALS)) > {"text", "past"}
    assert set(weights(FUNCTION_SIGNALS)) > {"file", "text"}


def test_every_weight_has_a_signal(find_candidates: FindCandidates) -> None:
    files, functions = find_candidates(FILES, Issue("The door is stuck", "Door.close"))
    assert {*files.signals, CALLED, BEST} >= weights(FILE_SIGNALS).keys()
    assert {*functions.signals, CALLED} >= weights(FUNCTION_SIGNALS).keys()
