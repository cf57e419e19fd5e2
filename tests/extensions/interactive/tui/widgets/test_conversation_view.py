"""The conversation view: drawing, opening items, scroll position."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from textual.app import App, ComposeResult

from agent.engine.proof_step import NO_LOSS_TEXT
from extensions.interactive.session.session_status import ChangedFile, Status
from extensions.interactive.tui.rendering.line_renderer import LineRenderer
from extensions.interactive.tui.rendering.markdown_parts import split_markdown
from extensions.interactive.tui.scrollback import farewell
from extensions.interactive.tui.widgets.block_heights import Heights
from extensions.interactive.tui.widgets.conversation_items import Line, ModelText, UserMessage
from extensions.interactive.tui.widgets.conversation_view import Conversation
from extensions.interactive.tui.widgets.outcome_items import PageLines, ProofItem, end_lines
from extensions.interactive.tui.widgets.step_item import StepItem
from extensions.interactive.tui.widgets.streaming_item import LiveItem
from tests.extensions.interactive.tui.session_states import status
from trajectories.facts import Fact
from trajectories.records import Action, Exit, Observation, Reply, Step
from trajectories.verdict import Verdict


class ConversationApp(App[None]):
    CSS = "Conversation { overflow-y: scroll; overflow-x: hidden; }"

    def compose(self) -> ComposeResult:
        yield Conversation()

    @property
    def conversation(self) -> Conversation:
        return self.query_one(Conversation)

    def lines(self) -> list[str]:
        conversation = self.conversation
        return [conversation.render_line(y).text.rstrip() for y in range(conversation.size.height)]

    def text(self) -> str:
        return "\n".join(self.lines())


def run_conversation(interact: Callable[[ConversationApp], Awaitable[None]], size: tuple[int, int] = (80, 24)) -> None:
    async def main() -> None:
        app = ConversationApp()
        async with app.run_test(size=size) as pilot:
            app.conversation.focus()
            await pilot.pause()
            await interact(app)

    asyncio.run(main())


def step(number: int, text: str = "", output: str = "seen", ok: bool = True, **arguments: str) -> StepItem:
    action = Action("view", arguments or {"path": "a.py"})
    recorded = Step(
        "main", number, "", "coder", "tree", reply=number, actions=(action,), observations=(Observation(output, ok),)
    )
    return StepItem(recorded, Reply(text or f"Thought {number}.", (action,)))


def test_step_shows_thought_and_one_line_per_action() -> None:
    async def interact(app: ConversationApp) -> None:
        app.conversation.add(
            UserMessage("Do it."), step(1, "I *look*.", "first\nsecond"), step(2, "Again.", "gone", ok=False)
        )
        text = app.text()
        assert "I look." in text
        assert "view a.py" in text
        assert "first" in text
        assert "second" not in text
        assert len([line for line in app.lines() if line.strip().startswith(("✓", "+"))]) == 1

    run_conversation(interact)


def test_failed_command_shows_exit_code() -> None:
    async def interact(app: ConversationApp) -> None:
        action = Action("shell", {"command": "make"})
        data = {"code": 2, "seconds": 0.1, "last_line": "make: *** [all] Error 1", "timed_out": False}
        seen = Observation("gcc main.c\nmake: *** [all] Error 1\n[exit code 2]", ok=False, data=data)
        item = StepItem(Step("main", 1, "", "coder", "tree", 1, (action,), (seen,)), Reply("Build.", (action,)))
        app.conversation.add(item)
        assert "exit code 2: make: *** [all] Error 1" in app.text()
        assert "gcc" not in app.text()

    run_conversation(interact)


@pytest.mark.parametrize(("lines", "more"), [(12, ""), (15, "… 3 more lines")])
def test_edit_shows_the_first_lines_of_its_diff(lines: int, more: str) -> None:
    async def interact(app: ConversationApp) -> None:
        action = Action("edit", {"path": "a.py", "old": "x", "new": "y"})
        diff = "\n".join(f"+line {number}" for number in range(lines))
        seen = Observation(f"Edited a.py\n@@ -1 +1,{lines} @@\n{diff}")
        app.conversation.add(StepItem(Step("main", 1, "", "coder", "tree", 1, (action,), (seen,))))
        assert "line 11" in app.text()
        assert "line 12" not in app.text()
        assert [line.strip() for line in app.lines() if "more lines" in line] == [more] * bool(more)

    run_conversation(interact)


def test_open_action_toggles_step_at_cursor() -> None:
    async def interact(app: ConversationApp) -> None:
        conversation = app.conversation
        conversation.add(step(1, output="one\nhidden 1"), step(2, output="two\nhidden 2"))
        conversation.action_move(-1)
        conversation.action_move(-1)
        conversation.action_open()
        assert "hidden 1" in app.text()
        assert "hidden 2" not in app.text()
        conversation.action_open()
        assert "hidden 1" not in app.text()
        conversation.open_all()
        assert "hidden 1" in app.text()
        assert "hidden 2" in app.text()
        conversation.open_all()
        assert "hidden" not in app.text()

    run_conversation(interact)


def test_opened_step_shows_whole_saved_output() -> None:
    async def interact(app: ConversationApp) -> None:
        recorded = step(1).step
        cut = Step("main", 1, "", "coder", "t", actions=recorded.actions, observations=(Observation("cut", out=3),))
        app.conversation.add(StepItem(cut, None, lambda number: f"cut\nwhole {number}"))
        app.conversation.action_open()
        assert "whole 3" in app.text()

    run_conversation(interact)


def test_untrusted_text_is_neither_escape_sequence_nor_markup() -> None:
    evil = "\x1b]0;title\x07\x1b[2J[bold red]x[/] [link=http://a]b[/link] <b>y</b>"

    async def interact(app: ConversationApp) -> None:
        conversation = app.conversation
        conversation.add(
            UserMessage(evil),
            step(1, evil, evil, path=evil),
            Line(evil),
            ModelText(evil),
            ModelText(evil, "diff", evil),
        )
        conversation.open_all()
        assert "\x1b" not in app.text()
        assert "title" not in app.text()
        assert app.text().count("[bold red]x[/]") >= 5
        assert "<b>y</b>" in app.text()
        styles = [segment.style for y in range(24) for segment in conversation.render_line(y)]
        assert not any(style and style.link for style in styles)

    run_conversation(interact, (80, 60))


def test_view_follows_end_until_user_scrolls() -> None:
    async def interact(app: ConversationApp) -> None:
        conversation = app.conversation
        conversation.add(*(step(number) for number in range(100)))
        assert "Thought 99." in app.text()
        conversation.page(-1)
        before = app.lines()
        conversation.add(*(step(number) for number in range(100, 200)))
        assert app.lines() == before, "the visible lines do not move"
        conversation.action_end()
        assert "Thought 199." in app.text()
        conversation.action_home()
        assert "Thought 0." in app.text()

    run_conversation(interact)


def test_open_action_without_focus_toggles_last_visible_step() -> None:
    async def interact(app: ConversationApp) -> None:
        conversation = app.conversation
        conversation.add(*(step(number, output=f"seen\nhidden {number}") for number in range(50)))
        app.lines()
        conversation.action_open()
        assert "hidden 49" in app.text()
        conversation.add(*(step(number, output=f"seen\nhidden {number}") for number in range(50, 100)))
        assert "Thought 99." in app.text(), "the opened step fits on the screen, so the view follows"
        app.set_focus(None)
        conversation.action_open()
        assert "hidden 99" in app.text()
        conversation.page(-1)
        conversation.page(-1)
        last = [line for line in app.lines() if "Thought" in line][-1].split()[1].rstrip(".")
        conversation.action_open()
        assert f"hidden {last}" in app.text()
        assert not conversation.following

    run_conversation(interact)


def test_open_action_takes_newest_step_of_turn_if_none_is_visible() -> None:
    async def interact(app: ConversationApp) -> None:
        conversation = app.conversation
        conversation.add(step(1, output="seen\nhidden 1"), UserMessage("Next."), step(2, output="seen\nhidden 2"))
        conversation.add(Line("\n".join(f"line {number}" for number in range(100))))
        app.lines()
        conversation.action_open()
        assert "hidden 2" in app.text()
        conversation.add(UserMessage("Again."), Line("\n".join(f"line {number}" for number in range(100))))
        conversation.action_end()
        app.lines()
        before = app.lines()
        app.set_focus(None)
        conversation.action_open()
        assert app.lines() == before, "the current turn has no step"

    run_conversation(interact)


@pytest.mark.parametrize("lines", [1, 3, 20])
def test_scrolling_up_and_down_returns_to_same_place(lines: int) -> None:
    async def interact(app: ConversationApp) -> None:
        conversation = app.conversation
        conversation.add(*(step(number, "word " * (number * 7 % 90)) for number in range(60)))
        app.lines()
        screens = []
        for _ in range(8):
            screens.append(app.lines())
            conversation.scroll_lines(-lines)
        for before in reversed(screens):
            conversation.scroll_lines(lines)
            assert app.lines() == before

    run_conversation(interact)


def test_resize_keeps_scroll_position() -> None:
    async def main() -> None:
        app = ConversationApp()
        async with app.run_test(size=(80, 24)) as pilot:
            app.conversation.add(*(step(number, f"Thought {number}. " * 20) for number in range(100)))
            await pilot.pause()
            app.conversation.action_home()
            app.conversation.scroll_lines(200)
            first = next(line for line in app.lines() if "Thought" in line).split()[1]
            await pilot.resize_terminal(40, 24)
            await pilot.pause()
            assert f"Thought {first}" in " ".join(app.text().split())
            assert all(len(line) <= 40 for line in app.lines())

    asyncio.run(main())


@pytest.mark.slow
def test_only_visible_items_are_drawn_and_cache_is_limited() -> None:
    async def interact(app: ConversationApp) -> None:
        conversation = app.conversation
        conversation.add(*(step(number) for number in range(5000)))
        app.lines()
        drawn = conversation._line_cache._drawn
        assert len(drawn) < 100
        for _ in range(300):
            conversation.page(-1)
            app.lines()
        assert sum(map(len, drawn.values())) <= 6100

    run_conversation(interact)


def test_streaming_text_is_replaced_by_its_step() -> None:
    async def interact(app: ConversationApp) -> None:
        conversation = app.conversation
        conversation.live.add_event("ask", "main", "")
        for word in ("I ", "think ", "**so**."):
            conversation.live.add_event("delta", "main", word)
        conversation.changed()
        assert "I think so." in app.text()
        conversation.live.add_event("action", "main", "view a.py")
        conversation.changed()
        assert "view a.py" in app.text()
        conversation.live.done("main")
        conversation.add(step(1, "I think **so**."))
        assert app.text().count("I think so.") == 1

    run_conversation(interact)


def test_live_item_shows_what_happens() -> None:
    now = [100.0]
    live = LiveItem(clock=lambda: now[0])

    def lines() -> list[str]:
        pen = LineRenderer(60)
        return [strip.text.strip() for block in live.blocks(False) for strip in block.draw(pen) if strip.text.strip()]

    live.add_event("ask", "main", "")
    assert lines() == ["▸ thinking"]
    now[0] += 12.4
    live.add_event("delta", "main", "First the edit. " * 10)
    assert lines()[-1] == "▸ thinking 12 s · about 40 tokens"
    live.add_event("replied", "main", "")
    assert not any("thinking" in line for line in lines()), "the user may be asked now"
    live.add_event("action", "main", "edit a.py")
    live.add_event("done", "main", "edit a.py")
    live.add_event("action", "main", "shell make")
    live.add_event("failed", "main", "shell make")
    live.add_event("action", "main", "run_tests")
    now[0] += 3.0
    live.add_event("output", "main", "a.py .\nb.py .")
    assert lines()[-5:] == ["✓ edit a.py", "✗ shell make", "▸ run_tests 3 s", "a.py .", "b.py ."]
    live.add_event("done", "main", "run_tests")
    assert lines()[-1] == "✓ run_tests"


def test_code_is_wrapped_again_after_a_resize() -> None:
    app = ConversationApp()

    async def interact() -> list[str]:
        async with app.run_test(size=(120, 20)) as pilot:
            call = "call(" + ", ".join(f"argument_{n}" for n in range(7)) + ")"
            app.conversation.add(ModelText(f"1. one\n\n```python\n{call}\n```\n"))
            shown = []
            for width in (120, 60, 120):
                await pilot.resize_terminal(width, 20)
                await pilot.pause()
                shown.append(app.text())
            return shown

    wide, narrow, again = asyncio.run(interact())
    assert wide == again
    assert "1. one" in wide, "the number of a list has its dot"
    assert all(f"argument_{n}" in narrow for n in range(7))
    assert max(len(line.rstrip()) for line in narrow.splitlines()) <= 60 < max(map(len, wide.splitlines()))


def test_api_key_in_streamed_text_is_masked() -> None:
    async def interact(app: ConversationApp) -> None:
        app.conversation.live._secrets = lambda: ("hunter2hunter2",)
        for word in ("the key is hunt", "er2hunt"):
            app.conversation.live.add_event("delta", "main", word)
            app.conversation.changed()
            assert "hun" not in app.text()
        app.conversation.live.add_event("delta", "main", "er2 and more")
        app.conversation.changed()
        assert "[masked] and more" in app.text()

    run_conversation(interact)


def test_proof_shows_each_of_its_parts() -> None:
    verdict = {"kind": "unproven", "red": True, "green": True, "red_again": None, "no_loss": False, "lost": ["test_x"]}
    proof = Step("main", 1, "", "proof", "t", observations=(Observation("words", False, data={"verdict": verdict}),))

    async def interact(app: ConversationApp) -> None:
        app.conversation.add(ProofItem(proof))
        text = app.text()
        assert "fails without the patch" in text
        assert "no test broken" in text
        assert "fails again" not in text, "it has no result"
        assert "lost: test_x" in text

    run_conversation(interact)


def test_closed_proof_names_changed_pages_and_their_differences() -> None:
    pages = [
        PageLines(f"page {n}, not asked for", True, {"before": f"b{n}.png", "difference": f"d{n}.png"})
        for n in range(5)
    ]

    async def interact(app: ConversationApp) -> None:
        app.conversation.add(ProofItem(proof_of(HOLDS), pages=tuple(pages)))
        assert [line.strip() for line in app.lines() if "page " in line or ".png" in line] == [
            line for n in range(3) for line in (f"page {n}, not asked for", f"difference: d{n}.png")
        ]

    run_conversation(interact)


DOUBT = "Another edit passes the same tests, and only one failing input says what is right."
HOLDS = {"kind": "unproven", "red": True, "green": True, "red_again": True, "no_loss": True}


def proof_of(verdict: dict[str, Any], **data: Any) -> Step:
    observation = Observation("words", False, data={"verdict": verdict, "asked": data})
    return Step("main", 1, "", "proof", "t", observations=(observation,))


def unproven(**verdict: Any) -> Exit:
    return Exit("unproven", 6, verdict=Verdict(**verdict))


def test_end_with_complete_proof_explains_why_it_is_not_verified() -> None:
    proof = proof_of(HOLDS | {"notes": [DOUBT, "A note."]}, doubt=DOUBT)
    report, verdict = end_lines(
        unproven(**HOLDS, facts=(Fact("limit", "A vote."), Fact("doubt", DOUBT))), f"Tried.\n{DOUBT}\nA: x\nB: y", proof
    )
    assert report.text == "Tried.\nA: x\nB: y"
    assert verdict.text == (
        "Unproven: all parts of the proof pass, but another edit passes the same tests, and only one failing input "
        "says what is right."
    )

    async def interact(app: ConversationApp) -> None:
        app.conversation.add(ProofItem(proof))
        assert "A note." in app.text()
        assert "Another edit" not in app.text(), "the end shows it"

    run_conversation(interact)
    (verdict,) = end_lines(Exit("unproven", 6, verdict=Verdict(**HOLDS | {"kind": "unproven"})), proof=proof_of(HOLDS))
    assert verdict.text.endswith("a check doubts its results; its notes say why.")


def test_turn_with_incomplete_proof_is_not_verified() -> None:
    exit = unproven(red=True, green=True, no_loss=False)
    report, verdict = end_lines(exit, f"I tried.\n{DOUBT}", proof_of({"kind": "unproven"}, doubt=DOUBT))
    assert report.text == f"I tried.\n{DOUBT}"
    assert verdict.text.startswith("Unproven: there is a patch, but")
    assert end_lines(exit) == [verdict]


def test_turn_without_lost_tests_reports_text_of_proof_once() -> None:
    exit, proof = unproven(no_loss=True), proof_of({"kind": "unproven", "no_loss": True}, reproduces=False)
    (line,) = end_lines(exit, NO_LOSS_TEXT, proof)
    assert line.text == NO_LOSS_TEXT
    assert end_lines(exit, proof=proof) == [line]
    assert [each.text for each in end_lines(exit, f"{NO_LOSS_TEXT}\n- A note.", proof)] == ["- A note.", NO_LOSS_TEXT]


def test_new_tests_that_fail_are_no_success() -> None:
    fact = {"kind": "new_failures", "text": "New tests that fail: test_x.", "data": {"tests": ["test_x"]}}
    proof = proof_of({"kind": "unproven", "no_loss": True, "facts": [fact]}, reproduces=False)
    exit = unproven(no_loss=True, facts=(Fact("new_failures", fact["text"], {"tests": ("test_x",)}),))
    headline = f"New tests that fail: test_x. {NO_LOSS_TEXT}"
    assert [line.text for line in end_lines(exit, headline, proof)] == [headline]

    async def interact(app: ConversationApp) -> None:
        app.conversation.add(ProofItem(proof))
        assert "✗ no new test fails" in app.text()
        assert "New tests that fail: test_x." in app.text()

    run_conversation(interact)


def test_edit_shows_line_counts_of_its_diff() -> None:
    edited = "Edited stock.py\n@@ -10,3 +10,3 @@\n a\n-b\n+c\n d\n@@ -30,2 +30,3 @@\n e\n+f\n g"
    arguments = {"path": "stock.py", "old": "b", "new": "c"}
    recorded = Step(
        "main", 1, "", "coder", "t", actions=(Action("edit", arguments),), observations=(Observation(edited),)
    )

    async def interact(app: ConversationApp) -> None:
        app.conversation.add(StepItem(recorded))
        assert "+2 -1" in app.text()

    run_conversation(interact)


def test_end_shows_message_and_fix() -> None:
    (line,) = end_lines(Exit("limit", 4, message="60 seconds are over.", fix="Give more."))
    assert line.text.endswith("60 seconds are over. Give more.")
    assert end_lines(Exit("answered", 1)) == []


def test_farewell_shows_answer_and_resume_command() -> None:
    answer = StepItem(Step("main", 2, "", "coder", "t", reply=2), Reply("It is **done**."))
    strips = farewell(
        [UserMessage("Old."), UserMessage("Do it."), step(1), answer], None, "20260101-abc", LineRenderer(60)
    )
    text = "\n".join(strip.text for strip in strips)
    assert "Do it." in text
    assert "It is done." in text
    assert "Old." not in text
    assert "swe-agent --resume 20260101-abc" in text


def test_farewell_reports_unapplied_changes() -> None:
    def farewell_text(left: Status, *apply: str) -> str:
        return "\n".join(strip.text for strip in farewell([], left, "20260101-abc", LineRenderer(100), *apply))

    files = (ChangedFile("M", "stock.py", 1, 1),)
    (line,) = [line for line in farewell_text(status(files=files)).split("\n") if "Not applied" in line]
    assert line.endswith("then use /apply.")
    assert "then use /commit --branch NAME." in farewell_text(status(files=files), "/commit --branch NAME")
    assert "Not applied" not in farewell_text(status(files=()))
    text = farewell_text(status(files=files, in_place=True))
    assert "Not applied" not in text
    assert "swe-agent --resume 20260101-abc --in-place" in text


def test_split_markdown_cuts_no_code_block() -> None:
    text = "\n\n".join(["A paragraph. " * 30, "```python\n" + "x = 1\n\n" * 400 + "```", "- a\n\n- b", "End. " * 400])
    parts = list(split_markdown(text))
    assert "".join(parts) == text
    assert len(parts) == 2
    assert all(part.count("```") % 2 == 0 for part in parts)


def test_heights_give_start_of_each_block() -> None:
    heights = Heights()
    heights.splice(0, 0, [3, 1, 2])
    assert [heights.start(number) for number in range(3)] == [0, 3, 4]
    assert heights.at(5) == (2, 1)
    heights.set(0, 5)
    assert heights.at(5) == (1, 0)
    assert heights.at(99) == (2, 1)
    heights.splice(1, 2, [])
    assert heights.total == 7
    assert Heights().at(3) == (0, 0)
