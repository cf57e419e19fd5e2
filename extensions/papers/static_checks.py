"""Static consistency checks of a Python file: imports of undefined names, and calls that do not fit the called
function's parameters.

Only certain errors are reported. Names that are bound more than once, decorated functions, calls with `*` or `**`, and
classes that inherit their constructor are skipped.
"""

from __future__ import annotations

import ast
import posixpath
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from aci.repository.python_source import parse, undefined_names

Read = Callable[[str], bytes | None]
ROOTS = "", "src/", "lib/"
"""Folders from which modules are imported."""
ANY = "*", "__getattr__", "globals", "vars", "locals", "exec", "setattr"
"""Names whose use means that a module may define further names, which do not appear in its source."""
MOST_MODULES = 100


@dataclass(frozen=True, slots=True)
class ConsistencyError:
    """An error at a line; `text` describes it without the line number."""

    path: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.text}"


def find_inconsistencies(path: str, read: Read) -> list[ConsistencyError]:
    """Return all consistency errors in the file at `path`, sorted by line.

    `read` returns a file of the repository by its path, or None. The list is empty for a file that this interpreter
    cannot parse. Of the modules that the file imports, the first 100 are checked.
    """
    source = (read(path) or b"").decode("utf-8", "replace")
    tree = parse(source)
    if tree is None:
        return []
    names = _Names(path, tree)
    found = [ConsistencyError(path, line, f"{name} is not defined") for name, line in undefined_names(source).items()]
    known: dict[str, ast.stmt] = {name: node for name, node in names.defined.items() if names.bound[name] == 1}
    modules = _Modules(path, read)
    for node in tree.body:  # nested imports may be expected to fail
        if not isinstance(node, ast.ImportFrom) or not (other := modules.of(node)):
            continue
        for alias in node.names:
            name = alias.asname or alias.name
            if not other.has(alias.name):
                found.append(ConsistencyError(path, node.lineno, f"{other.path} defines no {alias.name}"))
            elif alias.name in other.defined and other.bound[alias.name] == names.bound[name] == 1:
                known[name] = other.defined[alias.name]
    found += [ConsistencyError(path, call.lineno, text) for call, text in _calls(tree, known)]
    return sorted(found, key=lambda one: one.line)


class _Names:
    """A module's names: how often each is bound, at any depth, and its top-level functions and classes."""

    def __init__(self, path: str, tree: ast.Module) -> None:
        self.path = path
        self.bound = Counter(_bound(tree))
        self.defined = {
            node.name: node
            for node in tree.body
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        }

    def has(self, name: str) -> bool:
        """Whether a name may be imported from this module.

        Any name may be imported if the module creates names dynamically, or is a package: its folder may hold modules
        that are not in the repository, such as generated or compiled ones.
        """
        is_package = posixpath.basename(self.path) == "__init__.py"
        return is_package or name == "*" or name.startswith("__") or any(one in self.bound for one in (name, *ANY))


def _bound(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name, ctx=ast.Store() | ast.Del()) | ast.arg(arg=name):
                yield name
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield name
            case ast.alias(name=name, asname=other):
                yield other or name.partition(".")[0]
            case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
                yield name
            case ast.MatchMapping(rest=str(name)):
                yield name
            case ast.Name(id=("globals" | "vars" | "locals" | "exec" | "setattr") as name):
                yield name
            case ast.Attribute(value=ast.Name(id="sys"), attr="modules"):
                yield "globals"


class _Modules:
    """The modules of the repository that a file imports from."""

    def __init__(self, path: str, read: Read) -> None:
        self._path, self._read = path, read
        self._known: dict[str, _Names | None] = {}

    def of(self, node: ast.ImportFrom) -> _Names | None:
        """Return the module that names are imported from, if there is exactly one."""
        stem = (node.module or "").replace(".", "/")
        if node.level:
            folder = self._path
            for _ in range(node.level):
                folder = posixpath.dirname(folder)
            stems = [posixpath.join(folder, stem).rstrip("/")]
        else:
            stems = [root + stem for root in ROOTS]
        key = " ".join(stems)
        if key not in self._known and len(self._known) < MOST_MODULES:
            self._known[key] = self._found(stems)
        return self._known.get(key)

    def _found(self, stems: Sequence[str]) -> _Names | None:
        files = [file for stem in stems for file in (f"{stem}.py", posixpath.join(stem, "__init__.py"))]
        found = [(file, data) for file in files if (data := self._read(file)) is not None]
        tree = parse(found[0][1]) if len(found) == 1 else None
        return _Names(found[0][0], tree) if tree else None


