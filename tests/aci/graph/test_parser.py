"""From bytes to outlines: Python exactly, and whatever the bytes are without failing."""

from __future__ import annotations

import ast
import textwrap
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aci.graph.outline import Outline, Symbol
from aci.graph.parser import languages_by_file_name, load_language, symbol_boundaries

LANGUAGES = sorted(set(languages_by_file_name().values()))
SCRAPS = [
    *(
        "def f(a: A) -> B:\n",
        "class C(D):\n",
        "    ",
        "\n",
        "@d\n",
        "'''doc'''",
        "# c\n",
        "x = F()",
        "return x",
        "\t",
        "\\",
    ),
    *(
        "function f() {",
        "}",
        "const a = (b) => c",
        "impl T for S {",
        "fn g(&self)",
        "#[d]\n",
        "func (r *R) m() {",
        "import a",
    ),
    *(
        "/** doc */",
        "// c\n",
        "<?php ",
        "end",
        "module M",
        "struct S {",
        "(",
        ")",
        "[",
        "{",
        "::",
        "->",
        ".",
        ";",
        "ü",
        "\0",
    ),
]


def outline(code: str, language: str = "python") -> Outline:
    return load_language(language).parse(textwrap.dedent(code).encode()).outline


def references(found: Outline, kind: str) -> list[str]:
    return [one.name for one in found.references if one.kind == kind]


def expected(code: str) -> set[tuple[str, str, int, int | None]]:
    """What Python's own parser says: name, kind, first and last line."""
    found = set()
    open_: list[tuple[ast.AST, str]] = [(ast.parse(code), "")]
    while open_:
        node, prefix = open_.pop()
        for child in ast.iter_child_nodes(node):
            name = prefix
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                name = f"{prefix}.{child.name}" if prefix else child.name
                first = min([child.lineno, *(one.lineno for one in child.decorator_list)])
                kind = "class" if isinstance(child, ast.ClassDef) else "function"
                found.add((name, kind, first, child.end_lineno))
            open_.append((child, name))
    return found


OURS = sorted(Path(__file__).parents[3].glob("aci/*/*.py"))


@pytest.mark.parametrize("path", OURS, ids=lambda path: path.name)
def test_symbols_are_those_of_syntax_tree(path: Path) -> None:
    symbols = load_language("python").parse(path.read_bytes()).outline.symbols
    assert {(one.name, one.kind, one.line, one.end) for one in symbols} == expected(path.read_text())


def test_lines_decorators_and_comments() -> None:
    code = textwrap.dedent('''
        @first
        # a comment
        @second(1)
        async def outer(a,
                        b=1) -> int:  # why
            r"""Says "what" it does.

            More."""
            def inner():
                if a:
                    pass
                    # a comment after the last statement

            class Local: pass
            return inner
            # another

        if True:
            def outer(): pass
        else:
            def outer(): return 1
        ''')
    symbols = outline(code).symbols
    assert {(one.name, one.kind, one.line, one.end) for one in symbols} == expected(code)
    first = symbols[0]
    assert (first.line, first.header, first.doc) == (2, 5, 'Says "what" it does.')
    assert first.signature == "async def outer(a, b=1) -> int"
    assert [symbols[one.parent].name for one in symbols if one.parent >= 0] == ["outer", "outer"]


def test_references_are_calls_bases_and_what_is_read() -> None:
    found = outline("""
        import os
        from a import callback, Base, Meta

        @register(callback)
        class C(Base, Generic[T], metaclass=Meta):
            def go(self, unknown):
                super(C, self).go().run()
                self.part.close()
                make()[0].close()
                schedule(callback, on=self.done)
                return self.prop, os.sep, unknown.attribute
    """)
    assert references(found, "base") == ["Base", "Generic"]
    assert set(references(found, "call")) == {
        *("register", "super", "super().go", "?.run", "self.part.close", "make", "?.close", "schedule")
    }
    assert set(references(found, "use")) == {"callback", "Meta", "C", "self.done", "self.prop", "os.sep"}
    places = {one.name: one.symbol for one in found.references}
    assert found.symbols[places["self.prop"]].name == "C.go"


def test_imports_say_what_they_bind() -> None:
    found = outline("""
        from __future__ import annotations
        import a.b, c.d as e
        from ..x import (y, z as w)
        from . import q
        from m import *
        def f():
            from n import o
        if TYPE_CHECKING:
            from p import r
    """)
    assert [one[:3] for one in found.imports] == [
        *(("a", "a.b", ""), ("e", "c.d", ""), ("y", "..x", "y"), ("w", "..x", "z"), ("q", ".", "q")),
        *(("*", "m", "*"), ("o", "n", "o"), ("r", "p", "r")),
    ]
    assert [one.symbol for one in found.imports][-2:] == [0, -1]


