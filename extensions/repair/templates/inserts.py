"""Templates that insert a statement."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator

from aci.repository.python_source import is_docstring
from extensions.experiment.source.code_blocks import in_function, is_last, owner
from extensions.experiment.source.source_file import Definition
from extensions.repair.analysis.name_usage import interleave, unique
from extensions.repair.candidates.candidate_expressions import (
    calls,
    container_attributes,
    members,
    names,
    sort_by_similarity,
    unbound_names_at,
)
from extensions.repair.candidates.template_site import Drafts, TemplateSite

METHODS = {
    "list": ("append({})", "pop()", "extend({})"),
    "set": ("add({})", "discard({})", "update({})"),
    "deque": ("append({})", "popleft()"),
    "dict": ("pop({}, None)", "update({})"),
    "queue": ("append({})",),
}
MAKERS = (
    "list",
    "tuple",
    "iter",
    "int",
    "str",
    "set",
    "sorted",
    "abs",
    "float",
    "len",
    "dict",
    "frozenset",
    "reversed",
)
ENDINGS = ("strip()", "lower()", "copy()", "split()", "upper()", "rstrip()", "lstrip()")
VALUES = ("None", "[]", "{}", "0", "False", "''", "set()", "True", "1", "()")
MOST_PLACES = 12


def insert(spot: TemplateSite) -> Drafts:
    """Insert a copy of another statement of the function before this one, unchanged or with a name replaced."""
    renamed = (text for line in spot.donors.simple for text in spot.donors.renamed(line))
    yield from _inserted(spot, _chained(spot.donors.simple, renamed))


def update(spot: TemplateSite) -> Drafts:
    """Insert a statement that updates a container or a name: `seen.add(node)`, `last = node`, `n += 1`."""
    there = names(spot)
    values = [name for name in there if name not in spot.donors.containers]
    changed = _rebound(spot, values)
    methods = [
        f"{name}.{method.format(value)}"
        for name, kind in spot.donors.containers.items()
        for method in METHODS[kind]
        for value in (values if "{" in method else [""])
    ]
    stores = [f"{name}[{key}] = {value}" for name in spot.donors.sized for key in values for value in there]
    stores = [text for text in stores if len(set(re.findall(r"\w+", text))) == 3][:60]
    steps = [f"{name} {sign}= 1" for name in changed for sign in "+-"]
    copies = [f"{left} = {right}" for left in changed for right in there if left != right]
    sums = [f"{left} {sign}= {right}" for left in changed for right in there if left != right for sign in "+-*"]
    yield from _inserted(spot, interleave([iter(one) for one in (methods, steps, copies, stores, sums)]))


def define(spot: TemplateSite) -> Drafts:
    """Assign a value, preferably one with a similar name, to an undefined name before its first use."""
    missing = unbound_names_at(spot).missing
    read = {node.id for node in spot.nodes if isinstance(node, ast.Name)}
    inside = {node.id for node in ast.walk(spot.statement) if isinstance(node, ast.Name)}
    for name in [one for one in missing if one in read] or [one for one in missing if one in inside]:
        yield from _inserted(spot, (f"{name} = {value}" for value in _values_for(spot, name)))


def prepare(spot: TemplateSite) -> Drafts:
    """Convert a variable before the statement: `pool = tuple(pool)`, `text = text.strip()`, `n = abs(n)`."""
    read = [name for name in names(spot) if any(isinstance(one, ast.Name) and one.id == name for one in spot.nodes)]
    wanted = unique([*(name for name in unbound_names_at(spot).idle if name in spot.donors.visible), *read])
    fed = calls(spot)
    streams = []
    for name in wanted:
        lines = [*(f"{maker}({name})" for maker in MAKERS), *(f"{name}.{ending}" for ending in ENDINGS)]
        own = [one for one in fed if name in re.findall(r"\w+", one.partition("(")[2])]
        streams.append(_inserted(spot, (f"{name} = {one}" for one in interleave([iter(lines), iter(own)]))))
    yield from interleave(streams)


def store(spot: TemplateSite) -> Drafts:
    """Set an attribute: `self.x = x`, `self.count = 0`, `node.next = other`.

    Attributes that are never set and values that are never read come first.
    """
    spot = _inside(spot)
    ends, there = unbound_names_at(spot), names(spot)
    idle = [name for name in ends.idle if name in there]
    own = members(spot)
    unset = [f"self.{name} = {value}" for name in ends.unset for value in _values_for(spot, name)]
    given = [f"self.{mark}{name} = {name}" for name in there for mark in ("", "_") if "self" in spot.donors.names]
    fed = [f"self.{name} = {value}" for value in idle for name in sort_by_similarity(value, own)]
    places = [text for text in spot.donors.terms if text.count(".") == 1 and text.replace(".", "").isidentifier()]
    others = [name for name in spot.donors.plain if spot.donors.library.attributes_of(spot.source, name)]
    places += [f"{name}.{part}" for name in others for part in spot.donors.library.attributes_of(spot.source, name)]
    foreign = [
        f"{place} = {value}" for value in there for place in sort_by_similarity(value, unique(places)[:MOST_PLACES])
    ]
    titled = [f"self.{name} = {value}" for name in own[:2] for value in (*there, *VALUES)]
    steps = [f"self.{name} {sign}= 1" for name in own for sign in "+-"]
    plain = [f"self.{name} = {value}" for name in own for value in (*VALUES, *there)]
    first = interleave(
        [iter(one) for one in (unset, fed, titled, given[: 2 * len(idle)], foreign[: MOST_PLACES * len(idle)])]
    )
    rest = interleave([iter(one) for one in (given, foreign, steps, plain)])
    yield from _inserted(spot, _chained(first, rest))


def hold(spot: TemplateSite) -> Drafts:
    """Change a container attribute of the object: `self.items.append(x)`, `self.known[key] = value`."""
    spot = _inside(spot)
    there = names(spot)
    streams = []
    for place, kind in container_attributes(spot).items():
        if not place.startswith("self.") or "self" not in spot.donors.names:
            continue
        lines = [f"{place}.{method.format(value)}" for value in there for method in METHODS[kind] if "{" in method]
        lines += [f"{place}[{key}] = {value}" for key in there for value in there if key != value and kind == "dict"]
        lines += [f"{place}.clear()", f"{place}.pop()", *(f"del {place}[{key}]" for key in there)]
        streams.append(_inserted(spot, lines))
    yield from interleave(streams)


def call(spot: TemplateSite) -> Drafts:
    """Insert a call for its side effect: `self._check(x)`, `super().close()`, `x.sort()`, `validate(x)`."""
    spot = _inside(spot)
    sorts = [f"{name}.{method}()" for name in spot.donors.sized for method in ("sort", "reverse", "clear", "pop")]
    given = [f"{function}({name})" for function in unbound_names_at(spot).unused for name in names(spot)]
    holder, above = spot.donors.holder, []
    within = owner(spot.source, holder)
    if isinstance(holder, Definition) and within is not None:
        parameters = [one.arg for one in holder.args.args[1:]]
        rest = [f"*{holder.args.vararg.arg}"] if holder.args.vararg else []
        rest += [f"**{holder.args.kwarg.arg}"] if holder.args.kwarg else []
        named = [f"{name}={name}" for name in parameters]
        lists: list[list[str]] = [[*parameters, *rest], rest, parameters, [*named, *rest], []]
        above = [f"super().{holder.name}({', '.join(one)})" for one in lists]
        bases = [spot.text(one) for one in within.bases] if within is not None else []
        above += [f"{base}.{holder.name}({', '.join(['self', *one])})" for base in bases for one in lists[:1]]
    yield from _inserted(spot, interleave([iter(one) for one in (calls(spot), above, given, sorts)]))


def finish(spot: TemplateSite) -> Drafts:
    """Add a `return` or `yield` after the last statement of a block.

    The value is one that the block builds, an attribute named like the function, or a call whose arguments are in
    scope.
    """
    spot = _inside(spot)
    statement = spot.statement
    if not in_function(spot.source, statement) or not is_last(spot.source, statement):
        return
    if isinstance(statement, ast.Return | ast.Raise | ast.Break | ast.Continue):
        return
    idle = [name for name in unbound_names_at(spot).idle if name in spot.donors.visible]
    own = [f"self.{name}" for name in members(spot)]
    looked_up = [f"{one}[{key}]" for key in idle for one in own[:MOST_PLACES]]
    made = [*(f"{maker}({name})" for name in idle for maker in MAKERS), *(f"len({one})" for one in own[:4])]
    above = [f"super().{text.removeprefix('super().')}" for text in calls(spot) if text.startswith("super().")]
    plain = ["self"] if "self" in spot.donors.names else []
    built = [*spot.donors.returns, *plain]
    values = interleave(
        [iter(one) for one in (idle, built, own, calls(spot), looked_up, made, above, spot.donors.atoms)]
    )
    words = ("yield", "return") if _yields(spot) else ("return",)
    for value in dict.fromkeys(values):
        for word in words:
            yield spot.source.insert(statement, [f"{word} {value}"], after=True)


def produce(spot: TemplateSite) -> Drafts:
    """Insert `yield x` or `yield from x` before a statement of a generator."""
    if _yields(spot):
        yield from _inserted(spot, [f"yield {value}" for value in spot.donors.atoms])
        yield from _inserted(spot, [f"yield from {value}" for value in spot.donors.sized])


def otherwise(spot: TemplateSite) -> Drafts:
    """Add an `else` or `elif` to an `if`, or an `else` to a loop, with a similar statement of the function."""
    statement = spot.statement
    if not isinstance(statement, ast.If | ast.For | ast.While) or statement.orelse:
        return
    last = statement.body[-1]
    line = spot.text(last) if last.lineno == last.end_lineno else ""
    bound = [spot.text(one.targets[0]) for one in reversed(statement.body) if isinstance(one, ast.Assign)]
    others = interleave([(f"{target} = {value}" for value in _likely_values(spot, target)) for target in unique(bound)])
    streams = [others, iter([*spot.donors.renamed(line), line] if line else [])]
    returned = [f"return {value}" for value in spot.donors.returns] if in_function(spot.source, statement) else []
    if isinstance(last, ast.Return):
        value = line.removeprefix("return").strip()
        opposite = {"True": "False", "False": "True"}.get(value)
        streams = [iter([*([f"return {opposite}"] if opposite else []), *returned]), *streams]
    lines = [*interleave(streams), *spot.donors.simple, *returned]
    for body in unique(lines):
        if body and body != line:
            yield spot.source.insert(statement, ["else:", spot.indent + body], after=True)
    if isinstance(statement, ast.If):
        test = spot.text(statement.test)
        conditions = unique([*spot.donors.renamed(test), *spot.donors.conditions])
        for condition in conditions[:60]:
            for body in unique(lines)[:12]:
                if condition != test and body:
                    new = [f"elif {condition}:", spot.indent + body]
                    yield spot.source.insert(statement, new, after=True)


def _inserted(spot: TemplateSite, lines: Iterable[str]) -> Drafts:
    """Insert each line before the statement and, if the statement is the last of its block, also after it."""
    statement = spot.statement
    if not in_function(spot.source, statement):
        return
    own, last = spot.text(statement), is_last(spot.source, statement)
    ends = isinstance(statement, ast.Return | ast.Raise | ast.Break | ast.Continue)
    seen = {own}
    for text in lines:
        if text not in seen:
            seen.add(text)
            if not is_docstring(statement):
                yield spot.source.insert(statement, [text])
            if last and not ends:
                yield spot.source.insert(statement, [text], after=True)


def _inside(spot: TemplateSite) -> TemplateSite:
    """Return the site of the docstring if the function contains nothing else; otherwise the given site."""
    node = spot.statement
    if isinstance(node, Definition) and node is spot.donors.holder and is_docstring(node.body[-1]):
        return TemplateSite(spot.source, spot.donors, node.body[-1], spot.snippets)
    return spot


def _values_for(spot: TemplateSite, name: str) -> Iterator[str]:
    """Yield values that may be assigned to a name, with those that have a similar name first."""
    atoms = sort_by_similarity(name, [one for one in spot.donors.atoms if one != name])
    own = [f"self.{other}" for other in sort_by_similarity(name, members(spot))[:4]]
    given = [other for other in names(spot) if other != name]
    parts = [f"{other}.{name}" for other in given if name in spot.donors.library.attributes_of(spot.source, other)]
    made = [f"{maker}({other})" for maker in ("iter", "len", "list", "tuple", "set") for other in given]
    fed = sort_by_similarity(name, calls(spot))
    yield from interleave([iter(unique(one)) for one in ([*parts, *atoms], own, VALUES, fed, made)])


def _likely_values(spot: TemplateSite, target: str) -> list[str]:
    """Return values for an assignment target: two names that resemble it, usual values, the other names."""
    near = sort_by_similarity(target.rpartition(".")[2], [name for name in names(spot) if name != target])
    return unique([*near[:2], *VALUES, *near])


def _rebound(spot: TemplateSite, names: list[str]) -> list[str]:
    """Sort names that may be reassigned: first those bound in the function's body, then parameters."""
    holder = spot.donors.holder
    given = {one.arg for one in ast.walk(holder) if isinstance(one, ast.arg)}
    return [name for name in names if name not in given] + [name for name in names if name in given]


def _yields(spot: TemplateSite) -> bool:
    return any(isinstance(node, ast.Yield | ast.YieldFrom) for node in spot.donors.nodes)


def _chained(*streams: Iterable[str]) -> Iterator[str]:
    for stream in streams:
        yield from stream
