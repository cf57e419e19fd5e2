"""The question before something leaves the workspace, by its keys."""

from __future__ import annotations

from typing import Any

import pytest
from textual.app import App
from textual.pilot import Pilot
from textual.widgets import Static

from agent.permissions.approvals import Answer, Approval
from agent.tui import theme
from agent.tui.approval_screen import GRACE, ApprovalScreen, ChoiceLine
from agent.tui.hunk_screen import HunksScreen
from agent.tui.widgets.diff_view import DiffView
from tests.agent.tui.session_states import running


def hunk(path: str, at: int, lines: int = 1) -> str:
    added = "".join(f"+new {n}\n" for n in range(lines))
    header = f"diff --git a/{path} b/{path}\n--- a/{path}\n+++ b/{path}\n"
    return f"{header}@@ -{at},1 +{at},{lines} @@ def [b]f():\n-old\n{added}"


PARTS = (hunk("a.py", 1), hunk("a.py", 30, 40), hunk("tests/test_a.py", 5))
COMMAND = Approval("command", "Run this on your machine?", "git push --force [red]origin", always=("git push **",))
APPLY = Approval(
    "apply", "Apply 3 hunks?", "a.py\ntests/test_a.py", "".join(PARTS), PARTS, always=("a.py", "tests/test_a.py")
)


class Asking(App[None]):
    """One question, whose clock stands until `quiet` moves it."""

    def __init__(self, approval: Approval) -> None:
        super().__init__()
        self.approval = approval
        self.answers: list[Answer | None] = []
        self.now = 100.0

    def on_mount(self) -> None:
        theme.register(self, "dark")
        self.push_screen(ApprovalScreen(self.approval, lambda: self.now), self.answers.append)

    def quiet(self, seconds: float = GRACE) -> None:
        self.now += seconds


def answered(approval: Approval, *keys: str, size: tuple[int, int] = (80, 24)) -> Answer | None:
    """What these keys answer, pressed in time; None while nothing is answered."""
    app = Asking(approval)

    async def look(pilot: Pilot[Any]) -> Answer | None:
        for key in keys:
            app.quiet()
            await pilot.press(*(key[1:] if key.startswith("'") else [key]))
        await pilot.pause()
        return app.answers[0] if app.answers else None

    return running(app, look, size)  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("keys", "answer"),
    [
        ("y", Answer(True)),
        ("s", Answer(True, "session")),
        ("a", Answer(True, "project")),
        ("n", Answer(False)),
        ("escape", Answer(False)),
        ("enter", None),
        ("space", None),
        ("h", None),
        ("down", None),
    ],
)
def test_keys(keys: str, answer: Answer | None) -> None:
    assert answered(COMMAND, keys) == answer


@pytest.mark.slow
def test_no_with_reason() -> None:
    assert answered(COMMAND, "r", "'yes", "space", "'a", "enter") == Answer(False, reason="yes a")
    assert answered(COMMAND, "r", "enter") == Answer(False)
    assert answered(COMMAND, "r", "'ys", "escape") is None
    assert answered(COMMAND, "r", "'ys", "escape", "y") == Answer(True)


def test_what_can_be_allowed_once_only_says_why() -> None:
    approval = Approval("command", "Run this?", "curl x | sh", why="It runs [i]what is downloaded.")
    app = Asking(approval)

    async def look(pilot: Pilot[Any]) -> list[str]:
        app.quiet()
        await pilot.press("s", "a")
        return [str(each.content) for each in app.screen.query("#choices Static").results(Static)] + app.answers

    assert running(app, look) == [
        "y  yes, once",
        "It runs [i]what is downloaded.",
        "n  no; esc too, twice stops the turn",
        "r  no, and say why",
    ]


def test_keys_that_were_on_their_way_are_no_answer() -> None:
    app = Asking(COMMAND)

    async def look(pilot: Pilot[Any]) -> list[Any]:
        for key in "yes":
            app.quiet(GRACE * 0.9)
            await pilot.press(key)
        early = list(app.answers)
        app.quiet()
        await pilot.press("y")
        await pilot.pause()
        return [early, *app.answers]

    assert running(app, look) == [[], Answer(True)]


def test_esc_that_was_on_its_way_is_no_answer_either() -> None:
    app = Asking(COMMAND)

    async def look(pilot: Pilot[Any]) -> list[Any]:
        await pilot.press("escape", "enter", "n")
        return app.answers

    assert running(app, look) == []


def test_it_shows_rules_it_would_keep_and_text_as_text() -> None:
    app = Asking(COMMAND)

    async def look(pilot: Pilot[Any]) -> list[str]:
        return [str(each.content) for each in app.screen.query("#question Static").results(Static)]

    shown = running(app, look)
    assert "git push --force [red]origin" in shown
    assert "both allow: git push **" in shown


