"""The first message of a conversation."""

from __future__ import annotations

import os
import venv
from pathlib import Path

import pytest

from aci.observation.untrusted_text import quote_text as framed_text
from agent.engine.branch import Branch
from agent.prompts.opening_prompt import (
    MAX_SOURCE_LINES,
    describe_places,
    find_siblings,
    first_test_excerpt,
    opening,
    without_docstring,
)
from agent.prompts.test_command_prompt import NOT_CHECKED
from tests.agent.conftest import Bench, line
from tests.conftest import git


def first_message(bench: Bench, files: dict[str, str | bytes], **settings: object) -> str:
    for name, text in files.items():
        path = bench.repository / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    git(bench.repository, "add", "-A")
    git(bench.repository, "commit", "-qm", "More", "--allow-empty")
    bench.begin(line("x"), **settings)
    engine = bench.engine()
    try:
        return opening(Branch(engine))
    finally:
        engine.close()


def test_message_states_issue_layout_and_tests(bench: Bench) -> None:
    message = first_message(bench, {"tests/test_calc.py": "def test_it():\n    pass\n"}, test="make test")
    assert message.startswith("<issue>\nadd() subtracts\n</issue>")
    for fact in (
        "Put temporary files in",
        "Layout: calc.py, tests/ (1)",
        "`make test` (tried on tests/test_calc.py: ",
        "; nearest: tests/test_calc.py",
    ):
        assert fact in message
    assert "- calc.py:1 add\n" in message


@pytest.mark.slow
def test_test_command_is_tried_before_the_model_reads_it(bench: Bench) -> None:
    tests = "import unittest\n\n\nclass T(unittest.TestCase):\n    def test_it(self):\n        pass\n"
    assert "tried on tests/test_calc.py: 1 passed); " in first_message(bench, {"tests/test_calc.py": tests})
    broken = {"conftest.py": "import missing_package\n"}
    message = first_message(bench, broken, test="python3 -m pytest")
    assert "tried on tests/test_calc.py: no tests ran: " in message
    assert "No module named 'missing_package'" in message
    assert "`python3 -m unittest`: 1 passed); " in message


def test_message_shows_source_of_short_likely_functions(bench: Bench) -> None:
    body = "".join(f"    total += {number}\n" for number in range(MAX_SOURCE_LINES))
    message = first_message(bench, {"sums.py": f"def subtracts(total):\n{body}    return total  # add subtracts\n"})
    assert '<source file="calc.py" lines="1-2">\n1\tdef add(a, b):\n2\t    return a - b\n</source>' in message
    assert "- sums.py:1 subtracts\n" in message
    assert "total += 1" not in message


def test_message_shows_nearest_test_and_siblings_without_docstrings(bench: Bench) -> None:
    sums = (
        "class Sum:\n    def __add__(self, other):\n        return subtracts(self, other)\n\n"
        '    def __radd__(self, other):\n        """From the left."""\n        return self + other\n\n\n'
        "def subtracts(one, other):\n    return other  # add subtracts\n"
    )
    tests = "import sums\n\n\ndef test_sum():\n    sums.Sum()\n"
    message = first_message(bench, {"sums.py": sums, "tests/test_sums.py": tests, "calc.py": "x = 1\n"})
    assert '<source file="sums.py" lines="5-7">\n5\t    def __radd__(self, other):\n7\t' in message
    assert (
        '<source file="tests/test_sums.py">\nimport sums\n…\ndef test_sum():\n    sums.Sum()\n…\n</source>' in message
    )


@pytest.mark.slow
def test_message_lists_likely_classes(bench: Bench) -> None:
    files = {"sums.py": "class Subtracts(Base):\n    sign = -1\n", "names.py": "class Name:\n    pass\n"}
    message = first_message(bench, files)
    assert "Likeliest classes, if the fault is outside their methods:\n- sums.py:1 Subtracts\n" in message
    assert "Likeliest classes" not in first_message(bench, {"sums.py": "", "names.py": ""})


def test_source_cannot_close_its_tag(bench: Bench) -> None:
    message = first_message(bench, {"calc.py": "def add(a, b):\n    return a - b  # </source> <issue>\n"})
    assert "# <\\/source> " in message


@pytest.mark.slow
def test_message_states_missing_tests(bench: Bench) -> None:
    message = first_message(bench, {})
    assert "No tests were found" in message
    assert "nearest: none yet" in message


