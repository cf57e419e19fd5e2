"""Completion of the word at the cursor."""

import pytest

from aci.repository.plain_folder import open_folder
from aci.repository.user_repository import Repository
from extensions.interactive.session.custom_commands import REPOSITORY_FOLDER
from extensions.interactive.session.prompt_input.completion import Completer
from extensions.interactive.session.prompt_input.file_completion import FileIndex
from tests.conftest import git


@pytest.fixture
def complete(talk):
    """Complete a text at `cursor`, by default at its end."""
    session = talk([]).session
    completer = Completer(session)
    session.paths.wait()
    return lambda text, cursor=None: [
        (completion.text, completion.start) for completion in completer(text, len(text) if cursor is None else cursor)
    ]


def test_commands_are_completed(complete):
    assert complete("/he")[0] == ("/help ", 0)
    assert ("/prove", 0) in complete("/")
    assert complete("/rov")[0] == ("/prove", 0)
    assert complete("say /he") == []


def test_command_arguments_are_completed(complete):
    assert complete("/mode p") == [("plan", 6)]
    assert complete("/strategy test")[0] == ("test-then-patch", 10)
    assert complete("/mode plan") == []
    assert complete("/nope x") == []


def test_custom_commands_are_read_when_the_list_opens(talk):
    session = talk([]).session
    completer = Completer(session)
    folder = session.start.source.root / REPOSITORY_FOLDER
    folder.mkdir(parents=True)

    def complete(text):
        return [completion.text for completion in completer(text, len(text))]

    (folder / "review.md").write_text("Review it.")
    assert "/review " in complete("/")
    (folder / "review.md").unlink()
    assert complete("/revi") == ["/review "], "a key does not read the files again"
    assert complete("words") == []
    assert complete("/revi") == []
    (folder / "revise.md").write_text("Revise it.")
    assert "/revise " in complete("/")


def test_paths_after_at_sign_are_completed(complete):
    assert complete("see @a.p") == [("@a.py", 4), ("@tests/test_a.py", 4)]
    assert complete("@tes/a")[0] == ("@tests/test_a.py", 0)
    assert complete("@tests")[0] == ("@tests/", 0)
    assert complete("a@a.p") == []
    assert complete("@a.p and more", 4)[0] == ("@a.py", 0)


def test_path_with_blank_is_quoted(talk, make_repo):
    session = talk([], root=make_repo({"my notes.md": ""})).session
    completer = Completer(session)
    session.paths.wait()
    assert [completion.text for completion in completer('see @"my no', 11)] == ['@"my notes.md"']


def test_untracked_files_are_offered_but_ignored_files_are_not(make_repo):
    root = make_repo({".gitignore": "*.log\n", "a.py": ""})
    (root / "new.py").write_text("")
    (root / "old.log").write_text("")
    paths = FileIndex(Repository.open(root))
    paths.wait()
    assert paths.like("", 10) == ["a.py", "new.py", ".gitignore"]


def test_files_without_git_are_offered(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "x.txt").write_text("")
    paths = FileIndex(Repository(tmp_path, tmp_path / "none", plain=True))
    paths.wait()
    assert paths.like("x", 10) == ["sub/x.txt"]


def test_nearest_name_comes_first(make_repo):
    root = make_repo(dict.fromkeys(("lib/core/deep.py", "core.py", "lib/score.py", "docs/core.md"), ""))
    paths = FileIndex(Repository.open(root))
    paths.wait()
    assert paths.like("core", 10) == [
        "core.py",
        "lib/core/",
        "docs/core.md",
        "lib/score.py",
        "lib/core/deep.py",
    ]
    assert paths.like("lib dee", 10) == ["lib/core/deep.py"]


@pytest.mark.parametrize("commit", [True, False])
def test_listing_does_not_run_configured_monitor(make_repo, tmp_path, commit):
    marker, monitor = tmp_path / "ran", tmp_path / "monitor"
    monitor.write_text(f"#!/bin/sh\ntouch {marker}\n")
    monitor.chmod(0o755)
    root = make_repo({"a.py": ""})
    git(root, "config", "core.fsmonitor", str(monitor))
    if not commit:
        git(root, "update-ref", "-d", "HEAD")
    paths = FileIndex(Repository.open(root) if commit else open_folder(root, tmp_path / "state"))
    paths.wait()
    assert paths.like("a.py", 10) == ["a.py"]
    assert not marker.exists()
