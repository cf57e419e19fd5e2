"""SQL statements on a graph's database, each run in a process of its own that can only read."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

PROGRAM = Path(__file__).with_name("query_process.py")
TIMEOUT = 120
"""Maximum number of seconds for a statement, with the start of its process; its processor time has another limit."""
Cell = str | int | float | None


@dataclass(frozen=True, slots=True)
class QueryResult:
    """The result of a statement: its columns and rows, or the error. `cut` is whether there are more rows."""

    columns: tuple[str, ...] = ()
    rows: tuple[tuple[Cell, ...], ...] = ()
    error: str = ""
    cut: bool = False


def run_sql(file: Path, statement: str, most: int) -> QueryResult:
    """Return at most `most` rows (200 at most) of a statement on a database that `write_database` has written."""
    given = json.dumps({"file": str(file.absolute()), "statement": statement})
    try:
        done = subprocess.run(
            [sys.executable, "-I", "-S", str(PROGRAM)],
            input=given,
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
            env={},
        )
        found = json.loads(done.stdout)
    except subprocess.TimeoutExpired:
        return QueryResult(error="it takes too long")
    except ValueError:  # the process reached a limit
        return QueryResult(error="it needs too much memory or time")
    if "error" in found:
        return QueryResult(error=found["error"])
    rows = tuple(tuple(row) for row in found["rows"])
    return QueryResult(tuple(found["columns"]), rows[:most], cut=len(rows) > most)
