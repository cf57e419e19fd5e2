"""Bars of benchmark figures beside those of peers, as an SVG that follows the reader's colour scheme.

Each group has a scale of its own: its longest bar is its largest figure. Less is better in all groups. The ratio beside
a peer's figure is its multiple of ours, the first bar of the group. `ratio` gives one from the same run, or from
figures before rounding.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from typing import Any

WIDTH, LEFT, RIGHT, TOP = 690, 206, 132, 56
"""Width of the picture, and space for the names, for the figures and for the heading, in pixels."""
ROW, TITLE, GAP = 23, 26, 16
TIMES = "\N{MULTIPLICATION SIGN}"
HEADING = "swe-agent beside other programs: shorter is better"

_STYLE = """\
svg { color-scheme: light dark; font: 14px system-ui, "Segoe UI", "DejaVu Sans", sans-serif; }
.paper { fill: #ffffff; } text { fill: #1f2328; } .faint { fill: #59636e; }
.heading { font-size: 17px; font-weight: 600; } .title, .ours { font-weight: 600; }
.own { fill: #0969da; } .peer { fill: #afb8c1; }
@media (prefers-color-scheme: dark) {
  .paper { fill: #0d1117; } text { fill: #e6edf3; } .faint { fill: #9198a1; }
  .own { fill: #4493f8; } .peer { fill: #4d5661; }
}
"""


def draw_bars(groups: Sequence[dict[str, Any]]) -> str:
    """Return the SVG of groups with a `title`, a `unit` and `bars` of `name`, `value` and the figure as `shown`."""
    y = TOP
    parts: list[str] = []
    for group in groups:
        parts += _group(group, y)
        y += TITLE + ROW * len(group["bars"]) + GAP
    said = "; ".join(f"{group['title']}: {_figures(group)}" for group in groups)
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y}" width="{WIDTH}" height="{y}" '
            'role="img" aria-labelledby="title said">',
            f'<title id="title">{HEADING}</title><desc id="said">{escape(said)}</desc>',
            f"<style>\n{_STYLE}</style>",
            f'<rect class="paper" width="{WIDTH}" height="{y}" rx="8"/>',
            f'<text class="heading" x="16" y="32">{HEADING}</text>',
            *parts,
            "</svg>\n",
        ]
    )


def _group(group: dict[str, Any], y: int) -> Iterator[str]:
    longest, own = max(bar["value"] for bar in group["bars"]), group["bars"][0]["value"]
    yield f'<text class="title" x="16" y="{y + 16}">{escape(group["title"])}</text>'
    for place, bar in enumerate(group["bars"]):
        top, is_own = y + TITLE + place * ROW, not place
        side = "own" if is_own else "peer"
        width = max(2.0, bar["value"] / longest * (WIDTH - LEFT - RIGHT))
        figure = f"{bar['shown']} {group.get('unit', '')}".strip()
        ratio = "" if is_own else f' <tspan class="faint">· {bar.get("ratio") or _ratio(bar["value"] / own)}</tspan>'
        name = "ours" if is_own else "faint"
        yield f'<text class="{name}" x="{LEFT - 12}" y="{top + 14}" text-anchor="end">{escape(bar["name"])}</text>'
        yield f'<rect class="{side}" x="{LEFT}" y="{top + 2}" width="{width:.1f}" height="15" rx="2"/>'
        yield f'<text x="{LEFT + width + 8:.1f}" y="{top + 14}">{escape(figure)}{ratio}</text>'


def _ratio(value: float) -> str:
    digits = 0 if value >= 10 else 1 if value >= 2 else 2
    return f"{value:.{digits}f}{TIMES}"


def _figures(group: dict[str, Any]) -> str:
    return ", ".join(f"{bar['name']} {bar['shown']} {group.get('unit', '')}".strip() for bar in group["bars"])
