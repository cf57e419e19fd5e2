"""Construction of calls of a module's functions and classes, with generated arguments and sequences of method calls.

The kind of argument that a parameter takes is guessed from its annotation, default and name, and learnt from results.
"""

from __future__ import annotations

import ast
import builtins
import keyword
import random
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from extensions.testgen.argument_evidence import OBJECT, ArgumentEvidence
from extensions.testgen.argument_generation import ArgumentPool, kind_of
from extensions.testgen.module_exerciser import Case, ExampleRecord
from extensions.testgen.usage_examples import as_expression

DEEPEST, LONGEST_CASE = 4, 12
OPTIONAL, KEYWORDS = 0.35, 0.5
FROM_STATES, AGAIN = 0.65, 0.3
"""Probabilities that an object starts in a state from a kept case, and that a value from its earlier calls is
reused."""
FROM_EXAMPLES, RECORDED = 0.85, 0.6
"""Probabilities that an object is made as in an example, and that an argument is a recorded one or near it."""
MALICIOUS_CASES, MALICIOUS_ARGUMENTS = 0.08, 0.4
"""Probabilities that a case looks for suspicious behaviour, and that an argument of such a case is malicious."""
MOST_MADE = 40
SCALARS = ("int", "float", "str", "bytes", "bool")
"""Kinds of which other arguments are as likely as recorded ones. Of other kinds, the recorded ones are taken as they
are, since what is in a container matters."""
WORSE, BETTER, LOWEST_WEIGHT, HIGHEST_WEIGHT = 0.8, 1.25, 0.02, 12.0
POSITIONAL_ONLY, EITHER, VARIADIC, KEYWORD_ONLY, VARIADIC_KEYWORD = range(5)
MANGLED = re.compile(r"_\w*[A-Za-z0-9]__[a-z]\w*(?<!__)$")


@dataclass(frozen=True, slots=True)
class GeneratedCase:
    """A case, and the kind of argument that each parameter received: (owner, parameter, kind)."""

    case: Case
    given: tuple[tuple[str, str, str], ...] = ()
    malicious: bool = False
    """Whether it only looks for suspicious behaviour, and cannot become a test."""


