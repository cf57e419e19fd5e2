"""The impact of a patch, from the tree before it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from aci.graph.code_graph import query_graph
from aci.graph.patch_impact import Edit, broken_callers, changed_definitions, edits_between
from tests.text_blobs import TextBlobs

SHOP = "def total(prices, tax):\n    return sum(prices)\n\n\ndef cheap():\n    return total([], 0)\n\n\nRATE = 3\n"
TILL = "from shop import total\n\n\nclass Till:\n    def ring(self):\n        return total([1], 0)\n"
FILES = {"shop.py": SHOP, "till.py": TILL}

LINES = st.lists(st.sampled_from(["a", "b", "c", "d"]), max_size=12).map(lambda lines: "".join(f"{x}\n" for x in lines))


@given(LINES, LINES)
def test_unchanged_lines_are_mapped_to_new_numbers(before: str, after: str) -> None:
    edit = Edit("a.py", before, after)
    old, new = before.splitlines(), after.splitlines()
    moved = [edit.moved(line) for line in range(1, len(old) + 1)]
    unchanged = [now for now in moved if now]
    assert unchanged == sorted(set(unchanged))
    assert all(old[line] == new[now - 1] for line, now in enumerate(moved) if now)
    changed = {line for first, last in edit.lines for line in range(first, last + 1)}
    assert {line for line, now in enumerate(moved, 1) if not now} <= changed
    assert bool(edit.lines) == (old != new)


def test_edits_are_files_that_differ() -> None:
    after = {"shop.py": SHOP + "# more\n", "new.py": "x = 1\n"}
    edits = edits_between(TextBlobs(FILES | {"data.bin": "\0"}), TextBlobs(after))
    assert [(edit.path, edit.before, edit.after) for edit in edits] == [
        ("new.py", "", "x = 1\n"),
        ("shop.py", SHOP, SHOP + "# more\n"),
        ("till.py", TILL, ""),
    ]


def test_innermost_changed_definitions_are_listed() -> None:
    edits = [
        Edit("shop.py", SHOP, SHOP.replace("sum(prices)", "max(prices)").replace("RATE = 3", "RATE = 4")),
        Edit("till.py", TILL, TILL.replace("[1]", "[2]")),
        Edit("gone.py", "x", "y"),
    ]

    def changed(graph):
        places = changed_definitions(graph, edits)
        return [(place.path, symbol.name if (symbol := graph.symbol(place)) else "") for place in places]

    names = query_graph(TextBlobs(FILES), None, changed)
    assert names == [("shop.py", "total"), ("shop.py", ""), ("till.py", "Till.ring")]


def broken_by(files: dict[str, str], *edits: Edit) -> list[tuple[str, str, list[tuple[str, int]]]]:
    return query_graph(TextBlobs(files), None, lambda graph: [
        (change.name, change.words, [(link.place.path, link.line) for link in change.callers])
        for change in broken_callers(graph, edits)
    ])  # fmt: skip


def test_callers_not_adapted_by_patch_are_broken() -> None:
    changed = "import os\n" + SHOP.replace("prices, tax", "prices").replace("total([], 0)", "total([])")
    assert broken_by(FILES, Edit("shop.py", SHOP, changed)) == [("total", "tax was removed", [("till.py", 6)])]
    unadapted = "import os\n" + SHOP.replace("prices, tax", "prices")
    callers = broken_by(FILES, Edit("shop.py", SHOP, unadapted))
    assert callers == [("total", "tax was removed", [("shop.py", 7), ("till.py", 6)])]
    adapted = [Edit("shop.py", SHOP, changed), Edit("till.py", TILL, TILL.replace("([1], 0)", "([1])"))]
    assert broken_by(FILES, *adapted) == []


def test_callers_of_changed_constructor_are_broken() -> None:
    crate = "class Crate:\n    def __init__(self, size):\n        self.size = size\n"
    files = {"crate.py": crate, "use.py": "from crate import Crate\n\n\ndef pack():\n    return Crate(3)\n"}
    callers = broken_by(files, Edit("crate.py", crate, crate.replace("size)", "size, weight)", 1)))
    assert callers == [("Crate.__init__", "weight is required", [("use.py", 5)])]


def test_other_languages_have_no_broken_callers() -> None:
    assert broken_by({"a.js": "function f(a) {}\nf(1)\n"}, Edit("a.js", "function f(a) {}", "function f() {}")) == []
