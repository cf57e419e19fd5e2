"""The diff screen and its keys."""

from __future__ import annotations

from typing import Any

import pytest
from rich.cells import cell_len
from textual.app import App
from textual.geometry import Offset
from textual.pilot import Pilot
from textual.selection import Selection
from textual.widgets import Input, OptionList, Static

from extensions.interactive.tui import theme
from extensions.interactive.tui.diff_screen import DiffScreen
from extensions.interactive.tui.widgets.diff_view import DiffView
from tests.extensions.interactive.tui.session_states import run_app

SMALL = """\
diff --git a/a.py b/a.py
--- a/a.py
+++ b/a.py
@@ -1,3 +1,3 @@ class [b]C:
 x = 1
-def old(): return "[red]"
+def new(): return "\x1b[31mred\u202e"
 y\t= 2
diff --git a/logo.png b/logo.png
Binary files a/logo.png and b/logo.png differ
diff --git a/was.sh b/now.sh
old mode 100644
new mode 100755
similarity index 100%
rename from was.sh
rename to now.sh
"""


def large(files: int, lines: int) -> str:
    """A diff of so many files with so many new lines each."""
    return "".join(
        f"diff --git a/f{n}.py b/f{n}.py\nnew file mode 100644\n--- /dev/null\n+++ b/f{n}.py\n@@ -0,0 +1,{lines} @@\n"
        + "".join(f"+def line_{at}(x): return x * {n}\n" for at in range(lines))
        for n in range(files)
    )


class DiffApp(App[None]):
    def __init__(self, diff: str, path: str = "") -> None:
        super().__init__()
        self.diff_screen = DiffScreen(diff, "Diff of turn 1", path)

    def on_mount(self) -> None:
        theme.register(self, "dark")
        self.push_screen(self.diff_screen)


def lines(pilot: Pilot[Any]) -> list[str]:
    view = pilot.app.screen.query_one(DiffView)
    return [view.render_line(y).text.rstrip() for y in range(view.size.height)]


def title(pilot: Pilot[Any]) -> str:
    return str(pilot.app.screen.query_one("#title", Static).content)


def test_diff_shows_all_changes_and_escapes_control_characters() -> None:
    async def interact(pilot: Pilot[Any]) -> list[str]:
        return lines(pilot)

    assert run_app(DiffApp(SMALL), interact, (120, 24))[:14] == [
        "M a.py  +1 -1",
        "@@ -1,3 +1,3 @@ class [b]C:",
        "1 1   x = 1",
        '2   - def old(): return "[red]"',
        '  2 + def new(): return "^[[31mredU+202E"',
        "3 3   y   = 2",
        "",
        "M logo.png  binary",
        "  binary file",
        "",
        "R now.sh  +0 -0",
        "  mode 100644 becomes 100755",
        "  renamed from was.sh",
        "",
    ]


def test_diff_is_side_by_side_on_wide_screen() -> None:
    async def interact(pilot: Pilot[Any]) -> tuple[list[str], list[str]]:
        wide = lines(pilot)
        await pilot.press("s")
        return wide, lines(pilot)

    wide, narrow = run_app(DiffApp(SMALL), interact, (160, 24))
    assert wide[3].split("  ")[0] == '2 - def old(): return "[red]"'
    assert wide[3].endswith('2 + def new(): return "^[[31mredU+202E"')
    assert narrow[3] == '2   - def old(): return "[red]"'


@pytest.mark.slow
def test_n_and_p_move_between_files() -> None:
    async def interact(pilot: Pilot[Any]) -> list[str]:
        titles = [title(pilot)]
        for key in ("n", "n", "n", "p"):
            await pilot.press(key)
            await pilot.pause()
            titles.append(title(pilot))
        return titles

    titles = [title.split(" · ")[:2] for title in run_app(DiffApp(SMALL), interact, (120, 30))]
    assert titles == [
        ["1 of 3", "a.py"],
        ["2 of 3", "logo.png"],
        ["3 of 3", "now.sh"],
        ["3 of 3", "now.sh"],
        ["2 of 3", "logo.png"],
    ]


def test_screen_opens_at_chosen_file() -> None:
    async def interact(pilot: Pilot[Any]) -> str:
        await pilot.pause()
        return lines(pilot)[0]

    assert run_app(DiffApp(large(3, 50), "f2.py"), interact) == "A f2.py  +50 -0"


def test_file_selected_in_list_is_shown() -> None:
    async def interact(pilot: Pilot[Any]) -> str:
        files = pilot.app.screen.query_one("#files", OptionList)
        files.focus()
        files.highlighted = 2
        await pilot.press("enter")
        await pilot.pause()
        return lines(pilot)[0]

    assert run_app(DiffApp(large(4, 50)), interact, (120, 24)) == "A f2.py  +50 -0"


@pytest.mark.slow
def test_search_wraps_around() -> None:
    async def interact(pilot: Pilot[Any]) -> list[str]:
        await pilot.press("slash", *"Line_47", "enter")
        await pilot.pause()
        view, positions = pilot.app.screen.query_one(DiffView), []
        for key in ("enter", "enter", "up", "down"):
            positions.append(view.match_position())
            await pilot.press(key)
            await pilot.pause()
        positions.append(view.match_position())
        await pilot.press("escape")
        assert pilot.app.screen.focused is view
        return positions

    assert run_app(DiffApp(large(2, 50)), interact) == [(0, 48), (1, 48), (0, 48), (1, 48), (0, 48)]


