"""The page of a benchmark, as Markdown and as HTML, from the object that `bench --json` prints.

Ids, names and models are untrusted: the page runs no script, fetches nothing, and all text is escaped.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from extensions.lab.batch.reports.progress_text import clock, money, single_line
from extensions.lab.instances.append_log import write_error
from trajectories.journal import write_durably
from trajectories.pages import beginning, part

MARKDOWN, HTML = "bench.md", "bench.html"
SHOWN_SUBMISSIONS = 10
GRADES = {True: "right", False: "wrong", None: "not graded"}
_MARKS = re.compile(r"([\\`*\[\]<>|#&])")


@dataclass(frozen=True, slots=True)
class PageTable:
    """A section of the page; each cell is plain text."""

    title: str
    heads: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""


def write_page(found: Mapping[str, Any], out: Path) -> tuple[Path, Path]:
    """Write the page to `out` as Markdown and HTML, and return the paths. Raises WorkspaceError."""
    title, tables = f"Benchmark: {single_line(found['model'])} on {single_line(found['set'])}", list(_tables(found))
    text = _markdown(title, tables)
    try:
        write_durably(out / MARKDOWN, text.encode("utf-8", "replace"))
        write_durably(out / HTML, _html(title, text).encode("utf-8", "replace"))
    except OSError as error:
        raise write_error(out, error) from error
    return out / MARKDOWN, out / HTML


def headline(found: Mapping[str, Any]) -> str:
    """Return the result in one sentence."""
    return (
        f"{found['resolved']} of {found['rated']} graded instances are resolved{_between(found['interval'])}; "
        f"{found['verified_right']} verified and right, {found['verified_wrong']} verified and wrong; "
        f"{money(found['dollars'])}, {clock(found['seconds'])}."
    )


def _tables(found: Mapping[str, Any]) -> Iterator[PageTable]:
    verified, rated = found["verified"], found["rated"]
    wrong, between = found["verified_wrong"], _percent(found["verified_wrong_interval"])
    yield PageTable(
        "Result",
        ("figure", "value", "95 %"),
        (
            ("resolved", f"{found['resolved']} of {rated}", _percent(found["interval"])),
            ("verified and right", f"{found['verified_right']} of {verified}", ""),
            ("verified and wrong", f"{wrong} of {verified}", between),
            ("dollars", money(found["dollars"]), ""),
            ("working time", clock(found["seconds"]), ""),
            ("median of a run", clock(found["median_seconds"] or 0), ""),
        ),
        _notes(found),
    )
    yield PageTable(
        "Verdicts and grades",
        ("verdict", "right", "wrong", "not graded"),
        [(word, *map(str, counts.values())) for word, counts in found["verdicts"].items()],
        "The verdict is that of swe-agent, which does not know the hidden tests. They decide what is right.",
    )
    if published := found["published"]:
        best = published[:SHOWN_SUBMISSIONS]
        as_good = sum(one["resolved"] >= found["resolved"] for one in published)
        yield PageTable(
            "Published results of the graded instances",
            ("submission", f"resolved of {rated}"),
            [(single_line(one["name"]), str(one["resolved"])) for one in best],
            f"Submissions: {len(published)}; with at least {found['resolved']} resolved instances: {as_good}. "
            "The figures are those of the authors and were not measured here.",
        )
    yield PageTable(
        "Instances",
        ("instance", "verdict", "grade", "dollars", "time"),
        [
            (
                single_line(row["instance"]),
                row["verdict"] or "not run",
                GRADES[row["right"]],
                money(row["dollars"]) if row["verdict"] else "",
                clock(row["seconds"]) if row["verdict"] else "",
            )
            for row in found["rows"]
        ],
    )


def _notes(found: Mapping[str, Any]) -> str:
    """Return what a reader must know about the figures."""
    notes = [f"{found['instances']} instances of {single_line(found['set'])}, drawn with the seed {found['seed']}."]
    if left := found["instances"] - found["run"]:
        notes.append(f"{left} of them were not run, and are in no figure.")
    if ungraded := found["run"] - found["rated"]:
        notes.append(f"{ungraded} have no grade, and are not counted.")
    if found["workspace"] in ("sandbox", "local"):
        notes.append(f"Graded in the workspace {found['workspace']}: not comparable with grades from images.")
    if error := found.get("error"):
        notes.append(f"The batch ended early: {single_line(error['message'])}")
    return " ".join(notes)


def _percent(interval: Sequence[float] | None) -> str:
    return "" if interval is None else f"{interval[0]:.0%} to {interval[1]:.0%}"


def _between(interval: Sequence[float] | None) -> str:
    return f" ({_percent(interval)})" if interval else ""


def _markdown(title: str, tables: Sequence[PageTable]) -> str:
    lines = [f"# {_escaped(title)}"]
    for table in tables:
        lines += ["", f"## {table.title}", ""]
        if table.note:
            lines += [_escaped(table.note), ""]
        lines += [_line(table.heads), "|" + "---|" * len(table.heads), *map(_line, table.rows)]
    return "\n".join(lines) + "\n"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(map(_escaped, cells))} |"


def _escaped(text: str) -> str:
    return _MARKS.sub(r"\\\1", text)


def _html(title: str, markdown: str) -> str:
    from markdown_it import MarkdownIt

    body = MarkdownIt("commonmark", {"html": False}).enable("table").render(markdown)
    style = part("failures.style.css", "extensions.lab.batch.reports")
    head = beginning(title, style, kind="bench")
    return f'{head}<body>\n<main><section class="wide">\n{body}</section></main>\n</body>\n</html>\n'
