"""Two instances in one: only for other functions and lines, with both texts and all failing tests."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from itertools import islice
from random import Random
from typing import Any

import pytest

from extensions.lab.synthesis.kinds.combine import generate
from extensions.lab.synthesis.source_repository import SourceRepository, open_source
from tests.conftest import MakeRepo, OpenWorkspace

SHOP = "def price(count):\n    return count * 2\n\n\n# between\n\n\ndef tax(count):\n    return count / 5\n"
Instance = Callable[..., dict[str, Any]]


@pytest.fixture
def source(make_repo: MakeRepo, open_ws: OpenWorkspace) -> SourceRepository:
    repo = make_repo({"shop.py": SHOP, "other.py": "def other():\n    return 1\n"})
    return open_source(open_ws("local", repo, "HEAD").options, None)


@pytest.fixture
def instance(source: SourceRepository) -> Instance:
    """`instance(path, old, new, symbol)` is the row of such a change; its title is the new text."""

    def make(path: str, old: str, new: str, *symbols: str, kind: str = "plant") -> dict[str, Any]:
        data = source.trees.read(source.tree, path).decode()
        tree = source.trees.write({path: data.replace(old, new).encode()}, source.tree)
        return {
            "kind": kind,
            "symbols": list(symbols),
            "mutation_patch": source.trees.diff(source.tree, tree),
            "problem_statement": f"Wrong {new}\n\nMore.\n",
            "FAIL_TO_PASS": json.dumps([f"test of {new}"]),
        }

    return make


def test_two_changes_are_planted_together(source: SourceRepository, instance: Instance) -> None:
    source.instances.append(instance("shop.py", "* 2", "* 3", "shop.py:price"))
    candidates = generate(source, Random(0))
    assert next(candidates) is None
    source.instances.append(instance("shop.py", "/ 5", "/ 6", "shop.py:tax", kind="revert"))
    found = next(candidates)
    assert found is not None
    assert found.files == {"shop.py": SHOP.replace("* 2", "* 3").replace("/ 5", "/ 6").encode()}
    assert (found.kind, found.operator, found.symbols) == (
        "combine",
        "plant+revert",
        ("shop.py:price", "shop.py:tax"),
    )
    assert found.must_fail == {"test of * 3", "test of / 6"}
    assert found.write_text is not None
    assert found.write_text([]) == (
        "Wrong * 3 / Wrong / 6\n\n## First problem\n\nWrong * 3\n\nMore.\n\n## Second problem\n\nWrong / 6\n\nMore.\n"
    )
    assert next(candidates) is None


def test_combined_instances_are_not_combined_again(source: SourceRepository, instance: Instance) -> None:
    source.instances.append(instance("shop.py", "* 2", "* 3", "shop.py:price"))
    source.instances.append(instance("shop.py", "/ 5", "/ 6", "shop.py:tax", kind="combine"))
    assert next(generate(source, Random(0))) is None


@pytest.mark.parametrize(
    ("old", "new", "symbols"),
    [
        ("return count * 2", "return 2", ["shop.py:price"]),
        ("/ 5", "/ 6", ["shop.py:price.inner"]),
        ("* 2", "* 4", ["shop.py:another"]),  # the same line
        ("/ 5", "/ Wrong", ["shop.py:Wrong"]),  # the text of the first names it
    ],
)
def test_changes_of_the_same_place_are_not_combined(
    source: SourceRepository, instance: Instance, old: str, new: str, symbols: list[str]
) -> None:
    source.instances.append(instance("shop.py", "* 2", "* 3", "shop.py:price"))
    source.instances.append(instance("shop.py", old, new, *symbols))
    assert next(generate(source, Random(0))) is None


@pytest.mark.slow
def test_same_seed_gives_the_same_pairs(source: SourceRepository, instance: Instance) -> None:
    rows = [instance("shop.py", "* 2", f"* {number}", f"shop.py:price{number}") for number in range(3, 6)]
    rows += [instance("shop.py", "/ 5", f"/ {number}", f"shop.py:tax{number}") for number in range(6, 9)]

    def pairs(seed: int) -> list[tuple[str, ...]]:
        found = islice(generate(replace(source, instances=list(rows)), Random(seed)), 9)
        return [one.symbols for one in found if one]

    assert len(set(pairs(0))) == 9
    assert pairs(0) == pairs(0) != pairs(1)
