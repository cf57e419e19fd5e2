"""Definitions, calls, bases and imports that each language's module finds."""

from __future__ import annotations

import textwrap

import pytest

from aci.graph.outline import Outline
from aci.graph.parser import load_language


def outline(language: str, code: str) -> Outline:
    result = load_language(language).parse(textwrap.dedent(code).encode()).outline
    assert not result.broken
    return result


def names(result: Outline) -> dict[str, str]:
    return {symbol.name: symbol.kind[0] for symbol in result.symbols}


def references(result: Outline, kind: str) -> set[str]:
    return {reference.name for reference in result.references if reference.kind == kind}


def imports(result: Outline) -> list[tuple[str, str, str]]:
    return [entry[:3] for entry in result.imports]


def bindings(result: Outline) -> set[tuple[str, str]]:
    return {entry[:2] for entry in result.bindings}


def test_javascript_is_outlined() -> None:
    result = outline(
        "javascript",
        """
        import d, { a as b, c } from './x';
        import * as ns from 'y';
        import './effects';
        export { q as r } from './z';
        export * from './w';
        const s = require('./s'), { t, u: v } = require('u');

        /**
         * Says what A is.
         */
        export default class A extends ns.B {
          field = () => this.go(c);
          #hidden() { return b?.x.y(); }
          static make() { return new A(); }
        }
        A.prototype.old = function () { super.old(); };
        module.exports = function named() {};
        exports.exported = (x) => x;
        const table = { m() {}, k: function () {}, 'quoted': (x) => 1 };
        function* generate() {}
        export const arrow = async (a, b) => { this.part = new ns.Part(); };
        const element = <Shown on={arrow}><b/></Shown>;
        """,
    )
    assert names(result) == {
        **{"A": "c", "A.field": "f", "A.#hidden": "f", "A.make": "f", "A.old": "f", "named": "f", "exported": "f"},
        **{"table": "c", "table.m": "f", "table.k": "f", "table.quoted": "f", "generate": "f", "arrow": "f"},
    }
    first = result.symbols[0]
    assert (first.doc, first.signature) == ("Says what A is.", "class A extends ns.B")
    assert {"this.go", "b.x.y", "A", "ns.Part", "super.old", "Shown"} <= references(result, "call")
    assert "b" not in references(result, "call")
    assert references(result, "base") == {"ns.B"}
    assert {"c", "arrow"} <= references(result, "use")
    assert imports(result) == [
        *(("d", "./x", "default"), ("b", "./x", "a"), ("c", "./x", "c"), ("ns", "y", ""), ("", "./effects", "")),
        *(("r", "./z", "q"), ("*", "./w", "*"), ("s", "./s", ""), ("t", "u", "t"), ("v", "u", "u")),
    ]
    assert ("this.part", "ns.Part") in bindings(result)


TYPESCRIPT = """
    import type { T } from './t';
    import x = require('z');
    // Says what A is.
    @Component()
    export class A<V> extends B<V> implements I, J.K {
      private part: Foo = make();
      constructor(private service: Service) { super(); }
      @Log()
      m(a?: Option): Promise<Found> { return this.service.go(a as T); }
      abstract q(): void;
    }
    interface I extends J { m(): void; p: T }
    type Alias = { a: T };
    enum E { A }
    namespace N { export function inside(): void {} }
    declare function ambient(x: string): void;
    abstract class Q { abstract z(): void }
    export const arrow = (a: T): T => a;
"""


@pytest.mark.parametrize("language", ["typescript", "tsx"])
def test_typescript_is_outlined(language: str) -> None:
    result = outline(language, TYPESCRIPT)
    assert names(result) == {
        **{"A": "c", "A.constructor": "f", "A.m": "f", "A.q": "f", "I": "c", "I.m": "f", "Alias": "c", "E": "c"},
        **{"N": "c", "N.inside": "f", "ambient": "f", "Q": "c", "Q.z": "f", "arrow": "f"},
    }
    symbols = {symbol.name: symbol for symbol in result.symbols}
    assert (symbols["A"].line, symbols["A"].header, symbols["A"].doc) == (5, 6, "Says what A is.")
    assert (symbols["A.m"].line, symbols["A.m"].header) == (9, 10)
    assert symbols["A.m"].signature == "m(a?: Option): Promise<Found>"
    assert references(result, "base") == {"B", "I", "J.K", "J"}
    assert {"Component", "Log", "make", "super", "this.service.go"} <= references(result, "call")
    assert "T" in references(result, "use")
    assert imports(result) == [("T", "./t", "T"), ("x", "z", "")]
    assert {("this.part", "Foo"), ("this.service", "Service"), ("a", "Option"), ("return", "Found")} <= bindings(result)


def test_tsx_elements_are_calls() -> None:
    result = outline("tsx", "export const Page = (p: P) => <List on={p.go}><Row /></List>;\n")
    assert references(result, "call") == {"List", "Row"}