@pytest.mark.slow
def test_unsuccessful_search_is_reported() -> None:
    async def interact(pilot: Pilot[Any]) -> str:
        await pilot.press("slash", *"nowhere", "enter")
        return title(pilot)

    assert run_app(DiffApp(SMALL), interact) == "'nowhere' not found"


@pytest.mark.parametrize("key", ["q", "escape"])
def test_key_closes_screen(key: str) -> None:
    async def interact(pilot: Pilot[Any]) -> int:
        await pilot.press(key)
        await pilot.pause()
        return len(pilot.app.screen_stack)

    assert run_app(DiffApp(SMALL), interact) == 1


@pytest.mark.slow
def test_letters_are_typed_into_open_search() -> None:
    async def interact(pilot: Pilot[Any]) -> str:
        await pilot.press("slash", *"qnsp")
        return pilot.app.screen.query_one("#words", Input).value

    assert run_app(DiffApp(SMALL), interact) == "qnsp"


@pytest.mark.slow
def test_only_visible_rows_are_highlighted() -> None:
    async def interact(pilot: Pilot[Any]) -> tuple[int, int, str]:
        view = pilot.app.screen.query_one(DiffView)
        rows = view.virtual_size.height
        await pilot.press("end")
        await pilot.pause()
        return rows, view.coloured, lines(pilot)[-1]

    diff = large(40, 4000)
    assert len(diff) > 5_000_000
    rows, coloured, last = run_app(DiffApp(diff), interact, (80, 40))
    assert rows == 40 * 4002 + 39
    assert coloured <= 1000
    assert last == "     4000 + def line_3999(x): return x * 39"


def test_selected_text_has_no_line_numbers() -> None:
    async def interact(pilot: Pilot[Any]) -> list[str]:
        view = pilot.app.screen.query_one(DiffView)
        part = view.get_selection(Selection(Offset(4, 3), Offset(7, 4)))
        assert part is not None
        whole = view.get_selection(Selection(None, None))
        assert whole is not None
        return [part[0], whole[0].splitlines()[4]]

    assert run_app(DiffApp(SMALL), interact) == [
        'old(): return "[red]"\ndef new',
        'def new(): return "^[[31mredU+202E"',
    ]


@pytest.mark.slow
@pytest.mark.parametrize("sign", ["word", "日本"])
@pytest.mark.parametrize("width", [50, 51, 80, 160])
def test_long_line_is_wrapped(width: int, sign: str) -> None:
    words = " ".join(f"{sign}{n}" for n in range(100))
    diff = f"--- a/a.txt\n+++ b/a.txt\n@@ -1 +1 @@\n-old\n+{words}\n"

    async def interact(pilot: Pilot[Any]) -> tuple[list[str], str]:
        view = pilot.app.screen.query_one(DiffView)
        view.screen.selections = {view: Selection(None, None)}
        await pilot.pause()
        return lines(pilot), view.get_selection(Selection(None, None))[0]  # type: ignore[index]

    shown, copied = run_app(DiffApp(diff), interact, size=(width, 40))
    first = next(number for number, line in enumerate(shown) if f"{sign}0" in line)
    text = "".join(line.partition("+ ")[2] or line.strip() for line in shown[first:])
    assert words.replace(" ", "") in text.replace(" ", ""), "no character is hidden, also not by the scrollbar"
    assert all(cell_len(line) < width for line in shown)
    assert words in copied, "a wrapped line is copied as one"


@pytest.mark.slow
def test_very_long_line_is_truncated() -> None:
    async def interact(pilot: Pilot[Any]) -> tuple[int, str]:
        view = pilot.app.screen.query_one(DiffView)
        await pilot.press("w")
        assert lines(pilot)[2].endswith("…"), "a cut line is marked"
        view.scroll_to(x=view.virtual_size.width, animate=False)
        await pilot.pause()
        return view.virtual_size.width, lines(pilot)[2]

    diff = "--- a/min.js\n+++ b/min.js\n@@ -1 +1 @@\n+" + "x=1;" * 250_000 + "\n"
    width, line = run_app(DiffApp(diff), interact)
    assert width < 2100
    assert "more characters" in line


@pytest.mark.slow
@pytest.mark.parametrize(("diff", "expected"), [("", "no changes"), ("words, no diff", "Diff of turn 1")])
def test_text_that_is_no_diff_is_shown(diff: str, expected: str) -> None:
    async def interact(pilot: Pilot[Any]) -> str:
        await pilot.press("n", "p", "s", "end", "slash", "x", "enter")
        return title(pilot) if diff else str(pilot.app.screen.query_one("#title", Static).content)

    async def read_title(pilot: Pilot[Any]) -> str:
        return title(pilot)

    assert expected in run_app(DiffApp(diff), read_title)
    run_app(DiffApp(diff), interact)
