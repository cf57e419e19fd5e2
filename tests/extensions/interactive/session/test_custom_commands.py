"""Commands of the user and of a repository: what they are, and that nothing is sent by them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from aci.repository.user_repository import Repository
from agent.config.settings import Settings
from agent.config.user_file import user_file
from extensions.interactive.session.custom_commands import REPOSITORY_FOLDER, find_custom_commands
from extensions.interactive.session.line_interface import Lines
from extensions.interactive.session.session_events import FrontEndRequested, TurnStarted
from extensions.interactive.session.session_start import Start
from tests.conftest import MakeRepo
from tests.extensions.interactive.session.scripted_session import says
from trajectories.journal import read


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
    assert talk.messages[-1].startswith("There is no command /chang. Did you mean `/changelog`?")


def run_single(root: Path, state: Path, request: str, reply: str) -> tuple[int, list[str]]:
    """Run `swe-agent -p REQUEST` with a model that gives one reply. Return the exit code, and the messages that the
    model got."""
    script = state.parent / "script.jsonl"
    script.write_text(json.dumps(says(reply)) + "\n")
    settings = Settings(model=f"scripted:{script}", workspace="local", state=state)
    code = Lines(Start(Repository.open(root), settings, request=request), is_single=True).run([])
    runs = [read(directory) for directory in settings.runs.glob("*")]
    return code, [step.observations[0].text for run in runs for step in run.steps["main"] if step.observations]


def test_print_sends_text_of_command(make_repo: MakeRepo, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = make_repo({"a.py": b"SHOWN = 1\n", "b.py": b"HIDDEN = 1\n"})
    write(root / REPOSITORY_FOLDER, "review.md", "$ARGUMENTS is to be reviewed, not @b.py.")
    code, prompts = run_single(root, tmp_path / "state", "/review @a.py", "It is fine.")
    shown = capsys.readouterr()
    assert (code, shown.out) == (0, "It is fine.\n")
    assert f"/review is a command of {REPOSITORY_FOLDER}.\n" in shown.err
    assert "@a.py is to be reviewed, not @b.py." in prompts[0]
    assert "SHOWN" in prompts[0]
    assert "HIDDEN" not in prompts[0], "a file that the text names is not attached unseen"


def test_text_of_command_runs_nothing_in_workspace(
    make_repo: MakeRepo, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = make_repo({"a.py": b"a = 1\n"})
    write(root / REPOSITORY_FOLDER, "say.md", "$ARGUMENTS")
    code, prompts = run_single(root, tmp_path / "state", "/say !touch made", "No.")
    assert code == 0
    assert "!touch made" in prompts[0]
    assert not capsys.readouterr().out.startswith("!touch")


@pytest.mark.parametrize("request_text", ["/nothing", "/resume"])
def test_print_without_anything_to_do_is_usage_error(
    make_repo: MakeRepo, tmp_path: Path, request_text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_single(make_repo({"a.py": b"a = 1\n"}), tmp_path / "state", request_text, "No.") == (2, [])
    assert len(capsys.readouterr().err.splitlines()) == 1
