"""What does not fit together in a Python file, told without running anything: imports of names that a module of the
repository does not define, and calls that its functions do not take.

Only what is sure is told: a name that is bound more than once, a decorated function, a call with stars, a class that
inherits its constructor are passed over.
"""

from __future__ import annotations

import ast
import posixpath
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from aci.source import parse, undefined

Read = Callable[[str], bytes | None]
ROOTS = "", "src/", "lib/"
"""Folders from which modules are imported."""


@dataclass(frozen=True, slots=True)
class Misfit:
    """What is wrong at a line, in words that do not name the line."""

    path: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.text}"


def misfits(path: str, read: Read) -> list[Misfit]:
    """All that do not fit in the file at `path`, in the order of lines. `read` gives a file of the repository by its
    path, or None. Empty for a file that this interpreter cannot parse."""
    source = (read(path) or b"").decode("utf-8", "replace")
    tree = parse(source)
    if tree is None:
        return []
    module = _Module(path, tree)
    found = [Misfit(path, line, f"{name} is not defined") for name, line in undefined(source).items()]
    known: dict[str, ast.stmt] = dict(module.defined)
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (other := _imported(path, node, read)):
            for alias in node.names:
                if not other.has(alias.name) and not _is_module(other.path, alias.name, read):
                    found.append(Misfit(path, node.lineno, f"{other.path} defines no {alias.name}"))
                elif alias.name in other.defined:
                    known[alias.asname or alias.name] = other.defined[alias.name]
    once = {name: node for name, node in known.items() if module.bound[name] == 1}
    found += [Misfit(path, call.lineno, text) for call, text in _calls(tree, once)]
    return sorted(found, key=lambda one: one.line)


class _Module:
    """A module's names: how often each is bound in it, at any depth, and its own functions and classes."""

    def __init__(self, path: str, tree: ast.Module) -> None:
        self.path = path
        self.bound = Counter(_bound(tree))
        self.defined = {
            node.name: node
            for node in tree.body
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        }

    def has(self, name: str) -> bool:
        """Whether it may be imported from here; where the module finds names by itself, any may."""
        return any(one in self.bound for one in (name, "*", "__getattr__", "globals"))


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
            case ast.Name(id="globals"):  # names may come from anywhere
                yield "globals"


def _imported(path: str, node: ast.ImportFrom, read: Read) -> _Module | None:
    """The module of the repository that names are taken from, where there is exactly one."""
    if node.level:
        folder = path
        for _ in range(node.level):
            folder = posixpath.dirname(folder)
        stems = [posixpath.join(folder, *(node.module or "").split("."))]
    else:
        stems = [root + (node.module or "").replace(".", "/") for root in ROOTS]
    files = [file for stem in stems for file in (f"{stem}.py", posixpath.join(stem, "__init__.py"))]
    found = [(file, data) for file in files if (data := read(file)) is not None]
    tree = parse(found[0][1]) if len(found) == 1 else None
    return _Module(found[0][0], tree) if tree else None


def _is_module(path: str, name: str, read: Read) -> bool:
    """Whether the name is a module in the package that the file at `path` makes; any, in a package that is compiled."""
    folder = posixpath.dirname(path)
    files = f"{name}.py", f"{name}/__init__.py", f"{name}.pyi", f"{name}.pyx", f"{name}.c"
    package = posixpath.basename(path) == "__init__.py"
    return name == "*" or (package and (any(read(posixpath.join(folder, file)) is not None for file in files)))


def _calls(tree: ast.Module, known: dict[str, ast.stmt]) -> Iterator[tuple[ast.Call, str]]:
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name(id=name)) if name in known:
                if text := _wrong(node, name, known[name]):
                    yield node, text
            case ast.ClassDef():
                yield from _calls_of_self(node)


def _calls_of_self(holder: ast.ClassDef) -> Iterator[tuple[ast.Call, str]]:
    """Calls of a class's own methods on `self`, in its own methods."""
    named = Counter(node.name for node in holder.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    set_ = {node.attr for node in ast.walk(holder) if isinstance(node, ast.Attribute) and _is_stored(node)}
    methods = {
        node.name: node
        for node in holder.body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and named[node.name] == 1 and node.name not in set_
    }
    for method in methods.values():
        if method.decorator_list:
            continue
        for node in ast.walk(method):
            match node:
                case ast.Call(func=ast.Attribute(value=ast.Name(id="self"), attr=name)) if name in methods:
                    if not methods[name].decorator_list and (text := _unfit(node, methods[name].args, 1)):
                        yield node, f"self.{name}() {text}"


def _is_stored(node: ast.Attribute) -> bool:
    return isinstance(node.ctx, ast.Store)


def _wrong(call: ast.Call, name: str, target: ast.stmt) -> str:
    """What a call of a function or class does wrong, "" if nothing that is sure."""
    text = ""
    if isinstance(target, ast.FunctionDef | ast.AsyncFunctionDef) and not target.decorator_list:
        text = _unfit(call, target.args, 0)
    elif isinstance(target, ast.ClassDef) and not target.decorator_list and not target.keywords:
        made = [node for node in target.body if isinstance(node, ast.FunctionDef) and node.name == "__init__"]
        news = any(isinstance(node, ast.FunctionDef) and node.name == "__new__" for node in target.body)
        if len(made) == 1 and not made[0].decorator_list and not target.bases and not news:
            text = _unfit(call, made[0].args, 1)
    return f"{name}() {text}" if text else ""


def _unfit(call: ast.Call, takes: ast.arguments, bound: int) -> str:
    """Why arguments do not fit parameters, the first `bound` of which are given already."""
    if any(isinstance(one, ast.Starred) for one in call.args) or any(one.arg is None for one in call.keywords):
        return ""
    places = [one.arg for one in (*takes.posonlyargs, *takes.args)][bound:]
    only_places = {one.arg for one in takes.posonlyargs}
    by_name = {one.arg for one in takes.kwonlyargs} | (set(places) - only_places)
    given = [one.arg for one in call.keywords if one.arg]
    if len(call.args) > len(places) and not takes.vararg:
        return f"takes {len(places)} positional argument{'s' * (len(places) != 1)}, not {len(call.args)}"
    if not takes.kwarg and (strange := [name for name in given if name not in by_name]):
        return f"has no parameter {strange[0]}"
    if twice := [name for name in places[: len(call.args)] if name in given and name not in only_places]:
        return f"is given {twice[0]} twice"
    missing = _needed(takes, places)[len(call.args) :] if len(call.args) < len(_needed(takes, places)) else []
    missing += [one.arg for one, default in zip(takes.kwonlyargs, takes.kw_defaults, strict=True) if default is None]
    left = [name for name in missing if name not in given]
    return f"lacks {', '.join(left)}" if left else ""


def _needed(takes: ast.arguments, places: Sequence[str]) -> list[str]:
    """Those of the parameters by place that have no default."""
    return list(places[: max(0, len(places) - len(takes.defaults))])
