"""The benchmark of growth: its pairs, its fit, and its report of misses."""

from __future__ import annotations

import copy
import json
import os
import shutil
from pathlib import Path

import pytest

from benchmarks._growth_pairs import PAIRS, Pair, constant, linear, logarithm, loglinear, square
from benchmarks.growth import Measured, fitted, is_good, main, measure, open_pairs, summary
from extensions.optimize.measurement.efficiency import fit_growth

IN_CI = os.environ.get("CI", "").lower() in ("1", "true")
SIZES = (64, 128, 256, 512, 1024)
BY_NAME = {pair.name: pair for pair in PAIRS}


def test_there_are_enough_pairs_with_unique_names() -> None:
    assert len(PAIRS) >= 40
    assert len(BY_NAME) == len(PAIRS)


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: pair.name)
def test_both_solutions_agree_and_do_not_change_arguments(pair: Pair) -> None:
    for size in (16, 32):
        arguments = pair.make(size)
        copied = copy.deepcopy(arguments)
        assert pair.slow(*arguments) == pair.fast(*arguments)
        assert arguments == copied == pair.make(size)


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: pair.name)
def test_fit_distinguishes_known_costs(pair: Pair) -> None:
    slow, fast = (fit_growth(pair.sizes, [cost(n) for n in pair.sizes]) for cost in (pair.slow_cost, pair.fast_cost))
    assert slow.exponent > fast.exponent


def measured_pair(slow_counts: list[int], fast_counts: list[int]) -> Measured:
    return Measured(
        "a pair", fitted("slow", SIZES, slow_counts, square), fitted("fast", SIZES, fast_counts, linear), "x"
    )


@pytest.mark.slow
def test_summary_lists_misses() -> None:
    correct = measured_pair([900 + 7 * n * n for n in SIZES], [5000 + 9 * n for n in SIZES])
    reversed_pair = measured_pair([5000 + 9 * n for n in SIZES], [900 + 7 * n * n for n in SIZES])
    wrong_exponent = measured_pair([7 * n**3 for n in SIZES], [9 * n for n in SIZES])
    assert (correct.is_named, correct.is_clear, is_good([correct])) == (True, True, True)
    assert (reversed_pair.is_named, is_good([correct, reversed_pair])) == (False, False)
    assert (wrong_exponent.is_named, is_good([wrong_exponent])) == (True, False)
    text = summary([correct, reversed_pair, wrong_exponent])
    assert "named right: 2 of 3 pairs" in text
    assert "within ±0.15 of the known cost's: 3 of 6" in text
    misses = [line for line in text.splitlines() if line.startswith("miss: ")]
    assert [line.removeprefix("miss: ").partition(",")[0] for line in misses] == ["a pair", "slow", "fast", "slow"]


@pytest.mark.slow
def test_opcode_counts_are_fitted() -> None:
    with open_pairs("local", "") as room:
        pairs = [
            measure(room, BY_NAME[name]._replace(sizes=(16, 24, 36, 54, 80)), "opcodes")
            for name in ("two that sum up", "best stretch", "sums of ranges")
        ]
    assert is_good(pairs), summary(pairs)
    assert all(each.is_clear for each in pairs)
    assert {each.backend for each in pairs} == {"opcodes"}


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("valgrind") and not IN_CI, reason="valgrind is not installed")
def test_command_prints_and_saves_valgrind_counts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "growth.json"
    assert main(["--only", "power", "--backend", "valgrind", "--json", str(out)]) == 0
    output = capsys.readouterr().out
    assert "named right: 1 of 1 pairs, 1 of them with ranges apart" in output
    assert "counted by: valgrind" in output
    (row,) = json.loads(out.read_text())
    assert row["named"] is True
    slow, fast = row["slow"]["counted"]["counts"], row["fast"]["counted"]["counts"]
    assert all(one > other for one, other in zip(slow, fast, strict=True))


def test_unknown_pair_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--only", "absent"])
    assert "no pair has such a name" in capsys.readouterr().err


def test_cost_functions_give_known_values() -> None:
    assert [cost(8) for cost in (constant, logarithm, linear, loglinear, square)] == [1, 3, 8, 24, 64]
