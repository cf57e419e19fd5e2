"""Mutation of cases: small changes to a value, an argument or a statement, and further calls on a case's result."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from typing import Any

from extensions.testgen.argument_generation import kind_of
from extensions.testgen.call_builder import LONGEST_CASE, STATEMENTS, CallBuilder, GeneratedCase
from extensions.testgen.module_exerciser import Case

MOST_STATES = 30
"""Maximum number of states of a class that are kept as starting points; the shortest ones are kept."""


class CaseMutator:
    """Creates a case from another one by a small change."""

    def __init__(self, maker: CallBuilder) -> None:
        self.maker, self.chance = maker, maker.chance

    def changed(self, case: Case) -> GeneratedCase:
        """Return the case with one of its values, arguments or statements changed."""
        lines = list(case.lines)
        roll = self.chance.random()
        if lines and roll < 0.3:
            where = self.chance.randrange(len(lines))
            bound = {name for name in case.watch if lines[where].startswith(f"{name} =")}
            if roll < 0.1 and not bound:
                del lines[where]
            elif roll < 0.2 and len(lines) < LONGEST_CASE:
                lines.insert(self.chance.randrange(where, len(lines)) + 1, self._more(case) or lines[where])
            else:
                lines[where] = self._value_changed(lines[where])
            return GeneratedCase(Case(tuple(lines), case.call, case.watch, case.about))
        return GeneratedCase(Case(tuple(lines), self._value_changed(case.call), case.watch, case.about))

    def remember(self, case: Case) -> None:
        """Keep the object's state in this case as a starting point for others."""
        owner = case.about.partition(".")[0]
        if not case.watch or owner not in self.maker.classes or len(case.lines) > LONGEST_CASE:
            return
        states = self.maker.states.setdefault(owner, [])
        if not case.lines[0].startswith(f"{case.watch[0]} = "):
            return
        states.append(case.lines)
        if case.call.startswith(f"{case.watch[0]}."):
            states.append((*case.lines, case.call))
        states.sort(key=lambda lines: len("".join(lines)))
        del states[MOST_STATES:]

    def chained(self, case: Case, owner: str) -> GeneratedCase:
        """Return a case that calls a method on the result of `case`, which is an object of the class `owner`."""
        methods = self._callable_methods(owner, ("method", "property"))
        if not methods or len(case.lines) >= LONGEST_CASE:
            return self.changed(case)
        variable = self.maker.variable(owner)
        if variable in case.watch:
            variable = f"other_{variable}"
        method = self.chance.choice(methods)
        call = self.maker.statement(variable, owner, method)
        lines = (*case.lines, f"{variable} = {case.call}")
        if method["name"] in STATEMENTS:
            lines, call = (*lines, call), variable
        return GeneratedCase(Case(lines, call, (variable,), f"{owner}.{method['name']}"))

    def called(self, case: Case) -> GeneratedCase:
        """Return a case that calls the function that `case` returns."""
        arguments = self.maker.arguments_of_result(case.about)
        return GeneratedCase(Case(case.lines, f"{case.call}({arguments})", case.watch, case.about))

    def _more(self, case: Case) -> str:
        """Return a further method call on the case's object, or "" if none is possible."""
        owner = case.about.split(".")[0]
        kind = self.maker.classes.get(owner)
        if not kind or not case.watch:
            return ""
        methods = self._callable_methods(owner, ("method",))
        if not methods:
            return ""
        return self.maker.statement(case.watch[0], owner, self.chance.choice(methods))

    def _callable_methods(self, owner: str, kinds: Sequence[str]) -> list[Mapping[str, Any]]:
        methods = self.maker.classes[owner]["methods"]
        return [
            one for one in methods if one["kind"] in kinds and not one["async"] and self.maker.may_call(one["name"])
        ]

    def _value_changed(self, text: str) -> str:
        try:
            tree = ast.parse(text)
        except (SyntaxError, ValueError, RecursionError):
            return text
        places = [node for node in ast.walk(tree) if isinstance(node, VALUES)]
        if not places:
            return text
        place = self.chance.choice(places)
        new = self._other(place)
        changed = _Replace(place, new).visit(tree)
        try:
            return ast.unparse(ast.fix_missing_locations(changed)).strip()
        except (ValueError, RecursionError, AttributeError):
            return text

    def _other(self, node: ast.expr) -> ast.expr:
        text = ast.unparse(node)
        kind = kind_of(text)
        if self.chance.random() < 0.35:
            return _parsed(self.maker.pool.text(kind, self.chance))
        if isinstance(node, ast.Constant):
            if self.chance.random() < 0.4 and (own := self.maker.pool.constant(kind, self.chance)):
                return _parsed(own)
            return _parsed(self.maker.pool.near_value(node.value, self.chance))
        if isinstance(node, ast.List | ast.Tuple | ast.Set) and node.elts:
            elements = list(node.elts)
            where = self.chance.randrange(len(elements))
            roll = self.chance.random()
            if roll < 0.35 and len(elements) > 1:
                del elements[where]
            elif roll < 0.6:
                elements.insert(where, elements[self.chance.randrange(len(elements))])
            elif roll < 0.8:
                self.chance.shuffle(elements)
            else:
                elements.append(self._other(elements[where]))
            if isinstance(node, ast.Set):
                return ast.Set(elts=elements)
            return type(node)(elts=elements, ctx=ast.Load())
        if isinstance(node, ast.Dict) and node.keys:
            where = self.chance.randrange(len(node.keys))
            keys, values = list(node.keys), list(node.values)
            del keys[where], values[where]
            return ast.Dict(keys=keys, values=values)
        return _parsed(self.maker.pool.text(kind, self.chance))


VALUES = (ast.Constant, ast.List, ast.Tuple, ast.Set, ast.Dict, ast.Lambda)


class _Replace(ast.NodeTransformer):
    def __init__(self, old: ast.expr, new: ast.expr) -> None:
        self.old, self.new = old, new

    def visit(self, node: ast.AST) -> Any:
        return self.new if node is self.old else self.generic_visit(node)


def _parsed(text: str) -> ast.expr:
    return ast.parse(text, mode="eval").body
