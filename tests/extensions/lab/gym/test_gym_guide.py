"""The examples of docs/gym.md."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.extensions.lab.gym.conftest import LOOK, SOLVE, repository, row

__all__ = ["repository", "row"]
GUIDE = Path(__file__).parents[4] / "docs" / "gym.md"
EXAMPLES = re.findall(r"```python\n(.*?)```", GUIDE.read_text("utf-8"), re.DOTALL)


def policy(messages: list[dict[str, Any]]) -> dict[str, Any]:
    return SOLVE if messages[-1]["role"] == "tool" else LOOK


@pytest.mark.slow
@pytest.mark.parametrize("code", EXAMPLES, ids=["episode", "vector"])
def test_example_of_guide_runs(code: str, row: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    exec(code, {"row": row, "policy": policy})
    (expected,) = re.findall(r"print\(.*\)  # (.+)", code)
    assert capsys.readouterr().out == f"{expected}\n"
