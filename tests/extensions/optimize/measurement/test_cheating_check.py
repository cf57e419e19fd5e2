"""Cheating checks on cheating and on honest candidates, in real workspaces."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from aci.runtime.target_function import Target
from benchmarks.guards import SUBJECT, Recorded, calls, look, main, sides
from extensions.optimize.measurement.changed_code import Change
from extensions.optimize.measurement.cheating_check import KINDS, CheatingFinding, find_cheating
from extensions.optimize.measurement.code_assertions import removed_terms
from extensions.optimize.measurement.runtime_cheating_check import retained_blocks
from extensions.optimize.measurement.static_cheating_check import static_findings
from tests.conftest import MakeRepo, OpenWorkspace

CASES = sorted(file.parent for file in (Path(__file__).parent / "cheating_cases").glob("*/case.json"))
CASE_INFO = {case.name: json.loads((case / "case.json").read_text()) for case in CASES}
FIRST = [case for case in CASES if "later" not in CASE_INFO[case.name]]
"""The cases that were written before the checks."""

CHEATS = [case for case in CASES if CASE_INFO[case.name]["cheat"]]
HONEST = [case for case in CASES if not CASE_INFO[case.name]["cheat"]]


def marked(cases: list[Path]) -> list[object]:
    """Mark the later cases as slow."""
    return [pytest.param(each, id=each.name, marks=() if each in FIRST else pytest.mark.slow) for each in cases]


SLOW = "def double(n):\n    total = 0\n    for _ in range(n):\n        total += 2\n    return total\n"


@pytest.fixture(autouse=True)
def own_temporary_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give each test a new temporary folder, so that no candidate finds files of another."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))


def check_case(case: Path, kind: str, make_repo: MakeRepo, open_ws: OpenWorkspace) -> list[CheatingFinding]:
    before = open_ws(kind, make_repo({SUBJECT: (case / "before.py").read_bytes()}))
    files = dict(sides(case))
    after = before.fork(before.options.trees.write(files, before.options.base.tree))
    try:
        return look(case, CASE_INFO[case.name]["function"], before, after)
    finally:
        after.close()


def check_change(
    after: str, make_repo: MakeRepo, open_ws: OpenWorkspace, pickles: list[bytes], seconds: float = 60
) -> list[CheatingFinding]:
    """Return the findings about `double` when the module is replaced."""
    before = open_ws("local", make_repo({SUBJECT: SLOW}))
    workspace = before.fork(before.options.trees.write({SUBJECT: after.encode()}, before.options.base.tree))
    recorded = [Recorded(data) for data in pickles]
    target = Target(SUBJECT, "double")
    try:
        return find_cheating(
            before, workspace, target, recorded, {SUBJECT: SLOW.encode()}, {SUBJECT: after.encode()}, seconds
        )
    finally:
        workspace.close()


def pickled_calls(*values: int) -> list[bytes]:
    """Return pickled calls with one small integer each, written as pickle opcodes."""
    return [b"(I%d\nt}\x86." % value for value in values]


def static_kinds(before: str, after: str, name: str = "f", **more: bytes) -> set[str]:
    """Return the kinds of findings for the text of a change alone."""
    old, new = {"m.py": before.encode()}, {"m.py": after.encode(), **more}
    return {kind for kind, _ in static_findings(Change.of(old, new, Target("m.py", name)))}


def test_cases_cover_every_kind_and_as_many_honest_candidates() -> None:
    assert {CASE_INFO[case.name]["kind"] for case in CHEATS} == set(KINDS)
    assert sum(case in FIRST for case in CHEATS) == sum(case in FIRST for case in HONEST) == 8


@pytest.mark.slow
@pytest.mark.parametrize("case", marked(CHEATS))
def test_cheat_is_detected_as_its_kind(case: Path, make_repo: MakeRepo, open_ws: OpenWorkspace) -> None:
    findings = check_case(case, "local", make_repo, open_ws)
    assert CASE_INFO[case.name]["kind"] in {finding.kind for finding in findings}, findings
    assert all(finding.kind in KINDS and finding.why.endswith(".") for finding in findings)


@pytest.mark.slow
@pytest.mark.parametrize("case", marked(HONEST))
def test_honest_candidate_has_no_findings(case: Path, make_repo: MakeRepo, open_ws: OpenWorkspace) -> None:
    assert check_case(case, "local", make_repo, open_ws) == []


@pytest.mark.slow
@pytest.mark.docker
@pytest.mark.parametrize("name", ["cache_on_function", "hidden_in_worker_thread", "honest_library_in_c"])
def test_checks_work_in_containers(name: str, make_repo: MakeRepo, open_ws: OpenWorkspace) -> None:
    (case,) = [case for case in CASES if case.name == name]
    kinds = {finding.kind for finding in check_case(case, "docker", make_repo, open_ws)}
    assert kinds == ({CASE_INFO[name]["kind"]} if CASE_INFO[name]["cheat"] else set())


@pytest.mark.slow
def test_check_is_repeatable(make_repo: MakeRepo, open_ws: OpenWorkspace) -> None:
    (case,) = [case for case in CASES if case.name == "cache_in_file"]
    first = check_case(case, "local", make_repo, open_ws)
    assert first
    assert check_case(case, "local", make_repo, open_ws) == first


@pytest.mark.slow
def test_hanging_candidate_is_stopped_and_reported(make_repo: MakeRepo, open_ws: OpenWorkspace) -> None:
    hangs = "import time\n\n\ndef double(n):\n    while n > 3:\n        time.sleep(9)\n    return 2 * n\n"
    findings = check_change(hangs, make_repo, open_ws, pickled_calls(5), seconds=10)
    assert any("ends or hangs" in finding.why or "could not be observed" in finding.why for finding in findings)


@pytest.mark.slow
@pytest.mark.parametrize("code", ["import os\n    os._exit(3)", "import os, signal\n    os.kill(os.getppid(), 9)"])
def test_candidate_that_ends_its_process_is_reported(code: str, make_repo: MakeRepo, open_ws: OpenWorkspace) -> None:
    findings = check_change(f"def double(n):\n    {code}\n", make_repo, open_ws, pickled_calls(5, 6))
    assert "harness" in {finding.kind for finding in findings}


@pytest.mark.slow
def test_check_without_calls_uses_only_source_text(make_repo: MakeRepo, open_ws: OpenWorkspace) -> None:
    assert check_change("def double(n):\n    return 2 * n\n", make_repo, open_ws, []) == []
    findings = check_change(
        "import threading\n\n\ndef double(n):\n    threading.Thread()\n    return 2 * n\n", make_repo, open_ws, []
    )
    assert {finding.kind for finding in findings} == {"hidden"}


@pytest.mark.slow
def test_unreadable_calls_are_skipped(make_repo: MakeRepo, open_ws: OpenWorkspace) -> None:
    assert (
        check_change(
            "def double(n):\n    return max(2 * n, 0)\n", make_repo, open_ws, [b"no pickle", *pickled_calls(5, 9)]
        )
        == []
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
def test_static_check_detects_cheat(after: str, kind: str) -> None:
    assert kind in static_kinds(PLAIN, after)


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
def test_static_check_accepts_state_local_to_call(after: str) -> None:
    assert static_kinds(PLAIN, after) == set()


def test_constructs_already_in_original_are_accepted() -> None:
    before = (
        "import os, threading\nT = {}\n\n\ndef f(x):\n    T[x] = os.environ\n    threading.Lock()\n    return [x]\n"
    )
    assert static_kinds(before, before.replace("[x]\n", "[x, 1]\n")) == set()


CHECKED = """
def f(x):
    if isinstance(x, bool) or not isinstance(x, int) or x > 99:
        raise ValueError("no number")
    return [x]
