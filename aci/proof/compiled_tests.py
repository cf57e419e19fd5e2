"""Tests in compiled languages: the names that a test which does not build misses, and tests in the same file as the
code that they test, which are the items that Rust compiles under `#[cfg(test)]`.

The extension `languages` finds both. Without it, patches of such code have a doubt.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aci.proof.evidence import prose
from aci.proof.failure_reason import is_mentioned
from trajectories.plugins import installed_module

if TYPE_CHECKING:
    from aci.testing.suite_run import TestResult
    from trajectories.git_store.trees import Trees

KIND = "aci.proof.compiled_tests"
HAS_TESTS = re.compile(rb"#!?\[\s*(?:cfg\s*\(.*\btest\b|(?:\w+\s*::\s*)*test\b)", re.DOTALL)
"""Matches a file with tests beside code, and some others."""
TRAIT_WORD = re.compile(r"\b(?:impl|deriv|trait)\w*", re.IGNORECASE)
INLINE = ".rs"
"""Suffix of the files that may hold tests beside code."""


@dataclass(frozen=True, slots=True)
class MissingNames:
    """The `names` that are missing if this is all that keeps a test file from being built. `implied` are methods and
    `traits` are traits that may be missing with them, and `callers` the functions that need such a trait."""

    names: frozenset[str]
    implied: frozenset[str] = frozenset()
    callers: frozenset[str] = frozenset()
    traits: frozenset[str] = frozenset()

    def unasked(self, issue: str, is_added: Callable[[str], bool] = lambda name: True) -> frozenset[str]:
        """Return the `names` that the issue does not ask for or the patch does not add; all names if it is so for all,
        and no function that needs an added trait is in the issue."""
        all_names = self.names | self.implied | self.traits
        written = {name for name in self.names | self.implied if is_mentioned(issue, name)}
        written |= {name for name in self.traits if _is_named_trait(issue, name)}
        asked = frozenset(filter(is_added, written))
        is_called = any(is_mentioned(issue, name) for name in self.callers)
        is_needed = is_called and any(map(is_added, self.implied | self.traits))
        return self.names - asked if asked or is_needed else all_names


def _is_named_trait(issue: str, name: str) -> bool:
    """Whether an issue names a trait. A name that is also a word, such as `Add` or `From`, counts in code, and after
    "implement", "derive" or "trait" in its line."""
    word = re.compile(rf"(?<!\w){name}(?!\w)")
    is_in_code = len(word.findall(issue)) > len(word.findall(prose(issue)))
    is_compound = re.search(r"[a-z][A-Z]", name) is not None and is_mentioned(issue, name)
    words = ((line, TRAIT_WORD.search(line)) for line in issue.split("\n") if name in line)
    return is_in_code or is_compound or any(before and word.search(line, before.end()) for line, before in words)


@dataclass(frozen=True, slots=True)
class InlineTests:
    """The two parts of a change to a file with tests: `with_tests` is the base's code with the tests of the patch, and
    `with_code` the code of the patch with the base's tests. `counts` tells whether the tests of the patch may reproduce
    the issue, as they may if only lines were added to them, and `changes_code` whether the rest differs."""

    with_tests: bytes
    with_code: bytes
    counts: bool
    changes_code: bool


def missing_names(result: TestResult) -> MissingNames | None:
    """Return the missing names of a test file that was not built; None if it was built, or if there is another
    error."""
    module = installed_module(KIND)
    found: MissingNames | None = module.missing_names(result) if module else None
    return found


def is_build_error(message: str) -> bool:
    """Whether a message is that of a compiler. A module that is not found is no such message: code that runs says it
    too, such as of an optional module."""
    module = installed_module(KIND)
    return bool(module and module.is_build_error(message))


def with_base_tests(trees: Trees, base: str, tree: str) -> str:
    """Return the tree with the base's tests in the files of code to whose tests more than lines was added, and with its
    own documentation. Without the extension, a file with tests is as in the base."""
    kept: dict[str, bytes] = {}
    is_installed = installed_module(KIND) is not None
    for change in trees.changed(base, tree):
        if change.path.endswith(INLINE) and change.status == "M":
            before = trees.read(base, change.path)
            found = split_inline_tests(change.path, before, trees.read(tree, change.path), has_docs=False)
            kept |= {change.path: found.with_code} if found and not found.counts else {}
            kept |= {change.path: before} if not is_installed and HAS_TESTS.search(before) else {}
    return trees.write(kept, tree) if kept else tree


def split_inline_tests(path: str, before: bytes, after: bytes, has_docs: bool = True) -> InlineTests | None:
    """Return the parts of a change; None if the tests are the same, or a version cannot be read. Examples in the
    documentation are tests if it `has_docs`, otherwise they are code."""
    module = installed_module(KIND) if path.endswith(INLINE) else None
    found: InlineTests | None = module.split_inline_tests(before, after, has_docs) if module else None
    return found


def inline_regions(path: str, text: bytes) -> list[tuple[int, int]]:
    """Return the start and end of each item of a file that is compiled for tests only, with its attributes; empty if
    the text cannot be read."""
    module = installed_module(KIND) if path.endswith(INLINE) else None
    return list(module.test_regions(text) or ()) if module else []
