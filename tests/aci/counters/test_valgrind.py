"""What valgrind counts is what was executed: loops of known length are found to the instruction."""

import platform

import pytest

from aci.performance.instruction_count import count_calls, count_workload, incomparable_reason
from tests.aci.counters.conftest import FILE, SOURCE, call, target
from tests.sampling import sample
from trajectories.errors import UsageError

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.usefixtures("valgrind"),
    pytest.mark.skipif(platform.machine() != "x86_64", reason="the known loop is written for this processor"),
]
LOOP = 2
"""Instructions of a round of the known loop."""


def counted(room, name, *args, **more):
    return count_calls(room, target(name), [call(*each) for each in args], backend="valgrind", **more)


def test_loop_of_known_length_is_counted_to_instruction(room):
    # What others write beside modules on the path meanwhile is listed anew, and counted: so one of a few is exact.
    for _ in range(4):
        first = counted(room, "spin", (1000,), (501_000,), (1000,))
        short, long, again = first.calls
        if long.warm - short.warm == long.cold - short.cold == LOOP * 500_000 and short == again:
            break
    assert long.warm - short.warm == long.cold - short.cold == LOOP * 500_000
    assert short == again, "a call's count depends on the calls before it"
    assert 0 < short.warm - LOOP * 1000 < 5000
    second = counted(room, "spin", (1000,), (501_000,), (1000,))
    for one, two in zip(first.calls, second.calls, strict=True):
        assert (two.cold, two.warm) == pytest.approx((one.cold, one.warm), abs=5000)
    assert first.backend == "valgrind"
    assert {"tool", "python", "address randomisation", "gc", "hash seed"} <= set(first.conditions)
    assert first.conditions["address randomisation"] == "off"
    assert incomparable_reason(first, second) == ""


@pytest.mark.parametrize("name", ["in_thread", "in_fork"])
@pytest.mark.parametrize("kind", ["local"])
def test_work_on_threads_and_in_forks_that_nobody_waits_for_is_counted(room, name, kind):
    little, much = counted(room, name, (1,), (2_000_000,)).calls
    for before, after in ((little.cold, much.cold), (little.warm, much.warm)):
        assert LOOP * 2_000_000 * 0.99 < after - before < LOOP * 2_000_000 * 1.1


def test_programs_that_call_starts_are_counted(room):
    little, much = counted(room, "in_child", (10,), (200_000,)).calls
    assert little.warm > 2_000_000, "the child's start is missing"
    assert much.warm - little.warm > 200_000 * 10


@pytest.mark.parametrize("kind", ["local"])
def test_each_count_is_of_fresh_arguments_and_of_all_that_call_gives(room, kind):
    emptied = counted(room, "empty_it", (list(range(2000)),)).calls[0]
    assert emptied.warm > 2000 * 20
    assert emptied.warm == pytest.approx(emptied.cold, rel=0.05)
    for name, rounds in sample((("lazy", 3), ("later", 1), ("refuse", 1)), 1):
        little, much = counted(room, name, (1,), (100_001,)).calls
        assert much.warm - little.warm == pytest.approx(rounds * LOOP * 100_000, rel=0.05), name


@pytest.mark.parametrize("kind", ["local"])
def test_hash_seeds_are_stated_and_what_they_change_too(room, kind):
    found = counted(room, "words", (300,), seeds=(0, 1))
    assert found.conditions["hash seed"] == "0, 1"
    assert 0 < found.spread < 0.2
    again = counted(room, "words", (300,), seeds=(0, 1))
    assert again.conditions == found.conditions
    # Not to the instruction: other tests write into folders on the path, whose listings lie in the process's memory.
    assert again.calls[0].warm == pytest.approx(found.calls[0].warm, rel=0.002)
    assert again.calls[0].cold == pytest.approx(found.calls[0].cold, rel=0.002)


@pytest.mark.parametrize("kind", ["local"])
def test_call_that_does_not_end_and_target_that_is_not_there_are_told(room, kind):
    with pytest.raises(UsageError, match=r"Call 0 of shop/work.py:forever did not end"):
        counted(room, "forever", (), timeout=2)
    with pytest.raises(UsageError, match=r"could not be called.*nobody"):
        counted(room, "nobody", ())


@pytest.mark.parametrize("kind", ["local"])
def test_what_all_calls_of_function_cost_in_program(room, kind):
    whole, inside, _ = count_workload(room, target("Till.total"), "python3 -S program.py", backend="valgrind")
    assert inside == pytest.approx(LOOP * 2_000_000, rel=0.01)
    assert whole > LOOP * 12_400_000
    for name, rounds in sample((("lazy", 3_000_000), ("later", 500_000), ("Till.open", 1_400_000)), 1):
        again, inside, _ = count_workload(room, target(name), "python3 -S program.py", backend="valgrind")
        assert again == pytest.approx(whole, rel=0.001), name
        assert inside == pytest.approx(LOOP * rounds, rel=0.02), name
    _, inside, _ = count_workload(room, target("fib"), "python3 -S program.py", backend="valgrind")
    # Each of the 176 calls within the first passes a check whether one is counted already: 15 to 75 instructions.
    assert 0 < inside - counted(room, "fib", (10,)).calls[0].cold < 176 * 100
    assert room.read(FILE).decode() == SOURCE
    with pytest.raises(UsageError, match="no function nobody"):
        count_workload(room, target("nobody"), "true", backend="valgrind")


@pytest.mark.parametrize("kind", ["local"])
def test_what_process_has_done_is_not_counted_again_of_its_forks(room, kind):
    fork = "import os; from shop.work import SPIN; SPIN(10_000_000); [os.fork() or os._exit(0) for _ in range(3)]"
    alone = "import os; from shop.work import SPIN; SPIN(10_000_000)"
    forked, plain = (
        count_workload(room, None, f"python3 -S -c '{each}'", backend="valgrind").whole for each in (fork, alone)
    )
    assert 0 < forked - plain < LOOP * 10_000_000 * 0.5
