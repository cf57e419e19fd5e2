"""Queries of the code graph in SQL: the relations, joins of several, and statements that attack the machine."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from aci.graph.code_graph import query_graph
from aci.repository.file_blobs import GitBlobs
from extensions.papers.graph_sql import query_process
from extensions.papers.graph_sql.graph_database import SCHEMA, write_database
from extensions.papers.graph_sql.graph_queries import run_sql
from tests.conftest import committed, git

FILES = {
    "shop/base.py": (
        'class Base:\n    def open(self):\n        """Open it."""\n\n    def close(self):\n        return 1\n'
    ),
    "shop/till.py": (
        "from shop.base import Base\n\n\nclass Till(Base):\n    def close(self):\n        return helper()\n\n\n"
        "class Small(Till):\n    def open(self):\n        return helper()\n\n\ndef helper():\n    return 2\n"
    ),
}


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sql")
    repo, file = committed(folder / "repo", FILES), folder / "graph.sqlite"
    blobs = GitBlobs.at(repo / ".git", git(repo, "rev-parse", "HEAD"))
    query_graph(blobs, None, lambda graph: write_database(graph, file))
    return file


def rows(database: Path, statement: str) -> list[tuple[object, ...]]:
    found = run_sql(database, statement, 40)
    assert found.error == ""
    return list(found.rows)


def test_relations_are_those_of_the_documented_schema(database: Path) -> None:
    symbols = rows(
        database, "SELECT kind, path, full_name, line, end_line, doc FROM symbols WHERE path LIKE '%base.py'"
    )
    assert symbols == [
        ("file", "shop/base.py", "shop/base.py", 1, None, ""),
        ("class", "shop/base.py", "Base", 1, 6, ""),
        ("method", "shop/base.py", "Base.open", 2, 3, "Open it."),
        ("method", "shop/base.py", "Base.close", 5, 6, ""),
    ]
    assert SCHEMA in (Path(__file__).parents[4] / "docs/strategies.md").read_text("utf-8")
    for line in SCHEMA.splitlines():
        if not line.startswith(" "):
            table, _, columns = line.rstrip(")").partition("(")
            assert run_sql(database, f"SELECT * FROM {table}", 1).columns == tuple(columns.split(", "))


def test_one_statement_joins_several_relations(database: Path) -> None:
    statement = """
        SELECT s.full_name, other.full_name, distance FROM overrides JOIN symbols s ON s.id = method
        JOIN symbols other ON other.id = overridden JOIN refs ON source = s.id
        JOIN symbols called ON called.id = target WHERE called.name = 'helper' AND refs.kind = 'call' ORDER BY 1
    """
    assert rows(database, statement) == [("Small.open", "Base.open", 2), ("Till.close", "Base.close", 1)]
    lacking = """
        WITH RECURSIVE reached(id) AS (SELECT id FROM symbols WHERE name = 'helper'
            UNION SELECT source FROM refs JOIN reached ON target = id)
        SELECT full_name FROM symbols JOIN reached USING (id) WHERE kind = 'method' ORDER BY 1
    """
    assert rows(database, lacking) == [("Small.open",), ("Till.close",)]


def test_rows_are_cut(database: Path) -> None:
    found = run_sql(database, "SELECT id FROM symbols ORDER BY id", 2)
    assert (len(found.rows), found.cut) == (2, True)


@pytest.mark.parametrize(
    ("statement", "error"),
    [
        ("ATTACH '/tmp/other.sqlite' AS other", "not authorized"),
        ("PRAGMA hard_heap_limit = 0", "not authorized"),
        ("SELECT * FROM pragma_database_list", "prohibited|not authorized"),
        ("SELECT load_extension('x')", "not authorized"),
        ("SELECT zeroblob(1000000000)", "not authorized"),
        ("SELECT randomblob(1000000000)", "not authorized"),
        ("SELECT printf('%.*c', 1000000000, 'x')", "not authorized"),
        ("SELECT readfile('/etc/passwd')", "no such function|not authorized"),
        ("INSERT INTO symbols (id) VALUES (99)", "not authorized"),
        ("WITH a AS (SELECT 1) DELETE FROM symbols", "not authorized"),
        ("CREATE TEMP TABLE t (a)", "not authorized"),
        ("VACUUM INTO '/tmp/other.sqlite'", "authorization denied|not authorized"),
        ("SELECT sql FROM sqlite_master", "prohibited"),
        ("SELECT * FROM sqlite_temp_schema", "prohibited"),
        ("SELECT 1; SELECT 2", "one statement at a time"),
        ("SELECT 1; DROP TABLE symbols", "one statement at a time"),
        ("", "not a SELECT statement"),
        ("SELECT " + "(" * 300 + "1" + ")" * 300, "too large|overflow"),
        ("SELECT '" + "x" * 20_000 + "'", "too (?:large|big|long)"),
        ("SELECT replace(hex, 'a', hex) FROM (SELECT group_concat(a.doc || 'aaaaaaaa') AS hex FROM "
         "symbols a, symbols b, symbols c)", "too big"),
        ("SELECT path FROM nowhere\x00", "."),
    ],
)  # fmt: skip
def test_attack_is_refused(database: Path, statement: str, error: str) -> None:
    before = database.read_bytes()
    found = query_process.run_statement(str(database), statement)
    assert found.keys() == {"error"}
    assert re.search(error, found["error"]), found["error"]
    assert database.read_bytes() == before


@pytest.mark.parametrize(
    "statement",
    [
        "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n",
        "WITH RECURSIVE n(x) AS (SELECT 1 UNION SELECT x + 1 FROM n) SELECT x FROM n WHERE x < 0",
        "SELECT count(*) FROM symbols a, symbols b, symbols c, symbols d, symbols e, symbols f, symbols g, symbols h",
    ],
)
def test_endless_statement_is_stopped(database: Path, statement: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(query_process, "OPERATIONS", 200_000)
    assert query_process.run_statement(str(database), statement) == {"error": "it takes too many steps"}


@pytest.mark.slow
def test_process_has_limits_of_its_own(database: Path) -> None:
    """Rows of the longest allowed texts are sorted in memory."""
    large = (
        "WITH RECURSIVE n(x, t) AS (SELECT 1, 'x' UNION ALL SELECT x + 1, substr(t || t, 1, 45000) FROM n "
        "WHERE x < 90000)"
    )
    found = run_sql(database, f"{large} SELECT length(t), x FROM n ORDER BY t, x DESC", 1)
    assert "memory" in found.error
    with closing(sqlite3.connect(database)) as intact:
        assert intact.execute("SELECT count(*) FROM symbols").fetchone() == (10,)


def test_ancestors_are_searched_in_the_limited_process(database: Path) -> None:
    with closing(sqlite3.connect(database)) as opened:
        kinds = dict(opened.execute("SELECT name, type FROM sqlite_master"))
    assert kinds["ancestors"] == kinds["overrides"] == "view"
