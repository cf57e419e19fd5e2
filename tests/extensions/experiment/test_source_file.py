"""Edits of source text: parentheses only where needed, and every other byte preserved."""

from __future__ import annotations

import ast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extensions.experiment.evaluator.candidate_evaluator import Candidate
from extensions.experiment.source.source_file import Draft, Source, header, own_nodes, rank, statements

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
    return Candidate(source.path, draft.edits, draft.what, 1).apply(source.data)


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
        ("x = f(a)", "a", "b, c", "x = f((b, c))"),
        ("x = [a]", "a", "b, c", "x = [(b, c)]"),
        ("x = a", "a", "b, c", "x = b, c"),
        ("x = a", "a", "b and\n c", "x = (b and\n c)"),
        ("x = a.b", "a", "(b), (c)", "x = ((b), (c)).b"),
        ("x = f(y for y in a)", "(y for y in a)", "a", "x = f(a)"),
        ("x = {**a}", "a", "b or c", "x = {**(b or c)}"),
        ("return(a)or b", "(a)or b", "b", "return b"),
        ("x = 1 if(a)else 2", "a", "b or c", "x = 1 if(b or c)else 2"),
    ],
)
def test_parentheses_are_added_only_where_needed(code: str, old: str, new: str, expected: str) -> None:
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
def test_operator_spacing_is_preserved(code: str, left: str, right: str, pattern: str, new: str, expected: str) -> None:
    source = Source("a.py", code.encode())
    draft = source.operator(expression(source, left), expression(source, right), pattern, new)
    assert apply(source, draft).decode() == expected


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("a + 1", "b", """x = f'{b!r:>{w}} {c["k"]}'"""),
        ("w", "v", """x = f'{a + 1!r:>{v}} {c["k"]}'"""),
        ('c["k"]', "c['j']", """x = f'{a + 1!r:>{w}} {c["j"]}'"""),
        ('c["k"]', "{b}", """x = f'{a + 1!r:>{w}} {({b})}'"""),
        ('c["k"]', r"'\n'", None),
    ],
)
def test_expression_in_f_string_avoids_its_quotes(old: str, new: str, expected: str | None) -> None:
    source = Source("a.py", b"""x = f'{a + 1!r:>{w}} {c["k"]}'""")
    draft = source.replace(expression(source, old), new)
    assert apply(source, draft).decode() == (expected or source.data.decode())


@pytest.mark.parametrize(
    ("code", "old", "new", "expected"),
    [
        ("x = f\"{a}\" f'{y}'", "y", "y or ''", 'x = f"{a}" f\'{y or ""}\''),
        ('x = ("é" f\'{a}\'\n  f"{y}")', "y", 'y or ""', "x = (\"é\" f'{a}'\n  f\"{y or ''}\")"),
        ("x = f(y for y in a)", "(y for y in a)", "b, c", "x = f((b, c))"),
        ("x = a[i]", "a", "b, c", "x = (b, c)[i]"),
        ("x = a.real", "a", "1", "x = (1).real"),
        ("match a:\n case 1: b", "1", "2", "match a:\n case 2: b"),
        ("match a:\n case 1: b", "1", "c", "match a:\n case 1: b"),
        ("match a:\n case {'k': c}: b", "'k'", "'j'", "match a:\n case {'j': c}: b"),
    ],
)
def test_replacement_is_adapted_to_context(code: str, old: str, new: str, expected: str) -> None:
    source = Source("a.py", code.encode())
    result = apply(source, source.replace(expression(source, old), new)).decode()
    assert result == expected
    ast.parse(result)


def test_byte_order_mark_shifts_no_offset() -> None:
    source = Source("a.py", b"\xef\xbb\xbfdef f(a): return a + 1\nx = 2\n")
    assert apply(source, source.replace(expression(source, "a + 1"), "a")) == source.data.replace(b"a + 1", b"a")
    assert apply(source, source.insert(source.tree.body[0], ["y = 1"])).startswith(b"\xef\xbb\xbfy = 1\ndef f")
    assert source.data[source.functions[0][0].start :].startswith(b"def f")


def test_other_encoding_is_rejected_only_with_non_ascii_text() -> None:
    with pytest.raises(ValueError, match="iso-8859-1"):
        Source("a.py", "# coding: latin-1\nx = 'é' + a\n".encode())
    assert Source("a.py", b"# coding: latin-1\nx = 1\n").indent == "    "


