"""The benchmark of call resolution, on a small package whose tests run under its tracer."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.calls import main

PACKAGE = {
    "src/shop/__init__.py": "from .basket import Basket\n",
    "src/shop/basket.py": """\
import functools

from .money import Money, total


def logged(function):
    @functools.wraps(function)
    def wrapper(*arguments):
        return function(*arguments)

    return wrapper


class Basket:
    def __init__(self):
        self.lines = []

    @logged
    def add(self, amount):
        self.lines.append(Money(amount))
        return self

    @property
    def sum(self):
        return total(sorted(self.lines, key=worth), note=lambda: note())

    def twice(self):
        first = self.add(1)
        getattr(self, "ad" + "d")(2)
        return self.sum, tuple(one for one in each(self.lines))

    def never(self):
        return self.twice()


def worth(money):
    return money.amount


def note():
    return ""


def each(lines):
    yield from lines
""",
    "src/shop/money.py": """\
class Money:
    def __init__(self, amount):
        self.amount = amount

    def __add__(self, other):
        return Money(self.amount + other.amount)


class Euro(Money):
    def show(self):
        return self.sign()

    def sign(self):
        raise NotImplementedError


class Cent(Euro):
    def sign(self):
        return "c"


def total(lines, note):
    note()
    return lines[0] + lines[-1]
""",
    "tests/test_shop.py": """\
from shop import Basket
from shop.money import Cent


def test_basket():
    assert Basket().twice()[0].amount == 3
    assert Cent(1).show() == "c"
""",
}


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "shop"
    for path, text in PACKAGE.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, "utf-8")
    identity = ["-c", "user.name=benchmark", "-c", "user.email=benchmark@example.com"]
    for command in (["init", "-q"], ["add", "-A"], [*identity, "commit", "-q", "-m", "Shop"]):
        subprocess.run(["git", "-C", str(folder), *command], check=True, capture_output=True)
    return folder / ".git"


def arguments(repository: Path, *further_options: str) -> list[str]:
    options = ["--git-dir", str(repository), "--package", "src/shop", "--python", sys.executable]
    return [*options, *further_options, "--", "pytest", "-q", "-p", "no:cacheprovider", "tests"]


@pytest.mark.slow
def test_recall_and_pairs_are_reported_as_json(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments(repository, "--json", "--missed", "9")) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["files"] == 3
    assert result["pairs"] == {"call": 7, "attribute": 1, "protocol": 1, "through C": 1, "all": 10}
    best = result["edges"]["and overriding methods"]
    assert best["recall"] == {"call": 100.0, "attribute": 100.0, "protocol": 0.0, "through C": 100.0, "all": 90.0}
    assert result["edges"]["call edges"]["recall"]["call"] < 100
    assert result["missed"] == ["protocol: src/shop/money.py:total -> src/shop/money.py:Money.__add__"]


@pytest.mark.slow
def test_table_has_row_for_each_kind_of_edge(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments(repository)) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("3 files")
    assert [line.split("  ")[0] for line in lines[2:7]] == [
        "pairs traced",
        "call edges",
        "and uses",
        "and unknown receivers",
        "and overriding methods",
    ]
    assert "wrappers of decorators" in lines[7]


def test_package_without_calls_is_reported(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--git-dir", str(repository), "--package", "src/shop", "--python", sys.executable, "--", "this"]
    assert main(options) == 1
    assert "No call inside src/shop was traced" in capsys.readouterr().err
