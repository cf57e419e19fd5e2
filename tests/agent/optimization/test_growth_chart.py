"""The picture of growth is well-formed, to scale and harmless whatever a function is called; the table says it all."""

from __future__ import annotations

import math
import re
from itertools import pairwise
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aci.performance.efficiency import Growth, fit_growth
from agent.optimization.growth_chart import HEIGHT, WIDTH, Measurements, chart, range_of, rows, table

SIZES = (64, 128, 256, 512, 1024, 2048)
BEFORE = fit_growth(SIZES, [50 * n * n for n in SIZES])
AFTER = fit_growth(SIZES, [20_000 + 90 * n for n in SIZES])
SVG = "{http://www.w3.org/2000/svg}"


def parsed(text: str) -> ElementTree.Element:
    return ElementTree.fromstring(text)


def texts(root: ElementTree.Element) -> list[str]:
    return [each.text or "" for each in root.iter(f"{SVG}text")]


def marks(root: ElementTree.Element, side: str) -> list[tuple[float, float]]:
    found = [group for group in root.iter(f"{SVG}g") if group.get("class") == side][-1]
    if side == "before":
        return [(float(each.get("cx", 0)), float(each.get("cy", 0))) for each in found.iter(f"{SVG}circle")]
    return [(float(each.get("x", 0)) + 4, float(each.get("y", 0)) + 4) for each in found.iter(f"{SVG}rect")]


def test_it_says_what_it_shows() -> None:
    root = parsed(chart("shop/cart.py:total", BEFORE, AFTER, "valgrind, warm call"))
    said = texts(root)
    assert {"shop/cart.py:total", "valgrind, warm call", "size n", "instructions"} <= set(said)
    assert f"before: n^2.00 ({range_of(BEFORE)})" in said
    assert f"after: n^1.00 ({range_of(AFTER)})" in said
    assert {"64", "1,024", "2,048", "100 k", "1 M", "10 M", "100 M"} <= set(said)
    assert root.find(f"{SVG}title") is not None
    assert "n^2.00" in str(root.findtext(f"{SVG}desc"))
    assert any(each.text == "before: 52,428,800 instructions at n = 1,024" for each in root.iter(f"{SVG}title"))


def test_marks_are_to_scale_on_logarithmic_axes() -> None:
    root = parsed(chart("f", BEFORE, AFTER))
    square, straight = marks(root, "before"), marks(root, "after")
    assert len(square) == len(straight) == len(SIZES)
    assert [x for x, _ in square] == pytest.approx([x for x, _ in straight])
    steps = [b[0] - a[0] for a, b in pairwise(square)]
    assert steps == pytest.approx([steps[0]] * 5, abs=0.2), "sizes that double are equally far apart"
    falls = [a[1] - b[1] for a, b in pairwise(square)]
    assert falls == pytest.approx([falls[0]] * 5, abs=0.2), "a power is a straight line"
    a_decade = falls[0] / math.log10(4)
    assert straight[0][1] - square[0][1] == pytest.approx(
        a_decade * math.log10(BEFORE.counts[0] / AFTER.counts[0]), abs=0.3
    )


def test_fitted_line_goes_through_what_was_counted() -> None:
    root = parsed(chart("f", BEFORE, AFTER))
    line, _ = root.iter(f"{SVG}polyline")
    ends = [tuple(map(float, pair.split(","))) for pair in str(line.get("points")).split()]
    assert ends[0] == pytest.approx(marks(root, "before")[0], abs=1)
    assert ends[-1] == pytest.approx(marks(root, "before")[-1], abs=1)


def test_it_follows_dark_scheme_with_colours_of_its_own() -> None:
    style = str(parsed(chart("f", BEFORE, AFTER)).findtext(f"{SVG}style"))
    light, dark = style.split("@media (prefers-color-scheme: dark)")
    for rule in (".paper", "text", ".faint", ".grid", ".before .line", ".after .mark"):
        colours = [re.search(re.escape(rule) + r" \{[^}]*#(\w{6})", part) for part in (light, dark)]
        assert all(colours), rule
        assert len({found[1] for found in colours if found}) == 2, rule