def test_java_is_outlined() -> None:
    result = outline(
        "java",
        """
        package p;
        import a.b.C;
        import static a.b.C.make;
        import a.b.*;

        /** Says what A is. */
        @Marked
        public class A<T> extends B<T> implements I, x.J {
            private Foo foo = new Foo(1);
            A(Foo x) { super(x); this.foo.bar(); }
            <R> R m(List<Foo> all) throws Failed {
                var made = new Made();
                return all.get(0).<T>go(Outer.Inner.stat(C::new));
            }
            class In { void deep() {} }
            record Pair(int a) {}
            enum E { X { void q() {} } }
            @interface Note { String value(); }
            interface Z extends Y { void z(); }
        }
        """,
    )
    assert names(result) == {
        **{"A": "c", "A.A": "f", "A.m": "f", "A.In": "c", "A.In.deep": "f", "A.Pair": "c", "A.E": "c", "A.E.q": "f"},
        **{"A.Note": "c", "A.Note.value": "f", "A.Z": "c", "A.Z.z": "f"},
    }
    first = result.symbols[0]
    assert (first.line, first.header, first.doc) == (8, 9, "Says what A is.")
    assert references(result, "base") == {"B", "I", "x.J", "Y"}
    calls = {"Foo", "super", "this.foo.bar", "Made", "all.get", "all.get().go", "Outer.Inner.stat", "Marked"}
    assert references(result, "call") == calls
    assert {"Foo", "List", "Failed"} <= references(result, "use")
    assert imports(result) == [("C", "a.b", "C"), ("make", "a.b.C", "make"), ("*", "a.b", "*")]
    assert {("this.foo", "Foo"), ("x", "Foo"), ("return", "R"), ("made", "Made")} <= bindings(result)


def test_go_is_outlined() -> None:
    result = outline(
        "go",
        """
        package p

        import (
            "fmt"
            x "a/b/c"
            . "d"
            _ "e"
            "f/v2"
        )

        // T says what it is,
        // at length.
        type T struct {
            Base
            *pkg.Embedded
            part Foo
        }
        type (
            I interface { M(a Foo) error; Other }
            Alias = T
        )

        func (t *T) Go(a *Foo, b ...Bar) (Ret, error) {
            made := NewFoo()
            var y Foo = made
            w := &x.Foo{A: Plain}
            return t.part.Run(y, w)
        }
        func (l List[K]) Len() int { return 0 }
        func Plain[K any](f func()) {}
        """,
    )
    assert names(result) == {
        **{"T": "c", "I": "c", "I.M": "f", "Alias": "c", "T.Go": "f", "List.Len": "f", "Plain": "f"},
    }
    first = result.symbols[0]
    assert (first.line, first.doc, first.signature) == (14, "T says what it is,", "T struct")
    assert references(result, "base") == {"Base", "pkg.Embedded", "Other"}
    assert {"NewFoo", "x.Foo", "t.part.Run"} <= references(result, "call")
    assert {"Foo", "Plain"} <= references(result, "use")
    assert imports(result) == [
        ("fmt", "fmt", ""),
        ("x", "a/b/c", ""),
        ("*", "d", "*"),
        ("", "e", ""),
        ("f", "f/v2", ""),
    ]
    assert {("t", "T"), ("a", "Foo"), ("made", "NewFoo"), ("w", "x.Foo"), ("return", "Ret")} <= bindings(result)


def test_rust_is_outlined() -> None:
    result = outline(
        "rust",
        """
        use a::b::{self, c, d as e, f::*};
        use crate::x::Y;
        mod m;

        /// Says what S is.
        #[derive(Debug)]
        #[other]
        pub struct S<T> { part: Foo<T> }

        impl<T> Tr<T> for S<T> where T: X {
            fn go(&self, a: &mut Foo) -> Option<Ret> {
                let x = Foo::new();
                self.part.run(c);
                printed!(x);
                x.turbo::<T>();
                free::<T>()
            }
        }
        trait Tr: Base + other::More { fn required(&self); fn given(&self) {} }
        enum E { A(Foo), B }
        type Alias = Foo;
        macro_rules! printed { () => {} }
        mod inner { pub fn q() {} }
        """,
    )
    assert names(result) == {
        **{"S": "c", "S.go": "f", "Tr": "c", "Tr.required": "f", "Tr.given": "f", "E": "c", "Alias": "c"},
        **{"printed": "f", "q": "f"},
    }
    first = result.symbols[0]
    assert (first.line, first.header, first.doc, first.signature) == (7, 9, "Says what S is.", "pub struct S<T>")
    assert references(result, "base") == {"Tr", "Base", "other.More"}
    assert references(result, "call") == {"Foo.new", "self.part.run", "printed", "x.turbo", "free"}
    assert {"Foo", "Ret", "X", "c"} <= references(result, "use")
    assert imports(result) == [
        *(("b", "a", "b"), ("c", "a::b", "c"), ("e", "a::b", "d"), ("*", "a::b::f", "*"), ("Y", "crate::x", "Y")),
        ("m", "self", "m"),
    ]
    assert {("self.part", "Foo"), ("a", "Foo"), ("x", "Foo.new"), ("return", "Ret")} <= bindings(result)


