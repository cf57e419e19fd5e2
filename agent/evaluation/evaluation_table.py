"""What a person sees of an evaluation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table

from aci.view import clean
from agent.terminal import Rich, console

SHOWN = 10
"""Most names in a list; the report on disk holds them all."""


def show(told: Mapping[str, Any], plain: bool) -> None:
    """The object of `--json` as a table, with a line for each thing that is out of the ordinary."""
    out = console(plain)
    out.print(_table(told))
    for run in told["runs"]:
        where = f" ({run['run_id']})" if len(told["runs"]) > 1 else ""
        _listed(out, f"No verdict, or the patch does not apply{where}", run["errors"])
        _listed(out, f"Empty patches{where}", run["empty"])
        _listed(out, f"Without a prediction{where}", run["missing"])
        _listed(out, f"Flaky{where}", [f"{name}: {', '.join(tests)}" for name, tests in run["flaky"].items()])
    _listed(out, "Quarantined, not counted", [f"{name}: {why}" for name, why in told["quarantined"].items()])
    if told["repeats"]:
        _repeats(out, told["repeats"])
    if told.get("comparison"):
        _comparison(out, told["comparison"])
    out.print(clean(f"Reports: {', '.join(run['report'] for run in told['runs'])}"), soft_wrap=True)


def _table(told: Mapping[str, Any]) -> Table:
    table = Table(title=clean(told["model"]), title_justify="left", box=None, pad_edge=False)
    table.add_column("repository")
    for name in ("resolved", "of", "rate", "95 %"):
        table.add_column(name, justify="right")
    for repository, row in sorted(told["repositories"].items()):
        table.add_row(clean(repository), *_cells(row))
    table.add_row("all", *_cells(told), style="bold")
    return table


def _cells(row: Mapping[str, Any]) -> Sequence[str]:
    if row["rate"] is None:
        return "0", "0", "-", "-"
    return f"{row['resolved']:.4g}", str(row["total"]), _percent(row["rate"]), _between(row["interval"])


def _listed(out: Rich, what: str, names: Sequence[str]) -> None:
    if not names:
        return
    out.print(f"{what}: {len(names)}")
    for name in names[:SHOWN]:
        out.print(f"  {clean(name)}", soft_wrap=True)
    if len(names) > SHOWN:
        out.print(f"  and {len(names) - SHOWN} more, which the report names")


def _repeats(out: Rich, told: Mapping[str, Any]) -> None:
    rates = ", ".join(_percent(rate) for rate in told["rates"])
    out.print(f"Repeats: {rates}; their standard deviation is {_percent(told['variance'] ** 0.5)}")
    out.print("; ".join(f"pass@{k} {_percent(value)}" for k, value in told["pass_at"].items()))


def _comparison(out: Rich, told: Mapping[str, Any]) -> None:
    out.print(clean(f"Against {told['with']}, on {told['instances']} instances that both have:"), soft_wrap=True)
    out.print(f"  both {told['both']}, only these {told['c']}, only those {told['b']}, neither {told['neither']}")
    out.print(f"  {_signed(told['difference'])} ({_between(told['interval'])}), McNemar's exact p = {told['p']:.3g}")
    if told["means"] is not None:
        out.print(f"  over all repeats {_signed(told['means'])} ({_between(told['means_interval'])})")
    if costs := told["costs"]:
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
