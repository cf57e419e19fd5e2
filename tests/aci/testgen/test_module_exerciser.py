"""Calls in a process of the workspace: what they do, what they may not do, which mutants they notice."""

from __future__ import annotations

from pathlib import Path

import pytest

from aci.testgen.module_exerciser import Case, CaseOutcome, parse_outcome
from trajectories.errors import UsageError

pytestmark = pytest.mark.slow


def one(exercise, call: str, *lines: str, watch: tuple[str, ...] = ()) -> CaseOutcome:
    (seen,) = exercise.observe([Case(lines, call, watch)])
    return seen


def test_value_raise_that_is_meant_and_one_that_is_not(exercise) -> None:
    shop = exercise()
    seen = one(shop, "reduced(200, 'SUMMER')")
    assert (seen.kind, seen.asserts) == ("returned", (("equal", "result", "180.0"),))
    raised = one(shop, "reduced(1, 'AUTUMN')")
    assert (raised.kind, raised.name, raised.meant) == ("raised", "Unknown", True)
    wrong = one(shop, "reduced('a')")
    assert (wrong.kind, wrong.error, wrong.meant) == ("raised", "TypeError", False)


def test_object_is_told_by_its_state_where_call_changes_it(exercise) -> None:
    shop = exercise()
    seen = one(shop, "stock.take(2)", "stock = Stock(5)", watch=("stock",))
    assert ("equal", "stock.left", "3") in seen.asserts
    made = one(shop, "Stock(7)")
    assert made.asserts == (("isa", "result", "Stock"), ("equal", "result.left", "7"))


def test_what_raises_early_is_case(exercise) -> None:
    seen = one(exercise(), "stock.take(1)", "stock = Stock()", "stock.take(9)", "stock.take(0)")
    assert (seen.case.lines, seen.case.call, seen.error) == (("stock = Stock()",), "stock.take(9)", "ValueError")


def test_what_hangs_or_dies_loses_only_itself(exercise) -> None:
    shop = exercise()
    calls = ["endless(9)", "__import__('os')._exit(3)", "reduced(5)", "(one for one in iter(int, 1))"]
    found = shop.observe([Case((), call) for call in calls])
    assert [seen.kind for seen in found] == ["late", "died", "returned", "returned"]
    assert found[3].case.call.startswith("list(islice(")


@pytest.mark.parametrize(
    "call",
    [
        "open(FILE, 'w')",
        "__import__('os').remove(FILE)",
        "cleared(FILE)",
        "__import__('subprocess').run(['touch', FILE + '2'])",
        "__import__('os').system('touch ' + FILE + '2')",
        "__import__('socket').create_connection(('127.0.0.1', 9))",
        "__import__('shutil').rmtree(FILE)",
        "__import__('os').kill(1, 9)",
        "open(FILE).read()",
    ],
)
def test_harm_is_stopped_before_it_is_done(exercise, tmp_path: Path, call: str) -> None:
    file = tmp_path / "mine.txt"
    file.write_text("kept")
    seen = one(exercise(), call.replace("FILE", repr(str(file))))
    assert seen.kind == "harm"
    assert file.read_text() == "kept"
    assert sorted(path.name for path in tmp_path.glob("mine*")) == ["mine.txt"]


def test_harm_that_is_caught_is_seen_all_same(exercise) -> None:
    caught = "    try:\n        os.remove(path)\n    except BaseException:\n        pass\n    return 1\n"
    shop = exercise(f"import os\n\n\ndef f(path):\n{caught}")
    assert one(shop, "f('/nowhere/at/all')").kind == "harm"


def test_mutants_are_noticed_by_what_is_asserted(exercise) -> None:
    shop = exercise()
    seen = one(shop, "reduced(200, 'SUMMER')")
    (noticed,) = shop.check([(seen, sorted(shop.usable()))])
    whats = {shop.mutants[number].what for number in noticed.killed}
    assert noticed.steady
    assert "(100 + 1) for 100" in whats
    assert "negates `code not in CODES`" in whats
    assert not any("count" in what for what in whats)


