"""Check that changed files still load: Python modules are imported, files in other languages are parsed."""

from __future__ import annotations

import ast
import json
import posixpath
import shlex
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from aci.repository.python_source import parse
from aci.repository.test_files import is_test, is_test_config
from aci.runtime.workspace import HARNESS_SESSION, Workspace
from trajectories.git_store.trees import Trees

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


class ImportableModule(NamedTuple):
    """A module's dotted name, and the folder of the repository in which Python finds it."""

    name: str
    folder: str


def find_modules(trees: Trees, tree: str, paths: Iterable[str]) -> list[ImportableModule]:
    """Return the packages of these Python files, then the files' own modules, excluding tests and scripts.

    A file outside packages counts only if its top level consists of definitions: importing a script would run it.
    """
    packages: dict[ImportableModule, None] = {}
    own: dict[ImportableModule, None] = {}
    for path in paths:
        folder, name = posixpath.split(path)
        if not name.endswith(".py") or name in NOT_IMPORTED or is_test(path) or is_test_config(path):
            continue
        top = _outside(trees, tree, folder)
        if top != folder:
            packages[ImportableModule(folder[len(top) :].strip("/").partition("/")[0], top)] = None
        if trees.entry(tree, path) and (top != folder or _only_defines(trees, tree, path)):
            dotted = path[len(top) :].strip("/").removesuffix(".py").removesuffix("/__init__").replace("/", ".")
            own[ImportableModule(dotted, top)] = None
    found = [each for each in {**packages, **own} if all(part.isidentifier() for part in each.name.split("."))]
    return found[:MOST_MODULES]


def module_exists(trees: Trees, tree: str, module: ImportableModule) -> bool:
    """Whether the tree contains the module's file."""
    path = posixpath.join(module.folder, module.name.replace(".", "/"))
    return any(trees.entry(tree, f"{path}{end}") for end in (".py", "/__init__.py"))


def import_errors(workspace: Workspace, wanted: Sequence[ImportableModule], seconds: float) -> dict[str, str] | None:
    """Return for each module the error that importing it raises, or ""; None if there was no answer within
    `seconds`."""
    request = json.dumps([[name, posixpath.join(workspace.root, folder)] for name, folder in wanted])
    ran = workspace.run(
        f"for python in python3 python; do command -v $python >/dev/null && break; done; "
        f"(cd {shlex.quote(workspace.root)} && $python -c {shlex.quote(_SCRIPT)} {shlex.quote(request)} 2>/dev/null)",
        seconds,
        HARNESS_SESSION,
    )
    try:
        found = json.loads(ran.output)
    except ValueError:
        return None
    if not isinstance(found, dict):
        return None
    texts = {name: str(error).replace(f"{workspace.root}/", "") for name, error in found.items()}
    return {each.name: texts[each.name][:LONGEST_ERROR] for each in wanted if each.name in texts}


def newly_unparsable(trees: Trees, old: str, new: str, paths: Iterable[str]) -> list[str]:
    """Return the files in other languages that parse in the tree `old`, but not in `new`."""
    return [path for path in paths if _parses(trees, old, path) and _parses(trees, new, path) is False]


def still_unparsable(trees: Trees, tree: str, paths: Iterable[str]) -> list[str]:
    """Return the files that cannot be parsed in `tree`."""
    return [path for path in paths if _parses(trees, tree, path) is False]


def _outside(trees: Trees, tree: str, folder: str) -> str:
    """Return `folder` or the innermost folder above it that is not a package."""
    while folder and trees.entry(tree, f"{folder}/__init__.py"):
        folder = posixpath.dirname(folder)
    return folder


def _only_defines(trees: Trees, tree: str, path: str) -> bool:
    read = parse(trees.read(tree, path).decode("utf-8", "replace"))
    if read is None:
        return True  # a file that cannot be parsed runs no code on import
    return not any(
        isinstance(node, ast.For | ast.While | ast.With)
        or (isinstance(node, ast.Expr) and not isinstance(node.value, ast.Constant))
        for node in read.body
    )


def _parses(trees: Trees, tree: str, path: str) -> bool | None:
    """Whether the file parses; None if it is missing, too large, Python, or in a language without a grammar."""
    from tree_sitter import Language, Parser

    from aci.graph.parser import languages_by_file_name, load_language

    languages: Mapping[str, str] = languages_by_file_name()
    name = posixpath.basename(path)
    language = languages.get(name) or languages.get(posixpath.splitext(name)[1].lower())
    entry = trees.entry(tree, path)
    if not language or language == "python" or entry is None or not entry[0].startswith("100"):
        return None
    data = trees.read(tree, path)
    if len(data) > LARGEST:
        return None
    return not Parser(Language(load_language(language).grammar())).parse(data).root_node.has_error
