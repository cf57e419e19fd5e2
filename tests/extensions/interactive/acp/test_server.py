"""An editor drives a session: prompts, diffs, questions, modes, cancel, load of an earlier session."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from pathlib import Path

import pytest
from acp.helpers import embedded_text_resource, image_block, resource_block, resource_link_block

from extensions.interactive.session.custom_commands import REPOSITORY_FOLDER
from tests.conftest import git
from tests.extensions.interactive.acp.conftest import Edit, Editor
from tests.extensions.interactive.session.scripted_session import calls, says
from tests.extensions.mcp_client.conftest import SetServer, make_server, set_server
from trajectories.journal import read

__all__ = ["make_server", "set_server"]

FIX = [
    says("I make it 2.", calls("edit", path="a.py", old="return 1", new="return 2"), n=1),
    says("It is 2 now.", n=2),
]
SLEEP = [says("Wait.", calls("shell", command="sleep 60"), n=1), says("Nothing else.")]
ANSWER = [says("It returns 1.")]


@pytest.mark.slow
def test_prompt_edits_a_copy_and_apply_asks(edit: Edit, root: Path) -> None:
    async def act(editor: Editor) -> None:
        session = await editor.open(root)
        assert await editor.say(session, "Return 2.") == "end_turn"
        assert (root / "a.py").read_text() == "def f():\n    return 1\n"
        assert await editor.say(session, "/apply") == "end_turn"

    editor = edit(act, FIX)
    assert "I make it 2." in editor.text()
    assert editor.text().count("It is 2 now.") == 1
    call, applied = [each for each in editor.all("tool_call") if each.kind == "edit"]
    last = [each for each in editor.all("tool_call_update") if each.tool_call_id == call.tool_call_id][-1]
    assert last.status == "completed"
    (diff,) = last.content
    assert (diff.type, diff.path) == ("diff", str(root / "a.py"))
    assert (diff.old_text, diff.new_text) == ("def f():\n    return 1\n", "def f():\n    return 2\n")
    assert [each.path for each in last.locations] == [str(root / "a.py")]
    assert "Not in your files yet: `a.py` +1 -1" in editor.text()
    asked, options = editor.questions[-1]
    assert asked.tool_call_id == applied.tool_call_id
    assert "+    return 2" in asked.content[0].content.text
    assert [option.kind for option in options] == ["allow_once", "allow_always", "reject_once"]
    assert git(root, "diff", "--stat").strip().startswith("a.py")


@pytest.mark.slow
def test_rejected_command_does_not_run(edit: Edit, root: Path, tmp_path: Path) -> None:
    script = [says("I try.", calls("shell", command=f"touch {tmp_path}/made"), n=1), says("Not allowed.", n=2)]

    async def act(editor: Editor) -> None:
        editor.choice = "reject"
        assert await editor.say(await editor.open(root), "Make a file.") == "end_turn"

    editor = edit(act, script)
    asked, _ = editor.questions[0]
    assert asked.kind == "execute"
    assert f"touch {tmp_path}/made" in asked.content[0].content.text
    assert not (tmp_path / "made").exists()
    question, call = editor.all("tool_call")
    assert question.tool_call_id == asked.tool_call_id
    assert [each.status for each in editor.all("tool_call_update")] == ["failed"]
    assert (call.kind, call.status) == ("execute", "failed")


@pytest.mark.slow
def test_cancel_stops_the_turn_and_the_session_goes_on(edit: Edit, root: Path) -> None:
    async def act(editor: Editor) -> None:
        session = await editor.open(root)
        prompt = asyncio.create_task(editor.say(session, "Wait a minute."))
        await editor.until(lambda: any(each.status == "in_progress" for each in editor.all("tool_call")))
        assert "working on a prompt" in await editor.refusal(editor.say(session, "Meanwhile?"))
        await editor.agent.cancel(session_id=session)
        assert await prompt == "cancelled"
        assert await editor.say(session, "What now?") == "end_turn"

    editor = edit(act, SLEEP)
    assert "Wait." in editor.text()
    assert "Nothing else." in editor.text()
    assert [each.status for each in editor.all("tool_call_update")][-1] == "failed"


def test_cancel_that_follows_a_prompt_at_once_stops_it(edit: Edit, root: Path, tmp_path: Path) -> None:
    async def act(editor: Editor) -> None:
        session = await editor.open(root)
        link = resource_link_block("a.py", (root / "a.py").as_uri())
        prompt = asyncio.create_task(editor.say(session, "Say hi.", *[link] * 150))
        await asyncio.sleep(0)
        await editor.agent.cancel(session_id=session)
        assert await prompt == "cancelled"

    edit(act, ANSWER)
    assert not list(tmp_path.glob("state/swe/runs/*"))


@pytest.mark.slow
def test_cancel_while_a_question_is_open(edit: Edit, root: Path) -> None:
    async def act(editor: Editor) -> None:
        editor.choice = None
        session = await editor.open(root)
        prompt = asyncio.create_task(editor.say(session, "Wait a minute."))
        await editor.until(lambda: editor.questions)
        await editor.agent.cancel(session_id=session)
        assert await prompt == "cancelled"
        editor.choice = "allow"

    edit(act, SLEEP)


@pytest.mark.slow
def test_earlier_session_is_loaded_with_its_history_and_continues(edit: Edit, root: Path) -> None:
    sessions: list[str] = []

    async def first(editor: Editor) -> None:
        sessions.append(await editor.open(root))
        await editor.say(sessions[0], "Return 2.")

    async def second(editor: Editor) -> None:
        await editor.agent.initialize(protocol_version=1)
        listed = (await editor.agent.list_sessions(cwd=str(root))).sessions
        assert [(each.session_id, each.title) for each in listed] == [(sessions[0], "Return 2.")]
        loaded = await editor.agent.load_session(cwd=str(root), session_id=sessions[0], mcp_servers=[])
        assert loaded.modes.current_mode_id == "build"
        assert editor.text("user_message_chunk") == "Return 2."
        (call,) = [each for each in editor.all("tool_call") if each.kind == "edit"]
        assert (call.kind, call.status, call.content[0].type) == ("edit", "completed", "diff")
        assert editor.text().count("It is 2 now.") == 1
        editor.updates.clear()
        await editor.agent.load_session(cwd=str(root), session_id=sessions[0], mcp_servers=[])
        assert editor.text("user_message_chunk") == "Return 2."
        editor.updates.clear()
        assert await editor.say(sessions[0], "/diff") == "end_turn"
        assert "+    return 2" in editor.text()

    edit(first, FIX)
    edit(second, FIX)


@pytest.mark.slow
def test_answer_modes_and_commands(edit: Edit, root: Path) -> None:
    async def act(editor: Editor) -> None:
        session = await editor.open(root)
        await editor.agent.set_session_mode(session_id=session, mode_id="plan")
        assert await editor.say(session, "What does f return?") == "end_turn"
        assert await editor.say(session, "/mode build") == "end_turn"

    editor = edit(act, ANSWER)
    assert editor.text().strip() == "It returns 1."
    assert [each.current_mode_id for each in editor.all("current_mode_update")] == ["plan", "build"]
    (offered,) = editor.all("available_commands_update")
    names = [command.name for command in offered.available_commands]
    assert {"apply", "commit", "diff", "undo"} <= set(names)
    assert not {"quit", "theme", "copy", "export", "model", "new", "fork", "report"} & set(names)


@pytest.mark.slow
def test_session_without_a_prompt_can_be_loaded_by_another_process(edit: Edit, root: Path) -> None:
    sessions: list[str] = []

    async def first(editor: Editor) -> None:
        sessions.append(await editor.open(root))

    async def second(editor: Editor) -> None:
        await editor.agent.load_session(cwd=str(root), session_id=sessions[0], mcp_servers=[])
        assert await editor.say(sessions[0], "What does f return?") == "end_turn"
        assert [each.session_id for each in (await editor.agent.list_sessions()).sessions] == sessions

    edit(first, ANSWER)
    assert "it starts anew" in edit(second, ANSWER).text()


@pytest.mark.slow
def test_refused_load_leaves_the_session_open(edit: Edit, root: Path, tmp_path: Path) -> None:
    async def act(editor: Editor) -> None:
        session = await editor.open(root)
        load = editor.agent.load_session(cwd=str(tmp_path), mcp_servers=[], session_id=session)
        await editor.refusal(load)
        assert await editor.say(session, "What does f return?") == "end_turn"

    edit(act, ANSWER)


@pytest.mark.slow
def test_pictures_are_attached_to_custom_commands_alone(edit: Edit, root: Path, tmp_path: Path) -> None:
    commands = root / REPOSITORY_FOLDER
    commands.mkdir(parents=True)
    (commands / "explain.md").write_text("Explain the picture.\n")
    picture = image_block(b64encode(b"\x89PNG\r\n\x1a\n" + bytes(30)).decode(), "image/png")
    found: list[str] = []

    async def act(editor: Editor) -> None:
        found.append(await editor.open(root))
        for command, is_reported in (("/explain", False), ("/help", True), ("!ls", True)):
            await editor.say(found[0], command, picture)
            assert ("only requests and custom commands take attachments" in editor.text()) is is_reported
            editor.updates.clear()

    edit(act, ANSWER)
    assert len(read(tmp_path / "state" / "swe" / "runs" / found[0]).records[0].issue.images) == 1


@pytest.mark.slow
def test_attachments_reach_the_model_as_text_of_the_user(edit: Edit, root: Path, tmp_path: Path) -> None:
    found: list[str] = []

    async def act(editor: Editor) -> None:
        session = await editor.open(root)
        link = resource_link_block("a.py", (root / "a.py").as_uri())
        text = resource_block(embedded_text_resource("untitled:Untitled-1", "The notes."))
        assert await editor.say(session, "Explain", link, "with", text) == "end_turn"
        found.append(session)

    edit(act, ANSWER)
    issue = read(tmp_path / "state" / "swe" / "runs" / found[0]).records[0].issue
    assert issue.title == "Explain @a.py with `untitled:Untitled-1`"
    assert "a.py:\n```\ndef f():" in issue.attachments
    assert "untitled:Untitled-1:\n```\nThe notes.\n```" in issue.attachments


def test_editors_mcp_servers_are_named_and_not_used(edit: Edit, root: Path, tmp_path: Path) -> None:
    from acp.schema import McpServerStdio

    async def act(editor: Editor) -> None:
        server = McpServerStdio(name="files", command="touch", args=[str(tmp_path / "started")], env=[])
        await editor.agent.initialize(protocol_version=1)
        await editor.agent.new_session(cwd=str(root), mcp_servers=[server])
        await editor.until(lambda: editor.text())

    editor = edit(act, ANSWER)
    assert "The editor's MCP servers (files) are not used" in editor.text()
    assert not (tmp_path / "started").exists()


@pytest.mark.slow
def test_sessions_work_at_the_same_time(edit: Edit, root: Path) -> None:
    async def act(editor: Editor) -> None:
        one, other = await editor.open(root), await editor.open(root)
        assert one != other
        assert await asyncio.gather(editor.say(one, "First?"), editor.say(other, "Second?")) == ["end_turn"] * 2

    assert edit(act, ANSWER).text().count("It returns 1.") == 2


@pytest.mark.slow
@pytest.mark.parametrize(
    ("limits", "reason"), [({"max_steps": 1}, "max_turn_requests"), ({"max_tokens": 1}, "max_tokens")]
)
def test_limits_are_stop_reasons(edit: Edit, root: Path, limits: dict[str, int], reason: str) -> None:
    async def act(editor: Editor) -> None:
        session = await editor.open(root)
        await editor.agent.set_session_mode(session_id=session, mode_id="plan")
        assert await editor.say(session, "Look.") == reason

    edit(act, [says("I look.", calls("view", path="a.py"))], **limits)


@pytest.mark.slow
def test_phases_are_the_plan(edit: Edit, root: Path) -> None:
    from agent.run_state.progress_event import ProgressEvent
    from extensions.interactive.acp.session_updates import SessionUpdates
    from extensions.interactive.session.session_events import ProgressReported

    async def act(editor: Editor) -> None:
        session = await editor.open(root)
        await editor.say(session, "What does f return?")
        updates = SessionUpdates(editor.server._sessions[session].session)
        for text in ("localize", "fix"):
            event = ProgressReported(ProgressEvent("phase", "main", text))
            (plan,) = updates.of_event(event)
        assert [(each.content, each.status) for each in plan.entries] == [
            ("localize", "completed"),
            ("fix", "in_progress"),
        ]

    edit(act, ANSWER)


@pytest.mark.slow
def test_call_of_users_own_mcp_server_is_asked_about(edit: Edit, root: Path, set_server: SetServer) -> None:
    set_server("good")
    script = [says("I look.", calls("s__echo", text="hello"), n=1), says("Again.", calls("s__echo", text="x"), n=2)]

    async def act(editor: Editor) -> None:
        session = await editor.open(root)
        assert await editor.say(session, "Echo it.") == "end_turn"
        editor.choice = "reject"
        await editor.say(session, "Echo it again.")

    editor = edit(act, [*script, says("Refused.", n=3)])
    (asked, _), *_ = editor.questions
    assert asked.kind == "other"
    assert "Call echo of the MCP server s" in asked.title
    assert '"text": "hello"' in asked.content[0].content.text
    shown = [part.content.text for call in editor.all("tool_call_update") for part in call.content or ()]
    assert any("echo: hello" in text for text in shown)
