"""Resolution of Python names through imports, classes, assignments and annotations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest

from aci.graph.name_resolution import ResolvedReferences, Resolver
from aci.graph.outline import Outline
from aci.graph.parser import languages_by_file_name, load_language


class Tree(Mapping[str, Outline]):
    """The outlines of texts; it records which of them were read."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        languages = languages_by_file_name()
        self.outlines = {
            path: load_language(languages[path[path.rfind(".") :]]).parse(text.encode()).outline
            for path, text in texts.items()
        }
        self.read_paths: set[str] = set()

    def __getitem__(self, path: str) -> Outline:
        self.read_paths.add(path)
        return self.outlines[path]

    def __iter__(self) -> Iterator[str]:
        return iter(self.outlines)

    def __len__(self) -> int:
        return len(self.outlines)

    def resolved(self, path: str) -> ResolvedReferences:
        return Resolver(self).resolve(path)

    def edges(self, path: str, kind: str = "call") -> set[tuple[str, str]]:
        """Return pairs of symbol and file:symbol for a file's edges, with "" for the module."""
        return {
            (self._name(path, edge.symbol), f"{edge.path}:{self._name(edge.path, edge.target)}")
            for edge in self.resolved(path).edges
            if edge.kind == kind
        }

    def _name(self, path: str, index: int) -> str:
        return self.outlines[path].symbols[index].name if index >= 0 else ""


IMPORTS = {
    "from pkg.b import c as d\n\ndef f():\n    d()\n": "pkg/b.py:c",
    "import pkg.b\n\ndef f():\n    pkg.b.c()\n": "pkg/b.py:c",
    "import pkg.b as m\n\ndef f():\n    m.c()\n": "pkg/b.py:c",
    "from pkg import b\n\ndef f():\n    b.c()\n": "pkg/b.py:c",
    "from pkg import c\n\ndef f():\n    c()\n": "pkg/b.py:c",
    "from pkg import *\n\ndef f():\n    c()\n": "pkg/b.py:c",
    "from pkg.star import *\n\ndef f():\n    K.go()\n": "pkg/b.py:K.go",
    "def f():\n    from pkg.b import c\n    c()\n": "pkg/b.py:c",
    "from pkg.b import K\n\ndef f():\n    K().go()\n": "pkg/b.py:K.go",
    "from pkg.b import K\n\ndef f():\n    k = K()\n    k.go()\n": "pkg/b.py:K.go",
    "from pkg.b import K\n\ndef f(k: 'K | None'):\n    k.go()\n": "pkg/b.py:K.go",
    "from pkg.b import make\n\ndef f():\n    k = make()\n    k.go()\n": "pkg/b.py:K.go",
    "from pkg.b import instance as i\n\ndef f():\n    i.go()\n": "pkg/b.py:K.go",
    "from pkg.b import other\n\ndef f():\n    other()\n": "pkg/b.py:c",
    "from space.x import n\n\ndef f():\n    n()\n": "space/x.py:n",
    "import space.x\n\ndef f():\n    space.x.n()\n": "space/x.py:n",
    "from lib1 import g\n\ndef f():\n    g()\n": "src/lib1/__init__.py:g",
}
PACKAGE = {
    "pkg/__init__.py": "from .b import c\nfrom . import b\n",
    "pkg/star.py": "from .b import *\n",
    "pkg/b.py": """\
def c(): ...
class K:
    def go(self): ...
def make() -> K: ...
instance = K()
other = c
""",
    "space/x.py": "def n(): ...\n",
    "src/lib1/__init__.py": "def g(): ...\n",
}


@pytest.mark.parametrize("text", IMPORTS)
def test_call_reaches_its_definition_through_imports(text: str) -> None:
    tree = Tree({**PACKAGE, "tests/test_it.py": text})
    assert ("f", IMPORTS[text]) in tree.edges("tests/test_it.py")


CLASSES = """\
from base import Base

class Helper:
    def help(self): ...

class Mine(Base):
    registry = Helper()

    def __init__(self):
        self.helper = Helper()

    def run(self):
        self.walk()
        self.inherited()
        self.helper.help()
        self.registry.help()
        self.prop.help()

    def walk(self): ...

    @property
    def prop(self) -> Helper: ...

    @classmethod
    def make(cls):
        cls.walk(cls())

    def over(self):
        super().over()
        super(Mine, self).inherited()

def build():
    Mine.make()
    Mine().walk()
    def inner(): ...
    inner()
    map(build, [])
"""
BASE = """\
class Root:
    def inherited(self): ...
class Base(Root):
    def __init__(self): ...
    def over(self): ...
class Sub(Base): ...
"""


def test_methods_are_found_through_self_bases_attributes_and_super() -> None:
    tree = Tree({"a.py": CLASSES, "base.py": BASE})
    calls = tree.edges("a.py")
    assert {
        ("Mine.run", "a.py:Mine.walk"),
        ("Mine.run", "base.py:Root.inherited"),
        ("Mine.run", "a.py:Helper.help"),
        ("Mine.make", "a.py:Mine.walk"),
        ("Mine.make", "a.py:Mine.__init__"),
        ("Mine.over", "base.py:Base.over"),
        ("Mine.over", "base.py:Root.inherited"),
        ("build", "a.py:Mine.make"),
        ("build", "a.py:Mine.walk"),
        ("build", "a.py:build.inner"),
    } <= calls
    assert ("Mine.run", "a.py:Mine.prop") in tree.edges("a.py", "use")
    assert ("build", "a.py:build") in tree.edges("a.py", "use")
    assert tree.edges("a.py", "base") == {
        ("Mine", "base.py:Base"),
        ("Mine.over", "base.py:Base.over"),
    }