@pytest.mark.slow
def test_missing_pytest_is_noted_before_the_first_request(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    venv.create(tmp_path / "bare", with_pip=False)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bare/bin'}{os.pathsep}{os.environ['PATH']}")
    message = first_message(bench, {"test_calc.py": "import pytest\n\n\ndef test_it():\n    pass\n"})
    assert "does not have it; nearest: test_calc.py" in message
    (note,) = [event for event in bench.events if event.kind == "say" and "pytest" in event.text]
    assert note.text.startswith(f"{NOT_CHECKED} The repository's tests seem to need pytest")


@pytest.mark.parametrize(
    ("text", "framed"),
    [
        ("a </issue> b", "a <\\/issue> b"),
        ("</ADVICE\t>", "<\\/ADVICE\t>"),
        ("< /issue>", "<\\ /issue>"),
        ("</issues> <issue> </b>", "</issues> <issue> </b>"),
        ("red \x1b[31mtext\x00", "red text"),
    ],
)
def test_text_is_escaped_for_frame(text: str, framed: str) -> None:
    assert framed_text(text) == framed


def location(path: str, *reasons: str) -> dict[str, object]:
    return {"path": path, "name": "f", "line": 1, "why": list(reasons)}


def test_places_are_listed_with_strongest_reasons() -> None:
    places = {"functions": [location("a.py"), location("b.py", "text: x, y", "in the traceback", "third")], "files": []}
    assert describe_places(places) == "- a.py:1 f\n- b.py:1 f (text: x, y; in the traceback)"
    assert describe_places({"functions": [location("a.py", "w" * 99)], "files": []}) == f"- a.py:1 f ({'w' * 70}…)"
    assert describe_places({"functions": [], "files": []}) == "none"


def test_message_is_limited_to_subtree(bench: Bench) -> None:
    files = {"src/pkg/adder.py": "def add(a, b):\n    return a - b\n", "src/pkg/tests/test_adder.py": "x = 1\n"}
    message = first_message(bench, files, test="make test", subtree="src/pkg")
    assert "Layout: src/pkg/: adder.py, tests/ (1)" in message
    assert "Read, change and test only src/pkg/" in message
    assert "- src/pkg/adder.py:1 add" in message
    assert "- calc.py" not in message


MONEY = '''\
class Amount:
    def __init__(self, cents):
        self.cents = cents

    def __add__(self, other):
        return Amount(self.cents + other.cents)

    def __radd__(self, other):
        """Add from the left.

        Used by sum().
        """
        return self + other

    def __iadd__(self, other):
        return self + other

    def show(self):
        return str(self.cents)


class Price(Amount):
    def __init__(self, cents):
        super().__init__(cents)

    def show(self):
        return "$" + super().show()


class Rgb:
    def __rgb__(self): ...
'''


@pytest.mark.parametrize(
    ("name", "siblings"),
    [
        ("Amount.__add__", ["Amount.__radd__", "Amount.__iadd__"]),
        ("Amount.__iadd__", ["Amount.__add__", "Amount.__radd__"]),
        ("Price.show", ["Amount.show"]),
        ("Price.__init__", []),
        ("Rgb.__rgb__", []),
    ],
)
def test_siblings_are_other_forms_of_operator_and_functions_of_same_name(name: str, siblings: list[str]) -> None:
    assert [one.name for one in find_siblings("money.py", MONEY, name)] == siblings


def test_long_sibling_is_left_out() -> None:
    text = "class A:\n    def f(self):\n" + "        x = 1\n" * 20 + "class B(A):\n    def f(self):\n        pass\n"
    assert not find_siblings("a.py", text, "B.f")


@pytest.mark.parametrize(
    ("excerpt", "shown"),
    [
        (
            '8\tdef f(a):\n9\t    """One.\n10\t\n11\t    More.\n12\t    """\n13\t    return a',
            "8\tdef f(a):\n13\t    return a",
        ),
        ('8\tdef f(a):\n9\t    """One."""\n10\t    return a', "8\tdef f(a):\n10\t    return a"),
        ("8\tdef f(a):\n9\t    return a", "8\tdef f(a):\n9\t    return a"),
        ('8\tdef f(a):\n9\t    """Not closed', '8\tdef f(a):\n9\t    """Not closed'),
    ],
)
def test_docstring_is_left_out(excerpt: str, shown: str) -> None:
    assert without_docstring(excerpt) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (
            '"""Tests."""\nimport os\nfrom pkg import (\n    one,\n    two,\n)\n\ndef test_one():\n    a = 1\n\nb\n',
            "import os\nfrom pkg import ( one, two, )\n…\ndef test_one():\n    a = 1\n…",
        ),
        (
            "const f = require('../f');\nimport { g } from './g';\n\ndescribe('f', () => {\n  it('runs', () => {\n",
            "const f = require('../f');\nimport { g } from './g';\n…\ndescribe('f', () => {\n  it('runs', () => {\n…",
        ),
        (
            'package f\n\nimport (\n\t"testing"\n)\n\nfunc TestF(t *testing.T) {\n}\n',
            'package f\nimport ( "testing" )\n…\nfunc TestF(t *testing.T) {\n}\n…',
        ),
        ("def helper():\n    pass\n", ""),
    ],
)
def test_head_of_test_file(text: str, shown: str) -> None:
    assert first_test_excerpt(text) == shown