def test_escape_sequences_are_written_out() -> None:
    app = Asking(Approval("command", "Run \x1b[2Jthis?", "ls \x1b]0;x\x07", "because\x1b[1m [b]it"))

    async def look(pilot: Pilot[Any]) -> str:
        return "".join(str(each.content) for each in app.screen.query("#question Static").results(Static))

    shown = running(app, look)
    assert "\x1b" not in shown
    assert "because^[[1m [b]it" in shown


def test_choice_can_be_clicked() -> None:
    app = Asking(COMMAND)

    async def look(pilot: Pilot[Any]) -> list[Any]:
        app.quiet()
        await pilot.click(app.screen.query(ChoiceLine)[1])
        await pilot.pause()
        return app.answers

    assert running(app, look) == [Answer(True, "session")]


@pytest.mark.parametrize("size", [(40, 20), (60, 24), (100, 30), (200, 60)])
def test_every_choice_is_on_screen_whatever_its_size(size: tuple[int, int]) -> None:
    app = Asking(APPLY)

    async def look(pilot: Pilot[Any]) -> tuple[list[bool], int]:
        seen = [app.screen.region.contains_region(each.region) for each in app.screen.query(ChoiceLine)]
        return seen, app.screen.query_one(DiffView).size.height

    seen, detail = running(app, look, size)
    assert seen == [True] * 6
    assert detail >= 3


def test_long_detail_scrolls() -> None:
    app = Asking(APPLY)

    async def look(pilot: Pilot[Any]) -> float:
        app.quiet()
        await pilot.press("down", "down")
        return app.screen.query_one(DiffView).scroll_target_y

    assert running(app, look) == 2


# Hunks


@pytest.mark.parametrize(
    ("keys", "answer"),
    [
        ("h y", Answer(True)),
        ("h space y", Answer(True, chosen=(1, 2))),
        ("h down space y", Answer(True, chosen=(0, 2))),
        ("h down down space y", Answer(True, chosen=(0, 1))),
        ("h space space y", Answer(True)),
        ("h n down space y", Answer(True, chosen=(1,))),
        ("h n y", None),
        ("h n a y", Answer(True)),
        ("h space escape", None),
        ("h space escape n", Answer(False)),
        ("h enter space y", Answer(True, chosen=(1, 2))),
        ("h enter escape y", Answer(True)),
    ],
)
def test_hunks_are_taken_by_key(keys: str, answer: Answer | None) -> None:
    assert answered(APPLY, *keys.split(), size=(40, 20)) == answer


def test_one_part_is_taken_or_not_as_whole() -> None:
    assert answered(Approval("apply", "Apply?", "a.py", PARTS[0], PARTS[:1]), "h", "space", "y") == Answer(True)


def test_hunks_stand_under_their_files_and_chosen_one_is_shown() -> None:
    app = Asking(APPLY)

    async def look(pilot: Pilot[Any]) -> tuple[list[str], list[str], str]:
        app.quiet()
        await pilot.press("h", "down", "space")
        await pilot.pause()
        screen = app.screen
        assert isinstance(screen, HunksScreen)
        offered = screen._list
        rows = [str(offered.get_option_at_index(at).prompt) for at in range(offered.option_count)]
        return rows, [file.path for file in screen.query_one(DiffView).files], screen.query_one("#heading").render()

    rows, shown, heading = running(app, look)
    assert rows == [
        "a.py",
        "[x] +1 -1  @@ -1,1 +1,1 @@ def [b]f():",
        "[ ] +40 -1  @@ -30,1 +30,40 @@ def [b]f():",
        "tests/test_a.py",
        "[x] +1 -1  @@ -5,1 +5,1 @@ def [b]f():",
    ]
    assert shown == ["a.py"]
    assert str(heading) == "Apply 3 hunks? 2 of 3 hunks chosen."


@pytest.mark.slow
def test_long_hunk_is_scrolled_and_has_screen_if_wanted() -> None:
    app = Asking(APPLY)

    async def look(pilot: Pilot[Any]) -> list[float]:
        app.quiet()
        await pilot.press("h", "down")
        await pilot.pause()
        await pilot.press("j", "j", "k")
        before = app.screen.query_one(DiffView).size.height
        scrolled = app.screen.query_one(DiffView).scroll_target_y
        await pilot.press("enter")
        await pilot.pause()
        return [scrolled, app.screen.query_one(DiffView).size.height > before]

    assert running(app, look, (40, 20)) == [1, True]


def rows(app: Asking) -> str:
    """What stands on the screen."""
    lines = app.screen._compositor.render_strips()
    return "\n".join("".join(segment.text for segment in line).rstrip() for line in lines)


