"""The review of a whole patch, with tests that tell which of its places the fix needs."""

from pathlib import Path

import pytest

from extensions.review.merge_readiness.merge_review import review_patch
from trajectories.git_store.trees import EMPTY_TREE, Trees

BASE = {
    "shop.py": b"LIMIT = 10\n\n\ndef add(a, b):\n    return a - b\n\n\ndef one():\n    return 1\n",
    "other.py": b"import shop\n",
}
PATCHED = {
    "shop.py": b"LIMIT = 20\n\n\ndef add(a, b):\n    return a + b\n\n\ndef one():\n    return 2\n",
    "tests/test_shop.py": b"import shop\n",
}


@pytest.fixture
def trees(tmp_path: Path):
    with Trees(tmp_path / "trees.git") as opened:
        yield opened


@pytest.fixture
def given(trees: Trees):
    base = trees.write(BASE, EMPTY_TREE)
    return trees, base, trees.write(PATCHED, base)


def needs(trees: Trees, *texts: bytes):
    return lambda tree: all(text in trees.read(tree, "shop.py") for text in texts)


def test_places_that_the_tests_do_not_need_are_named(given) -> None:
    trees = given[0]
    review = review_patch(*given, "add() subtracts", needs(trees, b"a + b"))
    assert review.hunks == 3, "tests do not count"
    assert [(hunk.path, hunk.start) for hunk in review.unneeded or ()] == [("shop.py", 0), ("shop.py", 8)]
    assert [one.kind for one in review.findings] == ["changed default"]


def test_default_that_the_tests_need_is_no_finding(given) -> None:
    trees = given[0]
    review = review_patch(*given, "It is wrong", needs(trees, b"a + b", b"LIMIT = 20"))
    assert review.findings == ()


def test_nothing_is_run_without_tests_or_if_they_fail(given) -> None:
    assert review_patch(*given, "").unneeded is None
    assert review_patch(*given, "", lambda tree: False).unneeded is None


def test_no_place_is_tried_after_the_time_limit(given) -> None:
    asked = []
    review = review_patch(*given, "", lambda tree: not asked.append(tree), seconds=0)
    assert (len(asked), review.unneeded) == (1, ())


def test_name_used_in_another_file_is_not_unused(trees: Trees) -> None:
    base = trees.write(BASE, EMPTY_TREE)
    helper = PATCHED["shop.py"] + b"\n\ndef helper():\n    return 1\n"
    patched = trees.write({"shop.py": helper}, base)
    assert "unused definition" in {one.kind for one in review_patch(trees, base, patched, "").findings}
    using = trees.write({"docs/api.rst": b"`shop.helper`\n"}, patched)
    assert "unused definition" not in {one.kind for one in review_patch(trees, base, using, "").findings}


def test_binary_files_and_deleted_files_are_left_alone(trees: Trees) -> None:
    base = trees.write(BASE | {"a.py": b"\xff\x00\n"}, EMPTY_TREE)
    patched = trees.write({"a.py": b"\x00\xfe\n", "other.py": None}, base)
    assert review_patch(trees, base, patched, "", lambda tree: True).findings == ()
