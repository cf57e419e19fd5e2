"""Callers, reaching tests and the context of a definition."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from aci.graph.code_graph import Graph, dotted_name, look_up_name, query_graph
from aci.graph.patch_impact import find_callers, find_reaching_tests
from aci.graph.symbol_context import find_context
from tests.text_blobs import TextBlobs

Answer = TypeVar("Answer")

FILES = {
    "shop/__init__.py": "",
    "shop/basket.py": (
        "class Basket:\n"
        "    def weigh(self, unit):\n"
        "        return measure(self, unit)\n\n\n"
        "class Crate(Basket):\n"
        "    def weigh(self, unit):\n"
        "        return super().weigh(unit) + 1\n\n\n"
        "def measure(thing, unit):\n"
        "    return 1\n"
    ),
    "shop/till.py": "from shop.basket import measure\n\n\ndef ring(thing):\n    return measure(thing, 'kg')\n",
    "shop/other.py": "def unrelated():\n    pass\n",
    "lab/till.py": "def ring(bell):\n    return bell\n",
    "tests/test_till.py": "from shop.till import ring\n\n\ndef test_ring():\n    assert ring(1)\n",
    "tests/test_basket.py": "from shop import basket\n\n\ndef test_measure():\n    assert basket.measure(1, 'g')\n",
    "tests/test_other.py": "from shop.other import unrelated\n\n\ndef test_it():\n    unrelated()\n",
}


def query(question: Callable[[Graph], Answer]) -> Answer:
    return query_graph(TextBlobs(FILES), None, question)


def test_direct_and_indirect_callers_are_nearest_first() -> None:
    def question(graph: Graph) -> dict[str, int]:
        (place,) = look_up_name(graph, "measure").places
        callers = sorted(find_callers(graph, {place: 1.0}).items(), key=lambda item: -item[1].score)
        return {dotted_name(graph, place): reached.hops for place, reached in callers if place.symbol >= 0}

    callers = query(question)
    assert next(iter(callers)) == "measure"
    assert {name: callers[name] for name in ("measure", "ring", "test_measure", "Basket.weigh", "test_ring")} == {
        "measure": 0, "ring": 1, "test_measure": 1, "Basket.weigh": 1, "test_ring": 2
    }  # fmt: skip
    assert "unrelated" not in callers


def test_test_files_that_reach_definition_are_found() -> None:
    def question(graph: Graph) -> list[str]:
        return list(find_reaching_tests(graph, {look_up_name(graph, "measure").places[0]: 1.0}))

    assert query(question) == ["tests/test_basket.py", "tests/test_till.py"]


def test_context_of_method_has_overrides_callers_and_callees() -> None:
    def question(graph: Graph) -> dict[str, list[str]]:
        (place,) = look_up_name(graph, "Basket.weigh").places
        related = find_context(graph, place).related
        return {relation: [f"{entry.name}:{entry.at}" for entry in entries] for relation, entries in related.items()}

    assert query(question) == {
        "overridden": ["Crate.weigh:0"],
        "callers": ["Crate.weigh:8"],
        "callees": ["measure:3"],
    }


def test_context_has_callers_of_callers() -> None:
    def question(graph: Graph) -> list[str]:
        context = find_context(graph, look_up_name(graph, "measure").places[0], depth=3, wanted=["callers"])
        (weigh,) = [caller for caller in context.related["callers"] if caller.name == "Basket.weigh"]
        return [other.name for other in weigh.related["callers"]]

    assert query(question) == ["Crate.weigh"]