@pytest.mark.parametrize(
    ("code", "bound"),
    [
        ("x = Foo()", [("x", "Foo", True)]),
        ("self.x = a.b.Foo(1)", [("self.x", "a.b.Foo", True)]),
        ("x = a.b", [("x", "a.b", False)]),
        ("x: Foo", [("x", "Foo", True)]),
        ("x: 'a.Foo | None' = None", [("x", "a.Foo", True)]),
        ("x: Optional['Foo'] = y()", [("x", "Foo", True)]),
        ("x: Union[A, b.B, None]", [("x", "A", True), ("x", "b.B", True)]),
        ("x: list[Foo]", [("x", "list", True)]),
        ("x: type[Foo]", [("x", "Foo", False)]),
        ("x: ClassVar[Annotated[Foo, 'why']]", [("x", "Foo", True)]),
        ("x = await foo()", [("x", "foo", True)]),
        ("x = y or Foo()", [("x", "Foo", True)]),
        ("x = Foo() if y else None", [("x", "Foo", True)]),
        ("if (x := Foo()): pass", [("x", "Foo", True)]),
        ("with Foo() as x: pass", [("x", "Foo", True)]),
        ("try: pass\nexcept (A, b.B) as e: pass", [("e", "A", True), ("e", "b.B", True)]),
        ("def f(a: A, b: B = 1, *c: C) -> D: pass", [("a", "A", True), ("b", "B", True), ("return", "D", True)]),
        ("def f() -> None: pass", []),
        ("a, b = Foo()", []),
        ("x = [Foo()]", []),
        ("x[0] = Foo()", []),
    ],
)
def test_bindings(code: str, bound: list[tuple[str, str, bool]]) -> None:
    found = sorted((target, source, called) for target, source, _, called in outline(code).bindings)
    assert found == sorted(bound)


def test_python_2_and_broken_code_are_read_as_far_as_possible() -> None:
    assert [one.name for one in outline("print 'a'\ndef f():\n    print >>g, h()\n").symbols] == ["f"]
    found = outline("def f():\n    g()\n\nx = = (\n\nclass C:\n    def m(self): pass\n")
    assert found.broken
    assert "f" in [one.name for one in found.symbols]


@pytest.mark.parametrize("code", ["", "\n\n", "# only\n# comments", "\ufeffx = 1", "'''text'''"])
def test_files_without_definitions(code: str) -> None:
    found = load_language("python").parse(code.encode())
    assert not found.outline.symbols
    assert not found.outline.broken


def test_comments_and_docstrings_are_prose() -> None:
    code = b'"""Module."""\n# c\ndef f():\n    """Doc."""\n    return "text"\n'
    prose = [code[start:stop] for start, stop in load_language("python").parse(code).prose]
    assert prose == [b'"""Module."""', b"# c", b'"""Doc."""']


@pytest.mark.parametrize(
    ("language", "code"),
    [
        ("python", b"x = " + b"(" * 10_000 + b")" * 10_000),
        ("python", b"x = " + b"f(" * 10_000 + b")" * 10_000),
        ("python", b"x = a" + b".b()" * 100_000),
        ("python", b"[" * 500_000),
        ("python", b"".join(b" " * depth + b"def f():\n" for depth in range(1_000)) + b" " * 1_000 + b"pass"),
        ("python", b"x = [" + b"f(1), " * 30_000 + b"]"),
        ("javascript", b"x = [" + b"," * 500_000 + b"]"),
        ("javascript", b"function f(){" * 10_000 + b"}" * 10_000),
        ("java", b"class A{ void m(){ a" + b".b()\n" * 50_000 + b"; } }"),
        ("rust", b"use " + b"a::{" * 10_000 + b"b" + b"}" * 10_000 + b";"),
        ("c", b"void f(){" + b"if(x)" * 10_000 + b";}"),
    ],
)
def test_no_depth_or_width_is_too_much(language: str, code: bytes) -> None:
    found = load_language(language).parse(code).outline
    assert all(len(one.name) < 1_000 for one in found.symbols)


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(LANGUAGES), st.binary(max_size=300) | st.lists(st.sampled_from(SCRAPS), max_size=40).map("".join)
)
def test_whatever_bytes_outline_holds_together(language: str, code: bytes | str) -> None:
    data = code.encode() if isinstance(code, str) else code
    found, prose = load_language(language).parse(data)
    lines = data.count(b"\n") + 1
    for index, one in enumerate(found.symbols):
        assert 1 <= one.line <= one.header <= max(one.end, one.header) <= lines
        assert 0 <= one.start < one.stop <= len(data)
        assert one.parent < index
        if one.parent >= 0:
            around = found.symbols[one.parent]
            assert around.start <= one.start
            assert one.stop <= around.stop
            assert one.name.startswith(f"{around.name}.")
    assert _apart(found.symbols)
    for reference in found.references:
        assert 1 <= reference.line <= lines
        assert -1 <= reference.symbol < len(found.symbols)
    assert prose == sorted(prose)
    positions, owners = symbol_boundaries(found.symbols)
    assert positions == sorted(set(positions))
    assert len(positions) == len(owners)


def _apart(symbols: tuple[Symbol, ...]) -> bool:
    """Whether no two overlap but by standing in one another."""
    return all(
        later.start >= one.stop or later.stop <= one.stop
        for index, one in enumerate(symbols)
        for later in symbols[index + 1 :]
    )
