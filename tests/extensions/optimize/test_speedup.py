"""What a gain is worth: by the function's own instructions and growth, never by the workload's time or wall time."""

from types import SimpleNamespace

import pytest

from aci.runtime.target_function import Target
from extensions.optimize.candidate_benchmark import RIGHT, Bench, CandidateVerdict, Sample
from extensions.optimize.measurement.accepted_types import TypeDifference
from extensions.optimize.measurement.timing import Timing
from extensions.optimize.speedup import LEAST_RATIO, Gain, best_of, conditions, is_promising, measure_gain
from trajectories.rewards import rewards
from trajectories.verdict import Verdict


def verdict(cost, large=0, what="a candidate", lines=2):
    return CandidateVerdict(what, what, RIGHT, (), "valgrind", cost, cost, None, lines, large)


def gain(before, after, slower=0.02, **parts):
    start = {"seeds": (), "workload": (), "timing": None, **parts}
    return Gain(Target("a.py", "f"), before, after, slower=slower, **start)


def test_function_is_judged_without_rest_of_workload():
    """Starting pytest takes most of the workload, so that a function that is 7.8 times faster saves little of it."""
    found = gain(verdict(7800), verdict(1000), workload=(Sample(2.0, 0.01, 0), Sample(1.99, 0.001, 0)))
    assert found.against == []
    assert "7.8x fewer" in found.summary
    assert "0.5% of the workload's processor time before" in " ".join(fact.text for fact in found.facts)
    assert gain(verdict(1000), verdict(990)).against == [
        "the function executes 1.01x fewer instructions, and does not grow more slowly: less than 2% is not worth a "
        "change"
    ]


@pytest.mark.parametrize(
    ("before", "after", "types", "headline"),
    [
        (verdict(7800), verdict(1000), False, "Faster: same results, fewer instructions."),
        (verdict(1823, 100_000), verdict(900, 1000), False, "Faster: same results, fewer instructions."),
        (
            verdict(1823, 100_000),
            verdict(2940, 1000),
            False,
            "Faster on large inputs: same results; the recorded calls need no fewer instructions.",
        ),
        (
            verdict(7800),
            verdict(1000),
            True,
            "Faster: same results for values of the recorded types, fewer instructions.",
        ),
        (
            verdict(1000, 100_000),
            verdict(1000, 1000),
            True,
            "Faster on large inputs: same results for values of the recorded types; "
            "the recorded calls need no fewer instructions.",
        ),
    ],
)
def test_headline_names_what_becomes_no_faster_or_other_types(before, after, types, headline):
    differences = (TypeDifference("unhashable", True, "f([[1]])"),) if types else ()
    found = gain(before, after, slower=4.0, types=differences)
    assert found.against == []
    assert Verdict("faster", conditions=conditions([found])).headline == headline
    named = [fact for fact in found.facts if "that cannot be hashed" in fact.text and "f([[1]])" in fact.text]
    assert len(named) == types


def test_more_instructions_are_not_called_fewer():
    found = gain(verdict(1823, 100_000), verdict(2940, 1000), slower=4.0)
    assert "1,823 -> 2,940 instructions (1.6x more" in found.summary
    assert "100.0x fewer on the largest input" in found.summary


def test_one_function_whose_calls_are_faster_is_enough_for_the_general_headline():
    large = gain(verdict(1823, 100_000), verdict(2940, 1000), slower=4.0)
    assert conditions([large, gain(verdict(7800), verdict(1000))]) == ()


def test_wall_time_is_no_objection():
    slower = Timing((1.0, 1.0, 1.0), (2.0, 2.0, 2.0), (100, 100))
    assert gain(verdict(2000), verdict(1000), timing=slower).against == []
    more_memory = Timing((1.0,), (1.0,), (100, 50_000_000))
    assert "memory" in gain(verdict(2000), verdict(1000), timing=more_memory).against[0]


