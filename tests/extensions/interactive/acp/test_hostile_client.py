"""What a hostile client tries: other folders and files, money, commands, sessions of others, invalid messages."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from pathlib import Path
from typing import Any

import pytest
from acp.helpers import embedded_text_resource, image_block, resource_block, resource_link_block
from acp.schema import AudioContentBlock

from aci.host.local_folders import LOCAL_PREFIX
from extensions.interactive.acp.prompt_content import MOST_ATTACHED, MOST_BLOCKS, MOST_WORDS
from extensions.interactive.acp.server import MOST_SESSIONS
from tests.conftest import git
from tests.extensions.interactive.acp.conftest import Edit, Editor
from tests.extensions.interactive.session.scripted_session import calls, says

ANSWER = [says("It returns 1.")]
SECRET = "TOP-SECRET-TEXT"


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A file of the user's outside the repository."""
    file = tmp_path / "secret.txt"
    file.write_text(SECRET)
    return file


def journal(tmp_path: Path, session: str) -> str:
    return (tmp_path / "state" / "swe" / "runs" / session / "journal.jsonl").read_text()


def test_only_a_git_repository_is_opened(edit: Edit, root: Path, tmp_path: Path) -> None:
    async def act(editor: Editor) -> None:
        for folder in ("relative", "/no/such/folder", "/\0", "/" + "a" * 5_000, str(tmp_path)):
            await editor.refusal(editor.agent.new_session(cwd=folder, mcp_servers=[]))

    edit(act)
    assert not list(tmp_path.glob("state/swe/runs/*"))


def test_workspace_of_an_agent_is_not_opened(edit: Edit, tmp_path: Path) -> None:
    clone = tmp_path / f"{LOCAL_PREFIX}x" / "a" / "repo"
    clone.mkdir(parents=True)
    git(clone, "init", "-q")
    (tmp_path / "link").symlink_to(clone)

    async def act(editor: Editor) -> None:
        for folder in (clone, tmp_path / "link"):
            new = editor.agent.new_session(cwd=str(folder), mcp_servers=[])
            assert "workspace of an agent" in await editor.refusal(new)

    edit(act)


@pytest.mark.slow
@pytest.mark.parametrize("form", ["@{file}", "@../{name}", "Read @{file}", "link", "symlink"])
def test_files_outside_the_repository_are_not_read(
    edit: Edit, root: Path, tmp_path: Path, outside: Path, form: str
) -> None:
    (root / "inside.txt").symlink_to(outside)
    link = resource_link_block("notes", outside.as_uri())
    inner = resource_link_block("notes", (root / "inside.txt").as_uri())
    sent: list[str] = []

    async def act(editor: Editor) -> None:
        session = await editor.open(root)
        prompts: dict[str, list[Any]] = {"link": ["Read", link], "symlink": ["Read", inner]}
        await editor.say(session, *prompts.get(form, [form.format(file=outside, name=outside.name)]))
        await editor.say(session, "Is there a run?")
        sent.append(session)

    editor = edit(act, ANSWER)
    assert SECRET not in journal(tmp_path, sent[0])
    assert SECRET not in editor.text()


COMMANDS = ("/cost 1000", "/model gpt-5", "/new", "/fork", "/resume other", "/export sft /tmp/x", "/report /tmp/x.html")


def test_commands_for_more_money_other_runs_and_files_are_refused(edit: Edit, root: Path) -> None:
    async def act(editor: Editor) -> None:
        session = await editor.open(root)
        budget = editor.server._sessions[session].session.settings.budget
        for command in COMMANDS:
            for text in (command, f"\n {command}"):
                assert "is not available in an editor" in await editor.refusal(editor.say(session, text))
        assert editor.server._sessions[session].session.settings.budget == budget

    edit(act, ANSWER)


@pytest.mark.parametrize("command", [" !touch {}", "/test tests/test_a.py"])
def test_own_commands_do_not_run_on_this_machine(edit: Edit, root: Path, tmp_path: Path, command: str) -> None:
    made = tmp_path / "made"
    (root / "tests/test_a.py").write_text(f"open({str(made)!r}, 'w')\n")
    git(root, "commit", "-qam", "A test that makes a file")

    async def act(editor: Editor) -> None:
        await editor.say(await editor.open(root), command.format(made))

    editor = edit(act, ANSWER)
    assert "is not available in an editor with the workspace `local`" in editor.text()
    assert not made.exists()
    assert not list(tmp_path.glob("state/swe/runs/*"))


