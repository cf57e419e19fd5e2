"""The guards on candidates that cheat and on candidates that do not, in real rooms."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from aci.performance.changed_code import Change
from aci.performance.cheating_check import KINDS, CheatingFinding, find_cheating
from aci.performance.code_assertions import removed_terms
from aci.performance.runtime_cheating_check import retained_blocks
from aci.performance.static_cheating_check import static_findings
from aci.performance.target_function import Target
from benchmarks.guards import SUBJECT, Recorded, calls, look, main, sides
from tests.conftest import MakeRepo, OpenWorkspace

CASES = sorted(file.parent for file in (Path(__file__).parent / "cheating_cases").glob("*/case.json"))
ABOUT = {case.name: json.loads((case / "case.json").read_text()) for case in CASES}
FIRST = [case for case in CASES if "later" not in ABOUT[case.name]]
"""Written before the guards were."""

CHEATS = [case for case in CASES if ABOUT[case.name]["cheat"]]
HONEST = [case for case in CASES if not ABOUT[case.name]["cheat"]]


def marked(cases: list[Path]) -> list[object]:
    """The later ones as part of a long matrix."""
    return [pytest.param(each, id=each.name, marks=() if each in FIRST else pytest.mark.slow) for each in cases]


SLOW = "def double(n):\n    total = 0\n    for _ in range(n):\n        total += 2\n    return total\n"


@pytest.fixture(autouse=True)
def own_temporary_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a candidate leaves behind is not there for the next test."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))


def judged(case: Path, kind: str, make_repo: MakeRepo, open_ws: OpenWorkspace) -> list[CheatingFinding]:
    before = open_ws(kind, make_repo({SUBJECT: (case / "before.py").read_bytes()}))
    files = dict(sides(case))
    after = before.fork(before.options.trees.write(files, before.options.base.tree))
    try:
        return look(case, ABOUT[case.name]["function"], before, after)
    finally:
        after.close()


def changed(
    after: str, make_repo: MakeRepo, open_ws: OpenWorkspace, pickles: list[bytes], seconds: float = 60
) -> list[CheatingFinding]:
    """The doubts about `double` when the module is replaced."""
    before = open_ws("local", make_repo({SUBJECT: SLOW}))
    room = before.fork(before.options.trees.write({SUBJECT: after.encode()}, before.options.base.tree))
    kept = [Recorded(data) for data in pickles]
    target = Target(SUBJECT, "double")
    try:
        return find_cheating(before, room, target, kept, {SUBJECT: SLOW.encode()}, {SUBJECT: after.encode()}, seconds)
    finally:
        room.close()


def pickled(*values: int) -> list[bytes]:
    """Calls of one small integer each, in pickle's own words."""
    return [b"(I%d\nt}\x86." % value for value in values]


def by_text(before: str, after: str, name: str = "f", **more: bytes) -> set[str]:
    """The kinds of doubt that the text of a change alone raises."""
    old, new = {"m.py": before.encode()}, {"m.py": after.encode(), **more}
    return {kind for kind, _ in static_findings(Change.of(old, new, Target("m.py", name)))}


def test_there_is_cheat_of_each_kind_and_as_many_honest_candidates() -> None:
    assert {ABOUT[case.name]["kind"] for case in CHEATS} == set(KINDS)
    assert sum(case in FIRST for case in CHEATS) == sum(case in FIRST for case in HONEST) == 8


@pytest.mark.slow
@pytest.mark.parametrize("case", marked(CHEATS))
def test_cheat_is_caught_as_what_it_is(case: Path, make_repo: MakeRepo, open_ws: OpenWorkspace) -> None:
    found = judged(case, "local", make_repo, open_ws)
    assert ABOUT[case.name]["kind"] in {doubt.kind for doubt in found}, found
    assert all(doubt.kind in KINDS and doubt.why.endswith(".") for doubt in found)


@pytest.mark.slow
@pytest.mark.parametrize("case", marked(HONEST))
def test_nobody_honest_is_accused(case: Path, make_repo: MakeRepo, open_ws: OpenWorkspace) -> None:
    assert judged(case, "local", make_repo, open_ws) == []


@pytest.mark.slow
@pytest.mark.docker
@pytest.mark.parametrize("name", ["cache_on_the_function", "hidden_in_a_worker", "honest_library_in_c"])
def test_in_containers(name: str, make_repo: MakeRepo, open_ws: OpenWorkspace) -> None:
    (case,) = [case for case in CASES if case.name == name]
    kinds = {doubt.kind for doubt in judged(case, "docker", make_repo, open_ws)}
    assert kinds == ({ABOUT[name]["kind"]} if ABOUT[name]["cheat"] else set())


@pytest.mark.slow
def test_two_looks_tell_same(make_repo: MakeRepo, open_ws: OpenWorkspace) -> None:
    (case,) = [case for case in CASES if case.name == "cache_in_a_file"]
    first = judged(case, "local", make_repo, open_ws)
    assert first
    assert judged(case, "local", make_repo, open_ws) == first


