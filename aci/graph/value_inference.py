"""Inference of the values of names and attributes: definitions, modules and instances of classes.

Imports and assignments are followed. The recursion always ends, and results do not depend on the order of queries:
visited names are recorded while imports are followed, and assignments are followed to a fixed depth, which is part of
each cache key.

Uninformative names in Python's type annotations, and Python's builtins, are left out.
"""

from __future__ import annotations

import builtins
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Concatenate, ParamSpec, TypeAlias, TypeVar

from aci.graph.module_paths import ModuleResolver
from aci.graph.outline import CLASS, Binding, Import, Outline
from aci.graph.scope_bindings import EMPTY, MODULE, SELF, FileNames, Source, Table

UNINFORMATIVE_TYPES = frozenset(("Any", "object", "TypeVar", "ParamSpec", "NewType", "None"))
"""Names of types that say nothing about the attributes of a value."""
_PASSING = """
eval exec filter getattr globals iter locals map max min next object reversed sum super type vars zip
"""
BUILTINS = frozenset(dir(builtins)).difference(_PASSING.split())
"""Python's builtin names, except functions such as `getattr` and `max`, which may return objects defined in the
tree."""
DOTTED_TYPE = re.compile(r"[^\W\d]\w*(?:\(\))?(?:\.[^\W\d]\w*)*")
"""A type that can be looked up: a dotted name, whose first part may be a call."""


Value: TypeAlias = tuple[str, int, bool]
"""A path, a symbol (-1 for the module), and whether the value is an instance of that symbol."""
Values: TypeAlias = tuple[Value, ...]
End: TypeAlias = tuple[str, int | Binding]
"""The end of a chain of imports: a definition in a file, the file itself (-1) or an assignment in it."""
Name: TypeAlias = tuple[str, str]
"""The path of a module, and a name in it."""
Step: TypeAlias = tuple[str, str | int | Binding]
"""A step of a chain of imports: an end, or a name in another module."""
Ends: TypeAlias = tuple[list[End], str]
"""The ends of a chain of imports, and the submodule that the name refers to if there are no ends."""
Parameters = ParamSpec("Parameters")
Answer = TypeVar("Answer")

EXTERNAL: Value = ("", MODULE, False)
"""Something that is not defined in the tree."""
NOTHING: Values = ()
FULL_DEPTH = 7
"""Maximum number of assignments and returns that are followed from a reference."""
UNTYPED_DEPTH = 2
"""Remaining depth at and below which inheritance and calls are not followed. Base classes are looked up with this
depth."""
PYTHON = (".py", ".pyi", ".pyx", ".pxd", "/")
MOST_PARTS = 10
MOST_SOURCES = 8
MOST_NODES = 500
MOST_HOPS = 16
MOST_ANCESTORS = 60


def memoised(
    method: Callable[Concatenate[ValueInference, Parameters], Answer],
) -> Callable[Concatenate[ValueInference, Parameters], Answer]:
    """Cache the results of a method and the paths that each depends on; a cache hit adds these paths to
    `dependencies`."""
    name = method.__name__

    def ask(self: ValueInference, /, *key: Parameters.args, **no: Parameters.kwargs) -> Answer:
        answers = self.answers[name]
        known = answers.get(key)
        if known is None:
            before, self.dependencies = self.dependencies, set()
            try:
                known = answers[key] = (method(self, *key, **no), frozenset(self.dependencies))
            finally:
                self.dependencies = before
        self.dependencies |= known[1]
        answer: Answer = known[0]
        return answer

    return ask


