"""Commit messages, renamed paths, and the index compared with a simple count on generated histories."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aci.history.commit_files import changed_together, find_present_paths
from aci.history.commit_search import History, PastCommit
from aci.history.git_log import CLOSING, LONGEST, MENTIONING, GitLog, parse_message
from tests.conftest import MakeRepo, git
from trajectories.git_store.git_commands import GitFailed


@pytest.mark.slow
@given(st.binary(max_size=400) | st.text(max_size=400).map(str.encode))
def test_any_bytes_are_parsed_as_message(raw: bytes) -> None:
    message = parse_message(raw)
    assert "\n" not in message.subject
    assert all(message.words)


def test_subject_has_more_weight_and_trailers_and_urls_have_none() -> None:
    message = parse_message(
        b"Price of parcels\n\nThe parcel has a getPrice. https://shop.example/parcels\n\n"
        b"Signed-off-by: Somebody\nCo-authored-by: Another <a@b.example>\n"
        b"git-svn-id: http://code.example/svn/trunk@1 bcc190cf\n"
    )
    assert message.subject == "Price of parcels"
    words = [word.lower() for word in message.words]
    assert words.count("price") == words.count("parcels") == 2
    assert words.count("getprice") == words.count("parcel") == 1
    assert not {"somebody", "another", "shop", "svn", "trunk"} & set(words)


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("Fixed #7 -- Price", {7: CLOSING}),
        ("Price (#7)", {7: CLOSING}),
        ("Price\n\nCloses: gh-7, see #8", {7: CLOSING, 8: MENTIONING}),
        ("Price\n\nresolves issue #7", {7: CLOSING}),
        ("Price\n\nhttps://github.com/a/b/issues/7 and a/b#8", {7: MENTIONING, 8: MENTIONING}),
        ("Merge pull request #7 from somebody/price\n\nPrice", {7: CLOSING}),
        ("Price of &#39; and item#3 and #", {}),
        ("Price #12345678901", {}),
    ],
)
def test_issue_numbers_are_found_in_message(text: str, numbers: dict[int, int]) -> None:
    assert parse_message(text.encode()).numbers == numbers


@pytest.mark.parametrize(
    ("text", "subject"),
    [
        ("Merge pull request #7 from somebody/parcel-price\n\nTotals", "Totals"),
        ("Merge branch 'parcel_price' into main", "Merge branch 'parcel_price' into main"),
        ("Merge branch 'parcel_price'\n\nTotals", "Totals"),
    ],
)
def test_merge_takes_its_subject_from_body(text: str, subject: str) -> None:
    message = parse_message(text.encode())
    assert message.subject == subject
    assert "somebody" not in message.words


def test_name_of_merged_branch_is_counted() -> None:
    words = parse_message(b"Merge pull request #7 from somebody/fix-parcel-price\n\nTotals").words
    assert words.count("parcel") == 1


def test_message_is_read_up_to_limit() -> None:
    assert "parcel" not in parse_message(b"x " * LONGEST + b"parcel").words


# Paths


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("shop/price.py", "src/shop/price.py"),
        ("lib/only.py", "src/shop/only.py"),
        ("a/b/twice.py", "y/b/twice.py"),
        ("c/twice.py", None),
        ("lib/__init__.py", None),
        ("lib/shop/__init__.py", "src/shop/__init__.py"),
        ("gone.py", None),
        ("src/shop/price.py", None),
    ],
)
def test_old_path_is_mapped_to_current_path(old: str, new: str | None) -> None:
    present = ["src/shop/price.py", "src/shop/only.py", "x/twice.py", "y/b/twice.py", "src/shop/__init__.py"]
    assert find_present_paths([old], present).get(old) == new


def test_commit_of_many_files_relates_none_of_them() -> None:
    many = [f"{n}.py" for n in range(31)]
    assert changed_together([many], ["0.py"], 5) == {"0.py": {}}
    assert changed_together([many[:3], many[:2], many[:1]], ["0.py"], 5) == {"0.py": {"1.py": 0.25, "2.py": 0.083333}}


# The index

Shape = list[tuple[int, set[int]]]
WORDS = ("price", "total", "parcel")


@st.composite
def shapes(draw: st.DrawFn) -> Shape:
    """Generate commits, oldest first: a bit mask of words for each, and its parents among the earlier ones."""
    size = draw(st.integers(1, 12))
    parents = [draw(st.sets(st.integers(0, n - 1), min_size=n > 0, max_size=2)) if n else set() for n in range(size)]
    return [(draw(st.integers(0, 63)), parents[n]) for n in range(size)]


def import_history(shape: Shape, repo: Path, vocabulary: Sequence[str] = WORDS) -> list[str]:
    """Create a repository of this shape with one git process; return its commit ids."""
    lines = []
    for n, (words, parents) in enumerate(shape):
        text = " ".join(word for bit, word in enumerate((*vocabulary, *vocabulary)) if words >> bit & 1) + f" c{n}"
        lines.append(f"commit refs/heads/c{n}\nmark :{n + 1}\ncommitter A <a@b.c> {1_700_000_000 + n // 2} +0000\n")
        lines.append(f"data {len(text)}\n{text}\n")
        for at, parent in enumerate(sorted(parents)):
            lines.append(f"{'merge' if at else 'from'} :{parent + 1}\n")
    git(repo, "init", "-q", "--bare", ".")
    subprocess.run(
        ["git", "-C", str(repo), "fast-import", "--quiet"], input="".join(lines).encode(), check=True, timeout=60
    )
    lines = git(repo, "for-each-ref", "--format=%(refname:short) %(objectname)").splitlines()
    ids = dict(line.split() for line in lines)
    return [ids[f"c{n}"] for n in range(len(shape))]


def ancestors(shape: Shape, n: int) -> set[int]:
    return {n}.union(*(ancestors(shape, parent) for parent in shape[n][1]))


def search_commits(repo: Path, base: str, cache: Path | None) -> list[PastCommit]:
    with History.open(repo, base, cache) as history:
        return history.similar({"price": 2.0, "total": 1.0, "parcel": 0.5})


@pytest.mark.slow
@settings(max_examples=7, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(shapes(), st.data())
def test_results_do_not_depend_on_earlier_searches(shape: Shape, data: st.DataObject) -> None:
    order = data.draw(st.permutations(range(len(shape))))[:4]
    with tempfile.TemporaryDirectory() as folder:
        repo = Path(folder, "repo")
        repo.mkdir()
        ids = import_history(shape, repo)
        for n in order:
            results = search_commits(repo, ids[n], Path(folder, "cache"))
            assert results == search_commits(repo, ids[n], None)
            assert {past.commit for past in results} == {ids[one] for one in ancestors(shape, n) if shape[one][0]}


# Reading commits


def test_messages_are_read_in_batches_and_huge_ones_are_skipped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shape: Shape = [(1, set()), (2, {0}), (4, {1}), (3, {2})]
    ids = import_history(shape, tmp_path, ("price", "total", "parcel" * 200))
    monkeypatch.setattr("aci.history.git_log.HUGE", 1_000)
    monkeypatch.setattr("aci.history.git_log.AT_ONCE", 200)
    commits = GitLog(tmp_path)
    portions = [portion for portion, _ in commits._portions(ids)]
    assert portions == [[ids[0]], [ids[1]], [ids[3]], [ids[2]]]
    assert {one.id: one.message for one in commits.read(ids)} == {
        ids[0]: b"price c0",
        ids[1]: b"total c1",
        ids[2]: b"",
        ids[3]: b"price total c3",
    }


def test_commits_are_read_with_their_changes(make_repo: MakeRepo, tmp_path: Path) -> None:
    repo = make_repo({"a.py": "a = 1\n"})
    git(repo, "checkout", "-qb", "side")
    (repo / "b b.py").write_text("b = 1\n")
    git(repo, "add", "-A")
    git(repo, "commit", "-qm", "Second\n\n:100644 is no change\n")
    git(repo, "checkout", "-q", "-")
    git(repo, "merge", "-q", "--no-ff", "-m", "Merge side", "side")
    ids = GitLog(repo / ".git").ancestors(git(repo, "rev-parse", "HEAD"))
    found = {one.message.split(b"\n")[0]: paths for one, paths in GitLog(repo / ".git").read_changed(ids)}
    first = next(message for message in found if message not in (b"Second", b"Merge side"))
    assert found == {b"Merge side": (), b"Second": ("b b.py",), first: ("a.py",)}


def test_commits_whose_trees_are_missing_are_read_without_changes(make_repo: MakeRepo) -> None:
    repo = make_repo({"a.py": "a = 1\n"})
    (repo / "a.py").write_text("a = 2\n")
    git(repo, "commit", "-qam", "Second")
    ids = GitLog(repo / ".git").ancestors(git(repo, "rev-parse", "HEAD"))
    tree = git(repo, "rev-parse", "HEAD^{tree}")
    (repo / ".git" / "objects" / tree[:2] / tree[2:]).unlink()
    found = list(GitLog(repo / ".git").read_changed(ids))
    assert [one.id for one, _ in found] == ids
    assert [paths for _, paths in found] == [(), ()]


def test_git_timeout_is_not_retried_in_halves(tmp_path: Path) -> None:
    batch_sizes = []

    def slow(ids: Sequence[str]) -> dict[str, str]:
        batch_sizes.append(len(ids))
        raise GitFailed("diff-tree", 124, b"no answer within 600 s")

    commits = GitLog(tmp_path)
    assert commits._each(["1" * 40] * 8, slow) == {}
    assert batch_sizes == [8]
