"""Changes split by path into a source patch and a test patch."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from aci.repository.patch import split_patch
from aci.repository.test_files import is_test, is_test_config
from trajectories.git_store.git_commands import encode
from trajectories.git_store.trees import EMPTY_TREE, Trees


@pytest.fixture
def trees(tmp_path: Path) -> Iterator[Trees]:
    with Trees(tmp_path / "trees.git") as trees:
        yield trees


@pytest.mark.parametrize(
    "path",
    [
        "tests/data/x.py",
        "sympy/core/tests/test_a.py",
        "testing/python/x.py",
        "src/test/java/A.java",
        "test/a.js",
        "pkg/test/fixtures/F523.py",
        "lib/foo_test.go",
        "src/App.test.tsx",
        "src/a.spec.ts",
        "test-unflatten.js",
        "lib/test.mjs",
        "spec/a_spec.rb",
        "app/tests.py",
        "test_x.py",
        "pkg/x_test.py",
        "conftest.py",
        "a/__tests__/b.js",
        "a/__snapshots__/b.snap",
        "core/FooTest.java",
        "integration-tests/x.rs",
        "promql/testdata/f.test",
        "unittests/x.py",
    ],
)
def test_path_is_test(path: str) -> None:
    assert is_test(path)


@pytest.mark.parametrize(
    "path",
    [
        "django/test/client.py",
        "sympy/testing/runtests.py",
        "src/flask/testing.py",
        "django/core/management/commands/test.py",
        "contest/x.py",
        "latest/a.c",
        "a/greatest.go",
        "src/Latest.java",
        "src/main/java/query/spec/SegmentSpec.java",
        "setup.py",
        "attest.py",
    ],
)
def test_path_is_source(path: str) -> None:
    assert not is_test(path)


def test_test_configuration_files_are_recognised() -> None:
    for path in (
        "conftest.py",
        "a/conftest.py",
        "pytest.ini",
        "tox.ini",
        "setup.cfg",
        "pyproject.toml",
        "jest.config.ts",
        ".cargo/config.toml",
    ):
        assert is_test_config(path), path
    for path in ("setup.py", "config.py", "my_setup.cfg", "pytest.ini.bak"):
        assert not is_test_config(path), path


def test_source_and_test_patches_together_give_whole_change(trees: Trees, tmp_path: Path) -> None:
    old = trees.write(
        {
            "pkg/a.py": b"a = 1\n",
            "tests/test_a.py": b"old\n",
            "pytest.ini": b"[pytest]\n",
            "setup.cfg": b"[x]\n",
            "d": b"-\n",
        },
        EMPTY_TREE,
    )
    new = trees.write(
        {
            "pkg/a.py": b"a = 2\ndiff --git a/x b/x\n",
            "tests/test_a.py": None,
            "tests/test_b.py": b"new\n",
            "pytest.ini": b"[pytest]\nx = 1\n",
            "setup.cfg": b"[y]\n",
            "d/tests/test_in_place_of_a_file.py": b"",
            "pkg/\udcff blob": bytes(range(256)),
        },
        old,
    )
    patch = split_patch(trees, old, new)
    assert patch.tree == new
    assert "a/pkg/a.py" in patch.source
    assert "test_b.py" not in patch.source
    assert "pytest.ini" not in patch.source
    assert "setup.cfg" not in patch.tests
    work = tmp_path / "work"
    work.mkdir()
    for part in (trees.diff(EMPTY_TREE, old), patch.diff):
        subprocess.run(["git", "apply", "--whitespace=nowarn"], cwd=work, input=encode(part), check=True)
    files = {str(file.relative_to(work)): file.read_bytes() for file in work.rglob("*") if file.is_file()}
    assert files == {path: trees.read(new, path) for path in trees.files(new)}


def test_file_that_becomes_link_stays_in_one_patch(trees: Trees, tmp_path: Path) -> None:
    old = trees.write({"a.py": b"x\n", "tests/t": b"t\n"}, EMPTY_TREE)
    link = tmp_path / "link.git"
    env = {**trees.env, "GIT_INDEX_FILE": str(link)}
    blob = trees.files(old)["tests/t"].id
    lines = f"120000 {blob}\ta.py\n100644 {blob}\ttests/t2\n".encode()
    subprocess.run(["git", "update-index", "--index-info"], env=env, input=lines, check=True)
    new = subprocess.check_output(["git", "write-tree"], env=env, text=True).strip()
    patch = split_patch(trees, old, new)
    assert patch.source.count("diff --git a/a.py") == 2
    assert patch.tests.count("diff --git") == 2


def test_equal_trees_give_empty_patch(trees: Trees) -> None:
    tree = trees.write({"a": b"1"}, EMPTY_TREE)
    assert not split_patch(trees, tree, tree)
