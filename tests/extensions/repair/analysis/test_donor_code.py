"""Donor code of a function: names in scope, definitions of the repository and literals of the tests."""

from __future__ import annotations

import ast

import pytest

from extensions.experiment.source.source_file import Definition, Source, statements
from extensions.repair.analysis.callable_library import Library, Signature, signature
from extensions.repair.analysis.donor_code import Donors
from extensions.repair.analysis.literal_hints import literal_hints
from extensions.repair.analysis.value_types import annotated

CODE = b"""\
from json import loads
import os.path as where

LIMIT: int = 3


class Base:
    def shared(self, one, two=2): ...

    size = 0


class Box(Base):
    def __init__(self, width, *more, height=1, **rest):
        self.width = width

    @property
    def area(self): ...

    @staticmethod
    def made(a, b): ...


def run(first, second):
    early = first.left
    for item in second:
        if item in late:
            continue
        late = [inner * 2 for inner in item]
    def nested(own):
        return own + early
    after = len(early)
    other(after, key=1)
    return after
"""


def donors() -> tuple[Donors, list[ast.stmt]]:
    source = Source("a.py", CODE)
    holder = next(node for function, node in source.functions if function.qualname == "run")
    return Donors(source, holder), list(statements(holder))


def donors_at(text: str) -> Donors:
    function_donors, body = donors()
    return function_donors.at(next(part for part in body if function_donors.source.text(part).startswith(text)))


def test_names_are_in_scope() -> None:
    assert set(donors()[0].names) >= {"first", "second", "early", "item", "late", "own", "after"}
    assert "inner" not in donors()[0].names
    assert set(donors_at("early").names) == {"first", "second", "early"}
    assert "late" in donors_at("if item in late").names
    assert "after" not in donors_at("if item in late").names
    assert {"own", "early", "first"} <= set(donors_at("return own").names)
    assert "own" not in donors_at("return after").names


def test_nearest_names_come_first() -> None:
    assert donors_at("return after").names[0] == "after"
    assert set(donors_at("late =").names[:2]) == {"late", "item"}


def test_expressions_are_offered_in_scope() -> None:
    assert "first.left" in donors_at("early").atoms
    assert "len(early)" in donors_at("after").atoms
    assert "own + early" not in donors_at("after").atoms
    assert "inner * 2" not in donors_at("after").atoms
    assert donors_at("after").inner(["inner"]) == ["inner * 2"]


def test_views_are_independent() -> None:
    function_donors, body = donors()
    first = function_donors.at(body[0])
    names = list(first.names)
    assert function_donors.at(body[-1]).names != names
    assert first.at(body[-1]).names == function_donors.at(body[-1]).names
    assert first.names == names


def test_library_knows_signatures_members_and_keywords() -> None:
    source = Source("a.py", CODE)
    library = Library([source])
    assert library.functions["run"] == [Signature("run", ("first", "second"), 2)]
    assert library.functions["Box"] == [Signature("Box", ("width",), 1, ("height",), True, True, "Box")]
    assert library.methods["made"] == [Signature("made", ("a", "b"), 2, owner="Box")]
    assert library.methods["shared"] == [Signature("shared", ("one", "two"), 1, owner="Base")]
    assert library.members["Box"] == ["__init__", "width", "area", "made", "shared", "size"]
    assert library.properties == {"area"}
    assert library.keywords["other"] == ["key"]
    assert library.visible(source) == ["loads", "where", "LIMIT", "Base", "Box", "run"]
    assert library.attributes_of(source, "first") == ["left"]


def test_circular_inheritance_terminates() -> None:
    source = Source("a.py", b"class A(B):\n    x = 1\nclass B(A):\n    y = 2\n")
    assert sorted(Library([source]).members["A"]) == ["x", "y"]


