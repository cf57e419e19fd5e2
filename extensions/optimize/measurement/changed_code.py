"""Changes to Python files, and the code in them that a target function reaches, resolved by name."""

from __future__ import annotations

import ast
import hashlib
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from aci.runtime.target_function import Function, Target, iter_functions

MOST_LITERALS, MOST_KEYS = 20_000, 200


@dataclass(frozen=True)
class Source:
    """A parsed Python file at `path`."""

    path: str
    tree: ast.Module

    @staticmethod
    def of(path: str, data: bytes) -> Source | None:
        """Parse a file; return None if it is not Python or cannot be parsed."""
        if not path.endswith(".py"):
            return None
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return Source(path, ast.parse(data))
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None

    @cached_property
    def aliases(self) -> dict[str, str]:
        """Map of the names bound by imports anywhere in the file to their dotted names, such as `e` -> `os.environ`."""
        found = {}
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    found[alias.asname or alias.name.split(".")[0]] = (
                        alias.name if alias.asname else alias.name.split(".")[0]
                    )
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                found.update({alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names})
        return found

    @cached_property
    def defined(self) -> list[tuple[str, Function]]:
        return list(iter_functions(self.tree))

    @cached_property
    def classes(self) -> set[str]:
        return {node.name for node in ast.walk(self.tree) if isinstance(node, ast.ClassDef)}

    @cached_property
    def globals(self) -> set[str]:
        """Names that the top level binds to something other than a function, a class or a module."""
        found = set()
        for node in top_level_nodes(self.tree):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                found.add(node.id)
        return found

    def dotted(self, node: ast.AST) -> str:
        """Return the dotted name of an imported object, such as `os.environ.get`, or "".

        `getattr` and `__import__` with a constant are resolved too.
        """
        if isinstance(node, ast.Name):
            return self.aliases.get(node.id, "")
        if isinstance(node, ast.Attribute):
            owner = self.dotted(node.value)
            return f"{owner}.{node.attr}" if owner else ""
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            if node.func.id == "getattr" and len(node.args) > 1 and (owner := self.dotted(node.args[0])):
                name = constant(node.args[1])
                return f"{owner}.{name if isinstance(name, str) else '?'}"
            if node.func.id == "__import__" and node.args:
                name = constant(node.args[0])
                return name if isinstance(name, str) else "__import__.?"
        return ""


@dataclass(frozen=True)
class Change:
    """The Python files that differ between two versions, and other files that were added or changed."""

    target: Target
    before: tuple[Source, ...]
    after: tuple[Source, ...]
    others: dict[str, bytes] = field(default_factory=dict)
    """New or changed files that are not Python."""
    new_paths: frozenset[str] = frozenset()

    @staticmethod
    def of(before: Mapping[str, bytes], after: Mapping[str, bytes], target: Target) -> Change:
        changed = [path for path in sorted(after) if after[path] != before.get(path)]
        old = [Source.of(path, data) for path, data in sorted(before.items())]
        new = [Source.of(path, after[path]) for path in changed]
        return Change(
            target,
            tuple(source for source in old if source),
            tuple(source for source in new if source),
            {path: after[path] for path in changed if not path.endswith(".py")},
            frozenset(path for path in changed if path not in before),
        )

    @cached_property
    def constants_before(self) -> list[object]:
        """Numbers and short strings in the old code, which are likely edge cases of its checks."""
        found = dict.fromkeys(
            (type(node.value).__name__, node.value)
            for source in self.before
            for node in ast.walk(source.tree)
            if isinstance(node, ast.Constant) and type(node.value) in (int, float, str) and len(str(node.value)) < 40
        )
        return list[object](value for _, value in found)[:60]

    @cached_property
    def new_literals(self) -> dict[str, int]:
        """Map of the digest of each literal that only the new code contains to its line."""
        old = {mark for source in self.before for mark, _ in literals(source.tree)}
        found: dict[str, int] = {}
        for source in self.after:
            for mark, line in literals(source.tree):
                if mark not in old:
                    found.setdefault(mark, line)
        return found

    @cached_property
    def keys(self) -> list[str]:
        """Source code of the literals by which only the new code distinguishes inputs: dictionary keys and operands of
        `==`."""
        old = {ast.dump(node) for source in self.before for node in ast.walk(source.tree) if isinstance(node, ast.expr)}
        found = dict.fromkeys(
            ast.unparse(node)
            for source in self.after
            for node in _keys(source.tree)
            if ast.dump(node) not in old and is_literal(node)
        )
        return [text for text in found if len(text) < 2000][:MOST_KEYS]

    @cached_property
    def old_literals(self) -> set[str]:
        return {mark for source in self.before for mark, _ in literals(source.tree)}

    def reached(
        self, sources: Sequence[Source], names: Iterable[str] | None = None
    ) -> Iterator[tuple[Source, str, Function]]:
        """Yield the target, or the functions with these names, and each function whose name is mentioned in the code
        that they reach, with sources and qualified names."""
        left = [self.target.name.rpartition(".")[2]] if names is None else list(names)
        known: set[str] = set()
        while left:
            name = left.pop()
            if name in known:
                continue
            known.add(name)
            for source in sources:
                for qualified, node in source.defined:
                    *owners, last = qualified.split(".")
                    if last == name or name in owners:
                        yield source, qualified, node
                        left += mentioned_names(node)

    def line_of(self, name: str) -> int:
        """Return the line where the new code binds a global of this name; 0 if there is none."""
        for source in self.after:
            for node in top_level_nodes(source.tree):
                if isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Store):
                    return node.lineno
        return 0


