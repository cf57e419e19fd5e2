"""The examples of docs/extending.md run as additions to the program."""

from __future__ import annotations

import dataclasses
import re
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest

from aci.runtime.workspace import CommandResult
from aci.testing.runner_hooks import RunnerRequest
from aci.testing.suite_results import build_report
from tests.tools.conftest import make_bench
from trajectories.records import Action

__all__ = ["make_bench"]
GUIDE = (Path(__file__).parents[2] / "docs" / "extending.md").read_text("utf-8")
REPORT = b"""<testsuite name="sum.bats"><testcase classname="sum.bats" name="adds"/>
<testcase classname="sum.bats" name="fails"><failure message="1 is not 2">1 is not 2</failure></testcase></testsuite>"""


def example(heading: str) -> str:
    """Return the first Python block below a heading."""
    (section,) = re.findall(rf"\n##+ {heading}\n(.*?)(?=\n##+ |\Z)", GUIDE, re.DOTALL)
    (code, *_) = re.findall(r"```python\n(.*?)```", section, re.DOTALL)
    return str(code)


def test_tool_of_guide_runs(make_bench: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    information = tmp_path / "owners-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: owners\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text("[swe_agent.tools]\nowners = guide_owners\n")
    (tmp_path / "guide_owners.py").write_text(example("A tool"))
    monkeypatch.syspath_prepend(tmp_path)
    bench = make_bench({"a.py": ""})
    assert bench("owners", path="./a.py").text == "a.py has no owner."
    assert bench.run_step(Action("owners", {"path": "a.py"}))[0].text == "a.py has no owner."
    monkeypatch.delitem(sys.modules, "guide_owners")


def test_runner_of_guide_hooks_its_program_and_reads_its_report() -> None:
    runner: dict[str, Any] = {}
    exec(example("A test runner"), runner)
    request = RunnerRequest("/repo", "/harness", (), 1.0, lambda path: "", lambda path: False)
    assert runner["hook"](request, "pytest") is None
    hook = runner["hook"](request, "make check")
    assert (hook.command, list(hook.files)) == ("make check", ["bin/bats"])
    assert f"--report-formatter junit --output {request.out}" in hook.files["bin/bats"].decode()
    lines = list(runner["read"](request, f"{request.out}/bats-1.xml", REPORT))
    counts = build_report("bats", CommandResult(b"", 1, 1.0, "/"), lines).counts
    assert (counts["passed"], counts["failed"]) == (1, 1)


def test_signal_of_guide_has_values_between_0_and_1() -> None:
    module: dict[str, Any] = {}
    exec(example("A localization signal"), module)
    signal = module["path_depths"](["setup.py", "shop/cart/total.py"])
    assert list(signal.values) == [1, pytest.approx(1 / 3)]


def test_record_of_guide_is_a_record() -> None:
    names: dict[str, Any] = {"dataclass": dataclass, "field": field, "time": time, "Literal": Literal}
    exec(example("A journal record"), names)
    record = names["Pause"]("main", 2.5)
    assert [one.name for one in dataclasses.fields(record)][-2:] == ["at", "type"]
    assert record.type == "pause"