def test_what_another_process_answers_otherwise_is_not_steady(exercise, room) -> None:
    place = room()
    here, there = exercise(place=place), exercise(place=place, hash_seed=1)
    random, order, good = (one(here, call) for call in ("lucky()", "order([1])", "reduced(3)"))
    assert [noticed.steady for noticed in here.check([(seen, ()) for seen in (random, order, good)])] == [
        False,
        True,
        True,
    ]
    assert [noticed.steady for noticed in there.check([(order, ()), (good, ())])] == [False, True]


CHANCE = """import datetime, logging, os, random, time, uuid
from datetime import date
HERE = os.path.dirname(__file__)
def mostly(a): return "most" if random.random() < 0.9 else "few"
def shuffled(a): return len(str(random.choice([1, 2, 3])))
def own(a): return random.Random().random() < 2
def system(a): return random.SystemRandom().random() < 2
def unique(a): return len(str(uuid.uuid4()))
def year(a): return datetime.datetime.now().year
def today(a): return date.today().year
def stamp(a): return time.strftime("%Y")
def age(a): return int(time.time()) // 10**9
def zone(a): return time.localtime(0).tm_year
def local(a): return datetime.datetime.fromtimestamp(10**9).hour
def home(a): return os.path.expanduser("~")
def here(a): return os.path.abspath("abc")
def root(a): return HERE
def seeded(a):
    random.seed(a)
    return random.random()
def drawn(a): return random.Random(a).random()
def logged(a):
    logging.getLogger("x").warning("%s", a)
    return a
def slow(a):
    begun = time.monotonic()
    return time.monotonic() >= begun
"""


def test_what_asks_for_chance_clock_or_its_place_is_not_steady(exercise) -> None:
    shop = exercise(CHANCE)
    names = [line[4:].partition("(")[0] for line in CHANCE.splitlines() if line.startswith("def ")]
    seen = shop.observe([Case((), f"{name}(2)") for name in names], 1.0)
    checked = shop.check([(one, ()) for one in seen], 1.0)
    steady = {name for name, noticed in zip(names, checked, strict=True) if noticed.steady}
    assert steady == {"seeded", "drawn", "logged", "slow"}


def test_caches_do_not_hide_mutants(exercise) -> None:
    shop = exercise("from functools import lru_cache\n\n\n@lru_cache\ndef f(a):\n    return a + 1\n")
    seen = one(shop, "f(4)")
    (noticed,) = shop.check([(seen, sorted(shop.usable()))])
    assert noticed.killed == shop.usable() != frozenset()


def test_module_that_cannot_be_imported_is_said_in_sentence(exercise) -> None:
    with pytest.raises(UsageError, match=r"cannot be imported: .*nowhere"):
        exercise("import nowhere_at_all\n\n\ndef f():\n    return 1\n")


def test_mutants_that_end_process_are_noticed_each(exercise) -> None:
    code = (
        "import os\n\n\ndef f(a):\n"
        + "".join(f"    if a == {n}:\n        os._exit(1)\n" for n in (1, 2))
        + "    return a\n"
    )
    shop = exercise(code)
    good, bad = one(shop, "f(5)"), one(shop, "f(6)")
    first, second = shop.check([(seen, sorted(shop.usable())) for seen in (good, bad)])
    ending = {n for n in shop.usable() if shop.mutants[n].what.startswith(("negates", "`!=`"))}
    assert len(ending) == 4
    assert first.steady
    assert second.steady
    assert ending <= first.killed
    assert first.killed == second.killed


