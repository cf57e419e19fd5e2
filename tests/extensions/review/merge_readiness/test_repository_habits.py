"""What earlier commits came with."""

import pytest

from extensions.review.merge_readiness.repository_habits import missing_companions

WITH_BOTH = ("src/a.py", "tests/test_a.py", "CHANGES.rst")


def test_missing_companions_are_named() -> None:
    earlier = [WITH_BOTH] * 18 + [("src/a.py",)] * 3 + [("README.md",)] * 20
    (entry,) = missing_companions(earlier, ["src/b.py", "tests/test_b.py"])
    assert entry.text == "18 of the last 21 changes to source came with an entry in the changelog; this one does not."
    (test,) = missing_companions(earlier, ["src/b.py", "CHANGES.rst"])
    assert test.text == "18 of the last 21 changes to source came with a test; this one does not."
    assert (entry.data, test.data) == ({"is_test": False}, {"is_test": True})
    assert missing_companions(earlier, list(WITH_BOTH)) == []
    assert missing_companions(earlier, ["README.md"]) == [], "no source changes"


@pytest.mark.parametrize("earlier", [[WITH_BOTH] * 14, [WITH_BOTH] * 13 + [("src/a.py",)] * 7])
def test_few_or_mixed_commits_are_no_habit(earlier) -> None:
    assert missing_companions(earlier, ["src/b.py"]) == []


@pytest.mark.parametrize(
    ("path", "is_changelog"),
    [
        *((path, True) for path in ("CHANGELOG.md", "docs/changes.rst", "HISTORY", "news/12.bugfix")),
        *((path, True) for path in ("changelog.d/1.md", "docs/whatsnew/v2.rst", ".changeset/a.md", "NEWS.txt")),
        *((path, False) for path in ("src/history.py", "news/views.py", "docs/api.rst")),
    ],
)
def test_changelogs_are_recognised(path, is_changelog) -> None:
    earlier = [("src/a.py", path)] * 15
    assert bool(missing_companions(earlier, ["src/b.py"])) == is_changelog
