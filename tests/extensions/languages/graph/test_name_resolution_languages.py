"""Resolution of names in languages other than Python."""

from __future__ import annotations

import pytest

from aci.graph.name_resolution import Resolver
from aci.graph.parser import languages_by_file_name, load_language


def calls(texts: dict[str, str], path: str) -> set[str]:
    """Return file:symbol for each definition that the file calls."""
    languages = languages_by_file_name()
    outlines = {
        file: load_language(languages[file[file.rfind(".") :]]).parse(text.encode()).outline
        for file, text in texts.items()
    }
    resolved = Resolver(outlines).resolve(path)
    assert resolved.reached <= outlines.keys()
    assert {edge.path for edge in resolved.edges} <= resolved.reached
    return {
        f"{edge.path}:{outlines[edge.path].symbols[edge.target].name}" for edge in resolved.edges if edge.kind == "call"
    }


def test_javascript_imports_relative_paths_with_suffixes_and_indexes() -> None:
    texts = {
        "src/a.js": """\
import D, {a as b} from './x/y.js';
import * as ns from './z';
class A extends b { m() { this.n(); ns.f(); D(); super.q(); } n() {} }
""",
        "src/x/y.ts": "export class a { q() {} }\nexport default function D() {}\n",
        "src/z/index.js": "export * from './w'\n",
        "src/z/w.js": "export function f() {}\n",
    }
    assert calls(texts, "src/a.js") == {"src/a.js:A.n", "src/z/w.js:f", "src/x/y.ts:D", "src/x/y.ts:a.q"}


@pytest.mark.parametrize(
    "exported",
    [
        "export default function bar() {}",
        "export default class bar {}",
        "function bar() {}\nexport default bar;",
        "export default async () => {}",
        "function other() {}\nexport function Foo() {}\nexport default bar;\nfunction bar() {}",
    ],
)
@pytest.mark.parametrize("ending", ["js", "ts", "tsx"])
def test_default_export_may_be_imported_under_other_name(exported: str, ending: str) -> None:
    texts = {"src/a.js": "import Foo from './b'\nfunction f() { Foo() }\n", f"src/b.{ending}": exported}
    name = "bar" if "bar" in exported else "default"
    assert calls(texts, "src/a.js") == {f"src/b.{ending}:{name}"}


def test_java_resolves_package_imports_and_inherited_members() -> None:
    texts = {
        "main/p/q/D.java": """\
package p.q;
import a.b.C;
class D extends C { C f; void n() { m(); this.k(); f.z(); E.go(); } void k() {} }
""",
        "main/a/b/C.java": "package a.b;\npublic class C { void m() {} void z() {} }\n",
        "main/p/q/E.java": "package p.q;\nclass E { static void go() {} }\n",
    }
    expected = {"main/a/b/C.java:C.m", "main/p/q/D.java:D.k", "main/a/b/C.java:C.z", "main/p/q/E.java:E.go"}
    assert calls(texts, "main/p/q/D.java") == expected


def test_go_package_is_folder_with_methods_in_any_file() -> None:
    texts = {
        "pkg/a.go": """\
package p
import x "github.com/o/r/sub"
type T struct {}
func (t *T) M() { t.N(); x.F(); local(); u := New(); u.N() }
""",
        "pkg/b.go": "package p\nfunc (t *T) N() {}\nfunc local() {}\nfunc New() *T { return nil }\n",
        "sub/s.go": "package sub\nfunc F() {}\n",
    }
    assert calls(texts, "pkg/a.go") == {"pkg/b.go:T.N", "sub/s.go:F", "pkg/b.go:local", "pkg/b.go:New"}


def test_rust_resolves_modules_and_implementations() -> None:
    texts = {
        "src/lib.rs": "mod a;\nuse a::f;\nfn z() { f(); crate::a::g(); }\n",
        "src/a.rs": """\
use super::z;
pub fn f() { z(); }
pub fn g() {}
struct S;
impl S { fn go(&self) { self.h(); self.t(); S::mk(); } fn h(&self) {} fn mk() {} }
impl Tr for S { fn t(&self) {} }
""",
    }
    assert calls(texts, "src/lib.rs") == {"src/a.rs:f", "src/a.rs:g"}
    assert calls(texts, "src/a.rs") == {"src/lib.rs:z", "src/a.rs:S.h", "src/a.rs:S.t", "src/a.rs:S.mk"}