class CallBuilder:
    """Builds random test cases for a module from its description (`offers`), reproducible by seed.

    `extensions/testgen/guest/module_description.py` writes the description. Only public names are called, and those
    that the user asks for (`wanted`).
    """

    def __init__(
        self,
        offers: Mapping[str, Any],
        constants: Sequence[str],
        seed: int,
        wanted: Sequence[str] = (),
    ) -> None:
        self.chance = random.Random(seed)
        self.pool = ArgumentPool(constants)
        self.functions: dict[str, Any] = {one["name"]: one for one in offers["functions"]}
        self.classes: dict[str, Any] = {one["name"]: one for one in offers["classes"]}
        for one in self.classes.values():
            one["methods"] = [each for each in one["methods"] if not MANGLED.match(each["name"])]
        self.methods = {
            f"{one['name']}.{method['name']}": (one, method)
            for one in self.classes.values()
            if not one["abstract"]
            for method in one["methods"]
        }
        self._constructible = [name for name, one in self.classes.items() if not one["abstract"] and not one["error"]]
        self._wanted = wanted
        self.evidence = ArgumentEvidence(self._constructible, offers.get("enums"))
        self._taken = {*self.functions, *self.classes, *dir(builtins), *keyword.kwlist}
        self._weights: dict[tuple[str, str, str], float] = {}
        self._given: list[tuple[str, str, str]] = []
        self.states: dict[str, list[tuple[str, ...]]] = {}
        """For each class, statements that create an object and change it, from kept cases."""
        self.made: dict[str, list[str]] = {}
        """For each class, expressions whose values are objects of it, from the repository's examples."""
        self._earlier_values: list[str] = []

    def names(self) -> list[str]:
        """Return the dotted names of all functions, classes and methods that a test may call."""
        found = [*self.functions, *self._constructible, *self.methods]
        return [one for one in found if self.may_call(one)] or found

    def may_call(self, name: str) -> bool:
        """Whether a dotted name is public, or the user asks for it."""
        is_public = all(not part.startswith("_") or part.endswith("__") for part in name.split("."))
        return is_public or any(name == one or name.startswith(f"{one}.") for one in self._wanted)

    def learn_examples(self, records: Iterable[ExampleRecord]) -> None:
        """Learn from examples which arguments functions get, and how objects are made."""
        records = list(records)
        self.evidence.record(records)
        for one in records:
            for name, suffix in one.objects:
                if name in self.classes and len(self.made.get(name, ())) < MOST_MADE:
                    self.made.setdefault(name, []).append(f"{as_expression(one.case)}{suffix}")

    def case(self, about: str) -> GeneratedCase:
        """Return a new case that calls the function, class or method with this dotted name."""
        is_malicious = self.chance.random() < MALICIOUS_CASES
        self.pool.malicious = MALICIOUS_ARGUMENTS if is_malicious else 0.0
        made = self._case(about)
        self.pool.malicious = 0.0
        return replace(made, malicious=is_malicious)

    def _case(self, about: str) -> GeneratedCase:
        self._given = []
        if about in self.functions:
            one = self.functions[about]
            lines, call = self._hoisted(about, one["params"], "asyncio.run(%s)" if one["async"] else "%s")
            return GeneratedCase(Case((*lines[0],), call, lines[1], about), tuple(self._given))
        if about in self.classes:
            return GeneratedCase(self._constructed(about), tuple(self._given))
        kind, method = self.methods[about]
        return GeneratedCase(self._sequence(about, kind, method), tuple(self._given))

    def learn(self, given: Sequence[tuple[str, str, str]], good: bool) -> None:
        """Use arguments of these kinds more often if the result was good, else less often."""
        for key in given:
            old = self._weights.get(key, 1.0)
            self._weights[key] = min(HIGHEST_WEIGHT, max(LOWEST_WEIGHT, old * (BETTER if good else WORSE)))

    # Arguments

    def _hoisted(self, about: str, params: Any, form: str) -> tuple[tuple[list[str], tuple[str, ...]], str]:
        """Build the call, sometimes with a container in a variable, so that changes to it can be observed."""
        arguments = self._arguments(about, params)
        lines, watch = [], []
        for place, text in enumerate(arguments):
            if text[:1] in "[{" and self.chance.random() < 0.3:
                name = f"given_{place + 1}" if len(arguments) > 1 else "given"
                lines.append(f"{name} = {text}")
                watch.append(name)
                arguments[place] = name
        return (lines, tuple(watch)), form % f"{about}({', '.join(arguments)})"

    def _arguments(self, owner: str, params: Any, depth: int = 0) -> list[str]:
        if params is None:
            kinds = [
                self.chance.choice(("list", "dict", "int", "str")) for _ in range(self.chance.choice((0, 1, 1, 2)))
            ]
            return [self.pool.text(kind, self.chance) for kind in kinds]
        found, named = [], False
        for param in params:
            if param["kind"] == VARIADIC:
                if not named:
                    found += [self._argument(owner, param, depth) for _ in range(self.chance.choice((0, 1, 2, 3)))]
                continue
            if param["kind"] == VARIADIC_KEYWORD:
                if self.chance.random() < OPTIONAL:
                    found.append(f"{self.chance.choice('abc')}={self._argument(owner, param, depth)}")
                continue
            is_internal = param["name"].startswith("_") or self.evidence.cannot_be_written(owner, param["name"])
            if param["default"] is not None and (is_internal or self.chance.random() > OPTIONAL):
                named = named or param["kind"] == EITHER
                continue
            text = self._argument(owner, param, depth)
            by_name = named or (param["default"] is not None and self.chance.random() < KEYWORDS)
            if param["kind"] == KEYWORD_ONLY or (by_name and param["kind"] == EITHER):
                named = True
                found.append(f"{param['name']}={text}")
            elif not named:
                found.append(text)
        return found

    def arguments_of_result(self, about: str) -> str:
        """Return arguments for a call of the function that `about` returns."""
        params = self.evidence.parameters(f"{about}()")
        if not params:
            return ", ".join(self._arguments(f"{about}()", None))
        unknown = {"annotation": "", "default": None}
        return ", ".join(self._argument(f"{about}()", {"name": one, **unknown}, 0) for one in params)

    def _argument(self, owner: str, param: Mapping[str, Any], depth: int) -> str:
        name = str(param["name"])
        own, _, method = owner.rpartition(".")
        if method in ITEMS and self.chance.random() < 0.3:
            return self.chance.choice(SLICES)
        if method in PAIRED and own in self._constructible and depth < DEEPEST and self.chance.random() < 0.5:
            return self._object(own, depth + 1)
        weights = self.evidence.weights(owner, param, bool(self.made))
        kinds = [kind for kind in weights if kind != OBJECT or depth < DEEPEST] or ["none"]
        learnt = [weights.get(kind, 1.0) * self._weights.get((owner, name, kind), 1.0) for kind in kinds]
        (kind,) = self.chance.choices(kinds, learnt)
        self._given.append((owner, name, kind))
        if kind == OBJECT:
            known = self.evidence.classes(owner, param)
            return self._object(self.chance.choice(known or self._constructible), depth + 1)
        if kind in ("list", "tuple") and depth < DEEPEST and (classes := self.evidence.element_classes(param)):
            count = self.chance.choice((0, 1, 2, 2))
            elements = [self._object(self.chance.choice(classes), depth + 1) for _ in range(count)]
            return f"[{', '.join(elements)}]" if kind == "list" else f"tuple([{', '.join(elements)}])"
        earlier = [text for text in self._earlier_values if kind_of(text) == kind]
        if earlier and self.chance.random() < AGAIN:
            return self.chance.choice(earlier)
        recorded = self.evidence.texts(owner, name, kind)
        if recorded and (kind not in SCALARS or self.chance.random() < RECORDED):
            text = self.chance.choice(recorded)
            return text if kind not in SCALARS or self.chance.random() < 0.5 else self.pool.near(text, self.chance)
        return self.pool.text(kind, self.chance)

    # Objects

    def _object(self, name: str, depth: int = 1) -> str:
        """Return an expression for an object, mostly as the repository's examples make it."""
        made = [
            text for one, texts in self.made.items() if name in (one, *self.classes[one]["bases"]) for text in texts
        ]
        params = self.classes[name]["params"] or ()
        is_opaque = any(self.evidence.cannot_be_written(name, one["name"]) for one in params)
        if made and (is_opaque or self.chance.random() < FROM_EXAMPLES):
            return self.chance.choice(made)
        return f"{name}({', '.join(self._arguments(name, self.classes[name]['params'], depth))})"

    def variable(self, name: str) -> str:
        """Return the name of a variable for an object of this class."""
        words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower().strip("_")
        return words if words and words not in self._taken else f"{words or 'it'}_"

    def _constructed(self, about: str) -> Case:
        call = f"{about}({', '.join(self._arguments(about, self.classes[about]['params']))})"
        return Case((), call, (), about)

    def _sequence(self, about: str, kind: Mapping[str, Any], method: Mapping[str, Any]) -> Case:
        """Build a case that creates an object, changes it by some calls, and makes the call to test."""
        if method["kind"] == "static":
            arguments = self._arguments(about, method["params"])
            call = f"{kind['name']}.{method['name']}({', '.join(arguments)})"
            return Case((), f"asyncio.run({call})" if method["async"] else call, (), about)
        variable = self.variable(kind["name"])
        states = self.states.get(kind["name"])
        if states and self.chance.random() < FROM_STATES:
            lines = list(self.chance.choice(states))
        else:
            lines = [f"{variable} = {self._object(kind['name'], 0)}"]
        self._earlier_values = _literals(lines)
        before = [one for one in kind["methods"] if one["kind"] == "method" and not one["async"]]
        changing = [one for one in before if self.may_call(one["name"])]
        more = self.chance.choice((0, 0, 0, 1, 1, 2)) if changing and len(lines) < LONGEST_CASE else 0
        for other in self.chance.choices(changing, k=more) if more else ():
            lines.append(self.statement(variable, kind["name"], other))
            self._earlier_values = _literals(lines)
        call = self._method(variable, about, method)
        self._earlier_values = []
        if method["name"] in STATEMENTS:  # it returns nothing, so the object itself is tested
            lines.append(call)
            call = f"len({variable})" if method["name"] != "__len__" and self._has(kind, "__len__") else variable
        return Case(tuple(lines), f"asyncio.run({call})" if method["async"] else call, (variable,), about)

    def _has(self, kind: Mapping[str, Any], name: str) -> bool:
        return any(one["name"] == name for one in kind["methods"])

    def statement(self, variable: str, owner: str, method: Mapping[str, Any]) -> str:
        return self._method(variable, f"{owner}.{method['name']}", method)

    def _method(self, variable: str, about: str, method: Mapping[str, Any]) -> str:
        if method["kind"] == "property":
            return f"{variable}.{method['name']}"
        params = method["params"]
        if method["name"] in FORMS and params:
            params = [one for one in params if one["default"] is None and one["kind"] in (POSITIONAL_ONLY, EITHER)]
        arguments = self._arguments(about, params)
        form = FORMS.get(method["name"])
        positional = [one for one in arguments if not re.match(r"\w+=[^=]", one)]
        if form and method["name"] in ("__copy__", "__deepcopy__"):
            return form % variable
        if form and form.count("%s") == 1 + len(positional) == 1 + len(arguments):
            return form % (variable, *(_operand(one) for one in positional))
        return f"{variable}.{method['name']}({', '.join(arguments)})"


