"""Tests that a patch adds to an existing test file, or changes in it."""

from __future__ import annotations

import ast
import posixpath
import re
from collections.abc import Iterator, Sequence
from copy import deepcopy

from aci.repository.python_source import parse
from aci.repository.test_files import is_test, is_test_config
from trajectories.git_store.trees import Trees

Body = Sequence[ast.stmt]
Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
HOOK = re.compile(r"(?i)set_?up.*|tear_?down.*|load_tests|run|debug|pytest_.*|__\w+__")
"""Functions that a test runner calls for other tests too."""
OTHER_LANGUAGES = (
    *(".js", ".cjs", ".mjs", ".jsx", ".ts", ".cts", ".mts", ".tsx", ".go", ".rs", ".java", ".kt", ".groovy", ".scala"),
    *(".rb", ".php", ".c", ".cc", ".cpp", ".cs"),
)
"""Suffixes of test files in other languages than Python. Their tests are not told apart, and run at their place."""
COPY = "_added_by_patch"
COLLECTED = re.compile(r"(?i)(?:.*/)?(?:test[^/]*|[^/]*tests?)\.py")
"""Paths of Python files in which test runners look for tests; others, such as `tests/__init__.py`, support tests."""


def extended_test_files(trees: Trees, base: str, tree: str) -> dict[str, tuple[str, ...]]:
    """Return the existing test files to which the patch from `base` to `tree` only adds tests, with these tests; in
    other languages than Python, files to which it only adds lines, with "" for the whole file."""
    found = {}
    for change in trees.changed(base, tree):
        path = change.path
        if (
            change.status == "M"
            and path.endswith((".py", *OTHER_LANGUAGES))
            and is_test(path)
            and not is_test_config(path)
        ):
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


def edited_test_files(trees: Trees, base: str, tree: str) -> dict[str, tuple[str, ...]]:
    """Return the existing test files to which the patch from `base` to `tree` does more than add tests, with the tests
    that it adds or may affect; in other languages than Python with "" for the whole file."""
    extended = extended_test_files(trees, base, tree)
    found: dict[str, tuple[str, ...]] = {}
    for change in trees.changed(base, tree):
        path = change.path
        is_edited = change.status == "M" and path not in extended and is_test(path) and not is_test_config(path)
        if is_edited and path.endswith(OTHER_LANGUAGES):
            found[path] = ("",)
        elif is_edited and COLLECTED.fullmatch(path):
            before, after = (trees.read(version, path).decode("utf-8", "replace") for version in (base, tree))
            found[path] = affected_tests(before, after)
    return {path: names for path, names in found.items() if names}


def affected_tests(before: str, after: str) -> tuple[str, ...]:
    """Return the test functions in `after` that are new or changed; all of them if the patch changes something else in
    the file, apart from imports."""
    old, new = parse(before), parse(after)
    if old is None or new is None:
        return ()
    known, tests = dict(_tests(old.body)), dict(_tests(new.body))
    if _without_tests(old) != _without_tests(new):
        return tuple(tests)
    return tuple(name for name, dumped in tests.items() if known.get(name) != dumped)


def only_adds_lines(before: str, after: str) -> bool:
    """Whether all lines of `before` are in `after`, in the same order."""
    lines = iter(after.splitlines())
    return all(line in lines for line in before.splitlines())


def copy_path(path: str) -> str:
    """Return the path at which the new tests of a file run: that of a copy, or of the file itself if it is not
    Python's. In most languages a copy does not build, since it defines everything again."""
    if not path.endswith(".py"):
        return path
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
        if ast.dump(old) == ast.dump(new):
            return []
        return [new.name] if ast.dump(old) == ast.dump(_without_new_parameters(old, new)) else None
    heads = [(one.bases, one.keywords, one.decorator_list) for one in (old, new)]
    if len({str([[ast.dump(node) for node in part] for part in head]) for head in heads}) > 1:
        return None
    found = _added(old.body, new.body)
    return None if found is None else [f"{new.name}::{name}" for name in found]


def _without_new_parameters(old: Definition, new: Definition) -> Definition:
    """Return a test function without the rows that the lists of its `parametrize` marks have in addition."""
    new = deepcopy(new)
    for before, after in zip(old.decorator_list, new.decorator_list, strict=False):
        known = {ast.dump(row) for row in _rows(before)}
        rows = _rows(after)
        rows[:] = [row for row in rows if ast.dump(row) in known]
    return new


def _rows(decorator: ast.expr) -> list[ast.expr]:
    is_call = isinstance(decorator, ast.Call) and ast.unparse(decorator.func).endswith("mark.parametrize")
    values = decorator.args[1] if is_call and len(decorator.args) > 1 else None  # type: ignore[attr-defined]
    return values.elts if isinstance(values, ast.List | ast.Tuple) else []


def _tests(body: Body) -> Iterator[tuple[str, str]]:
    """Yield the names of the test functions of a module, and their dumped syntax trees."""
    for node in body:
        if isinstance(node, ast.ClassDef):
            yield from ((f"{node.name}::{name}", dumped) for name, dumped in _tests(node.body))
        elif isinstance(node, Definition) and node.name.startswith("test"):
            yield node.name, ast.dump(node)


def _without_tests(module: ast.Module) -> str:
    """Return the dumped syntax tree of a module without its test functions and imports."""
    module = deepcopy(module)
    for node in ast.walk(module):
        if isinstance(node, ast.Module | ast.ClassDef):
            node.body = [
                each
                for each in _without_imports(node.body)
                if isinstance(each, ast.ClassDef) or not (isinstance(each, Definition) and each.name.startswith("test"))
            ]
    return ast.dump(module)


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
