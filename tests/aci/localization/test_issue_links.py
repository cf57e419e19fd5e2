"""Ways from an issue over the past to places. The cases, written before the code:

1. A commit like the issue leads to the function that it changed, though the issue has none of its words; in words.
2. A commit about the same pull request leads on to what that one changed; each link costs its share.
3. A commit on another branch, or after the base, leads nowhere, however like the issue it is; nor is it a past fix.
4. One commit, a shallow clone: nothing, and no error.
5. A commit that changed very many files, or many functions, leads to none of them.
6. A file that moved and a function that moved are found where they are now; one that is gone is not.
7. A merge leads to what it brought in. Tests are never an end.
8. Past fixes: what changed nothing that was there is none; of a like kind comes first, a long one last; the
   same subject once.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from aci.history.commit_search import History
from aci.localization.issue_links import HOPS, LEAST_FIT, MOST_CHANGED, PER_HOP, Routes
from aci.localization.issue_localization import HistoryBase, HistoryResult, retrieve_history
from aci.repository.file_blobs import GitBlobs
from tests.aci.history.test_commit_search import commit
from tests.conftest import MakeRepo, git
from trajectories.records import Issue

CLOSE = "def close(day):\n    total = 0\n    for sale in day:\n        total += sale\n    return total\n"
FILES = {
    "shop/till.py": CLOSE + "\n\ndef open_till():\n    return 5\n",
    "shop/night.py": "from shop.till import close\n\n\ndef lock(day):\n    return close(day)\n",
    "shop/mail.py": "def send(letter):\n    return letter\n",
    "tests/test_till.py": "def test_close():\n    pass\n",
}
ISSUE = Issue("Receipts lose pennies", "Rounding of receipts is off by pennies.")
MENDED = FILES["shop/till.py"].replace("total += sale", "total += round(sale, 2)")


@pytest.fixture
def repo(make_repo: MakeRepo) -> Path:
    return make_repo(FILES)


def look(repo: Path, base: str, issue: Issue = ISSUE) -> HistoryResult:
    return retrieve_history(GitBlobs.at(repo / ".git", base), issue, HistoryBase(repo / ".git", base))


def names(found: Routes) -> list[str]:
    return [f"{one.path}:{one.name}" for one in found.functions]


def test_commit_leads_to_what_it_changed_and_on_to_who_uses_that(repo: Path) -> None:
    fix = commit(
        repo, "Round receipts to pennies (#7)", {"shop/till.py": MENDED, "tests/test_till.py": "def test_close(): 1"}
    )
    base = commit(repo, "Letters", {"shop/mail.py": "def send(letter):\n    return letter + 1\n"})
    found = look(repo, base)
    first, second = found.routes.functions[:2]
    assert (first.path, first.name, first.line) == ("shop/till.py", "close", 1)
    assert first.words == (
        f"the issue is similar to {fix[:7]} 'Round receipts to pennies (#7)', which changed shop/till.py:close"
    )
    assert first.weight == pytest.approx(PER_HOP * LEAST_FIT)
    assert (second.path, second.name) == ("shop/night.py", "lock")
    assert second.words == f"{first.words}, which is used by shop/night.py:lock"
    assert second.weight == pytest.approx(PER_HOP**HOPS * LEAST_FIT / 2)  # the import uses it too
    assert [one.path for one in found.routes.files] == ["shop/till.py", "shop/night.py"]
    assert [(one.commit, one.paths) for one in found.fixes] == [(fix, ("shop/till.py",))]
    assert "+        total += round(sale, 2)" in found.fixes[0].diff
    assert "test_close" not in found.fixes[0].diff


def test_what_is_about_same_pull_request(repo: Path) -> None:
    one = commit(repo, "Receipts: pennies\n\nPart of #7.", {"shop/mail.py": "def send(letter):\n    return 1\n"})
    two = commit(repo, "Another half (#7)", {"shop/till.py": MENDED})
    found = look(repo, two)
    assert names(found.routes)[:2] == ["shop/mail.py:send", "shop/till.py:close"]
    assert found.routes.functions[1].words == (
        f"the issue is similar to {one[:7]} 'Receipts: pennies', which is about #7, as is "
        f"{two[:7]} 'Another half (#7)', which changed shop/till.py:close"
    )


@pytest.mark.parametrize("where", ["later", "beside"])
def test_what_is_not_before_base_is_not_seen(repo: Path, where: str) -> None:
    first = git(repo, "rev-parse", "HEAD")
    base = commit(repo, "Letters", {"shop/mail.py": "def send(letter):\n    return letter + 1\n"})
    if where == "beside":
        git(repo, "checkout", "-q", "-b", "other", first)
    fix = commit(repo, "Round receipts to pennies (#7)", {"shop/till.py": MENDED})
    told = ISSUE.body + f" See #7 and {fix[:10]}."
    seen = look(repo, fix, Issue(ISSUE.title, told))
    assert seen.fixes
    assert "shop/till.py:close" in names(seen.routes)
    found = look(repo, base, Issue(ISSUE.title, told))
    assert (found.routes.functions, found.fixes) == ((), [])
    with History.open(repo / ".git", base, None) as history:
        assert history.functions([fix]) == history.references([fix]) == {}
        assert history.diff(fix, ["shop/till.py"]) == ""
    with History.open(repo / ".git", fix, None) as history:
        assert history.functions([fix]) == {fix: {"shop/till.py": ("close",)}}
        assert history.references([fix])[fix]["numbers"] == ("7",)


def test_one_commit_or_clone_that_ends_there(repo: Path, tmp_path: Path) -> None:
    only = look(repo, git(repo, "rev-parse", "HEAD"), Issue("The first commit", ""))
    assert only.fixes == []
    fix = commit(repo, "Round receipts to pennies", {"shop/till.py": MENDED})
    git(tmp_path, "clone", "-q", "--depth=1", f"file://{repo}", "shallow")
    found = look(tmp_path / "shallow", fix)
    assert (found.routes.functions, found.routes.files, found.fixes) == ((), (), [])


def test_commit_that_changed_very_much_leads_nowhere(repo: Path) -> None:
    many = "".join(f"def step_{n}():\n    return {n}\n\n\n" for n in range(MOST_CHANGED + 1))
    commit(repo, "Steps", {"shop/steps.py": many})
    commit(repo, "Receipts: pennies everywhere", {"shop/steps.py": many.replace("return ", "return 1 + ")})
    wide = {f"wide/part{n}.py": f"def part_{n}():\n    return {n}\n" for n in range(101)}
    base = commit(repo, "Receipts and pennies in all parts", wide)
    found = look(repo, base)
    assert names(found.routes) == []
    assert [one.path for one in found.routes.files] == ["shop/steps.py"]
    assert [one.subject for one in found.fixes] == ["Receipts: pennies everywhere"]


def test_what_moved_is_found_where_it_is_now(repo: Path) -> None:
    commit(repo, "Round receipts to pennies", {"shop/till.py": MENDED})
    commit(repo, "Receipts of letters lose pennies", {"shop/mail.py": "def send(letter):\n    return letter * 2\n"})
    moved = {"shop/till.py": None, "shop/money/till.py": MENDED, "shop/mail.py": "def post():\n    return 1\n"}
    base = commit(repo, "Order", moved)
    found = look(repo, base)
    assert names(found.routes)[0] == "shop/money/till.py:close"
    assert {one.path for one in found.routes.files} == {"shop/money/till.py", "shop/mail.py"}


def test_file_that_only_moved_was_not_changed(repo: Path) -> None:
    base = commit(repo, "Receipts: pennies moved", {"shop/till.py": None, "shop/money.py": FILES["shop/till.py"]})
    assert names(look(repo, base).routes) == []


def test_merge_is_what_it_brought_in(repo: Path) -> None:
    git(repo, "checkout", "-q", "-b", "side")
    commit(repo, "wip", {"shop/till.py": MENDED})
    git(repo, "checkout", "-q", "main")
    commit(repo, "Letters", {"shop/mail.py": "def send(letter):\n    return letter + 1\n"})
    git(repo, "merge", "-q", "--no-ff", "-m", "Merge pull request #7 from me/side\n\nRound receipts to pennies", "side")
    merge = git(repo, "rev-parse", "HEAD")
    found = look(repo, merge)
    assert names(found.routes)[0] == "shop/till.py:close"
    assert [(one.commit, one.subject) for one in found.fixes] == [(merge, "Round receipts to pennies")]


def test_fixes_of_like_kind_come_first(repo: Path) -> None:
    def changed(to: str) -> dict[str, str]:
        return {"shop/till.py": CLOSE.replace("total = 0", to)}

    commit(repo, "Receipts: pennies of one", changed("total = 1"))
    kind = commit(repo, "Receipts: pennies of two", changed("total = day.get('left', 0)"))
    commit(repo, "Receipts: pennies of one", changed("total = 2"))
    commit(repo, "Receipts with pennies, a new file", {"shop/new.py": "def pennies():\n    return 1\n"})
    base = commit(repo, "Receipts: pennies told", {"README": "pennies\n"})
    found = look(repo, base, Issue("Receipts: pennies", "KeyError for the receipts of a day"))
    assert [one.subject for one in found.fixes] == ["Receipts: pennies of two", "Receipts: pennies of one"]
    assert found.fixes[0].commit == kind
    assert found.fixes[0].kinds == ("a key or attribute is looked up safely",)


def test_long_fix_comes_after_short_one(repo: Path) -> None:
    many = "".join(f"def step_{n}():\n    return {n}\n\n\n" for n in range(200))
    commit(repo, "Steps", {"shop/steps.py": many})
    commit(repo, "Receipts lose pennies", {"shop/steps.py": many.replace("return ", "return 1 + ")})
    commit(repo, "Pennies of receipts, with other words", {"shop/till.py": MENDED})
    found = look(repo, git(repo, "rev-parse", "HEAD"))
    assert [one.subject for one in found.fixes] == ["Pennies of receipts, with other words", "Receipts lose pennies"]
