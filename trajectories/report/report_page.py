"""A report as one HTML page: what it tells lies in it as data, and a script that is part of it shows that.

The page loads nothing, and nothing of what it tells can run: the data is JSON in which no tag can begin, the script
makes text nodes of it and never HTML, and the page's own policy lets only that script run and forbids it to turn text
into HTML (`require-trusted-types-for`).
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from json import dumps
from math import isfinite
from typing import Any

from trajectories.pages import beginning, generator

SCRIPTS = ("base", "text", "issue", "proof", "branches", "costs", "steps", "together", "search", "keys", "whole")
"""One after the other they are the page's script."""
MOST_OF_TITLE = 120
KIND = "report"
MARK = generator(KIND)
"""Stands near the beginning of each report: such a file may be written anew."""


def page(told: Mapping[str, Any]) -> str:
    """The page of a report on one run, or on two beside each other."""
    script = "".join(_own("scripts", f"{name}.js") for name in SCRIPTS)
    head = beginning(_title(told), _own("report.style.css"), script, KIND)
    return (
        f"{head}<body>\n<noscript><p>This page shows its data with a script of its own; it loads nothing. Let it run, "
        f"or read the run with <code>swe-agent show</code>.</p></noscript>\n"
        f'<script type="application/json" id="told">{_data(told)}</script>\n'
        f"<script>{script}</script>\n</body>\n</html>\n"
    )


def _own(*path: str) -> str:
    return files("trajectories.report").joinpath(*path).read_text("utf-8")


def _title(told: Mapping[str, Any]) -> str:
    runs = told.get("runs") or ()
    names = " and ".join(str(run.get("name", "")) for run in runs)
    title = str(runs[0].get("title", "")) if runs else ""
    return _encodable(" · ".join(part for part in (" ".join(title.split())[:MOST_OF_TITLE], names) if part) or "Report")


def _data(told: Mapping[str, Any]) -> str:
    """JSON in which neither a tag nor a comment of HTML can begin."""
    try:
        text = dumps(told, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except ValueError:
        text = dumps(_finite(told), ensure_ascii=False, separators=(",", ":"))
    return _encodable(text).replace("<", "\\u003c")


def _finite(value: Any) -> Any:
    """A browser's JSON knows no infinity: such a score is shown as a word."""
    if isinstance(value, float) and not isfinite(value):
        return str(value)
    if isinstance(value, Mapping):
        return {key: _finite(each) for key, each in value.items()}
    return [_finite(each) for each in value] if isinstance(value, (list, tuple)) else value


def _encodable(text: str) -> str:
    """Half of a pair of surrogates, which outputs can hold, is no character."""
    return text.encode("utf-8", "replace").decode("utf-8")
