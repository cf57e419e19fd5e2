"""Calls run in a process of the workspace: outcomes, blocked side effects and noticed mutants."""

from __future__ import annotations

from pathlib import Path

import pytest

from extensions.testgen.answer_schema import is_exploration
from extensions.testgen.module_exerciser import AssertionCheck, Case, CaseOutcome, parse_outcome
from trajectories.errors import UsageError

pytestmark = pytest.mark.slow


def observe(exerciser, call: str, *lines: str, watch: tuple[str, ...] = ()) -> CaseOutcome:
    (outcome,) = exerciser.observe([Case(lines, call, watch)])
    return outcome


def test_outcome_distinguishes_value_intended_and_unintended_error(start_exerciser) -> None:
    shop = start_exerciser()
    outcome = observe(shop, "reduced(200, 'SUMMER')")
    assert (outcome.kind, outcome.asserts) == ("returned", (("equal", "result", "180.0"),))
    raised = observe(shop, "reduced(1, 'AUTUMN')")
    assert (raised.kind, raised.name, raised.meant) == ("raised", "Unknown", True)
    wrong = observe(shop, "reduced('a')")
    assert (wrong.kind, wrong.error, wrong.meant) == ("raised", "TypeError", False)


def test_changed_object_is_asserted_by_its_state(start_exerciser) -> None:
    shop = start_exerciser()
    outcome = observe(shop, "stock.take(2)", "stock = Stock(5)", watch=("stock",))
    assert ("equal", "stock.left", "3") in outcome.asserts
    created = observe(shop, "Stock(7)")
    assert created.asserts == (("equal", "result.left", "7"), ("isa", "result", "Stock"))


def test_line_that_raises_early_becomes_call(start_exerciser) -> None:
    outcome = observe(start_exerciser(), "stock.take(1)", "stock = Stock()", "stock.take(9)", "stock.take(0)")
    assert (outcome.case.lines, outcome.case.call, outcome.error) == (
        ("stock = Stock()",),
        "stock.take(9)",
        "ValueError",
    )


def test_hanging_or_crashing_call_does_not_affect_others(start_exerciser) -> None:
    shop = start_exerciser()
    calls = ["endless(9)", "__import__('os')._exit(3)", "reduced(5)", "(one for one in iter(int, 1))"]
    outcomes = shop.observe([Case((), call) for call in calls])
    assert [outcome.kind for outcome in outcomes] == ["late", "died", "returned", "returned"]
    assert outcomes[3].case.call.startswith("list(islice(")


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
def test_harmful_call_is_blocked(start_exerciser, tmp_path: Path, call: str) -> None:
    file = tmp_path / "mine.txt"
    file.write_text("content")
    outcome = observe(start_exerciser(), call.replace("FILE", repr(str(file))))
    assert outcome.kind == "harm"
    assert file.read_text() == "content"
    assert sorted(path.name for path in tmp_path.glob("mine*")) == ["mine.txt"]


def test_blocked_call_is_reported_even_if_its_error_is_caught(start_exerciser) -> None:
    caught = "    try:\n        os.remove(path)\n    except BaseException:\n        pass\n    return 1\n"
    shop = start_exerciser(f"import os\n\n\ndef f(path):\n{caught}")
    assert observe(shop, "f('/nowhere/at/all')").kind == "harm"


def test_mutants_are_noticed_by_assertions(start_exerciser) -> None:
    shop = start_exerciser()
    outcome = observe(shop, "reduced(200, 'SUMMER')")
    (noticed,) = shop.check([(outcome, sorted(shop.usable()))])
    descriptions = {shop.mutants[number].what for number in noticed.killed}
    assert noticed.steady
    assert "(100 + 1) for 100" in descriptions
    assert "negates `code not in CODES`" in descriptions
    assert not any("count" in description for description in descriptions)


def test_result_that_differs_between_processes_is_not_steady(start_exerciser, open_project) -> None:
    workspace = open_project()
    same_seed, other_seed = start_exerciser(workspace=workspace), start_exerciser(workspace=workspace, hash_seed=1)
    random, order, good = (observe(same_seed, call) for call in ("lucky()", "order([1])", "reduced(3)"))
    assert [noticed.steady for noticed in same_seed.check([(outcome, ()) for outcome in (random, order, good)])] == [
        False,
        True,
        True,
    ]
    assert [noticed.steady for noticed in other_seed.check([(order, ()), (good, ())])] == [False, True]