@pytest.mark.parametrize(
    "call",
    [
        "__import__('os').mkfifo(FILE + '2')",
        "__import__('os').mknod(FILE + '2')",
        "spawnv_passfds(b'/bin/sh', [b'sh', b'-c', b'touch ' + FILE.encode()], [])",
        "left(FILE + '2')",
        "later(FILE + '2')",
        "at_end()",
    ],
)
def test_harm_without_event_or_behind_call_is_stopped(exercise, tmp_path: Path, call: str) -> None:
    code = (
        "import atexit\nimport threading\nfrom multiprocessing.util import spawnv_passfds\nfrom os import mkfifo\n\n\n"
        "class Left:\n    def __init__(self, path):\n        self.path = path\n\n"
        "    def __del__(self):\n        open(self.path, 'w').close()\n\n\n"
        "def left(path):\n    one = Left(path)\n    one.itself = one\n    return 1\n\n\n"
        "def later(path):\n    threading.Timer(0.03, open, (path, 'w')).start()\n    return 1\n\n\n"
        "def at_end():\n    atexit.register(print)\n    return 1\n"
    )
    file = tmp_path / "mine.txt"
    shop = exercise(code)
    found = shop.observe([Case((), call.replace("FILE", repr(str(file)))), Case((), "len('ab')")])
    assert [seen.kind for seen in found] == ["harm", "returned"]
    assert sorted(path.name for path in tmp_path.glob("mine*")) == []


@pytest.mark.slow
def test_coroutine_is_run(exercise) -> None:
    shop = exercise("import asyncio\n\n\nasync def f(a):\n    await asyncio.sleep(0)\n    return a + 1\n")
    seen = one(shop, "asyncio.run(f(2))")
    assert (seen.kind, seen.asserts) == ("returned", (("equal", "result", "3"),))
    (noticed,) = shop.check([(seen, sorted(shop.usable()))])
    assert noticed.killed


@pytest.mark.slow
def test_what_waits_is_found_out_by_its_sleep_and_is_not_tried_on_and_on(exercise) -> None:
    shop = exercise("import threading\n\n\ndef wait():\n    threading.Event().wait()\n\n\ndef f(a):\n    return a\n")
    found = shop.observe([Case((), "f(1)"), *[Case((), "wait()")] * 6])
    assert [seen.kind for seen in found] == ["returned", *["died"] * 3, *["setup"] * 3]


@pytest.mark.parametrize(
    "said", ["{}", "[]", '{\\"unit\\": 0, \\"steady\\": 1}', '{\\"begin\\": \\"a\\"}', "null", "x" * 9]
)
def test_what_code_under_test_says_for_its_process_ends_nothing(exercise, said: str) -> None:
    shop = exercise(
        "import os\n\n\ndef f(a):\n    for fd in range(3, 40):\n        try:\n"
        f'            os.write(fd, b"{said}\\n")\n        except OSError:\n            pass\n    return a\n'
    )
    found = shop.observe([Case((), "f(1)"), Case((), "len('ab')")])
    assert found[1].kind == "returned"


ANSWER = {"lines": ["a = [1]"], "call": "f(a)", "kind": "returned", "arcs": [[1, 2]], "ran": [2]}


@pytest.mark.parametrize(
    ("changed", "kind"),
    [
        ({}, "returned"),
        ({"call": "list(islice(f(a), 30))"}, "returned"),
        ({"lines": [], "call": "[1]"}, "returned"),
        (
            {"asserts": [["equal", "list(result.items())[:40]", "{'a': (1, -2.0), 'b': Kind.A, 'c': float('inf')}"]]},
            "returned",
        ),
        ({"call": "__import__('os').system('id')"}, "died"),
        ({"lines": ["a = 1"]}, "died"),
        ({"lines": 3}, "died"),
        ({"arcs": [[1, "2"]]}, "died"),
        ({"arcs": [1]}, "died"),
        ({"ran": ["2"]}, "died"),
        ({"line": "x"}, "died"),
        ({"kind": "other"}, "died"),
        ({"asserts": [["equal", "result", "__import__('os').system('id')"]]}, "died"),
        ({"asserts": [["equal", "result", "open('x')"]]}, "died"),
        ({"asserts": [["equal", "result", "1\nassert f(2)"]]}, "died"),
        ({"asserts": [["equal", "result.__class__", "1"]]}, "died"),
        ({"asserts": [["equal", "result"]]}, "died"),
        ({"asserts": [["other", "result", "1"]]}, "died"),
        ({"error": "E():\n    pass"}, "died"),
        ({"name": "print(1)"}, "died"),
    ],
)
def test_answer_of_another_shape_is_no_answer(changed: dict, kind: str) -> None:
    assert parse_outcome(Case(("a = [1]",), "f(a)"), ANSWER | changed).kind == kind
