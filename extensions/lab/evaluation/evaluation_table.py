"""Evaluation results as a human-readable table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table

from aci.observation.untrusted_text import clean_text
from agent.console.rich_terminal import Rich, console

SHOWN = 10
"""Maximum number of names shown in a list; the report on disk holds all of them."""


def show(data: Mapping[str, Any], plain: bool) -> None:
    """Print evaluation results as a table, with lists of errors, empty patches, flaky tests and the like."""
    out = console(plain)
    out.print(_table(data))
    if data.get("workspace") in ("sandbox", "local"):
        what = f"Graded in the workspace {data['workspace']}, not in the images of SWE-bench's harness"
        out.print(f"{what}: not comparable with grades from images.", soft_wrap=True)
    for run in data["runs"]:
        where = f" ({run['run_id']})" if len(data["runs"]) > 1 else ""
        _show_list(out, f"No verdict{where}", run["no_verdict"])
        refused = [name for name in run["errors"] if name not in run["no_verdict"]]
        _show_list(out, f"The patch does not apply{where}", refused)
        _show_list(out, f"Empty patches{where}", run["empty"])
        _show_list(out, f"Without a prediction{where}", run["missing"])
        _show_list(out, f"Flaky{where}", [f"{name}: {', '.join(tests)}" for name, tests in run["flaky"].items()])
    _show_list(out, "Quarantined, not counted", [f"{name}: {why}" for name, why in data["quarantined"].items()])
    if data["repeats"]:
        _repeats(out, data["repeats"])
    if data.get("comparison"):
        _comparison(out, data["comparison"])
    out.print(clean_text(f"Reports: {', '.join(run['report'] for run in data['runs'])}"), soft_wrap=True)


def _table(data: Mapping[str, Any]) -> Table:
    table = Table(title=clean_text(data["model"]), title_justify="left", box=None, pad_edge=False)
    table.add_column("repository")
    for name in ("resolved", "of", "no verdict", "rate", "95 %"):
        table.add_column(name, justify="right")
    for repository, row in sorted(data["repositories"].items()):
        table.add_row(clean_text(repository), *_cells(row))
    table.add_row("all", *_cells(data), style="bold")
    return table


def _cells(row: Mapping[str, Any]) -> Sequence[str]:
    counts = f"{row['resolved']:.4g}", str(row["total"]), str(row["no_verdict"])
    if row["rate"] is None:
        return *counts, "-", "-"
    return *counts, _percent(row["rate"]), _between(row["interval"])


def _show_list(out: Rich, what: str, names: Sequence[str]) -> None:
    if not names:
        return
    out.print(f"{what}: {len(names)}")
    for name in names[:SHOWN]:
        out.print(f"  {clean_text(name)}", soft_wrap=True)
    if len(names) > SHOWN:
        out.print(f"  and {len(names) - SHOWN} more, listed in the report")


def _repeats(out: Rich, data: Mapping[str, Any]) -> None:
    rates = ", ".join(_percent(rate) for rate in data["rates"])
    out.print(f"Repeats: {rates}; standard deviation {_percent(data['variance'] ** 0.5)}")
    out.print("; ".join(f"pass@{k} {_percent(value)}" for k, value in data["pass_at"].items()))


def _comparison(out: Rich, data: Mapping[str, Any]) -> None:
    out.print(clean_text(f"Compared with {data['with']} on {data['instances']} common instances:"), soft_wrap=True)
    out.print(f"  both {data['both']}, only these {data['c']}, only those {data['b']}, neither {data['neither']}")
    out.print(f"  {_signed(data['difference'])} ({_between(data['interval'])}), McNemar's exact p = {data['p']:.3g}")
    if data["means"] is not None:
        out.print(f"  over all repeats {_signed(data['means'])} ({_between(data['means_interval'])})")
    if costs := data["costs"]:
        low, high = costs["interval"]
        out.print(
            f"  ${costs['second']:.4f} an instance against ${costs['first']:.4f} in {costs['pairs']} pairs: "
            f"{costs['difference']:+.4f} ({low:+.4f} to {high:+.4f}), Wilcoxon's p = {costs['p']:.3g}"
        )


def _percent(rate: float) -> str:
    return f"{rate:.1%}"


def _signed(rate: float) -> str:
    return f"{rate * 100:+.1f} points"


def _between(interval: Sequence[float]) -> str:
    low, high = interval
    return f"{low * 100:.1f} to {high * 100:.1f}"
