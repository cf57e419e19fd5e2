"""How seldom is drawn what grows, the longer drawing takes."""

from __future__ import annotations

from collections.abc import Callable

from agent.tui.rendering.redraw_pace import LONGEST, REST, TYPING, Pace


class Drawing:
    """Draws in no time but that which `takes` says; what is to be called later waits for `pass_by`."""

    def __init__(self) -> None:
        self.now = 100.0
        self.drawn: list[float] = []
        self.later: list[tuple[float, Callable[[], None]]] = []
        self.takes = 0.01
        self.pace = Pace(self.draw, lambda wait, do: self.later.append((self.now + wait, do)), lambda: self.now)

    def draw(self) -> None:
        self.drawn.append(self.now)
        self.pace.begins()
        self.now += self.takes
        self.pace.ended()

    def pass_by(self, seconds: float) -> None:
        end = self.now + seconds
        for at, do in [each for each in self.later if each[0] <= end]:
            self.later.remove((at, do))
            self.now = max(self.now, at)
            do()
        self.now = max(self.now, end)


def test_what_grows_is_drawn_at_once_and_then_once_for_all_that_grew() -> None:
    drawing = Drawing()
    for _ in range(50):
        drawing.pace.wanted()
    assert drawing.drawn == [100.0]
    drawing.pass_by(REST * 0.01 * 2)
    assert len(drawing.drawn) == 2
    assert not drawing.later


def test_after_rest_it_is_drawn_at_once_again() -> None:
    drawing = Drawing()
    drawing.pace.wanted()
    drawing.pass_by(1.0)
    drawing.pace.wanted()
    assert len(drawing.drawn) == 2
    assert not drawing.later


def test_keys_have_most_of_time_but_what_is_new_never_waits_for_long() -> None:
    drawing = Drawing()
    for drawing.takes in (0.05, 10.0):
        drawing.pass_by(LONGEST)
        drawing.pace.wanted()
        ended = drawing.now
        drawing.pace.wanted()
        ((due, _),) = drawing.later
        assert abs(due - ended - min(LONGEST, REST * drawing.takes)) < 1e-6


def test_while_keys_come_it_is_drawn_seldomer_still() -> None:
    drawing = Drawing()
    drawing.pace.wanted()
    ended = drawing.now
    drawing.pace.wanted()
    while len(drawing.drawn) < 2:
        drawing.pace.typed()
        drawing.pass_by(0.001)
    assert abs(drawing.drawn[1] - ended - TYPING * drawing.takes) < 0.01
