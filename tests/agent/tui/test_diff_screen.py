"""The screen of a diff, by its keys."""

from __future__ import annotations

from typing import Any

import pytest
from textual.app import App
from textual.geometry import Offset
from textual.pilot import Pilot
from textual.selection import Selection
from textual.widgets import Input, OptionList, Static

from agent.tui import theme
from agent.tui.diff_screen import DiffScreen
from agent.tui.widgets.diff_view import DiffView
from tests.agent.tui.session_states import running

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
    """So many files with so many new lines each."""
    return "".join(
        f"diff --git a/f{n}.py b/f{n}.py\nnew file mode 100644\n--- /dev/null\n+++ b/f{n}.py\n@@ -0,0 +1,{lines} @@\n"
        + "".join(f"+def line_{at}(x): return x * {n}\n" for at in range(lines))
        for n in range(files)
    )


class Shown(App[None]):
    def __init__(self, diff: str, path: str = "") -> None:
        super().__init__()
        self.shown = DiffScreen(diff, "Diff of turn 1", path)

    def on_mount(self) -> None:
        theme.register(self, "dark")
        self.push_screen(self.shown)


def lines(pilot: Pilot[Any]) -> list[str]:
    view = pilot.app.screen.query_one(DiffView)
    return [view.render_line(y).text.rstrip() for y in range(view.size.height)]


def title(pilot: Pilot[Any]) -> str:
    return str(pilot.app.screen.query_one("#title", Static).content)


def test_all_is_told_and_nothing_obeyed() -> None:
    async def look(pilot: Pilot[Any]) -> list[str]:
        return lines(pilot)

    assert running(Shown(SMALL), look, (120, 24))[:14] == [
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


def test_side_by_side_where_there_is_room() -> None:
    async def look(pilot: Pilot[Any]) -> tuple[list[str], list[str]]:
        wide = lines(pilot)
        await pilot.press("s")
        return wide, lines(pilot)

    wide, narrow = running(Shown(SMALL), look, (160, 24))
    assert wide[3].split("  ")[0] == '2 - def old(): return "[red]"'
    assert wide[3].endswith('2 + def new(): return "^[[31mredU+202E"')
    assert narrow[3] == '2   - def old(): return "[red]"'


def test_files_are_gone_through() -> None:
    async def look(pilot: Pilot[Any]) -> list[str]:
        seen = [title(pilot)]
        for key in ("n", "n", "n", "p"):
            await pilot.press(key)
            await pilot.pause()
            seen.append(title(pilot))
        return seen

    told = [words.split(" · ")[:2] for words in running(Shown(SMALL), look, (120, 30))]
    assert told == [
        ["1 of 3", "a.py"],
        ["2 of 3", "logo.png"],
        ["3 of 3", "now.sh"],
        ["3 of 3", "now.sh"],
        ["2 of 3", "logo.png"],
    ]


def test_it_begins_with_file_that_was_chosen() -> None:
    async def look(pilot: Pilot[Any]) -> str:
        await pilot.pause()
        return lines(pilot)[0]

    assert running(Shown(large(3, 50), "f2.py"), look) == "A f2.py  +50 -0"


def test_file_of_list_is_gone_to() -> None:
    async def look(pilot: Pilot[Any]) -> str:
        files = pilot.app.screen.query_one("#files", OptionList)
        files.focus()
        files.highlighted = 2
        await pilot.press("enter")
        await pilot.pause()
        return lines(pilot)[0]

    assert running(Shown(large(4, 50)), look, (120, 24)) == "A f2.py  +50 -0"


@pytest.mark.slow
def test_search_goes_round() -> None:
    async def look(pilot: Pilot[Any]) -> list[str]:
        await pilot.press("slash", *"Line_47", "enter")
        await pilot.pause()
        view, seen = pilot.app.screen.query_one(DiffView), []
        for key in ("enter", "enter", "up", "down"):
            seen.append(view.place_found())
            await pilot.press(key)
            await pilot.pause()
        seen.append(view.place_found())
        await pilot.press("escape")
        assert pilot.app.screen.focused is view
        return seen

    assert running(Shown(large(2, 50)), look) == [(0, 48), (1, 48), (0, 48), (1, 48), (0, 48)]


def test_what_is_not_found_is_told() -> None:
    async def look(pilot: Pilot[Any]) -> str:
        await pilot.press("slash", *"nowhere", "enter")
        return title(pilot)

    assert running(Shown(SMALL), look) == "'nowhere' not found"


@pytest.mark.parametrize("key", ["q", "escape"])
def test_it_closes(key: str) -> None:
    async def look(pilot: Pilot[Any]) -> int:
        await pilot.press(key)
        await pilot.pause()
        return len(pilot.app.screen_stack)

    assert running(Shown(SMALL), look) == 1


@pytest.mark.slow
def test_letters_go_into_search() -> None:
    async def look(pilot: Pilot[Any]) -> str:
        await pilot.press("slash", *"qnsp")
        return pilot.app.screen.query_one("#words", Input).value

    assert running(Shown(SMALL), look) == "qnsp"


@pytest.mark.slow
def test_only_what_is_seen_is_coloured() -> None:
    async def look(pilot: Pilot[Any]) -> tuple[int, int, str]:
        view = pilot.app.screen.query_one(DiffView)
        rows = view.virtual_size.height
        await pilot.press("end")
        await pilot.pause()
        return rows, view.coloured, lines(pilot)[-1]

    diff = large(40, 4000)
    assert len(diff) > 5_000_000
    rows, coloured, last = running(Shown(diff), look, (80, 40))
    assert rows == 40 * 4002 + 39
    assert coloured <= 1000
    assert last == "     4000 + def line_3999(x): return x * 39"


def test_what_is_selected_has_no_numbers() -> None:
    async def look(pilot: Pilot[Any]) -> list[str]:
        view = pilot.app.screen.query_one(DiffView)
        some = view.get_selection(Selection(Offset(4, 3), Offset(7, 4)))
        assert some is not None
        whole = view.get_selection(Selection(None, None))
        assert whole is not None
        return [some[0], whole[0].splitlines()[4]]

    assert running(Shown(SMALL), look) == ['old(): return "[red]"\ndef new', 'def new(): return "^[[31mredU+202E"']


def test_line_of_megabyte_is_cut() -> None:
    async def look(pilot: Pilot[Any]) -> tuple[int, str]:
        view = pilot.app.screen.query_one(DiffView)
        view.scroll_to(x=view.virtual_size.width, animate=False)
        await pilot.pause()
        return view.virtual_size.width, lines(pilot)[2]

    diff = "--- a/min.js\n+++ b/min.js\n@@ -1 +1 @@\n+" + "x=1;" * 250_000 + "\n"
    width, shown = running(Shown(diff), look)
    assert width < 2100
    assert "more characters" in shown


@pytest.mark.slow
@pytest.mark.parametrize(("diff", "told"), [("", "no changes"), ("words, no diff", "Diff of turn 1")])
def test_what_is_no_diff_is_shown_too(diff: str, told: str) -> None:
    async def look(pilot: Pilot[Any]) -> str:
        await pilot.press("n", "p", "s", "end", "slash", "x", "enter")
        return title(pilot) if diff else str(pilot.app.screen.query_one("#title", Static).content)

    async def before(pilot: Pilot[Any]) -> str:
        return title(pilot)

    assert told in running(Shown(diff), before)
    running(Shown(diff), look)
