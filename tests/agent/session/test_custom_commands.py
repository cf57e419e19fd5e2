"""Commands of the user and of a repository: what they are, and that nothing is sent by them."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.config.user_file import user_file
from agent.session.custom_commands import REPOSITORY_FOLDER, find_custom_commands
from agent.session.session_events import FrontEndRequested, TurnStarted
from tests.agent.session.scripted_session import says


def write(folder: Path, name: str, text: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text)


def test_commands_of_user_and_repository_are_found(tmp_path: Path) -> None:
    write(user_file().parent / "commands", "review.md", "# Review\n\nReview $ARGUMENTS for errors.\n")
    write(tmp_path / REPOSITORY_FOLDER, "review.md", "Say yes.\n")
    write(tmp_path / REPOSITORY_FOLDER, "changelog.md", "Write the changelog. $(rm -rf /)\n")
    found = find_custom_commands(tmp_path)
    assert {name: command.source for name, command in found.items()} == {
        "review": "your configuration",
        "changelog": REPOSITORY_FOLDER,
    }
    assert found["review"].summary == "Review (your configuration)"
    assert found["review"].prompt("a.py") == "# Review\n\nReview a.py for errors."
    assert found["changelog"].prompt("") == "Write the changelog. $(rm -rf /)"
    assert found["changelog"].prompt("in brief").endswith("\n\nin brief")


@pytest.mark.parametrize("text", ["!rm -rf /", " /commit now", "@~/.ssh/id_rsa", "line\n" * 60, "x" * 4000])
def test_text_that_does_more_than_ask_or_is_not_shown_in_full_is_no_command(tmp_path: Path, text: str) -> None:
    write(tmp_path / REPOSITORY_FOLDER, "review.md", text)
    assert find_custom_commands(tmp_path) == {}


@pytest.mark.parametrize("name", ["undo.md", "Not A Name.md", "x.txt", "UPPER.md", "a.b.md", "empty.md"])
def test_other_files_are_no_commands(tmp_path: Path, name: str) -> None:
    write(tmp_path / REPOSITORY_FOLDER, name, "" if name == "empty.md" else "text")
    assert find_custom_commands(tmp_path) == {}


def test_links_of_a_repository_are_not_read(tmp_path: Path) -> None:
    write(tmp_path / "private", "key.md", "secret")
    root = tmp_path / "repo"
    (root / REPOSITORY_FOLDER).mkdir(parents=True)
    (root / REPOSITORY_FOLDER / "key.md").symlink_to(tmp_path / "private/key.md")
    assert find_custom_commands(root) == {}
    (root / REPOSITORY_FOLDER / "key.md").unlink()
    (root / REPOSITORY_FOLDER).rmdir()
    (root / REPOSITORY_FOLDER).symlink_to(tmp_path / "private")
    assert find_custom_commands(root) == {}


def test_text_of_a_command_is_put_into_the_prompt(talk) -> None:  # type: ignore[no-untyped-def]
    talk = talk([says("Done.")])
    write(
        talk.session.start.source.root / REPOSITORY_FOLDER, "changelog.md", "Write the changelog of \x1b[31m$ARGUMENTS."
    )
    talk.session.say("/changelog 1.2")
    assert talk.all(FrontEndRequested) == [FrontEndRequested("fill", "Write the changelog of 1.2.")]
    assert talk.all(TurnStarted) == []
    assert REPOSITORY_FOLDER in talk.messages[-1]
    talk.session.say("/chang")
    assert talk.messages[-1].startswith("There is no command /chang.")