FORMS = {
    "__len__": "len(%s)", "__iter__": "list(%s)", "__getitem__": "%s[%s]", "__contains__": "%s.__contains__(%s)",
    "__eq__": "%s == %s", "__ne__": "%s != %s", "__lt__": "%s < %s", "__le__": "%s <= %s", "__gt__": "%s > %s",
    "__ge__": "%s >= %s", "__add__": "%s + %s", "__sub__": "%s - %s", "__mul__": "%s * %s", "__or__": "%s | %s",
    "__and__": "%s & %s", "__xor__": "%s ^ %s", "__hash__": "hash(%s)", "__repr__": "repr(%s)", "__str__": "str(%s)",
    "__bool__": "bool(%s)", "__reversed__": "list(reversed(%s))", "__neg__": "-%s", "__setitem__": "%s[%s] = %s",
    "__delitem__": "del %s[%s]", "__iadd__": "%s += %s", "__imul__": "%s *= %s", "__ior__": "%s |= %s",
    "__iand__": "%s &= %s", "__isub__": "%s -= %s",
    "__lshift__": "%s << %s", "__rshift__": "%s >> %s", "__mod__": "%s %% %s", "__truediv__": "%s / %s",
    "__floordiv__": "%s // %s", "__invert__": "~%s", "__abs__": "abs(%s)", "__int__": "int(%s)",
    "__float__": "float(%s)",
    "__next__": "next(%s)", "__call__": "%s(%s)", "__copy__": "copy.copy(%s)", "__deepcopy__": "copy.deepcopy(%s)",
}  # fmt: skip
STATEMENTS = {"__setitem__", "__delitem__", "__iadd__", "__imul__", "__ior__", "__iand__", "__isub__"}
"""Methods whose calls are written as statements."""
ITEMS = {"__getitem__", "__setitem__", "__delitem__"}
SLICES = ("1:3", ":2", "-2:", "::-1", "0:10:2", "-1", "0")
PAIRED = {
    "__eq__", "__ne__", "__lt__", "__le__", "__gt__", "__ge__", "__add__", "__radd__", "__sub__", "__or__", "__and__",
    "__xor__", "__iadd__", "__ior__", "__iand__", "__isub__",
}  # fmt: skip
"""Methods whose other operand is usually of the same class."""


def _literals(lines: Sequence[str]) -> list[str]:
    """Return the short literals in these statements."""
    found: dict[str, None] = {}
    for line in lines:
        for node in ast.walk(ast.parse(line)):
            if isinstance(node, ast.Constant) and len(text := repr(node.value)) < 12:
                found[text] = None
    return list(found)


def _operand(text: str) -> str:
    """Return the argument as an operand, in parentheses if needed."""
    return f"({text})" if text.startswith("lambda") or re.search(r"\s(?:for|\*\*?|/)\s", text) else text
