from __future__ import annotations

import pytest

from tests.tools.conftest import Bench, MakeBench


@pytest.fixture
def bench(make_bench: MakeBench) -> Bench:
    return make_bench(
        {
            "src/core.py": "def total(items):\n    return sum(items)\n",
            "src/use.py": "from core import total\nprint(total([1]))\n",
            "tests/test_core.py": "from core import total\n",
            "web/app.js": "function total(a) {}\n",
            "odd name (1).txt": "total: 5\n",
            ".gitignore": "ignored/\n",
            "blob.bin": b"total\0total",
        }
    )


def test_matches_are_grouped_by_file_with_definitions_first(bench: Bench) -> None:
    text = bench("search", pattern="total").text
    assert text.startswith("6 matches in 5 files\nsrc/core.py\n1\tdef total(items):\nweb/app.js\n")
    assert text.endswith("tests/test_core.py\n1\tfrom core import total")
    assert "blob.bin" not in text


@pytest.mark.slow
def test_search_can_be_limited_by_path_and_glob(bench: Bench) -> None:
    bench("shell", command="mkdir ignored; echo total > ignored/x; echo total > src/new.txt; cd src")
    assert "ignored by git" in bench("search", pattern="total", path="ignored/x").text
    assert "ignored by git" not in bench("search", pattern="nothing", path="src").text
    assert bench("search", pattern="total", path="src", glob="*.txt").text == "1 match in 1 file\nsrc/new.txt\n1\ttotal"
    assert bench("search", pattern="total", glob="src/**/*.py").data["files"] == 2
    assert bench("search", pattern="total", path="odd name (1).txt").data["matches"] == 1
    assert bench("search", pattern="sum", path="./src/").data["matches"] == 1
    assert "No match for `total` in src in *.c." in bench("search", pattern="total", path="src", glob="*.c").text


def test_invalid_regular_expression_is_searched_as_text(bench: Bench) -> None:
    observation = bench("search", pattern="total([")
    assert "searched as plain text" in observation.text
    assert "2\tprint(total([1]))" in observation.text
    assert bench("search", pattern="total(", fixed=True).data["matches"] == 3
    assert bench("search", pattern=r"total: \d+").data["matches"] == 1


def test_case_is_ignored_if_nothing_matches(bench: Bench) -> None:
    assert "ignoring case" in bench("search", pattern="TOTAL").text
    observation = bench("search", pattern="nowhere")
    assert observation.ok
    assert observation.text == "No match for `nowhere`."


@pytest.mark.slow
def test_patterns_and_paths_run_no_commands(bench: Bench) -> None:
    for pattern in ["$(touch hacked)", "`touch hacked`", "'; touch hacked; '", "--open-files-in-pager=touch", "-e"]:
        bench("search", pattern=pattern)
        bench("search", pattern="total", path=pattern)
        bench("search", pattern="total", glob=pattern)
    assert not bench("view", path="hacked").ok


@pytest.mark.parametrize("path", ["nowhere", "../x", "/etc", "src/../../x"])
def test_path_that_cannot_be_searched_is_refused(bench: Bench, path: str) -> None:
    assert not bench("search", pattern="x", path=path).ok


def test_many_matches_are_counted_and_shortened(make_bench: MakeBench) -> None:
    lines = "".join(f"needle number {n} in a haystack of lines\n" for n in range(50))
    bench = make_bench({f"dir/file{n:03}.txt": lines for n in range(60)})
    observation = bench("search", pattern="needle")
    assert observation.text.startswith("3000 matches in 60 files\n")
    assert len(observation.text) <= 4_000
    assert "more in this file" in observation.text
    assert "files: dir/" in observation.text.splitlines()[-1]
    assert observation.out is None