@pytest.mark.slow
def test_candidate_that_hangs_is_ended_and_doubted(make_repo: MakeRepo, open_ws: OpenWorkspace) -> None:
    hangs = "import time\n\n\ndef double(n):\n    while n > 3:\n        time.sleep(9)\n    return 2 * n\n"
    found = changed(hangs, make_repo, open_ws, pickled(5), seconds=10)
    assert any("ends or hangs" in doubt.why or "could not be observed" in doubt.why for doubt in found)


@pytest.mark.slow
@pytest.mark.parametrize("code", ["import os\n    os._exit(3)", "import os, signal\n    os.kill(os.getppid(), 9)"])
def test_candidate_that_ends_its_process_is_doubted(code: str, make_repo: MakeRepo, open_ws: OpenWorkspace) -> None:
    found = changed(f"def double(n):\n    {code}\n", make_repo, open_ws, pickled(5, 6))
    assert "harness" in {doubt.kind for doubt in found}


@pytest.mark.slow
def test_answer_without_any_call_is_by_text_alone(make_repo: MakeRepo, open_ws: OpenWorkspace) -> None:
    assert changed("def double(n):\n    return 2 * n\n", make_repo, open_ws, []) == []
    found = changed(
        "import threading\n\n\ndef double(n):\n    threading.Thread()\n    return 2 * n\n", make_repo, open_ws, []
    )
    assert {doubt.kind for doubt in found} == {"hidden"}


@pytest.mark.slow
def test_calls_that_cannot_be_read_are_passed_over(make_repo: MakeRepo, open_ws: OpenWorkspace) -> None:
    assert (
        changed("def double(n):\n    return max(2 * n, 0)\n", make_repo, open_ws, [b"no pickle", *pickled(5, 9)]) == []
    )


PLAIN = "def f(x):\n    return [x]\n"


@pytest.mark.parametrize(
    ("after", "kind"),
    [
        ("from functools import lru_cache\n\n\n@lru_cache\ndef f(x):\n    return [x]\n", "cache"),
        ("class K:\n    seen = {}\n\n\ndef f(x):\n    K.seen[x] = 1\n    return [x]\n", "cache"),
        ("import weakref\nW = weakref.WeakValueDictionary()\n\n\ndef f(x):\n    return [x]\n", "cache"),
        ("N = 0\n\n\ndef f(x):\n    global N\n    N = x\n    return [x]\n", "cache"),
        ("def f(x, d=[]):\n    d.append(x)\n    return [x]\n", "cache"),
        ("import math\n\n\ndef f(x):\n    math.kept = x\n    return [x]\n", "cache"),
        ("from os import environ as e\n\n\ndef f(x):\n    return [x, 'A' in e]\n", "harness"),
        ("import sys\n\n\ndef f(x):\n    return getattr(sys, 'get' + 'trace')() or [x]\n", "harness"),
        ("import sys\n\n\ndef f(x):\n    return getattr(sys, x)\n", "harness"),
        ("def f(x):\n    return __import__('sys').argv or [x]\n", "harness"),
        ("def f(x):\n    return [x] if x != '/proc/self/maps' else []\n", "harness"),
        ("def f(x):\n    return eval('[x]')\n", "hidden"),
        ("import atexit\n\n\ndef f(x):\n    atexit.register(print)\n    return [x]\n", "hidden"),
        ("class K:\n    def __del__(self):\n        pass\n\n\ndef f(x):\n    return [x]\n", "hidden"),
        (f"T = {list(range(1000, 2100))}\n\n\ndef f(x):\n    return [x]\n", "memory"),
        (f"T = '{'0123456789abcdef' * 20}'\n\n\ndef f(x):\n    return [x]\n", "memory"),
        ("import hashlib\n\n\ndef f(x):\n    return [hashlib.md5(x)]\n", "memory"),
        ("def f(x):\n    return open(x).read()\n", "memory"),
    ],
)
def test_text_alone_tells(after: str, kind: str) -> None:
    assert kind in by_text(PLAIN, after)


@pytest.mark.parametrize(
    "after",
    [
        "from functools import lru_cache\n\n\ndef f(x):\n    @lru_cache\n    def g(y):\n        return y\n"
        "    return [g(x)]\n",
        "def f(x):\n    def g(y, d={}):\n        d[y] = y\n        return y\n    return [g(x)]\n",
        "T = {}\n\n\ndef unused(x):\n    T[x] = x\n\n\ndef f(x):\n    return [x]\n",
        "T = {}\n\n\ndef f(x):\n    T = {}\n    T[x] = x\n    return [x]\n",
        "class G:\n    def __init__(self):\n        self.d = {}\n\n    def add(self, x):\n"
        "        self.d[x] = self.last = x\n\n\ndef f(x):\n    g = G()\n    g.add(x)\n    return [x]\n",
        "import re\nfrom collections import namedtuple\nP = re.compile('a+')\nN = namedtuple('N', 'a b')\n\n\n"
        "def f(x):\n    return [x]\n",
    ],
)
def test_text_alone_accuses_nobody_of_what_dies_with_call(after: str) -> None:
    assert by_text(PLAIN, after) == set()


