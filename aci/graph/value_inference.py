"""What names and attributes hold: definitions, modules, instances of classes; found through imports and assignments.

Nothing recurses without end, and no answer depends on which question was asked first: chains of imports are walked with
a list of those seen, and what an assignment holds is followed to a fixed depth, which is part of every remembered key.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Concatenate, ParamSpec, TypeAlias, TypeVar

from aci.graph.modules_other import Modules
from aci.graph.outline import CLASS, Binding, Import, Outline
from aci.graph.resolve_annotations import BUILTIN, DOTTED, UNTOLD
from aci.graph.resolve_names import EMPTY, MODULE, SELF, Names, Source, Table

Value: TypeAlias = tuple[str, int, bool]
"""Path, symbol (-1: the module), and whether an instance of that class is meant."""
Values: TypeAlias = tuple[Value, ...]
End: TypeAlias = tuple[str, int | Binding]
"""Where a chain of imports ends: a definition of that file, the file itself (-1) or an assignment in it."""
Name: TypeAlias = tuple[str, str]
"""Of a module, by its path."""
Step: TypeAlias = tuple[str, str | int | Binding]
"""An end, or a name of a module from which it goes on."""
Ends: TypeAlias = tuple[list[End], str]
"""Of a chain of imports, and the submodule that is meant where there are none."""
Parameters = ParamSpec("Parameters")
Answer = TypeVar("Answer")

OUTSIDE: Value = ("", MODULE, False)
"""Something that is not defined in the tree."""
NOTHING: Values = ()
DEEP = 7
"""So many assignments and returns are followed from a reference."""
PLAIN = 2
"""From this depth down only what needs no types: no inheritance, no calls. Bases are looked up so."""
PYTHON = (".py", ".pyi", ".pyx", ".pxd", "/")
MOST_PARTS = 10
MOST_SOURCES = 8
MOST_NODES = 500
MOST_HOPS = 16
MOST_ANCESTORS = 60


def remembered(
    method: Callable[Concatenate[Meanings, Parameters], Answer],
) -> Callable[Concatenate[Meanings, Parameters], Answer]:
    """Answers once. The paths that had a say in an answer have it again whenever it is given."""
    name = method.__name__

    def ask(self: Meanings, /, *key: Parameters.args, **no: Parameters.kwargs) -> Answer:
        answers = self.answers[name]
        known = answers.get(key)
        if known is None:
            before, self.seen = self.seen, set()
            try:
                known = answers[key] = (method(self, *key, **no), frozenset(self.seen))
            finally:
                self.seen = before
        self.seen |= known[1]
        answer: Answer = known[0]
        return answer

    return ask


class Meanings:
    """`seen` collects the paths whose outlines had a say since it was last set."""

    def __init__(self, outlines: Mapping[str, Outline]) -> None:
        self._outlines = outlines
        self._modules = Modules(outlines)
        self._names: dict[str, Names] = {}
        self.answers: defaultdict[str, dict[tuple[Any, ...], tuple[Any, frozenset[str]]]] = defaultdict(dict)
        self._chains: dict[Name, tuple[Ends, frozenset[str], int]] = {}
        """Where names of modules lead, the paths that had a say, and how many modules only hand them on."""
        self._only: dict[str, frozenset[str]] = {}
        self.seen: set[str] = set()

    def names(self, path: str) -> Names:
        self.seen.add(path)
        found = self._names.get(path)
        if found is None:
            found = self._names[path] = Names(self._outlines[path])
        return found

    # Expressions

    @remembered
    def evaluate(self, path: str, scope: int, dotted: str, depth: int) -> Values:
        """What a dotted name means in the body of a symbol; empty if nobody knows."""
        before, dot, last = dotted.rpartition(".")
        if dot:
            if before.count(".") >= MOST_PARTS:
                return NOTHING
            return self.attribute(self.evaluate(path, scope, before, depth), last, depth)
        return self.named(path, scope, last, depth)

    def named(self, path: str, scope: int, last: str, depth: int) -> Values:
        """The same of a name without dots."""
        names = self.names(path)
        if last.endswith("()"):
            return self._made(self.evaluate(path, scope, last[:-2], depth), last[:-2], depth)
        if last in SELF:
            around = names.class_around(scope)
            return ((path, around, True),) if around >= 0 else NOTHING
        owner = names.scope_of(last, scope)
        if owner == MODULE:
            return self.in_module(path, last, depth) or self._implied(path, scope, last, depth)
        if sources := names.scopes.get(owner, EMPTY).get(last):
            return self._held(path, sources, depth)
        if last in names.parameters(owner)[1]:
            return (OUTSIDE,)
        receiver = names.receiver(last, owner)
        return ((path, *receiver),) if receiver else NOTHING

    def _implied(self, path: str, scope: int, name: str, depth: int) -> Values:
        """What a name means that nothing binds: a builtin; in other languages a member of the class around."""
        if path.endswith(PYTHON):
            return (OUTSIDE,) if name in BUILTIN else NOTHING
        if name == "crate":
            root = self._modules.find(name, path)
            return ((root, MODULE, False),) if root else NOTHING
        around = self.names(path).class_around(scope)
        return self.in_class(path, around, name, depth)[0] if around >= 0 and depth > PLAIN else NOTHING

    def _held(self, path: str, sources: Sequence[Source], depth: int) -> Values:
        ends: list[End] = []
        for source in sources[-MOST_SOURCES:]:
            if isinstance(source, Import):
                ends += self.imported(path, source)
            else:
                ends.append((path, source))
        return self._at(ends, depth)

    def _at(self, ends: Iterable[End], depth: int) -> Values:
        """What the ends hold; one that nobody knows may be of the tree, whatever is outside."""
        found: list[Value] = []
        unknown = False
        for path, end in ends:
            held = ((path, end, False),) if isinstance(end, int) else self._assigned(path, end, depth)
            found += held
            unknown = unknown or not held
        values = _distinct(found)
        return NOTHING if unknown and values == (OUTSIDE,) else values

    def _assigned(self, path: str, binding: Binding, depth: int) -> Values:
        if depth <= 0 or (depth <= PLAIN and binding.called):
            return NOTHING
        last = binding.source.rpartition(".")[2]
        if last in UNTOLD or not (binding.source.isidentifier() or DOTTED.fullmatch(binding.source)):
            return NOTHING
        if last == "Self":
            around = self.names(path).class_around(binding.symbol)
            return ((path, around, True),) if around >= 0 else NOTHING
        values = self.evaluate(path, binding.symbol, binding.source, depth - 1)
        return self._made(values, last, depth - 1) if binding.called else values

    def _made(self, values: Values, name: str, depth: int) -> Values:
        """What calling these by that name returns: of functions from outside nobody knows, they may hand on ours."""
        if values == (OUTSIDE,):
            return values if name[:1].isupper() or name in BUILTIN else NOTHING
        return self.called(values, depth)

    def called(self, values: Values, depth: int) -> Values:
        """What calling these returns."""
        if len(values) == 1:
            return self._returned(*values[0], depth)
        return _distinct([one for value in values for one in self._returned(*value, depth)])

    @remembered
    def _returned(self, path: str, index: int, instance: bool, depth: int) -> Values:
        if index < 0:
            return NOTHING if path else (OUTSIDE,)
        names = self.names(path)
        if names.symbols[index].kind != CLASS:
            bindings = names.returns.get(index, ())
            return _distinct([one for binding in bindings for one in self._assigned(path, binding, depth)])
        if not instance:
            return ((path, index, True),)
        if depth <= PLAIN:
            return NOTHING
        makers = self.in_class(path, index, "__call__", depth - 1)[0]
        return self.called(tuple(one for one in makers if not one[2]), depth - 1)

    # Attributes

    def attribute(self, values: Values, name: str, depth: int) -> Values:
        """What an attribute of these holds; a property's: what it returns."""
        found: list[Value] = []
        for value in values:
            for held in self.raw_attribute(value, name, depth)[0]:
                is_read = value[1] >= 0 and value[2] and self.is_property(held)
                found += self.called((held,), depth - 1) if is_read else (held,)
        return _distinct(found)

    def raw_attribute(self, value: Value, name: str, depth: int) -> tuple[Values, bool]:
        """What an attribute is, and whether it is known to be there, so that no other of that name is meant."""
        path, index, _ = value
        if not path:
            return (OUTSIDE,), True
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

    @remembered
    def in_class(self, path: str, index: int, name: str, depth: int) -> tuple[Values, bool]:
        """What a class, or an instance of it, has under that name, and whether it has it; inherited ones too."""
        found, there = self._own(path, index, name, depth)
        if found or depth <= PLAIN:
            return found, there
        return self.inherited(path, index, name, depth, there)

    def inherited(self, path: str, index: int, name: str, depth: int, there: bool = False) -> tuple[Values, bool]:
        """The same, without the class itself: what `super()` has. What the tree has not, a base from outside has."""
        outside = False
        for at, ancestor, members in self._family(path, index):
            if members is not None and name not in members:
                continue
            if not at:
                outside = True
                continue
            found, here = self._own(at, ancestor, name, depth)
            if found:
                return found, True
            there = there or here
        return ((OUTSIDE,), True) if outside and not there else (NOTHING, there)

    @remembered
    def _family(self, path: str, index: int) -> list[tuple[str, int, Table | None]]:
        """The ancestors without the class, and all members of each; None where these are not in one place."""
        return [
            (at, ancestor, self.names(at).members(ancestor) if at.endswith(PYTHON) else None)
            for at, ancestor in self.ancestors(path, index)[1:]
        ]

    def _own(self, path: str, index: int, name: str, depth: int) -> tuple[Values, bool]:
        names = self.names(path)
        if sources := names.members(index).get(name):
            return self._held(path, sources, depth), True
        return (NOTHING, False) if path.endswith(PYTHON) else self._elsewhere(path, names.symbols[index].bare, name)

    def _elsewhere(self, path: str, owner: str, name: str) -> tuple[Values, bool]:
        """A member that is written apart from its type: in another block of the file, in another of the package."""
        for file in self._modules.files(self._modules.around(path)) or [path]:
            if found := self.names(file).apart.get(owner, EMPTY).get(name):
                return self._held(file, found, PLAIN), True
        return NOTHING, False

    @remembered
    def ancestors(self, path: str, index: int) -> tuple[tuple[str, int], ...]:
        """The class and those it inherits from, none before one derived from it; ("", -1) among them: others too."""
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

    @remembered
    def bases(self, path: str, index: int) -> tuple[tuple[str, int], ...]:
        names = self.names(path)
        found: dict[tuple[str, int], None] = {}
        for name in names.bases.get(index, ()):
            values = self.evaluate(path, names.symbols[index].parent, name, PLAIN)
            for at, base, instance in values or (OUTSIDE,):
                if not at or (base >= 0 and not instance and self.names(at).symbols[base].kind == CLASS):
                    found[at, base] = None
        return tuple(found)

    # Modules

    def in_module(self, path: str, name: str, depth: int) -> Values:
        """What a module has under that name: its own, what it imports, its submodules."""
        return self._at(self.chased(path, name), depth)

    def chased(self, path: str, name: str) -> list[End]:
        """Where a name of a module leads, however often it is imported on."""
        chain = self._chains.get((path, name))
        if chain is None:
            self._chase((path, name))
            chain = self._chains[path, name]
        ends, seen, _ = chain
        self.seen |= seen
        return _or_module(ends)

    def _chase(self, first: Name) -> None:
        """What modules hand on one to the next is followed once for all of them."""
        path, name = first
        if path.endswith(".py") and not (names := self.names(path)).stars and name not in names.scopes[MODULE]:
            self._chains[first] = ([], self._modules.inside(path, name)), self._alone(path), 0
            return
        line: list[tuple[Name, list[Step], Name | None]] = []
        node: Name | None = first
        while node and node not in self._chains and len(line) < MOST_HOPS:
            steps = self._steps(*node)
            line.append((node, steps, self._following(node, steps)))
            node = line[-1][2]
        for at, steps, following in reversed(line):
            onward = self._chains.get(following) if following else None
            if onward and onward[2] < MOST_HOPS:
                (ends, submodule), seen, hops = onward
                submodule = self._modules.inside(*at) or submodule
                self._chains[at] = (ends, submodule), seen | {at[0]}, hops + 1
            elif at[0] in self._names and not any(isinstance(what, str) for _, what in steps):
                ends = [(module, what) for module, what in dict.fromkeys(steps) if not isinstance(what, str)]
                self._chains[at] = (ends, self._modules.inside(*at)), self._alone(at[0]), 0
            elif at == first or not following:
                # In a circle, or a line that is too long, no place is like another.
                walked = self._walked_from(*at)
                seen = self.answers["_walked_from"][at][1]
                self._chains[at] = walked, seen, MOST_HOPS if following else 0

    def _alone(self, path: str) -> frozenset[str]:
        """That path, kept once."""
        known = self._only.get(path)
        if known is None:
            known = self._only[path] = frozenset((path,))
        return known

    def _following(self, node: Name, steps: Sequence[Step]) -> Name | None:
        """The only name to which a module's leads."""
        if len(steps) == 1 and node[0] in self._names:
            module, name = steps[0]
            return (module, name) if isinstance(name, str) else None
        return None

    @remembered
    def _walked_from(self, path: str, name: str) -> Ends:
        starred = self._starred(path)
        if starred and not any(
            name in self._names[at].scopes[MODULE] or self._modules.inside(at, name) for at in starred
        ):
            return [], ""
        return self._walked([(path, name)])

    @remembered
    def _starred(self, path: str) -> tuple[str, ...]:
        """A module and those whose stars lead into it, so that a name which none of them has need not be walked after.

        () where not all that has a say is a module.
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
        """Where an import leads."""
        module, name = self._lead(path, one)
        return self.chased(module, name) if isinstance(name, str) else [(module, name)]

    def _walked(self, starts: Iterable[Step]) -> Ends:
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
        """What a module binds a name to: ends, or names of other modules."""
        if path.endswith("/") or "*" in path:
            file = self._modules.inside(path, name) if path.endswith(".java") else ""
            files = [one for one in self._modules.files(path) if not one.endswith(".java")]
            return [(one, name) for one in files + [file] * bool(file)]
        names = self.names(path)
        if sources := names.scopes[MODULE].get(name):
            return [
                self._lead(path, one) if isinstance(one, Import) else (path, one) for one in sources[-MOST_SOURCES:]
            ]
        found = [self._modules.find(star.module, path) for star in names.stars]
        return [(one, name) for one in [*found, self._modules.around(path)] if one]

    def _lead(self, path: str, one: Import) -> Step:
        module, first = one.module, one.module.partition(".")[0]
        if not one.name and first == one.bound:  # `import a.b` binds `a`
            module = first
        found = self._modules.find(module, path)
        name = one.name
        if name == "default" and found in self._outlines and name not in self.names(found).scopes[MODULE]:
            name = one.bound
        return (found, name) if found and name else (found, MODULE)


def _or_module(found: Ends) -> list[End]:
    ends, submodule = found
    return ends or ([(submodule, MODULE)] if submodule else [])


def _distinct(found: list[Value]) -> Values:
    """Without repetitions; what is outside counts only if there is nothing else."""
    if len(found) < 2:
        return tuple(found)
    unique = dict.fromkeys(found)
    if len(unique) > 1:
        unique.pop(OUTSIDE, None)
    return tuple(unique)
