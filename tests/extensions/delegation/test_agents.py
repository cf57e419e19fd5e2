"""Agents in Markdown files: their fields, their limits, what the model is offered, and what the record keeps."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from agent.config.settings import Settings
from agent.engine.branch import Branch
from agent.engine.tool_context import offered_tools
from extensions.delegation.agent_files import MAX_AGENTS, MAX_BYTES, find_agents
from extensions.delegation.agent_roster import role_of_agent
from extensions.delegation.delegation import READ_ONLY, Delegation
from extensions.interactive.session.commands import find as find_command
from tests.agent.conftest import act, line
from tests.agent.scripted_turns import Sent, TurnSession
from trajectories.errors import UsageError
from trajectories.records import Reply, Step

Talk = Callable[..., TurnSession]
HELPER = "main/helper-2-1"
REVIEWER = "---\nname: reviewer\ndescription: Reviews a change.\ntools: view, search\n---\nLook for wrong signs.\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's folder of agents, which is empty."""
    folder = tmp_path / "config" / "agents"
    folder.mkdir(parents=True)
    monkeypatch.setenv("SWE_AGENT_CONFIG", str(folder.parent / "config.toml"))
    return folder


@pytest.fixture
def talk(talk: Talk) -> Talk:
    """`talk(…)` with helpers."""

    def open_session(*lines: dict, **settings: Any) -> TurnSession:
        session = talk(*lines, **settings)
        session.engine.delegates = True
        return session

    return open_session


def delegate(**more: Any) -> dict[str, Any]:
    return line("", act("delegate", task="Review it.", **more), n=1, branch="main")


def schema(session: TurnSession) -> dict[str, Any]:
    """The arguments of `delegate` that a new turn of the session offers."""
    branch = Branch(session.engine)
    branch.delegation = Delegation(branch)
    [offered] = [one["function"] for one in offered_tools(branch) if one["function"]["name"] == "delegate"]
    properties: dict[str, Any] = offered["parameters"]["properties"]
    return properties


def test_agent_works_with_its_text_and_tools(talk: Talk, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "reviewer.md").write_text(REVIEWER)
    sent = Sent(monkeypatch)
    session = talk(
        delegate(agent="reviewer"),
        line("", act("shell", command="true"), n=1, branch=HELPER),
        line("The sign is wrong.", n=2, branch=HELPER),
        line("Done.", n=2, branch="main"),
    )
    session.finish_turn()
    [asked, *_] = [messages for messages in sent if "Look for wrong signs." in messages[-1][1]]
    assert "agent reviewer, whose instructions are from reviewer.md of your configuration" in asked[-1][1]
    assert "You may use only these tools: view, search. Changes to files are reverted." in asked[-1][1]
    assert READ_ONLY not in asked[-1][1]
    assert session.steps[1].observations[0].text == "The sign is wrong."
    refused = session.engine.trajectory.steps[HELPER][1].observations[0]
    assert refused.text == "Not run: the tools here are view, search."


def test_model_sees_names_and_descriptions(talk: Talk, folder: Path) -> None:
    (folder / "reviewer.md").write_text(REVIEWER)
    session = talk(line("Done."))
    agent = schema(session)["agent"]
    assert agent["enum"] == ["reviewer"]
    assert agent["description"].endswith("\nreviewer: Reviews a change.")


