"""The `symbols` tool: queries to the code graph."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.tools.conftest import Bench, MakeBench
from tools import symbols as symbols_tool
from trajectories.records import Action

FILES = {
    "shop/__init__.py": "",
    "shop/basket.py": (
        "class Basket:\n"
        '    """What is bought."""\n\n'
        "    def weigh(self, unit='g'):\n"
        '        """The weight of all."""\n'
        "        return measure(self, unit)\n\n\n"
        "class Crate(Basket):\n"
        "    def weigh(self, unit='kg'):\n"
        "        return super().weigh(unit) + 1\n\n\n"
        "def measure(thing, unit):\n"
        "    return 1\n"
    ),
    "shop/till.py": (
        "from shop.basket import Crate, measure\n\n\n"
        "def ring():\n"
        "    crate = Crate()\n"
        "    return crate.weigh() + measure(crate, 'kg')\n"
    ),
    "tests/test_till.py": "from shop.till import ring\n\n\ndef test_ring():\n    assert ring()\n",
    "notes.txt": "measure twice\n",
}


@pytest.fixture
def bench(make_bench: MakeBench) -> Bench:
    return make_bench(FILES)


def test_function_is_shown_with_callers(bench: Bench) -> None:
    text = bench("symbols", name="measure").text
    assert text.split("\n") == [
        "shop/basket.py:14-15 measure",
        "  def measure(thing, unit)",
        "callers: 2",
        "  shop/basket.py:6 Basket.weigh",
        "  shop/till.py:6 ring",
    ]


def test_class_is_shown_with_bases_and_contents(bench: Bench) -> None:
    text = bench("symbols", name="Crate").text
    assert "base classes: 1\n  shop/basket.py:1 Basket" in text
    assert "  shop/till.py:5 ring" in text
    assert "contains: 1\n  10-11 def weigh(self, unit='kg')" in text
    assert "subclasses: 1\n  shop/basket.py:9 Crate" in bench("symbols", name="Basket", ask="subclasses").text


@pytest.mark.slow
def test_method_is_shown_with_overrides(bench: Bench) -> None:
    text = bench("symbols", name="Crate.weigh").text
    assert text.startswith("shop/basket.py:10-11 Crate.weigh\n")
    assert "overrides: 1\n  shop/basket.py:4 Basket.weigh" in text
    assert "overridden by: 1\n  shop/basket.py:10 Crate.weigh" in bench("symbols", name="Basket#weigh").text


def test_source_is_shown_with_line_numbers(bench: Bench) -> None:
    assert bench("symbols", name="measure", ask="show").text == (
        "shop/basket.py:14-15 measure\n14\tdef measure(thing, unit):\n15\t    return 1"
    )


def test_tests_callees_and_outline_are_shown(bench: Bench) -> None:
    assert bench("symbols", name="ring", ask="tests").text.endswith("tests: 1\n  tests/test_till.py:5 test_ring")
    assert "  shop/basket.py:14 measure" in bench("symbols", name="ring", ask="callees").text
    outline = bench("symbols", name="shop/basket.py", ask="outline").text
    assert outline.startswith("shop/basket.py\ncontains: 3\n  1-6 class Basket\n  9-11 class Crate(Basket)\n")
    assert bench("symbols", name="test_ring", ask="callers").text.endswith("callers: none known")


@pytest.mark.parametrize(
    "name",
    ["Basket.weigh", "basket.Basket.weigh", "basket::Basket::weigh", "Basket#weigh", "shop/basket.py:Basket.weigh",
     "basket.py::Basket.weigh", "shop/basket.py:5", "def Basket.weigh(self)", "`Basket.weigh`"],
)  # fmt: skip
def test_spelling_of_symbol_name_is_recognised(bench: Bench, name: str) -> None:
    text = bench("symbols", name=name, ask="where").text
    assert text.startswith("shop/basket.py:4-6 Basket.weigh\n  def weigh(self, unit='g')\n  The weight of all.")


@pytest.mark.parametrize("name", ["Mesure", "measur", "MEASURE", "basket.py:mesure"])
def test_misspelt_name_shows_nearest_symbol(bench: Bench, name: str) -> None:
    observation = bench("symbols", name=name, ask="where")
    assert observation.ok
    assert f"No symbol is named `{name}`. This is the nearest" in observation.text
    assert "shop/basket.py:14-15 measure" in observation.text


def test_unknown_name_is_refused(bench: Bench) -> None:
    observation = bench("symbols", name="qqqzzz")
    assert not observation.ok
    assert "No symbol is named `qqqzzz`" in observation.text
    assert f"`{'q' * 100}`" in bench("symbols", name="q" * 10_000).text
    assert not bench("symbols", name="").ok


@pytest.mark.parametrize(
    ("ask", "expected"),
    [
        *((ask, ask) for ask in symbols_tool.ASKS),
        ("source", "show"),
        ("callers of", "callers"),
        ("usages", "callers"),
        ("who calls it", "callers"),
        ("calls", "callees"),
        ("subclass", "subclasses"),
        ("sub classes", "subclasses"),
        ("overrides", "bases"),
        ("inherits", "bases"),
        ("overridden by", "subclasses"),
        ("is it tested?", "tests"),
        ("methods", "outline"),
        ("definition", "where"),
        ("?", "all"),
    ],
)
def test_wording_of_question_is_recognised(ask: str, expected: str) -> None:
    assert symbols_tool._wanted(ask) == expected


def test_question_can_be_phrase_or_sentence(bench: Bench) -> None:
    assert "14\tdef" in bench("symbols", name="measure", ask="the source").text
    assert "overrides: 1" in bench("symbols", name="Crate.weigh", ask="What does it override?").text


def test_ambiguous_name_lists_candidates(bench: Bench) -> None:
    assert bench("symbols", name="weigh").text.count("def weigh") == 2
    many = "".join(f"class C{number}:\n    def weigh(self): pass\n" for number in range(5))
    bench("edit", path="shop/more.py", old="", new=many)
    text = bench("symbols", name="weigh").text
    assert text.startswith("7 have this name; give one with its path, like shop/basket.py:Basket.weigh:\n")
    assert "shop/more.py:2 C0.weigh — def weigh(self)" in text


def test_edit_of_same_reply_is_included(bench: Bench) -> None:
    edit = Action(
        "edit", {"path": "shop/new.py", "old": "", "new": "from shop.basket import measure\n\nmeasure(1, 2)\n"}
    )
    _, observation = bench.run_step(edit, Action("symbols", {"name": "measure"}))
    assert "  shop/new.py:3 (module level)" in observation.text
    assert "callers: 3" in bench("symbols", name="measure").text


def test_long_answer_is_cut_with_output_address(bench: Bench) -> None:
    calls = "".join(f"def caller_{number:03}():\n    return measure({number}, 2)\n" for number in range(200))
    bench("edit", path="shop/many.py", old="", new=f"from shop.basket import measure\n{calls}")
    text = bench("symbols", name="measure").text
    assert "  … 196 more: ask callers" in text
    observation = bench("symbols", name="measure", ask="callers")
    assert len(observation.text) < 4_000
    assert observation.text.endswith(f"more lines: out:{observation.out}")
    assert bench.outputs[-1].count(b"caller_") == 200


@pytest.mark.slow
def test_long_source_names_line_to_continue_from(bench: Bench) -> None:
    bench("edit", path="shop/long.py", old="", new="def long():\n" + "    x = 'y' * 100  # and so on\n" * 900)
    text = bench("symbols", name="long", ask="show").text
    assert text.startswith("shop/long.py:1-901 long\n1\tdef long():\n")
    assert "… continues to line 901: view shop/long.py start=" in text


def test_symbols_work_without_writable_cache(
    make_bench: MakeBench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "no-folder").write_text("")
    monkeypatch.setenv("SWE_AGENT_CACHE", str(tmp_path / "no-folder"))
    assert "callers: 2" in make_bench(FILES)("symbols", name="measure").text


def test_tree_without_source_has_no_symbols(make_bench: MakeBench) -> None:
    observation = make_bench({"notes.txt": "x\n"})("symbols", name="notes.txt")
    assert not observation.ok


def test_content_is_masked_and_escapes_are_removed(make_bench: MakeBench) -> None:
    bench = make_bench(
        {"a.py": 'def f(x="\x1b[31mhunter2hunter2"):\n    """\x07Doc."""\n', "b.py": b"def \xff\xfe(:\n"}
    )
    text = bench("symbols", name="f").text
    assert "\x1b" not in text
    assert "hunter2hunter2" not in text