@pytest.mark.parametrize(
    ("code", "unit"),
    [
        ('"""Doc.\n\n * one\n"""\ndef f(a):\n    return a\n', "    "),
        ("x = [\n a,\n]\nif x:\n  if a:\n    b\n", "  "),
        ("class A:\n\tdef f(self):\n\t\tif a:\n\t\t\tb\nif c:\n    d\n", "\t"),
        ("if a: b\n", "    "),
    ],
)
def test_indentation_unit_comes_from_blocks(code: str, unit: str) -> None:
    assert Source("a.py", code.encode()).indent == unit


def test_function_has_its_own_indentation_unit() -> None:
    code = b"class A:\n\tdef f(self):\n\t\treturn 1\n\tdef g(self):\n\t\treturn 2\ndef h(b):\n  a = b\n"
    source = Source("a.py", code)
    assert [source.unit(node.body[-1]) for _, node in source.functions] == ["\t", "\t", "  "]


def test_syntax_warnings_of_source_are_suppressed() -> None:
    source = Source("a.py", b"def f(a):\n    return 1if a else '\\d'\n")
    assert rank("1if a else '\\d'") == rank("b if a else c")
    assert source.text(source.functions[0][1].body[0]) == "return 1if a else '\\d'"


def test_own_nodes_of_match_include_guards_and_values() -> None:
    source = Source("a.py", b"match a:\n case [1, b] if b > c: d\n case {'k': A.b}: e\n")
    texts = [source.text(node) for node in own_nodes(source.tree.body[0]) if isinstance(node, ast.expr)]
    assert texts == ["a", "1", "b > c", "b", "c", "'k'", "A.b", "A"]


def test_insertion_follows_indentation_and_line_endings() -> None:
    source = Source("a.py", b"def f(x):\r\n\tfor y in x:\r\n\t\tpass  # why\r\n\treturn x")
    inner = list(statements(source.tree))
    assert source.indent == "\t"
    expected = b"def f(x):\r\n\tfor y in x:\r\n\t\tif y:\r\n\t\t\tbreak\r\n\t\tpass  # why\r\n\treturn x"
    assert apply(source, source.insert(inner[2], ["if y:", "\tbreak"])) == expected
    assert (
        apply(source, source.insert(inner[2], ["a()"], after=True)).count(b"pass  # why\r\n\t\ta()\r\n\treturn x") == 1
    )
    assert apply(source, source.insert(inner[3], ["a()"], after=True)).endswith(b"\treturn x\r\n\ta()")


def test_nothing_is_inserted_on_shared_line() -> None:
    source = Source("a.py", b"if a: b = 1; c = 2\n")
    first, second = list(statements(source.tree))[1:]
    assert source.insert(first, ["x"]) is None
    assert source.insert(second, ["x"]) is None


def test_functions_are_outermost_with_byte_offsets() -> None:
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


def test_header_lines_exclude_body() -> None:
    source = Source("a.py", b"if (a and\n    b):\n    c = 1\n    d = 2\nelse:\n    e\n")
    assert list(header(source.tree.body[0])) == [1, 2]


def test_own_nodes_exclude_inner_statements_and_annotations() -> None:
    source = Source("a.py", b"x: int = f(1)\nwhile a:\n    b = 2\n")
    assert not any(isinstance(node, ast.Name) and node.id == "int" for node in own_nodes(source.tree.body[0]))
    assert [node.id for node in own_nodes(source.tree.body[1]) if isinstance(node, ast.Name)] == ["a"]


@pytest.mark.parametrize("data", [b"\xff = 1", b"def f(:\n", b"x = '\x00'"])
def test_unreadable_source_is_rejected(data: bytes) -> None:
    with pytest.raises((SyntaxError, ValueError)):
        Source("a.py", data)


@given(
    st.sampled_from(
        ["a", "a + b", "a.b", "f(x)", "not a", "a or b", "lambda: 1", "(a, b)", "a, b", "-a", "a if b else c"]
    )
)
def test_rank_is_that_of_outermost_operator(text: str) -> None:
    inside = ast.parse(f"({text}) ** 2", mode="eval")
    bare = text if rank(text) == 15 else f"({text})"
    assert ast.dump(ast.parse(f"{bare} ** 2", mode="eval")) == ast.dump(inside)
