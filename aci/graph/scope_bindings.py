"""Which names a file binds in which of its scopes, by definitions, imports and assignments."""

from __future__ import annotations

import re
from functools import cached_property
from typing import TypeAlias

from aci.graph.outline import BASE, CALL, CLASS, DEFAULT, Binding, Import, Outline

Source: TypeAlias = int | Import | Binding
"""What binds a name: a definition (its index), an import or an assignment."""
Table: TypeAlias = dict[str, list[Source]]

MODULE = -1
SELF = frozenset(("self", "this"))
MOST_NESTED = 60
_PIECES = re.compile(r"[()\[\]{},]|[^()\[\]{},]+")
_PARAMETER = re.compile(r"\s*(\**)(\w+)")
_FIRST = re.compile(r"[^(]*\(\s*(\w+)")
_NOT_BOUND = frozenset(("staticmethod",))
_VARIANTS = frozenset(("setter", "deleter", "overload"))
_ON_CLASS = frozenset(("__new__", "__init_subclass__", "__class_getitem__"))
EMPTY: Table = {}


class Names:
    """The tables of one file."""

    def __init__(self, outline: Outline) -> None:
        self.symbols = outline.symbols
        self.outline = outline
        self.scopes: dict[int, Table] = {MODULE: {}}
        """By the symbol whose body it is: names bound there."""
        self.attributes: dict[int, Table] = {}
        """By class: what methods assign to attributes of `self`."""
        self.returns: dict[int, list[Binding]] = {}
        self.stars: list[Import] = []
        self.bases: dict[int, list[str]] = {}
        self.decorators: dict[int, set[str]] = {}
        self._members: dict[int, Table] = {}
        self._seen_from: dict[int, list[tuple[int, Table, str]]] = {MODULE: []}
        self._parameters: dict[int, tuple[frozenset[str], frozenset[str]]] = {}
        self._default = ""
        self._read()

    def _read(self) -> None:
        scopes, symbols = self.scopes, self.symbols
        for index, symbol in enumerate(symbols):
            table = scopes.get(symbol.parent)
            if table is None:
                table = scopes[symbol.parent] = {}
            table.setdefault(symbol.name.rpartition(".")[2], []).append(index)
        for one in self.outline.imports:
            if one.bound == "*":
                self.stars.append(one)
            else:
                scopes.setdefault(one.symbol, {}).setdefault(one.bound, []).append(one)
        for binding in self.outline.bindings:
            self._bind(binding)
        if exported := scopes[MODULE].get(self._default):
            scopes[MODULE]["default"] = exported
        for kind, name, line, symbol_index in self.outline.references:
            if kind == BASE:
                self.bases.setdefault(symbol_index, []).append(name)
            elif symbol_index >= 0 and kind == CALL and line < symbols[symbol_index].header:
                self.decorators.setdefault(symbol_index, set()).add(name)
        self._drop_variants()

    def _drop_variants(self) -> None:
        """Setters, deleters and overloads stand beside the definition that a name means."""
        for index, decorators in self.decorators.items():
            if any(name.rpartition(".")[2] in _VARIANTS for name in decorators):
                symbol = self.symbols[index]
                same = self.scopes[symbol.parent][symbol.name.rpartition(".")[2]]
                if len(same) > 1:
                    same.remove(index)

    def _bind(self, binding: Binding) -> None:
        head, dot, rest = binding.target.partition(".")
        if not dot:
            if head == DEFAULT:
                self._default = binding.source
            elif head == "return":
                self.returns.setdefault(binding.symbol, []).append(binding)
            else:
                self.scopes.setdefault(binding.symbol, {}).setdefault(head, []).append(binding)
        elif "." not in rest and (head in SELF or head == "cls"):
            around = self.class_around(binding.symbol)
            if around >= 0:
                self.attributes.setdefault(around, {}).setdefault(rest, []).append(binding)

    @cached_property
    def apart(self) -> dict[str, Table]:
        """By a type's bare name: its members, wherever in the file they are written."""
        found: dict[str, Table] = {}
        for index, symbol in enumerate(self.symbols):
            before, _, bare = symbol.name.rpartition(".")
            if before and (symbol.parent < 0 or self.symbols[symbol.parent].kind == CLASS):
                found.setdefault(before.rpartition(".")[2], {}).setdefault(bare, []).append(index)
        return found

    def class_around(self, index: int) -> int:
        """The innermost class that a symbol is or stands in, -1 for none."""
        symbols = self.symbols
        for _ in range(MOST_NESTED):
            if index < 0 or symbols[index].kind == CLASS:
                return index
            index = symbols[index].parent
        return MODULE

    def members(self, index: int) -> Table:
        """What a class has: what its body binds, then what its methods assign to attributes of `self`."""
        known = self._members.get(index)
        if known is None:
            bound, assigned = self.scopes.get(index, EMPTY), self.attributes.get(index, EMPTY)
            known = bound or assigned
            if bound and assigned:
                known = {
                    **bound,
                    **assigned,
                    **{name: bound[name] + assigned[name] for name in bound.keys() & assigned.keys()},
                }
            self._members[index] = known
        return known

    def parameters(self, index: int) -> tuple[frozenset[str], frozenset[str]]:
        """The names of a function's parameters, and which of them collect several arguments."""
        known = self._parameters.get(index)
        if known is None:
            known = self._parameters[index] = parameters(self.symbols[index].signature)
        return known

    def scope_of(self, name: str, index: int) -> int:
        """The symbol around `index` (or that itself) in whose scope the name is bound, -1 for the module's.

        Bodies of classes are seen from themselves only.
        """
        seen = self._seen_from.get(index)
        for around, bound, signature in self._scopes_around(index) if seen is None else seen:
            if name in bound or (name in signature and name in self.parameters(around)[0]):
                return around
        return MODULE

    def _scopes_around(self, index: int) -> list[tuple[int, Table, str]]:
        """The symbols whose names are seen in the body of one: what they bind, and their signatures if functions'."""
        found = self._seen_from[index] = []
        around = index
        for _ in range(MOST_NESTED):
            if around < 0:
                break
            symbol = self.symbols[around]
            if symbol.kind != CLASS or around == index:
                signature = "" if symbol.kind == CLASS else symbol.signature
                found.append((around, self.scopes.get(around, EMPTY), signature))
            around = symbol.parent
        return found

    def receiver(self, name: str, index: int) -> tuple[int, bool] | None:
        """The class, and whether an instance of it, that a parameter of the method `index` holds by convention."""
        symbol = self.symbols[index]
        around = symbol.parent
        if around < 0 or self.symbols[around].kind != CLASS or symbol.kind == CLASS:
            return None
        first = _FIRST.match(symbol.signature)
        decorators = self.decorators.get(index, set())
        if not first or first[1] != name or decorators & _NOT_BOUND:
            return None
        on_class = "classmethod" in decorators or name == "cls" or symbol.name.rpartition(".")[2] in _ON_CLASS
        return around, not on_class


def parameters(signature: str) -> tuple[frozenset[str], frozenset[str]]:
    """The names of a function's parameters, from a header that may be cut short; those with a star also apart."""
    found, starred = [], []
    depth, fresh = 0, False
    for part in _PIECES.findall(signature):
        if part in "([{":
            depth += 1
            fresh = depth == 1 and part == "("
        elif part in ")]}":
            depth -= 1
            if not depth:
                break
        elif part == ",":
            fresh = depth == 1
        elif fresh and (name := _PARAMETER.match(part)):
            found.append(name[2])
            starred += [name[2]] if name[1] else []
            fresh = False
    return frozenset(found), frozenset(starred)
