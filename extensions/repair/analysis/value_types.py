"""Rough types (kinds) of the values in one function, observed in traced tests or inferred from the syntax.

A kind is a rough type: `number`, `bool`, `text`, `bytes`, `sequence`, `set`, `mapping`, `iterator`, `callable`, `none`,
or the name of a class. An empty set of kinds means that the kind is unknown. Since the traced program contains a bug,
callers usually rank expressions of unexpected kinds last instead of leaving them out.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

from extensions.experiment.source.source_file import Source, dotted_name
from extensions.experiment.source.syntax_trees import UNREADABLE, parse_expression

Kinds = frozenset[str]
Types = Mapping[tuple[str, int], Mapping[str, frozenset[str]]]
UNKNOWN: Kinds = frozenset()
GROUPS = {
    "number": "int float complex Fraction Decimal number",
    "text": "str",
    "bytes": "bytes bytearray memoryview",
    "sequence": "list tuple deque range List Tuple Sequence MutableSequence",
    "set": "set frozenset Set FrozenSet AbstractSet MutableSet dict_keys",
    "mapping": "dict defaultdict OrderedDict Counter mappingproxy Dict Mapping MutableMapping DefaultDict",
    "iterator": "generator map filter zip enumerate reversed Iterator Generator islice chain count repeat cycle",
    "callable": "function method builtin_function_or_method method_descriptor partial type Callable",
    "none": "NoneType None",
    "bool": "bool",
}
KIND = {name: group for group, names in GROUPS.items() for name in names.split()}
RETURNS = {
    "number": "len int float abs sum round ord hash pow complex",
    "text": "str repr chr format hex bin oct ascii input",
    "sequence": "list tuple sorted range deque",
    "set": "set frozenset",
    "mapping": "dict defaultdict OrderedDict Counter",
    "iterator": "iter zip map filter enumerate reversed",
    "bool": "bool isinstance issubclass hasattr callable any all",
    "bytes": "bytes bytearray",
}
RETURNED = {name: frozenset([kind]) for kind, names in RETURNS.items() for name in names.split()}
METHODS = {
    "text": "strip lstrip rstrip lower upper title capitalize join replace format decode ljust rjust zfill casefold",
    "sequence": "split rsplit splitlines partition rpartition",
    "number": "index find rfind count bit_length",
    "bool": "startswith endswith isdigit isalpha isspace isupper islower isalnum issubset issuperset isdisjoint",
    "bytes": "encode",
}
ANSWERED = {name: frozenset([kind]) for kind, names in METHODS.items() for name in names.split()}
ITERABLE: Kinds = frozenset(["text", "bytes", "sequence", "set", "mapping", "iterator"])
SIZED: Kinds = ITERABLE - {"iterator"}
INDEXED: Kinds = frozenset(["text", "bytes", "sequence"])
NUMBER: Kinds = frozenset(["number"])
TEXT: Kinds = frozenset(["text"])
BOOL: Kinds = frozenset(["bool"])


class Scope:
    """The kinds of expressions in one function, or at the module level."""

    def __init__(self, source: Source, holder: ast.AST, types: Types | None = None) -> None:
        self._seen: dict[str, set[str]] = defaultdict(set)
        self._known: dict[str, Kinds] = {}
        for node in ast.walk(holder):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                if types:
                    self._take(types, source.path, node)
                self._declare(node)
        bound: dict[str, list[ast.expr | None]] = defaultdict(list)
        for node in ast.walk(holder):
            for name, value in _bindings(node):
                bound[name].append(value)
        for name, values in bound.items():
            if name not in self._seen and name not in self._known:
                known = [one for one in values if one is not None]
                self._known[name] = self._either(known) if len(known) == len(values) else UNKNOWN

    def of(self, text: str) -> Kinds:
        """Return the kinds of an expression given as source text."""
        found = self._known.get(text)
        if found is None:
            try:
                found = self._infer(parse_expression(f"({text})"))
            except UNREADABLE:
                found = UNKNOWN
            self._known[text] = found
        return found

    def kinds(self, node: ast.expr) -> Kinds:
        """Return the kinds of an expression."""
        return self._infer(node)

    def fits(self, text: str, expected: Kinds) -> bool:
        """Return whether an expression, given as source text, may have one of the expected kinds; true if its kind is
        unknown."""
        if not expected:
            return True
        found = self.of(text)
        return not found or bool(found & expected)

    def _take(self, types: Types, path: str, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        first = min([node.lineno, *(one.lineno for one in node.decorator_list)])
        for line in {first, node.lineno}:
            for name, seen in types.get((path, line), {}).items():
                self._seen[name] |= {KIND.get(one, one) for one in seen}

    def _declare(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        """Infer the kinds of parameters from annotations and defaults, unless they were observed in a traced test."""
        arguments = node.args
        positional = [*arguments.posonlyargs, *arguments.args]
        pairs = list(zip(positional[len(positional) - len(arguments.defaults) :], arguments.defaults, strict=True))
        pairs += [(one, value) for one, value in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True) if value]
        for one in [*positional, *arguments.kwonlyargs]:
            if one.arg not in self._seen and one.annotation is not None:
                self._known[one.arg] = annotated(one.annotation)
        for one, value in pairs:
            kinds = self._infer(value)
            if one.arg not in self._seen and one.arg not in self._known and kinds - {"none"}:
                self._known[one.arg] = kinds

    def _infer(self, node: ast.expr) -> Kinds:
        if isinstance(node, ast.Constant):
            name = type(node.value).__name__
            return frozenset([KIND.get(name, name)])
        if isinstance(node, ast.Name | ast.Attribute):
            return self._named(node)
        if isinstance(node, ast.List | ast.ListComp | ast.Tuple):
            return frozenset(["sequence"])
        if isinstance(node, ast.Dict | ast.DictComp):
            return frozenset(["mapping"])
        if isinstance(node, ast.Set | ast.SetComp):
            return frozenset(["set"])
        if isinstance(node, ast.GeneratorExp):
            return frozenset(["iterator"])
        if isinstance(node, ast.Lambda):
            return frozenset(["callable"])
        if isinstance(node, ast.JoinedStr):
            return TEXT
        if isinstance(node, ast.Compare):
            return BOOL
        if isinstance(node, ast.UnaryOp):
            return BOOL if isinstance(node.op, ast.Not) else NUMBER
        if isinstance(node, ast.BoolOp):
            return self._either(node.values)
        if isinstance(node, ast.IfExp):
            return self._either([node.body, node.orelse])
        if isinstance(node, ast.BinOp):
            return self._combined(node)
        if isinstance(node, ast.Subscript):
            value = self._infer(node.value)
            return value if isinstance(node.slice, ast.Slice) or value <= TEXT else UNKNOWN
        return self._called(node) if isinstance(node, ast.Call) else UNKNOWN

    def _named(self, node: ast.Name | ast.Attribute) -> Kinds:
        name = dotted_name(node)
        return frozenset(self._seen[name]) if name in self._seen else self._known.get(name, UNKNOWN)

    def _either(self, values: Iterable[ast.expr]) -> Kinds:
        kinds = [self._infer(one) for one in values]
        return frozenset().union(*kinds) if all(kinds) else UNKNOWN

    def _combined(self, node: ast.BinOp) -> Kinds:
        left, right = self._infer(node.left), self._infer(node.right)
        if isinstance(node.op, ast.Mod) and left & {"text", "bytes"}:
            return left
        if isinstance(node.op, ast.Mult) and (left & INDEXED or right & INDEXED):
            return (left | right) & INDEXED
        return left if left == right else left | right if left and right else UNKNOWN

    def _called(self, node: ast.Call) -> Kinds:
        if isinstance(node.func, ast.Name):
            name = node.func.id
            return RETURNED.get(name) or (frozenset([name]) if name[:1].isupper() else UNKNOWN)
        if isinstance(node.func, ast.Attribute):
            owner = self._infer(node.func.value)
            return ANSWERED.get(node.func.attr, UNKNOWN) if not owner or owner & INDEXED else UNKNOWN
        return UNKNOWN


def _bindings(node: ast.AST) -> Iterator[tuple[str, ast.expr | None]]:
    """Yield the names that a node binds, each with an expression of the same kind, or None."""
    if isinstance(node, ast.Assign):
        for target in node.targets:
            if isinstance(target, ast.Name):
                yield target.id, node.value
            else:
                yield from ((one.id, None) for one in ast.walk(target) if isinstance(one, ast.Name))
    elif isinstance(node, ast.For | ast.AsyncFor | ast.comprehension):
        if isinstance(node.target, ast.Name):
            counts = isinstance(node.iter, ast.Call) and dotted_name(node.iter.func) == "range"
            yield node.target.id, ast.Constant(0) if counts else None
        else:
            yield from ((one.id, None) for one in ast.walk(node.target) if isinstance(one, ast.Name))


def annotated(node: ast.expr) -> Kinds:
    """Return the kinds that an annotation refers to, for annotations such as `int`, `list[str] | None`,
    `Optional[Node]` and `"Node"`."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        try:
            return annotated(parse_expression(node.value))
        except UNREADABLE:
            return UNKNOWN
    if isinstance(node, ast.Constant) and node.value is None:
        return frozenset(["none"])
    if isinstance(node, ast.BinOp):
        left, right = annotated(node.left), annotated(node.right)
        return left | right if left and right else UNKNOWN
    if isinstance(node, ast.Subscript):
        outer = dotted_name(node.value).rpartition(".")[2]
        inner = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        if outer in ("Optional", "Union"):
            kinds = [annotated(one) for one in inner]
            none: Kinds = frozenset(["none"] if outer == "Optional" else [])
            return none.union(*kinds) if all(kinds) else UNKNOWN
        return annotated(node.value)
    name = dotted_name(node).rpartition(".")[2]
    if name in ("", "Any", "object", "Iterable", "Collection", "Self") or len(name) == 1:
        return UNKNOWN
    return frozenset([KIND.get(name, name)])