def test_c_is_outlined() -> None:
    result = outline(
        "c",
        """
        #include "x.h"
        #include <stdio.h>
        #define TWICE(a) both(a, a)

        /* Says what find does. */
        static struct Foo *
        find(struct Bar *b, int n)
        {
            Baz y;
            b->cb(n);
            watch(handler, &TWICE);
            return make(y);
        }
        struct Foo { int a; struct Bar *next; };
        typedef struct { int q; } Named;
        typedef struct Tagged { int z; } Tagged;
        enum E { A };
        int declared(int a);
        static const struct ops table = { .open = find, };
        """,
    )
    assert names(result) == {"TWICE": "f", "find": "f", "Foo": "c", "Named": "c", "Tagged": "c", "E": "c"}
    find = result.symbols[1]
    assert (find.line, find.header, find.end, find.doc) == (7, 8, 14, "Says what find does.")
    assert references(result, "call") == {"b.cb", "watch", "make"}
    assert {"Bar", "Baz", "find", "TWICE"} <= references(result, "use")
    assert imports(result) == [("*", "x.h", "*"), ("*", "stdio.h", "*")]
    assert {("b", "Bar"), ("y", "Baz")} <= bindings(result)


def test_cpp_is_outlined() -> None:
    result = outline(
        "cpp",
        """
        #include "x.hpp"
        namespace ns {
        /// Says what A is.
        template<class T>
        class A : public B<T>, protected m::C {
        public:
            A() : x(1) {}
            void inlined() const { this->go(); }
            virtual int pure(int) = 0;
            A* make();
            Foo part;
            bool operator==(const A& o);
        };
        }
        void ns::A::out(const Foo& f) { f.run(); other::stat<int>(1); auto p = new Foo(1); Foo q(1); }
        template<class T> T& A<T>::templated() { return x; }
        enum class E { X };
        using Alias = Foo;
        """,
    )
    assert names(result) == {
        **{"A": "c", "A.A": "f", "A.inlined": "f", "A.pure": "f", "A.make": "f", "A.operator==": "f", "A.out": "f"},
        **{"A.templated": "f", "E": "c", "Alias": "c"},
    }
    first = result.symbols[0]
    assert (first.line, first.header, first.doc) == (5, 6, "Says what A is.")
    assert references(result, "base") == {"B", "m.C"}
    assert references(result, "call") == {"this.go", "f.run", "other.stat", "Foo"}
    assert imports(result) == [("*", "x.hpp", "*")]
    assert {("part", "Foo"), ("f", "Foo"), ("q", "Foo")} <= bindings(result)


def test_ruby_is_outlined() -> None:
    result = outline(
        "ruby",
        """
        require 'json'
        require_relative "x/y"

        # Says what M is.
        module M
          class A::B < Base::C
            include Mix
            def initialize(a)
              @part = Foo.new(a)
            end
            def self.make!(x) = x.go
            def asks?
              @part.run(Other)
              self.z
              D::E.new.run
            end
            class << self
              def s; end
            end
          end
        end
        """,
    )
    assert names(result) == {
        **{"M": "c", "M.A.B": "c", "M.A.B.initialize": "f", "M.A.B.make!": "f", "M.A.B.asks?": "f", "M.A.B.s": "f"},
    }
    assert result.symbols[0].doc == "Says what M is."
    assert references(result, "base") == {"Base.C", "Mix"}
    assert {"Foo.new", "x.go", "@part.run", "self.z", "D.E.new", "D.E.new.run"} <= references(result, "call")
    assert imports(result) == [("*", "json", "*"), ("*", "./x/y", "*")]
    assert bindings(result) == {("@part", "Foo")}


def test_php_is_outlined() -> None:
    result = outline(
        "php",
        r"""
        <?php
        namespace App\X;
        use A\B\C as D; use E\F; use I\{J, K as L};
        require_once 'lib.php';
        /** Says what A is. */
        #[Marked]
        abstract class A extends D implements F, \Q\R {
            use Mixed;
            private Foo $foo;
            public function __construct(private Bar $b) { $this->foo = new Foo(1); parent::__construct(); }
            public static function m(?F $a): ?Ret { $x = new D(); $x->go(); self::y(); h($this->foo->bar()); }
            abstract function ab();
        }
        interface I2 extends I3 {}
        trait T { function t() {} }
        enum En: string { case A = 'a'; function e() {} }
        function free(D $d) {}
        """,
    )
    assert names(result) == {
        **{"A": "c", "A.__construct": "f", "A.m": "f", "A.ab": "f", "I2": "c", "T": "c", "T.t": "f", "En": "c"},
        **{"En.e": "f", "free": "f"},
    }
    assert result.symbols[0].doc == "Says what A is."
    assert references(result, "base") == {"D", "F", "Q.R", "Mixed", "I3"}
    calls = {"Foo", "parent.__construct", "D", "x.go", "self.y", "h", "this.foo.bar", "Marked"}
    assert references(result, "call") == calls
    assert imports(result) == [
        *(("D", r"A\B", "C"), ("F", "E", "F"), ("J", "I", "J"), ("L", "I", "K"), ("*", "lib.php", "*")),
    ]
    assert {("this.foo", "Foo"), ("this.b", "Bar"), ("x", "D"), ("a", "F"), ("return", "Ret")} <= bindings(result)
