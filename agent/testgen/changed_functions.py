"""The functions that differ between the working tree and where its branch left another one."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from urllib.parse import quote, unquote

from aci.patch import is_test
from aci.repository import Repository
from aci.target import functions
from trajectories.errors import UsageError

ODD = "%,:"
"""What a path is not written with in a run's settings, beside blanks."""


def changed_functions(source: Repository, rev: str) -> list[tuple[str, str]]:
    """(path, dotted name) of functions outside of tests that are new, or not the same, since the merge base with `rev`;
    comments and layout do not count. What cannot be parsed is passed over. Raises UsageError for an unknown `rev`."""
    base = source.commit(rev)
    said = source._git("merge-base", "HEAD", base, ok=(0, 1)).decode().strip()
    if not said:
        raise UsageError(f"HEAD and {rev} have no commit in common.", "Compare with another one: --base REV.")
    found = []
    with source.blobs(said) as before, source.blobs() as after:
        old = {file.path: file.id for file in before.files()}
        new = [file for file in after.files() if _is_source(file.path) and old.get(file.path) != file.id]
        past = before.read([old[file.path] for file in new if file.path in old])
        for file, now in zip(new, after.read([file.id for file in new]), strict=True):
            known = _functions(next(past)) if file.path in old else {}
            found += [(file.path, name) for name, said in _functions(now).items() if known.get(name) != said]
    return found


def _is_source(path: str) -> bool:
    return path.endswith(".py") and not is_test(path)


def _functions(data: bytes | None) -> dict[str, str]:
    """What each function of a file says, by its dotted name."""
    try:
        return {name: ast.dump(node) for name, node in functions(ast.parse(data or b""))}
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return {}


def as_text(targets: Iterable[tuple[str, str]]) -> str:
    """(path, dotted name) of functions, "" for all of a file, as a run's settings hold them: `targets_of` reads it."""
    found = []
    for path, name in targets:
        plain = "".join(quote(one) if one in ODD or one.isspace() else one for one in path)
        found.append(f"{plain}:{name}" if name else plain)
    return ",".join(found)


def targets_of(text: str) -> dict[str, list[str]]:
    """The dotted names by path; a path without names is the whole file."""
    found: dict[str, list[str]] = {}
    for one in filter(None, (part.strip() for part in text.split(","))):
        path, _, name = one.partition(":")
        found.setdefault(unquote(path), []).extend([name] if name else [])
    return found
