"""Fixes of the history that are taken back on today's code."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from random import Random

import pytest

from extensions.lab.synthesis.candidate import Candidate
from extensions.lab.synthesis.kinds.revert import generate
from extensions.lab.synthesis.source_repository import open_source
from tests.conftest import MakeRepo, OpenWorkspace, git

PRICE = "def price(count):\n    return count * 2\n"
OTHER = "\n\ndef other(count):\n    found = count + 1\n    return found\n"
GUARD = "    if count < 0:\n        raise ValueError\n"
GUARDED = PRICE.replace("    return", GUARD + "    return")
Draw = Callable[..., list[Candidate]]


@pytest.fixture
def draw(make_repo: MakeRepo, open_ws: OpenWorkspace) -> Draw:
    """`draw(files, (message, files), …)` commits these versions in order and returns the candidates."""

    def run(first: Mapping[str, str], *commits: tuple[str, Mapping[str, str | None]], seed: int = 0) -> list[Candidate]:
        repo = make_repo(first)
        for message, files in commits:
            commit(repo, message, files)
        source = open_source(open_ws("local", repo, "HEAD").options, None)
        return list(generate(source, Random(seed)))

    return run


def commit(repo: Path, message: str, files: Mapping[str, str | None]) -> None:
    for path, text in files.items():
        if text is None:
            (repo / path).unlink()
        else:
            (repo / path).parent.mkdir(parents=True, exist_ok=True)
            (repo / path).write_text(text)
    git(repo, "add", "-A")
    git(repo, "commit", "-q", "-m", message)


def test_fix_is_taken_back_below_later_changes_and_tests_stay(draw: Draw) -> None:
    (found,) = draw(
        {"shop.py": PRICE + OTHER, "tests/test_shop.py": ""},
        ("Fix negative counts", {"shop.py": GUARDED + OTHER, "tests/test_shop.py": "# new\n"}),
        ("Rename", {"shop.py": GUARDED + OTHER.replace("found", "total")}),
    )
    assert found.files == {"shop.py": (PRICE + OTHER.replace("found", "total")).encode()}
    assert (found.kind, found.operator, found.symbols) == ("revert", "fix_in_message", ("shop.py:price",))
    assert found.lines == {"shop.py": frozenset({1, 2, 3, 4})}


def test_commit_that_changes_tests_counts_as_a_fix_and_others_do_not(draw: Draw) -> None:
    tests = {"test_shop.py": "# new\n"}
    operators = [
        one.operator
        for one in draw(
            {"shop.py": PRICE},
            ("Refuse negative counts", {"shop.py": GUARDED, **tests}),
            ("Docs of a fix", {"README.md": "fixed"}),
            ("Add another function", {"shop.py": GUARDED + OTHER}),
        )
    ]
    assert operators == ["changed_tests"]


@pytest.mark.slow
def test_hunks_that_conflict_with_later_changes_stay(draw: Draw) -> None:
    middle = "\n\nx = 1\n" * 5
    fixed = GUARDED + middle + OTHER.replace("+ 1", "+ 3")
    today = fixed.replace("raise ValueError", "return 0")
    found = draw({"shop.py": PRICE + middle + OTHER}, ("Fix both", {"shop.py": fixed}), ("Return", {"shop.py": today}))
    assert [one.files for one in found] == [{"shop.py": today.replace("+ 3", "+ 1").encode()}]
    assert draw({"shop.py": PRICE}, ("Fix", {"shop.py": GUARDED}), ("Undo", {"shop.py": PRICE})) == []


def test_files_that_the_fix_added_stay(draw: Draw) -> None:
    (found,) = draw({"shop.py": PRICE}, ("Fix", {"shop.py": GUARDED, "other.py": OTHER}))
    assert found.files == {"shop.py": PRICE.encode()}


def test_moved_file_is_found(draw: Draw) -> None:
    (found,) = draw(
        {"shop.py": PRICE}, ("Fix", {"shop.py": GUARDED}), ("Move", {"shop.py": None, "src/shop.py": GUARDED})
    )
    assert found.files == {"src/shop.py": PRICE.encode()}


def test_change_of_docstrings_is_no_candidate(draw: Draw) -> None:
    documented = PRICE.replace("    return", '    """Return it."""\n    return')
    assert draw({"shop.py": PRICE}, ("Fix the docs", {"shop.py": documented})) == []


def test_change_outside_of_functions_has_no_known_tests(draw: Draw) -> None:
    (found,) = draw({"shop.py": "RATE = 1\n" + PRICE}, ("Fix the rate", {"shop.py": "RATE = 2\n" + PRICE}))
    assert found.symbols == ("shop.py:",)
    assert found.lines is None


def test_other_languages_have_fixes_too(draw: Draw) -> None:
    code = "function price(count) {\n  return count\n}\n"
    (found,) = draw({"shop.js": code}, ("Fix the price", {"shop.js": code.replace("count\n", "2 * count\n")}))
    assert found.files == {"shop.js": code.encode()}
    assert (found.symbols, found.lines) == (("shop.js:price",), None)


@pytest.mark.slow
def test_same_seed_gives_the_same_order(draw: Draw) -> None:
    versions = [(f"Fix {number}", {f"m{number}.py": GUARDED}) for number in range(6)]
    first = {f"m{number}.py": PRICE for number in range(6)}
    orders = [[list(one.files) for one in draw(first, *versions, seed=seed)] for seed in (1, 1, 2)]
    assert orders[0] == orders[1] != orders[2]
    assert sorted(orders[0]) == sorted(orders[2])