def test_large_input_decides_and_small_calls_may_become_little_slower():
    before, after = verdict(1000, 100_000), verdict(1300, 1000)
    assert is_promising(before, after)
    assert gain(before, after, slower=0.5).against == []
    assert gain(before, after).against  # the calls of a workload that the user named may not
    assert gain(before, verdict(1600, 1000), slower=0.5).against
    assert gain(before, verdict(3900, 20_000), slower=4.0).against == []
    assert gain(before, verdict(3900, 30_000), slower=4.0).against  # large inputs gain less than small ones lose


def test_large_input_may_not_become_slower():
    assert "largest input" in gain(verdict(1000, 1_000_000), verdict(900, 50_000_000)).against[0]


def test_other_hash_seeds_may_not_take_back_the_gain():
    for before, after in ((verdict(1000, 1_000_000), verdict(1400, 10_000)), (verdict(1000), verdict(500))):
        assert gain(before, after, slower=0.5, seeds=((100, 100),)).against == []
        assert gain(before, after, slower=0.5, seeds=((100, 110),)).against == [
            "under another hash seed it executes more instructions"
        ]


class CountedBench:
    """A bench whose counts are known; it remembers which call was counted under other hash seeds."""

    target, is_workload_named = Target("a.py", "f"), False

    def __init__(self, before):
        self.before, self.asked = before, []

    def baseline(self):
        return self.before

    def seeds(self, tree, is_large):
        self.asked.append(is_large)
        return [(1_000_000, 10_000) if is_large else (100, 200)]

    def workload(self, tree):
        return []

    def timing(self, tree):
        return None

    def type_differences(self, tree):
        return (TypeDifference("unhashable", True, "f([[1]])"),)


@pytest.mark.parametrize(
    ("before", "after", "is_large"),
    [
        (verdict(1000, 1_000_000), verdict(1400, 10_000), True),  # the largest recorded call alone may be slower
        (verdict(1000, 1_000_000), verdict(900, 999_999), False),
        (verdict(1000), verdict(500), False),
    ],
)
def test_other_hash_seeds_are_counted_on_the_call_that_the_gain_rests_on(before, after, is_large):
    bench = CountedBench(before)
    found = measure_gain(bench, after)
    assert bench.asked == [is_large]
    assert bool(found.against) == (not is_large)


def test_counts_under_other_hash_seeds_are_recorded_by_the_call_that_was_counted():
    """A run that an earlier version began recorded those of the largest recorded call."""
    recorded = {"more seeds a.py:f old": [100], "more seeds a.py:f new": [200]}
    turn = SimpleNamespace(settings=SimpleNamespace(benchmark=""))
    task = SimpleNamespace(once=lambda name, make: recorded.get(name) or [len(name)], turn=turn)
    bench = Bench(task, Target("a.py", "f"), "old", "pytest")
    assert bench.seeds("new", is_large=False) == [(100, 200)]
    ((before, after),) = bench.seeds("new", is_large=True)
    assert {before, after}.isdisjoint({100, 200})


def test_candidates_are_ranked_and_rewarded_by_large_input():
    constant, linear = verdict(900, 95_000, "constant"), verdict(1000, 1000, "linear")
    assert best_of([constant, linear]) is linear
    assert rewards([constant.n, linear.n]) == [1.0, 2.0]
    assert verdict(900).n == 900


@pytest.mark.parametrize(("cost", "promising"), [(700, True), (701, False), (1050, False), (500, True)])
def test_rewrite_that_saves_less_than_the_least_ratio_is_dropped(cost: int, promising: bool) -> None:
    assert is_promising(verdict(1050), verdict(cost), LEAST_RATIO) == promising


@pytest.mark.parametrize(("cost", "promising"), [(1029, True), (1030, False), (1051, False)])
def test_candidate_of_a_model_needs_fewer_instructions(cost: int, promising: bool) -> None:
    assert is_promising(verdict(1050), verdict(cost)) == promising
