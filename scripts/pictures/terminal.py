"""Recordings of commands in a pseudo-terminal, and SVG pictures of them: a still or an animation.

The SVG follows the reader's light or dark colour scheme. An animation is a strip of frames that a CSS animation moves;
it stops at the last frame if the reader prefers reduced motion, and shows that frame where CSS does not run.
"""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import termios
import time
from codecs import getincrementaldecoder
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from itertools import groupby, pairwise
from pathlib import Path

CHAR, LINE, MARGIN, BAR = 8.0, 17, 14, 30
"""Width of a column, height of a row, margin, and height of the title bar, in pixels."""
LONGEST_PAUSE, SHORTEST_PAUSE, LAST_PAUSE = 0.8, 0.12, 6.0
"""Limits of a frame's time on the screen, and the time of the last frame, in seconds."""
LONGEST = 24.0
"""Maximum length of an animation without its last frame, in seconds."""
MOST_QUIET = 30
"""Maximum number of frames in which only a spinner or a figure has changed."""

_SEQUENCE = re.compile(r"\x1b\[([?\d;]*)([A-Za-z])|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)")
_CUT = re.compile(r"\x1b(?:\[[?\d;]*|\][^\x07\x1b]*)?$")
"""The beginning of a sequence at the end of what was read."""
_MOVING = re.compile(r"[⠁-⣿]|\d+")
_COLOURS = ("k", "r", "g", "y", "b", "m", "c", "w")
_STYLE = """\
svg { color-scheme: light dark; font: 13px/1 ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace; }
text { white-space: pre; fill: #1f2328; }
.paper { fill: #ffffff; stroke: #d1d9e0; } .bar { fill: #f0f3f6; } .dot { fill: #b6bfc9; }
.bold { font-weight: 700; } .dim, .title { fill: #59636e; }
.r { fill: #c0202b; } .g { fill: #17703a; } .y { fill: #8a5a00; }
.b { fill: #0759b8; } .m { fill: #7a3fc0; } .c { fill: #0c6b78; }
.k, .w { fill: #59636e; }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3; } .paper { fill: #0d1117; stroke: #3d444d; } .bar { fill: #1c2128; } .dot { fill: #4d5661; }
  .dim, .title { fill: #9198a1; }
  .r { fill: #ff8078; } .g { fill: #56d364; } .y { fill: #e3b341; }
  .b { fill: #79c0ff; } .m { fill: #d2a8ff; } .c { fill: #62cfdc; }
  .k, .w { fill: #9198a1; }
}
"""

Row = tuple[tuple[str, str], ...]
"""The runs of a row: text, and the CSS classes of its style."""
Screen = tuple[Row, ...]


@dataclass
class Recording:
    """What a command wrote to a terminal: seconds since its start, and the text."""

    columns: int
    events: list[tuple[float, str]] = field(default_factory=list)


