"""Whether what was changed can still be loaded: Python's modules are imported, other languages are parsed."""

from __future__ import annotations

import ast
import json
import posixpath
import shlex
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from aci.patch import is_test, is_test_config
from aci.source import parse
from aci.workspace import OURS, Workspace
from trajectories.trees import Trees

MOST_MODULES, LONGEST_ERROR, LARGEST = 8, 300, 500_000
NOT_IMPORTED = {"__main__.py", "setup.py", "conftest.py"}
_SCRIPT = """\
import importlib, json, os, sys
out = os.dup(1)
os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
found = {}
for name, folder in json.loads(sys.argv[1]):
    sys.path.insert(0, folder)
    try:
        importlib.import_module(name)
        found[name] = ""
    except BaseException as error:
        found[name] = ("%s: %s" % (type(error).__name__, error))[:300]
os.write(out, json.dumps(found).encode())
os._exit(0)
"""


class Module(NamedTuple):
    """A module's dotted name, and the folder of the repository in which Python is to look for it."""

    name: str
    folder: str


def modules(trees: Trees, tree: str, paths: Iterable[str]) -> list[Module]:
    """The packages that hold these Python files, then the files' own modules; no tests, and no scripts.

    A file outside packages counts if its top level only defines: importing a script would run it.
    """
    packages: dict[Module, None] = {}
    own: dict[Module, None] = {}
    for path in paths:
        folder, name = posixpath.split(path)
        if not name.endswith(".py") or name in NOT_IMPORTED or is_test(path) or is_test_config(path):
            continue
        top = _outside(trees, tree, folder)
        if top != folder:
            packages[Module(folder[len(top) :].strip("/").partition("/")[0], top)] = None
        if trees.entry(tree, path) and (top != folder or _only_defines(trees, tree, path)):
            dotted = path[len(top) :].strip("/").removesuffix(".py").removesuffix("/__init__").replace("/", ".")
            own[Module(dotted, top)] = None
    found = [each for each in {**packages, **own} if all(part.isidentifier() for part in each.name.split("."))]
    return found[:MOST_MODULES]


def is_there(trees: Trees, tree: str, module: Module) -> bool:
    """Whether the tree has the module's file."""
    path = posixpath.join(module.folder, module.name.replace(".", "/"))
    return any(trees.entry(tree, f"{path}{end}") for end in (".py", "/__init__.py"))


def errors(workspace: Workspace, wanted: Sequence[Module], seconds: float) -> dict[str, str] | None:
    """What importing each module raises ("" where it goes well); None where there was no answer in `seconds`."""
    asked = json.dumps([[name, posixpath.join(workspace.root, folder)] for name, folder in wanted])
    ran = workspace.run(
        f"for python in python3 python; do command -v $python >/dev/null && break; done; "
        f"(cd {shlex.quote(workspace.root)} && $python -c {shlex.quote(_SCRIPT)} {shlex.quote(asked)} 2>/dev/null)",
        seconds,
        OURS,
    )
    try:
        found = json.loads(ran.output)
    except ValueError:
        return None
    if not isinstance(found, dict):
        return None
    said = {name: str(error).replace(f"{workspace.root}/", "") for name, error in found.items()}
    return {each.name: said[each.name][:LONGEST_ERROR] for each in wanted if each.name in said}


def misspelt(trees: Trees, old: str, new: str, paths: Iterable[str]) -> list[str]:
    """Files in other languages that could be parsed in the tree `old` and cannot in `new`."""
    return [path for path in paths if _parses(trees, old, path) and _parses(trees, new, path) is False]


def unparsed(trees: Trees, tree: str, paths: Iterable[str]) -> list[str]:
    """Those of the files that still cannot be parsed."""
    return [path for path in paths if _parses(trees, tree, path) is False]


def _outside(trees: Trees, tree: str, folder: str) -> str:
    """The innermost folder around `folder` that is no package."""
    while folder and trees.entry(tree, f"{folder}/__init__.py"):
        folder = posixpath.dirname(folder)
    return folder


def _only_defines(trees: Trees, tree: str, path: str) -> bool:
    read = parse(trees.read(tree, path).decode("utf-8", "replace"))
    if read is None:
        return True  # importing it runs nothing
    return not any(
        isinstance(node, ast.For | ast.While | ast.With)
        or (isinstance(node, ast.Expr) and not isinstance(node.value, ast.Constant))
        for node in read.body
    )


def _parses(trees: Trees, tree: str, path: str) -> bool | None:
    """None where nobody can tell: no such file, too large, Python, or no grammar for it."""
    from tree_sitter import Language, Parser

    from aci.graph.parse import by_file_name, load

    languages: Mapping[str, str] = by_file_name()
    name = posixpath.basename(path)
    language = languages.get(name) or languages.get(posixpath.splitext(name)[1].lower())
    entry = trees.entry(tree, path)
    if not language or language == "python" or entry is None or not entry[0].startswith("100"):
        return None
    data = trees.read(tree, path)
    if len(data) > LARGEST:
        return None
    return not Parser(Language(load(language).grammar())).parse(data).root_node.has_error
