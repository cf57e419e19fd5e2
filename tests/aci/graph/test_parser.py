"""Parsing of source bytes into outlines: exact for Python, and no input raises an error."""

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
FRAGMENTS = [
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


def references(result: Outline, kind: str) -> list[str]:
    return [reference.name for reference in result.references if reference.kind == kind]


def symbols_of_ast(code: str) -> set[tuple[str, str, int, int | None]]:
    """Return name, kind, first and last line of each symbol according to Python's own parser."""
    symbols = set()
    open_: list[tuple[ast.AST, str]] = [(ast.parse(code), "")]
    while open_:
        node, prefix = open_.pop()
        for child in ast.iter_child_nodes(node):
            name = prefix
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                name = f"{prefix}.{child.name}" if prefix else child.name
                first = min([child.lineno, *(decorator.lineno for decorator in child.decorator_list)])
                kind = "class" if isinstance(child, ast.ClassDef) else "function"
                symbols.add((name, kind, first, child.end_lineno))
            open_.append((child, name))
    return symbols


OWN_MODULES = sorted(Path(__file__).parents[3].glob("aci/*/*.py"))


@pytest.mark.parametrize("path", OWN_MODULES, ids=lambda path: path.name)
def test_symbols_equal_those_of_python_ast(path: Path) -> None:
    symbols = load_language("python").parse(path.read_bytes()).outline.symbols
    assert {(symbol.name, symbol.kind, symbol.line, symbol.end) for symbol in symbols} == symbols_of_ast(
        path.read_text()
    )


def test_symbol_lines_include_decorators_but_no_trailing_comments() -> None:
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
    assert {(symbol.name, symbol.kind, symbol.line, symbol.end) for symbol in symbols} == symbols_of_ast(code)
    first = symbols[0]
    assert (first.line, first.header, first.doc) == (2, 5, 'Says "what" it does.')
    assert first.signature == "async def outer(a, b=1) -> int"
    assert [symbols[symbol.parent].name for symbol in symbols if symbol.parent >= 0] == ["outer", "outer"]


def test_references_are_calls_bases_and_uses() -> None:
    result = outline("""
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
    assert references(result, "base") == ["Base", "Generic"]
    assert set(references(result, "call")) == {
        *("register", "super", "super().go", "?.run", "self.part.close", "make", "?.close", "schedule")
    }
    assert set(references(result, "use")) == {"callback", "Meta", "C", "self.done", "self.prop", "os.sep"}
    owners = {reference.name: reference.symbol for reference in result.references}
    assert result.symbols[owners["self.prop"]].name == "C.go"


def test_imports_have_bound_name_module_and_original_name() -> None:
    result = outline("""
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
    assert [entry[:3] for entry in result.imports] == [
        *(("a", "a.b", ""), ("e", "c.d", ""), ("y", "..x", "y"), ("w", "..x", "z"), ("q", ".", "q")),
        *(("*", "m", "*"), ("o", "n", "o"), ("r", "p", "r")),
    ]
    assert [entry.symbol for entry in result.imports][-2:] == [0, -1]


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
def test_bindings_have_target_source_and_whether_called(code: str, bound: list[tuple[str, str, bool]]) -> None:
    bindings = sorted((target, source, called) for target, source, _, called in outline(code).bindings)
    assert bindings == sorted(bound)


def test_python_2_and_broken_code_are_parsed_partially() -> None:
    assert [symbol.name for symbol in outline("print 'a'\ndef f():\n    print >>g, h()\n").symbols] == ["f"]
    result = outline("def f():\n    g()\n\nx = = (\n\nclass C:\n    def m(self): pass\n")
    assert result.broken
    assert "f" in [symbol.name for symbol in result.symbols]


@pytest.mark.parametrize("code", ["", "\n\n", "# only\n# comments", "\ufeffx = 1", "'''text'''"])
def test_file_without_definitions_has_no_symbols(code: str) -> None:
    result = load_language("python").parse(code.encode())
    assert not result.outline.symbols
    assert not result.outline.broken


def test_comments_and_docstrings_are_prose() -> None:
    code = b'"""Module."""\n# c\ndef f():\n    """Doc."""\n    return "text"\n'
    prose = [code[start:stop] for start, stop in load_language("python").parse(code).prose]
    assert prose == [b'"""Module."""', b"# c", b'"""Doc."""']


@pytest.mark.slow
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
def test_very_deep_or_wide_code_is_parsed(language: str, code: bytes) -> None:
    result = load_language(language).parse(code).outline
    assert all(len(symbol.name) < 1_000 for symbol in result.symbols)


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(LANGUAGES), st.binary(max_size=300) | st.lists(st.sampled_from(FRAGMENTS), max_size=40).map("".join)
)
def test_outline_of_any_bytes_is_consistent(language: str, code: bytes | str) -> None:
    data = code.encode() if isinstance(code, str) else code
    result, prose = load_language(language).parse(data)
    lines = data.count(b"\n") + 1
    for index, symbol in enumerate(result.symbols):
        assert 1 <= symbol.line <= symbol.header <= max(symbol.end, symbol.header) <= lines
        assert 0 <= symbol.start < symbol.stop <= len(data)
        assert symbol.parent < index
        if symbol.parent >= 0:
            parent = result.symbols[symbol.parent]
            assert parent.start <= symbol.start
            assert symbol.stop <= parent.stop
            assert symbol.name.startswith(f"{parent.name}.")
    assert do_not_overlap(result.symbols)
    for reference in result.references:
        assert 1 <= reference.line <= lines
        assert -1 <= reference.symbol < len(result.symbols)
    assert prose == sorted(prose)
    positions, owners = symbol_boundaries(result.symbols)
    assert positions == sorted(set(positions))
    assert len(positions) == len(owners)


def do_not_overlap(symbols: tuple[Symbol, ...]) -> bool:
    """Return whether any two symbols are disjoint or nested."""
    return all(
        later.start >= symbol.stop or later.stop <= symbol.stop
        for index, symbol in enumerate(symbols)
        for later in symbols[index + 1 :]
    )
