"""Tests of nodes, the paths and names to which test runs are limited."""

import pytest

from aci.testing.node_paths import LONGEST_PATH, folders_above, nodes_inside
from aci.testing.suite_command import detect_command, project_of
from aci.testing.suite_run import run_tests
from trajectories.errors import UsageError

OUTSIDE = [
    "/etc/hosts",
    "/",
    "//etc/hosts",
    "/repository/calc/test_a.py",
    "../test_a.py::test_it",
    "tests/../../x",
    "..",
]
NAMES = ["", ".", "..a", "test_a.py", "a/../test_a.py", "test_a.py::test_it[../../x]", "a.test.js > loads ../../../x"]


@pytest.mark.parametrize("path", ["/etc/hosts", "//etc/hosts", "/", "../a/b", "a//b", "./a", "a/b.py", ""])
def test_walk_over_folders_ends_for_each_path(path):
    assert path not in list(folders_above(path))
    assert project_of([path], frozenset(), str) == ""


def test_folders_are_innermost_first():
    assert list(folders_above("a/b/c.py")) == ["a/b", "a", ""]
    assert list(folders_above("/etc/hosts")) == ["/etc", "/"]


@pytest.mark.parametrize("node", [*OUTSIDE, "a/" * LONGEST_PATH])
def test_path_outside_the_repository_is_refused(open_ws, make_repo, node):
    workspace = open_ws("local", make_repo({"test_a.py": "def test_it(): pass\n"}))
    for run in (lambda: detect_command(workspace, nodes=[node]), lambda: run_tests(workspace, "true", [node])):
        with pytest.raises(UsageError, match=r"^The test .* is not in the repository\.$") as caught:
            run()
        assert len(caught.value.message) < 300
        assert "relative to the repository's root" in caught.value.fix


@pytest.mark.parametrize("node", NAMES)
def test_paths_and_names_in_the_repository_stay_as_they_are(node):
    assert nodes_inside([node], "/repository") == (node,)


def test_absolute_path_in_the_repository_becomes_relative():
    nodes = ["/repository/a/test_b.py::T::test[/x]", "/repository"]
    assert nodes_inside(nodes, "/repository") == ("a/test_b.py::T::test[/x]", ".")