class ValueInference:
    """The values of names in one tree; `dependencies` collects the paths whose outlines were used since it was last
    reset."""

    def __init__(self, outlines: Mapping[str, Outline]) -> None:
        self._outlines = outlines
        self._modules = ModuleResolver(outlines)
        self._names: dict[str, FileNames] = {}
        self.answers: defaultdict[str, dict[tuple[Any, ...], tuple[Any, frozenset[str]]]] = defaultdict(dict)
        self._chains: dict[Name, tuple[Ends, frozenset[str], int]] = {}
        """The ends of names in modules, the paths that they depend on, and the number of re-exports on the way."""
        self._single_paths: dict[str, frozenset[str]] = {}
        self.dependencies: set[str] = set()

    def names(self, path: str) -> FileNames:
        self.dependencies.add(path)
        found = self._names.get(path)
        if found is None:
            found = self._names[path] = FileNames(self._outlines[path])
        return found

    # Expressions

    @memoised
    def evaluate(self, path: str, scope: int, dotted: str, depth: int) -> Values:
        """Return the values of a dotted name in the body of a symbol; empty if they are unknown."""
        before, dot, last = dotted.rpartition(".")
        if dot:
            if before.count(".") >= MOST_PARTS:
                return NOTHING
            return self.attribute(self.evaluate(path, scope, before, depth), last, depth)
        return self.named(path, scope, last, depth)

    def named(self, path: str, scope: int, last: str, depth: int) -> Values:
        """Return the values of a name without dots in the body of a symbol; empty if they are unknown."""
        names = self.names(path)
        if last.endswith("()"):
            return self._call_result(self.evaluate(path, scope, last[:-2], depth), last[:-2], depth)
        if last in SELF:
            around = names.class_around(scope)
            return ((path, around, True),) if around >= 0 else NOTHING
        owner = names.scope_of(last, scope)
        if owner == MODULE:
            return self.in_module(path, last, depth) or self._unbound_values(path, scope, last, depth)
        if sources := names.scopes.get(owner, EMPTY).get(last):
            return self._source_values(path, sources, depth)
        if last in names.parameters(owner)[1]:
            return (EXTERNAL,)
        receiver = names.receiver(last, owner)
        return ((path, *receiver),) if receiver else NOTHING

    def _unbound_values(self, path: str, scope: int, name: str, depth: int) -> Values:
        """Return the values of an unbound name: a builtin or, in other languages, a member of the enclosing class."""
        if path.endswith(PYTHON):
            return (EXTERNAL,) if name in BUILTINS else NOTHING
        if name == "crate":
            root = self._modules.find(name, path)
            return ((root, MODULE, False),) if root else NOTHING
        around = self.names(path).class_around(scope)
        return self.in_class(path, around, name, depth)[0] if around >= 0 and depth > UNTYPED_DEPTH else NOTHING

    def _source_values(self, path: str, sources: Sequence[Source], depth: int) -> Values:
        ends: list[End] = []
        for source in sources[-MOST_SOURCES:]:
            if isinstance(source, Import):
                ends += self.imported(path, source)
            else:
                ends.append((path, source))
        return self._end_values(ends, depth)

    def _end_values(self, ends: Iterable[End], depth: int) -> Values:
        """Return the values of the ends; empty if some end is unknown and all others are external."""
        found: list[Value] = []
        unknown = False
        for path, end in ends:
            values_of_end = ((path, end, False),) if isinstance(end, int) else self._binding_values(path, end, depth)
            found += values_of_end
            unknown = unknown or not values_of_end
        values = _distinct(found)
        return NOTHING if unknown and values == (EXTERNAL,) else values

    def _binding_values(self, path: str, binding: Binding, depth: int) -> Values:
        if depth <= 0 or (depth <= UNTYPED_DEPTH and binding.called):
            return NOTHING
        last = binding.source.rpartition(".")[2]
        if last in UNINFORMATIVE_TYPES or not (binding.source.isidentifier() or DOTTED_TYPE.fullmatch(binding.source)):
            return NOTHING
        if last == "Self":
            around = self.names(path).class_around(binding.symbol)
            return ((path, around, True),) if around >= 0 else NOTHING
        values = self.evaluate(path, binding.symbol, binding.source, depth - 1)
        return self._call_result(values, last, depth - 1) if binding.called else values

    def _call_result(self, values: Values, name: str, depth: int) -> Values:
        """Return the results of calling values that are accessed by this name; results of external functions are
        unknown.

        An external function may return an object that is defined in the tree, but an external class or a builtin does
        not.
        """
        if values == (EXTERNAL,):
            return values if name[:1].isupper() or name in BUILTINS else NOTHING
        return self.call_results(values, depth)

    def call_results(self, values: Values, depth: int) -> Values:
        """Return the results of calling these values."""
        if len(values) == 1:
            return self._call_values(*values[0], depth)
        return _distinct([one for value in values for one in self._call_values(*value, depth)])

    @memoised
    def _call_values(self, path: str, index: int, instance: bool, depth: int) -> Values:
        if index < 0:
            return NOTHING if path else (EXTERNAL,)
        names = self.names(path)
        if names.symbols[index].kind != CLASS:
            bindings = names.returns.get(index, ())
            return _distinct([one for binding in bindings for one in self._binding_values(path, binding, depth)])
        if not instance:
            return ((path, index, True),)
        if depth <= UNTYPED_DEPTH:
            return NOTHING
        makers = self.in_class(path, index, "__call__", depth - 1)[0]
        return self.call_results(tuple(one for one in makers if not one[2]), depth - 1)

    # Attributes

    def attribute(self, values: Values, name: str, depth: int) -> Values:
        """Return the values of an attribute; for a property, these are the results of its getter."""
        found: list[Value] = []
        for value in values:
            for member in self.raw_attribute(value, name, depth)[0]:
                is_read = value[1] >= 0 and value[2] and self.is_property(member)
                found += self.call_results((member,), depth - 1) if is_read else (member,)
        return _distinct(found)

    def raw_attribute(self, value: Value, name: str, depth: int) -> tuple[Values, bool]:
        """Return the values of an attribute, and whether the attribute is known to exist."""
        path, index, _ = value
        if not path:
            return (EXTERNAL,), True
        if index < 0:
            found = self.in_module(path, name, depth)
            return found, bool(found)
        if self.names(path).symbols[index].kind != CLASS:
            return NOTHING, False
        if name == "__class__":
            return ((path, index, False),), True
        return self.in_class(path, index, name, depth)

    def is_property(self, value: Value) -> bool:
        path, index, instance = value
        if instance or index < 0:
            return False
        return any(name.endswith("property") for name in self.names(path).decorators.get(index, ()))

    @memoised
    def in_class(self, path: str, index: int, name: str, depth: int) -> tuple[Values, bool]:
        """Return the values of a member of a class, own or inherited, and whether it exists."""
        found, exists = self._own_member(path, index, name, depth)
        if found or depth <= UNTYPED_DEPTH:
            return found, exists
        return self.inherited(path, index, name, depth, exists)

    def inherited(self, path: str, index: int, name: str, depth: int, exists: bool = False) -> tuple[Values, bool]:
        """Return the values of an inherited member, as `super()` finds it, and whether it exists.

        A member that no class in the tree has is assumed to belong to an external base class, if there is one.
        """
        outside = False
        for at, ancestor, members in self._family(path, index):
            if members is not None and name not in members:
                continue
            if not at:
                outside = True
                continue
            found, exists_here = self._own_member(at, ancestor, name, depth)
            if found:
                return found, True
            exists = exists or exists_here
        return ((EXTERNAL,), True) if outside and not exists else (NOTHING, exists)

    @memoised
    def _family(self, path: str, index: int) -> list[tuple[str, int, Table | None]]:
        """Return the ancestors of a class with the members of each, or None if its members may be defined in several
        places."""
        return [
            (at, ancestor, self.names(at).members(ancestor) if at.endswith(PYTHON) else None)
            for at, ancestor in self.ancestors(path, index)[1:]
        ]

    def _own_member(self, path: str, index: int, name: str, depth: int) -> tuple[Values, bool]:
        names = self.names(path)
        if sources := names.members(index).get(name):
            return self._source_values(path, sources, depth), True
        if path.endswith(PYTHON):
            return NOTHING, False
        return self._detached_member(path, names.symbols[index].bare, name)

    def _detached_member(self, path: str, owner: str, name: str) -> tuple[Values, bool]:
        """Return a member that is defined apart from its type: in another block or in another file of the package."""
        for file in self._modules.files(self._modules.around(path)) or [path]:
            if found := self.names(file).apart.get(owner, EMPTY).get(name):
                return self._source_values(file, found, UNTYPED_DEPTH), True
        return NOTHING, False

    @memoised
    def ancestors(self, path: str, index: int) -> tuple[tuple[str, int], ...]:
        """Return a class and its ancestors, subclasses first; ("", -1) stands for external ancestors."""
        start = (path, index)
        seen, order = {start}, []
        stack = [(start, iter(self.bases(path, index)[::-1]))]
        while stack:
            node, left = stack[-1]
            base = next(left, None)
            if base is None:
                order.append(node)
                stack.pop()
            elif base not in seen and len(seen) < MOST_ANCESTORS:
                seen.add(base)
                stack.append((base, iter(self.bases(*base)[::-1] if base[0] else ())))
        return tuple(order[::-1])

    @memoised
    def bases(self, path: str, index: int) -> tuple[tuple[str, int], ...]:
        names = self.names(path)
        found: dict[tuple[str, int], None] = {}
        for name in names.bases.get(index, ()):
            values = self.evaluate(path, names.symbols[index].parent, name, UNTYPED_DEPTH)
            for at, base, instance in values or (EXTERNAL,):
                if not at or (base >= 0 and not instance and self.names(at).symbols[base].kind == CLASS):
                    found[at, base] = None
        return tuple(found)

    # Modules

    def in_module(self, path: str, name: str, depth: int) -> Values:
        """Return the values of a name in a module: its own names, imported ones and submodules."""
        return self._end_values(self.find_ends(path, name), depth)

    def find_ends(self, path: str, name: str) -> list[End]:
        """Return the ends of a name in a module, through any number of re-exports."""
        chain = self._chains.get((path, name))
        if chain is None:
            self._follow_chain((path, name))
            chain = self._chains[path, name]
        ends, dependencies, _ = chain
        self.dependencies |= dependencies
        return _ends_or_submodule(ends)

    def _follow_chain(self, first: Name) -> None:
        """Follow a chain of re-exports, and store the ends for every name in it."""
        path, name = first
        if path.endswith(".py") and not (names := self.names(path)).stars and name not in names.scopes[MODULE]:
            self._chains[first] = ([], self._modules.inside(path, name)), self._single_path(path), 0
            return
        line: list[tuple[Name, list[Step], Name | None]] = []
        node: Name | None = first
        while node and node not in self._chains and len(line) < MOST_HOPS:
            steps = self._steps(*node)
            line.append((node, steps, self._next_name(node, steps)))
            node = line[-1][2]
        for at, steps, following in reversed(line):
            onward = self._chains.get(following) if following else None
            if onward and onward[2] < MOST_HOPS:
                (ends, submodule), dependencies, hops = onward
                submodule = self._modules.inside(*at) or submodule
                self._chains[at] = (ends, submodule), dependencies | {at[0]}, hops + 1
            elif at[0] in self._names and not any(isinstance(what, str) for _, what in steps):
                ends = [(module, what) for module, what in dict.fromkeys(steps) if not isinstance(what, str)]
                self._chains[at] = (ends, self._modules.inside(*at)), self._single_path(at[0]), 0
            elif at == first or not following:
                # In a cycle or an overlong chain, the ends of a name may differ from those of the next name.
                found = self._search_from(*at)
                dependencies = self.answers["_search_from"][at][1]
                self._chains[at] = found, dependencies, MOST_HOPS if following else 0

    def _single_path(self, path: str) -> frozenset[str]:
        """Return a set that contains only this path; the sets are cached to save memory."""
        known = self._single_paths.get(path)
        if known is None:
            known = self._single_paths[path] = frozenset((path,))
        return known

    def _next_name(self, node: Name, steps: Sequence[Step]) -> Name | None:
        """Return the only name to which the steps lead; None if there is no step or more than one."""
        if len(steps) == 1 and node[0] in self._names:
            module, name = steps[0]
            return (module, name) if isinstance(name, str) else None
        return None

    @memoised
    def _search_from(self, path: str, name: str) -> Ends:
        starred = self._star_modules(path)
        if starred and not any(
            name in self._names[at].scopes[MODULE] or self._modules.inside(at, name) for at in starred
        ):
            return [], ""
        return self._search([(path, name)])

    @memoised
    def _star_modules(self, path: str) -> tuple[str, ...]:
        """Return a module and the modules that it star-imports: a name that none of them defines need not be searched
        for.

        The result is () if anything other than modules is involved.
        """
        found = {path: None}
        todo = [path]
        for at in todo:
            if at.endswith("/") or "*" in at or self._modules.around(at) or len(found) > MOST_NODES:
                return ()
            more = [module for star in self.names(at).stars if (module := self._modules.find(star.module, at))]
            todo += [module for module in dict.fromkeys(more) if module not in found]
            found.update(dict.fromkeys(more))
        return tuple(found)

    def imported(self, path: str, one: Import) -> list[End]:
        """Return the ends of an import."""
        module, name = self._import_step(path, one)
        return self.find_ends(module, name) if isinstance(name, str) else [(module, name)]

    def _search(self, starts: Iterable[Step]) -> Ends:
        ends: dict[End, None] = {}
        submodules: list[str] = []
        hops = dict.fromkeys(starts, 0)
        todo = list(hops)
        for node in todo:
            path, what = node
            if not isinstance(what, str):
                ends[path, what] = None
                continue
            if submodule := self._modules.inside(path, what):
                submodules.append(submodule)
            for step in self._steps(path, what):
                if step not in hops and hops[node] < MOST_HOPS and len(hops) < MOST_NODES:
                    hops[step] = hops[node] + 1
                    todo.append(step)
        return list(ends), next(iter(submodules), "")

    def _steps(self, path: str, name: str) -> list[Step]:
        """Return the next steps of an import chain from a name in a module: ends, or names in other modules."""
        if path.endswith("/") or "*" in path:
            file = self._modules.inside(path, name) if path.endswith(".java") else ""
            files = [one for one in self._modules.files(path) if not one.endswith(".java")]
            return [(one, name) for one in files + [file] * bool(file)]
        names = self.names(path)
        if sources := names.scopes[MODULE].get(name):
            return [
                self._import_step(path, one) if isinstance(one, Import) else (path, one)
                for one in sources[-MOST_SOURCES:]
            ]
        found = [self._modules.find(star.module, path) for star in names.stars]
        return [(one, name) for one in [*found, self._modules.around(path)] if one]

    def _import_step(self, path: str, one: Import) -> Step:
        module, first = one.module, one.module.partition(".")[0]
        if not one.name and first == one.bound:  # `import a.b` binds `a`
            module = first
        found = self._modules.find(module, path)
        name = one.name
        if name == "default" and found in self._outlines and name not in self.names(found).scopes[MODULE]:
            name = one.bound
        return (found, name) if found and name else (found, MODULE)


def _ends_or_submodule(found: Ends) -> list[End]:
    ends, submodule = found
    return ends or ([(submodule, MODULE)] if submodule else [])


def _distinct(found: list[Value]) -> Values:
    """Return the values without duplicates; external values are kept only if there are no others."""
    if len(found) < 2:
        return tuple(found)
    unique = dict.fromkeys(found)
    if len(unique) > 1:
        unique.pop(EXTERNAL, None)
    return tuple(unique)
