"""Files and functions of a patch that Python or pytest loads by itself, before any test is run."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence

from aci.proof.evidence import imported_names, is_one_of_modules, shadowing_modules
from aci.proof.proof_run import PatchParts, format_names, read_text
from aci.repository.python_source import parse
from trajectories.git_store.trees import Trees

LINK = "120000"
STARTUP = re.compile(
    r"(?:.*/)?(?:(?:site|user)customize(?:/.+)?(?:\.[^/]*)?\.(?:py[cdow]?|so)|[^/]+\.pth)",
)
STARTUP_FOLDER = re.compile(r"(?:.*/)?(?:site|user)customize")
METADATA = re.compile(r"(?:.*/)?(?:[^/]+\.(?:dist|egg)-info|EGG-INFO)(/entry_points\.txt)?", re.IGNORECASE)
PLUGINS = "pytest11"
HOOK = re.compile(r"^(?:(?:async +)?def +)?(pytest_\w+)", re.MULTILINE)


def find_startup_code(
    trees: Trees, base: str, tree: str, parts: PatchParts, folders: Sequence[str] = ("",)
) -> Iterator[str]:
    """Yield for each kind of startup code in a patch the reason why no result can be trusted; the tests are started in
    `folders`."""
    if startup := [path for path in parts.source if _is_startup_file(trees, tree, path)]:
        yield f"Python runs {format_names(startup)} at every start, so no result can be trusted."
    if shadowing := shadowing_modules(parts.added, trees.files(base), folders) if parts.added else []:
        yield (
            f"{format_names(shadowing)} would be imported instead of a module of Python or of the test runner, so no "
            "result can be trusted."
        )
    if metadata := [path for path in (*parts.source, *parts.tests) if _adds_plugin(trees, base, tree, path)]:
        yield f"pytest would load a plug-in because of {format_names(metadata)}, so no result can be trusted."
    for path, hooks in _exposed_hooks(trees, base, tree, parts.source):
        yield f"A conftest.py imports {path}, which now defines {format_names(hooks)}, so no result can be trusted."


def _is_startup_file(trees: Trees, tree: str, path: str) -> bool:
    return bool(STARTUP.fullmatch(path) or (STARTUP_FOLDER.fullmatch(path) and _is_link(trees, tree, path)))


def _is_link(trees: Trees, tree: str, path: str) -> bool:
    entry = trees.entry(tree, path)
    return entry is not None and entry[0] == LINK


def _adds_plugin(trees: Trees, base: str, tree: str, path: str) -> bool:
    """Whether a patch makes a file declare a plug-in of pytest, or makes the metadata of a package a link."""
    match = METADATA.fullmatch(path)
    if match is None or trees.entry(tree, path) is None:
        return False
    new = _plugins(read_text(trees, tree, path)) - _plugins(read_text(trees, base, path))
    return _is_link(trees, tree, path) or (bool(match[1]) and bool(new))


def _plugins(text: str) -> set[str]:
    """Return the lines of the section for plug-ins of pytest in the text of an `entry_points.txt`."""
    section, found = "", set()
    for line in map(str.strip, text.splitlines()):
        if line.startswith("["):
            section = line.strip("[]")
        elif section == PLUGINS and line:
            found.add(line)
    return found


def _exposed_hooks(trees: Trees, base: str, tree: str, paths: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    """Yield each module that a conftest.py of the base imports or names as a plug-in, and that defines hooks of pytest
    only with the patch, with these hooks."""
    hooks = {path: _hooks(read_text(trees, tree, path)) for path in paths if path.endswith(".py")}
    found = {path: names for path, names in hooks.items() if names and not _hooks(read_text(trees, base, path))}
    if not found:
        return
    modules: set[str] = set()
    for path in trees.files(base):
        if path.rpartition("/")[2] == "conftest.py":
            text = read_text(trees, base, path)
            modules |= imported_names(text)
            modules |= set(re.findall(r"[\"']([\w.]+)[\"']", text)) if "pytest_plugins" in text else set()
    yield from ((path, names) for path, names in found.items() if is_one_of_modules(path, modules))


def _hooks(text: str) -> list[str]:
    """Return the names of a module's functions and variables that pytest takes for hooks."""
    if "pytest_" not in text:
        return []
    tree = parse(text)
    names = HOOK.findall(text) if tree is None else list(_module_names(tree.body))
    return sorted({name for name in names if name.startswith("pytest_")})


def _module_names(body: Sequence[ast.stmt]) -> Iterator[str]:
    """Yield the names that the statements of a module bind, those in blocks such as `if` and `try` included."""
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
            continue
        if isinstance(node, ast.ImportFrom | ast.Import):
            yield from (each.asname or each.name for each in node.names)
        if isinstance(node, ast.Assign):
            yield from (target.id for target in node.targets if isinstance(target, ast.Name))
        blocks = [getattr(node, name, ()) for name in ("body", "orelse", "finalbody")]
        blocks += [each.body for each in (*getattr(node, "handlers", ()), *getattr(node, "cases", ()))]
        for block in blocks:
            yield from _module_names(block)
