"""Definitions and uses in the repository's files: callables and parameters, members of classes, visible names."""

from __future__ import annotations

import ast
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from extensions.experiment.source.source_file import Definition, Source, dotted_name
from extensions.repair.analysis.name_bindings import bound_names


@dataclass(frozen=True, slots=True)
class Signature:
    """The parameters of a callable: positional parameters without `self`, and keyword-only parameters.

    `required` is the number of positional parameters without a default. `open_end` and `open_keywords` say whether
    there are `*args` and `**kwargs`. `owner` is the class of a method.
    """

    name: str
    positional: tuple[str, ...]
    required: int
    keyword_only: tuple[str, ...] = ()
    open_end: bool = False
    open_keywords: bool = False
    owner: str = ""

    def takes(self, count: int, keywords: Iterable[str] = ()) -> bool:
        """Return whether a call with this number of positional arguments and these keywords is valid."""
        named = [*keywords]
        if count > len(self.positional) and not self.open_end:
            return False
        known = {*self.positional[count:], *self.keyword_only}
        if not self.open_keywords and any(name not in known for name in named):
            return False
        return all(name in named for name in self.positional[count : self.required])

    @property
    def parameters(self) -> tuple[str, ...]:
        return (*self.positional, *self.keyword_only)


class Library:
    """The definitions of the given files (the suspicious ones), by name.

    `hints` are literals in the failing tests or the issue, as Python text: values that a repair may need.
    """

    def __init__(self, sources: Sequence[Source], hints: Sequence[str] = ()) -> None:
        self.hints = list(dict.fromkeys(hints))
        self.functions: dict[str, list[Signature]] = defaultdict(list)
        """Plain functions, and classes with their constructors, by name."""
        self.methods: dict[str, list[Signature]] = defaultdict(list)
        self.members: dict[str, list[str]] = defaultdict(list)
        """For each class, its methods, class attributes, and attributes set on `self`; in order, without duplicates."""
        self.properties: set[str] = set()
        self.keywords: dict[str, list[str]] = defaultdict(list)
        """The keyword arguments that calls in these files pass, by the last component of the callable's name."""
        self._visible: dict[Source, list[str]] = {}
        self._assigned: dict[Source, list[str]] = {}
        self._numbers: dict[Source, list[str]] = {}
        self._plain: dict[Source, list[str]] = {}
        self._attributes: dict[Source, dict[str, list[str]]] = {}
        self._called: dict[Source, dict[str, list[ast.Call]]] = {}
        bases: dict[str, list[str]] = {}
        for source in sources:
            self._read(source, bases)
        for name in list(self.members):
            self.members[name] = list(dict.fromkeys(self._inherited(name, bases, set())))

    def signatures(self, called: ast.expr) -> list[Signature]:
        """Return the signatures that a called name or attribute may have."""
        if isinstance(called, ast.Name):
            return self.functions.get(called.id, [])
        if isinstance(called, ast.Attribute):
            return [*self.methods.get(called.attr, []), *self.functions.get(called.attr, [])]
        return []

    def visible(self, source: Source) -> list[str]:
        """Return the names that are imported, defined or assigned at the module level."""
        if source not in self._visible:
            self._visible[source] = list(dict.fromkeys(_bound(source.tree)))
        return self._visible[source]

    def assigned(self, source: Source) -> list[str]:
        """Return the names that assignments at the module level bind."""
        if source not in self._assigned:
            kinds = ast.Assign | ast.AnnAssign
            nodes = [node for one in source.tree.body if isinstance(one, kinds) for node in ast.walk(one)]
            self._assigned[source] = list(dict.fromkeys(name for node in nodes for name in bound_names(node)))
        return self._assigned[source]

    def numbers(self, source: Source) -> list[str]:
        """Return the names that the module binds to a number, such as `MOD = 10**9 + 7`."""
        if source not in self._numbers:
            bound = [one for one in source.tree.body if isinstance(one, ast.Assign) and is_numeric(one.value)]
            targets = [target for one in bound for target in one.targets]
            self._numbers[source] = [target.id for target in targets if isinstance(target, ast.Name)]
        return self._numbers[source]

    def called(self, source: Source) -> list[str]:
        """Return the plain functions that a file calls, then the functions of the given files that are visible in
        it."""
        if source not in self._plain:
            nodes = [node.func for node in ast.walk(source.tree) if isinstance(node, ast.Call)]
            names = [node.id for node in nodes if isinstance(node, ast.Name)]
            defined = [name for name in self.visible(source) if name in self.functions]
            self._plain[source] = list(dict.fromkeys([*names, *defined]))
        return self._plain[source]

    def attributes_of(self, source: Source, owner: str) -> list[str]:
        """Return the attributes of the dotted name `owner` that a file uses, such as `c` for `a.b` if the file contains
        `a.b.c`."""
        if source not in self._attributes:
            found: dict[str, list[str]] = defaultdict(list)
            for node in ast.walk(source.tree):
                if isinstance(node, ast.Attribute) and (name := dotted_name(node.value)):
                    found[name].append(node.attr)
            self._attributes[source] = {name: list(dict.fromkeys(attributes)) for name, attributes in found.items()}
        return self._attributes[source].get(owner, [])

    def calls_like(self, source: Source, call: ast.Call) -> list[ast.Call]:
        """Return other calls of the same name in a file, nearest first."""
        same = self._calls(source).get(last_name(call.func), [])
        return sorted((one for one in same if one is not call), key=lambda one: abs(one.lineno - call.lineno))

    def calls_of(self, source: Source, name: str) -> int:
        """Return how often a file calls a name."""
        return len(self._calls(source).get(name, ()))

    def called_with_one(self, source: Source) -> list[str]:
        """Return the callables that a file calls with exactly one argument, by full name (`copy.deepcopy`), most
        frequent first."""
        calls = [call for same in self._calls(source).values() for call in same]
        single = [call for call in calls if len(call.args) == 1 and not call.keywords]
        known = set(self.visible(source))
        names = Counter(name for call in single if (name := dotted_name(call.func)) and name.partition(".")[0] in known)
        return [name for name, _ in names.most_common(30)]

    def _calls(self, source: Source) -> dict[str, list[ast.Call]]:
        if source not in self._called:
            found: dict[str, list[ast.Call]] = defaultdict(list)
            for node in ast.walk(source.tree):
                if isinstance(node, ast.Call):
                    found[last_name(node.func)].append(node)
            self._called[source] = found
        return self._called[source]

    def _read(self, source: Source, bases: dict[str, list[str]]) -> None:
        used: dict[str, Counter[str]] = defaultdict(Counter)
        for node in ast.walk(source.tree):
            if isinstance(node, ast.ClassDef):
                bases.setdefault(node.name, [one.id for one in node.bases if isinstance(one, ast.Name)])
                self._read_class(node)
            elif isinstance(node, ast.Call) and node.keywords:
                name = last_name(node.func)
                used[name].update(one.arg for one in node.keywords if one.arg)
        for name, counted in used.items():
            self.keywords[name] += [one for one, _ in counted.most_common() if one not in self.keywords[name]]
        for statement in source.tree.body:
            for node in (statement, *ast.walk(statement)) if isinstance(statement, ast.If | ast.Try) else (statement,):
                if isinstance(node, Definition):
                    self._add(self.functions, signature(node))

    def _read_class(self, node: ast.ClassDef) -> None:
        members = self.members[node.name]
        fields: list[str] = []
        constructed = False
        for statement in node.body:
            if isinstance(statement, Definition):
                plain = {last_name(one) for one in statement.decorator_list}
                if plain & {"property", "cached_property"}:
                    self.properties.add(statement.name)
                found = signature(statement, node.name, bare="staticmethod" in plain)
                self._add(self.methods, found)
                members.append(statement.name)
                if statement.name == "__init__":
                    constructed = True
                    self._add(self.functions, _renamed(found, node.name))
                for inner in ast.walk(statement):
                    if isinstance(inner, ast.Attribute) and isinstance(inner.ctx, ast.Store):
                        members += [inner.attr] if last_name(inner.value) == "self" else []
            elif isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
                fields.append(statement.target.id)
            elif isinstance(statement, ast.Assign):
                members += [one.id for one in statement.targets if isinstance(one, ast.Name)]
        members += fields
        if not constructed and fields and node.decorator_list:
            self._add(self.functions, Signature(node.name, tuple(fields), 0, open_keywords=True))

    def _add(self, where: dict[str, list[Signature]], found: Signature) -> None:
        if found not in where[found.name]:
            where[found.name].append(found)

    def _inherited(self, name: str, bases: dict[str, list[str]], seen: set[str]) -> Iterator[str]:
        if name not in seen:
            seen.add(name)
            yield from self.members.get(name, ())
            for base in bases.get(name, ()):
                yield from self._inherited(base, bases, seen)