def top_level_nodes(tree: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes that run when the module is imported, including bodies of classes, but not of functions."""
    for child in ast.iter_child_nodes(tree):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            for each in [*child.decorator_list, *child.args.defaults, *filter(None, child.args.kw_defaults)]:
                yield from ast.walk(each)
        elif not isinstance(child, ast.Lambda):
            yield child
            yield from top_level_nodes(child)


def mentioned_names(node: ast.AST) -> list[str]:
    names = [each.id for each in ast.walk(node) if isinstance(each, ast.Name)]
    return names + [each.attr for each in ast.walk(node) if isinstance(each, ast.Attribute)]


def constant(node: ast.AST) -> object:
    """Return the value of a literal or a concatenation of string literals; None for anything else."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        left, right = constant(node.left), constant(node.right)
        return left + right if isinstance(left, str) and isinstance(right, str) else None
    return node.value if isinstance(node, ast.Constant) else None


def literals(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Yield the digest and line of each literal value; `plain_digest` in `extensions/optimize/guest/outcome_text.py`
    digests answers in the same way."""
    left = MOST_LITERALS
    for node in ast.walk(tree):
        if not isinstance(node, ast.Constant | ast.Tuple | ast.List | ast.Dict | ast.UnaryOp):
            continue
        try:
            value = ast.literal_eval(node)
        except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
            continue
        left -= 1
        if left < 0:
            return
        if mark := digest(value):
            yield mark, getattr(node, "lineno", 0)


def _keys(tree: ast.AST) -> Iterator[ast.expr]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Dict):
            yield from (key for key in node.keys if key is not None)
        elif isinstance(node, ast.Compare):
            for operator, side in zip(node.ops, node.comparators, strict=True):
                if isinstance(operator, ast.Eq | ast.Is):
                    yield from (node.left, side)
                elif isinstance(operator, ast.In):
                    yield from side.elts if isinstance(side, ast.Tuple | ast.List | ast.Set) else []
        elif isinstance(node, ast.MatchValue):
            yield node.value
        elif isinstance(node, ast.Tuple | ast.List) and len(node.elts) == 2:
            yield node.elts[0]  # the first item of a pair, which may become a key of a dict


def is_literal(node: ast.AST) -> bool:
    try:
        ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        return False
    return True


def digest(value: object) -> str:
    text = repr(value)[:2000]
    if (isinstance(value, int | float) and abs(value) < 100) or len(text) < 4:
        return ""
    return hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()[:16]


def docstring_ids(tree: ast.AST) -> set[int]:
    """Return the ids of the value nodes of expression statements, such as docstrings."""
    return {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
