"""What earlier changes of a repository came with: an entry in its changelog, tests."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence

from aci.repository.test_files import is_test
from trajectories.facts import Fact

CHANGELOG = re.compile(
    r"(?i)(?:.*/)?(?:change(?:s|log)?|history|news|releases?|release[-_]notes|whats[-_]?new)(?:\.(?:md|rst|txt))?$"
    r"|(?:.*/)?(?:changelog|news|newsfragments|changes|whatsnew)(?:\.d|\.next)?/.+|\.changeset/.+"
)
SOURCE = re.compile(r".*\.(?:py|pyx|js|jsx|mjs|ts|tsx|go|rs|java|kt|rb|php|c|cc|cpp|h|hpp|cs)$")
LEAST_COMMITS, USUAL_SHARE = 15, 0.75
KINDS: dict[str, Callable[[str], bool]] = {
    "an entry in the changelog": lambda path: bool(CHANGELOG.match(path)) and not SOURCE.match(path),
    "a test": is_test,
}


def missing_companions(earlier: Iterable[Sequence[str]], changed: Sequence[str]) -> list[Fact]:
    """Return a fact for each kind of file that most earlier commits on source changed, and this change does not.

    `earlier` holds the changed paths of commits, `changed` those of the patch.
    """
    commits = [paths for paths in earlier if any(map(_is_source, paths))]
    if len(commits) < LEAST_COMMITS or not any(map(_is_source, changed)):
        return []
    facts = []
    for kind, belongs in KINDS.items():
        count = sum(any(map(belongs, paths)) for paths in commits)
        if count >= USUAL_SHARE * len(commits) and not any(map(belongs, changed)):
            text = f"{count} of the last {len(commits)} changes to source came with {kind}; this one does not."
            facts.append(Fact("companion", text, {"is_test": belongs is is_test}))
    return facts


def _is_source(path: str) -> bool:
    return bool(SOURCE.match(path)) and not is_test(path)
