"""What one blob holds, whatever file and commit it stands in: its definitions, and what it refers to by which names.

Paths and meanings of names are not in it: those depend on the other files of a tree, see `aci/graph/resolve.py`.
"""

from __future__ import annotations

import marshal
from typing import NamedTuple

FUNCTION, CLASS = "function", "class"
CALL, BASE, USE = "call", "base", "use"
DEFAULT = "export default"
"""The target of a binding, wherever it is written: what is imported as `default`."""


class Symbol(NamedTuple):
    """A function, method or class; structs, interfaces, traits and their kin count as classes."""

    name: str
    """Dotted within the file: `Class.method`, `function.inner`."""
    kind: str
    line: int
    """The first, decorators included; lines count from 1."""
    end: int
    header: int
    """The line that has the name."""
    start: int
    stop: int
    """Bytes, decorators included."""
    parent: int
    """Index of the symbol it stands in, or -1."""
    signature: str
    """The header in one line, without body: `def f(a, b=1) -> int`, `class A(B)`."""
    doc: str
    """The first line of its docstring."""

    @property
    def bare(self) -> str:
        return self.name.rpartition(".")[2]


class Place(NamedTuple):
    """A definition, by its index in its file's outline, or the file itself (-1)."""

    path: str
    symbol: int = -1


class Reference(NamedTuple):
    """`kind` is `call`, `base` (of the class `symbol`) or `use` (a name or attribute read where it is not called).

    `name` is as written if that is dotted (`self.close`, `json.dumps`, `Base`; `A(x).b` is `A().b`), else `?.` and
    the last attribute (`make()[0].close()` is `?.close`).
    """

    kind: str
    name: str
    line: int
    symbol: int
    """Index of the innermost symbol around it, or -1 for the module."""


class Import(NamedTuple):
    """`from .a.b import c as d` binds `d` to `c` of `.a.b`; `import a.b` binds `a` to module `a`, and says `a.b`.

    A star binds `*`. In other languages `module` is what the statement names, a path for JavaScript's.
    """

    bound: str
    module: str
    name: str
    """Empty where the module itself is bound."""
    line: int
    symbol: int


class Binding(NamedTuple):
    """What a name or attribute was seen to hold: `x = Foo()`, `self.x = Foo()`, `x: Foo` bind it to `Foo`."""

    target: str
    source: str
    symbol: int
    called: bool
    """Whether `source` was called, so that the target holds what it returns (a class: an instance)."""


class Outline(NamedTuple):
    symbols: tuple[Symbol, ...] = ()
    references: tuple[Reference, ...] = ()
    imports: tuple[Import, ...] = ()
    bindings: tuple[Binding, ...] = ()
    broken: bool = False
    """The parser found errors; the rest is as far as it understood."""


def encode(outline: Outline) -> bytes:
    parts = (
        [tuple(one) for one in outline.symbols],
        [tuple(one) for one in outline.references],
        [tuple(one) for one in outline.imports],
        [tuple(one) for one in outline.bindings],
        outline.broken,
    )
    return marshal.dumps(parts, 4)


def decode(data: bytes) -> Outline:
    symbols, references, imports, bindings, broken = marshal.loads(data)
    return Outline(
        tuple(map(Symbol._make, symbols)),
        tuple(map(Reference._make, references)),
        tuple(map(Import._make, imports)),
        tuple(map(Binding._make, bindings)),
        broken,
    )