@pytest.mark.slow
@given(st.text(max_size=200), st.text(max_size=200))
def test_no_name_breaks_out(name: str, counted: str) -> None:
    root = parsed(chart(name, BEFORE, AFTER, counted))
    assert {each.tag.removeprefix(SVG) for each in root.iter()} <= {
        *("svg", "title", "desc", "style", "rect", "text", "line", "path", "g", "polyline", "circle")
    }


def test_hostile_name_is_text() -> None:
    name = '</text><script>alert(1)</script>&"\x1b[31m'
    text = chart(name, BEFORE, AFTER, name)
    assert "<script" not in text
    assert "\x1b" not in text
    assert texts(parsed(text))[0] == '</text><script>alert(1)</script>&"'


growths = st.builds(
    lambda points: fit_growth([size for size, _ in points], [count for _, count in points]),
    st.lists(
        st.tuples(st.integers(1, 10**9), st.integers(1, 10**15)), min_size=2, max_size=4, unique_by=lambda one: one[0]
    ),
)


@pytest.mark.slow
@settings(max_examples=25)
@given(growths, growths)
def test_whatever_was_counted_stays_in_picture(before: Growth, after: Growth) -> None:
    root = parsed(chart("f", before, after))
    for x, y in [*marks(root, "before"), *marks(root, "after")]:
        assert 0 < x < WIDTH
        assert 0 < y < HEIGHT
    for each in root.iter(f"{SVG}text"):
        assert -1 < float(each.get("x", 0)) < WIDTH
        assert not re.search(r"nan|inf", each.text or "")
    lines = [each for each in root.iter(f"{SVG}line") if each.get("x1") != each.get("x2")]
    assert 1 <= len(lines) <= 12, "some round counts are named, and not too many"


def test_one_side_alone_and_counts_that_do_not_grow() -> None:
    flat = fit_growth((10, 20, 30, 40), (500, 500, 500, 500))
    root = parsed(chart("f", flat))
    assert len(marks(root, "before")) == 4
    assert not [group for group in root.iter(f"{SVG}g") if group.get("class") == "after"]
    assert "before: n^0.00 (95 %: 0.00 to 0.10)" in texts(root)
    assert "500" in texts(root)


def test_range_that_is_not_known_is_said() -> None:
    assert range_of(fit_growth((1, 2), (5, 9))) == "range not known"


# Table


def test_rows() -> None:
    before = Measurements(53_000_000, BEFORE, 0.42, 400_000_000, 1.25, 5 << 20)
    after = Measurements(205_000, AFTER, 0.003, 233_000_000, 0.0031, 7 << 20)
    assert rows(before, after, "valgrind") == [
        ("instructions (valgrind)", "53,000,000", "205,000", "259 x"),
        ("growth", f"n^2.00 ({range_of(BEFORE)})", f"n^1.00 ({range_of(AFTER)})", "clearly less"),
        ("share of the workload", "42.0%", "0.3%", ""),
        ("the workload's instructions", "400,000,000", "233,000,000", "1.72 x"),
        ("wall time", "1.25 s", "3.1 ms", "403 x"),
        ("peak memory", "5.0 MiB", "7.0 MiB", "0.71 x"),
    ]


def test_what_was_not_measured_is_left_out() -> None:
    assert rows(Measurements(100), Measurements()) == [("instructions", "100", "-", "")]
    assert rows(Measurements(seconds=3e-5, memory=2000), Measurements(seconds=2e-8, memory=10)) == [
        ("wall time", "30 µs", "20 ns", "1,500 x"),
        ("peak memory", "2.0 KiB", "10 B", "200 x"),
    ]
    assert rows(Measurements(), Measurements()) == []


def test_table_fits_terminal_and_no_name_drives_it() -> None:
    shown = table("[red]\x1b[31mf", Measurements(5000, BEFORE), Measurements(1000, AFTER), "valgrind")
    lines = shown.splitlines()
    assert lines[0].strip() == "[red]f"
    assert "5.00 x" in shown
    assert all(len(line) <= 100 for line in lines)
