"""A code graph as a SQLite database, for queries that join several relations, after CodexGraph (arXiv 2408.03910).

The graph's own store holds packed columns for whole trees, which SQL cannot query, so the database is written for each
use.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from aci.graph.code_graph import Graph
from aci.graph.edge_columns import KINDS
from aci.graph.outline import BASE, CLASS

LONGEST = 300
"""Maximum number of characters of a signature or docstring."""
MOST_DISTANCE = 20
"""Maximum number of steps from a class to an ancestor."""
SCHEMA = """\
symbols(id, kind, name, full_name, path, line, end_line, signature, doc, owner)
    One row for each definition and each file. `kind` is 'class', 'method', 'function' or 'file'. `name` is bare,
    `full_name` is dotted within the file ('Shape.area'); those of a file are its name and its path. `owner` is the id
    of the class, function or file that contains it, NULL for a file. `doc` is the first line of the docstring.
refs(source, target, kind, line, weight)
    One row for each reference: the code of `source` refers to `target`, both ids of symbols. `kind` is 'call', 'use'
    or 'import'. Code outside of definitions belongs to its file. `line` is in the file of `source`. `weight` is below 1
    if several definitions may be meant, as for the attribute of an unknown object.
bases(class, base, line)
    The direct base classes of each class that are defined in the repository.
ancestors(class, ancestor, distance)
    The direct and indirect base classes; the distance of a direct one is 1.
overrides(method, overridden, distance)
    Methods with the name of a method of an ancestor of their class."""
TABLES = """
CREATE TABLE symbols (id INTEGER PRIMARY KEY, kind TEXT, name TEXT, full_name TEXT, path TEXT, line INTEGER,
    end_line INTEGER, signature TEXT, doc TEXT, owner INTEGER);
CREATE TABLE edges (source INTEGER, target INTEGER, kind TEXT, line INTEGER, weight REAL);
"""
VIEWS = f"""
CREATE INDEX symbols_of_name ON symbols (name);
CREATE INDEX symbols_of_owner ON symbols (owner, name);
CREATE INDEX edges_of_source ON edges (source, target);
CREATE INDEX edges_of_target ON edges (target, source);
CREATE VIEW refs AS SELECT source, target, kind, line, weight FROM edges WHERE kind <> '{BASE}';
CREATE TABLE bases AS SELECT source AS class, target AS base, min(line) AS line FROM edges
    WHERE kind = '{BASE}' AND source <> target GROUP BY 1, 2;
CREATE VIEW ancestors AS
    WITH RECURSIVE found (class, ancestor, distance) AS (
        SELECT class, base, 1 FROM bases
        UNION SELECT found.class, bases.base, distance + 1 FROM found JOIN bases ON bases.class = found.ancestor
            WHERE distance < {MOST_DISTANCE} AND bases.base <> found.class
    ) SELECT class, ancestor, min(distance) AS distance FROM found GROUP BY 1, 2;
CREATE INDEX bases_of_class ON bases (class, base);
CREATE VIEW overrides AS SELECT one.id AS method, other.id AS overridden, distance FROM symbols one
    JOIN ancestors ON ancestors.class = one.owner
    JOIN symbols other ON other.owner = ancestors.ancestor AND other.name = one.name
    WHERE one.kind = 'method' AND other.kind = 'method';
ANALYZE;
"""


def write_database(graph: Graph, file: Path) -> None:
    """Write the relations that `SCHEMA` describes to a new file."""
    edges = graph.edges()
    kinds = (KINDS[kind] for kind in edges.kind.tolist())
    columns = (
        edges.source.tolist(), edges.target.tolist(), kinds, edges.line.tolist(), edges.weight.astype(float).tolist()
    )  # fmt: skip
    with closing(sqlite3.connect(file, isolation_level=None)) as database:
        database.execute("PRAGMA synchronous = OFF")
        database.execute("PRAGMA journal_mode = OFF")
        database.executescript(TABLES)
        database.execute("BEGIN")
        database.executemany("INSERT INTO symbols VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", _symbols(graph))
        database.executemany("INSERT INTO edges VALUES (?, ?, ?, ?, ?)", zip(*columns, strict=True))
        database.execute("COMMIT")
        database.executescript(VIEWS)


def _symbols(graph: Graph) -> Iterator[tuple[Any, ...]]:
    for number, path in enumerate(graph.paths):
        first, shown = int(graph.first[number]), _text(path)
        yield first, "file", shown.rpartition("/")[2], shown, shown, 1, None, "", "", None
        symbols = graph.outline(path).symbols
        for place, one in enumerate(symbols):
            inside = one.parent >= 0 and symbols[one.parent].kind == CLASS
            kind = "method" if inside and one.kind != CLASS else one.kind
            yield (
                first + 1 + place, kind, _text(one.bare), _text(one.name), shown, one.line, one.end,
                _text(one.signature)[:LONGEST], _text(one.doc)[:LONGEST], first + 1 + one.parent,
            )  # fmt: skip


def _text(text: str) -> str:
    """Return text that SQLite can store: names of files may contain bytes that are not UTF-8."""
    return text.encode("utf-8", "replace").decode("utf-8")
