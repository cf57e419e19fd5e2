"""Candidates by operators: the same for a seed, in functions that tests run, each with its changed lines."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import takewhile
from pathlib import Path
from random import Random

import pytest

from aci.repository.user_repository import Repository
from aci.runtime.workspace import WorkspaceOptions
from extensions.lab.synthesis.candidate import Candidate
from extensions.lab.synthesis.kinds import mutate, plant
from extensions.lab.synthesis.source_repository import SourceRepository, open_source
from extensions.lab.synthesis.synthesis_job import draw_candidates
from extensions.lab.synthesis.test_coverage import build_coverage
from tests.conftest import MakeRepo, git
from trajectories.git_store.trees import Trees

SOURCE = """\
def part(items, start, end=3):
    if start < 0:
        raise ValueError("start")
    rest = items[start:end]
    count = len(rest)
    return rest[:count]


def tail(items, count):
    return part(items, len(items) - count, 10)
"""
FILES = {"lib/core.py": SOURCE, "lib/broken.py": "def f(:\n", "tests/test_core.py": SOURCE, "note.txt": "x"}


@pytest.fixture
def source(make_repo: MakeRepo, tmp_path: Path) -> Iterator[Callable[..., SourceRepository]]:
    """`source(lines)` opens the sample; `lines` are those of lib/core.py that its one test runs, None if unknown."""
    repo = make_repo(FILES)
    git(repo, "remote", "add", "origin", "git@github.com:ada/lib.git")
    with Trees(tmp_path / "trees.git") as trees:

        def make(lines: Mapping[str, list[int]] | None = None) -> SourceRepository:
            repository = Repository.open(repo)
            answer = {"test": "tests/test_core.py::test_part", "outcome": "passed", "lines": lines}
            options = WorkspaceOptions(repository, repository.base(trees, "HEAD"), trees)
            return open_source(options, build_coverage([answer]) if lines else None)

        yield make


def drawn(source: SourceRepository, kind: str = "plant", seed: int = 0) -> list[Candidate]:
    return list(takewhile(bool, draw_candidates(source, [kind], seed)))


def test_source_leaves_out_tests_and_names_its_origin(source) -> None:
    opened = source()
    assert opened.name == "ada/lib"
    assert [one.path for one in opened.python_sources] == ["lib/core.py"]
    assert opened.own_calls["lib/core.py"] == {(10, "part")}


def test_seed_decides_candidates(source) -> None:
    first, same, other = (drawn(source(), seed=seed) for seed in (1, 1, 2))
    assert [one.digest for one in first] == [one.digest for one in same]
    assert [one.digest for one in first] != [one.digest for one in other]
    operators = {one.operator for one in first}
    assert {"dropped_guard", "changed_default", "wrong_exception", "swapped_arguments", "several_changes"} <= operators
    assert operators <= plant.OPERATORS.keys()


def test_candidates_name_what_they_change(source) -> None:
    swapped = [one for one in drawn(source()) if one.operator == "swapped_arguments"]
    assert {(one.symbols, *one.lines.items()) for one in swapped} == {
        (("lib/core.py:tail",), ("lib/core.py", frozenset({10})))
    }
    (default,) = {one.lines["lib/core.py"] for one in drawn(source()) if one.operator == "changed_default"}
    assert default == set(range(1, 7))  # the header concerns the whole function


def test_lines_that_no_test_runs_are_left_alone(source) -> None:
    covered = source({"lib/core.py": [2, 4, 5, 6], "tests/test_core.py": [1]})
    found = drawn(covered)
    assert found
    assert {symbol for one in found for symbol in one.symbols} == {"lib/core.py:part"}
    assert all(covered.nearest_tests(one) == {"tests/test_core.py::test_part"} for one in found)


def test_simple_mutants_change_one_place(source) -> None:
    found = list(mutate.generate(source(), Random(3)))
    assert {one.kind for one in found} == {"mutate"}
    assert len(found) > 1


GUARD = "function total(items) {\n  if (!items) {\n    return 0;\n  }\n  return items.length;\n}\n"


def test_other_languages_are_planted_where_the_tests_are_not_in_python(make_repo: MakeRepo, tmp_path: Path) -> None:
    files = {"lib/core.js": GUARD, "lib/bad.js": "function (", "test/core.js": GUARD, "node_modules/a/core.js": GUARD}
    repository = Repository.open(make_repo(files))
    with Trees(tmp_path / "trees.git") as trees:
        options = WorkspaceOptions(repository, repository.base(trees, "HEAD"), trees)
        found = drawn(open_source(options, None))
        answer = {"test": "tests/test_core.py::test_part", "outcome": "passed", "lines": {"lib/core.py": [1]}}
        assert drawn(open_source(options, build_coverage([answer]))) == []
    assert {(*one.files, one.symbols, one.lines) for one in found} == {
        ("lib/core.js", ("lib/core.js:total",), None),
    }
    assert [one.operator for one in found] == ["dropped_guard", "negated_condition"]
    assert found[0].files["lib/core.js"] == b"function total(items) {\n  return items.length;\n}\n"
