"""Larger calls of several sizes, and the sizes between those that are possible."""

from __future__ import annotations

from pathlib import Path

import pytest

from extensions.optimize.guest import call_scaling
from extensions.optimize.guest.call_pickles import dumps

LENGTH = "def length(text):\n    with open({log!r}, 'a') as log:\n        print(len(text), file=log)\n"
LIMIT = "    if len(text) > 9000:\n        raise ValueError('too long')\n"


@pytest.mark.parametrize(
    ("code", "tried", "why"),
    [
        (LENGTH, [10, 20, 400000, 15, 200010, 12, 17, 100015], "the calls take more than 20000 bytes"),
        (LENGTH + LIMIT, [10, 20, 12000, 15, 6010, 12, 17, 3015, 9005], "ValueError('too long')"),
    ],
    ids=["data", "refused"],
)
def test_sizes_below_one_that_failed_are_tried_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, tried: list[int], why: str
) -> None:
    (tmp_path / "texts.py").write_text(code.format(log=str(tmp_path / "log")))
    monkeypatch.setattr(call_scaling, "ALL_DATA", 20000)
    job = {"root": str(tmp_path), "path": "texts.py", "name": "length", "sizes": tried[:3], "limit": 1, "least": 9}
    made, reason = call_scaling.make_calls(job, [dumps(("abcd",), {})], {"base": 0, "axis": 0}, "token")
    assert sorted(made) == sorted(size for size in tried if size <= 9000)
    assert why in reason
    assert [int(size) for size in (tmp_path / "log").read_text().split()] == tried
