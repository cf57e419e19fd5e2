"""Lookup of names as users and models write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aci.graph.code_graph import definition_at_line, dotted_name, is_test_file, look_up_name, query_graph
from tests.text_blobs import TextBlobs

FILES = {
    "shop/__init__.py": "",
    "shop/basket.py": "class Basket:\n    def weigh(self):\n        return 1\n\n\nclass Crate(Basket):\n    pass\n",
    "shop/weigh_all.py": "def weigh_all(things):\n    return 0\n",
    "tests/test_basket.py": "class Basket:\n    pass\n\n\ndef test_weigh():\n    pass\n",
    "shop/test_then_patch.py": "def solve():\n    pass\n",
}


def lookup(name: str) -> tuple[list[str], list[str]]:
    def question(graph):
        result = look_up_name(graph, name)
        return tuple([f"{place.path}:{dotted_name(graph, place)}" for place in group] for group in result)

    return query_graph(TextBlobs(FILES), None, question)


@pytest.mark.parametrize(
    ("name", "places"),
    [
        ("weigh_all", ["shop/weigh_all.py:weigh_all"]),
        ("Basket", ["shop/basket.py:Basket", "tests/test_basket.py:Basket"]),
        ("shop.basket.Basket", ["shop/basket.py:Basket"]),
        ("Basket.weigh", ["shop/basket.py:Basket.weigh"]),
        ("Crate.weigh", ["shop/basket.py:Basket.weigh"]),
        ("basket.py", ["shop/basket.py:shop/basket.py"]),
        ("./shop/basket.py", ["shop/basket.py:shop/basket.py"]),
        ("basket", ["shop/basket.py:shop/basket.py"]),
        ("shop.basket", ["shop/basket.py:shop/basket.py"]),
        ("shop/basket.py:3", ["shop/basket.py:Basket.weigh"]),
        ("shop/basket.py:5", ["shop/basket.py:shop/basket.py"]),
        ("shop/basket.py::Crate", ["shop/basket.py:Crate"]),
        ("tests/test_basket.py:Basket", ["tests/test_basket.py:Basket"]),
        ("def weigh_all(things)", ["shop/weigh_all.py:weigh_all"]),
        ("shop/weigh_all", ["shop/weigh_all.py:weigh_all"]),
    ],
)
def test_name_is_resolved_to_places(name: str, places: list[str]) -> None:
    assert lookup(name) == (places, [])


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("crate", "shop/basket.py:Crate"),
        ("wiegh_all", "shop/weigh_all.py:weigh_all"),
        ("weighAll", "shop/weigh_all.py:weigh_all"),
        ("weig", "shop/basket.py:Basket.weigh"),
        ("shop/basket.py:crate", "shop/basket.py:Crate"),
        ("shop/basket.py:weigh_al", "shop/basket.py:Basket.weigh"),
        ("Nobody.weigh", "shop/basket.py:Basket.weigh"),
    ],
)
def test_nearest_name_is_suggested(name: str, nearest: str) -> None:
    places, near = lookup(name)
    assert (places, near[0]) == ([], nearest)


@pytest.mark.slow
@given(st.text(max_size=30) | st.from_regex(r"[a-z./:#]{0,20}", fullmatch=True))
def test_any_text_gives_places_or_suggestions(name: str) -> None:
    places, near = lookup(name)
    assert not (places and near)


def test_file_is_test_only_if_it_contains_tests() -> None:
    def question(graph):
        return [is_test_file(graph, path) for path in graph.paths], definition_at_line(
            graph, "shop/basket.py", 100
        ).symbol

    assert query_graph(TextBlobs(FILES), None, question) == ([path.startswith("tests") for path in sorted(FILES)], -1)


def test_very_long_name_is_parsed_quickly() -> None:
    assert lookup("(" * 100_000) == ([], [])
    assert lookup("Basket.weigh(" + "x" * 100_000 + ")")[0] == []