def test_record_and_model_see_no_secrets(talk: Talk, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = "hunter2-hunter2-hunter2"
    monkeypatch.setenv("SERVICE_TOKEN", secret)
    file = folder / "reviewer.md"
    file.write_text(REVIEWER.replace("a change", secret).replace("wrong signs", f"{secret} in the log"))
    sent = Sent(monkeypatch)
    session = talk(
        delegate(agent="reviewer"), line("It is wrong.", n=1, branch=HELPER), line("Done.", n=2, branch="main")
    )
    assert secret not in schema(session)["agent"]["description"]
    session.finish_turn()
    assert [messages for messages in sent if "in the log" in messages[-1][1]]
    assert secret not in str(list(sent))
    [agent] = session.engine.trajectory.results["main", "agents"].value
    assert secret not in str(agent)


def test_without_agents_the_tool_is_as_before(talk: Talk, folder: Path) -> None:
    session = talk(line("Done."))
    session.finish_turn()
    assert schema(session).keys() == {"task", "changes"}
    assert not [name for _, name in session.engine.trajectory.results if name.endswith("agents")]


def test_unknown_agent_is_refused(talk: Talk, folder: Path) -> None:
    (folder / "reviewer.md").write_text(REVIEWER)
    session = talk(delegate(agent="tester"), line("Done.", n=2, branch="main"))
    session.finish_turn()
    seen = session.steps[1].observations[0]
    assert (seen.ok, seen.text) == (False, "There is no agent 'tester'.\nName one (reviewer), or none.")


@pytest.mark.parametrize("of_role", [False, True])
def test_model_is_that_of_the_file_unless_the_role_has_one(
    talk: Talk, folder: Path, tmp_path: Path, of_role: bool
) -> None:
    for name in ("file", "role"):
        (tmp_path / f"{name}.jsonl").write_text(json.dumps(line(f"Said by the {name}'s.", n=1)) + "\n")
    models = {name: f"scripted:{tmp_path}/{name}.jsonl" for name in ("file", "role")}
    (folder / "r.md").write_text(REVIEWER.replace("tools: view, search", f"model: {models['file']}"))
    session = talk(
        delegate(agent="reviewer"),
        line("Done.", n=2, branch="main"),
        roles={"reviewer": models["role"]} if of_role else {},
    )
    session.finish_turn()
    assert session.steps[1].observations[0].text == f"Said by the {'role' if of_role else 'file'}'s."
    assert session.engine.trajectory.steps[HELPER][-1].author == "reviewer"


def test_agent_with_the_name_of_a_prompt_cannot_have_a_model(talk: Talk, folder: Path) -> None:
    (folder / "r.md").write_text(REVIEWER.replace("reviewer", "start"))
    [agent] = find_agents(folder / "repository").agents
    branch = Branch(talk(line("Done."), roles={"start": "scripted:x"}).engine)
    branch.turn = replace(branch.turn, prompts={**branch.turn.prompts, "start": "Start."})
    with pytest.raises(UsageError, match="has a prompt of that name"):
        role_of_agent(branch, agent)


def test_model_that_cannot_be_used_is_one_sentence(talk: Talk, folder: Path) -> None:
    (folder / "r.md").write_text(REVIEWER.replace("tools: view, search", "model: scripted:/nowhere"))
    session = talk(delegate(agent="reviewer"), line("Done.", n=2, branch="main"))
    session.finish_turn()
    seen = session.steps[1].observations[0]
    assert not seen.ok
    assert seen.text.startswith("The agent reviewer cannot be used: ")


@pytest.mark.slow
def test_resumed_turn_reads_no_file_again(talk: Talk, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = folder / "reviewer.md"
    file.write_text(REVIEWER)
    session = talk(
        line("", act("view", path="calc.py"), n=1, branch="main"),
        line("", act("delegate", task="Review it.", agent="reviewer"), n=2, branch="main"),
        line("The sign is wrong.", n=1, branch="main/helper-3-1"),
        line("Done.", n=3, branch="main"),
    )
    append = session.engine.journal.append

    def kill(*records: Any) -> None:
        append(*records)
        if any(isinstance(record, Reply) and record.ask == 2 for record in records):
            raise KeyboardInterrupt

    monkeypatch.setattr(session.engine.journal, "append", kill)
    with pytest.raises(KeyboardInterrupt):
        session.finish_turn()
    file.unlink()
    session.reopen()
    session.engine.delegates = True
    session.finish_turn()
    assert session.steps[2].observations[0].text.endswith("\nThe sign is wrong.")
    [note] = [note for note in session.engine.trajectory.notes if note.kind == "agent"]
    assert (note.branch, note.data["agent"]) == ("main/helper-3-1", "reviewer")
    [agent] = session.engine.trajectory.results["main", "agents"].value
    assert agent["sha256"] == note.data["sha256"]
    steps = session.engine.trajectory.steps["main/helper-3-1"]
    assert isinstance(steps[0], Step)
    assert "Look for wrong signs." in steps[0].observations[0].text


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("Look.\n", "it has no front matter between two lines ---"),
        ("---\nname: [x\n---\nLook.\n", "its front matter is not valid YAML at line 3"),
        ("---\n- x\n---\nLook.\n", "its front matter has no fields"),
        ("---\nname: a\n---\nLook.\n", "it has no description"),
        ("---\nname: a\ndescription: x\n---\n", "it has no text below the front matter"),
        ("---\nname: senior\ndescription: x\n---\nLook.\n", "the name senior has a meaning of its own in runs"),
        ("---\nname: A b\ndescription: x\n---\nLook.\n", "its name is not of lower-case letters, digits and hyphens"),
        ("---\nname: b\ndescription: x\n---\nLook.\n", "b.md of your configuration defines the agent b too"),
        ("---\ndescription: x\ntools: nothing\n---\nLook.\n", "there is no tool nothing; the tools are"),
        ("---\nname: main\ndescription: x\n---\nLook.\n", "the name main has a meaning of its own in runs"),
        ("---\nname: locator\ndescription: x\n---\nLook.\n", "the name locator has a meaning of its own in runs"),
        ("---\ndescription: x\ntools: []\n---\nLook.\n", "its list of tools is empty"),
        ("---\ndescription: x\ntools:\n---\nLook.\n", "its list of tools is empty"),
        ("---\ndescription: x\ntools: ' , '\n---\nLook.\n", "its list of tools is empty"),
        ("---\ndescription: x\ntools: ['', ' ']\n---\nLook.\n", "its list of tools is empty"),
        ("---\ndescription: x\ntools: {}\n---\nLook.\n", "its tools are not a list of names"),
        ("---\ndescription: x\ntools: {a: b}\n---\nLook.\n", "its tools are not a list of names"),
        ("---\ndescription: {a: b}\n---\nLook.\n", "its description is not a text"),
        ("x" * (MAX_BYTES + 1), "it has more than 10,000 bytes"),
    ],
)
def test_problem_of_a_file_is_one_sentence(folder: Path, text: str, why: str) -> None:
    (folder / "b.md").write_text("---\ndescription: x\n---\nLook.\n")
    (folder / "c.md").write_text(text)
    found = find_agents(folder / "repository")
    assert [agent.name for agent in found.agents] == ["b"]
    [problem] = found.problems
    assert problem.startswith(f"c.md of your configuration is not used: {why}")
    assert problem.endswith(".")
    assert "\n" not in problem


