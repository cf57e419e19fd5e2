"""Types of expressions and annotations, inferred from their syntax only."""

from __future__ import annotations

import ast

LISTS = {"list", "List", "Sequence", "Iterable", "Collection", "MutableSequence"}
SETS = {"set", "Set", "frozenset", "FrozenSet", "AbstractSet", "MutableSet"}
DICTS = {"dict", "Dict", "Mapping", "MutableMapping", "defaultdict", "Counter", "OrderedDict"}
NUMBERS = {"int", "float", "complex", "bool"}
METHODS = {
    "split": "list",
    "rsplit": "list",
    "splitlines": "list",
    "findall": "list",
    **dict.fromkeys(("lower", "upper", "strip", "lstrip", "rstrip", "join", "replace", "casefold", "title"), "str"),
    "format": "str",
}
CALLS = {"sorted": "list", "str": "str", "repr": "str", "tuple": "tuple", "len": "number", "sum": "number"}


def kind_of(node: ast.AST, annotation: bool = False) -> str:
    """Return the kind of a value: list, tuple, set, dict, str, number, iterator, or "" if unknown."""
    if annotation:
        return _annotated(node)
    if isinstance(node, ast.List | ast.ListComp):
        return "list"
    if isinstance(node, ast.Set | ast.SetComp):
        return "set"
    if isinstance(node, ast.Dict | ast.DictComp):
        return "dict"
    if isinstance(node, ast.Tuple):
        return "tuple"
    if isinstance(node, ast.GeneratorExp):
        return "iterator"
    if isinstance(node, ast.JoinedStr):
        return "str"
    if isinstance(node, ast.Constant):
        return {str: "str", int: "number", float: "number", bool: "number"}.get(type(node.value), "")
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        return METHODS.get(node.func.attr, "")
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        return CALLS.get(node.func.id) or _named(node.func.id)
    return ""


def _annotated(node: ast.AST) -> str:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        try:
            return _annotated(ast.parse(node.value, mode="eval").body)
        except SyntaxError:
            return ""
    if isinstance(node, ast.BinOp):
        return _annotated(node.left)
    if isinstance(node, ast.Subscript):
        return _annotated(node.value)
    if isinstance(node, ast.Attribute):
        return _named(node.attr)
    return _named(node.id) if isinstance(node, ast.Name) else ""


def _named(name: str) -> str:
    if name in ("tuple", "Tuple"):
        return "tuple"
    if name in NUMBERS:
        return "number"
    if name in ("Iterator", "Generator", "map", "filter", "zip"):
        return "iterator"
    for names, kind in ((LISTS, "list"), (SETS, "set"), (DICTS, "dict"), ({"str", "AnyStr"}, "str")):
        if name in names:
            return kind
    return ""
