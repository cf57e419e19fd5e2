"""New tests in an existing test file, if the rest of the file is unchanged."""

from __future__ import annotations

import ast
import posixpath
import re
from collections.abc import Sequence

from aci.repository.patch import is_test, is_test_config
from aci.repository.python_source import parse
from trajectories.git_store.trees import Trees

Body = Sequence[ast.stmt]
Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
HOOK = re.compile(r"(?i)set_?up.*|tear_?down.*|load_tests|run|debug|pytest_.*|__\w+__")
"""Functions that a test runner calls for other tests too."""
SCRIPTS = (".js", ".cjs", ".mjs", ".jsx", ".ts", ".cts", ".mts", ".tsx")
COPY = "_added_by_patch"


def extended_test_files(trees: Trees, base: str, tree: str) -> dict[str, tuple[str, ...]]:
    """Return the existing test files to which the patch from `base` to `tree` only adds tests, with these tests; in
    JavaScript and TypeScript with "", which stands for the whole file."""
    found = {}
    for change in trees.changed(base, tree):
        path = change.path
        if change.status == "M" and path.endswith((".py", *SCRIPTS)) and is_test(path) and not is_test_config(path):
            before, after = (trees.read(version, path).decode("utf-8", "replace") for version in (base, tree))
            if path.endswith(".py"):
                found[path] = added_tests(before, after)
            else:
                found[path] = ("",) if only_adds_lines(before, after) else ()
    return {path: names for path, names in found.items() if names}


def added_tests(before: str, after: str) -> tuple[str, ...]:
    """Return the new test functions in `after`, such as `test_a` or `Class::test_b`.

    The result is empty if the patch also changes something else: apart from new functions and classes, and imports
    that bind at least the same names, both versions must be equal.
    """
    old, new = parse(before), parse(after)
    if old is None or new is None or not _imported(old.body) <= _imported(new.body):
        return ()
    found = _added(_without_imports(old.body), _without_imports(new.body))
    return tuple(name for name in found or () if name.rpartition("::")[2].startswith("test"))


def only_adds_lines(before: str, after: str) -> bool:
    """Whether all lines of `before` are in `after`, in the same order."""
    lines = iter(after.splitlines())
    return all(line in lines for line in before.splitlines())


def copy_path(path: str) -> str:
    """Return the path of the copy in which the new tests of a file run."""
    folder, name = posixpath.split(path)
    stem, dot, end = name.partition(".")
    return posixpath.join(folder, f"{stem}{COPY}{dot}{end}")


def _added(old: Body, new: Body) -> list[str] | None:
    """Return the names of the functions that `new` adds; None if it changes anything else."""
    known = {node.name: node for node in old if isinstance(node, Definition)}
    rest, found = [], []
    for node in new:
        if not isinstance(node, Definition):
            rest.append(ast.dump(node))
        elif node.name not in known:
            if HOOK.fullmatch(node.name) or any("autouse" in ast.dump(one) for one in node.decorator_list):
                return None
            inside = [one.name for one in node.body if isinstance(one, Definition)]
            is_class = isinstance(node, ast.ClassDef)
            found += [f"{node.name}::{name}" for name in inside] if is_class else [node.name]
        else:
            rest.append(node.name)
            within = _added_to(known[node.name], node)
            if within is None:
                return None
            found += within
    before = [node.name if isinstance(node, Definition) else ast.dump(node) for node in old]
    return found if rest == before else None


def _added_to(old: Definition, new: Definition) -> list[str] | None:
    if not isinstance(old, ast.ClassDef) or not isinstance(new, ast.ClassDef):
        return [] if ast.dump(old) == ast.dump(new) else None
    heads = [(one.bases, one.keywords, one.decorator_list) for one in (old, new)]
    if len({str([[ast.dump(node) for node in part] for part in head]) for head in heads}) > 1:
        return None
    found = _added(old.body, new.body)
    return None if found is None else [f"{new.name}::{name}" for name in found]


def _without_imports(body: Body) -> list[ast.stmt]:
    return [node for node in body if not isinstance(node, ast.Import | ast.ImportFrom)]


def _imported(body: Body) -> set[tuple[str, str]]:
    """Return (bound name, what it is bound to) for the imports of a module."""
    found = set()
    for node in body:
        if isinstance(node, ast.Import):
            found |= {(one.asname or one.name, one.name) for one in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {
                (one.asname or one.name, f"{'.' * node.level}{node.module or ''}.{one.name}") for one in node.names
            }
    return found
