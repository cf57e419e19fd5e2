"""Templates that change a call: its function, its arguments, or the expression that it wraps."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from itertools import combinations

from extensions.experiment.source.source_file import ATOM, Draft, parenthesize
from extensions.repair.analysis.callable_library import Signature
from extensions.repair.analysis.donor_code import OBJECTS
from extensions.repair.analysis.name_usage import interleave, unique
from extensions.repair.analysis.value_types import INDEXED, ITERABLE, NUMBER, TEXT, Kinds
from extensions.repair.candidates.name_edits import renamed_attribute, shared_letters
from extensions.repair.candidates.template_site import ODD, Drafts, TemplateSite

SIBLINGS = {
    "any": ("all",),
    "all": ("any",),
    "min": ("max",),
    "max": ("min",),
    "append": ("extend", "appendleft"),
    "extend": ("append",),
    "appendleft": ("append",),
    "pop": ("popleft", "get"),
    "popleft": ("pop",),
    "add": ("discard", "update"),
    "remove": ("discard",),
    "discard": ("add",),
    "update": ("add",),
    "startswith": ("endswith",),
    "endswith": ("startswith",),
    "lower": ("upper",),
    "upper": ("lower",),
    "find": ("rfind", "index"),
    "rfind": ("find",),
    "index": ("find", "rindex"),
    "strip": ("lstrip", "rstrip"),
    "lstrip": ("strip", "rstrip"),
    "rstrip": ("strip", "lstrip"),
    "ljust": ("rjust", "center"),
    "rjust": ("ljust", "center"),
    "split": ("rsplit",),
    "rsplit": ("split",),
    "keys": ("values", "items"),
    "values": ("keys", "items"),
    "items": ("values", "keys"),
    "get": ("setdefault", "pop"),
    "setdefault": ("get",),
    "issubset": ("issuperset",),
    "issuperset": ("issubset",),
    "floor": ("ceil",),
    "ceil": ("floor",),
    "union": ("intersection", "difference"),
    "intersection": ("union", "difference"),
    "difference": ("symmetric_difference", "intersection"),
    "partition": ("rpartition",),
    "rpartition": ("partition",),
    "glob": ("rglob",),
    "rglob": ("glob",),
    "read": ("readline", "readlines"),
    "isdigit": ("isdecimal", "isnumeric", "isalnum"),
    "isalpha": ("isalnum", "isidentifier"),
    "copy": ("deepcopy",),
    "match": ("fullmatch", "search"),
    "search": ("match", "fullmatch"),
    "fullmatch": ("match",),
    "bisect_left": ("bisect_right", "bisect"),
    "bisect_right": ("bisect_left",),
    "takewhile": ("dropwhile", "filter"),
    "dropwhile": ("takewhile",),
    "filter": ("filterfalse", "map"),
    "list": ("sorted", "set", "tuple"),
    "tuple": ("list",),
    "set": ("list", "frozenset"),
    "sorted": ("list", "reversed"),
    "int": ("round", "float"),
    "str": ("repr",),
    "repr": ("str",),
    "isinstance": ("issubclass",),
    "issubclass": ("isinstance",),
    "getattr": ("hasattr",),
    "type": ("isinstance",),
    "zip": ("enumerate",),
}
CONVERSIONS: dict[str, Kinds] = {
    "list": ITERABLE,
    "tuple": ITERABLE,
    "str": frozenset(),
    "int": NUMBER | TEXT,
    "set": ITERABLE,
    "sorted": ITERABLE,
    "abs": NUMBER,
    "len": ITERABLE,
    "iter": ITERABLE,
    "float": NUMBER | TEXT,
    "bool": frozenset(),
    "dict": ITERABLE,
    "frozenset": ITERABLE,
    "repr": frozenset(),
    "reversed": INDEXED,
    "sum": ITERABLE,
    "enumerate": ITERABLE,
    "type": frozenset(),
}
"""Functions whose call may be wrapped around a value, with the kinds that the value may have; an empty set means any
kind."""
CONTAINERS = ("list", "tuple", "set", "sorted", "iter", "frozenset", "sum", "max", "min", "any", "all", "zip", "map")
WHOLES = ("sum", "max", "min", "len")
MOST_CALLED, MOST_JOINTS, SHORT = 30, 4, 4
UNSURE = 0.3
"""The weight of a call with an unknown signature."""
PARTED = ast.Name | ast.Attribute | ast.Subscript | ast.Call | ast.BinOp | ast.ListComp | ast.GeneratorExp | ast.IfExp


def callee(spot: TemplateSite) -> Drafts:
    """Call another function: `f(x)` → `g(x)`, where `g` has a similar meaning, or accepts these arguments and is used
    in the file."""
    plain = [node for node in _calls(spot) if isinstance(node.func, ast.Name)]
    yield from interleave(_called(spot, node) for node in plain if node.func.id not in spot.donors.names)  # type: ignore[attr-defined]


def _called(spot: TemplateSite, node: ast.Call) -> Drafts:
    assert isinstance(node.func, ast.Name)
    name, library = node.func.id, spot.donors.library
    known = [*SIBLINGS.get(name, ())]
    yield from (spot.source.replace(node.func, one) for one in known)
    similar = sorted(spot.donors.called, key=lambda one: -_shared(spot, name, one))
    others = unique([*similar, *(one for one in library.visible(spot.source) if one not in library.functions)])
    for one in others[: 2 * MOST_CALLED]:
        if one != name and one not in known and one:
            signatures = library.functions.get(one, [])
            if not signatures or any(_takes(sign, node) for sign in signatures):
                draft = spot.source.replace(node.func, one)
                yield draft if signatures or one in spot.donors.called else draft.at(UNSURE)


def _shared(spot: TemplateSite, name: str, other: str) -> int:
    """Rate the similarity of two functions by their common parameters and the letters that their names share."""
    functions = spot.donors.library.functions
    mine = {one for sign in functions.get(name, ()) for one in sign.parameters}
    theirs = {one for sign in functions.get(other, ()) for one in sign.parameters}
    return 3 * len(mine & theirs) + shared_letters(name, other)


def method(spot: TemplateSite) -> Drafts:
    """Call another method: `a.f(x)` → `a.g(x)`, where `g` has a similar meaning, or is a method of the same object that
    accepts these arguments."""
    yield from interleave(_methods(spot, node) for node in _calls(spot) if isinstance(node.func, ast.Attribute))


def _methods(spot: TemplateSite, node: ast.Call) -> Drafts:
    called, library = node.func, spot.donors.library
    assert isinstance(called, ast.Attribute)
    known = [*SIBLINGS.get(called.attr, ())]
    yield from (renamed_attribute(spot, called, name) for name in known)
    owner = spot.text(called.value)
    members = [name for name in spot.members(called.value) if name in library.methods]
    used = [name for name in library.attributes_of(spot.source, owner) if name not in members]
    anywhere = [] if members else [name for name in library.methods if not name.startswith("__")]
    groups = [(members, 1.0), (used, 1.0 if not members else UNSURE), (anywhere, UNSURE)]
    for names, weight in groups:
        near = sorted(
            (name for name in names if name != called.attr), key=lambda name: -shared_letters(name, called.attr)
        )
        for name in [one for one in near if one not in known][:MOST_CALLED]:
            signatures = library.methods.get(name, [])
            if not signatures or any(_takes(sign, node) for sign in signatures):
                yield renamed_attribute(spot, called, name).at(weight)


def _takes(signature: Signature, node: ast.Call) -> bool:
    if any(isinstance(one, ast.Starred) for one in node.args) or any(one.arg is None for one in node.keywords):
        return True
    return signature.takes(len(node.args), [one.arg for one in node.keywords if one.arg])


def _calls(spot: TemplateSite) -> list[ast.Call]:
    return [node for node in spot.nodes if isinstance(node, ast.Call)]


def swap(spot: TemplateSite) -> Drafts:
    """Swap two arguments, two operands, two elements of a display, the branches of `x if c else y`, or two names
    throughout the statement."""
    for node in spot.nodes:
        parts: list[ast.expr] = []
        if isinstance(node, ast.Call):
            parts = [*node.args, *(one.value for one in node.keywords)]
        elif isinstance(node, ast.Tuple | ast.List):
            parts = node.elts
        elif isinstance(node, ast.BinOp):
            parts = [node.left, node.right]
        elif isinstance(node, ast.Compare):
            parts = [node.left, *node.comparators]
        elif isinstance(node, ast.IfExp):
            parts = [node.body, node.orelse]
        elif isinstance(node, ast.DictComp):
            parts = [node.key, node.value]
        parts = [one for one in parts[:5] if not isinstance(one, ast.Starred | ast.Slice)]
        for place, first in enumerate(parts):
            for second in parts[place + 1 :]:
                one, other = spot.text(first), spot.text(second)
                if one != other:
                    edits = spot.source.replace(first, other).edits + spot.source.replace(second, one).edits
                    yield Draft(f"swap `{one}` and `{other}`", edits)

    yield from _swapped_names(spot)


def _swapped_names(spot: TemplateSite) -> Drafts:
    places: dict[str, list[ast.Name]] = {}
    for node in spot.nodes:
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in spot.donors.plain:
            places.setdefault(node.id, []).append(node)
    for one, other in combinations(places, 2):
        edits = [edit for node in places[one] for edit in spot.source.replace(node, other).edits]
        edits += [edit for node in places[other] for edit in spot.source.replace(node, one).edits]
        yield Draft(f"swap `{one}` and `{other}`", tuple(edits))


def unwrap(spot: TemplateSite) -> Drafts:
    """Replace an expression by a part of it: `f(x)` → `x`, `x.m()` → `x`, `a + b` → `a` or `b`, `a and b` → `a` or `b`,
    `x[i]` → `x`."""
    for node in spot.values:
        for part in _parts(node):
            yield spot.source.replace(node, spot.text(part))
        if isinstance(node, ast.Call) and not node.args and not node.keywords:
            yield spot.source.replace(node, spot.text(node.func))


def _parts(node: ast.expr) -> list[ast.expr]:
    if isinstance(node, ast.Call):
        parts = [one for one in node.args if not isinstance(one, ast.Starred | ast.Slice)]
        return parts + ([node.func.value] if isinstance(node.func, ast.Attribute) else [])
    if isinstance(node, ast.BinOp):
        return [node.right, node.left]
    if isinstance(node, ast.BoolOp):
        return node.values
    if isinstance(node, ast.IfExp):
        return [node.body, node.orelse]
    return [node.value] if isinstance(node, ast.Subscript) else []


def convert(spot: TemplateSite) -> Drafts:
    """Wrap a value in a call, or call one of its methods: `e` → `list(e)`, `"".join(e)`, `abs(e)` and similar calls;
    `e` → `e.items()`, `e.copy()`, `e.strip()`; `e[0]` → `max(e)`.

    Calls that the file makes often come first.
    """
    streams = [_converted(spot, node) for node in spot.values if isinstance(node, PARTED)]
    yield from interleave(streams)


def _converted(spot: TemplateSite, node: ast.expr) -> Drafts:
    text, kinds = spot.text(node), spot.scope.kinds(node)
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
        yield from (spot.source.replace(node, f"{name}({spot.text(node.value)})") for name in WHOLES)
    parent = spot.source.parents.get(node)
    around = parent.func.id if isinstance(parent, ast.Call) and isinstance(parent.func, ast.Name) else ""
    calls: list[tuple[str, bool]] = []
    looped = isinstance(parent, ast.For | ast.comprehension) and node is parent.iter
    if looped or around in CONTAINERS:
        pairs = looped and isinstance(parent.target, ast.Tuple)  # type: ignore[union-attr]
        ways = (".items()", "enumerate()", "zip()") if pairs else (".values()", ".keys()", ".items()", "range()")
        calls += [(way, not kinds or ("mapping" in kinds) == way.startswith(".")) for way in ways]
    calls += [
        (f"{name}()", not kinds or not CONVERSIONS[name] or bool(kinds & CONVERSIONS[name]))
        for name in sorted(CONVERSIONS, key=lambda one: -spot.donors.library.calls_of(spot.source, one))
        if name != around
    ]
    listed = not kinds or bool(kinds & {"sequence", "iterator"})
    if around != "join":
        calls[1:1] = [(f"{joint}.join()", listed) for joint in _joints(spot)]
    calls += [("sorted(set())", not kinds or bool(kinds & ITERABLE))]
    calls += [(f".{name}()", not kinds or "mapping" in kinds) for name in ("items", "keys", "values", "copy")]
    calls += [(f".{name}()", bool(kinds & TEXT)) for name in ("strip", "lower", "upper", "split")]
    calls += [(".zfill(2)", bool(kinds & TEXT))]
    if isinstance(node, ast.Name | ast.Attribute) and (not kinds or "callable" in kinds):
        name = node.attr if isinstance(node, ast.Attribute) else node.id
        known = name in spot.donors.library.methods or name in spot.donors.library.functions
        calls.insert(0, (".()", known or "callable" in kinds))
    for call, fits in dict(calls).items():
        if call.startswith("."):
            new = parenthesize(text, ATOM) + call.replace(".(", "(")
        else:
            new = call.replace("()", f"({text})", 1)
        draft = spot.source.replace(node, new)
        yield draft if fits else draft.at(ODD)


def _joints(spot: TemplateSite) -> list[str]:
    """Return strings to join parts with: the empty string, a space, and short strings of the function."""
    short = [text for text in spot.donors.constants if text[:1] in "\"'" and len(text) <= SHORT]
    return unique(['""', '" "', *(text for text in short if text[1:-1].strip())])[:MOST_JOINTS]


def nest(spot: TemplateSite) -> Drafts:
    """Wrap a value in a call like one in this function or file, with the same other arguments: `e` → `f(e)`."""
    patterns = unique(_patterns(spot))
    nodes = [node for node in spot.values if isinstance(node, PARTED) and not isinstance(node, ast.GeneratorExp)]
    for pattern in patterns:
        for node in nodes:
            draft = spot.source.replace(node, pattern.replace("\0", spot.text(node)))
            yield draft


def _patterns(spot: TemplateSite) -> Iterator[str]:
    """Yield calls with a placeholder for one argument: calls in the function, and calls of functions that accept a
    single argument."""
    calls = [one for one in spot.donors.nodes if isinstance(one, ast.Call) and not one.keywords]
    for call in sorted(calls, key=lambda one: abs(one.lineno - spot.statement.lineno)):
        parts = [spot.text(one) for one in call.args]
        for place in range(min(len(parts), 3)):
            text = ", ".join(["\0" if at == place else part for at, part in enumerate(parts)])
            if len(text) < MOST_CALLED and "\n" not in text:
                yield f"{spot.text(call.func)}({text})"
    library = spot.donors.library
    yield from (f"{name}(\0)" for name in library.called_with_one(spot.source))
    for name, signatures in spot.donors.library.functions.items():
        if any(sign.takes(1) for sign in signatures) and name in spot.donors.library.visible(spot.source):
            yield f"{name}(\0)"
    owner = next((one for one in OBJECTS if one in spot.donors.names), "")
    for name in spot.donors.library.members.get(spot.owner, ()) if owner else ():
        if any(sign.takes(1) and sign.owner for sign in spot.donors.library.methods.get(name, ())):
            yield f"{owner}.{name}(\0)"


def lookup(spot: TemplateSite) -> Drafts:
    """Change how an item or attribute is read: `d[k]` ↔ `d.get(k)`, `d.get(k, default)`; `a.x` ↔ `getattr(a, "x",
    None)`."""
    for node in spot.values:
        if isinstance(node, ast.Subscript) and not isinstance(node.slice, ast.Slice | ast.Tuple):
            kinds = spot.scope.kinds(node.value)
            if not kinds or "mapping" in kinds:
                head, key = parenthesize(spot.text(node.value), ATOM), spot.text(node.slice)
                for default in ("", ", []", ", 0", ", ''", ", {}", *(f", {one}" for one in spot.donors.plain[:4])):
                    yield spot.source.replace(node, f"{head}.get({key}{default})")
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in ("get", "pop"):
            head = spot.text(node.func.value)
            if node.args:
                yield spot.source.replace(node, f"{head}[{spot.text(node.args[0])}]")
            if len(node.args) == 1:
                for default in ("None", "[]", "0", "''", "{}", *spot.donors.plain[:4]):
                    yield spot.source.replace(node, f"{head}.{node.func.attr}({spot.text(node.args[0])}, {default})")
        elif isinstance(node, ast.Attribute) and not isinstance(spot.source.parents.get(node), ast.Call):
            yield spot.source.replace(node, f"getattr({spot.text(node.value)}, {node.attr!r}, None)").at(ODD)