UNSTEADY_FUNCTIONS = """import datetime, logging, os, random, time, uuid
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
    start = time.monotonic()
    return time.monotonic() >= start
"""


def test_random_time_and_path_dependent_results_are_not_steady(start_exerciser) -> None:
    shop = start_exerciser(UNSTEADY_FUNCTIONS)
    names = [line[4:].partition("(")[0] for line in UNSTEADY_FUNCTIONS.splitlines() if line.startswith("def ")]
    outcomes = shop.observe([Case((), f"{name}(2)") for name in names], 1.0)
    checked = shop.check([(outcome, ()) for outcome in outcomes], 1.0)
    steady = {name for name, noticed in zip(names, checked, strict=True) if noticed.steady}
    assert steady == {"seeded", "drawn", "logged", "slow"}


def test_mutants_are_in_place_only_after_the_objects_are_made(start_exerciser) -> None:
    shop = start_exerciser()
    (outcome,) = shop.observe([Case(("stock = Stock(5)", "stock.take(2)"), "stock.left + 0", ("stock",))])
    (found,) = shop.check([(outcome, sorted(shop.usable()))])
    assert found == AssertionCheck(True, frozenset())


def test_example_shows_arguments_and_objects(start_exerciser) -> None:
    shop = start_exerciser(
        "class Word:\n    def __init__(self, text):\n        self.text = text\n\n\n"
        "class Line:\n    def __init__(self, words):\n        self.words, self._all = words, words\n\n\n"
        "def parse(text, sep=None):\n    return Line([Word(one) for one in text.split(sep)])\n"
    )
    first, second = shop.explore([Case(("text = 'a b'",), "parse(text)"), Case((), "parse(3)")])
    assert first.case == Case(("text = 'a b'",), "parse(text)", (), "parse")
    assert first.objects == (("Line", ""), ("Word", ".words[0]"), ("Word", ".words[1]"))
    assert set(first.calls) == {
        ("parse", "text", "'a b'", ""), ("parse", "sep", "None", ""), ("Word", "text", "'a'", ""),
        ("Word", "text", "'b'", ""), ("Line", "words", "", ""),
    }  # fmt: skip
    assert second.objects == ()


@pytest.mark.parametrize(
    "changed",
    [
        {"calls": [["f", "x", "__import__('os').system('id')", ""]]},
        {"calls": [["f", "x", "1"]]},
        {"objects": [["Node", ".close()"]]},
        {"objects": [["Node", "[0]\n"]]},
        {"about": 3},
    ],
)
def test_exploration_is_accepted_only_in_expected_form(changed: dict) -> None:
    answer = {"about": "f", "calls": [["f", "x", "(pkg.WORD, -1)", "Node"]], "objects": [["Node", "[0].left"]]}
    assert is_exploration(answer)
    assert not is_exploration(answer | changed)


def test_caches_do_not_hide_mutants(start_exerciser) -> None:
    shop = start_exerciser("from functools import lru_cache\n\n\n@lru_cache\ndef f(a):\n    return a + 1\n")
    outcome = observe(shop, "f(4)")
    (noticed,) = shop.check([(outcome, sorted(shop.usable()))])
    assert noticed.killed == shop.usable() != frozenset()


def test_module_that_cannot_be_imported_is_reported(start_exerciser) -> None:
    with pytest.raises(UsageError, match=r"cannot be imported: .*nowhere"):
        start_exerciser("import nowhere_at_all\n\n\ndef f():\n    return 1\n")


