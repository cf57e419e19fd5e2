"""Measuring the mirrors of an edit on a history."""

from __future__ import annotations

from benchmarks.mirrors import Fix, is_source, summarise


def test_figures_are_means_over_fixes() -> None:
    measured = [Fix("a", "1", 2, [[True, False], []]), Fix("a", "2", 2, [[True], [True]]), Fix("b", "3", 1, [[]])]
    figures = summarise(measured)
    assert (figures["given_of_several"], figures["given_of_single"], figures["right"]) == (75.0, 0.0, 75.0)
    assert (figures["several"], figures["single"], figures["repositories"]) == (2, 1, 2)


def test_only_python_outside_of_tests_is_source() -> None:
    paths = ("shop/price.py", "tests/test_price.py", "docs/conf.py", "shop/price.js")
    assert [path for path in paths if is_source(path)] == ["shop/price.py"]
