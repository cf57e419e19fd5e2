"""A report as one HTML page, which contains its data and the script that displays it.

The page loads nothing, and the data is never run as code. The data is JSON in which no HTML tag can start. The script
turns it into text nodes, never HTML. The page's content security policy allows only that script, and forbids it to
convert text to HTML (`require-trusted-types-for`).
"""

from __future__ import annotations

from collections.abc import Mapping
from json import dumps
from math import isfinite
from typing import Any

from trajectories.pages import beginning, generator, part

PACKAGE = "extensions.report"
SCRIPTS = (
    "base",
    "text",
    "issue",
    "proof",
    "pages",
    "branches",
    "costs",
    "steps",
    "together",
    "search",
    "keys",
    "whole",
)
"""Names of the files that form the page's script, in this order."""
MOST_OF_TITLE = 120
KIND = "report"
MARK = generator(KIND)
"""Tag near the start of each report: a file with this tag may be overwritten."""


def page(data: Mapping[str, Any]) -> str:
    """Return the page of a report on one run, or on two side by side."""
    script = "".join(part(f"scripts/{name}.js", PACKAGE) for name in SCRIPTS)
    head = beginning(_title(data), part("report.style.css", PACKAGE), script, KIND)
    return (
        f"{head}<body>\n<noscript><p>This page needs its embedded script, which loads nothing. Allow scripts, or read "
        f"the run with <code>swe-agent show</code>.</p></noscript>\n"
        f'<script type="application/json" id="page-data">{_data(data)}</script>\n'
        f"<script>{script}</script>\n</body>\n</html>\n"
    )


def _title(data: Mapping[str, Any]) -> str:
    runs = data.get("runs") or ()
    names = " and ".join(str(run.get("name", "")) for run in runs)
    title = str(runs[0].get("title", "")) if runs else ""
    return _encodable(" · ".join(part for part in (" ".join(title.split())[:MOST_OF_TITLE], names) if part) or "Report")


def _data(data: Mapping[str, Any]) -> str:
    """Return the data as JSON in which no HTML tag or comment can start."""
    try:
        text = dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except ValueError:
        text = dumps(_finite(data), ensure_ascii=False, separators=(",", ":"))
    return _encodable(text).replace("<", "\\u003c")


def _finite(value: Any) -> Any:
    """Return the value with infinity and NaN as strings, since browsers do not accept them in JSON."""
    if isinstance(value, float) and not isfinite(value):
        return str(value)
    if isinstance(value, Mapping):
        return {key: _finite(each) for key, each in value.items()}
    return [_finite(each) for each in value] if isinstance(value, (list, tuple)) else value


def _encodable(text: str) -> str:
    """Return text without lone surrogates, which a tool's output can contain."""
    return text.encode("utf-8", "replace").decode("utf-8")