def record(command: list[str], folder: Path, columns: int, rows: int, environment: Mapping[str, str]) -> Recording:
    """Run a command in a pseudo-terminal of this size until it ends."""
    child, descriptor = pty.fork()
    if not child:
        os.chdir(folder)
        os.execvpe(command[0], command, {**os.environ, **environment, "TERM": "xterm-16color", "COLORTERM": ""})
    fcntl.ioctl(descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    recording, began = Recording(columns), time.monotonic()
    decoder = getincrementaldecoder("utf-8")("replace")
    while True:
        try:
            data = os.read(descriptor, 1 << 16)
        except OSError:  # Linux reports the end of the command in this way
            break
        if not data:
            break
        recording.events.append((time.monotonic() - began, decoder.decode(data)))
    os.waitpid(child, 0)
    return recording


class Terminal:
    """The screen of a terminal with all rows that scrolled out of it, for the sequences that our commands write."""

    def __init__(self, columns: int) -> None:
        self.columns = columns
        self.rows: list[list[tuple[str, str]]] = [[]]
        self.row = self.column = 0
        self.style: dict[str, str] = {}
        self._cut = ""

    def write(self, text: str) -> None:
        text, position = self._cut + text, 0
        if cut := _CUT.search(text):
            text, self._cut = text[: cut.start()], cut[0]
        else:
            self._cut = ""
        while position < len(text):
            if found := _SEQUENCE.match(text, position):
                self._control(found[2] or "", found[1] or "")
                position = found.end()
                continue
            self._character(text[position])
            position += 1

    def screen(self, height: int) -> Screen:
        """Return the last `height` rows, without empty ones at the end."""
        rows = [tuple(_runs(row)) for row in self.rows]
        while rows and not rows[-1]:
            rows.pop()
        return tuple(rows[-height:])

    def _character(self, char: str) -> None:
        if char == "\r":
            self.column = 0
        elif char == "\n":
            self._move(self.row + 1)
        elif char >= " ":
            if self.column >= self.columns:
                self._move(self.row + 1)
                self.column = 0
            row = self.rows[self.row]
            row.extend([(" ", "")] * (self.column - len(row)))
            row[self.column : self.column + 1] = [(char, " ".join(filter(None, self.style.values())))]
            self.column += 1

    def _move(self, row: int) -> None:
        self.row = max(0, row)
        while len(self.rows) <= self.row:
            self.rows.append([])

    def _control(self, kind: str, numbers: str) -> None:
        values = [int(part) for part in numbers.split(";") if part.isdigit()]
        if kind == "m":
            self._select(values or [0])
        elif kind == "A":
            self._move(self.row - (values or [1])[0])
        elif kind == "K":
            del self.rows[self.row][self.column :]
        elif kind == "J":
            del self.rows[self.row + 1 :], self.rows[self.row][self.column :]

    def _select(self, values: Sequence[int]) -> None:
        for value in values:
            if value == 0:
                self.style = {}
            elif value == 22:
                self.style.pop("weight", None)
            elif value in (1, 2):
                self.style["weight"] = ("bold", "dim")[value - 1]
            elif value in range(30, 38) or value in range(90, 98):
                self.style["colour"] = _COLOURS[value % 10]
            elif value == 39:
                self.style.pop("colour", None)


def _runs(row: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    runs = [("".join(char for char, _ in group), style) for style, group in groupby(row, key=lambda cell: cell[1])]
    if runs and not runs[-1][0].strip():
        runs.pop()
    return runs


def frames(recording: Recording, height: int) -> list[tuple[float, Screen]]:
    """Return the screens of a recording, each with its seconds on the screen: pauses of the command are shortened, and
    lines that came at once are shown one after the other."""
    terminal, quiet = Terminal(recording.columns), recording.events[-1][0] / MOST_QUIET
    kept: list[tuple[float, Screen, str]] = []
    for at, text in recording.events:
        for part in re.findall(r"[^\n]*\n|[^\n]+$", text):
            terminal.write(part)
            screen = terminal.screen(height)
            gist = _MOVING.sub("", "\n".join("".join(text for text, _ in row) for row in screen))
            if not kept or gist != kept[-1][2] or (screen != kept[-1][1] and at - kept[-1][0] > quiet):
                kept.append((at, screen, gist))
    pauses = [min(max(after[0] - at[0], SHORTEST_PAUSE), LONGEST_PAUSE) for at, after in pairwise(kept)]
    speed = max(1.0, sum(pauses) / LONGEST)
    seconds = [*(pause / speed for pause in pauses), LAST_PAUSE]
    return [(length, screen) for length, (_, screen, _) in zip(seconds, kept, strict=True)]


def animation(shown: Sequence[tuple[float, Screen]], columns: int, title: str, said: str) -> str:
    """Return an SVG that shows the screens one after the other, again and again."""
    height = max(len(screen) for _, screen in shown)
    names: dict[Row, str] = {}
    strip = []
    for number, (_, screen) in enumerate(shown):
        rows = ((place, names.setdefault(row, f"l{len(names)}")) for place, row in enumerate(screen) if row)
        uses = "".join(f'<use href="#{name}" y="{(number * height + place) * LINE}"/>' for place, name in rows)
        strip.append(uses)
    total, at, keys = sum(seconds for seconds, _ in shown), 0.0, []
    for number, (seconds, _) in enumerate(shown):
        keys.append(f"{at / total:.3%} {{ transform: translateY({-number * height * LINE}px); }}")
        at += seconds
    last = (1 - len(shown)) * height * LINE
    style = (
        f"{_STYLE}.film {{ transform: translateY({last}px); animation: film {total:.1f}s step-end infinite; }}\n"
        f"@keyframes film {{ {' '.join(keys)} }}\n@media (prefers-reduced-motion) {{ .film {{ animation: none; }} }}\n"
    )
    lines = "".join(f'<g id="{name}">{_text(row, 0)}</g>' for row, name in names.items())
    body = f'<defs>{lines}</defs><g class="film">{"".join(strip)}</g>'
    return _frame(body, style, columns, height, title, said)


def still(screen: Screen, columns: int, title: str, said: str) -> str:
    """Return an SVG of one screen."""
    body = "".join(_text(row, place * LINE) for place, row in enumerate(screen))
    return _frame(body, _STYLE, columns, len(screen), title, said)


def _text(row: Row, y: int) -> str:
    """Return the elements of a row. Each run has its place and length, so that any monospaced font fits."""
    parts, column = [], 0
    for text, style in row:
        start = len(text) - len(text.lstrip())
        if word := text.strip():
            name = f' class="{style}"' if style else ""
            x, length = (column + start) * CHAR, len(word) * CHAR
            place = f'x="{x:g}" y="{y + 13}" textLength="{length:g}"'
            parts.append(f"<text{name} {place}>{escape(word, quote=False)}</text>")
        column += len(text)
    return "".join(parts)


def _frame(body: str, style: str, columns: int, rows: int, title: str, said: str) -> str:
    width, height = round(columns * CHAR) + 2 * MARGIN, rows * LINE + BAR + 2 * MARGIN
    dots = "".join(f'<circle class="dot" cx="{18 + 16 * number}" cy="15" r="5"/>' for number in range(3))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'role="img" aria-labelledby="said"><title id="said">{escape(said)}</title>\n<style>\n{style}</style>\n'
        f'<clipPath id="paper"><rect x="1" y="1" width="{width - 2}" height="{height - 2}" rx="8"/></clipPath>\n'
        f'<g clip-path="url(#paper)"><rect class="paper" width="{width}" height="{height}"/>'
        f'<rect class="bar" width="{width}" height="{BAR}"/>{dots}'
        f'<text class="title" x="{width / 2:g}" y="19" text-anchor="middle">{escape(title)}</text>\n'
        f'<svg x="{MARGIN}" y="{BAR + MARGIN}" width="{width - 2 * MARGIN}" height="{rows * LINE}">{body}</svg></g>\n'
        f'<rect class="paper" style="fill: none" x="1" y="1" width="{width - 2}" height="{height - 2}" rx="8"/></svg>\n'
    )