def signature(node: Definition, owner: str = "", bare: bool = False) -> Signature:
    """Return the signature of a definition; for a method, without `self`, unless it is `bare` (static)."""
    arguments = node.args
    names = [one.arg for one in (*arguments.posonlyargs, *arguments.args)]
    required = len(names) - len(arguments.defaults)
    if owner and not bare:
        names, required = names[1:], max(0, required - 1)
    return Signature(
        node.name,
        tuple(names),
        required,
        tuple(one.arg for one in arguments.kwonlyargs),
        arguments.vararg is not None,
        arguments.kwarg is not None,
        owner,
    )


def last_name(node: ast.expr) -> str:
    """Return the last component of a name, such as `f` for `f`, `a.f` and a decorator `f(x)`."""
    if isinstance(node, ast.Call):
        return last_name(node.func)
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def is_numeric(node: ast.expr) -> bool:
    """Return whether an expression is a number literal or is calculated from number literals."""
    if isinstance(node, ast.BinOp):
        return is_numeric(node.left) and is_numeric(node.right)
    if isinstance(node, ast.UnaryOp):
        return is_numeric(node.operand)
    return isinstance(node, ast.Constant) and type(node.value) in (int, float)


def _renamed(found: Signature, name: str) -> Signature:
    return Signature(
        name, found.positional, found.required, found.keyword_only, found.open_end, found.open_keywords, found.owner
    )


def _bound(node: ast.AST) -> Iterator[str]:
    """Yield the names bound at the module level, including in its compound statements, but not inside functions,
    classes, lambdas or comprehensions."""
    apart = ast.Lambda | ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp | ast.ClassDef | Definition
    for child in ast.iter_child_nodes(node):
        yield from (name for name in bound_names(child) if name != "*")
        if not isinstance(child, apart):
            yield from _bound(child)
