"""Chart and table of an optimization: instructions by input size, and all measurements before and after.

The chart is a self-contained SVG. Both axes are logarithmic, so a power is a straight line with its exponent as the
slope. It follows the reader's light or dark colour scheme. Names are untrusted, so everything is escaped.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from html import escape

from aci.observation.untrusted_text import clean_text
from extensions.optimize.measurement.efficiency import Growth

WIDTH, HEIGHT = 720, 460
LEFT, RIGHT, TOP, BOTTOM = 76, 24, 96, 56
"""Space around the plot for the title, the legend and the axis labels."""

LONGEST_TITLE, LONGEST_SUBTITLE, MOST_TICKS, CURVE = 62, 96, 8, 40
_UNITS = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))
_STYLE = """\
svg { color-scheme: light dark; font-family: system-ui, "Segoe UI", "DejaVu Sans", sans-serif; font-size: 12px; }
.paper { fill: #ffffff; } text { fill: #1f2328; } .faint { fill: #59636e; }
.grid { stroke: #d1d9e0; stroke-width: 1; } .axis { stroke: #818b98; stroke-width: 1; fill: none; }
.title { font-size: 16px; font-weight: 600; }
.line { fill: none; stroke-width: 2; stroke-dasharray: 5 4; opacity: 0.75; }
.before .line { stroke: #bc4c00; } .before .mark { fill: #bc4c00; }
.after .line { stroke: #0969da; } .after .mark { fill: #0969da; }
@media (prefers-color-scheme: dark) {
  .paper { fill: #0d1117; } text { fill: #e6edf3; } .faint { fill: #9198a1; }
  .grid { stroke: #2f353d; } .axis { stroke: #656c76; }
  .before .line { stroke: #f0883e; } .before .mark { fill: #f0883e; }
  .after .line { stroke: #58a6ff; } .after .mark { fill: #58a6ff; }
}
"""


# Chart


@dataclass(frozen=True, slots=True)
class _Axis:
    """Maps values on a logarithmic axis, from `low` to `high`, to coordinates from `start` to `end`."""

    low: float
    high: float
    start: float
    end: float

    def at(self, value: float) -> float:
        share = math.log(value / self.low) / math.log(self.high / self.low)
        return self.start + share * (self.end - self.start)


def chart(name: str, before: Growth, after: Growth | None = None, counted: str = "") -> str:
    """Return an SVG of the growth of a function's instructions. `counted` is a subtitle that says how the instructions
    were counted."""
    growths = [("before", before), *([("after", after)] if after else [])]
    sizes = [size for _, growth in growths for size in growth.sizes]
    counts = [count for _, growth in growths for count in growth.counts]
    x = _axis(sizes, LEFT, WIDTH - RIGHT)
    y = _axis(counts, HEIGHT - BOTTOM, TOP)
    title = _short(clean_text(name).replace("\n", " "), LONGEST_TITLE)
    description = "; ".join(f"{side} {_exponent_text(growth)}" for side, growth in growths)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
        'role="img" aria-labelledby="title said">',
        f'<title id="title">{escape(title)}</title>',
        f'<desc id="said">Instructions over size: {escape(description)}</desc>',
        f"<style>{_STYLE}</style>",
        f'<rect class="paper" width="{WIDTH}" height="{HEIGHT}"/>',
        f'<text class="title" x="{LEFT}" y="30">{escape(title)}</text>',
        *_legend(growths, counted),
        *_grid(x, y, sorted(set(sizes))),
        *(part for side, growth in growths for part in _series(side, growth, x, y)),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _axis(values: Sequence[float], start: float, end: float) -> _Axis:
    """Return an axis slightly wider than the values, spanning at least a factor of two."""
    low, high = min(values), max(values)
    margin = max((high / low) ** 0.06, 1.05) if high / low > 2 else math.sqrt(2)
    return _Axis(low / margin, high * margin, start, end)


def _ticks(axis: _Axis) -> list[float]:
    """Return round numbers on the axis: powers of ten, with intermediate steps if there are few of them, thinned out if
    there are many."""
    found: list[float] = []
    for steps in (
        (1,),
        (1, 3),
        (1, 2, 5),
        (1, 1.5, 2, 3, 5, 7),
        (1, 1.2, 1.4, 1.6, 1.8, 2, 2.5, 3, 3.5, 4, 5, 6, 7, 8, 9),
    ):
        first, last = math.floor(math.log10(axis.low)), math.ceil(math.log10(axis.high))
        found = [step * 10.0**power for power in range(first, last + 1) for step in steps]
        found = [value for value in found if axis.low <= value <= axis.high]
        if len(found) >= 4:
            break
    thin = -(-len(found) // MOST_TICKS)
    return found[:: thin or 1]


def _grid(x: _Axis, y: _Axis, sizes: Sequence[int]) -> Iterator[str]:
    """Yield grid lines at round counts, and at those measured sizes that have room for a label."""
    for value in _ticks(y):
        at = y.at(value)
        yield f'<line class="grid" x1="{x.start}" x2="{x.end}" y1="{at:.1f}" y2="{at:.1f}"/>'
        yield f'<text class="faint" x="{x.start - 8}" y="{at + 4:.1f}" text-anchor="end">{_amount(value)}</text>'
    for value in _labelled_sizes(x, sizes):
        at = x.at(value)
        yield f'<line class="grid" x1="{at:.1f}" x2="{at:.1f}" y1="{y.start}" y2="{y.end}"/>'
        yield f'<text class="faint" x="{at:.1f}" y="{y.start + 18}" text-anchor="middle">{_size(value)}</text>'
    yield f'<path class="axis" d="M{x.start} {y.end}V{y.start}H{x.end}"/>'
    yield f'<text x="{(x.start + x.end) / 2:.0f}" y="{HEIGHT - 14}" text-anchor="middle">size n</text>'
    middle = (y.start + y.end) / 2
    turned = f'x="18" y="{middle:.0f}" text-anchor="middle" transform="rotate(-90 18 {middle:.0f})"'
    yield f"<text {turned}>instructions</text>"


def _labelled_sizes(axis: _Axis, sizes: Sequence[int], least: float = 44.0) -> list[float]:
    found: list[float] = []
    for size in sizes:
        if not found or axis.at(size) - axis.at(found[-1]) >= least:
            found.append(size)
    return found


def _series(side: str, growth: Growth, x: _Axis, y: _Axis) -> Iterator[str]:
    """Yield the counts as marks and the fitted curve as a line through them."""
    first, last = growth.sizes[0], growth.sizes[-1]
    along = [first * (last / first) ** (step / CURVE) for step in range(CURVE + 1)]
    curve = [(x.at(size), y.at(growth.at(size))) for size in along if y.low <= growth.at(size) <= y.high]
    yield f'<g class="{side}">'
    if len(curve) > 1:
        yield f'<polyline class="line" points="{" ".join(f"{a:.1f},{b:.1f}" for a, b in curve)}"/>'
    for size, count in zip(growth.sizes, growth.counts, strict=True):
        tooltip = f"<title>{side}: {count:,} instructions at n = {size:,}</title>"
        yield _mark(side, x.at(size), y.at(count), tooltip)
    yield "</g>"


def _mark(side: str, x: float, y: float, tooltip: str = "") -> str:
    """Return the mark for a data point; marks of before and after differ by shape as well as by colour."""
    if side == "before":
        return f'<circle class="mark" cx="{x:.1f}" cy="{y:.1f}" r="4.5">{tooltip}</circle>'
    return f'<rect class="mark" x="{x - 4:.1f}" y="{y - 4:.1f}" width="8" height="8">{tooltip}</rect>'


def _legend(growths: Sequence[tuple[str, Growth]], counted: str) -> Iterator[str]:
    if counted:
        shown = _short(clean_text(counted).replace("\n", " "), LONGEST_SUBTITLE)
        yield f'<text class="faint" x="{LEFT}" y="50">{escape(shown)}</text>'
    for place, (side, growth) in enumerate(growths):
        left = LEFT + place * 310
        yield f'<g class="{side}">{_mark(side, left + 5, 73)}</g>'
        yield f'<text x="{left + 18}" y="77">{side}: {_exponent_text(growth)}</text>'


def _exponent_text(growth: Growth) -> str:
    """Return the exponent with its range as text."""
    return f"n^{growth.exponent:.2f} ({range_of(growth)})"


def range_of(growth: Growth) -> str:
    """Return the confidence interval of an exponent as text."""
    if not (math.isfinite(growth.low) and math.isfinite(growth.high)):
        return "range unknown"
    return f"95 %: {max(growth.low, 0):.2f} to {growth.high:.2f}"


def _size(value: float) -> str:
    return f"{value:,.0f}" if value < 100_000 else _amount(value)


def _amount(value: float) -> str:
    for size, unit in _UNITS:
        if value >= size:
            return f"{value / size:.4g} {unit}"
    return f"{value:.4g}"


def _short(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"…{text[1 - longest :]}"


# Table


@dataclass(frozen=True, slots=True)
class Measurements:
    """The measurements before or after the optimization: instructions of the recorded calls and of the largest grown
    one, processor seconds of the workload, seconds, bytes of peak memory.

    `share` is the fraction of the workload's processor time that all calls of the function take. None means not
    measured.
    """

    instructions: int | None = None
    growth: Growth | None = None
    share: float | None = None
    workload: float | None = None
    seconds: float | None = None
    memory: int | None = None
    large: int | None = None


def table(name: str, before: Measurements, after: Measurements, backend: str = "") -> str:
    """Return a text table of both measurements with the ratio of before to after; rows without a value are left out."""
    found = [("", "before", "after", "ratio"), *rows(before, after, backend)]
    widths = [max(len(row[column]) for row in found) for column in range(4)]
    lines = [clean_text(name).replace("\n", " ")]
    for first, *rest in found:
        cells = (cell.rjust(width) for cell, width in zip(rest, widths[1:], strict=True))
        lines.append(f"  {first.ljust(widths[0])}  {'  '.join(cells)}".rstrip())
    return "\n".join(lines)


def rows(before: Measurements, after: Measurements, backend: str = "") -> list[tuple[str, str, str, str]]:
    """Return the rows of the table as strings: label, before, after, ratio."""
    by = f" ({clean_text(backend)})" if backend else ""
    found = [
        _row(f"instructions{by}", before.instructions, after.instructions, lambda value: f"{value:,.0f}"),
        _row("on the largest input", before.large, after.large, lambda value: f"{value:,.0f}"),
        _exponents(before.growth, after.growth),
        _row("share of the workload", before.share, after.share, lambda value: f"{value:.1%}", ratio=False),
        _row("the workload's processor time", before.workload, after.workload, _seconds),
        _row("wall time", before.seconds, after.seconds, _seconds),
        _row("peak memory", before.memory, after.memory, _bytes),
    ]
    return [row for row in found if row]


def _row(
    what: str, before: float | None, after: float | None, say: Callable[[float], str], ratio: bool = True
) -> tuple[str, str, str, str] | None:
    if before is None and after is None:
        return None
    times = f"{_significant(before / after)} x" if ratio and before and after else ""
    return what, "-" if before is None else say(before), "-" if after is None else say(after), times


def _exponents(before: Growth | None, after: Growth | None) -> tuple[str, str, str, str] | None:
    if before is None and after is None:
        return None
    clear = "clearly less" if before and after and after.is_below(before) else ""
    return "growth", _exponent_text(before) if before else "-", _exponent_text(after) if after else "-", clear


def _significant(value: float) -> str:
    """Format a number with two decimals below 10, one below 100, and none from 100 on."""
    return f"{value:.2f}" if value < 10 else f"{value:.1f}" if value < 100 else f"{value:,.0f}"


def _seconds(value: float) -> str:
    for size, unit in ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs")):
        if value >= size:
            return f"{value / size:.3g} {unit}"
    return f"{value / 1e-9:.3g} ns"


def _bytes(value: float) -> str:
    for size, unit in ((2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB")):
        if value >= size:
            return f"{value / size:.1f} {unit}"
    return f"{value:.0f} B"
