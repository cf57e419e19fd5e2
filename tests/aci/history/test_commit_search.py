"""Search in the commit history of real repositories: complete, shallow, partial, bare, empty and malformed ones."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from aci.history.commit_index import file_in, open_index
from aci.history.commit_search import History
from tests.conftest import MakeRepo, git

Commit = Callable[..., str]
WORDS = {"price": 1.0, "total": 1.0, "parcel": 1.0}


@pytest.fixture
def repo(make_repo: MakeRepo) -> Path:
    return make_repo({"shop/price.py": "def total(items):\n    return sum(items)\n", "shop/stock.py": "left = 0\n"})


def commit(repo: Path, message: str, files: Mapping[str, str | bytes | None], *more: str) -> str:
    for name, content in files.items():
        file = repo / name
        if content is None:
            file.unlink()
            continue
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content.encode() if isinstance(content, str) else content)
    git(repo, "add", "-A", "-f")
    git(repo, "commit", "-q", "--allow-empty", "--cleanup=verbatim", "-m", message, *more)
    return git(repo, "rev-parse", "HEAD")


def subjects(history: History, words: Mapping[str, float] = WORDS) -> list[str]:
    return [past.subject for past in history.similar(words)]


def test_similar_commits_are_sorted_by_score_and_have_age(repo: Path, tmp_path: Path) -> None:
    parcel = commit(repo, "Fixed #7 -- Parcel price was not in the total", {"shop/price.py": "parcel = 1\n"})
    total = commit(repo, "Total of one item\n\nSigned-off-by: A Parcel <price@total.example>", {"shop/stock.py": "x\n"})
    base = commit(repo, "Typo", {"README": "Shop\n"})
    with History.open(repo / ".git", base, tmp_path) as history:
        best, second = history.similar(WORDS)
        assert (best.commit, best.score, best.subject) == (parcel, 1.0, "Fixed #7 -- Parcel price was not in the total")
        assert (second.commit, second.age) == (total, 0)  # all commits have the same timestamp
        assert 0 < second.score < 1
        assert [past.commit for past in history.similar(WORDS, most=1)] == [parcel]
        assert history.similar({"signed": 1.0, "example": 1.0}) == []
        assert history.similar({}) == history.similar(WORDS, most=0) == []
        assert len(history) == 4


def test_age_counts_ancestors_with_later_dates(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for day in (3, 1, 2):
        date = f"170000000{day} +0000"
        monkeypatch.setattr("tests.conftest._IDENTITY", {"NAME": "A", "EMAIL": "a@example.com", "DATE": date})
        base = commit(repo, f"Price of day {day}", {})
    with History.open(repo / ".git", base, None) as history:
        assert {past.subject[-1]: past.age for past in history.similar(WORDS)} == {"3": 0, "2": 1, "1": 2}


def test_commits_are_found_by_id_prefix_or_issue_number(repo: Path, tmp_path: Path) -> None:
    closes = commit(repo, "Parcels are free (#12)", {"a.py": "1\n"})
    names = commit(repo, "Postage", {"a.py": "2\n"})
    names = commit(repo, "Postage again\n\nSee #12 and https://example.com/shop/issues/13.", {"a.py": "3\n"})
    base = commit(repo, "Merge pull request #14 from someone/parcel-size\n\nSizes of parcels", {"a.py": "4\n"})
    later = commit(repo, "Fixes #12", {"a.py": "5\n"})
    with History.open(repo / ".git", base, tmp_path) as history:
        assert [(past.commit, past.score) for past in history.find_named([], [12])] == [(closes, 1.0), (names, 0.5)]
        assert [past.commit for past in history.find_named([], [13, 999])] == [names]
        assert [past.subject for past in history.find_named([], [14])] == ["Sizes of parcels"]
        assert [past.commit for past in history.find_named([closes[:7], names.upper()], [])] == sorted([closes, names])
        assert history.find_named([later, later[:8], closes[:6], "not an id", "f" * 41], [1]) == []


def test_touched_files_and_added_lines_are_returned(repo: Path, tmp_path: Path) -> None:
    first = git(repo, "rev-parse", "HEAD")
    second = commit(
        repo, "Price", {"shop/price.py": "def total(items):\n    return sum(items, start=0)\n", "b.py": "1"}
    )
    third = commit(repo, "Gone", {"b.py": None})
    with History.open(repo / ".git", third, tmp_path) as history:
        for _ in range(2):  # from the repository, then from the cache
            assert history.touched([third, second, first, "f" * 40, "HEAD", third]) == {
                third: ("b.py",),
                second: ("b.py", "shop/price.py"),
                first: ("shop/price.py", "shop/stock.py"),
            }
            assert history.added([second, third]) == {
                second: {"shop/price.py": ("return sum(items, start=0)",)},
                third: {},
            }


def test_merge_includes_branch_changes_and_huge_commit_is_skipped(repo: Path) -> None:
    git(repo, "checkout", "-q", "-b", "side")
    commit(repo, "One", {"one.py": "a line of one\n"})
    commit(repo, "Two", {"two.py": "a line of two\n"})
    git(repo, "checkout", "-q", "main")
    commit(repo, "Other", {"other.py": "a line of another\n"})
    git(repo, "merge", "-q", "--no-ff", "-m", "Merge branch 'side'", "side")
    merge = git(repo, "rev-parse", "HEAD")
    huge = commit(repo, "Licence", {f"f{n}.py": "a line of licence\n" for n in range(101)})
    with History.open(repo / ".git", huge, None) as history:
        assert history.touched([merge, huge]) == {merge: ("one.py", "two.py"), huge: ()}
        assert history.added([merge, huge]) == {merge: {"one.py": ("a line of one",), "two.py": ("a line of two",)}}


def test_file_lines_are_never_parsed_as_diff_headers(repo: Path) -> None:
    id = git(repo, "rev-parse", "HEAD")
    lines = ["++ b/elsewhere.py", "@@ -1,9 +1,9 @@ def f", id, "diff --git a/x b/x", "a line at the end"]
    base = commit(repo, "Odd", {"odd.py": "-- a/elsewhere.py\nwithout an end"})
    base = commit(repo, "Odd", {"odd.py": "\n".join(lines)})
    with History.open(repo / ".git", base, None) as history:
        assert history.added([base]) == {base: {"odd.py": tuple(lines)}}


@pytest.mark.skipif(sys.platform == "darwin", reason="the file system accepts only UTF-8 names")
def test_unusual_file_names_and_messages_are_read(repo: Path) -> None:
    names = [
        ":100644 a.py",
        'quote"\\.py',
        "new\nline.py",
        "tab\t.py",
        "with space.py",
        "a" * 40,
        "caf\udce9.py",
        "é.py",
    ]
    base = commit(repo, "Pri\x01ce of the t\u00f6tal", {name: f"a line of {n}\n" for n, name in enumerate(names)})
    raw = git(repo, "cat-file", "commit", "HEAD").encode().replace(b"\xc3\xb6", b"\xff") + b"\n"
    latin = subprocess.run(
        ["git", "-C", str(repo), "hash-object", "-t", "commit", "-w", "--stdin"],
        input=raw,
        capture_output=True,
        check=True,
    )
    base = latin.stdout.decode().strip()
    with History.open(repo / ".git", base, None) as history:
        assert [past.commit for past in history.similar({"tal": 1.0})] == [base]
        assert set(history.touched([base])[base]) == set(names)
        assert history.added([base])[base] == {name: (f"a line of {n}",) for n, name in enumerate(names)}


def test_commits_without_date_or_message_are_read(repo: Path) -> None:
    raw = f"tree {git(repo, 'rev-parse', 'HEAD^{tree}')}\nauthor A\ncommitter A\n\n"
    bare = subprocess.run(
        ["git", "-C", str(repo), "hash-object", "-t", "commit", "--literally", "-w", "--stdin"],
        input=raw.encode(),
        capture_output=True,
        check=True,
    )
    base = git(repo, "commit-tree", "HEAD^{tree}", "-m", "Price", "-p", bare.stdout.decode().strip())
    with History.open(repo / ".git", base, None) as history:
        assert len(history) == 2
        assert subjects(history) == ["Price"]


@pytest.mark.parametrize("date", ["9" * 20, "9" * 5000, "0" * 30 + "1", "18446744073709551614", "9223372036854775900"])
def test_out_of_range_dates_are_accepted(repo: Path, tmp_path: Path, date: str) -> None:
    parent = git(repo, "rev-parse", "HEAD")
    raw = f"tree {git(repo, 'rev-parse', 'HEAD^{tree}')}\nparent {parent}\nauthor A <a@b> 1 +0000\n"
    odd = subprocess.run(
        ["git", "-C", str(repo), "hash-object", "-t", "commit", "--literally", "-w", "--stdin"],
        input=f"{raw}committer A <a@b> {date} +0000\n\nPrice of a parcel\n".encode(),
        capture_output=True,
        check=True,
    )
    tip = odd.stdout.decode().strip()
    for base in (git(repo, "commit-tree", "HEAD^{tree}", "-m", "Typo", "-p", tip), tip):
        with History.open(repo / ".git", base, tmp_path) as history:
            assert subjects(history) == ["Price of a parcel"]


def test_submodules_are_not_files(repo: Path) -> None:
    git(repo, "update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},module")
    git(repo, "commit", "-q", "-m", "A module")
    there = git(repo, "rev-parse", "HEAD")
    git(repo, "rm", "-q", "--cached", "module")
    git(repo, "commit", "-q", "-m", "No module")
    gone = git(repo, "rev-parse", "HEAD")
    with History.open(repo / ".git", gone, None) as history:
        assert history.touched([there, gone]) == {there: (), gone: ()}
        assert history.added([there, gone]) == {}


def test_moved_files_have_their_current_names(repo: Path) -> None:
    old = commit(repo, "Price", {"shop/price.py": "a line of price\n", "gone.py": ""})
    git(repo, "mv", "shop", "src")
    base = commit(repo, "Layout", {"gone.py": None})
    with History.open(repo / ".git", base, None) as history:
        assert history.touched([old], {"src/price.py", "src/stock.py"}) == {old: ("src/price.py",)}


def test_files_that_change_together_are_scored(repo: Path, tmp_path: Path) -> None:
    for n in range(4):
        base = commit(repo, "Both", {"shop/price.py": f"{n}\n", "shop/tax.py": f"{n}\n", "CHANGES": f"{n}\n"})
    commit(repo, "Later", {"shop/price.py": "later\n", "shop/stock.py": "later\n"})
    present = {"shop/price.py", "shop/tax.py", "shop/stock.py"}
    with History.open(repo / ".git", base, tmp_path) as history:
        results = history.together(["shop/price.py", "nowhere.py"], present)
        assert results == {"nowhere.py": {}, "shop/price.py": {"shop/tax.py": 0.5, "shop/stock.py": 0.125}}
        assert list(results["shop/price.py"]) == ["shop/tax.py", "shop/stock.py"]
        assert history.together(["shop/price.py"], present, most=1) == {"shop/price.py": {"shop/tax.py": 0.5}}


# Scores of files from commit messages


def file_scores(history: History, present: set[str], words: Mapping[str, float] = WORDS) -> dict[str, float]:
    return {path: round(one.score, 3) for path, one in history.search_files(words, present).items()}


def test_messages_score_files_that_their_commits_changed(repo: Path, tmp_path: Path) -> None:
    commit(repo, "Price of a parcel", {"a.py": "1\n"})
    commit(repo, "Price of many a parcel", dict.fromkeys(("b.py", "c.py", "d.py"), "2\n"))
    base = commit(repo, "Typo", {"e.py": "1\n"})
    present = {"a.py", "b.py", "c.py", "e.py", "elsewhere.py"}
    for _ in range(2):  # from the repository, then from the cache
        with History.open(repo / ".git", base, tmp_path) as history:
            results = file_scores(history, present)
            assert results["a.py"] == 1.0  # its commit changed no other file
            assert results["b.py"] == results["c.py"] < 1.0
            assert results.keys() == {"a.py", "b.py", "c.py"}
            assert history.search_files(WORDS, present)["a.py"].terms == ("parcel", "price")
            assert (
                history.search_files({}, present)
                == history.search_files({"unheard": 1.0}, present)
                == history.search_files(WORDS, ())
                == {}
            )


def test_more_messages_raise_score_and_long_ones_lower_it(repo: Path) -> None:
    commit(repo, "Total", {"a.py": "1\n"})
    commit(repo, "Total", {"a.py": "2\n"})
    commit(repo, "Total", {"b.py": "1\n"})
    base = commit(repo, "Total " + " ".join(f"word{n}" for n in range(50)), {"c.py": "1\n"})
    with History.open(repo / ".git", base, None) as history:
        results = file_scores(history, {"a.py", "b.py", "c.py"})
        assert results["a.py"] > results["b.py"] > results["c.py"] > 0


def test_merges_and_commits_of_many_files_score_nothing(repo: Path) -> None:
    git(repo, "checkout", "-q", "-b", "side")
    commit(repo, "Of the side", {"side.py": "1\n"})
    git(repo, "checkout", "-q", "main")
    commit(repo, "Of the main", {"main.py": "1\n"})
    git(repo, "merge", "-q", "--no-ff", "-m", "Price total parcel", "side")
    base = commit(repo, "Price of all", {f"f{n}.py": "1\n" for n in range(21)})
    present = {"side.py", "main.py", *(f"f{n}.py" for n in range(21))}
    with History.open(repo / ".git", base, None) as history:
        assert file_scores(history, present) == {}
        # Only files that still exist count towards the limit.
        assert file_scores(history, present - {"f0.py"}).keys() == {f"f{n}.py" for n in range(1, 21)}
        assert file_scores(history, present, {"side": 1.0}) == {"side.py": 1.0}


def test_moved_file_keeps_its_score_if_its_name_is_unique(repo: Path) -> None:
    commit(repo, "Parcel", {"one.py": "1\n", "two.py": "1\n", "__init__.py": "1\n"})
    base = commit(repo, "Typo", {"one.py": None, "two.py": None, "__init__.py": None, "src/one.py": "1\n"})
    with History.open(repo / ".git", base, None) as history:
        assert file_scores(history, {"src/one.py", "x/two.py", "y/two.py", "src/__init__.py"}) == {"src/one.py": 1.0}


def test_treeless_clone_scores_nothing_and_fetches_nothing(repo: Path, tmp_path: Path) -> None:
    base = commit(repo, "Price", {"shop/price.py": "another line\n"})
    git(repo, "config", "uploadpack.allowFilter", "true")
    bare = tmp_path / "treeless"
    subprocess.run(["git", "clone", "-q", "--bare", "--filter=tree:0", f"file://{repo}", str(bare)], check=True)
    with History.open(bare, base, None) as history:
        assert subjects(history) == ["Price"]
        assert file_scores(history, {"shop/price.py"}) == {}


# Commits after the base


def test_commits_after_base_are_hidden_even_if_cached(repo: Path, tmp_path: Path) -> None:
    commit(repo, "Price of a parcel (#1)", {"a.py": "1\n"})
    base = commit(repo, "Total (#1)", {"b.py": "a line of total\n"})
    past = tmp_path / "past"
    subprocess.run(["git", "clone", "-q", "--bare", str(repo), str(past)], check=True)
    git(repo, "checkout", "-q", "-b", "side", "HEAD~1")
    side = commit(repo, "Price and total of the parcel price (#1)", {"a.py": "side\n"})
    git(repo, "checkout", "-q", "main")
    git(repo, "merge", "-q", "--no-ff", "-m", "Price total parcel", "side")
    future = git(repo, "rev-parse", "HEAD")

    def answers(git_dir: Path, cache: Path | None) -> list[object]:
        with History.open(git_dir, base, cache) as history:
            return [
                len(history),
                history.similar(WORDS),
                history.find_named([side, future[:9]], [1]),
                history.touched([side, future, base]),
                history.added([side, base]),
                history.together(["a.py", "b.py"], {"a.py", "b.py"}),
                history.search_files(WORDS, {"a.py", "b.py"}),
            ]

    expected = answers(past, None)
    with History.open(repo / ".git", future, tmp_path / "cache") as later:
        assert len(later.similar(WORDS)) == 4
        assert set(later.touched([side, base])) == {side, base}
    assert answers(repo / ".git", tmp_path / "cache") == expected  # a repository that has the later commits
    assert answers(repo / ".git", tmp_path / "cache") == expected  # from the cache
    assert answers(past, tmp_path / "cache") == expected  # a clone without the later commits, on the same cache
    assert answers(repo / ".git", None) == expected


# Incomplete repositories


def test_missing_repository_or_commit_has_empty_history(make_repo: MakeRepo, tmp_path: Path) -> None:
    empty = tmp_path / "empty.git"
    git(tmp_path, "init", "-q", "--bare", str(empty))
    for folder in (empty, make_repo({}) / ".git", tmp_path / "nothing"):
        for id in ("1" * 40, "HEAD", "--all", ""):
            with History.open(folder, id, tmp_path / "cache") as history:
                assert len(history) == 0
                assert history.similar(WORDS) == history.find_named(["1" * 7], [1]) == []
                assert history.touched([id]) == {}
                assert history.added([id]) == {}
                assert history.together(["a.py"], {"a.py"}) == {"a.py": {}}
                assert history.search_files(WORDS, {"a.py"}) == {}


def test_single_commit_is_found(repo: Path, tmp_path: Path) -> None:
    with History.open(repo / ".git", git(repo, "rev-parse", "HEAD"), tmp_path) as history:
        assert subjects(history, {"commit": 1.0}) == ["The first commit"]


def test_shallow_clone_shares_cache_with_complete_clone(repo: Path, tmp_path: Path) -> None:
    for n in range(4):
        base = commit(repo, f"Price {n}", {"shop/price.py": f"a line of {n}\n"})
    shallow = tmp_path / "shallow"
    subprocess.run(["git", "clone", "-q", "--bare", "--depth=2", f"file://{repo}", str(shallow)], check=True)
    cut = git(repo, "rev-parse", "HEAD~1")
    own = {base: ("shop/price.py",)}
    for known in ({}, {cut: ("shop/price.py",)}):  # on the second pass the complete clone has filled the cache
        with History.open(shallow, base, tmp_path / "cache") as history:
            assert set(subjects(history)) == {"Price 3", "Price 2"}
            assert history.touched([base, cut]) == own | known
            assert history.added([base, cut]) == {base: {"shop/price.py": ("a line of 3",)}}
        with History.open(repo / ".git", base, tmp_path / "cache") as history:
            assert len(subjects(history)) == 4
            assert history.touched([base, cut]) == own | {cut: ("shop/price.py",)}


def test_partial_clone_returns_local_data_and_fetches_nothing(repo: Path, tmp_path: Path) -> None:
    base = commit(repo, "Price", {"shop/price.py": "another line\n"})
    git(repo, "config", "uploadpack.allowFilter", "true")
    partial = tmp_path / "partial"
    url = f"file://{repo}"
    subprocess.run(["git", "clone", "-q", "--bare", "--filter=blob:none", url, str(partial)], check=True)
    before = sorted(file.name for file in (partial / "objects").rglob("*"))
    with History.open(partial, base, tmp_path / "cache") as history:
        assert subjects(history) == ["Price"]
        assert history.touched([base]) == {base: ("shop/price.py",)}
        assert history.added([base]) == {}
    assert sorted(file.name for file in (partial / "objects").rglob("*")) == before
    with History.open(repo / ".git", base, tmp_path / "cache") as history:  # missing data was not cached
        assert history.added([base]) == {base: {"shop/price.py": ("another line",)}}


def test_linked_worktree_is_supported(repo: Path, tmp_path: Path) -> None:
    git(repo, "worktree", "add", "-q", str(tmp_path / "linked"))
    base = commit(tmp_path / "linked", "Price", {"shop/price.py": "another line\n"})
    git_dir = Path(git(tmp_path / "linked", "rev-parse", "--absolute-git-dir"))
    with History.open(git_dir, base, None) as history:
        assert subjects(history) == ["Price"]


@pytest.mark.parametrize("content", [b"a\0b", b"loop", b"/nowhere\xff", b""])
def test_corrupt_git_directory_does_not_raise(repo: Path, content: bytes) -> None:
    base = commit(repo, "Price", {})
    (repo / ".git" / "loop").symlink_to("loop")
    (repo / ".git" / "shallow").write_bytes(content)
    with History.open(repo / ".git", base, None) as history:
        assert subjects(history) == ([] if content else ["Price"])  # git rejects an invalid list of shallow commits
    (repo / ".git" / "shallow").unlink()
    (repo / ".git" / "commondir").write_bytes(content)
    with History.open(repo / ".git", base, None) as history:
        assert subjects(history) == ["Price"]  # only a linked worktree shares a directory


def test_repository_config_and_replacements_are_ignored(repo: Path) -> None:
    first = git(repo, "rev-parse", "HEAD")
    base = commit(repo, "Price", {"shop/price.py": "another line\n", ".gitattributes": "*.py -diff\n"})
    git(repo, "replace", "--graft", base)
    git(repo, "config", "diff.external", "false")
    git(repo, "config", "diff.noprefix", "true")
    with History.open(repo / ".git", base, None) as history:
        assert len(history) == 2
        assert history.touched([first, base])[base] == (".gitattributes", "shop/price.py")
        assert history.added([base])[base]["shop/price.py"] == ("another line",)


# The cache


def test_cached_base_needs_no_repository(repo: Path, tmp_path: Path) -> None:
    base = commit(repo, "Price (#1)", {"shop/price.py": "another line\n"})

    def answers(git_dir: Path) -> list[object]:
        with History.open(git_dir, base, tmp_path / "cache") as history:
            return [subjects(history), history.find_named([], [1]), history.touched([base]), history.added([base])]

    assert answers(repo / ".git") == answers(tmp_path / "nowhere")


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE families SET ids = x'00'",
        "UPDATE postings SET found = x'00'",
        "DELETE FROM families",
        "DROP TABLE postings",
        "UPDATE changes SET said = x'00'",
        "UPDATE bases SET ancestors = x''",
        "UPDATE changed SET files = x'00'",
        "DELETE FROM changed",
    ],
)
def test_damaged_cache_is_rebuilt(repo: Path, tmp_path: Path, damage: str) -> None:
    import sqlite3

    base = commit(repo, "Price", {"shop/price.py": "another line\n"})

    def answers() -> list[object]:
        with History.open(repo / ".git", base, tmp_path) as history:
            results = [len(history), subjects(history), history.touched([base]), history.added([base])]
            return [*results, file_scores(history, {"shop/price.py"})]

    sound = answers()
    connection = sqlite3.connect(file_in(tmp_path))
    connection.execute(damage)
    connection.commit()
    connection.close()
    assert answers() == sound
    file_in(tmp_path).write_bytes(b"no database " * 1000)
    assert answers() == sound


def test_batched_writes_give_same_results(repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for n in range(7):
        base = commit(repo, f"Price {n} {'parcel ' * (n % 3)}", {f"{n % 2}.py": f"{n}\n"})

    def answers(cache: Path) -> object:
        with History.open(repo / ".git", base, cache) as history:
            return history.similar(WORDS), history.search_files(WORDS, {"0.py", "1.py"}), len(history)

    whole = answers(tmp_path / "whole")
    monkeypatch.setattr("aci.history.commit_index.AT_ONCE", 4)
    assert answers(tmp_path / "parts") == whole


def test_oversized_cache_is_replaced(repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    base = commit(repo, f"Price {' '.join(f'word{n}' for n in range(400))}", {})
    later = commit(repo, "Total", {})
    for one, suffix in ((base, ""), (later, ".1")):
        with History.open(repo / ".git", one, tmp_path) as history:
            assert history.similar(WORDS)[0].commit == one
        assert sorted(file.name for file in tmp_path.glob("*.sqlite")) == [f"{file_in(tmp_path).stem}{suffix}.sqlite"]
        empty = open_index(None)
        monkeypatch.setattr("aci.history.commit_index.LARGEST", empty.size())
        empty.close()


@pytest.mark.slow
def test_concurrent_processes_index_repository_once(repo: Path, tmp_path: Path) -> None:
    for n in range(30):
        commit(repo, f"Price {n} (#{n})", {})
    bases = [git(repo, "rev-parse", f"HEAD~{n}") for n in (0, 0, 7, 15)]
    script = (
        "import sys; from pathlib import Path; from aci.history.commit_search import History\n"
        "history = History.open(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]))\n"
        "print(len(history), len(history.similar({'price': 1.0}, 100)))\n"
        "history.close()"
    )
    command = [sys.executable, "-c", script, str(repo / ".git")]
    running = [
        subprocess.Popen([*command, base, str(tmp_path / "cache")], stdout=subprocess.PIPE, text=True) for base in bases
    ]
    assert [one.communicate(timeout=60)[0].split() for one in running] == [
        ["31", "30"],
        ["31", "30"],
        ["24", "23"],
        ["16", "15"],
    ]
    cache = open_index(tmp_path / "cache")
    families = cache.read("SELECT length(ids) / 20 FROM families")
    assert sum(commits for (commits,) in families) == 31
    cache.close()
