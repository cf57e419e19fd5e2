"""Ranks of faulty statements, and the faulty statements of a mutant."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks._mutants_observed import Observed
from benchmarks.suspects import Row, changed_statements, fitted, main, rank
from extensions.experiment.evaluator.spectrum import Spectrum

ORIGINAL = b"""\
def f(a):
    b = a + 1
    c = b * 2
    if c:
        return (b,
                c)
    return a
"""


def row(values: list[float], places: list[int]) -> Row:
    return Row("package", 1, [{"ochiai": value} for value in values], places)


def test_rank_is_of_best_faulty_statement_and_middle_of_ties() -> None:
    assert rank(row([0.9, 0.5, 0.7], [1]), {"ochiai": 1.0}) == 3
    assert rank(row([0.9, 0.5, 0.7], [1, 2]), {"ochiai": 1.0}) == 2
    assert rank(row([0.9, 0.5, 0.5, 0.5], [3]), {"ochiai": 1.0}) == 3
    assert rank(row([0.9, 0.5], [1]), {}) == 1.5


@pytest.mark.parametrize(
    ("old", "new", "lines"),
    [
        (b"a + 1", b"a - 1", {2}),
        (b"    c = b * 2\n", b"", {2, 3}),
        (b"                c)", b"                b)", {5}),
        (b"    c = b * 2\n", b"    c = b * 2\n    b = c\n", {4}),
    ],
)
def test_changed_statements_include_those_next_to_removed_ones(old: bytes, new: bytes, lines: set[int]) -> None:
    mutated = ORIGINAL.replace(old, new)
    mutant = Observed("p", "kind", "a.py", ORIGINAL, mutated, Spectrum((), (), {}), [], lambda path: None)
    assert changed_statements(mutant) == lines


def test_fit_prefers_informative_signal() -> None:
    rows = [Row("p", 1, [{"ochiai": 1.0, "dstar": n % 2}, {"ochiai": 0.0, "dstar": 1.0}], [0]) for n in range(20)]
    weights = fitted(rows, steps=50)
    assert weights["ochiai"] > 1 > weights["dstar"]
    assert min(weights.values()) >= 0


def test_unusable_package_is_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folders = ["--repos", str(tmp_path), "--cache", str(tmp_path / "cache")]
    assert main([*folders, "--packages", "nobody"]) == 2
    assert "'nobody'" in capsys.readouterr().err
    assert main([*folders, "--packages", "bidict"]) == 2
    assert "jab+bidict/repo has no commit" in capsys.readouterr().err
