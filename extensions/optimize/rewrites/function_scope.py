"""Analysis of one function for rewrites: which code is repeated, what changes there, and what is invariant.

The analysis is purely syntactic, so it can be wrong about aliases; the equivalence check finds mistakes of a rewrite.
If the syntax shows a conflicting change, a rewrite is not proposed.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from aci.runtime.target_function import iter_functions as functions_of
from extensions.experiment.source.source_file import Definition, Draft, Source
from extensions.optimize.rewrites.access_paths import (
    AT_END,
    INSIDE,
    is_affected,
    is_below,
    path,
    read_paths,
    root,
    stored_path,
    substitute,
)
from extensions.optimize.rewrites.known_effects import MODULES, MUTATING, PURE, READING
from extensions.optimize.rewrites.static_types import kind_of

Loop = ast.For | ast.While
Comprehension = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp
Region = ast.For | ast.While | ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp | ast.Lambda | Definition
EMPTY = re.compile(r"(?m)^[ \t]+(?=\r?$)")


def join_drafts(what: str, *parts: Draft | None) -> Draft | None:
    """Join several drafts into one, described by `what` or as the last of them; None if one of them is None."""
    edits: list[tuple[int, int, str]] = []
    for part in parts:
        if part is None:
            return None
        edits += part.edits
        what = what or part.what
    return Draft(what, tuple(dict.fromkeys(edits)))


class Scope:
    """A function of a source file, with the analysis that rewrites need."""

    def __init__(self, source: Source, function: Definition) -> None:
        self.source = source
        self.function = function
        self.nodes = [node for statement in function.body for node in ast.walk(statement)]
        self.names = {
            word
            for node in ast.walk(source.tree)
            for word in (getattr(node, "id", None), getattr(node, "arg", None), getattr(node, "name", None))
            if isinstance(word, str)
        }
        self.arguments = {one.arg: one for one in ast.walk(function.args) if isinstance(one, ast.arg)}
        self.definitions = {node.name: node for node in ast.walk(source.tree) if isinstance(node, Definition)}
        self.steady = {node.name for _, node in functions_of(source.tree)}
        """Names of functions that are not nested in another function, so they cannot read another function's local
        variables."""
        self.modules = _modules(source.tree)
        self._changes: dict[ast.AST, set[str]] = {}
        self._visiting: set[ast.AST] = set()
        self._aliases = [
            (path(target), path(node.value))
            for node in self.nodes
            if isinstance(node, ast.Assign) and path(node.value)
            for target in node.targets
            if path(target)
        ]

    # Repetition

    def regions(self, node: ast.AST) -> Iterator[Region]:
        """Yield the regions (loops, comprehensions and lambdas) that repeat a node, innermost first, up to the
        function."""
        child = node
        while child is not self.function:
            parent = self.source.parents[child]
            if self._repeats(parent, child):
                assert isinstance(parent, Region)
                yield parent
            if isinstance(parent, ast.comprehension):
                whole = self.source.parents[parent]
                assert isinstance(whole, Comprehension)
                if child is not parent.iter or parent is not whole.generators[0]:
                    yield whole
                parent = whole
            child = parent

    @staticmethod
    def _repeats(parent: ast.AST, child: ast.AST) -> bool:
        if isinstance(parent, ast.For):
            return child in parent.body
        if isinstance(parent, ast.While):
            return child is parent.test or child in parent.body
        return isinstance(parent, Comprehension | ast.Lambda)

    def outermost(self, node: ast.AST, expression: ast.AST) -> Region | None:
        """Return the outermost region that encloses a node and in which an expression is invariant."""
        found = None
        for region in self.regions(node):
            if not self.stays(expression, region):
                break
            found = region
        return found

    def statement(self, node: ast.AST) -> ast.stmt:
        while not isinstance(node, ast.stmt):
            node = self.source.parents[node]
        return node

    def block(self, statement: ast.stmt) -> list[ast.stmt]:
        """Return the block that contains a statement."""
        parent = self.source.parents[statement]
        for name in ("body", "orelse", "finalbody"):
            found: list[ast.stmt] = getattr(parent, name, [])
            if isinstance(found, list) and statement in found:
                return found
        return [statement]

    # Changes

    def stays(self, expression: ast.AST, region: ast.AST) -> bool:
        """Whether an expression is free of effects and reads nothing that changes in the region."""
        changed = self.changes(region)
        return self.pure(expression) and not any(is_affected(changed, one) for one in read_paths(expression))

    def changes(self, region: ast.AST) -> set[str]:
        """Return the paths that are bound, or may be changed in place, in a region."""
        if region not in self._changes:
            found = {one for node in ast.walk(region) for one in self._changed(node) if one}
            for left, right in self._aliases:
                for here, there in ((left, right), (right, left)):
                    found |= {there + one[len(here) :] for one in found if is_below(one, here)}
            self._changes[region] = found
        return self._changes[region]

    def _changed(self, node: ast.AST) -> Iterator[str]:
        if isinstance(node, ast.Name | ast.Attribute | ast.Subscript | ast.Starred):
            if not isinstance(node.ctx, ast.Load):
                yield path(node) or (stored_path(node) and stored_path(node) + INSIDE)
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.Call):
            yield from self._called(node)

    def _called(self, call: ast.Call) -> Iterator[str]:
        function, handed = call.func, [*call.args, *(one.value for one in call.keywords)]
        if isinstance(function, ast.Attribute):
            receiver = stored_path(function.value)
            if self.module(function.value) in MODULES or function.attr in READING:
                return
            if root(receiver) in ("self", "cls") and receiver == root(receiver) and self.harmless(function.attr):
                return
            if receiver not in self.modules:
                # Appending does not change the existing items.
                yield receiver and receiver + (AT_END if function.attr in ("append", "extend") else INSIDE)
            if function.attr in MUTATING:
                return
        elif isinstance(function, ast.Name) and (
            self.builtin(function.id) or self.harmless(function.id) or function.id[:1].isupper()
        ):
            return
        for one in handed:
            yield stored_path(one) and stored_path(one) + INSIDE

    def harmless(self, name: str) -> bool:
        """Whether a function of this module seems to change neither its arguments nor the module."""
        node = self.definitions.get(name)
        if node is None or node.decorator_list or isinstance(node, ast.AsyncFunctionDef):
            return False
        if node in self._visiting:
            return True
        self._visiting.add(node)
        inner = [one for statement in node.body for one in ast.walk(statement)]
        arguments = {one.arg for one in ast.walk(node.args) if isinstance(one, ast.arg)}
        bound = {one.id for one in inner if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store)}
        changed = {one for each in inner for one in self._changed(each)} - bound
        found = not any(isinstance(one, ast.Global | ast.Nonlocal | ast.Yield | ast.YieldFrom) for one in inner)
        found = found and not any(root(one) in arguments or root(one) not in bound for one in changed if one)
        found = found and all(self._known(one) for one in inner if isinstance(one, ast.Call))
        self._visiting.discard(node)
        return found

    def pure(self, expression: ast.AST) -> bool:
        """Whether an expression has no effect and gives the same value when evaluated again."""
        forbidden = (ast.Yield, ast.YieldFrom, ast.Await, ast.NamedExpr)
        calls = [node for node in ast.walk(expression) if isinstance(node, ast.Call)]
        return not any(isinstance(node, forbidden) for node in ast.walk(expression)) and all(map(self._known, calls))

    def _known(self, call: ast.Call) -> bool:
        if isinstance(call.func, ast.Attribute):
            module = self.module(call.func.value)
            if not module:
                receiver = path(call.func.value)
                return call.func.attr in READING or (receiver in ("self", "cls") and self._steady(call.func.attr))
            return module in MODULES
        if isinstance(call.func, ast.Name):
            return self.builtin(call.func.id) or self._steady(call.func.id) or self.imported(call.func.id) in MODULES
        return False

    def _steady(self, name: str) -> bool:
        return name in self.steady and self.harmless(name)

    def builtin(self, name: str) -> bool:
        """Whether a name is a builtin function without effects that the file does not rebind."""
        return name in PURE and name not in self._bound

    @property
    def _bound(self) -> set[str]:
        if not hasattr(self, "_bound_names"):
            self._bound_names = {
                node.id for node in ast.walk(self.source.tree) if isinstance(node, ast.Name) and _stores(node)
            } | {node.arg for node in ast.walk(self.source.tree) if isinstance(node, ast.arg)}
            self._bound_names |= {*self.definitions, *self.modules}
        return self._bound_names

    def module(self, node: ast.AST) -> str:
        """Return the module that an expression names, or ""."""
        return self.modules.get(path(node), "")

    def imported(self, name: str) -> str:
        """Return the module from which a name was imported."""
        found = self.modules.get(name, "")
        return found.rpartition(".")[0]

    def called(self, node: ast.AST, *names: str) -> ast.Call | None:
        """Return the node if it is a call of one of these builtins, else None."""
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in names:
            return node if self.builtin(node.func.id) else None
        return None

    # Names and their values

    def uses(self, name: str, within: ast.AST | None = None) -> list[ast.Name]:
        nodes = self.nodes if within is None else ast.walk(within)
        return [node for node in nodes if isinstance(node, ast.Name) and node.id == name]

    def bindings(self, name: str) -> list[ast.Name]:
        return [node for node in self.uses(name) if _stores(node)]

    def start(self, name: str) -> ast.Assign | ast.AnnAssign | None:
        """Return the only plain assignment of a local name, or None if it has other bindings."""
        bindings = self.bindings(name)
        if len(bindings) != 1 or name in self.arguments:
            return None
        parent = self.source.parents[bindings[0]]
        plain = isinstance(parent, ast.Assign) and parent.targets == [bindings[0]]
        annotated = isinstance(parent, ast.AnnAssign) and parent.value is not None
        return parent if isinstance(parent, ast.Assign | ast.AnnAssign) and (plain or annotated) else None

    def kind(self, node: ast.AST) -> str:
        """Return the likely kind of an expression: list, tuple, set, dict, str, number, iterator, or "" if unknown."""
        if isinstance(node, ast.Name):
            if node.id in self.arguments and not self.bindings(node.id):
                annotation = self.arguments[node.id].annotation
                return kind_of(annotation, True) if annotation else ""
            start = self.start(node.id)
            if start is None or start.value is None:
                return ""
            declared = kind_of(start.annotation, True) if isinstance(start, ast.AnnAssign) else ""
            return declared or kind_of(start.value)
        return kind_of(node)

    def is_natural(self, node: ast.expr, within: ast.AST) -> bool:
        """Whether an expression is the index of a loop around `within`, perhaps with constants added, so that it is
        never negative."""
        if isinstance(node, ast.Constant):
            return isinstance(node.value, int) and node.value >= 0
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Mult):
            return self.is_natural(node.left, within) and self.is_natural(node.right, within)
        heads: list[ast.For | ast.comprehension] = []
        for region in self.regions(within):
            heads += [region] if isinstance(region, ast.For) else getattr(region, "generators", [])
        return (
            isinstance(node, ast.Name)
            and len(self.bindings(node.id)) == 1
            and any(self._counts(head, node.id) for head in heads)
        )

    def _counts(self, head: ast.For | ast.comprehension, name: str) -> bool:
        """Whether a loop counts upwards from zero or more in a variable."""
        if call := self.called(head.iter, "range"):
            start = call.args[0] if len(call.args) > 1 else ast.Constant(0)
            return path(head.target) == name and len(call.args) < 3 and self.is_natural(start, head)
        call, target = self.called(head.iter, "enumerate"), head.target
        return bool(call and len(call.args) == 1 and isinstance(target, ast.Tuple) and path(target.elts[0]) == name)

    def fresh(self, *words: str) -> str:
        """Return the first of these names that the file does not use yet."""
        for word in [*words, *(f"{words[0]}_{number}" for number in range(2, 99))]:
            if word not in self.names:
                return word
        raise ValueError(words)

    # Edits

    def insert(self, statement: ast.stmt, *lines: str, after: bool = False) -> Draft | None:
        draft = self.source.insert(statement, list(lines), after)
        if draft is None:
            return None
        return Draft(draft.what, tuple((at, end, EMPTY.sub("", text)) for at, end, text in draft.edits))

    def indented(self, line: str, steps: int = 1) -> str:
        return self.source.indent * steps + line

    def text(self, node: ast.expr | ast.stmt) -> str:
        """Return the text of a node on one line."""
        found = self.source.text(node)
        return found if "\n" not in found and "\r" not in found else ast.unparse(node)

    def substitute(self, node: ast.expr, name: str, text: str) -> str:
        """Return the text of an expression with a name in it replaced by `text`."""
        if node not in self.source.parents or "\n" in self.source.text(node):
            return substitute(node, {name: text})
        found, (start, _) = self.source.text(node).encode(), self.source.span(node)
        for use in sorted(self.uses(name, node), key=lambda one: self.source.span(one), reverse=True):
            left, right = (at - start for at in self.source.span(use))
            found = found[:left] + text.encode() + found[right:]
        return found.decode()

    def swap(self, node: ast.expr, text: str) -> Draft:
        return self.source.replace(node, text)

    def remove(self, statement: ast.stmt) -> Draft | None:
        """Remove a statement's lines; None if it shares lines with other statements or is the only statement in its
        block."""
        start, end = self.source.span(statement)
        head = self.source.line_start(start)
        tail = self.source.data.find(b"\n", end)
        tail = len(self.source.data) if tail < 0 else tail + 1
        alone = len(self.block(statement)) == 1
        around = self.source.data[head:start].strip() or self.source.data[end:tail].strip()
        return None if alone or around else Draft("", ((head, tail, ""),))

    def unwrap(self, statement: ast.If) -> Draft | None:
        """Replace an `if` statement by its body; None if the layout makes this more than removing one level of
        indentation."""
        data, (start, end) = self.source.data, self.source.span(statement)
        head, body = self.source.line_start(start), self.source.line_start(self.source.span(statement.body[0])[0])
        margin, inner = data[head:start], data[body : self.source.span(statement.body[0])[0]]
        one_line = statement.test.end_lineno == statement.lineno and statement.body[0].lineno == statement.lineno + 1
        if not one_line or margin.strip() or not inner.startswith(margin) or b"#" in data[head:body]:
            return None
        multiline = any(
            isinstance(node, ast.Constant | ast.JoinedStr) and node.end_lineno != node.lineno
            for node in ast.walk(statement)
        )
        step, edits, at = len(inner) - len(margin), [(head, body, "")], body
        while at < end and not multiline:
            if data[at : at + step] == inner[:step]:
                edits.append((at, at + step, ""))
            elif data[at:].split(b"\n", 1)[0].strip():
                return None
            at = data.find(b"\n", at) + 1 or end
        return None if multiline else Draft("", tuple(edits))

    def comments(self, first: ast.stmt, last: ast.stmt) -> bool:
        """Whether there is a comment between the start of one statement and the end of another."""
        start, end = self.source.span(first)[0], self.source.span(last)[1]
        tail = self.source.data.find(b"\n", end)
        return b"#" in self.source.data[start : tail if tail >= 0 else None]

    def imports(self, module: str, name: str) -> tuple[str, Draft | None]:
        """Return the expression that refers to a name of the standard library in this file, and the draft of the import
        that it needs."""
        for word, whole in self.modules.items():
            if whole == f"{module}.{name}":
                return word, Draft("", ())
        for word, whole in self.modules.items():
            if whole == module:
                return f"{word}.{name}", Draft("", ())
        if name in self.names:
            return name, None
        return name, self._import(f"from {module} import {name}", module)

    def _import(self, line: str, module: str) -> Draft | None:
        body = self.source.tree.body
        first = next((at for at, node in enumerate(body) if isinstance(node, ast.Import | ast.ImportFrom)), None)
        if first is None:
            has_docstring = bool(body) and isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant)
            if has_docstring:
                return self.source.insert(body[0], ["", line], after=True)
            return self.source.insert(body[0], [line, "", ""])
        place = None
        for node in body[first:]:
            if not isinstance(node, ast.Import | ast.ImportFrom):
                break
            name = (node.module or "") if isinstance(node, ast.ImportFrom) else ""
            if name == "__future__" or isinstance(node, ast.Import) or (name and name <= module):
                place = node
            else:
                break
        return self.source.insert(place, [line], after=True) if place else self.source.insert(body[first], [line])


def _stores(node: ast.Name) -> bool:
    return not isinstance(node.ctx, ast.Load)


def _modules(tree: ast.Module) -> dict[str, str]:
    """Return the names bound by imports, each with the dotted name that it refers to."""
    found = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                found[alias.asname or alias.name] = alias.name
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                found[alias.asname or alias.name] = f"{node.module}.{alias.name}"
    return found