def _calls(tree: ast.AST, known: dict[str, ast.stmt]) -> Iterator[tuple[ast.Call, str]]:
    for node in _must_succeed(tree):
        match node:
            case ast.Call(func=ast.Name(id=name)) if name in known:
                if text := _wrong(node, name, known[name]):
                    yield node, text
            case ast.ClassDef():
                yield from _calls_of_self(node)


def _must_succeed(node: ast.AST) -> Iterator[ast.AST]:
    """Yield all descendant nodes, except those that may be expected to fail: in `try` statements and where an exception
    is expected."""
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, ast.Try) and not (isinstance(child, ast.With) and _expects_error(child)):
            yield child
            yield from _must_succeed(child)


def _expects_error(node: ast.With) -> bool:
    return any("raises" in ast.dump(item.context_expr).lower() for item in node.items)


def _calls_of_self(holder: ast.ClassDef) -> Iterator[tuple[ast.Call, str]]:
    """Yield each call of the form `self.method()` in a class that does not fit the method's parameters, with the
    reason."""
    bound = Counter(_bound(ast.Module(holder.body, [])))
    stored = {node.attr for node in ast.walk(holder) if isinstance(node, ast.Attribute) and _is_stored(node)}
    methods = {
        node.name: node
        for node in holder.body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and bound[node.name] == 1
        and node.name not in stored
        and not node.decorator_list
        and _takes_self(node)
    }
    for method in methods.values():
        for node in _nodes_with_self(method):
            match node:
                case ast.Call(func=ast.Attribute(value=ast.Name(id="self"), attr=name)) if name in methods:
                    if text := _mismatch(node, methods[name].args, 1):
                        yield node, f"self.{name}() {text}"


def _takes_self(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    return [one.arg for one in (*node.args.posonlyargs, *node.args.args)][:1] == ["self"]


def _nodes_with_self(method: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes of a method in which `self` is the method's own parameter."""
    for node in ast.iter_child_nodes(method):
        own = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) and "self" in {
            one.arg for one in ast.walk(node.args) if isinstance(one, ast.arg)
        }
        if not own and not isinstance(node, ast.ClassDef | ast.Try):
            yield node
            yield from _nodes_with_self(node)


def _is_stored(node: ast.Attribute) -> bool:
    return isinstance(node.ctx, ast.Store)


def _wrong(call: ast.Call, name: str, target: ast.stmt) -> str:
    """Return what is wrong with a call of a function or class, or "" if no error is certain."""
    text = ""
    if isinstance(target, ast.FunctionDef | ast.AsyncFunctionDef) and not target.decorator_list:
        text = _mismatch(call, target.args, 0)
    elif isinstance(target, ast.ClassDef) and not target.decorator_list and not target.keywords:
        inits = [node for node in target.body if isinstance(node, ast.FunctionDef) and node.name == "__init__"]
        has_new = any(isinstance(node, ast.FunctionDef) and node.name == "__new__" for node in target.body)
        if len(inits) == 1 and not inits[0].decorator_list and not target.bases and not has_new:
            text = _mismatch(call, inits[0].args, 1)
    return f"{name}() {text}" if text else ""


def _mismatch(call: ast.Call, takes: ast.arguments, bound: int) -> str:
    """Return why arguments do not fit the parameters, of which the first `bound` are already given."""
    if any(isinstance(one, ast.Starred) for one in call.args) or any(one.arg is None for one in call.keywords):
        return ""
    positional = [one.arg for one in (*takes.posonlyargs, *takes.args)][bound:]
    positional_only = {one.arg for one in takes.posonlyargs}
    by_name = {one.arg for one in takes.kwonlyargs} | (set(positional) - positional_only)
    given = [one.arg for one in call.keywords if one.arg]
    if len(call.args) > len(positional) and not takes.vararg:
        return f"takes {len(positional)} positional argument{'s' * (len(positional) != 1)}, not {len(call.args)}"
    if not takes.kwarg and (unknown := [name for name in given if name not in by_name]):
        return f"has no parameter {unknown[0]}"
    if twice := [name for name in positional[: len(call.args)] if name in given and name not in positional_only]:
        return f"is given {twice[0]} twice"
    missing = _required(takes, positional)[len(call.args) :]
    missing += [one.arg for one, default in zip(takes.kwonlyargs, takes.kw_defaults, strict=True) if default is None]
    left = [name for name in missing if name not in given]
    return f"lacks {', '.join(left)}" if left else ""


def _required(takes: ast.arguments, positional: Sequence[str]) -> list[str]:
    """Return the positional parameters without a default."""
    return list(positional[: max(0, len(positional) - len(takes.defaults))])
