"""Reasons why the proof of a patch would find no reproduction test, known before any test runs."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from functools import cache
from itertools import chain, count
from pathlib import PurePosixPath

from aci.proof.evidence import find_test_file
from aci.proof.proof_run import PatchParts, format_names, split_patch
from aci.proof.suite_selection import nearest_by_path
from aci.repository.python_source import definitions
from aci.repository.test_files import is_test, is_test_config
from trajectories.errors import UsageError
from trajectories.git_store.trees import Trees
from trajectories.records import Observation

MAY_CONTAIN_TESTS = re.compile(rb"\bdef test|\bclass \w*Test|\bTestCase\b|>>> ")
FAILED = re.compile(r"^(?:FAILED|ERROR) ([^\s\[]+::[^\s\[]+)|^(?:FAIL|ERROR): \w+ \(([\w.]+)\)", re.MULTILINE)
"""A failed test in the output of pytest or of unittest."""
UNCHANGED = "if no new test is needed, submit again without a change."


def explain_missing_test(trees: Trees, base: str, tree: str, command: str = "", subtree: str = "") -> str:
    """Return why no test in the patch from `base` to `tree` can reproduce the issue, and where to put one.

    Returns "" if the patch contains a test that the proof runs, or changes no source file. `command` is the test
    command, if it is known. A new test should be in `subtree`.
    """
    parts = split_patch(trees, base, tree, command)
    if not parts.source or parts.extended or any(_may_contain_tests(trees, tree, path) for path in parts.tests):
        return ""
    unnamed = [path for path in parts.added if _defines_tests(trees, tree, path)]
    in_config = [path for path in parts.kept_out if path.endswith("conftest.py") and _defines_tests(trees, tree, path)]
    edited = [path for path in parts.kept_out if is_test(path) and not is_test_config(path) and trees.entry(tree, path)]
    action = "Move them into" if unnamed or in_config else "Put a test that fails without the patch into"
    if unnamed:
        why = f"the proof recognises test files by their names and does not run the tests in {format_names(unnamed)}"
    elif in_config:
        why = f"the tests in {format_names(in_config)} are never run"
    elif edited:
        why = f"the proof runs existing tests as in the base, so the changes to {format_names(edited)} do not count"
    else:
        why = f"the patch changes {format_names(parts.source)} and adds no test, so nothing shows that it works"
    return f"{why}. {action} {_place_of_new_test(trees, base, tree, parts, subtree)}, and submit again; {UNCHANGED}"


def _may_contain_tests(trees: Trees, tree: str, path: str) -> bool:
    """Whether a new file of the tests may be a test; only Python files are read."""
    return not path.endswith(".py") or bool(MAY_CONTAIN_TESTS.search(_data(trees, tree, path)))


def _defines_tests(trees: Trees, tree: str, path: str) -> bool:
    """Whether a Python module has test functions, in classes or outside."""
    found = definitions(_data(trees, tree, path).decode("utf-8", "replace")) if path.endswith(".py") else ()
    return any(one.kind == "def" and one.name.rpartition(".")[2].startswith("test_") for one in found)


def _data(trees: Trees, tree: str, path: str) -> bytes:
    """Return the content of a file; nothing if it cannot be read, as a submodule, or if the patch deletes it."""
    try:
        return trees.read(tree, path)
    except (OSError, UsageError):
        return b""


def _place_of_new_test(trees: Trees, base: str, tree: str, parts: PatchParts, subtree: str) -> str:
    """Return a phrase for the file in which the proof would find a new test."""
    modules = sorted((path for path in parts.source if path.endswith(".py")), key=lambda path: path in parts.added)
    if not modules:
        ends = {PurePosixPath(path).suffix for path in parts.source}
        tests = (path for path in trees.files(base) if is_test(path) and not is_test_config(path))
        files = (path for path in tests if PurePosixPath(path).suffix in ends)
        near = next((path for path in files if _is_under(path, subtree)), "")
        return f"a new file beside {near}, named like it" if near else "a new test file"
    module = PurePosixPath(modules[0])
    stem = (module.parent.name if module.stem == "__init__" else module.stem).strip("_")
    near = nearest_by_path(trees, base, modules, subtree)
    folder = f"{PurePosixPath(near).parent}/".removeprefix("./") if near else f"{subtree}/" * bool(subtree)
    names = chain([f"{folder}test_{stem}_issue.py"], (f"{folder}test_{stem}_issue_{n}.py" for n in count(2)))
    return f"a new file such as {next(name for name in names if trees.entry(tree, name) is None)}"


def _is_under(path: str, folder: str) -> bool:
    return not folder or path.startswith(f"{folder}/")


def find_base_failures(trees: Trees, base: str, tree: str, seen: Iterable[tuple[str, Observation]]) -> set[str]:
    """Return the tests of the base that were seen failing without the patch, and not with it: each may be the
    reproduction test of the patch from `base` to `tree`.

    `seen` are observations, each with the tree that it belongs to.
    """
    source = [change.path for change in trees.changed(base, tree) if not is_test(change.path)]
    tests = dict.fromkeys(path for path in trees.files(base) if is_test(path))

    @cache
    def is_as_in_base(at: str, *paths: str) -> bool:
        return all(trees.entry(at, path) == trees.entry(base, path) for path in paths)

    before: set[str] = set()
    after: set[str] = set()
    for at, observation in seen:
        if at == tree:
            after |= _failures(observation, tests).keys()
        elif is_as_in_base(at, *source):
            failures = _failures(observation, tests)
            before |= {id for id, path in failures.items() if path in tests and is_as_in_base(at, path)}
    return before - after


def _failures(observation: Observation, tests: Collection[str]) -> dict[str, str]:
    """Return the failed tests that an observation reports, with their files."""
    if "failures" in observation.data:
        return {str(failure["id"]).partition("[")[0]: failure["path"] for failure in observation.data["failures"]}
    found = {node or name for node, name in FAILED.findall(observation.text)}
    return {id: find_test_file(id, tests) for id in found}
