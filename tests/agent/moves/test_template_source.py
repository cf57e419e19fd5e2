"""Edits of source text: parentheses where they are needed, the rest of the file byte for byte as it was."""

from __future__ import annotations

import ast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.moves.template_source import Draft, Source, header, own, rank, statements

ODD = b"""\
# caf\xc3\xa9
class A:
\t@property
\tdef name(self):  # \xe2\x82\xac
\t\tx = "\xc3\xa9" + self.other; y = 2
\t\treturn x * y

def plain(a,
          b=[1]): return a
"""


def apply(source: Source, draft: Draft | None) -> bytes:
    assert draft is not None
    return source.candidate(draft, source.tree.body[0], None).apply(source.data)


def expression(source: Source, text: str) -> ast.expr:
    return next(node for node in ast.walk(source.tree) if isinstance(node, ast.expr) and source.text(node) == text)


@pytest.mark.parametrize(
    ("code", "old", "new", "expected"),
    [
        ("x = a * b", "a", "a + 1", "x = (a + 1) * b"),
        ("x = a + b", "a", "a + 1", "x = a + 1 + b"),
        ("x = a - b", "b", "b + 1", "x = a - (b + 1)"),
        ("x = f(a)", "a", "a + 1", "x = f(a + 1)"),
        ("x = (a)", "a", "a + 1", "x = (a + 1)"),
        ("x = a.b", "a", "a or c", "x = (a or c).b"),
        ("x = a[i]", "i", "i + 1", "x = a[i + 1]"),
        ("x = not a", "a", "a and b", "x = not (a and b)"),
        ("x = a and b", "a", "c or d", "x = (c or d) and b"),
        ("x = a or b", "a", "c and d", "x = c and d or b"),
        ("x = -a", "a", "a + 1", "x = -(a + 1)"),
        ("x = a < b", "a", "c < d", "x = (c < d) < b"),
        ("x = 2 ** a", "a", "a + 1", "x = 2 ** (a + 1)"),
        ("x = y if a else z", "a", "b if c else d", "x = y if (b if c else d) else z"),
    ],
)
def test_parentheses_only_where_needed(code: str, old: str, new: str, expected: str) -> None:
    source = Source("a.py", code.encode())
    assert apply(source, source.replace(expression(source, old), new)).decode() == expected


@pytest.mark.parametrize(
    ("code", "left", "right", "pattern", "new", "expected"),
    [
        ("x = a  <  b", "a", "b", "<", "<=", "x = a  <=  b"),
        ("x = (a) not  in (b)", "a", "b", r"\bnot\s+in\b", "in", "x = (a) in (b)"),
        ("x = (a +\n  b)", "a", "b", r"\+", "-", "x = (a -\n  b)"),
    ],
)
def test_operators_keep_their_spacing(code: str, left: str, right: str, pattern: str, new: str, expected: str) -> None:
    source = Source("a.py", code.encode())
    draft = source.operator(expression(source, left), expression(source, right), pattern, new)
    assert apply(source, draft).decode() == expected


def test_insertion_takes_the_indentation_and_line_ends_of_the_file() -> None:
    source = Source("a.py", b"def f(x):\r\n\tfor y in x:\r\n\t\tpass  # why\r\n\treturn x")
    inner = list(statements(source.tree))
    assert source.indent == "\t"
    expected = b"def f(x):\r\n\tfor y in x:\r\n\t\tif y:\r\n\t\t\tbreak\r\n\t\tpass  # why\r\n\treturn x"
    assert apply(source, source.insert(inner[2], ["if y:", "\tbreak"])) == expected
    assert (
        apply(source, source.insert(inner[2], ["a()"], after=True)).count(b"pass  # why\r\n\t\ta()\r\n\treturn x") == 1
    )
    assert apply(source, source.insert(inner[3], ["a()"], after=True)).endswith(b"\treturn x\r\n\ta()")


def test_no_insertion_where_the_statement_shares_its_line() -> None:
    source = Source("a.py", b"if a: b = 1; c = 2\n")
    first, second = list(statements(source.tree))[1:]
    assert source.insert(first, ["x"]) is None
    assert source.insert(second, ["x"]) is None


def test_functions_are_the_outermost_with_their_bytes() -> None:
    source = Source("a.py", ODD)
    (name, _), (plain, _) = source.functions
    assert (name.qualname, name.lines, plain.qualname) == ("A.name", (3, 4), "plain")
    assert ODD[name.start : name.end].startswith(b"\tdef name")
    assert ODD[name.body : name.end].startswith(b"\t\tx = ")
    assert ODD[plain.body : plain.end] == b"return a"


def test_spans_count_bytes() -> None:
    source = Source("a.py", ODD)
    node = expression(source, "self.other")
    assert apply(source, source.replace(node, "'ö'")) == ODD.replace(b"self.other", "'ö'".encode())


def test_header_lines_leave_out_the_body() -> None:
    source = Source("a.py", b"if (a and\n    b):\n    c = 1\n    d = 2\nelse:\n    e\n")
    assert list(header(source.tree.body[0])) == [1, 2]


def test_own_nodes_leave_out_inner_statements_and_annotations() -> None:
    source = Source("a.py", b"x: int = f(1)\nwhile a:\n    b = 2\n")
    assert not any(isinstance(node, ast.Name) and node.id == "int" for node in own(source.tree.body[0]))
    assert [node.id for node in own(source.tree.body[1]) if isinstance(node, ast.Name)] == ["a"]


@pytest.mark.parametrize("data", [b"\xff = 1", b"def f(:\n", b"x = '\x00'"])
def test_what_cannot_be_read_is_told(data: bytes) -> None:
    with pytest.raises((SyntaxError, ValueError)):
        Source("a.py", data)


@given(
    st.sampled_from(
        ["a", "a + b", "a.b", "f(x)", "not a", "a or b", "lambda: 1", "(a, b)", "a, b", "-a", "a if b else c"]
    )
)
def test_rank_is_that_of_the_outermost_operator(text: str) -> None:
    inside = ast.parse(f"({text}) ** 2", mode="eval")
    bare = text if rank(text) == 15 else f"({text})"
    assert ast.dump(ast.parse(f"{bare} ** 2", mode="eval")) == ast.dump(inside)