def test_number_of_agents_is_limited_and_fields_without_effect_are_named(folder: Path) -> None:
    for number in range(MAX_AGENTS + 1):
        (folder / f"a{number:02}.md").write_text("---\ndescription: x\ncolor: red\n---\nLook.\n")
    found = find_agents(folder / "repository")
    assert len(found.agents) == MAX_AGENTS
    assert found.problems[0] == "a00.md of your configuration: color has no effect."
    assert found.problems[-1].startswith("your configuration has more files than are read: at most 20 agents")


def test_first_files_by_name_are_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [f"a{number:03}" for number in range(300)]
    for name in names:
        (folder / f"{name}.md").write_text("---\ndescription: x\n---\nLook.\n")
    glob = Path.glob
    monkeypatch.setattr(Path, "glob", lambda path, pattern: iter(sorted(glob(path, pattern), reverse=True)))
    assert [agent.name for agent in find_agents(folder / "repository").agents] == names[:MAX_AGENTS]


def test_command_lists_agents_and_problems(folder: Path, tmp_path: Path) -> None:
    (folder / "bad.md").write_text("Look.\n")
    (folder / "reviewer.md").write_text(REVIEWER)
    (folder / "tester.md").write_text("---\ndescription: Tests.\nmodel: scripted:/nowhere\n---\nTest.\n")
    shown: list[str] = []
    settings = Settings(state=tmp_path / "state", delegate=False)
    session = SimpleNamespace(settings=settings, show=lambda text, kind="text", title="": shown.append(text))
    session.start = SimpleNamespace(source=SimpleNamespace(root=tmp_path / "repository"))
    find_command("agents").run(session, "")
    lines = shown[0].split("\n")
    assert lines[0] == "reviewer (reviewer.md of your configuration, only view, search; in use): Reviews a change."
    assert lines[1].startswith("tester (tester.md of your configuration, model scripted:/nowhere; not in use: ")
    assert lines[2].startswith("bad.md of your configuration is not used: it has no front matter")
    assert lines[3] == "The setting `delegate` is off, so the model cannot use them."


def test_command_without_agents_says_folder_and_form(folder: Path, tmp_path: Path) -> None:
    shown: list[str] = []
    session = SimpleNamespace(settings=Settings(), show=lambda text, kind="text", title="": shown.append(text))
    session.start = SimpleNamespace(source=SimpleNamespace(root=tmp_path))
    find_command("agents").run(session, "")
    [line] = shown[0].splitlines()
    assert f"A file {folder}/NAME.md defines one: the lines `---`, `description: " in line


def test_problem_is_reported_once(talk: Talk, folder: Path) -> None:
    (folder / "bad.md").write_text("Look.\n")
    told: list[str] = []
    session = talk(line("Done.", n=1), line("Done.", n=2))
    session.on_event = lambda engine, event: told.append(event.text) if event.kind == "say" else None
    session.finish_turn()
    session.send("Again.")
    assert len([text for text in told if text.startswith("bad.md of your configuration is not used")]) == 1
