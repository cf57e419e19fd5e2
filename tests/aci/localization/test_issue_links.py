"""Routes from an issue through the commit history to code. The cases, written before the code:

1. A commit similar to the issue leads to the function that it changed, even if that function has none of the
   issue's terms. The route is described in words.
2. A commit about the same pull request leads on to the code that the other one changed; each hop costs its share.
3. A commit on another branch or after the base leads nowhere, however similar to the issue, and is not a past fix.
4. A repository of one commit and a shallow clone have no routes and raise no error.
5. A commit that changed very many files or functions leads to none of them.
6. Moved files and functions are found at their current location; removed ones are not found.
7. A merge leads to the changes of its branch. Tests are never the end of a route.
8. An earlier issue leads to the code that its text names, and to the commits about it. A pull request leads to the
   changes of its merge; without GitHub, both are known from messages.
9. Past fixes: a commit that changed no existing code is none; fixes of a similar kind come first, long ones last;
   each subject is listed once.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from aci.history.commit_search import History
from aci.localization.issue_links import HOPS, LEAST_FIT, MOST_CHANGED, PER_HOP, Routes
from aci.localization.issue_localization import HistoryBase, HistoryResult, retrieve_history
from aci.repository.file_blobs import GitBlobs
from tests.aci.history.test_commit_search import commit
from tests.conftest import MakeRepo, git
from trajectories.records import Issue, PastItem

CLOSE = "def close(day):\n    total = 0\n    for sale in day:\n        total += sale\n    return total\n"
FILES = {
    "shop/till.py": CLOSE + "\n\ndef open_till():\n    return 5\n",
    "shop/night.py": "from shop.till import close\n\n\ndef lock(day):\n    return close(day)\n",
    "shop/mail.py": "def send(letter):\n    return letter\n",
    "tests/test_till.py": "def test_close():\n    pass\n",
}
ISSUE = Issue("Receipts lose pennies", "Rounding of receipts is off by pennies.")
FIXED = FILES["shop/till.py"].replace("total += sale", "total += round(sale, 2)")


@pytest.fixture
def repo(make_repo: MakeRepo) -> Path:
    return make_repo(FILES)


def search_history(repo: Path, base: str, issue: Issue = ISSUE) -> HistoryResult:
    return retrieve_history(GitBlobs.at(repo / ".git", base), issue, HistoryBase(repo / ".git", base))


def names(result: Routes) -> list[str]:
    return [f"{one.path}:{one.name}" for one in result.functions]


def test_similar_commit_leads_to_changed_function_and_its_users(repo: Path) -> None:
    fix = commit(
        repo, "Round receipts to pennies (#7)", {"shop/till.py": FIXED, "tests/test_till.py": "def test_close(): 1"}
    )
    base = commit(repo, "Letters", {"shop/mail.py": "def send(letter):\n    return letter + 1\n"})
    result = search_history(repo, base)
    first, second = result.routes.functions[:2]
    assert (first.path, first.name, first.line) == ("shop/till.py", "close", 1)
    assert first.words == (
        f"the issue is similar to {fix[:7]} 'Round receipts to pennies (#7)', which changed shop/till.py:close"
    )
    assert first.weight == pytest.approx(PER_HOP * LEAST_FIT)
    assert (second.path, second.name) == ("shop/night.py", "lock")
    assert second.words == f"{first.words}, which is used by shop/night.py:lock"
    assert second.weight == pytest.approx(PER_HOP**HOPS * LEAST_FIT / 2)  # the import uses it too
    assert [one.path for one in result.routes.files] == ["shop/till.py", "shop/night.py"]
    assert [(one.commit, one.paths) for one in result.fixes] == [(fix, ("shop/till.py",))]
    assert "+        total += round(sale, 2)" in result.fixes[0].diff
    assert "test_close" not in result.fixes[0].diff


def test_commits_of_same_pull_request_are_linked(repo: Path) -> None:
    one = commit(repo, "Receipts: pennies\n\nPart of #7.", {"shop/mail.py": "def send(letter):\n    return 1\n"})
    two = commit(repo, "Another half (#7)", {"shop/till.py": FIXED})
    result = search_history(repo, two)
    assert names(result.routes)[:2] == ["shop/mail.py:send", "shop/till.py:close"]
    assert result.routes.functions[1].words == (
        f"the issue is similar to {one[:7]} 'Receipts: pennies', which is about #7, as is "
        f"{two[:7]} 'Another half (#7)', which changed shop/till.py:close"
    )


@pytest.mark.parametrize("position", ["later", "on another branch"])
def test_commits_not_before_base_are_ignored(repo: Path, position: str) -> None:
    first = git(repo, "rev-parse", "HEAD")
    base = commit(repo, "Letters", {"shop/mail.py": "def send(letter):\n    return letter + 1\n"})
    if position == "on another branch":
        git(repo, "checkout", "-q", "-b", "other", first)
    fix = commit(repo, "Round receipts to pennies (#7)", {"shop/till.py": FIXED})
    text = ISSUE.body + f" See #7 and {fix[:10]}."
    with_fix = search_history(repo, fix, Issue(ISSUE.title, text))
    assert with_fix.fixes
    assert "shop/till.py:close" in names(with_fix.routes)
    result = search_history(repo, base, Issue(ISSUE.title, text))
    assert (result.routes.functions, result.fixes) == ((), [])
    with History.open(repo / ".git", base, None) as history:
        assert history.functions([fix]) == history.references([fix]) == {}
        assert history.diff(fix, ["shop/till.py"]) == ""
    with History.open(repo / ".git", fix, None) as history:
        assert history.functions([fix]) == {fix: {"shop/till.py": ("close",)}}
        assert history.references([fix])[fix]["numbers"] == ("7",)


def test_single_commit_and_shallow_clone_have_no_routes(repo: Path, tmp_path: Path) -> None:
    only = search_history(repo, git(repo, "rev-parse", "HEAD"), Issue("The first commit", ""))
    assert only.fixes == []
    fix = commit(repo, "Round receipts to pennies", {"shop/till.py": FIXED})
    git(tmp_path, "clone", "-q", "--depth=1", f"file://{repo}", "shallow")
    result = search_history(tmp_path / "shallow", fix)
    assert (result.routes.functions, result.routes.files, result.fixes) == ((), (), [])


def test_very_large_commits_lead_nowhere(repo: Path) -> None:
    many = "".join(f"def step_{n}():\n    return {n}\n\n\n" for n in range(MOST_CHANGED + 1))
    commit(repo, "Steps", {"shop/steps.py": many})
    commit(repo, "Receipts: pennies everywhere", {"shop/steps.py": many.replace("return ", "return 1 + ")})
    wide = {f"wide/part{n}.py": f"def part_{n}():\n    return {n}\n" for n in range(101)}
    base = commit(repo, "Receipts and pennies in all parts", wide)
    result = search_history(repo, base)
    assert names(result.routes) == []
    assert [one.path for one in result.routes.files] == ["shop/steps.py"]
    assert [one.subject for one in result.fixes] == ["Receipts: pennies everywhere"]


def test_moved_code_is_found_at_its_current_location(repo: Path) -> None:
    commit(repo, "Round receipts to pennies", {"shop/till.py": FIXED})
    commit(repo, "Receipts of letters lose pennies", {"shop/mail.py": "def send(letter):\n    return letter * 2\n"})
    moved = {"shop/till.py": None, "shop/money/till.py": FIXED, "shop/mail.py": "def post():\n    return 1\n"}
    base = commit(repo, "Order", moved)
    result = search_history(repo, base)
    assert names(result.routes)[0] == "shop/money/till.py:close"
    assert {one.path for one in result.routes.files} == {"shop/money/till.py", "shop/mail.py"}


def test_file_moved_without_change_has_no_route(repo: Path) -> None:
    base = commit(repo, "Receipts: pennies moved", {"shop/till.py": None, "shop/money.py": FILES["shop/till.py"]})
    assert names(search_history(repo, base).routes) == []


def test_merge_leads_to_changes_of_its_branch(repo: Path) -> None:
    git(repo, "checkout", "-q", "-b", "side")
    commit(repo, "wip", {"shop/till.py": FIXED})
    git(repo, "checkout", "-q", "main")
    commit(repo, "Letters", {"shop/mail.py": "def send(letter):\n    return letter + 1\n"})
    git(repo, "merge", "-q", "--no-ff", "-m", "Merge pull request #7 from me/side\n\nRound receipts to pennies", "side")
    merge = git(repo, "rev-parse", "HEAD")
    result = search_history(repo, merge)
    assert names(result.routes)[0] == "shop/till.py:close"
    assert [(one.commit, one.subject) for one in result.fixes] == [(merge, "Round receipts to pennies")]


def test_earlier_issue_leads_to_what_its_text_names_and_to_its_commits(repo: Path) -> None:
    changed = {"shop/mail.py": "def send(letter):\n    return letter * 2\n"}
    fix = commit(repo, "Send twice (#7)", changed)
    base = commit(repo, "A test", {"tests/test_mail.py": "def test_send(): pass\n"})
    assert names(search_history(repo, base).routes) == []
    item = PastItem(7, "Receipts lose pennies", "It is `open_till()`.")
    result = search_history(repo, base, replace(ISSUE, past=(item,))).routes
    assert [(one.name, one.words) for one in result.functions] == [
        ("open_till", "the issue is similar to #7 'Receipts lose pennies', which names shop/till.py:open_till"),
        (
            "send",
            f"the issue is similar to #7 'Receipts lose pennies', which {fix[:7]} 'Send twice (#7)' is about, "
            "which changed shop/mail.py:send",
        ),
    ]


def test_pull_request_is_known_from_messages_of_merges(repo: Path) -> None:
    git(repo, "checkout", "-q", "-b", "side")
    commit(repo, "wip", {"shop/mail.py": "def send(letter):\n    return letter * 2\n"})
    git(repo, "checkout", "-q", "main")
    git(
        repo,
        "merge",
        "-q",
        "--no-ff",
        "-m",
        "Merge pull request #71 from me/side\n\nTwice\n\nAs `open_till()`.",
        "side",
    )
    base = git(repo, "rev-parse", "HEAD")
    result = search_history(repo, base, Issue("Receipts lose pennies", "Since #71.")).routes
    words = {one.name: one.words for one in result.functions}
    assert words["open_till"] == "the issue mentions #71 'Twice', which names shop/till.py:open_till"
    assert "send" in words


def test_fixes_of_similar_kind_come_first(repo: Path) -> None:
    def changed(to: str) -> dict[str, str]:
        return {"shop/till.py": CLOSE.replace("total = 0", to)}

    commit(repo, "Receipts: pennies of one", changed("total = 1"))
    kind = commit(repo, "Receipts: pennies of two", changed("total = day.get('left', 0)"))
    commit(repo, "Receipts: pennies of one", changed("total = 2"))
    commit(repo, "Receipts with pennies, a new file", {"shop/new.py": "def pennies():\n    return 1\n"})
    base = commit(repo, "Receipts: pennies explained", {"README": "pennies\n"})
    result = search_history(repo, base, Issue("Receipts: pennies", "KeyError for the receipts of a day"))
    assert [one.subject for one in result.fixes] == ["Receipts: pennies of two", "Receipts: pennies of one"]
    assert result.fixes[0].commit == kind
    assert result.fixes[0].kinds == ("a key or attribute is looked up safely",)


def test_long_fix_comes_after_short_one(repo: Path) -> None:
    many = "".join(f"def step_{n}():\n    return {n}\n\n\n" for n in range(200))
    commit(repo, "Steps", {"shop/steps.py": many})
    commit(repo, "Receipts lose pennies", {"shop/steps.py": many.replace("return ", "return 1 + ")})
    commit(repo, "Pennies of receipts, with other words", {"shop/till.py": FIXED})
    result = search_history(repo, git(repo, "rev-parse", "HEAD"))
    assert [one.subject for one in result.fixes] == ["Pennies of receipts, with other words", "Receipts lose pennies"]
