"""The names that a file binds in each of its scopes, by definitions, imports and assignments."""

from __future__ import annotations

import re
from functools import cached_property
from typing import TypeAlias

from aci.graph.outline import BASE, CALL, CLASS, DEFAULT, Binding, Import, Outline

Source: TypeAlias = int | Import | Binding
"""The origin of a name: the index of a definition, an import or an assignment."""
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


class FileNames:
    """The tables of names of one file."""

    def __init__(self, outline: Outline) -> None:
        self.symbols = outline.symbols
        self.outline = outline
        self.scopes: dict[int, Table] = {MODULE: {}}
        """The names bound in the body of each symbol."""
        self.attributes: dict[int, Table] = {}
        """The attributes of `self` that the methods of each class assign."""
        self.returns: dict[int, list[Binding]] = {}
        self.stars: list[Import] = []
        self.bases: dict[int, list[str]] = {}
        self.decorators: dict[int, set[str]] = {}
        self._members: dict[int, Table] = {}
        self._visible_scopes: dict[int, list[tuple[int, Table, str]]] = {MODULE: []}
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
        """Remove setters, deleters and overloads, so that their name refers to the main definition."""
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
        """The members of each type, by the type's bare name, including members that are defined outside its body."""
        found: dict[str, Table] = {}
        for index, symbol in enumerate(self.symbols):
            before, _, bare = symbol.name.rpartition(".")
            if before and (symbol.parent < 0 or self.symbols[symbol.parent].kind == CLASS):
                found.setdefault(before.rpartition(".")[2], {}).setdefault(bare, []).append(index)
        return found

    def class_around(self, index: int) -> int:
        """Return the innermost class that encloses a symbol, or the symbol itself if it is a class; -1 if there is
        none."""
        symbols = self.symbols
        for _ in range(MOST_NESTED):
            if index < 0 or symbols[index].kind == CLASS:
                return index
            index = symbols[index].parent
        return MODULE

    def members(self, index: int) -> Table:
        """Return the members of a class: names bound in its body, then attributes of `self` that its methods assign."""
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
        """Return the names of a function's parameters, and the names of its variadic parameters."""
        known = self._parameters.get(index)
        if known is None:
            known = self._parameters[index] = parameter_names(self.symbols[index].signature)
        return known

    def scope_of(self, name: str, index: int) -> int:
        """Return the innermost symbol that binds the name, either `index` or one that encloses it; -1 for the module.

        Names in the body of a class are visible only in that body itself.
        """
        scopes = self._visible_scopes.get(index)
        for around, bound, signature in self._scopes_around(index) if scopes is None else scopes:
            if name in bound or (name in signature and name in self.parameters(around)[0]):
                return around
        return MODULE

    def _scopes_around(self, index: int) -> list[tuple[int, Table, str]]:
        """Return the symbols whose names are visible in the body of a symbol, with their bindings and signatures."""
        found = self._visible_scopes[index] = []
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
        """Return the class of `self` or `cls` in the method `index`, and whether the name holds an instance of it.

        Returns None if the name is not the receiver.
        """
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


def parameter_names(signature: str) -> tuple[frozenset[str], frozenset[str]]:
    """Return the names of a function's parameters, and the names of its starred parameters; the signature may be
    truncated."""
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
