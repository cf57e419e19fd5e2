"""A terminal's screen as text, without colours.

Escape sequences of VT100 and xterm that place or move text are interpreted; all others are ignored. Any bytes are
accepted as input.
"""

from __future__ import annotations

import codecs
import re
import unicodedata
from collections import deque
from dataclasses import dataclass

ROWS, COLUMNS = 40, 120
_MAX_PARTIAL = 4096  # maximum number of characters of an incomplete sequence
_MAX_SCROLLED = 2000  # maximum number of kept lines that scrolled off since the last `take`
_MOST = 10_000  # maximum value of a number in a sequence
_DIGITS = 6  # maximum number of digits read of a number; Python refuses to convert thousands of digits
_TOKEN = re.compile(
    r"\x1b\[(?P<given>[0-?]*)[ -/]*(?P<final>[@-~])"
    r"|\x1b[\]P_^X][^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)"  # window titles, links and other strings
    r"|\x1b(?P<prefix>[ -/]*)(?P<single>[0-OQ-WYZ`-~\\])"
    r"|(?P<control>[\x00-\x1a\x1c-\x1f\x7f-\x9f])"
    r"|(?P<text>[^\x00-\x1f\x7f-\x9f]+)"
)


@dataclass(slots=True)
class _Row:
    cells: list[str]
    goes_on: bool = False
    """Whether the line continues in the next row."""


