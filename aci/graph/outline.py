"""The outline of one blob: its definitions and references, independent of the files and commits that contain it.

Paths and the meaning of names are not part of an outline, since they depend on the tree's other files: see
`name_resolution.py`.
"""

from __future__ import annotations

import marshal
from typing import NamedTuple

FUNCTION, CLASS = "function", "class"
CALL, BASE, USE = "call", "base", "use"
DEFAULT = "export default"
"""The binding target for a module's default export."""


class Symbol(NamedTuple):
    """A function, method or class; structs, interfaces, traits and similar types count as classes."""

    name: str
    """The dotted name within the file: `Class.method`, `function.inner`."""
    kind: str
    line: int
    """The first line, including decorators; lines count from 1."""
    end: int
    header: int
    """The line with the name."""
    start: int
    stop: int
    """The range of bytes, including decorators."""
    parent: int
    """Index of the symbol that encloses it, or -1."""
    signature: str
    """The header in one line, without the body: `def f(a, b=1) -> int`, `class A(B)`."""
    doc: str
    """The first line of its docstring."""

    @property
    def bare(self) -> str:
        return self.name.rpartition(".")[2]


class Location(NamedTuple):
    """A definition, given by its index in the outline of its file, or the file itself (-1)."""

    path: str
    symbol: int = -1


class Reference(NamedTuple):
    """A reference by name.

    `kind` is `call`, `base` (a base class of the class `symbol`) or `use` (a name or attribute that is read but not
    called). `name` is the dotted name as written (`self.close`, `json.dumps`, `Base`; `A(x).b` is `A().b`), or `?.` and
    the last attribute for other expressions (`make()[0].close()` is `?.close`).
    """

    kind: str
    name: str
    line: int
    symbol: int
    """Index of the innermost symbol that encloses it, or -1 for the module."""


class Import(NamedTuple):
    """An import of one name.

    `from .a.b import c as d` binds `d` to `c` of `.a.b`. `import a.b` binds `a`; its `module` is `a.b`. A star import
    binds `*`. In other languages, `module` is the module as written in the statement, for example a path in JavaScript.
    """

    bound: str
    module: str
    name: str
    """The imported name; empty if the module itself is bound."""
    line: int
    symbol: int


class Binding(NamedTuple):
    """A binding of a name or attribute to a value or type: `x = Foo()`, `self.x = Foo()` and `x: Foo` all bind to
    `Foo`."""

    target: str
    source: str
    symbol: int
    called: bool
    """Whether `source` is called, so that the target is bound to the result (an instance, if `source` is a class)."""


class Outline(NamedTuple):
    """The definitions, references, imports and bindings of a blob."""

    symbols: tuple[Symbol, ...] = ()
    references: tuple[Reference, ...] = ()
    imports: tuple[Import, ...] = ()
    bindings: tuple[Binding, ...] = ()
    broken: bool = False
    """Whether the parser found errors; the outline then holds only what it could read."""


def encode_outline(outline: Outline) -> bytes:
    parts = (
        list(map(tuple, outline.symbols)),
        list(map(tuple, outline.references)),
        list(map(tuple, outline.imports)),
        list(map(tuple, outline.bindings)),
        outline.broken,
    )
    return marshal.dumps(parts, 4)


def decode_outline(data: bytes) -> Outline:
    symbols, references, imports, bindings, broken = marshal.loads(data)
    return Outline(
        tuple(map(Symbol._make, symbols)),
        tuple(map(Reference._make, references)),
        tuple(map(Import._make, imports)),
        tuple(map(Binding._make, bindings)),
        broken,
    )