def test_each_mutant_that_ends_process_is_noticed(start_exerciser) -> None:
    code = (
        "import os\n\n\ndef f(a):\n"
        + "".join(f"    if a == {n}:\n        os._exit(1)\n" for n in (1, 2))
        + "    return a\n"
    )
    shop = start_exerciser(code)
    good, bad = observe(shop, "f(5)"), observe(shop, "f(6)")
    first, second = shop.check([(outcome, sorted(shop.usable())) for outcome in (good, bad)])
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
        "__import__('readline').write_history_file(FILE + '2')",
        "__import__('readline').read_history_file(FILE)",
        "__import__('signal').pidfd_send_signal(0, 0)",
        "__import__('os').pidfd_open(1)",
        "spawnv_passfds(b'/bin/sh', [b'sh', b'-c', b'touch ' + FILE.encode()], [])",
        "left(FILE + '2')",
        "later(FILE + '2')",
        "at_end()",
    ],
)
def test_harm_without_audit_event_or_after_call_is_blocked(start_exerciser, tmp_path: Path, call: str) -> None:
    code = (
        "import atexit\nimport threading\nfrom multiprocessing.util import spawnv_passfds\nfrom os import mkfifo\n\n\n"
        "class Left:\n    def __init__(self, path):\n        self.path = path\n\n"
        "    def __del__(self):\n        open(self.path, 'w').close()\n\n\n"
        "def left(path):\n    one = Left(path)\n    one.itself = one\n    return 1\n\n\n"
        "def later(path):\n    threading.Timer(0.03, open, (path, 'w')).start()\n    return 1\n\n\n"
        "def at_end():\n    atexit.register(print)\n    return 1\n"
    )
    file = tmp_path / "mine.txt"
    shop = start_exerciser(code)
    outcomes = shop.observe([Case((), call.replace("FILE", repr(str(file)))), Case((), "len('ab')")])
    assert [outcome.kind for outcome in outcomes] == ["harm", "returned"]
    assert sorted(path.name for path in tmp_path.glob("mine*")) == []


@pytest.mark.slow
def test_coroutine_is_run(start_exerciser) -> None:
    shop = start_exerciser("import asyncio\n\n\nasync def f(a):\n    await asyncio.sleep(0)\n    return a + 1\n")
    outcome = observe(shop, "asyncio.run(f(2))")
    assert (outcome.kind, outcome.asserts) == ("returned", (("equal", "result", "3"),))
    (noticed,) = shop.check([(outcome, sorted(shop.usable()))])
    assert noticed.killed


@pytest.mark.slow
def test_waiting_call_is_detected_and_not_retried_forever(start_exerciser) -> None:
    shop = start_exerciser(
        "import threading\n\n\ndef wait():\n    threading.Event().wait()\n\n\ndef f(a):\n    return a\n"
    )
    outcomes = shop.observe([Case((), "f(1)"), *[Case((), "wait()")] * 6])
    assert [outcome.kind for outcome in outcomes] == ["returned", *["died"] * 3, *["setup"] * 3]


@pytest.mark.parametrize(
    "message", ["{}", "[]", '{\\"unit\\": 0, \\"steady\\": 1}', '{\\"begin\\": \\"a\\"}', "null", "x" * 9]
)
def test_forged_messages_of_code_under_test_are_ignored(start_exerciser, message: str) -> None:
    shop = start_exerciser(
        "import os\n\n\ndef f(a):\n    for fd in range(3, 40):\n        try:\n"
        f'            os.write(fd, b"{message}\\n")\n        except OSError:\n            pass\n    return a\n'
    )
    outcomes = shop.observe([Case((), "f(1)"), Case((), "len('ab')")])
    assert outcomes[1].kind == "returned"


ANSWER = {"lines": ["a = [1]"], "call": "f(a)", "kind": "returned", "arcs": [[1, 2]]}


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
def test_answer_is_accepted_only_in_expected_form(changed: dict, kind: str) -> None:
    assert parse_outcome(Case(("a = [1]",), "f(a)"), ANSWER | changed).kind == kind


def test_alias_of_types_in_annotation_is_described(start_exerciser) -> None:
    shop = start_exerciser(
        "from typing import Union\n\nclass Node:\n    def __init__(self, part: 'Tree'):\n        self.part = part\n\n\n"
        "Tree = Union[Node, str]\n\n\ndef f(a: 'Tree', b: 'int', c: 'Unknown'):\n    return a\n"
    )
    (function,), (node,) = shop.offers["functions"], shop.offers["classes"]
    texts = [param["annotation"] for param in (*node["params"], *function["params"])]
    assert texts == ["typing.Union[shop.Node, str]", "typing.Union[shop.Node, str]", "int", "Unknown"]
