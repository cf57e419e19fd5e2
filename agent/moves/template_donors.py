"""What a function offers to repair itself with: its names, expressions, conditions, values to return."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from functools import cached_property
from itertools import permutations

from agent.moves.template_source import Source, own, statements

LONGEST = 48
MOST_NAMES, MOST_ATOMS, MOST_PAIRS = 14, 40, 8
BUILTINS = ("any", "all", "min", "max", "len", "sum", "abs", "sorted", "reversed", "list", "set", "tuple", "range")


class Donors:
    """Texts taken from one function (or the module's own level), each list in order of first use."""

    def __init__(self, source: Source, holder: ast.AST) -> None:
        self.source = source
        self.holder = holder
        self.statements = list(statements(holder))
        self.nodes = [node for statement in self.statements for node in own(statement)]

    @cached_property
    def names(self) -> list[str]:
        """Parameters and names bound in the function, nested functions' too."""
        bound: list[str] = []
        for node in ast.walk(self.holder):
            if isinstance(node, ast.arg):
                bound.append(node.arg)
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                bound.append(node.id)
        return unique(bound)[:MOST_NAMES]

    @cached_property
    def called(self) -> list[str]:
        """Plain functions called in the file, defined in it, and the builtins that get mixed up."""
        calls = [
            node.func.id
            for node in ast.walk(self.source.tree)
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
        ]
        defined = [function.name for function, _ in self.source.functions if "." not in function.qualname]
        return unique([*calls, *defined, *BUILTINS])

    @cached_property
    def globals(self) -> list[str]:
        """Names assigned at the module's level."""
        return unique(
            node.id
            for statement in self.source.tree.body
            if isinstance(statement, ast.Assign | ast.AnnAssign)
            for node in ast.walk(statement)
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
        )

    @cached_property
    def attributes(self) -> list[str]:
        """Attributes used or methods defined in the file."""
        used = [node.attr for node in ast.walk(self.source.tree) if isinstance(node, ast.Attribute)]
        methods = [function.name for function, _ in self.source.functions if "." in function.qualname]
        return unique([*used, *methods])

    @cached_property
    def constants(self) -> list[str]:
        return unique(
            self.source.text(node)
            for node in self.nodes
            if isinstance(node, ast.Constant) and "\n" not in self.source.text(node)
        )

    @cached_property
    def atoms(self) -> list[str]:
        """Names and short expressions that stand for a value: `node.next`, `arr[0]`, `len(arr)`, `a - b`."""
        kinds = ast.Attribute | ast.Subscript | ast.Call | ast.BinOp
        texts = [
            self.source.text(node)
            for node in self.nodes
            if isinstance(node, kinds) and isinstance(getattr(node, "ctx", ast.Load()), ast.Load)
        ]
        lengths = [f"len({name})" for name in self.sized]
        names = [name for name in self.names if name != "self"]
        return unique([*names, *(text for text in [*texts, *lengths] if short(text))])[:MOST_ATOMS]

    @cached_property
    def sized(self) -> list[str]:
        """Names used as containers: subscripted, iterated, measured, or with a container's method called."""
        found = []
        for node in ast.walk(self.holder):
            value: ast.AST | None = None
            if isinstance(node, ast.Subscript):
                value = node.value
            elif isinstance(node, ast.For | ast.comprehension):
                value = node.iter
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.args:
                value = node.args[0] if node.func.id in ("len", "sum", "min", "max", "any", "all", "sorted") else None
            if isinstance(value, ast.Name):
                found.append(value.id)
        return [name for name in unique([*found, *self.containers]) if name in self.names]

    @cached_property
    def containers(self) -> dict[str, str]:
        """Name -> the kind of an empty or literal container that it is bound to (`list`, `set`, `dict`, `deque`)."""
        kinds = {ast.List: "list", ast.ListComp: "list", ast.Set: "set", ast.Dict: "dict", ast.DictComp: "dict"}
        found: dict[str, str] = {}
        for node in ast.walk(self.holder):
            if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
                called = node.value.func if isinstance(node.value, ast.Call) else None
                kind = kinds.get(type(node.value)) or (called.id if isinstance(called, ast.Name) else "").lower()
                if kind in ("list", "set", "dict", "deque", "queue"):
                    found.setdefault(node.targets[0].id, kind)
        return found

    @cached_property
    def conditions(self) -> list[str]:
        """Conditions of the function, then made ones: of one name, of two."""
        there = [
            self.source.text(node)
            for node in self.nodes
            if isinstance(node, ast.Compare | ast.UnaryOp)
            and (isinstance(node, ast.Compare) or isinstance(node.op, ast.Not))
        ]
        single: list[str] = []
        chains = [text for text in self.atoms if text.replace(".", "").replace("_", "").isalnum()]
        for one in chains:
            single += [f"not {one}", f"{one} is None", f"{one} == 0", f"{one} < 0", f"{one} == 1", one, f"{one} > 0"]
        single += [f"len({one}) {test}" for one in self.sized for test in ("== 0", "== 1", "<= 1", "> 1")]
        pairs: list[str] = []
        for left, right in permutations([one for one in self.names if one != "self"][:MOST_PAIRS], 2):
            pairs.append(f"{left} in {right}")
            if left < right:
                pairs += [f"{left} {operator} {right}" for operator in ("==", "!=", "<", ">", "<=", ">=")]
            else:
                pairs.append(f"{left} not in {right}")
        renamed = [text for one in there for text in self.renamed(one)]
        return [text for text in unique([*there, *single, *renamed, *pairs]) if short(text)]

    @cached_property
    def returns(self) -> list[str]:
        """What the function returns, and the values that a guard returns."""
        texts = [
            self.source.text(node.value) for node in self.statements if isinstance(node, ast.Return) and node.value
        ]
        names = [name for name in self.names if name != "self"]
        rest = ["None", "[]", "0", "True", "False", "[[]]", "''", "1", "-1", "{}"]
        lists = [f"[{name}]" for name in names]
        return [text for text in unique([*texts, *names, *rest, *lists]) if short(text)]

    @cached_property
    def simple(self) -> list[str]:
        """One-line statements of the function that may be copied."""
        kinds = ast.Assign | ast.AugAssign | ast.Expr | ast.Delete
        texts = [self.source.text(node) for node in self.statements if isinstance(node, kinds)]
        return [text for text in unique(texts) if short(text)]

    def renamed(self, text: str) -> list[str]:
        """A statement or expression with one of its names (each use of it) replaced by another."""
        try:
            tree = ast.parse(text)
        except SyntaxError:
            return []
        data = text.encode()
        uses: dict[str, list[tuple[int, int]]] = {}
        for node in ast.walk(tree):
            if isinstance(node, ast.Name) and node.id in self.names and node.lineno == 1:
                uses.setdefault(node.id, []).append((node.col_offset, node.end_col_offset or 0))
        found = []
        for old, places in uses.items():
            groups = [places] if len(places) == 1 else [places, *([place] for place in places)]
            for new in self.names:
                if new != old and new != "self":
                    found += [_put(data, group, new) for group in groups]
        return found


def unique(texts: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(texts))


def short(text: str) -> bool:
    return len(text) <= LONGEST and "\n" not in text


def _put(data: bytes, places: list[tuple[int, int]], new: str) -> str:
    for start, end in sorted(places, reverse=True):
        data = data[:start] + new.encode() + data[end:]
    return data.decode()
