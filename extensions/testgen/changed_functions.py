"""The functions that differ between the working tree and the merge base with another branch."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from urllib.parse import quote, unquote

from aci.repository.proposed_patch import branch_start
from aci.repository.test_files import is_test
from aci.repository.user_repository import Repository
from aci.runtime.target_function import iter_functions
from trajectories.errors import UsageError

ODD = "%,:"
"""Characters that are quoted in the paths of a run's settings, in addition to white space."""


def changed_functions(source: Repository, rev: str = "") -> list[tuple[str, str]]:
    """Return (path, dotted name) of each non-test function that is new or has changed since the merge base with `rev`.

    Without `rev` it is HEAD, or if nothing differs from HEAD, the commit at which the branch left the main branch.
    Changes of comments and layout do not count. Files that cannot be parsed are skipped. Raises UsageError for an
    unknown `rev`.
    """
    if rev:
        return _changed_since(source, rev)
    start = branch_start(source)
    return _changed_since(source, "HEAD") or (_changed_since(source, start) if start else [])


def _changed_since(source: Repository, rev: str) -> list[tuple[str, str]]:
    base = source.commit(rev)
    merge_base = source._git("merge-base", "HEAD", base, ok=(0, 1)).decode().strip()
    if not merge_base:
        raise UsageError(f"HEAD and {rev} have no commit in common.", "Compare with another one: --base REV.")
    found = []
    with source.blobs(merge_base) as before, source.blobs() as after:
        old = {file.path: file.id for file in before.files()}
        new = [file for file in after.files() if _is_source(file.path) and old.get(file.path) != file.id]
        past = before.read([old[file.path] for file in new if file.path in old])
        for file, now in zip(new, after.read([file.id for file in new]), strict=True):
            known = _functions(next(past)) if file.path in old else {}
            found += [(file.path, name) for name, code in _functions(now).items() if known.get(name) != code]
    return found


def _is_source(path: str) -> bool:
    return path.endswith(".py") and not is_test(path)


def _functions(data: bytes | None) -> dict[str, str]:
    """Return an AST dump of each function in a file, by dotted name."""
    try:
        return {name: ast.dump(node) for name, node in iter_functions(ast.parse(data or b""))}
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return {}


def format_targets(targets: Iterable[tuple[str, str]]) -> str:
    """Format (path, dotted name) pairs of functions for a run's settings; an empty name stands for the whole file. See
    `parse_targets`."""
    found = []
    for path, name in targets:
        plain = "".join(quote(one) if one in ODD or one.isspace() else one for one in path)
        found.append(f"{plain}:{name}" if name else plain)
    return ",".join(found)


def parse_targets(text: str) -> dict[str, list[str]]:
    """Parse the result of `format_targets` and return dotted names by path. A path without names means the whole
    file."""
    found: dict[str, list[str]] = {}
    for one in filter(None, (part.strip() for part in text.split(","))):
        path, _, name = one.partition(":")
        found.setdefault(unquote(path), []).extend([name] if name else [])
    return found
