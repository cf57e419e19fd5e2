"""The pace of redraws: the longer a drawing takes, the longer the pause after it."""

from __future__ import annotations

from collections.abc import Callable

from extensions.interactive.tui.rendering.redraw_pace import LONGEST, REST, TYPING, Pace


class FakeDrawing:
    """Drawing that takes `duration` seconds of a fake clock; `advance` moves the clock and runs the timers."""

    def __init__(self) -> None:
        self.now = 100.0
        self.drawn: list[float] = []
        self.timers: list[tuple[float, Callable[[], None]]] = []
        self.duration = 0.01
        self.pace = Pace(self.draw, lambda wait, do: self.timers.append((self.now + wait, do)), lambda: self.now)

    def draw(self) -> None:
        self.drawn.append(self.now)
        self.pace.redraw_started()
        self.now += self.duration
        self.pace.redraw_ended()

    def advance(self, seconds: float) -> None:
        end = self.now + seconds
        for at, do in [each for each in self.timers if each[0] <= end]:
            self.timers.remove((at, do))
            self.now = max(self.now, at)
            do()
        self.now = max(self.now, end)


def test_changes_during_pause_are_drawn_together() -> None:
    drawing = FakeDrawing()
    for _ in range(50):
        drawing.pace.wanted()
    assert drawing.drawn == [100.0]
    drawing.advance(REST * 0.01 * 2)
    assert len(drawing.drawn) == 2
    assert not drawing.timers


def test_change_after_pause_is_drawn_at_once() -> None:
    drawing = FakeDrawing()
    drawing.pace.wanted()
    drawing.advance(1.0)
    drawing.pace.wanted()
    assert len(drawing.drawn) == 2
    assert not drawing.timers


def test_pause_grows_with_drawing_time_up_to_limit() -> None:
    drawing = FakeDrawing()
    for drawing.duration in (0.05, 10.0):
        drawing.advance(LONGEST)
        drawing.pace.wanted()
        ended = drawing.now
        drawing.pace.wanted()
        ((due, _),) = drawing.timers
        assert abs(due - ended - min(LONGEST, REST * drawing.duration)) < 1e-6


def test_pause_is_longer_while_user_types() -> None:
    drawing = FakeDrawing()
    drawing.pace.wanted()
    ended = drawing.now
    drawing.pace.wanted()
    while len(drawing.drawn) < 2:
        drawing.pace.typed()
        drawing.advance(0.001)
    assert abs(drawing.drawn[1] - ended - TYPING * drawing.duration) < 0.01
