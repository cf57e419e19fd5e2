"""The tables of keys and commands in docs/session.md agree with the help of the session.

`python -m tests.extensions.interactive.session.prompt_input.test_documented_keys` updates the tables.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from extensions.interactive.session import commands
from extensions.interactive.session.prompt_input.key_help import TYPED, key_labels

PAGE = Path(__file__).parents[5] / "docs" / "session.md"


def with_tables(page: str) -> str:
    """The page with updated tables."""
    listed = [line for _, lines in commands.grouped_summaries() for line in lines]
    for name, head, rows in (
        ("typed", "| | |", TYPED),
        ("keys", "| key | does |", key_labels()),
        ("commands", "| command | does |", listed),
    ):
        table = "\n".join([f"<!-- {name} -->", head, "|---|---|", *map(_row, rows), "<!-- end -->"])
        page = re.sub(rf"<!-- {name} -->.*?<!-- end -->", lambda _, table=table: table, page, flags=re.DOTALL)
    return page


def _row(row: tuple[str, str]) -> str:
    left, right = (cell.replace("|", "\\|") for cell in row)
    return f"| `{left}` | {right} |"


def _names(usages: Iterable[tuple[str, str]]) -> set[str]:
    return {usage.partition(" ")[0] for usage, _ in usages}


def test_page_agrees_with_help():
    page = PAGE.read_text("utf-8")
    assert with_tables(page) == page


def test_every_command_is_documented():
    expected = "help model strategy mode diff apply commit undo redo fork cost compact locate test prove resume"
    expected += " permissions remember copy theme quit exit new export report choose clear rewind context init in-place"
    expected += " agents paste"
    assert _names(commands.summaries()) == {f"/{name}" for name in expected.split()}
    assert all(description.endswith(".") for _, description in commands.summaries())


if __name__ == "__main__":
    PAGE.write_text(with_tables(PAGE.read_text("utf-8")), "utf-8")
