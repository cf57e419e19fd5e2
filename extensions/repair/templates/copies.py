"""Templates against accidental sharing: mutable defaults, missing copies, names that shadow others."""

from __future__ import annotations

import ast

from aci.repository.python_source import is_docstring
from extensions.experiment.source.code_blocks import BUILTINS, Loop
from extensions.experiment.source.source_file import Definition, Draft
from extensions.repair.analysis.name_usage import unique
from extensions.repair.analysis.unbound_names import bindings, module_names
from extensions.repair.candidates.template_site import Drafts, TemplateSite

MUTABLE = ("list", "dict", "set", "deque", "defaultdict", "OrderedDict", "Counter")


def mutable_default(spot: TemplateSite) -> Drafts:
    """Create a mutable default at each call: `def f(x=[])` → `def f(x=None)` and `if x is None: x = []`."""
    node = spot.statement
    if not isinstance(node, Definition):
        return
    plain = node.args.posonlyargs + node.args.args
    pairs = list(zip(plain[len(plain) - len(node.args.defaults) :], node.args.defaults, strict=True))
    pairs += [(one, value) for one, value in zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True) if value]
    for argument, value in pairs:
        made = value.func if isinstance(value, ast.Call) else None
        if isinstance(value, ast.List | ast.Dict | ast.Set) or (isinstance(made, ast.Name) and made.id in MUTABLE):
            first = node.body[1] if is_docstring(node.body[0]) and len(node.body) > 1 else node.body[0]
            name, text = argument.arg, spot.text(value)
            put = spot.source.insert(first, [f"if {name} is None:", f"{spot.indent}{name} = {text}"])
            if put is not None:
                edits = ((*spot.source.span(value), "None"), *put.edits)
                yield Draft(f"create a new `{text}` for `{name}` at each call", edits)


def copied(spot: TemplateSite) -> Drafts:
    """Copy a container that is assigned, passed or returned: `x` → `list(x)`, `x.copy()`, `x[:]`."""
    names = module_names(spot.source)
    for node in spot.values:
        if isinstance(node, ast.Name | ast.Attribute | ast.Subscript):
            text = spot.text(node)
            for new in (f"{text}[:]", f"{text}.copy()", f"list({text})", f"dict({text})", f"set({text})"):
                yield spot.source.replace(node, new)
            for new in ("copy.copy", "copy.deepcopy") if "copy" in names else ():
                yield spot.source.replace(node, f"{new}({text})")
            for new in ("copy", "deepcopy"):
                if new in names:
                    yield spot.source.replace(node, f"{new}({text})")


def own_name(spot: TemplateSite) -> Drafts:
    """Rename a variable of a loop, an assignment or a comprehension that shadows another name."""
    holder = spot.donors.holder
    bound = list(bindings(holder))
    outer = module_names(spot.source) | BUILTINS
    roots: list[tuple[ast.AST, ast.AST]] = []
    if isinstance(spot.statement, Loop) and not isinstance(spot.statement, ast.While):
        roots.append((spot.statement, spot.statement.target))
    elif isinstance(spot.statement, ast.Assign):
        roots += [(holder, target) for target in spot.statement.targets]
    roots += [(parent, one.target) for one, parent in _comprehensions(spot)]
    for root, target in roots:
        for name in unique(one.id for one in ast.walk(target) if isinstance(one, ast.Name)):
            if bound.count(name) > 1 or name in outer:
                yield _renamed(spot, root, name, f"{name.rstrip('_')}_")


def _comprehensions(spot: TemplateSite) -> list[tuple[ast.comprehension, ast.AST]]:
    found = [node for node in spot.nodes if isinstance(node, ast.comprehension)]
    return [(one, spot.source.parents[one]) for one in found]


def _renamed(spot: TemplateSite, root: ast.AST, old: str, new: str) -> Draft | None:
    """Rename every use of a name inside a loop or comprehension, except in its iterable, or every use in a function
    from the assignment on."""
    if any(isinstance(node, ast.Name) and node.id == new for node in ast.walk(spot.donors.holder)):
        return None
    over = getattr(root, "iter", None) or (root.generators[0].iter if hasattr(root, "generators") else None)
    skipped = set(ast.walk(over)) if over is not None else set()
    if isinstance(root, Definition):
        value = getattr(spot.statement, "value", None)
        skipped |= set(ast.walk(value)) if value is not None else set()
    uses = [node for node in ast.walk(root) if isinstance(node, ast.Name) and node.id == old and node not in skipped]
    uses = [node for node in uses if node.lineno >= spot.statement.lineno]
    inside = any(isinstance(spot.source.parents.get(node), ast.FormattedValue) for node in uses)
    edits = tuple((*spot.source.span(node), new) for node in uses)
    return None if inside or not edits else Draft(f"rename it to `{new}`, since `{old}` shadows another name", edits)
