from __future__ import annotations

import pytest

from aci.observation.output_text import CAPS
from tests.tools.conftest import Bench, MakeBench
from trajectories.records import Action

MODULE = """\
import os


class Shape:
    sides = 0

    @property
    def area(self):
        return 0

    def scale(self, by):
        def inner():
            return by
        return inner()


def scale(shape):
    return shape
"""


@pytest.fixture
def bench(make_bench: MakeBench) -> Bench:
    body = "".join(f"def f{n}(x):\n    return {'x + ' * 20}{n}\n\n\n" for n in range(300))
    return make_bench(
        {
            "shape.py": MODULE,
            "long.py": f"class Big:\n    one = 1\n{'    # filler' * 3}\n\n\n{body}",
            "long.txt": "".join(f"line {n} {'x' * 50}\n" for n in range(1, 1001)),
            "pkg/a.py": "",
            "pkg/deep/b.py": "b = 1\n",
            "pkg/deep/c.txt": "c\n",
            "wide.txt": "y" * 50_000 + "\nend\n",
            "binary.bin": b"\0\1\2" * 10,
            "latin.py": "name = 'é'\n".encode("latin-1"),
        }
    )


def test_short_file_is_shown_completely(bench: Bench) -> None:
    text = bench("view", path="shape.py").text
    assert text.startswith("shape.py, lines 1-18 of 18\n1\timport os\n2\t\n")
    assert text.endswith("18\t    return shape")


def test_line_range_is_shown(bench: Bench) -> None:
    assert bench("view", path="shape.py", start=4, end=5).text == (
        "shape.py, lines 4-5 of 18\n4\tclass Shape:\n5\t    sides = 0"
    )
    assert bench("view", path="shape.py", start=17, end=-1).text.startswith("shape.py, lines 17-18 of 18")
    assert bench("view", path="shape.py", start=17, end=900).text.startswith("shape.py, lines 17-18 of 18")
    beyond = bench("view", path="shape.py", start=30)
    assert not beyond.ok
    assert "18 lines" in beyond.text
    assert not bench("view", path="shape.py", start=9, end=3).ok


def test_path_may_include_line_range(bench: Bench) -> None:
    expected = bench("view", path="long.txt", start=7, end=9).text
    assert bench("view", path="long.txt:7-9").text == expected
    assert bench("view", path="long.txt:999").text.startswith("long.txt, lines 999-1000 of 1000")
    assert "There is no file none.txt." in bench("view", path="none.txt:3").text


def test_long_text_names_line_to_continue_from(bench: Bench) -> None:
    observation = bench("view", path="long.txt")
    last = int(observation.text.rsplit("start=", 1)[1]) - 1
    assert observation.text.startswith(f"long.txt, lines 1-{last} of 1000\n")
    assert 0.8 * CAPS["view"] < len(observation.text) <= CAPS["view"]
    assert (
        bench("view", path="long.txt", start=last + 1).text.splitlines()[1].startswith(f"{last + 1}\tline {last + 1} ")
    )


def test_long_python_file_is_outlined(bench: Bench) -> None:
    text = bench("view", path="long.py").text
    assert text.startswith("long.py, lines 1-40 of ")
    assert "\n1-2 class Big\n" in text
    assert "def f12\n" in text
    assert "more definitions" in text
    assert len(text) <= CAPS["view"] + 500


def test_symbol_is_shown(bench: Bench) -> None:
    text = bench("view", path="shape.py", symbol="Shape.area").text
    assert text.startswith("shape.py, Shape.area, lines 7-9 of 18\n7\t    @property\n")
    both = bench("view", path="shape.py", symbol="scale").text
    assert "scale, lines 17-18" in both
    assert "Shape.scale" not in both
    assert "lines 12-13" in bench("view", path="shape.py", symbol="inner").text
    missing = bench("view", path="shape.py", symbol="Shape.skale")
    assert not missing.ok
    assert "Shape.scale" in missing.text
    other = bench("view", path="long.txt", symbol="line")
    assert not other.ok
    assert "1\tline 1 " in other.text


def test_directories_are_listed_briefly(bench: Bench) -> None:
    text = bench("view", path=".").text
    assert text.startswith(".: 9 files\npkg/ (3 files)\n")
    assert "shape.py" in text.splitlines()
    assert bench("view", path="pkg/deep/").text == "pkg/deep: 2 files\nb.py\nc.txt"
    bench("shell", command="mkdir empty")
    assert "contains no file" in bench("view", path="empty").text
    bench("shell", command="ln -s pkg/deep deep")
    assert bench("view", path="deep").text == "deep: 2 files\nb.py\nc.txt"
    scratch = bench("view", path=bench.workspace.scratch)
    assert not scratch.ok
    assert "outside the repository" in scratch.text


def test_binary_undecodable_empty_and_wide_files_are_shown(bench: Bench) -> None:
    assert "binary file of 30 bytes" in bench("view", path="binary.bin").text
    assert bench("view", path="latin.py").text.endswith("1\tname = '\ufffd'")
    assert bench("view", path="pkg/a.py").text == "pkg/a.py is empty."
    wide = bench("view", path="wide.txt").text
    assert len(wide) < 1_000
    assert wide.endswith("2\tend")


@pytest.mark.slow
@pytest.mark.parametrize(
    "path", ["none.py", "../outside", "/etc/passwd", "link", "out:9", "step:9.1", "step:1.0", "shape.py/x"]
)
def test_path_that_cannot_be_viewed_gives_failed_observation(bench: Bench, path: str) -> None:
    bench("shell", command="ln -s /etc/hostname link")
    observation = bench("view", path=path)
    assert not observation.ok
    assert observation.text


def test_earlier_observation_can_be_viewed_by_its_address(bench: Bench) -> None:
    _, second = bench.run_step(
        Action("view", {"path": "shape.py"}), Action("search", {"pattern": "scale", "path": "shape.py"})
    )
    repeated = bench("view", path="step:1.2")
    expected = "\n".join(f"{number}\t{line}" for number, line in enumerate(second.text.split("\n"), 1))
    assert repeated.text.split("\n", 1) == ["step:1.2, lines 1-4 of 4", expected]
    assert bench("view", path="step:1.1", start=2, end=2).text.endswith("\n2\t1\timport os")
    assert not bench("view", path="step:1.3").ok


@pytest.mark.parametrize("address", ["out:" + "9" * 300, "out:" + "9" * 5000, "step:" + "9" * 5000 + ".1"])
def test_huge_address_gives_failed_observation(make_bench: MakeBench, address: str) -> None:
    observation = make_bench({"a.txt": "a\n"})("view", path=address)
    assert not observation.ok
