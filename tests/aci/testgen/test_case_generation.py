"""From a module to cases worth keeping, and to a file of tests that its runner passes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from threading import Event

import pytest

from aci.testgen.case_generation import cases_from_json, generate_cases
from aci.testgen.case_rendering import choose_test_path, name_tests, rebound_helpers, render_tests
from aci.testgen.module_exerciser import Case, CaseOutcome
from agent.testgen.changed_functions import format_targets, parse_targets
from tests.aci.testgen.conftest import asked

SECONDS = 20.0


def calls(found) -> list[str]:
    return ["; ".join((*one.case.lines, one.case.call)) for one in found.cases]


@pytest.mark.slow
@pytest.mark.parametrize("style", ["pytest", "unittest"])
def test_tests_cover_function_and_pass(room, tmp_path: Path, style: str) -> None:
    place, what = room(), asked("reduced", "Stock")
    found = generate_cases(place, what, Event(), SECONDS)
    lines = {line for one in what.subjects for line in one.lines}
    assert {after for _, after in found.arcs} >= lines, calls(found)
    assert len(found.killed) >= 0.8 * len(found.usable), [
        what.mutants[number].what for number in found.usable - found.killed
    ]
    assert {one.error for one in found.cases if one.kind == "raised"} >= {"ValueError", "Unknown"}
    text = render_tests(name_tests(found.cases), found.module, "shop", style)
    (tmp_path / "shop.py").write_bytes(what.data)
    (tmp_path / "test_shop.py").write_text(text)
    words = ["-m", style, *(["-q", "-p", "no:cacheprovider"] if style == "pytest" else []), "test_shop.py"]
    ran = subprocess.run([sys.executable, *words], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, text + ran.stdout + ran.stderr
    assert cases_from_json(found.as_json()) == found


@pytest.mark.slow
def test_what_changes_from_run_to_run_is_dropped(room) -> None:
    found = generate_cases(room(), asked("lucky", "order"), Event(), 5.0)
    assert found.cases == ()
    assert found.unsteady


@pytest.mark.slow
def test_what_asserts_nothing_is_no_test(room) -> None:
    assert generate_cases(room(), asked("quiet"), Event(), 5.0).cases == ()


@pytest.mark.slow
def test_what_hangs_is_told_and_is_no_test(room) -> None:
    found = generate_cases(room(), asked("endless"), Event(), 8.0)
    assert any("endless(" in one and "does not finish" in one for one in found.trouble)
    assert all("endless(4" not in one for one in calls(found))


@pytest.mark.slow
def test_what_would_do_harm_is_told(room) -> None:
    found = generate_cases(room(), asked("cleared"), Event(), 5.0)
    assert found.cases == ()
    assert "os.remove" in found.harms


@pytest.mark.slow
def test_calls_of_tests_and_docstrings_are_where_it_begins(room) -> None:
    tests = {
        "test_a.py": b"from shop import reduced\n\ndef test():\n    code = 'SUMMER'\n    assert reduced(77, code)\n"
    }
    text = "def f(key):\n    if key == 'a' * 40 + '!':\n        return 1\n    return 2\n"
    found = generate_cases(room(text), asked("f", text=text, tests=tests), Event(), 3.0)
    assert not any(", 3)" in str(arc) for arc in found.arcs)
    seen = {"test_b.py": b"from shop import f\n\ndef test():\n    word = 'a' * 40 + '!'\n    assert f(word) == 1\n"}
    assert 3 in {after for _, after in generate_cases(room(text), asked("f", text=text, tests=seen), Event(), 3.0).arcs}


@pytest.mark.parametrize(
    ("files", "path", "name", "place"),
    [
        ([], "shop.py", "", "tests/test_shop.py"),
        (
            ["test/test_a.py", "test/test_b.py", "x/test_c.py"],
            "a/shop.py",
            "Stock.take",
            "test/test_shop_stock_take.py",
        ),
        (["bench/test_a.py", "bench/test_b.py", "shop/tests/test_c.py"], "x.py", "", "shop/tests/test_x.py"),
        (["tests/test_a.py", "tests/test_b.py", "more/test_shop.py"], "shop.py", "f", "more/test_shop_f.py"),
        (["tests/test_shop.py"], "shop.py", "", "tests/test_shop_generated.py"),
        (["pkg/tests/test_x.py"], "pkg/__init__.py", "", "pkg/tests/test_pkg.py"),
    ],
)
def test_file_lies_where_tests_lie(files: list[str], path: str, name: str, place: str) -> None:
    assert choose_test_path(dict.fromkeys(files), path, name) == place


@pytest.mark.slow
def test_example_with_comment_does_not_hide_what_is_asserted(room) -> None:
    text = 'def f(a):\n    """Doc.\n\n    >>> f(1000)  # a comment\n    1001\n    """\n    return a + 1\n'
    found = generate_cases(room(text), asked("f", text=text), Event(), 4.0)
    assert found.cases
    assert all("#" not in one.case.call for one in found.cases)


@pytest.mark.slow
def test_variable_that_nothing_uses_is_left_out(room) -> None:
    text = (
        'def f(a):\n    """Doc.\n\n    >>> unused = [1, 2, 3]\n    >>> f(1000)\n    1001\n    """\n    return a + 1\n'
    )
    found = generate_cases(room(text), asked("f", text=text), Event(), 4.0)
    assert found.cases
    assert all(one.case.lines == () for one in found.cases)


NAMES = """import math
from copy import copy as asyncio
def copy(a): return a + 1
def result(a): return [a, a * 0.1]
def test_conn(a): return a
def f(a): return a
class Test_f:
    def islice(self): pass
def f_1(a): return a
"""


@pytest.mark.slow
@pytest.mark.parametrize("style", ["pytest", "unittest"])
def test_names_of_module_do_not_clash_with_those_of_tests(tmp_path: Path, style: str) -> None:
    def seen(about: str, *asserts: tuple[str, str, str]) -> CaseOutcome:
        return CaseOutcome(
            Case((), f"{about}(2)", (), about), "returned", asserts=asserts or (("equal", "result", "2"),)
        )

    lists = ("equal", "result[0]", "2"), ("close", "result[1]", "0.2")
    cases = [seen("copy", ("equal", "result", "3")), seen("result", *lists), seen("test_conn"), seen("f"), seen("f")]
    tests = name_tests([*cases, seen("f_1")])
    assert len({one.name for one in tests}) == 6
    own = rebound_helpers(NAMES.encode())
    assert own == {"copy", "asyncio"}
    text = render_tests(tests, "m", 'x"""+(print(\'said\'))+"""\\', style, own)
    (tmp_path / "m.py").write_text(NAMES)
    (tmp_path / "test_m.py").write_text(text)
    words = ["-m", style, *(["-q", "-p", "no:cacheprovider"] if style == "pytest" else []), "test_m.py"]
    ran = subprocess.run([sys.executable, *words], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, text + ran.stdout + ran.stderr
    assert ("6 passed" if style == "pytest" else "Ran 6 tests") in ran.stdout + ran.stderr
    assert "said" not in ran.stdout


def test_targets_read_back_whatever_their_paths_hold() -> None:
    paths = [" lead.py", "a,b.py", "a.py:b.py", "100%2C.py", "un tracked.py"]
    assert parse_targets(format_targets((path, "C.f") for path in paths)) == {path: ["C.f"] for path in paths}
    assert parse_targets(format_targets([("a.py", ""), ("b.py", "f"), ("b.py", "g")])) == {
        "a.py": [],
        "b.py": ["f", "g"],
    }
