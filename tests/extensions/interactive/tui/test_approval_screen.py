"""The approval dialog and its keys."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from textual.app import App
from textual.pilot import Pilot
from textual.widgets import Static

from agent.permissions.approvals import Answer, Approval
from extensions.interactive.tui import theme
from extensions.interactive.tui.approval_screen import GRACE, LOW, ApprovalScreen, ChoiceLine
from extensions.interactive.tui.hunk_screen import HunksScreen
from extensions.interactive.tui.widgets.diff_view import DiffView
from tests.extensions.interactive.tui.session_states import run_app


def hunk(path: str, at: int, lines: int = 1) -> str:
    added = "".join(f"+new {n}\n" for n in range(lines))
    header = f"diff --git a/{path} b/{path}\n--- a/{path}\n+++ b/{path}\n"
    return f"{header}@@ -{at},1 +{at},{lines} @@ def [b]f():\n-old\n{added}"


PARTS = (hunk("a.py", 1), hunk("a.py", 30, 40), hunk("tests/test_a.py", 5))
COMMAND = Approval("command", "Run this on your machine?", "git push --force [red]origin", always=("git push **",))
APPLY = Approval(
    "apply", "Apply 3 hunks?", "a.py\ntests/test_a.py", "".join(PARTS), PARTS, always=("a.py", "tests/test_a.py")
)


class ApprovalApp(App[None]):
    """An app with one approval dialog; its clock only advances with `wait`."""

    def __init__(self, approval: Approval, was_typing: bool = False) -> None:
        super().__init__()
        self.approval, self.was_typing = approval, was_typing
        self.answers: list[Answer | None] = []
        self.now = 100.0

    def on_mount(self) -> None:
        theme.register(self, "dark")
        self.push_screen(ApprovalScreen(self.approval, lambda: self.now, self.was_typing), self.answers.append)

    def wait(self, seconds: float = GRACE) -> None:
        self.now += seconds


def answer_after_keys(approval: Approval, *keys: str, size: tuple[int, int] = (80, 24)) -> Answer | None:
    """The answer after these keys, each pressed after the grace period; None without an answer."""
    app = ApprovalApp(approval)

    async def interact(pilot: Pilot[Any]) -> Answer | None:
        for key in keys:
            app.wait()
            await pilot.press(*(key[1:] if key.startswith("'") else [key]))
        await pilot.pause()
        return app.answers[0] if app.answers else None

    return run_app(app, interact, size)  # type: ignore[no-any-return]


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
def test_key_gives_answer(keys: str, answer: Answer | None) -> None:
    assert answer_after_keys(COMMAND, keys) == answer


@pytest.mark.slow
def test_rejection_can_have_reason() -> None:
    assert answer_after_keys(COMMAND, "r", "'yes", "space", "'a", "enter") == Answer(False, reason="yes a")
    assert answer_after_keys(COMMAND, "r", "enter") == Answer(False)
    assert answer_after_keys(COMMAND, "r", "'ys", "escape") is None
    assert answer_after_keys(COMMAND, "r", "'ys", "escape", "y") == Answer(True)


def test_approval_for_one_use_shows_reason() -> None:
    approval = Approval("command", "Run this?", "curl x | sh", why="It runs [i]what is downloaded.")
    app = ApprovalApp(approval)

    async def interact(pilot: Pilot[Any]) -> list[str]:
        app.wait()
        await pilot.press("s", "a")
        return [str(each.content) for each in app.screen.query("#choices Static, .aside").results(Static)] + app.answers

    assert run_app(app, interact) == [
        "y  yes, once",
        "n  no; esc too, twice stops the turn",
        "r  no, and say why",
        "It runs [i]what is downloaded.",
    ]


def test_keys_pressed_too_early_are_ignored() -> None:
    app = ApprovalApp(COMMAND)

    async def interact(pilot: Pilot[Any]) -> list[Any]:
        for key in "yes":
            app.wait(GRACE * 0.9)
            await pilot.press(key)
        answers_before = list(app.answers)
        app.wait()
        await pilot.press("y")
        await pilot.pause()
        return [answers_before, *app.answers]

    assert run_app(app, interact) == [[], Answer(True)]


def test_typed_letters_are_no_answers_until_enter() -> None:
    app = ApprovalApp(COMMAND, was_typing=True)

    async def interact(pilot: Pilot[Any]) -> list[Any]:
        for key in "asyn":
            app.wait()
            await pilot.press(key)
        app.wait()
        await pilot.pause()
        answers_before = list(app.answers)
        await pilot.press("enter")
        app.wait()
        await pilot.press("y")
        await pilot.pause()
        return [answers_before, *app.answers]

    assert run_app(app, interact) == [[], Answer(True)]


def test_escape_pressed_too_early_is_ignored() -> None:
    app = ApprovalApp(COMMAND)

    async def interact(pilot: Pilot[Any]) -> list[Any]:
        await pilot.press("escape", "enter", "n")
        return app.answers

    assert run_app(app, interact) == []


def test_screen_shows_proposed_rules_and_plain_text() -> None:
    app = ApprovalApp(COMMAND)

    async def interact(pilot: Pilot[Any]) -> list[str]:
        return [str(each.content) for each in app.screen.query("#question Static").results(Static)]

    output = run_app(app, interact)
    assert "git push --force [red]origin" in output
    assert "s and a allow from now on: git push **" in output


def test_hosts_are_shown_once_and_after_commands() -> None:
    hosts = [f"host{number}.example.org" for number in range(6)]
    app = ApprovalApp(
        Approval("network", "Set up the tests?", "\n".join(hosts), "In python:3.13:\npip install x", always=("*",))
    )

    async def interact(pilot: Pilot[Any]) -> str:
        return screen_text(app)

    output = run_app(app, interact, (100, 40))
    assert all(output.count(host) == 1 for host in hosts)
    assert output.index("pip install x") < output.index("Reachable hosts:") < output.index(hosts[0])


def test_escape_sequences_are_shown_as_text() -> None:
    app = ApprovalApp(Approval("command", "Run \x1b[2Jthis?", "ls \x1b]0;x\x07", "because\x1b[1m [b]it"))

    async def interact(pilot: Pilot[Any]) -> str:
        return "".join(str(each.content) for each in app.screen.query("#question Static").results(Static))

    output = run_app(app, interact)
    assert "\x1b" not in output
    assert "because^[[1m [b]it" in output


def test_choice_can_be_clicked() -> None:
    app = ApprovalApp(COMMAND)

    async def interact(pilot: Pilot[Any]) -> list[Any]:
        app.wait()
        await pilot.click(app.screen.query(ChoiceLine)[1])
        await pilot.pause()
        return app.answers

    assert run_app(app, interact) == [Answer(True, "session")]


@pytest.mark.parametrize("size", [(40, 20), (60, 24), (100, 30), (200, 60)])
def test_all_choices_are_visible_at_any_screen_size(size: tuple[int, int]) -> None:
    app = ApprovalApp(APPLY)

    async def interact(pilot: Pilot[Any]) -> tuple[list[bool], int]:
        visible = [app.screen.region.contains_region(each.region) for each in app.screen.query(ChoiceLine)]
        return visible, app.screen.query_one(DiffView).size.height

    visible, diff_height = run_app(app, interact, size)
    assert visible == [True] * 6
    assert diff_height >= 3


def test_long_detail_scrolls() -> None:
    app = ApprovalApp(APPLY)

    async def interact(pilot: Pilot[Any]) -> float:
        app.wait()
        await pilot.press("down", "down")
        return app.screen.query_one(DiffView).scroll_target_y

    assert run_app(app, interact) == 2


# Commit messages

COMMIT = Approval("commit", "Commit 1 file on main as Ada?", "a.py", PARTS[0], message="Fix a\n\nIt was broken.")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("keys", "answer"),
    [
        ("y", Answer(True)),
        ("e ! escape y", Answer(True, message="Fix a\n\nIt was broken.!")),
        ("e enter y escape e n escape y", Answer(True, message="Fix a\n\nIt was broken.\nyn")),
        ("e ! escape n", Answer(False)),
        ("e f7 backspace escape y", Answer(True)),
    ],
)
def test_message_is_edited_in_screen(keys: str, answer: Answer) -> None:
    assert answer_after_keys(COMMIT, *keys.split()) == answer


def test_editing_shows_how_to_leave() -> None:
    app = ApprovalApp(COMMIT)

    async def interact(pilot: Pilot[Any]) -> str:
        app.wait()
        await pilot.press("e")
        return screen_text(app)

    assert "esc: back with your changes · ctrl-g: your editor" in run_app(app, interact)


@pytest.mark.slow
def test_message_is_edited_in_editor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    editor = tmp_path / "editor"
    editor.write_text('#!/bin/sh\nprintf "more\\n" >> "$1"\n')
    editor.chmod(0o755)
    monkeypatch.setenv("EDITOR", str(editor))
    monkeypatch.delenv("VISUAL", raising=False)
    monkeypatch.setattr(ApprovalApp, "suspend", nullcontext)
    answer = answer_after_keys(COMMIT, "e", "ctrl+g", "escape", "y")
    assert answer == Answer(True, message="Fix a\n\nIt was broken.more")


def test_only_commits_have_message_to_edit() -> None:
    assert answer_after_keys(COMMAND, "e", "ctrl+g") is None


@pytest.mark.slow
@pytest.mark.parametrize("size", [(40, 20), (80, 24), (120, 40)])
def test_question_about_commit_is_visible_as_whole(size: tuple[int, int]) -> None:
    long = "Fix a\n\n" + "\n".join(f"line {n}" for n in range(20))
    paths = "\n".join(f"{name}.py" for name in "abcdefgh")
    app = ApprovalApp(
        Approval("commit", "Commit 8 files?", paths, "".join(PARTS), message=long, always=("commit a.py",))
    )

    async def interact(pilot: Pilot[Any]) -> list[str]:
        visible = app.screen.region
        widgets = [*app.screen.query("#title, #subject, #message, #detail, ChoiceLine, .aside")]
        assert len(widgets) == 11
        return [str(each.id) for each in widgets if not each.size or not visible.contains_region(each.region)]

    assert run_app(app, interact, size) == (["subject"] if size[1] < LOW else [])


@pytest.mark.parametrize(("size", "columns"), [((60, 40), 1), ((80, 24), 2), ((120, 40), 2)])
def test_choices_use_two_columns_on_wide_screens(size: tuple[int, int], columns: int) -> None:
    app = ApprovalApp(COMMIT)

    async def interact(pilot: Pilot[Any]) -> int:
        return len({each.region.x for each in app.screen.query(ChoiceLine)})

    assert run_app(app, interact, size) == columns


# Hunks


@pytest.mark.slow
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
def test_keys_choose_hunks(keys: str, answer: Answer | None) -> None:
    assert answer_after_keys(APPLY, *keys.split(), size=(40, 20)) == answer


def test_single_hunk_cannot_be_deselected() -> None:
    assert answer_after_keys(Approval("apply", "Apply?", "a.py", PARTS[0], PARTS[:1]), "h", "space", "y") == Answer(
        True
    )


@pytest.mark.slow
def test_hunks_are_grouped_by_file_and_highlighted_one_is_shown() -> None:
    app = ApprovalApp(APPLY)

    async def interact(pilot: Pilot[Any]) -> tuple[list[str], list[str], str]:
        app.wait()
        await pilot.press("h", "down", "space")
        await pilot.pause()
        screen = app.screen
        assert isinstance(screen, HunksScreen)
        options = screen._list
        hunk_list = [str(options.get_option_at_index(at).prompt) for at in range(options.option_count)]
        return (
            hunk_list,
            [file.path for file in screen.query_one(DiffView).files],
            screen.query_one("#heading").render(),
        )

    hunk_list, shown_files, heading = run_app(app, interact)
    assert hunk_list == [
        "a.py",
        "[x] +1 -1  @@ -1,1 +1,1 @@ def [b]f():",
        "[ ] +40 -1  @@ -30,1 +30,40 @@ def [b]f():",
        "tests/test_a.py",
        "[x] +1 -1  @@ -5,1 +5,1 @@ def [b]f():",
    ]
    assert shown_files == ["a.py"]
    assert str(heading) == "Apply 3 hunks? 2 of 3 hunks chosen."


@pytest.mark.slow
def test_long_hunk_scrolls_and_enter_enlarges_it() -> None:
    app = ApprovalApp(APPLY)

    async def interact(pilot: Pilot[Any]) -> list[float]:
        app.wait()
        await pilot.press("h", "down")
        await pilot.pause()
        await pilot.press("j", "j", "k")
        before = app.screen.query_one(DiffView).size.height
        scrolled = app.screen.query_one(DiffView).scroll_target_y
        await pilot.press("enter")
        await pilot.pause()
        return [scrolled, app.screen.query_one(DiffView).size.height > before]

    assert run_app(app, interact, (40, 20)) == [1, True]


def screen_text(app: ApprovalApp) -> str:
    """The text on the screen."""
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
def test_shown_command_hides_nothing(command: str, shown: str) -> None:
    app = ApprovalApp(Approval("command", "Run this?", command))

    async def interact(pilot: Pilot[Any]) -> str:
        return screen_text(app)

    assert shown in run_app(app, interact)


@pytest.mark.slow
@pytest.mark.parametrize("size", [(80, 24), (40, 20)], ids=str)
@pytest.mark.parametrize(
    "command",
    ["echo " + "a" * 3000 + "; evil|sh", "\n".join([*map("echo {}".format, range(60)), "evil|sh"])],
    ids=["line", "lines"],
)
@pytest.mark.parametrize("has_rule", [True, False], ids=["rule", "once"])
def test_long_command_is_shown_whole_with_choices_visible(command: str, size: tuple[int, int], has_rule: bool) -> None:
    rule = (f"command exactly {command}",) if has_rule else ()
    app = ApprovalApp(Approval("command", "Run this command on this machine?", command, always=rule, why="Why. " * 20))

    async def interact(pilot: Pilot[Any]) -> list[str]:
        first = screen_text(app)
        app.wait()
        await pilot.press("end")
        await pilot.pause()
        return [first, screen_text(app)]

    first, last = run_app(app, interact, size)
    for choice in ("y  yes, once", "n  no; esc too", "r  no, and say why"):
        assert choice in first
        assert choice in last
    assert "echo" in first
    assert "evil|sh" in last


def test_key_pressed_before_first_drawing_is_early() -> None:
    """The grace period starts when the dialog is first drawn."""
    app = ApprovalApp(COMMAND)
    screen = ApprovalScreen(COMMAND, lambda: app.now)
    app.wait(60)
    assert screen.is_early()


@pytest.mark.slow
def test_click_made_too_early_is_ignored() -> None:
    app = ApprovalApp(COMMAND)

    async def interact(pilot: Pilot[Any]) -> list[Any]:
        await pilot.click(app.screen.query(ChoiceLine).first())
        answers_before = list(app.answers)
        app.wait()
        await pilot.click(app.screen.query(ChoiceLine).first())
        await pilot.pause()
        return [answers_before, *app.answers]

    assert run_app(app, interact) == [[], Answer(True)]


def test_edit_in_git_directory_is_shown_as_text() -> None:
    old, new = "- diff --git a/x b/x\n- @@ -1 +1 @@", "+ GIT binary patch\n+ fsmonitor = evil"
    edit = Approval("command", "Change it?", "edit .git/config", f"{old}\n@@ -1 +1 @@\n{new}")
    app = ApprovalApp(edit)

    async def interact(pilot: Pilot[Any]) -> tuple[int, str]:
        return len(app.screen.query(DiffView)), screen_text(app)

    diff_count, shown = run_app(app, interact)
    assert diff_count == 0
    assert all(line in shown for line in ("edit .git/config", *old.split("\n"), *new.split("\n")))


@pytest.mark.parametrize("size", [(80, 24), (40, 20)], ids=str)
def test_commit_message_that_looks_like_diff_is_shown_whole(size: tuple[int, int]) -> None:
    message = "Fix\n\ndiff --git a/logo.png b/logo.png\nGIT binary patch\nindex 1;hidden\n\\ hidden too"
    app = ApprovalApp(Approval("commit", "Commit 1 file?", "a.py", PARTS[0], message=message))

    async def interact(pilot: Pilot[Any]) -> list[str]:
        shown = screen_text(app)
        app.screen.query_one("#message").scroll_end(animate=False)
        await pilot.pause()
        return [shown, screen_text(app)]

    first, last = run_app(app, interact, size)
    assert "diff --git a/logo.png" in first
    assert "index 1;hidden" in first + last
    assert "\\ hidden too" in last
    assert "y  yes, once" in last
    assert "-old" in last or "old" in last


@pytest.mark.slow
def test_choices_stay_visible_below_long_message() -> None:
    app = ApprovalApp(Approval("commit", "Commit 1 file?", "a.py", PARTS[0], message="\n".join(map(str, range(200)))))

    async def interact(pilot: Pilot[Any]) -> str:
        return screen_text(app)

    assert "n  no; esc too" in run_app(app, interact, (40, 20))
