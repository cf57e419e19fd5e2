"""Chart of the figures of several versions: shares of the tasks, and CPU seconds of a command.

A self-contained SVG that follows the reader's light or dark colour scheme. Versions are at equal distances, in the
order of their commits' dates.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

WIDTH, LEFT, RIGHT = 720, 64, 28
PANELS = ((96, 220), (372, 90), (518, 90))
"""Top and height of the shares, of the CPU seconds of `locate`, and of those of `fix`."""
HEIGHT = 664
STEPS = 1, 2, 2.5, 5
FEWEST = 3
"""Number of tasks below which no share is drawn."""
LINES = 4
"""Number of grid lines above zero, at most."""
_STYLE = """\
svg { color-scheme: light dark; font-family: system-ui, "Segoe UI", "DejaVu Sans", sans-serif; font-size: 12px; }
.paper { fill: #ffffff; } text { fill: #1f2328; } .faint { fill: #59636e; }
.grid { stroke: #d1d9e0; } .axis { stroke: #818b98; }
.title { font-size: 16px; font-weight: 600; }
.line { fill: none; stroke: currentColor; stroke-width: 2; } .mark { fill: currentColor; }
.s0 { color: #0969da; } .s1 { color: #8250df; } .s2 { color: #1a7f37; } .s3 { color: #cf222e; }
@media (prefers-color-scheme: dark) {
  .paper { fill: #0d1117; } text { fill: #e6edf3; } .faint { fill: #9198a1; }
  .grid { stroke: #2f353d; } .axis { stroke: #656c76; }
  .s0 { color: #58a6ff; } .s1 { color: #bc8cff; } .s2 { color: #3fb950; } .s3 { color: #ff7b72; }
}
"""
_MARKS = (
    '<circle class="mark" cx="{x:.1f}" cy="{y:.1f}" r="4">{tip}</circle>',
    '<path class="mark" d="M{x:.1f} {y:.1f}m0 -5l5 9h-10z">{tip}</path>',
    '<path class="mark" d="M{x:.1f} {y:.1f}m-4 -4h8v8h-8z">{tip}</path>',
    '<path class="mark" d="M{x:.1f} {y:.1f}m0 -5l5 5l-5 5l-5 -5z">{tip}</path>',
)


@dataclass(frozen=True, slots=True)
class _Series:
    """A line with its place in the legend, which decides its colour and marks. `values` has one number a version, None
    if there is none."""

    place: int
    name: str
    values: tuple[float | None, ...]


def chart(lines: Sequence[dict[str, Any]]) -> str:
    """Return an SVG of lines of one set of tasks in the history."""
    lines = sorted(lines, key=lambda one: one["date"])
    figures = [one["all"] for one in lines]
    shares = [
        _Series(place, name, tuple(_share(one[part][figure], one[part]["tasks"]) for one in figures))
        for place, (name, part, figure) in enumerate(
            (
                ("function located @1", "locate", "function@1"),
                ("function located @5", "locate", "function@5"),
                ("repaired", "fix", "right"),
                ("wrong but plausible", "fix", "wrong_verified"),
            )
        )
    ]
    cpu = [
        _Series(place, part, tuple(one[part]["cpu"] if one[part]["tasks"] else None for one in figures))
        for place, part in ((0, "locate"), (2, "fix"))
    ]
    last = figures[-1]
    tasks = f"{last['locate']['tasks']} tasks for locate, {last['fix']['tasks']} for fix without a model"
    kinds = ", ".join(f"{one['locate']['tasks']} {kind}" for kind, one in lines[-1]["kinds"].items())
    percent, seconds = (lambda value: f"{value:.0f} %"), (lambda value: f"{value:.4g} s")
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
        'role="img" aria-labelledby="title said">',
        '<title id="title">Versions of swe-agent on synthetic tasks</title>',
        f'<desc id="said">{escape(_description(lines, [*shares, *cpu]))}</desc>',
        f"<style>{_STYLE}</style>",
        f'<rect class="paper" width="{WIDTH}" height="{HEIGHT}"/>',
        f'<text class="title" x="{LEFT}" y="30">Versions of swe-agent on synthetic tasks</text>',
        f'<text class="faint" x="{LEFT}" y="50">{escape(f"{tasks} ({kinds})")}</text>',
        *_legend(shares),
        *_panel(PANELS[0], shares, 100.0, percent),
        *_caption(PANELS[1], "CPU seconds of a locate, mean"),
        *_panel(PANELS[1], cpu[:1], _highest(cpu[0]), seconds),
        *_caption(PANELS[2], "CPU seconds of a fix, mean"),
        *_panel(PANELS[2], cpu[1:], _highest(cpu[1]), seconds),
        *_versions(lines),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _share(count: int, tasks: int) -> float | None:
    return 100.0 * count / tasks if tasks >= FEWEST else None


def _highest(series: _Series) -> float:
    return max((value for value in series.values if value is not None), default=0.0) or 1.0


def _x(place: int, count: int) -> float:
    """Return the coordinate of a version; half a step is left free on both sides."""
    return LEFT + (place + 0.5) * (WIDTH - LEFT - RIGHT) / count


def _panel(
    place: tuple[int, int], series: Sequence[_Series], high: float, label: Callable[[float], str]
) -> Iterator[str]:
    """Yield the grid and the lines of values from zero to `high`."""
    top, height = place
    step = _step(high / LINES)
    end = step * math.ceil(high / step)

    def at(value: float) -> float:
        return top + height * (1 - value / end)

    for number in range(round(end / step) + 1):
        y = at(number * step)
        name = "grid" if number else "axis"
        yield f'<line class="{name}" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        yield f'<text class="faint" x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{label(number * step)}</text>'
    for one in series:
        points = [(_x(x, len(one.values)), value) for x, value in enumerate(one.values) if value is not None]
        yield f'<g class="s{one.place}">'
        yield f'<polyline class="line" points="{" ".join(f"{x:.1f},{at(value):.1f}" for x, value in points)}"/>'
        for x, value in points:
            tip = f"<title>{escape(one.name)}: {label(value)}</title>"
            yield _MARKS[one.place].format(x=x, y=at(value), tip=tip)
        yield "</g>"


def _step(least: float) -> float:
    """Return the first round number that is not below `least`."""
    power = 10.0 ** math.floor(math.log10(least))
    return next(step * power for step in (*STEPS, 10) if step * power >= least * (1 - 1e-9))


def _legend(series: Sequence[_Series]) -> Iterator[str]:
    for one in series:
        x = LEFT + one.place * 158
        yield f'<g class="s{one.place}">{_MARKS[one.place].format(x=x + 5, y=72, tip="")}</g>'
        yield f'<text x="{x + 16}" y="76">{one.name}</text>'


def _caption(place: tuple[int, int], text: str) -> Iterator[str]:
    yield f'<text x="{LEFT}" y="{place[0] - 14}">{text}</text>'


def _versions(lines: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Yield the version and the day of each point below the last panel."""
    bottom = sum(PANELS[-1])
    for place, one in enumerate(lines):
        x, day = _x(place, len(lines)), one["date"][:10]
        yield f'<text x="{x:.1f}" y="{bottom + 20}" text-anchor="middle">{escape(one["version"])}</text>'
        yield f'<text class="faint" x="{x:.1f}" y="{bottom + 37}" text-anchor="middle">{escape(day)}</text>'


def _description(lines: Sequence[dict[str, Any]], series: Sequence[_Series]) -> str:
    """Return the values as text, for readers who do not see the chart."""
    values = (f"{one.name} {', '.join('-' if v is None else f'{v:.4g}' for v in one.values)}" for one in series)
    return f"Versions {', '.join(one['version'] for one in lines)}: {'; '.join(values)}"
