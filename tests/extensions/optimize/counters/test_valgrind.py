"""Valgrind counts executed instructions: loops of known length are counted exactly."""

import platform
import sys

import pytest

from extensions.optimize.measurement.command_count import count_command
from extensions.optimize.measurement.instruction_count import count_calls, incomparable_reason
from tests.extensions.optimize.counters.conftest import SOURCE, call, target
from tests.sampling import sample
from trajectories.errors import UsageError

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.usefixtures("valgrind"),
    pytest.mark.skipif(platform.machine() != "x86_64", reason="the known loop is written for this processor"),
]
LOOP = 2
"""Instructions of one round of the known loop."""


def count(fork, name, *args, **more):
    return count_calls(fork, target(name), [call(*each) for each in args], backend="valgrind", **more)


def test_loop_of_known_length_is_counted_exactly(fork):
    # The count includes listing the folders on the path, into which other tests write meanwhile: one of a few is exact.
    for _ in range(4):
        first = count(fork, "spin", (1000,), (501_000,), (1000,))
        short, long, again = first.calls
        if long.warm - short.warm == long.cold - short.cold == LOOP * 500_000 and short == again:
            break
    assert long.warm - short.warm == long.cold - short.cold == LOOP * 500_000
    assert short == again, "a call's count depends on the calls before it"
    assert 0 < short.warm - LOOP * 1000 < 5000
    second = count(fork, "spin", (1000,), (501_000,), (1000,))
    for one, two in zip(first.calls, second.calls, strict=True):
        assert (two.cold, two.warm) == pytest.approx((one.cold, one.warm), abs=5000)
    assert first.backend == "valgrind"
    assert {"tool", "python", "address randomisation", "gc", "hash seed"} <= set(first.conditions)
    assert first.conditions["address randomisation"] == "off"
    assert incomparable_reason(first, second) == ""


@pytest.mark.parametrize("name", ["in_thread", "in_fork"])
@pytest.mark.parametrize("kind", ["local"])
def test_work_in_threads_and_forks_without_wait_is_counted(fork, name, kind):
    little, much = count(fork, name, (1,), (2_000_000,)).calls
    for before, after in ((little.cold, much.cold), (little.warm, much.warm)):
        assert LOOP * 2_000_000 * 0.99 < after - before < LOOP * 2_000_000 * 1.1


@pytest.mark.parametrize("kind", ["local"])
def test_large_call_is_counted_once_after_small_ones(fork, kind):
    """`remembered` keeps its results: a second run of the same call would cost next to nothing."""
    small, large = count(fork, "remembered", (1,), large=[call(500_000)], warm_up=call(1)).calls
    assert small.cold > small.warm
    assert large.cold == large.warm == pytest.approx(LOOP * 500_000, abs=5000)


def test_programs_started_by_call_are_counted(fork):
    little, much = count(fork, "in_child", (10,), (200_000,)).calls
    assert little.warm > 2_000_000, "the child's start is missing"
    assert much.warm - little.warm > 200_000 * 10


@pytest.mark.parametrize("kind", ["local"])
def test_each_count_has_fresh_arguments_and_consumes_result(fork, kind):
    emptied = count(fork, "empty_it", (list(range(2000)),)).calls[0]
    assert emptied.warm > 2000 * 20
    assert emptied.warm == pytest.approx(emptied.cold, rel=0.05)
    for name, rounds in sample((("lazy", 3), ("later", 1), ("refuse", 1)), 1):
        little, much = count(fork, name, (1,), (100_001,)).calls
        assert much.warm - little.warm == pytest.approx(rounds * LOOP * 100_000, rel=0.05), name


@pytest.mark.parametrize("kind", ["local"])
def test_hash_seeds_and_spread_are_reported(fork, kind):
    counts = count(fork, "words", (300,), seeds=(0, 1))
    assert counts.conditions["hash seed"] == "0, 1"
    assert 0 < counts.spread < 0.2
    again = count(fork, "words", (300,), seeds=(0, 1))
    assert again.conditions == counts.conditions
    # Not exact: other tests write into folders on the path, whose listings are in the memory of the process.
    assert again.calls[0].warm == pytest.approx(counts.calls[0].warm, rel=0.002)
    assert again.calls[0].cold == pytest.approx(counts.calls[0].cold, rel=0.002)


@pytest.mark.parametrize("kind", ["local"])
def test_endless_call_and_missing_target_are_reported(fork, kind):
    with pytest.raises(UsageError, match=r"Call 0 of shop/work.py:forever did not end"):
        count(fork, "forever", (), timeout=2)
    with pytest.raises(UsageError, match=r"could not be called.*nobody"):
        count(fork, "nobody", ())


def test_work_before_fork_is_counted_once(tmp_path, monkeypatch):
    (tmp_path / "spinning.py").write_text(SOURCE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")  # otherwise only the first command compiles the module
    alone = "import os; from spinning import SPIN; SPIN(10_000_000)"
    forking = f"{alone}; [os.fork() or os._exit(0) for _ in range(3)]"
    forked, unforked = (
        count_command([sys.executable, "-S", "-c", each], backend="valgrind").instructions for each in (forking, alone)
    )
    assert 0 < forked - unforked < LOOP * 10_000_000 * 0.5
