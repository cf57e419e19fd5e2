"""The conversation: what is drawn, what opens, where one stands while it grows."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from textual.app import App, ComposeResult

from agent.engine.proof_step import NO_LOSS_TEXT
from agent.session.session_status import ChangedFile, Status
from agent.tui.rendering.line_renderer import LineRenderer
from agent.tui.rendering.markdown_parts import split_markdown
from agent.tui.scrollback import farewell
from agent.tui.widgets.block_heights import Heights
from agent.tui.widgets.conversation_items import Line, ModelText, UserMessage
from agent.tui.widgets.conversation_view import Conversation
from agent.tui.widgets.outcome_items import ProofItem, end_lines
from agent.tui.widgets.step_item import StepItem
from tests.agent.tui.session_states import status
from trajectories.records import Action, Exit, Observation, Reply, Step, Verdict


class Shown(App[None]):
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


def shown(act: Callable[[Shown], Awaitable[None]], size: tuple[int, int] = (80, 24)) -> None:
    async def main() -> None:
        app = Shown()
        async with app.run_test(size=size) as pilot:
            app.conversation.focus()
            await pilot.pause()
            await act(app)

    asyncio.run(main())


def step(number: int, text: str = "", seen: str = "seen", ok: bool = True, **arguments: str) -> StepItem:
    action = Action("view", arguments or {"path": "a.py"})
    taken = Step(
        "main", number, "", "coder", "tree", reply=number, actions=(action,), observations=(Observation(seen, ok),)
    )
    return StepItem(taken, Reply(text or f"Thought {number}.", (action,)))


def test_step_is_thought_and_line_action() -> None:
    async def act(app: Shown) -> None:
        app.conversation.add(
            UserMessage("Do it."), step(1, "I *look*.", "first\nsecond"), step(2, "Again.", "gone", ok=False)
        )
        text = app.text()
        assert "I look." in text
        assert "view a.py" in text
        assert "first" in text
        assert "second" not in text
        assert len([line for line in app.lines() if line.strip().startswith(("✓", "+"))]) == 1

    shown(act)


def test_enter_opens_step_at_cursor_and_closes_it() -> None:
    async def act(app: Shown) -> None:
        conversation = app.conversation
        conversation.add(step(1, seen="one\nhidden 1"), step(2, seen="two\nhidden 2"))
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

    shown(act)


def test_opened_step_shows_whole_output_that_was_kept() -> None:
    async def act(app: Shown) -> None:
        taken = step(1).step
        cut = Step("main", 1, "", "coder", "t", actions=taken.actions, observations=(Observation("cut", out=3),))
        app.conversation.add(StepItem(cut, None, lambda number: f"cut\nwhole {number}"))
        app.conversation.action_open()
        assert "whole 3" in app.text()

    shown(act)


def test_nothing_that_stranger_wrote_drives_terminal_or_is_markup() -> None:
    evil = "\x1b]0;title\x07\x1b[2J[bold red]x[/] [link=http://a]b[/link] <b>y</b>"

    async def act(app: Shown) -> None:
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

    shown(act, (80, 60))


def test_it_follows_end_until_its_reader_goes_elsewhere() -> None:
    async def act(app: Shown) -> None:
        conversation = app.conversation
        conversation.add(*(step(number) for number in range(100)))
        assert "Thought 99." in app.text()
        conversation.page(-1)
        before = app.lines()
        conversation.add(*(step(number) for number in range(100, 200)))
        assert app.lines() == before, "what is read does not move"
        conversation.action_end()
        assert "Thought 199." in app.text()
        conversation.action_home()
        assert "Thought 0." in app.text()

    shown(act)


@pytest.mark.parametrize("lines", [1, 3, 20])
def test_scrolling_up_and_down_again_ends_where_it_began(lines: int) -> None:
    async def act(app: Shown) -> None:
        conversation = app.conversation
        conversation.add(*(step(number, "word " * (number * 7 % 90)) for number in range(60)))
        app.lines()
        seen = []
        for _ in range(8):
            seen.append(app.lines())
            conversation.scroll_lines(-lines)
        for before in reversed(seen):
            conversation.scroll_lines(lines)
            assert app.lines() == before

    shown(act)


def test_new_width_keeps_place() -> None:
    async def main() -> None:
        app = Shown()
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
def test_only_what_is_seen_is_drawn_and_little_of_it_is_kept() -> None:
    async def act(app: Shown) -> None:
        conversation = app.conversation
        conversation.add(*(step(number) for number in range(5000)))
        app.lines()
        drawn = conversation._line_cache._drawn
        assert len(drawn) < 100
        for _ in range(300):
            conversation.page(-1)
            app.lines()
        assert sum(map(len, drawn.values())) <= 6100

    shown(act)


def test_streaming_text_is_there_until_its_step_is() -> None:
    async def act(app: Shown) -> None:
        conversation = app.conversation
        conversation.live.heard("ask", "main", "")
        for word in ("I ", "think ", "**so**."):
            conversation.live.heard("delta", "main", word)
        conversation.changed()
        assert "I think so." in app.text()
        conversation.live.heard("action", "main", "view a.py")
        conversation.changed()
        assert "view a.py" in app.text()
        conversation.live.done("main")
        conversation.add(step(1, "I think **so**."))
        assert app.text().count("I think so.") == 1

    shown(act)


def test_key_that_streams_is_not_shown() -> None:
    async def act(app: Shown) -> None:
        app.conversation.live._secrets = lambda: ("hunter2hunter2",)
        for word in ("the key is hunt", "er2hunt"):
            app.conversation.live.heard("delta", "main", word)
            app.conversation.changed()
            assert "hun" not in app.text()
        app.conversation.live.heard("delta", "main", "er2 and more")
        app.conversation.changed()
        assert "[masked] and more" in app.text()

    shown(act)


def test_proof_says_each_of_its_parts() -> None:
    verdict = {"kind": "unproven", "red": True, "green": True, "red_again": None, "no_loss": False, "lost": ["test_x"]}
    proof = Step("main", 1, "", "proof", "t", observations=(Observation("words", False, data={"verdict": verdict}),))

    async def act(app: Shown) -> None:
        app.conversation.add(ProofItem(proof))
        text = app.text()
        assert "red without it" in text
        assert "no loss" in text
        assert "red again" not in text, "not judged"
        assert "lost: test_x" in text

    shown(act)


DOUBT = "Another edit passes the same tests, and only one failing input says what is right."
HOLDS = {"kind": "unproven", "red": True, "green": True, "red_again": True, "no_loss": True}


def proof_of(verdict: dict[str, Any], **asked: Any) -> Step:
    seen = Observation("words", False, data={"verdict": verdict, "asked": asked})
    return Step("main", 1, "", "proof", "t", observations=(seen,))


def unproven(**verdict: Any) -> Exit:
    return Exit("unproven", 6, verdict=Verdict(**verdict))


def test_where_all_of_proof_holds_end_says_why_it_is_not_verified_nevertheless() -> None:
    proof = proof_of(HOLDS | {"notes": [DOUBT, "A note."]}, doubt=DOUBT)
    said, verdict = end_lines(unproven(**HOLDS, notes=("A vote.", DOUBT)), f"Tried.\n{DOUBT}\nA: x\nB: y", proof)
    assert said.text == "Tried.\nA: x\nB: y"
    assert verdict.text == (
        "Not verified: all parts of the proof pass, but another edit passes the same tests, and only one failing input "
        "says what is right."
    )

    async def act(app: Shown) -> None:
        app.conversation.add(ProofItem(proof))
        assert "A note." in app.text()
        assert "Another edit" not in app.text(), "the end says it"

    shown(act)
    (verdict,) = end_lines(unproven(**HOLDS), proof=proof_of(HOLDS))
    assert verdict.text.endswith("its results cannot be trusted; its notes say why.")


def test_turn_whose_proof_is_not_complete_is_called_not_verified_whatever_its_strategy_says() -> None:
    exit = unproven(red=True, green=True, no_loss=False)
    said, verdict = end_lines(exit, f"I tried.\n{DOUBT}", proof_of({"kind": "unproven"}, doubt=DOUBT))
    assert said.text == f"I tried.\n{DOUBT}"
    assert verdict.text.startswith("Not verified: the files are changed, but")
    assert end_lines(exit) == [verdict]


def test_turn_that_lost_nothing_says_so_in_words_of_its_proof() -> None:
    exit, proof = unproven(no_loss=True), proof_of({"kind": "unproven", "no_loss": True}, reproduces=False)
    (line,) = end_lines(exit, NO_LOSS_TEXT, proof)
    assert line.text == NO_LOSS_TEXT
    assert end_lines(exit, proof=proof) == [line]
    assert [each.text for each in end_lines(exit, f"{NO_LOSS_TEXT}\n- A note.", proof)] == ["- A note.", NO_LOSS_TEXT]


def test_edit_has_lines_that_its_diff_has() -> None:
    edited = "Edited stock.py\n@@ -10,3 +10,3 @@\n a\n-b\n+c\n d\n@@ -30,2 +30,3 @@\n e\n+f\n g"
    arguments = {"path": "stock.py", "old": "b", "new": "c"}
    taken = Step("main", 1, "", "coder", "t", actions=(Action("edit", arguments),), observations=(Observation(edited),))

    async def act(app: Shown) -> None:
        app.conversation.add(StepItem(taken))
        assert "+2 -1" in app.text()

    shown(act)


def test_endings_say_what_to_do() -> None:
    (line,) = end_lines(Exit("limit", 4, message="60 seconds are over.", fix="Give more."))
    assert line.text.endswith("60 seconds are over. Give more.")
    assert end_lines(Exit("answered", 1)) == []


def test_last_words_are_answer_what_changed_and_how_to_go_on() -> None:
    answer = StepItem(Step("main", 2, "", "coder", "t", reply=2), Reply("It is **done**."))
    strips = farewell(
        [UserMessage("Old."), UserMessage("Do it."), step(1), answer], None, "20260101-abc", LineRenderer(60)
    )
    text = "\n".join(strip.text for strip in strips)
    assert "Do it." in text
    assert "It is done." in text
    assert "Old." not in text
    assert "swe-agent --resume 20260101-abc" in text


def test_who_leaves_what_is_not_applied_is_told_so_and_how_it_is() -> None:
    def told(left: Status, *apply: str) -> str:
        return "\n".join(strip.text for strip in farewell([], left, "20260101-abc", LineRenderer(100), *apply))

    files = (ChangedFile("M", "stock.py", 1, 1),)
    (line,) = [line for line in told(status(files=files)).split("\n") if "Not applied" in line]
    assert line.endswith("then use /apply.")
    assert "then use /commit --branch NAME." in told(status(files=files), "/commit --branch NAME")
    assert "Not applied" not in told(status(files=()))


def test_parts_of_text_are_text_and_no_fence_is_cut() -> None:
    text = "\n\n".join(["A paragraph. " * 30, "```python\n" + "x = 1\n\n" * 400 + "```", "- a\n\n- b", "End. " * 400])
    found = list(split_markdown(text))
    assert "".join(found) == text
    assert len(found) == 2
    assert all(part.count("```") % 2 == 0 for part in found)


def test_heights_know_where_each_block_begins() -> None:
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