def test_own_commands_do_not_run_on_this_machine_after_the_config_is_fixed(
    edit: Edit, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "config.toml"
    monkeypatch.setenv("SWE_AGENT_CONFIG", str(config))
    config.write_text("workspace = \n")

    async def act(editor: Editor) -> None:
        session = await editor.open(root)
        config.write_text('workspace = "local"\n')
        await editor.say(session, f"!touch {tmp_path}/made")

    editor = edit(act, ANSWER, workspace=None)
    assert "is not available in an editor with the workspace `local`" in editor.text()
    assert not (tmp_path / "made").exists()


@pytest.mark.slow
@pytest.mark.parametrize("choice", ["allow_session", "allow_project", "", "cancelled"])
def test_only_offered_answers_allow(edit: Edit, root: Path, tmp_path: Path, choice: str) -> None:
    # A command that no rule may allow is not offered for the session.
    script = [says("", calls("shell", command=f"eval touch {tmp_path}/made"), n=1), says("Done.", n=2)]

    async def act(editor: Editor) -> None:
        editor.choice = choice
        await editor.say(await editor.open(root), "Make a file.")

    editor = edit(act, script)
    assert [option.option_id for option in editor.questions[0][1]] == ["allow", "reject"]
    assert not (tmp_path / "made").exists()


@pytest.mark.slow
def test_command_that_is_too_long_to_be_shown_is_not_run(edit: Edit, root: Path, tmp_path: Path) -> None:
    command = f"true {'x' * 100_000}; touch {tmp_path}/made"

    async def act(editor: Editor) -> None:
        assert await editor.say(await editor.open(root), "Make a file.") == "end_turn"

    editor = edit(act, [says("", calls("shell", command=command), n=1), says("Done.", n=2)])
    assert editor.questions == []
    assert not (tmp_path / "made").exists()


def test_unknown_sessions_are_refused(edit: Edit, root: Path) -> None:
    async def act(editor: Editor) -> None:
        agent = editor.agent
        for session in ("", "unknown", "../../../etc", "20260101-000000-abcde/", "a" * 100_000):
            await editor.refusal(editor.say(session, "Hello"))
            await editor.refusal(agent.set_session_mode(session_id=session, mode_id="plan"))
            await editor.refusal(agent.load_session(cwd=str(root), session_id=session, mcp_servers=[]))
            await agent.cancel(session_id=session)

    edit(act)


@pytest.mark.slow
def test_run_of_others_is_not_loaded(edit: Edit, root: Path, tmp_path: Path) -> None:
    async def act(editor: Editor) -> None:
        session = await editor.open(root)
        await editor.say(session, "What does f return?")
        runs = tmp_path / "state" / "swe" / "runs"
        copied = runs / "20260101-000000-abcdef"
        await asyncio.to_thread(_copy, runs / session, copied)
        loaded = editor.agent.load_session(cwd=str(root), session_id=copied.name, mcp_servers=[])
        assert "was not created by you" in await editor.refusal(loaded)

    edit(act, ANSWER)


def _copy(run: Path, to: Path) -> None:
    import shutil

    shutil.copytree(run, to)


PROMPTS: list[tuple[list[Any], str]] = [
    ([], "no text"),
    (["   "], "no text"),
    (["a"] * (MOST_BLOCKS + 1), "parts"),
    (["a" * (MOST_WORDS + 1)], "characters"),
    (["a", *[resource_block(embedded_text_resource("a:b", "x" * 100_000))] * (MOST_ATTACHED // 90_000)], "attached"),
    (["a", image_block("bm90IGFuIGltYWdl", "image/png")], "picture"),
    (["a", image_block("!!", "image/png")], "picture"),
    (["a", AudioContentBlock(type="audio", data="", mime_type="audio/wav")], "audio"),
]


@pytest.mark.slow
def test_prompts_of_no_use_or_absurd_size_are_refused(edit: Edit, root: Path) -> None:
    async def act(editor: Editor) -> None:
        session = await editor.open(root)
        for blocks, what in PROMPTS:
            assert what in await editor.refusal(editor.say(session, *blocks))
        assert await editor.say(session, "What does f return?") == "end_turn"

    edit(act, ANSWER)


def test_number_of_sessions_is_limited(edit: Edit, root: Path) -> None:
    async def act(editor: Editor) -> None:
        editor.server._opening = set(map(str, range(MOST_SESSIONS - 1)))
        await editor.open(root)
        new = editor.agent.new_session(cwd=str(root), mcp_servers=[])
        assert "sessions are open" in await editor.refusal(new)

    edit(act)


def test_session_that_is_loaded_many_times_at_once_is_opened_once(edit: Edit, root: Path) -> None:
    def threads() -> int:
        return sum(thread.name == "session" for thread in threading.enumerate())

    async def act(editor: Editor) -> None:
        before = threads()
        id = "20260101-000000-abcdef"
        loads = [editor.agent.load_session(cwd=str(root), mcp_servers=[], session_id=id) for _ in range(5)]
        done = await asyncio.gather(*loads, return_exceptions=True)
        assert any(not isinstance(each, Exception) for each in done)
        assert threads() - before == 1

    edit(act)


@pytest.mark.slow
def test_client_that_stops_reading_is_not_waited_for(edit: Edit, root: Path, tmp_path: Path) -> None:
    async def act(editor: Editor) -> None:
        name = await editor.open(root)
        session = editor.server._sessions[name]
        editor.writer.get_extra_info("socket").shutdown(socket.SHUT_RD)
        params = {"sessionId": name, "prompt": [{"type": "text", "text": "Make a file."}]}
        message = {"jsonrpc": "2.0", "id": 99, "method": "session/prompt", "params": params}
        editor.writer.write(json.dumps(message).encode() + b"\n")
        await editor.until(lambda: session.session.engine is not None and session.session.state == "paused")
        assert session._is_cancelled
        assert not session.session.questions.waiting

    edit(act, [says("", calls("shell", command=f"touch {tmp_path}/made"), n=1), says("Done.", n=2)])
    assert not (tmp_path / "made").exists()


LINES: list[bytes] = [
    b"not JSON",
    b"[]",
    b"5",
    b"[" * 100_000,
    b'{"jsonrpc":"2.0","id":{},"method":"initialize"}',
    b'{"jsonrpc":"2.0","id":[],"result":{}}',
    b'{"jsonrpc":"2.0","id":0,"error":5}',
    b'{"jsonrpc":"2.0","id":7,"method":["session/new"]}',
    b'{"jsonrpc":"2.0","method":"no/such","params":{}}',
    b'{"jsonrpc":"2.0","id":8,"method":"session/prompt","params":[]}',
    b'{"jsonrpc":"2.0","id":9,"method":"session/prompt"}',
    b'{"jsonrpc":"2.0","id":10,"method":"_/etc/passwd","params":{"a":1}}',
    b'{"jsonrpc":"2.0","id":11,"method":"fs/read_text_file","params":{"path":"/etc/passwd"}}',
    b"\xff\xfe\x00",
    b'{"jsonrpc":"2.0","id":12,"method":"session/list","params":{"cwd":"/tmp/\\ud800"}}',
]


def test_invalid_messages_do_not_end_the_connection(edit: Edit, root: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def act(editor: Editor) -> None:
        for line in LINES:
            editor.writer.write(line + b"\n")
        await editor.open(root)
        editor.wrong.clear()  # answers to requests that the SDK's client has not sent

    edit(act)
    assert "Traceback" not in caplog.text


@pytest.mark.parametrize("name", ["_meta", "field_meta"])
def test_meta_does_not_replace_checked_arguments(edit: Edit, root: Path, name: str) -> None:
    async def act(editor: Editor) -> None:
        session = await editor.open(root)
        params = {"sessionId": session, "prompt": [], name: {"prompt": 5, "session_id": {"a": 1}}}
        message = {"jsonrpc": "2.0", "id": 99, "method": "session/prompt", "params": params}
        editor._asked[99] = "session/prompt"
        answers: list[Any] = []
        editor.agent._conn.add_observer(lambda event: answers.append(event.message))
        editor.writer.write(json.dumps(message).encode() + b"\n")
        await editor.until(lambda: any(each.get("id") == 99 for each in answers))
        (answer,) = [each for each in answers if each.get("id") == 99]
        assert "no text" in answer["error"]["message"]

    edit(act)


@pytest.mark.slow
def test_key_of_the_environment_is_masked(edit: Edit, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_API_KEY", "sk-abcdefghijklmnop")

    async def act(editor: Editor) -> None:
        await editor.say(await editor.open(root), "What is the key?")

    editor = edit(act, [says("It is sk-abcdefghijklmnop.")])
    assert "It is " in editor.text()
    assert "sk-abcdefghijklmnop" not in json.dumps([each.model_dump(mode="json") for each in editor.updates])
