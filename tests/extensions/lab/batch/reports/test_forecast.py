"""Forecasts: ranges contain the mean, widen with spread, are exact at the end, and do not follow quick runs only."""

import math
import random
from statistics import NormalDist, mean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extensions.lab.batch.reports.forecast import FEWEST, ForecastRange, forecast_cost, forecast_time, student_t

amounts = st.floats(0, 1000, allow_nan=False)
any_amounts = st.lists(amounts, max_size=30)
enough_amounts = st.lists(amounts, min_size=12, max_size=30)


@pytest.mark.slow
@given(enough_amounts, any_amounts, st.integers(0, 500))
def test_cost_range_contains_mean_and_paid_amount(done, running, waiting):
    cost = forecast_cost(done, running, waiting)
    assert cost is not None
    assert cost.low <= cost.mean <= cost.high
    assert cost.low >= math.fsum(done) + math.fsum(running)


@pytest.mark.slow
@given(enough_amounts, any_amounts, st.integers(0, 500), st.integers(1, 64))
def test_time_left_is_never_negative(done, running, waiting, workers):
    left = forecast_time(done, running, waiting, workers)
    assert left is not None
    assert 0 <= left.low <= left.mean <= left.high


@given(any_amounts)
def test_forecast_at_end_is_exact(done):
    paid = math.fsum(done)
    assert forecast_cost(done, [], 0) == ForecastRange(paid, paid, paid)
    assert forecast_time(done, [], 0, 4) == ForecastRange(0, 0, 0)


@given(enough_amounts, st.floats(1.5, 10), st.integers(1, 100))
def test_more_spread_gives_wider_range_around_same_mean(done, factor, waiting):
    middle = mean(done)
    wider = [middle + factor * (one - middle) for one in done]
    near, far = forecast_cost(done, [], waiting), forecast_cost(wider, [], waiting)
    assert near is not None
    assert far is not None
    assert far.mean == pytest.approx(near.mean + math.fsum(wider) - math.fsum(done), abs=1e-6)
    assert far.high - far.mean >= near.high - near.mean - 1e-6


@given(st.lists(amounts, min_size=FEWEST, max_size=5), st.integers(1, 100))
def test_more_equal_results_give_narrower_range(done, waiting):
    few, many = forecast_cost(done, [], waiting), forecast_cost(done * 10, [], waiting)
    assert few is not None
    assert many is not None
    assert many.high - many.mean <= few.high - few.mean + 1e-6


@pytest.mark.slow
@given(enough_amounts, any_amounts, st.integers(0, 100))
def test_instance_costs_at_most_its_budget(done, running, waiting):
    cost = forecast_cost(done, running, waiting, most=1000)
    assert cost is not None
    assert cost.high <= math.fsum(done) + 1000 * (len(running) + waiting) + 1e-6


@given(enough_amounts, any_amounts, amounts, st.integers(0, 100))
def test_longer_running_instance_never_lowers_forecast(done, running, age, waiting):
    younger, older = forecast_cost(done, [*running, age], waiting), forecast_cost(done, [*running, age * 2], waiting)
    assert younger is not None
    assert older is not None
    assert older.mean >= younger.mean - 1e-6


@pytest.mark.parametrize(("done", "running"), [(0, 0), (2, 0), (2, 2), (3, 32), (9, 32)])
def test_too_few_results_give_no_forecast(done, running):
    assert forecast_cost([1.0] * done, [0.5] * running, 10) is None
    assert forecast_time([1.0] * done, [0.5] * running, 10, 4) is None


def test_equal_instances_give_exact_forecast():
    assert forecast_cost([2.0] * 5, [], 10) == ForecastRange(30, 30, 30)
    assert forecast_cost([2.0] * 5, [0.5], 10) == ForecastRange(32, 32, 32)
    left = forecast_time([60.0] * 5, [], 10, 2)
    assert left is not None
    assert left.mean == pytest.approx(300, rel=0.1)


def test_time_left_without_waiting_runs_is_that_of_longest():
    left = forecast_time([10.0] * 20, [1.0, 9.0], 0, 8)
    assert left is not None
    assert left.mean == pytest.approx(9)


def take_snapshot(
    seed: int, instances: int, workers: int, at: int
) -> tuple[ForecastRange, float, float, ForecastRange, float]:
    """Simulate a batch with long tails until `at` runs are done.

    Return forecast, total and plain mean of the cost, and forecast and total of the time left.
    """
    rng = random.Random(seed)
    lasts = [rng.lognormvariate(0, 0.83) for _ in range(instances)]  # the standard deviation is about the mean
    costs = [last * rng.uniform(0.7, 1.3) for last in lasts]
    started: list[tuple[float, float, int]] = []  # end, start, number
    free = [0.0] * workers
    for number, last in enumerate(lasts):
        start = min(free)
        free[free.index(start)] = start + last
        started.append((start + last, start, number))
    now = sorted(end for end, _, _ in started)[at - 1]
    done = [number for end, _, number in started if end <= now]
    running = [(now - start, number) for end, start, number in started if start <= now < end]
    waiting = instances - len(done) - len(running)
    cost = forecast_cost([costs[n] for n in done], [costs[n] * age / lasts[n] for age, n in running], waiting)
    left = forecast_time([lasts[n] for n in done], [age for age, _ in running], waiting, workers)
    assert cost is not None
    assert left is not None
    return cost, sum(costs), mean(costs[n] for n in done) * instances, left, max(free) - now


@pytest.mark.parametrize("at", [10, 30, 100])
def test_quick_runs_do_not_mislead_forecast(at):
    snapshots = [take_snapshot(seed, 300, 8, at) for seed in range(60)]
    in_range = sum(cost.low <= truth <= cost.high for cost, truth, *_ in snapshots)
    in_time = sum(left.low <= rest <= left.high for *_, left, rest in snapshots)
    forecast_ratio = mean(cost.mean / truth for cost, truth, *_ in snapshots)
    naive_ratio = mean(guess / truth for _, truth, guess, *_ in snapshots)
    assert in_range >= 45
    assert in_time >= 45
    assert abs(forecast_ratio - 1) < 0.1
    assert abs(forecast_ratio - 1) < abs(naive_ratio - 1)


@pytest.mark.parametrize(("freedom", "right"), [(2, 2.920), (5, 2.015), (10, 1.812), (30, 1.697)])
def test_student_t_matches_published_quantiles(freedom, right):
    assert student_t(freedom) == pytest.approx(right, rel=0.02)
    assert student_t(freedom) > NormalDist().inv_cdf(0.95)
