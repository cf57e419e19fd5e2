"""A reader for the rows of a data file: JSON Lines, JSON (a list, or rows by their ids), or Parquet.

It does not check the fields of a row. It detects a file's format from its first bytes and not from its name alone,
since many `.json` files have a row on each line.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from agent.installation import extra_advice
from trajectories.errors import ConfigError, UsageError
from trajectories.file_limits import MOST_BYTES, check_values, limited_lines, open_regular, read_limited

Row = dict[str, Any]
ID = ("instance_id", "id")
LARGEST = 4 * MOST_BYTES
"""Maximum number of bytes of a JSON file that is not read line by line."""
MOST_VALUES = 50_000_000
"""Maximum number of values in a JSON file that is not read line by line; lists of tests can be long."""
BATCH = 256
"""Number of rows of a Parquet file that are held in memory at a time."""
BOM = b"\xef\xbb\xbf"


def rows(path: Path, fields: Collection[str] | None = None) -> Iterator[tuple[str, Row]]:
    """Yield each row's position as text ("Line 3 of F") and the row, reduced to `fields`.

    Rows of JSON Lines and Parquet files are read lazily. Raises UsageError for a file that cannot be read, ConfigError
    if support for Parquet is not installed.
    """
    try:
        with open_regular(path) as file:
            start = file.read(1 << 16)
        found = _parquet(path, fields) if start.startswith(b"PAR1") else _json(path, start)
        for place, row in found:
            if not isinstance(row, dict):
                raise UsageError(f"{place} is not an object.", "Each row must be an object with an instance's fields.")
            yield place, row if fields is None else {name: row[name] for name in fields if name in row}
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}.", "Give a file with instances.") from None


def is_list_of_addresses(path: Path) -> bool:
    """Return whether the file is a text file of issue URLs, and neither JSON nor Parquet."""
    try:
        with open_regular(path) as file:
            start = file.read(1 << 16).removeprefix(BOM)
    except OSError:
        return False
    words = (line.strip() for line in start.split(b"\n"))
    return next((line for line in words if line and not line.startswith(b"#")), b"").startswith((b"https:", b"http:"))


def _json(path: Path, start: bytes) -> Iterable[tuple[str, Any]]:
    if path.suffix in (".jsonl", ".ndjson") or _is_json_lines(start):
        return _lines(path)
    return _whole(path)


def _is_json_lines(start: bytes) -> bool:
    """Return whether the first line is a row. A line longer than `start` counts as a row if it starts with an id."""
    first, end, _ = start.removeprefix(BOM).lstrip().partition(b"\n")
    if not end and first.startswith(b"{"):
        return any(first.startswith((f'{{"{name}":'.encode(), f'{{"{name}" :'.encode())) for name in ID)
    try:
        row = json.loads(first)
    except (ValueError, RecursionError):
        return False
    return isinstance(row, dict) and any(isinstance(row.get(name), str) for name in ID)


def _lines(path: Path) -> Iterator[tuple[str, Any]]:
    with path.open("rb") as file:
        for number, line in enumerate(limited_lines(file, path), 1):
            if text := line.removeprefix(BOM).strip():
                place = f"Line {number} of {path}"
                check_values(text, place)
                yield place, _parsed(text, place)


def _whole(path: Path) -> Iterator[tuple[str, Any]]:
    data = read_limited(path, LARGEST).removeprefix(BOM)
    check_values(data, str(path), MOST_VALUES)
    found = _parsed(data, str(path))
    if isinstance(found, list):
        for number, row in enumerate(found, 1):
            yield f"Row {number} of {path}", row
        return
    if not isinstance(found, dict):
        raise UsageError(f"{path} holds no rows.", "Give a list of rows, rows by their ids, or a row on each line.")
    if any(isinstance(found.get(name), str) for name in ID):
        yield f"The row of {path}", found
        return
    for name, row in found.items():
        place = f"Row {name!r} of {path}"
        if isinstance(row, dict) and next((row[key] for key in ID if key in row), name) != name:
            raise UsageError(f"{place} contains a different id.", "Give it one id.")
        yield place, {ID[0]: name, **row} if isinstance(row, dict) else row


def _parsed(text: bytes, place: str) -> Any:
    try:
        return json.loads(text)
    except UnicodeDecodeError as error:
        byte = text[error.start]
        raise UsageError(f"{place} is not UTF-8 (0x{byte:02x} at byte {error.start}).", "Save it as UTF-8.") from None
    except json.JSONDecodeError as error:
        where = f"{place} is not JSON: {error.msg} at character {error.pos + 1}."
        raise UsageError(where, "Correct or remove it.") from None
    except (ValueError, RecursionError) as error:  # a number with thousands of digits, or deeply nested lists
        raise UsageError(f"{place} cannot be read: {error}.", "Correct or remove it.") from None


def _parquet(path: Path, fields: Collection[str] | None) -> Iterator[tuple[str, Any]]:
    try:
        from pyarrow import ArrowException  # type: ignore[import-untyped]
        from pyarrow.parquet import ParquetFile  # type: ignore[import-untyped]
    except ImportError:
        raise ConfigError(
            f"{path} is a Parquet file, which needs pyarrow.", f"{extra_advice('parquet')} Or give JSON Lines."
        ) from None
    number = 0
    try:
        with ParquetFile(path) as file:
            columns = None if fields is None else [name for name in file.schema_arrow.names if name in fields]
            for batch in file.iter_batches(BATCH, columns=columns):
                for row in batch.to_pylist():
                    number += 1
                    yield f"Row {number} of {path}", {name: value for name, value in row.items() if value is not None}
    except (ArrowException, UnicodeDecodeError) as error:
        reason = next(islice(str(error).splitlines(), 1), "damaged").rstrip(".")
        raise UsageError(f"{path} cannot be read past row {number}: {reason}.", "Download it again.") from None
