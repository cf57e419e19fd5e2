"""The growth chart: well-formed, to scale and safe for any function name; and the table of measurements."""

from __future__ import annotations

import math
import re
from itertools import pairwise
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from extensions.optimize.growth_chart import HEIGHT, WIDTH, Measurements, chart, range_of, rows, table
from extensions.optimize.measurement.efficiency import Growth, fit_growth

SIZES = (64, 128, 256, 512, 1024, 2048)
BEFORE = fit_growth(SIZES, [50 * n * n for n in SIZES])
AFTER = fit_growth(SIZES, [20_000 + 90 * n for n in SIZES])
SVG = "{http://www.w3.org/2000/svg}"


def parsed(text: str) -> ElementTree.Element:
    return ElementTree.fromstring(text)


def texts(root: ElementTree.Element) -> list[str]:
    return [element.text or "" for element in root.iter(f"{SVG}text")]


def points(root: ElementTree.Element, side: str) -> list[tuple[float, float]]:
    last = [group for group in root.iter(f"{SVG}g") if group.get("class") == side][-1]
    if side == "before":
        return [(float(element.get("cx", 0)), float(element.get("cy", 0))) for element in last.iter(f"{SVG}circle")]
    return [(float(element.get("x", 0)) + 4, float(element.get("y", 0)) + 4) for element in last.iter(f"{SVG}rect")]


def test_labels_describe_curves() -> None:
    root = parsed(chart("shop/cart.py:total", BEFORE, AFTER, "valgrind, warm call"))
    labels = texts(root)
    assert {"shop/cart.py:total", "valgrind, warm call", "size n", "instructions"} <= set(labels)
    assert f"before: n^2.00 ({range_of(BEFORE)})" in labels
    assert f"after: n^1.00 ({range_of(AFTER)})" in labels
    assert {"64", "1,024", "2,048", "100 k", "1 M", "10 M", "100 M"} <= set(labels)
    assert root.find(f"{SVG}title") is not None
    assert "n^2.00" in str(root.findtext(f"{SVG}desc"))
    assert any(title.text == "before: 52,428,800 instructions at n = 1,024" for title in root.iter(f"{SVG}title"))


def test_points_are_to_scale_on_logarithmic_axes() -> None:
    root = parsed(chart("f", BEFORE, AFTER))
    square, straight = points(root, "before"), points(root, "after")
    assert len(square) == len(straight) == len(SIZES)
    assert [x for x, _ in square] == pytest.approx([x for x, _ in straight])
    steps = [b[0] - a[0] for a, b in pairwise(square)]
    assert steps == pytest.approx([steps[0]] * 5, abs=0.2), "doubled sizes have equal distances"
    falls = [a[1] - b[1] for a, b in pairwise(square)]
    assert falls == pytest.approx([falls[0]] * 5, abs=0.2), "a power law is a straight line"
    a_decade = falls[0] / math.log10(4)
    assert straight[0][1] - square[0][1] == pytest.approx(
        a_decade * math.log10(BEFORE.counts[0] / AFTER.counts[0]), abs=0.3
    )


def test_fitted_line_goes_through_counts() -> None:
    root = parsed(chart("f", BEFORE, AFTER))
    line, _ = root.iter(f"{SVG}polyline")
    ends = [tuple(map(float, pair.split(","))) for pair in str(line.get("points")).split()]
    assert ends[0] == pytest.approx(points(root, "before")[0], abs=1)
    assert ends[-1] == pytest.approx(points(root, "before")[-1], abs=1)


def test_dark_scheme_has_different_colours() -> None:
    style = str(parsed(chart("f", BEFORE, AFTER)).findtext(f"{SVG}style"))
    light, dark = style.split("@media (prefers-color-scheme: dark)")
    for rule in (".paper", "text", ".faint", ".grid", ".before .line", ".after .mark"):
        colours = [re.search(re.escape(rule) + r" \{[^}]*#(\w{6})", part) for part in (light, dark)]
        assert all(colours), rule
        assert len({match[1] for match in colours if match}) == 2, rule