def test_instantiation_reaches_class_and_inherited_constructor() -> None:
    tree = Tree({"a.py": "import base\n\ndef f():\n    base.Sub()\n", "base.py": BASE})
    assert tree.edges("a.py") == {("f", "base.py:Sub"), ("f", "base.py:Base.__init__")}


def test_diamond_inheritance_is_searched_in_order() -> None:
    text = """\
class A:
    def m(self): ...
class B(A): ...
class C(A):
    def m(self): ...
class D(B, C):
    def f(self):
        self.m()
"""
    assert ("D.f", "a.py:C.m") in (calls := Tree({"a.py": text}).edges("a.py"))
    assert ("D.f", "a.py:A.m") not in calls


def test_several_definitions_of_name_share_weight() -> None:
    text = "try:\n    def f(): ...\nexcept E:\n    def f(): ...\n\ndef g():\n    f()\n"
    edges = [edge for edge in Tree({"a.py": text}).resolved("a.py").edges if edge.kind == "call"]
    assert [(edge.target, edge.weight, edge.line) for edge in edges] == [(0, 0.5, 7), (1, 0.5, 7)]


def test_reading_property_does_not_reach_setter() -> None:
    text = """\
class A:
    @property
    def p(self): ...
    @p.setter
    def p(self, value): ...
    def f(self):
        return self.p
"""
    uses = [edge for edge in Tree({"a.py": text}).resolved("a.py").edges if edge.kind == "use"]
    assert [(edge.target, edge.weight) for edge in uses] == [(1, 1.0)]


def test_attributes_of_unknown_objects_are_loose_references() -> None:
    text = """\
import json
from os import path as p

def f(x, *rest, **more):
    x.close()
    json.dumps(1)
    p.join("a")
    len(x)
    unknown()
    rest.index(1)
    more.get(1)
    d = dict()
    d.update(x)
    "".join(x)
    x.__enter__()
"""
    resolved = Tree({"a.py": text}).resolved("a.py")
    assert [(reference.name, reference.kind, reference.line) for reference in resolved.loose] == [("close", "call", 5)]
    assert resolved.edges == ()


def test_parameter_hides_function_of_its_name() -> None:
    tree = Tree({"a.py": "def g(): ...\n\ndef f(g, *, h=g):\n    g()\n"})
    assert tree.edges("a.py") == set()


def test_standard_module_is_preferred_to_namesake_in_package() -> None:
    tree = Tree(
        {"p/__init__.py": "", "p/random.py": "def choice(): ...\n", "p/a.py": "import random\nrandom.choice()\n"}
    )
    assert tree.edges("p/a.py") == set()


def test_only_reached_files_are_read_and_listed() -> None:
    tree = Tree({**PACKAGE, "a.py": "from pkg import c\nc()\n"})
    resolved = tree.resolved("a.py")
    assert resolved.reached == {"a.py", "pkg/__init__.py", "pkg/b.py"} == tree.read_paths


def test_result_does_not_depend_on_order_of_files() -> None:
    texts = {**PACKAGE, "x.py": CLASSES, "base.py": BASE, **{f"t{n}.py": text for n, text in enumerate(IMPORTS)}}
    tree = Tree(texts)
    forwards, backwards = Resolver(tree), Resolver(tree)
    results = {path: forwards.resolve(path) for path in sorted(texts)}
    reverse_results = {path: backwards.resolve(path) for path in sorted(texts, reverse=True)}
    assert results == reverse_results == {path: tree.resolved(path) for path in texts}


def test_missing_path_is_key_error() -> None:
    with pytest.raises(KeyError):
        Tree({}).resolved("a.py")


CYCLES = {
    "import of itself": {"a.py": "from a import f\nf()\n"},
    "imports in a circle": {"a.py": "from b import f\nf()\n", "b.py": "from a import f\n"},
    "stars in a circle": {"a.py": "from b import *\nf()\n", "b.py": "from a import *\n"},
    "a class that is its own base": {"a.py": "class A(A):\n    def f(self):\n        self.g()\n        super().h()\n"},
    "bases in a circle": {"a.py": "class A(B):\n    def f(self): self.g()\nclass B(A): ...\n"},
    "a base inside its class": {"a.py": "class A(A.B):\n    class B(A): ...\n"},
    "names that refer to each other": {"a.py": "x = y\ny = x\nx.f()\n" + "z = z.z\n" * 50 + "z.z.z.z()\n"},
    "returns in a circle": {
        "a.py": "def f() -> g: ...\ndef g() -> f: ...\nf().x()\nclass A:\n    __call__ = A()\nA()()\n"
    },
    "a very long name": {"a.py": "import a\n" + ".".join(["a"] * 90) + "()\n"},
    "beyond the root": {"a.py": "from ..... import x\nfrom . import y\nx()\ny()\n"},
    "a package that imports its own": {"p/__init__.py": "from . import p\np()\n"},
}


@pytest.mark.parametrize("case", CYCLES)
def test_cycles_are_resolved_in_finite_time(case: str) -> None:
    tree = Tree(CYCLES[case])
    for path in tree:
        assert path in tree.resolved(path).reached


@pytest.mark.slow
def test_chain_of_ten_thousand_imports_and_bases_is_cut_off() -> None:
    count = 10_000
    parse = load_language("python").parse
    texts = (f"from m{n + 1} import f, A\nclass B{n}(A): ...\nclass A(A): ...\nf()\nB{n}().x()\n" for n in range(count))
    outlines = {f"m{n}.py": parse(text.encode()).outline for n, text in enumerate(texts)}
    resolver = Resolver(outlines)
    for n in (0, 1, count // 2, count - 1):
        assert len(resolver.resolve(f"m{n}.py").reached) < 1500