"""


def removed_conditions(before: str, after: str) -> list[str]:
    old, new = {"m.py": before.encode()}, {"m.py": after.encode()}
    return [term for _, term in removed_terms(Change.of(old, new, Target("m.py", "f")))]


@pytest.mark.parametrize(
    ("old", "new", "removed"),
    [
        ("isinstance(x, bool) or ", "", "isinstance(x, bool)"),
        (" or not isinstance(x, int)", "", "not isinstance(x, int)"),
        (" or x > 99", "", "x > 99"),
        ("isinstance(x, bool) or ", "x is None or ", "isinstance(x, bool)"),
    ],
)
def test_removed_part_of_condition_is_found(old: str, new: str, removed: str) -> None:
    assert removed_conditions(CHECKED, CHECKED.replace(old, new)) == [removed]


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


def test_removed_conditions_are_found_in_other_forms() -> None:
    without = IN_ANY.replace("isinstance(y, bool) or ", "")
    assert removed_conditions(IN_ANY, without) == ["any((isinstance(y, bool) for y in x))"]
    assert removed_conditions(IN_AN_ELSE, IN_AN_ELSE.replace("type(x) is int and ", "")) == ["type(x) is not int"]
    asserted = "def f(x):\n    assert not isinstance(x, bool) and x < 99, 'no number'\n    return [x]\n"
    assert removed_conditions(asserted, CHECKED) == [], "the whole assertion was removed, which is another finding"


@pytest.mark.parametrize(
    "condition",
    [
        "x > 99 or not isinstance(x, int) or isinstance(x, bool)",
        "99 < x or isinstance(x, (bool, str)) or isinstance(x, int) is False",
        "type(x) is bool or not isinstance(x, int) or not x <= 99",
        "not isinstance(x, _WANTED) or isinstance(x, bool) or x > 99",
    ],
)
def test_rewritten_condition_is_not_removed(condition: str) -> None:
    after = "_WANTED = (int,)\n" + CHECKED.replace("isinstance(x, bool) or not isinstance(x, int) or x > 99", condition)
    assert removed_conditions(CHECKED, after) == []


def test_first_use_initialisation_is_not_cache() -> None:
    assert retained_blocks([[2, 20], [0, 20]], [[143, 20], [0, 20]]) is None
    assert retained_blocks([[0, 20], [0, 20]], [[0, 20], [143, 20]]) is None
    assert retained_blocks([[2, 20], [0, 20]], [[42, 20], [20, 20]]) == (40, 60)
    assert retained_blocks([[60, 20], [60, 20]], [[62, 20], [61, 20]]) is None, "the old function retained as much"
    assert retained_blocks([[0, 2], [0, 2]], [[30, 2], [30, 2]]) is None, "too few calls for a conclusion"


def test_added_data_and_startup_files_are_reported() -> None:
    assert static_kinds(PLAIN, PLAIN, **{"answers.json": b"{}"}) == {"memory"}
    assert static_kinds(PLAIN, PLAIN, **{"sitecustomize.py": b"x = 1\n"}) == {"harness"}
    assert static_kinds(PLAIN, "def f(x:\n") == set(), "a file that cannot be parsed cannot cheat"


@pytest.mark.slow
def test_command_reports_detected_cheats(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "c").mkdir()
    for name in ("before.py", "after.py", "inputs.py", "case.json"):
        (tmp_path / "c" / name).write_bytes((CHEATS[0].parent / "checks_of_matrix_removed" / name).read_bytes())
    assert main([str(tmp_path)]) == 0
    assert "caught 1 of 1 (1 by their kind), accused 0 of 0" in capsys.readouterr().out
    info = json.loads((tmp_path / "c" / "case.json").read_text())
    (tmp_path / "c" / "case.json").write_text(json.dumps({**info, "cheat": False}))
    assert main([str(tmp_path), "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["accused"] == 1


def test_calls_of_case_are_created_in_workspace(make_repo: MakeRepo, open_ws: OpenWorkspace) -> None:
    (case,) = [case for case in CASES if case.name == "honest_set_for_membership"]
    workspace = open_ws("local", make_repo({SUBJECT: (case / "before.py").read_bytes()}))
    recorded_calls = calls(case, workspace)
    assert len({call.data for call in recorded_calls}) > 50
