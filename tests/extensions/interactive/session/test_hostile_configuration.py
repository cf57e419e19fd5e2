"""A session in a repository each of whose settings is a canary: `@file`, completion and each slash command."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from aci.repository.user_repository import Repository
from extensions.interactive.session import commands
from extensions.interactive.session.prompt_input.file_completion import FileIndex
from tests.aci.repository.hostile_repository import PLACES, Canaries, canary_server, hostile_repository
from tests.extensions.interactive.session.scripted_session import calls, says
from trajectories.errors import SweAgentError

ARGUMENTS = {"locate": "add() subtracts", "remember": "The tests are in tests/", "fork": "1", "test": "", "copy": "1"}
"""Arguments of slash commands."""
LAST = ("resume", "new", "exit", "quit")
"""Slash commands that come last, in this order, since the session changes."""
DONE = {
    "/apply": "Applied to calc/core.py",
    "/commit": "Commit ",
    "/diff": "no changes",
    "/fork 1": "This is a new run now",
    "/locate add() subtracts": "1. calc/core.py",
    "/remember The tests are in tests/": "Remembered",
    "/report": "Written to",
    "/new": "A new run",
}
"""What commands that use the repository answer when they have done so."""
USER = {f"GIT_{role}_NAME": "Ada" for role in ("AUTHOR", "COMMITTER")}
USER |= {f"GIT_{role}_EMAIL": "ada@example.org" for role in ("AUTHOR", "COMMITTER")}
USER |= {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "commit.gpgSign", "GIT_CONFIG_VALUE_0": "false"}
"""A user with a name, who does not sign: there is no key here."""
HOOKS = r"\w+--(core\.hooksPath--|hooks--|hook\.)"
EDIT = calls("edit", path="calc/core.py", old="return a - b", new="return a + b")
NAMES = [file.stem for file in Path(commands.__file__).parent.glob("[a-z]*.py")]


@pytest.fixture
def canaries(tmp_path: Path) -> Iterator[Canaries]:
    with canary_server(Canaries(tmp_path / "canaries")) as canaries:
        yield canaries


@pytest.mark.slow
@pytest.mark.parametrize("place", PLACES)
def test_nothing_in_a_session_starts_or_reads_what_a_repository_names(
    talk, canaries: Canaries, tmp_path: Path, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in USER.items():
        monkeypatch.setenv(name, value)
    root = hostile_repository(canaries, tmp_path / "repo", place)
    canaries.reset()
    acted = {}
    try:
        session = talk([says("Changed.", EDIT), says("Done.")], root=root, can_ask=True)
    except SweAgentError:  # embedded: there is no such repository
        canaries.check(tmp_path / "state1")
        return
    FileIndex(Repository.open(root)).wait()
    prompts = ["Fix add, see @calc/core.py and @calc", "!git --version", "/apply", "/commit"]
    others = [*sorted({*NAMES} - {*LAST, "apply", "commit"}), *LAST[:-2]]
    prompts += [f"/{name} {ARGUMENTS.get(name, '')}".strip() for name in others]
    for prompt in prompts:
        canaries.reset()
        earlier = len(session.messages)
        session.say(prompt)
        assert DONE.get(prompt, "") in "".join(session.messages[earlier:])
        try:
            canaries.check(tmp_path / "state1", allowed=HOOKS if prompt == "/commit" else "(?!)")
        except AssertionError as error:
            acted[prompt] = str(error)
    assert acted == {}
