"""What a function offers: names in scope, the nearest first; the repository's definitions; literals of the tests."""

from __future__ import annotations

import ast

import pytest

from agent.repair.analysis.callable_library import Library, Signature, signature
from agent.repair.analysis.donor_code import Donors
from agent.repair.analysis.literal_hints import literal_hints
from agent.repair.analysis.source_file import Definition, Source, statements
from agent.repair.analysis.value_types import annotated

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


def at(text: str) -> Donors:
    found, places = donors()
    return found.at(next(one for one in places if found.source.text(one).startswith(text)))


def test_names_are_those_in_scope() -> None:
    assert set(donors()[0].names) >= {"first", "second", "early", "item", "late", "own", "after"}
    assert "inner" not in donors()[0].names
    assert set(at("early").names) == {"first", "second", "early"}
    assert "late" in at("if item in late").names
    assert "after" not in at("if item in late").names
    assert {"own", "early", "first"} <= set(at("return own").names)
    assert "own" not in at("return after").names


def test_nearest_come_first() -> None:
    assert at("return after").names[0] == "after"
    assert set(at("late =").names[:2]) == {"late", "item"}


def test_expressions_are_offered_where_their_names_are_known() -> None:
    assert "first.left" in at("early").atoms
    assert "len(early)" in at("after").atoms
    assert "own + early" not in at("after").atoms
    assert "inner * 2" not in at("after").atoms
    assert at("after").inner(["inner"]) == ["inner * 2"]


def test_one_view_does_not_change_another() -> None:
    found, places = donors()
    first = found.at(places[0])
    names = list(first.names)
    assert found.at(places[-1]).names != names
    assert first.at(places[-1]).names == found.at(places[-1]).names
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


def test_classes_that_inherit_from_each_other_have_end() -> None:
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
def test_what_signature_takes(head: str, count: int, keywords: list[str], possible: bool) -> None:
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
def test_annotations_are_read(text: str, kinds: set[str]) -> None:
    assert annotated(ast.parse(text, mode="eval").body) == kinds


def test_hints_are_literals_of_failing_tests_and_issue() -> None:
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
    found = literal_hints(read, failing, 'It says `wrong` where "right" is meant.')
    assert found == ["'wanted'", "1.5", "b'x'", "'given'", "'wrong'", "'right'"]


def test_file_of_tests_is_read_once_however_many_fail() -> None:
    code = "".join(f"def test_{number}(x):\n    assert f({number}) == 'a{number}'\n" for number in range(50))
    read: list[str] = []

    def reader(path: str) -> bytes:
        read.append(path)
        return code.encode()

    failing = [f"tests/test_a.py::test_{number}[{value}]" for number in range(50) for value in "xy"]
    found = literal_hints(reader, failing)
    assert read == ["tests/test_a.py"]
    assert found[:4] == ["'a0'", "0", "'a1'", "1"]


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
def test_whatever_binds_name_offers_it(bound: str) -> None:
    source = Source("a.py", f"def f(one):\n    {bound}\n    return one\n".encode())
    holder = source.functions[0][1]
    found = Donors(source, holder)
    assert "other" in found.at(holder.body[-1]).names
    assert "other" in found.local
    module = Source("a.py", f"{bound}\n".replace("\n    ", "\n").encode())
    assert "other" in Library([module]).visible(module)


def test_what_file_calls_and_assigns_is_found_once() -> None:
    source = Source("a.py", CODE)
    library = Library([source])
    holder = source.functions[-1][1]
    assert library.called(source) == ["len", "other", "Box", "run"]
    assert library.assigned(source) == ["LIMIT"]
    views = [Donors(source, holder, library).at(one) for one in holder.body[:2]]
    assert views[0].called[:4] == library.called(source)
    assert views[0].globals is views[1].globals
