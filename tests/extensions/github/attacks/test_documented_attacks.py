"""The list of attacks in docs/github-attacks.md."""

from __future__ import annotations

import re
from pathlib import Path

HERE = Path(__file__).parent


def test_docs_list_each_attack_once() -> None:
    page = (HERE.parents[3] / "docs" / "github-attacks.md").read_text("utf-8")
    listed = re.findall(r"(?m)^\| ([a-z][^|]+) \| [^|].* \| (?:held|did not|test was wrong|part of the last) \|$", page)
    files = [file for file in HERE.glob("test_*.py") if file != Path(__file__)]
    tested = [name for file in files for name in re.findall(r"(?m)^def test_(\w+)", file.read_text("utf-8"))]
    assert sorted(listed) == sorted(name.replace("_", " ") for name in tested)
