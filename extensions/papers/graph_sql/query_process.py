"""The process that runs one statement of a model on a graph's database, with limits on what it may do and use.

It reads a JSON object with the database's file and the statement from its input, and writes a JSON object with
`columns` and `rows`, or with `error`. It imports nothing of the program, so it is started as a script.
"""

from __future__ import annotations

import contextlib
import json
import resource
import sqlite3
import sys
from pathlib import Path
from typing import Any

MOST_ROWS, LONGEST_CELL = 200, 300
OPERATIONS, INTERVAL = 20_000_000, 10_000
"""Maximum number of operations of SQLite's virtual machine, and number of operations between two checks."""
MEMORY, SECONDS = 1 << 29, 60
"""Maximum number of bytes of the process, and of seconds of its processor time."""
FUNCTIONS = frozenset({
    "abs", "avg", "coalesce", "count", "dense_rank", "first_value", "glob", "group_concat", "ifnull", "iif",
    "instr", "lag", "last_value", "lead", "length", "like", "lower", "ltrim", "max", "min", "nullif", "rank",
    "replace", "round", "row_number", "rtrim", "substr", "substring", "sum", "total", "trim", "upper",
})  # fmt: skip
LIMITS = {
    sqlite3.SQLITE_LIMIT_LENGTH: 100_000,
    sqlite3.SQLITE_LIMIT_SQL_LENGTH: 10_000,
    sqlite3.SQLITE_LIMIT_COLUMN: 100,
    sqlite3.SQLITE_LIMIT_EXPR_DEPTH: 100,
    sqlite3.SQLITE_LIMIT_COMPOUND_SELECT: 20,
    sqlite3.SQLITE_LIMIT_FUNCTION_ARG: 20,
    sqlite3.SQLITE_LIMIT_ATTACHED: 0,
    sqlite3.SQLITE_LIMIT_LIKE_PATTERN_LENGTH: 200,
    sqlite3.SQLITE_LIMIT_WORKER_THREADS: 0,
}


def run_statement(file: str, statement: str) -> dict[str, Any]:
    """Return the columns and the first rows of a SELECT statement, or the error."""
    left = OPERATIONS // INTERVAL

    def is_over() -> bool:
        nonlocal left
        left -= 1
        return left < 0

    database = sqlite3.connect(f"{Path(file).as_uri()}?mode=ro&immutable=1", uri=True, isolation_level=None)
    try:
        database.execute("PRAGMA temp_store = MEMORY")
        database.execute("PRAGMA trusted_schema = OFF")
        for limit, value in LIMITS.items():
            database.setlimit(limit, value)
        database.set_authorizer(_authorize)
        database.set_progress_handler(is_over, INTERVAL)
        cursor = database.execute(statement)
        if cursor.description is None:
            return {"error": "it is not a SELECT statement"}
        rows = cursor.fetchmany(MOST_ROWS + 1)
        columns = [name[:LONGEST_CELL] for name, *_ in cursor.description]
        return {"columns": columns, "rows": [[_cell(value) for value in row] for row in rows]}
    except (sqlite3.Error, sqlite3.Warning, ValueError) as error:
        return {"error": "it takes too many steps" if left < 0 else str(error)[:LONGEST_CELL]}
    except MemoryError:
        return {"error": "it needs too much memory"}
    finally:
        database.set_progress_handler(None, 0)
        database.close()


def _authorize(action: int, first: str | None, second: str | None, *_: object) -> int:
    allowed = (
        action in (sqlite3.SQLITE_SELECT, sqlite3.SQLITE_RECURSIVE)
        or (action == sqlite3.SQLITE_READ and not str(first).lower().startswith(("sqlite_", "pragma_")))
        or (action == sqlite3.SQLITE_FUNCTION and str(second).lower() in FUNCTIONS)
    )
    return sqlite3.SQLITE_OK if allowed else sqlite3.SQLITE_DENY


def _cell(value: object) -> object:
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    return value[:LONGEST_CELL] if isinstance(value, str) else value


def _limit_process() -> None:
    for what, most in (
        (resource.RLIMIT_AS, MEMORY), (resource.RLIMIT_CPU, SECONDS), (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):  # fmt: skip
        with contextlib.suppress(ValueError, OSError):  # not every system has all of them
            resource.setrlimit(what, (most, most))


def main() -> None:
    asked = json.load(sys.stdin)
    _limit_process()
    json.dump(run_statement(asked["file"], asked["statement"]), sys.stdout)


if __name__ == "__main__":
    main()