@pytest.mark.parametrize(
    ("head", "count", "keywords", "possible"),
    [
        ("a, b", 2, [], True),
        ("a, b", 1, [], False),
        ("a, b", 1, ["b"], True),
        ("a, b=1", 1, [], True),
        ("a", 2, [], False),
        ("*a", 2, [], True),
        ("a, *, k=1", 1, ["k"], True),
        ("a, *, k=1", 1, ["j"], False),
        ("a, **k", 1, ["j"], True),
        ("a", 1, ["a"], False),
    ],
)
def test_signature_accepts_arguments(head: str, count: int, keywords: list[str], possible: bool) -> None:
    node = ast.parse(f"def f({head}): ...").body[0]
    assert isinstance(node, Definition)
    assert signature(node).takes(count, keywords) is possible


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("int", {"number"}),
        ("'str | None'", {"text", "none"}),
        ("Optional[list[int]]", {"sequence", "none"}),
        ("typing.Union[int, str]", {"number", "text"}),
        ("collections.abc.Mapping[str, int]", {"mapping"}),
        ("Node", {"Node"}),
        ("Any", set()),
        ("Union[int, Any]", set()),
        ("'not a type('", set()),
        ("T", set()),
    ],
)
def test_annotations_are_parsed(text: str, kinds: set[str]) -> None:
    assert annotated(ast.parse(text, mode="eval").body) == kinds


def test_hints_come_from_failing_tests_and_issue() -> None:
    files = {
        "tests/test_a.py": b"class TestA:\n  def test_b(self):\n    x = 'given'\n    assert f(x) == 'wanted'\n",
        "tests/test_c.py": b"def test_d():\n    assertEqual(1.5, f(True, b'x'))\n",
        "bad.py": b"def (",
    }

    def read(path: str) -> bytes:
        try:
            return files[path]
        except KeyError:
            raise FileNotFoundError(path) from None

    failing = ["tests/test_a.py::TestA::test_b[1]", "tests.test_c.test_d", "none.py::test_x", "bad.py::test_y"]
    hints = literal_hints(read, failing, 'It says `wrong` where "right" is meant.')
    assert hints == ["'wanted'", "1.5", "b'x'", "'given'", "'wrong'", "'right'"]


def test_test_file_is_read_once() -> None:
    code = "".join(f"def test_{number}(x):\n    assert f({number}) == 'a{number}'\n" for number in range(50))
    read_paths: list[str] = []

    def read(path: str) -> bytes:
        read_paths.append(path)
        return code.encode()

    failing = [f"tests/test_a.py::test_{number}[{value}]" for number in range(50) for value in "xy"]
    hints = literal_hints(read, failing)
    assert read_paths == ["tests/test_a.py"]
    assert hints[:4] == ["'a0'", "0", "'a1'", "1"]


@pytest.mark.parametrize(
    "bound",
    [
        "match one:\n        case [other, _]: pass",
        "match one:\n        case {'k': 1, **other}: pass",
        "match one:\n        case [_, *other]: pass",
        "from m import other",
        "import other.deep",
        "class other: pass",
        "def other(): pass",
        "with one as other: pass",
        "if (other := one): pass",
        "for other in one: pass",
    ],
)
def test_every_binding_offers_name(bound: str) -> None:
    source = Source("a.py", f"def f(one):\n    {bound}\n    return one\n".encode())
    holder = source.functions[0][1]
    offered = Donors(source, holder)
    assert "other" in offered.at(holder.body[-1]).names
    assert "other" in offered.local
    module = Source("a.py", f"{bound}\n".replace("\n    ", "\n").encode())
    assert "other" in Library([module]).visible(module)


def test_calls_and_assignments_of_file_are_shared() -> None:
    source = Source("a.py", CODE)
    library = Library([source])
    holder = source.functions[-1][1]
    assert library.called(source) == ["len", "other", "Box", "run"]
    assert library.assigned(source) == ["LIMIT"]
    views = [Donors(source, holder, library).at(statement) for statement in holder.body[:2]]
    assert views[0].called[:4] == library.called(source)
    assert views[0].globals is views[1].globals
