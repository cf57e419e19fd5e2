"""Limits for reading untrusted files."""

from __future__ import annotations

import os
from io import BytesIO
from pathlib import Path

import pytest

from trajectories.errors import UsageError
from trajectories.file_limits import check_values, count_values, limited_lines, open_regular, read_limited
from trajectories.records import Spent
from trajectories.trajectory import RunView, Trajectory


def test_endless_line_is_refused() -> None:
    lines = limited_lines(BytesIO(b"ab\n" + b"c" * 100), Path("f"), most=10)
    assert next(lines) == b"ab\n"
    with pytest.raises(UsageError, match="Line 2 of f has more than 10 bytes"):
        next(lines)


@pytest.mark.parametrize(
    ("text", "values"),
    [
        (b"[%s]" % b",".join([b"1"] * 5_000), 5_001),
        (b"[%s]" % b",".join([b"{}"] * 5_000), 10_001),
        (b'["%s"]' % (b"[,{" * 5_000), 2),
        (rb'["%s", 2]' % (rb"\\\"[,{" * 5_000), 3),
        (b'"' + rb"\"," * 5_000, 1),
    ],
    ids=["numbers", "objects", "text", "quotes", "no end"],
)
def test_values_are_counted_outside_of_strings(text: bytes, values: int) -> None:
    assert count_values(text) == values
    check_values(text, "f", values)
    with pytest.raises(UsageError, match="f contains more than"):
        check_values(text, "f", values - 1)


def test_output_of_untrusted_run_has_limits(tmp_path: Path) -> None:
    """`show --step` prints these outputs."""
    (tmp_path / "out").mkdir()
    os.mkfifo(tmp_path / "out" / "1")
    with (tmp_path / "out" / "2").open("wb") as file:
        file.truncate(1 << 40)
    view = RunView("run", Trajectory(), Spent(None, 0, 0, 0, 0), tmp_path)
    with pytest.raises(OSError, match="it is not a regular file"):
        view.output(1)
    with pytest.raises(UsageError, match="has more than 268,435,456 bytes"):
        view.output(2)
    with pytest.raises(UsageError, match="has more than 3 bytes"):
        read_limited(write_file(tmp_path, b"four"), 3)
    assert read_limited(write_file(tmp_path, b"four"), 4) == b"four"


def test_irregular_file_is_closed_after_error(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    before = sorted(Path("/dev/fd").iterdir())
    for path in (tmp_path, tmp_path / "pipe", Path(os.devnull)):
        with pytest.raises(OSError, match=r"it is not a regular file|Is a directory"):
            open_regular(path)
    assert sorted(Path("/dev/fd").iterdir()) == before


def write_file(folder: Path, data: bytes) -> Path:
    path = folder / "file"
    path.write_bytes(data)
    return path
