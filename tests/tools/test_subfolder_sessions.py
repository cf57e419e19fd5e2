"""Sessions limited to a folder: the tools show nothing else of the repository."""

from __future__ import annotations

import pytest

FILES = {
    "src/pkg/a.py": "def one():\n    return two()\n\n\ndef two():\n    return 2\n",
    "src/pkg/test_a.py": "from src.pkg.a import one\n\n\ndef test_one():\n    assert one() == 2\n",
    "src/pkgs/b.py": "from src.pkg.a import two\n\n\ndef three():\n    return two() + 1\n",
    "test_top.py": "def test_top():\n    assert 0\n",
}


@pytest.fixture
def bench(make_bench):
    bench = make_bench(FILES)
    bench.subtree = "src/pkg"
    return bench


def test_root_is_folder_of_session(bench) -> None:
    assert bench("view", path=".").text.splitlines() == ["src/pkg: 2 files", "a.py", "test_a.py"]
    assert bench("view", path=bench.workspace.root).text.startswith("src/pkg: 2 files")
    observation = bench("search", pattern="two")
    assert "src/pkg/a.py" in observation.text
    assert "b.py" not in observation.text


@pytest.mark.parametrize("path", ["src/pkgs/b.py", "src", "src/pkg/../pkgs", "test_top.py", "{root}/test_top.py"])
def test_path_outside_folder_is_refused(bench, path: str) -> None:
    path = path.format(root=bench.workspace.root)
    for observation in (bench("view", path=path), bench("search", pattern="two", path=path)):
        assert not observation.ok
        assert observation.text == f"{path} is outside src/pkg/, to which this session is limited."


def test_paths_in_folder_and_outside_repository_are_unaffected(bench) -> None:
    assert bench("view", path="./src/pkg/a.py").ok
    assert bench("view", path=f"{bench.workspace.root}/src/pkg/a.py").ok
    assert "is outside the repository" in bench("view", path="/etc/passwd").text
    assert "outside the repository" in bench("search", pattern="x", path="/etc").text


def test_linked_folder_is_listed_only_inside_folder(bench) -> None:
    bench("shell", command="mkdir src/pkg/sub; touch src/pkg/sub/c.py; cd src/pkg; ln -s ../pkgs out; ln -s sub in")
    assert bench("view", path="src/pkg/in").text.splitlines() == ["src/pkg/in: 1 file", "c.py"]
    assert "is outside src/pkg/" in bench("view", path="src/pkg/out").text


def test_symbols_lists_callers_in_folder_and_counts_others(bench) -> None:
    text = bench("symbols", name="two", ask="callers").text
    assert "src/pkg/a.py" in text
    assert "src/pkgs" not in text
    assert "outside src/pkg/" in text
    assert bench("symbols", name="three").text == "The symbol is outside src/pkg/, to which this session is limited."


@pytest.mark.slow
def test_run_tests_runs_tests_of_folder(bench) -> None:
    bench.test_command = "python3 -m pytest"
    observation = bench("run_tests")
    assert observation.ok
    assert observation.data["passed"] == 1
    bench.subtree = ""
    assert bench("run_tests").data["failed"] == ["test_top.py::test_top"]