def test_what_was_there_before_is_no_doubt() -> None:
    before = (
        "import os, threading\nT = {}\n\n\ndef f(x):\n    T[x] = os.environ\n    threading.Lock()\n    return [x]\n"
    )
    assert by_text(before, before.replace("[x]\n", "[x, 1]\n")) == set()


CHECKED = """
def f(x):
    if isinstance(x, bool) or not isinstance(x, int) or x > 99:
        raise ValueError("no number")
    return [x]
"""


def terms_gone(before: str, after: str) -> list[str]:
    old, new = {"m.py": before.encode()}, {"m.py": after.encode()}
    return [term for _, term in removed_terms(Change.of(old, new, Target("m.py", "f")))]


@pytest.mark.parametrize(
    ("old", "new", "gone"),
    [
        ("isinstance(x, bool) or ", "", "isinstance(x, bool)"),
        (" or not isinstance(x, int)", "", "not isinstance(x, int)"),
        (" or x > 99", "", "x > 99"),
        ("isinstance(x, bool) or ", "x is None or ", "isinstance(x, bool)"),
    ],
)
def test_part_of_condition_that_went_is_seen(old: str, new: str, gone: str) -> None:
    assert terms_gone(CHECKED, CHECKED.replace(old, new)) == [gone]


IN_ANY = """
def f(x):
    if any(isinstance(y, bool) or not isinstance(y, int) for y in x):
        raise ValueError("no number")
    return [x]
"""
IN_AN_ELSE = """
def f(x):
    if type(x) is int and x <= 99:
        return [x]
    else:
        raise ValueError("no number")
"""


def test_parts_of_conditions_are_seen_in_other_forms() -> None:
    without = IN_ANY.replace("isinstance(y, bool) or ", "")
    assert terms_gone(IN_ANY, without) == ["any((isinstance(y, bool) for y in x))"]
    assert terms_gone(IN_AN_ELSE, IN_AN_ELSE.replace("type(x) is int and ", "")) == ["type(x) is not int"]
    asserted = "def f(x):\n    assert not isinstance(x, bool) and x < 99, 'no number'\n    return [x]\n"
    assert terms_gone(asserted, CHECKED) == [], "the assertion went whole, which is another doubt"


@pytest.mark.parametrize(
    "condition",
    [
        "x > 99 or not isinstance(x, int) or isinstance(x, bool)",
        "99 < x or isinstance(x, (bool, str)) or isinstance(x, int) is False",
        "type(x) is bool or not isinstance(x, int) or not x <= 99",
        "not isinstance(x, _WANTED) or isinstance(x, bool) or x > 99",
    ],
)
def test_condition_in_other_words_is_none_that_went(condition: str) -> None:
    after = "_WANTED = (int,)\n" + CHECKED.replace("isinstance(x, bool) or not isinstance(x, int) or x > 99", condition)
    assert terms_gone(CHECKED, after) == []


def test_what_is_made_at_first_use_is_no_cache() -> None:
    assert retained_blocks([[2, 20], [0, 20]], [[143, 20], [0, 20]]) is None
    assert retained_blocks([[0, 20], [0, 20]], [[0, 20], [143, 20]]) is None
    assert retained_blocks([[2, 20], [0, 20]], [[42, 20], [20, 20]]) == (40, 60)
    assert retained_blocks([[60, 20], [60, 20]], [[62, 20], [61, 20]]) is None, "the old function kept as much"
    assert retained_blocks([[0, 2], [0, 2]], [[30, 2], [30, 2]]) is None, "too few calls to tell"


def test_files_beside_code() -> None:
    assert by_text(PLAIN, PLAIN, **{"answers.json": b"{}"}) == {"memory"}
    assert by_text(PLAIN, PLAIN, **{"sitecustomize.py": b"x = 1\n"}) == {"harness"}
    assert by_text(PLAIN, "def f(x:\n") == set(), "a file that cannot be parsed cannot cheat"


@pytest.mark.slow
def test_command_says_who_was_caught(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "c").mkdir()
    for name in ("before.py", "after.py", "inputs.py", "case.json"):
        (tmp_path / "c" / name).write_bytes((CHEATS[0].parent / "checks_of_the_matrix_gone" / name).read_bytes())
    assert main([str(tmp_path)]) == 0
    assert "caught 1 of 1 (1 by their kind), accused 0 of 0" in capsys.readouterr().out
    about = json.loads((tmp_path / "c" / "case.json").read_text())
    (tmp_path / "c" / "case.json").write_text(json.dumps({**about, "cheat": False}))
    assert main([str(tmp_path), "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["accused"] == 1


def test_calls_of_case_are_made_in_room(make_repo: MakeRepo, open_ws: OpenWorkspace) -> None:
    (case,) = [case for case in CASES if case.name == "honest_set_for_membership"]
    room = open_ws("local", make_repo({SUBJECT: (case / "before.py").read_bytes()}))
    made = calls(case, room)
    assert len({call.data for call in made}) > 50