@pytest.mark.parametrize(
    ("command", "shown"),
    [
        ("rm -rf ~/x #\recho hello", "rm -rf ~/x #\\recho hello"),
        ("rm -rf x #" + "\b" * 10 + "ls", "rm -rf x #^H^H^H^H^H^H^H^H^H^Hls"),
        ("echo hi \x1b]0; rm -rf ~/x #\x07", "echo hi ^[]0; rm -rf ~/x #^G"),
        ("echo \u202egpj", "echo U+202Egpj"),
        ("cat <<E\ndiff --git a/logo.png b/logo.png\nGIT binary patch\nE\nevil|sh", "evil|sh"),
        ("cat <<E\n@@ -1,1 +1,1 @@\nindex 1;evil|sh", "index 1;evil|sh"),
    ],
)
def test_command_that_is_shown_is_one_that_runs(command: str, shown: str) -> None:
    app = Asking(Approval("command", "Run this?", command))

    async def look(pilot: Pilot[Any]) -> str:
        return rows(app)

    assert shown in running(app, look)


@pytest.mark.slow
@pytest.mark.parametrize("size", [(80, 24), (40, 20)], ids=str)
@pytest.mark.parametrize(
    "command",
    ["echo " + "a" * 3000 + "; evil|sh", "\n".join([*map("echo {}".format, range(60)), "evil|sh"])],
    ids=["line", "lines"],
)
@pytest.mark.parametrize("kept", [True, False], ids=["rule", "once"])
def test_command_is_shown_whole_and_choices_stay(command: str, size: tuple[int, int], kept: bool) -> None:
    rule = (f"command exactly {command}",) if kept else ()
    app = Asking(Approval("command", "Run this command on this machine?", command, always=rule, why="Why. " * 20))

    async def look(pilot: Pilot[Any]) -> list[str]:
        first = rows(app)
        app.quiet()
        await pilot.press("end")
        await pilot.pause()
        return [first, rows(app)]

    first, last = running(app, look, size)
    for words in ("y  yes, once", "n  no; esc too", "r  no, and say why"):
        assert words in first
        assert words in last
    assert "echo" in first
    assert "evil|sh" in last


def test_what_comes_before_question_is_seen_is_no_answer() -> None:
    """Its time to be read begins with its first picture, not when it is thought of."""
    app = Asking(COMMAND)
    screen = ApprovalScreen(COMMAND, lambda: app.now)
    app.quiet(60)
    assert screen.is_early()


@pytest.mark.slow
def test_click_that_was_on_its_way_is_no_answer() -> None:
    app = Asking(COMMAND)

    async def look(pilot: Pilot[Any]) -> list[Any]:
        await pilot.click(app.screen.query(ChoiceLine).first())
        early = list(app.answers)
        app.quiet()
        await pilot.click(app.screen.query(ChoiceLine).first())
        await pilot.pause()
        return [early, *app.answers]

    assert running(app, look) == [[], Answer(True)]


def test_edit_of_gits_own_files_is_shown_as_text() -> None:
    old, new = "- diff --git a/x b/x\n- @@ -1 +1 @@", "+ GIT binary patch\n+ fsmonitor = evil"
    edit = Approval("command", "Change it?", "edit .git/config", f"{old}\n@@ -1 +1 @@\n{new}")
    app = Asking(edit)

    async def look(pilot: Pilot[Any]) -> tuple[int, str]:
        return len(app.screen.query(DiffView)), rows(app)

    diffs, shown = running(app, look)
    assert diffs == 0
    assert all(line in shown for line in ("edit .git/config", *old.split("\n"), *new.split("\n")))


@pytest.mark.parametrize("size", [(80, 24), (40, 20)], ids=str)
def test_commits_message_that_looks_like_diff_is_shown_whole(size: tuple[int, int]) -> None:
    message = "Fix\n\ndiff --git a/logo.png b/logo.png\nGIT binary patch\nindex 1;hidden\n\\ hidden too"
    app = Asking(Approval("commit", "Commit 1 file?", "a.py", PARTS[0], message=message))

    async def look(pilot: Pilot[Any]) -> list[str]:
        shown = rows(app)
        app.screen.query_one("#message").scroll_end(animate=False)
        await pilot.pause()
        return [shown, rows(app)]

    first, last = running(app, look, size)
    assert "diff --git a/logo.png" in first
    assert "index 1;hidden" in first + last
    assert "\\ hidden too" in last
    assert "y  yes, once" in last
    assert "-old" in last or "old" in last


def test_long_message_leaves_room_for_choices() -> None:
    app = Asking(Approval("commit", "Commit 1 file?", "a.py", PARTS[0], message="\n".join(map(str, range(200)))))

    async def look(pilot: Pilot[Any]) -> str:
        return rows(app)

    assert "n  no; esc too" in running(app, look, (40, 20))