class Screen:
    """A screen of `rows` by `columns` characters. `answers` holds the terminal's replies to the program's queries."""

    _lines: list[_Row]
    _row: int
    _column: int
    _from: int
    _main_screen: tuple[list[_Row], int, int] | None

    def __init__(self, rows: int = ROWS, columns: int = COLUMNS) -> None:
        self.rows, self.columns = rows, columns
        self.answers = bytearray()
        self.news = False
        """Whether something was written since the last `take`."""
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._partial = ""
        self._scrolled: deque[_Row] = deque(maxlen=_MAX_SCROLLED)
        self._reset()

    @property
    def full(self) -> bool:
        """Whether a program paints the whole screen instead of writing line after line."""
        return self._painted or self._main_screen is not None

    def feed(self, data: bytes) -> None:
        """Process a program's output."""
        self.news = True
        text = self._partial + self._decoder.decode(data)
        self._partial, at = "", 0
        while at < len(text):
            token = _TOKEN.match(text, at)
            if token:
                self._process(token)
                at = token.end()
            elif len(text) - at > _MAX_PARTIAL:
                at += 1  # not an escape sequence
            else:
                self._partial = text[at:]
                return

    def take(self) -> str:
        """Return the output since the last call, or the whole screen if a program paints it."""
        first = 0 if self.full else self._from
        last = max([self._row, *(at for at in range(self.rows) if "".join(self._lines[at].cells).strip())])
        rows = [*([] if self.full else self._scrolled), *self._lines[first : last + 1]]
        self._scrolled.clear()
        self._from, self._painted, self.news = self._row, False, False
        return "\n".join(_join_rows(rows)).strip("\n")

    def _reset(self) -> None:
        self._lines = [self._blank() for _ in range(self.rows)]
        self._row = self._column = self._from = 0
        self._top, self._bottom = 0, self.rows - 1
        self._saved = (0, 0)
        self._main_screen = None
        self._painted = False
        self._last = " "

    def _blank(self) -> _Row:
        return _Row([" "] * self.columns)

    def _process(self, token: re.Match[str]) -> None:
        if text := token["text"]:
            self._write(text)
        elif control := token["control"]:
            self._control(control)
        elif final := token["final"]:
            self._sequence(token["given"], final)
        elif (single := token["single"]) and not token["prefix"]:
            self._single(single)

    def _write(self, text: str) -> None:
        if text.isascii():
            self._write_plain(text)
        else:
            for character in text:
                self._put(character)
        self._last = text[-1]

    def _write_plain(self, text: str) -> None:
        at = 0
        while at < len(text):
            self._wrap(1)
            part = text[at : at + self.columns - self._column]
            self._lines[self._row].cells[self._column : self._column + len(part)] = part
            self._column += len(part)
            at += len(part)

    def _put(self, character: str) -> None:
        if unicodedata.combining(character) or unicodedata.category(character) in ("Cf", "Mn", "Me"):
            cells = self._lines[self._row].cells
            at = min(self._column, self.columns) - 1
            if at >= 0 and len(cells[at]) < 8:
                cells[at] += character
            return
        width = 2 if unicodedata.east_asian_width(character) in "WF" else 1
        self._wrap(width)
        self._lines[self._row].cells[self._column : self._column + width] = [character, *[""] * (width - 1)]
        self._column += width

    def _wrap(self, width: int) -> None:
        if self._column + width > self.columns:
            self._lines[self._row].goes_on = True
            self._column = 0
            self._feed_line()

    def _control(self, control: str) -> None:
        if control == "\r":
            self._column = 0
        elif control in "\n\v\f":
            self._lines[self._row].goes_on = False
            self._feed_line()
        elif control == "\b":
            self._column = max(min(self._column, self.columns - 1) - 1, 0)
        elif control == "\t":
            self._column = min((self._column // 8 + 1) * 8, self.columns - 1)

    def _single(self, final: str) -> None:
        if final == "7":
            self._saved = (self._row, self._column)
        elif final == "8":
            self._go(*self._saved)
        elif final in "DE":
            self._column = 0 if final == "E" else self._column
            self._feed_line()
        elif final == "M":
            if self._row == self._top:
                self._scroll(self._top, -1)
            else:
                self._go(self._row - 1, self._column)
        elif final == "c":
            self._reset()
            self._painted = True

    def _sequence(self, given: str, final: str) -> None:
        if given[:1] in ("?", ">", "=", "<"):
            if given[0] == "?" and final in "hl" and {"47", "1047", "1049"} & set(given[1:].split(";")):
                self._switch(final == "h")
            return
        numbers = [min(int(part[:_DIGITS]), _MOST) if part.isdigit() else 0 for part in given.split(";")]
        count = max(numbers[0], 1)
        if final in "ABCDEFGHfd`a":
            self._move(final, count, max(numbers[1], 1) if len(numbers) > 1 else 1)
        elif final in "JKX":
            self._erase(final, numbers[0])
        elif final in "LMST":
            self._shift(final, min(count, self.rows))
        elif final in "P@":
            self._edit_row(final, min(count, self.columns))
        elif final == "b":
            self._write(self._last * min(count, self.columns))
        elif final == "r":
            self._margins(numbers)
        elif final in "su":
            self._single("7" if final == "s" else "8")
        elif final in "nc":
            self._answer(final, numbers[0])

    def _move(self, final: str, count: int, second: int) -> None:
        if final in "Hf":
            self._painted = True
            self._go(count - 1, second - 1)
        elif final == "d":
            self._painted = True
            self._go(count - 1, self._column)
        elif final in "G`":
            self._go(self._row, count - 1)
        elif final in "Ca":
            self._go(self._row, self._column + count)
        elif final == "D":
            self._go(self._row, min(self._column, self.columns - 1) - count)
        else:
            down = count if final in "BE" else -count
            self._go(self._row + down, 0 if final in "EF" else self._column)

    def _go(self, row: int, column: int) -> None:
        self._row = min(max(row, 0), self.rows - 1)
        self._column = min(max(column, 0), self.columns - 1)
        self._from = min(self._from, self._row)

    def _erase(self, final: str, what: int) -> None:
        at = min(self._column, self.columns - 1)
        cells = self._lines[self._row].cells
        if final == "X":
            what = min(max(what, 1), self.columns - at)
            cells[at : at + what] = [" "] * what
            return
        begin, end = (0 if what else at), (at + 1 if what == 1 else self.columns)
        cells[begin:end] = [" "] * (end - begin)
        if final == "J":
            above = range(self._row) if what in (1, 2, 3) else ()
            below = range(self._row + 1, self.rows) if what in (0, 2, 3) else ()
            for row in (*above, *below):
                self._lines[row] = self._blank()

    def _shift(self, final: str, count: int) -> None:
        if final in "ST":
            self._scroll(self._top, count if final == "S" else -count)
        elif self._top <= self._row <= self._bottom:
            self._scroll(self._row, count if final == "M" else -count, off=False)

    def _edit_row(self, final: str, count: int) -> None:
        cells, at = self._lines[self._row].cells, min(self._column, self.columns - 1)
        if final == "P":
            del cells[at : at + count]
        else:
            cells[at:at] = [" "] * count
        self._lines[self._row].cells = (cells + [" "] * self.columns)[: self.columns]

    def _margins(self, numbers: list[int]) -> None:
        top = max(numbers[0], 1) - 1
        bottom = (numbers[1] if len(numbers) > 1 and numbers[1] else self.rows) - 1
        if top < bottom < self.rows:
            self._top, self._bottom = top, bottom
            self._go(0, 0)
            self._painted = True

    def _switch(self, on: bool) -> None:
        """Switch to the alternate screen, which full-screen programs use, or back."""
        if on and self._main_screen is None:
            self._main_screen = (self._lines, self._row, self._column)
            self._lines = [self._blank() for _ in range(self.rows)]
        elif not on and self._main_screen is not None:
            (self._lines, self._row, self._column), self._main_screen = self._main_screen, None
            self._from, self._painted = self._row, False

    def _answer(self, final: str, number: int) -> None:
        if len(self.answers) < _MAX_PARTIAL:
            place = b"\x1b[%d;%dR" % (self._row + 1, min(self._column, self.columns - 1) + 1)
            self.answers += b"\x1b[?1;2c" if final == "c" else {5: b"\x1b[0n", 6: place}.get(number, b"")

    def _feed_line(self) -> None:
        if self._row == self._bottom:
            self._scroll(self._top, 1)
        elif self._row < self.rows - 1:
            self._row += 1

    def _scroll(self, first: int, count: int, off: bool = True) -> None:
        """Move the lines from `first` to the lower margin up by `count`, or down if it is negative.

        If `off` is true, new lines that leave the top of the screen are kept for the next `take`.
        """
        for _ in range(min(abs(count), self.rows)):
            if count > 0:
                gone = self._lines.pop(first)
                self._lines.insert(self._bottom, self._blank())
                if off and first == 0 and self._main_screen is None:
                    self._scrolled_off(gone)
            else:
                self._lines.pop(self._bottom)
                self._lines.insert(first, self._blank())

    def _scrolled_off(self, row: _Row) -> None:
        """Keep a line that scrolled off, if it was written since the last `take`."""
        if self._from > 0:
            self._from -= 1
        else:
            self._scrolled.append(row)


def _join_rows(rows: list[_Row]) -> list[str]:
    """Return the rows as lines, with wrapped lines joined."""
    lines: list[str] = []
    begun = ""
    for row in rows:
        begun += "".join(row.cells)
        if not row.goes_on:
            lines.append(begun.rstrip())
            begun = ""
    return [*lines, begun.rstrip()] if begun else lines
