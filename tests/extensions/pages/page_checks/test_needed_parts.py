"""The part of a patch that the reproducing tests need."""

from __future__ import annotations

import pytest

from extensions.pages.page_checks import needed_parts
from extensions.pages.page_checks.needed_parts import needed_tree
from trajectories.git_store.trees import EMPTY_TREE, Trees

BASE = ".a { color: red; margin: 1px }\n.b {\n  color: blue;\n  margin: 2px;\n}\n"


@pytest.fixture
def trees(tmp_path):
    store = Trees(tmp_path / "trees.git")
    yield store
    store.close()


def needed(trees, new, wanted, old=BASE, path="style.css"):
    """Return the text that is needed for a test that passes if all `wanted` texts are there; None for all of it."""
    base = trees.write({path: old.encode()}, EMPTY_TREE)
    tree = trees.write({path: new.encode()}, base)

    def passes(some):
        text = trees.read(some, path).decode()
        return all(each in text for each in wanted)

    found = needed_tree(trees, base, tree, [path], passes)
    return found and trees.read(found, path).decode()


def test_declarations_of_a_style_sheet_are_taken_back_one_by_one(trees):
    new = BASE.replace("color: blue", "color: navy").replace("margin: 2px", "margin: 0")
    assert needed(trees, new, ["navy"]) == BASE.replace("color: blue", "color: navy")


def test_added_rules_are_taken_back_one_by_one(trees):
    rules = ".c {\n  color: red;\n}\n.d {\n  color: green;\n}\n"
    assert needed(trees, BASE + rules, ["green"]) == f"{BASE}.d {{\n  color: green;\n}}\n"


def test_nothing_is_taken_back_from_a_patch_that_is_needed(trees):
    assert needed(trees, BASE.replace("blue", "navy"), ["navy"]) is None
    new = BASE.replace("blue", "navy").replace("2px", "3px")
    assert needed(trees, new, ["navy", "3px"]) is None


def test_rule_beside_a_changed_line_is_taken_back_alone(trees):
    old = "@media (min-width: 768px) {\n  .nav { left: 0 }\n}\n"
    rule = "@media (max-width: 599px) {\n  .links { display: none }\n}\n\n"
    new = rule + old.replace("768", "1024")
    assert needed(trees, new, ["1024"], old) == "@media (max-width: 599px) {\n}\n" + old.replace("768", "1024")


def test_style_in_a_component_is_split_too(trees):
    old = "<b>Menu</b>\n<style>\n.a { left: 0 }\n.b { top: 0 }\n</style>\n"
    new = old.replace("left: 0", "left: 1px").replace("top: 0", "top: 1px")
    assert needed(trees, new, ["left: 1px"], old, "Menu.vue") == old.replace("left: 0", "left: 1px")
    plain = new.replace("style", "pre")
    assert needed(trees, plain, ["left: 1px"], old.replace("style", "pre"), "Menu.vue") is None


def test_rules_of_an_added_media_query_are_taken_back_one_by_one(trees):
    media = "@media (max-width: 720px) {\n  table { width: 1px }\n  td { display: none }\n}\n"
    found = needed(trees, BASE + media, ["width: 1px"])
    assert found == BASE + media.replace("  td { display: none }\n", "")


def test_each_line_is_compared_with_few_others(monkeypatch):
    old, new = ("".join(f".{letter}{n} {{}}\n" for n in range(500)) for letter in "ab")
    compared = []
    monkeypatch.setattr(needed_parts, "_likeness", lambda *lines: compared.append(lines) or 0.0)
    assert len(list(needed_parts._split("style.css", old, new))) == 1000
    assert len(compared) == 500 * needed_parts.MOST_AHEAD
