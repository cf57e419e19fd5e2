"""The repository that tasks are made from, at one commit, with what its tests do."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from aci.graph.code_graph import Graph, query_graph
from aci.graph.file_selection import exclusion_reason, language_of
from aci.graph.outline import CALL, Location
from aci.history.git_log import GitLog
from aci.history.repository_identity import url_of
from aci.repository.file_blobs import TreeBlobs
from aci.repository.test_files import belongs_to_tests
from aci.repository.user_repository import Repository
from aci.runtime.workspace import WorkspaceOptions
from extensions.experiment.source.source_file import Source
from extensions.experiment.source.syntax_trees import UNREADABLE
from extensions.lab.synthesis.test_coverage import TestCoverage
from trajectories.git_store.trees import Trees

if TYPE_CHECKING:
    from extensions.lab.synthesis.candidate import Candidate

MOST_BYTES = 400_000
UNUSUAL = re.compile(r"[^\w.+-]|\.(?=\.|$)", re.ASCII)
"""What an instance's id cannot have, which is also the name of a branch."""
LATEST = 4_102_444_799
"""The last second of 2099: git refuses dates of commits before 1970 and after it."""


@dataclass(frozen=True)
class SourceRepository:
    """A tree to make tasks from.

    `name` is `owner/name`, `version` the number of the last release, `created_at` the date of `commit`, whose files are
    those of `tree`. `coverage` is None if it is unknown.
    """

    name: str
    repository: Repository
    commit: str
    version: str
    created_at: str
    trees: Trees
    tree: str
    coverage: TestCoverage | None = None
    ask: Callable[[str, str, str], str] | None = None
    """Asks a model: the name of the question, the system prompt and the text; None without a model."""
    instances: list[dict[str, Any]] = field(default_factory=list)
    """The rows of the instances so far."""

    def __str__(self) -> str:
        return f"{self.name} at {self.commit[:10]}"

    @cached_property
    def python_sources(self) -> Sequence[Source]:
        """The Python files that are not part of the tests, without those that cannot be parsed."""
        found = []
        for path, data in self.files_in("python").items():
            if path.endswith(".py"):
                with suppress(*UNREADABLE):
                    found.append(Source(path, data))
        return found

    @cached_property
    def own_calls(self) -> Mapping[str, frozenset[tuple[int, str]]]:
        """The calls of functions that the repository defines: by path, the line and the name of the function."""
        return query_graph(TreeBlobs(self.trees, self.tree), None, _find_calls)

    def files_in(self, *languages: str) -> Mapping[str, bytes]:
        """Return the files in these languages by path, without tests and what is vendored or generated."""
        return {
            path: self.trees.read(self.tree, path)
            for path, entry in self.trees.files(self.tree).items()
            if language_of(path) in languages
            and not exclusion_reason(path, entry.mode)
            and entry.size <= MOST_BYTES
            and not belongs_to_tests(path)
        }

    def is_run(self, path: str, lines: Iterable[int]) -> bool:
        """Return whether a test may run any of the lines."""
        return self.coverage is None or bool(self.coverage.of_lines(path, lines))

    def nearest_tests(self, candidate: Candidate) -> frozenset[str] | None:
        """Return the tests that run the changed lines; None if they are unknown."""
        if self.coverage is None or candidate.lines is None:
            return None
        return frozenset().union(*(self.coverage.of_lines(path, lines) for path, lines in candidate.lines.items()))


def open_source(place: WorkspaceOptions, coverage: TestCoverage | None) -> SourceRepository:
    """Return the source that a workspace with these options starts from."""
    repository, base = place.repository, place.base
    seconds = min(max(GitLog(repository.git_dir).time(base.commit) or 0, 0), LATEST)
    return SourceRepository(
        name=_full_name(repository),
        repository=repository,
        commit=base.commit,
        version=repository.release(base.commit),
        created_at=f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}",
        trees=place.trees,
        tree=base.tree,
        coverage=coverage,
    )


def _full_name(repository: Repository) -> str:
    """Return owner/name by the URL of the origin, or `local` as the owner."""
    parts = url_of(repository).split("/")
    owner, name = parts[-2:] if len(parts) > 2 else ("local", repository.name)
    return f"{UNUSUAL.sub('-', owner).lstrip('.+-') or 'local'}/{UNUSUAL.sub('-', name)}"


def _find_calls(graph: Graph) -> Mapping[str, frozenset[tuple[int, str]]]:
    found: dict[str, set[tuple[int, str]]] = defaultdict(set)
    for path in graph.paths:
        for number in range(len(graph.outline(path).symbols)):
            for link in graph.callees(Location(path, number)):
                target = graph.symbol(link.place)
                if link.kind == CALL and target and link.weight == 1:
                    found[path].add((link.line, target.bare))
    return {path: frozenset(calls) for path, calls in found.items()}