@pytest.mark.slow
@given(st.text(max_size=200), st.text(max_size=200))
def test_any_name_is_escaped(name: str, counted: str) -> None:
    root = parsed(chart(name, BEFORE, AFTER, counted))
    assert {element.tag.removeprefix(SVG) for element in root.iter()} <= {
        *("svg", "title", "desc", "style", "rect", "text", "line", "path", "g", "polyline", "circle")
    }


def test_markup_in_name_is_text() -> None:
    name = '</text><script>alert(1)</script>&"\x1b[31m'
    text = chart(name, BEFORE, AFTER, name)
    assert "<script" not in text
    assert "\x1b" not in text
    assert texts(parsed(text))[0] == '</text><script>alert(1)</script>&"'


growths = st.builds(
    lambda points: fit_growth([size for size, _ in points], [count for _, count in points]),
    st.lists(
        st.tuples(st.integers(1, 10**9), st.integers(1, 10**15)),
        min_size=2,
        max_size=4,
        unique_by=lambda point: point[0],
    ),
)


@pytest.mark.slow
@settings(max_examples=25)
@given(growths, growths)
def test_any_counts_fit_in_chart(before: Growth, after: Growth) -> None:
    root = parsed(chart("f", before, after))
    for x, y in [*points(root, "before"), *points(root, "after")]:
        assert 0 < x < WIDTH
        assert 0 < y < HEIGHT
    for element in root.iter(f"{SVG}text"):
        assert -1 < float(element.get("x", 0)) < WIDTH
        assert not re.search(r"nan|inf", element.text or "")
    lines = [element for element in root.iter(f"{SVG}line") if element.get("x1") != element.get("x2")]
    assert 1 <= len(lines) <= 12, "a readable number of round counts has labels"


def test_single_constant_curve_is_drawn() -> None:
    flat = fit_growth((10, 20, 30, 40), (500, 500, 500, 500))
    root = parsed(chart("f", flat))
    assert len(points(root, "before")) == 4
    assert not [group for group in root.iter(f"{SVG}g") if group.get("class") == "after"]
    assert "before: n^0.00 (95 %: 0.00 to 0.10)" in texts(root)
    assert "500" in texts(root)


def test_unknown_range_is_stated() -> None:
    assert range_of(fit_growth((1, 2), (5, 9))) == "range unknown"


# Table


def test_rows_show_all_measurements() -> None:
    before = Measurements(53_000_000, BEFORE, 0.42, 4.0, 1.25, 5 << 20)
    after = Measurements(205_000, AFTER, 0.003, 2.33, 0.0031, 7 << 20)
    assert rows(before, after, "valgrind") == [
        ("instructions (valgrind)", "53,000,000", "205,000", "259 x"),
        ("growth", f"n^2.00 ({range_of(BEFORE)})", f"n^1.00 ({range_of(AFTER)})", "clearly less"),
        ("share of the workload", "42.0%", "0.3%", ""),
        ("the workload's processor time", "4 s", "2.33 s", "1.72 x"),
        ("wall time", "1.25 s", "3.1 ms", "403 x"),
        ("peak memory", "5.0 MiB", "7.0 MiB", "0.71 x"),
    ]


def test_missing_measurements_are_omitted() -> None:
    assert rows(Measurements(100), Measurements()) == [("instructions", "100", "-", "")]
    assert rows(Measurements(seconds=3e-5, memory=2000), Measurements(seconds=2e-8, memory=10)) == [
        ("wall time", "30 µs", "20 ns", "1,500 x"),
        ("peak memory", "2.0 KiB", "10 B", "200 x"),
    ]
    assert rows(Measurements(), Measurements()) == []


def test_table_fits_terminal_and_escapes_name() -> None:
    shown = table("[red]\x1b[31mf", Measurements(5000, BEFORE), Measurements(1000, AFTER), "valgrind")
    lines = shown.splitlines()
    assert lines[0].strip() == "[red]f"
    assert "5.00 x" in shown
    assert all(len(line) <= 100 for line in lines)
