"""The normal form of files in which equal patches are recognised."""

from __future__ import annotations

import pytest

from agent.candidates.patch_deduplication import normalize_file


@pytest.mark.parametrize(
    ("path", "one", "other", "is_same"),
    [
        ("a.js", "function f(a) {\n  // c\n  return a+1;\n}\n", "function f(a) { return a + 1; /* c */ }", True),
        ("a.js", "function f() { return\nx }", "function f() { return x }", False),
        ("a.js", "x = `a  ${b}`", "x = `a ${b}`", False),
        ("a.go", "package a\n\nfunc F() int {\n\treturn 1 // c\n}\n", "package a\nfunc F() int { return 1 }\n", True),
        ("a.rs", 'fn f() { println!("a  b") }', 'fn f() { println!("a b") }', False),
        ("a.rb", "x = <<~E\n  a  b\nE\n", "x = <<~E\n  a b\nE\n", False),
        ("a.c", "char x = ' ';", "char x = '\\t';", False),
        ("a.jsx", "f(<p>a  b</p>)", "f(<p>a b</p>)", False),
        ("a.jsx", "f(<p>a <b>c</b></p>)", "f(<p>a<b>c</b></p>)", False),
        ("a.jsx", "f(<p>\n  a\n  b\n</p>)", "f(<p>a b</p>)", True),
        ("a.php", "<b>a</b> <?php f();", "<b>a</b><?php f();", False),
        ("a.go", "//go:build linux\n\npackage a\n", "package a\n", False),
        ("a.go", "// go: a note\n\npackage a\n", "package a\n", True),
        ("a.js", "if (a {\n\n  b }", "if (a {\n  b }", True),
        ("a.js", "if (a {  b }", "if (a { b }", False),
    ],
)
def test_comments_and_formatting_do_not_count_but_literals_do(path: str, one: str, other: str, is_same: bool) -> None:
    assert (normalize_file(path, one.encode()) == normalize_file(path, other.encode())) is is_same
