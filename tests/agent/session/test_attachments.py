"""What words bring along: files, folders, pictures, whole issues; and what they must not."""

import os
import subprocess
from dataclasses import replace

import pytest

from agent.session.attachments import MOST_TEXT, Request, resolve_attachments
from trajectories.errors import UsageError
from trajectories.records import Comment, Issue

PNG = b"\x89PNG\r\n\x1a\n" + bytes(40)


@pytest.fixture
def root(tmp_path, monkeypatch):
    folder = tmp_path / "repo"
    (folder / "src").mkdir(parents=True)
    (folder / "src" / "a.py").write_text("x = 1\n")
    (folder / "with blank.md").write_text("# Blank\n\nYes.\n")
    (folder / "issue.md").write_text("# Title\n\nBody ![shot](shot.png)\n")
    (folder / "shot.png").write_bytes(PNG)
    (tmp_path / "outside.md").write_text("# Outside\n\nsecret\n")
    monkeypatch.chdir(folder)
    return folder.resolve()


def test_words_alone(root):
    request = resolve_attachments("  Fix it\nsoon  ", root)
    assert (request.text, request.issue.title, request.issue.body) == ("Fix it\nsoon", "Fix it", "soon")


def test_file_is_quoted_under_its_name(root):
    request = resolve_attachments("Explain @src/a.py, please", root)
    assert request.text == "Explain @src/a.py, please\n\nsrc/a.py:\n```\nx = 1\n```"


def test_fence_in_file_does_not_end_quotation(root):
    (root / "b.md").write_text("````\ncode\n````\n")
    assert "b.md:\n`````\n````\ncode\n````\n`````" in resolve_attachments("see @b.md", root).text


def test_file_alone_is_issue_with_its_pictures(root):
    issue = resolve_attachments("@issue.md", root).issue
    assert issue.title == "Title"
    assert len(issue.images) == 1
    assert resolve_attachments('@"with blank.md"', root).issue.title == "Blank"


def test_picture_by_its_bytes(root):
    (root / "fake.png").write_text("no picture")
    request = resolve_attachments("Look at shot.png and @shot.png and fake.png", root)
    assert [image[:22] for image in request.images] == ["data:image/png;base64,"]
    assert request.issue.images == request.images
    assert request.more == ""


def test_folder_is_listed(root):
    assert "src contains:\na.py" in resolve_attachments("What is in @src ?", root).text


def test_long_file_is_cut(root):
    (root / "long.txt").write_text("y" * (MOST_TEXT + 5))
    text = resolve_attachments("@long.txt it is", root).text
    assert len(text) < MOST_TEXT + 200
    assert "is longer" in text


def test_escape_sequences_do_not_come_along(root):
    (root / "odd.txt").write_text("a\x1b[31mb")
    assert "\x1b" not in resolve_attachments("see @odd.txt", root).text


@pytest.mark.parametrize("words", ["see @src/nope.py", "see @nope.md", "@nope.txt", "see @./nope"])
def test_missing_file_is_said(root, words):
    with pytest.raises(UsageError, match="There is no file"):
        resolve_attachments(words, root)


@pytest.mark.parametrize(
    "words", ["use @property", "ask @ada", "@pytest.mark.slow fails", "a@example.org", "@types/node"]
)
def test_what_is_no_path_is_left_alone(root, words):
    assert resolve_attachments(words, root).text == words


def test_pasted_text_may_name_what_is_not_there(root):
    words = "It fails:\nsee @gone/away.py"
    assert resolve_attachments(words, root).text == words


def test_file_elsewhere_is_read_only_if_it_is_all_and_named_in_full(root):
    outside = root.parent / "outside.md"
    request = resolve_attachments(f"@{outside}", root)
    assert (request.issue.title, request.read) == ("Outside", (f"Read {outside}, 18 bytes.",))
    for words in (f"Solve this:\n@{outside}", f"Solve @{outside}", "@../outside.md", f"What is in @{root.parent} ?"):
        with pytest.raises(UsageError, match="outside the repository"):
            resolve_attachments(words, root)


def test_folder_elsewhere_is_listed_alone_and_told(root):
    request = resolve_attachments(f"@{root.parent}", root)
    assert "contains:\noutside.md\nrepo/" in request.text
    assert request.read == (f"Read {root.parent}, its names.",)


def test_picture_elsewhere_is_told_and_not_taken_from_pasted_text(root):
    shot = root.parent / "other.png"
    shot.write_bytes(PNG)
    request = resolve_attachments(f"Look at {shot}", root)
    assert (len(request.images), request.read) == (1, (f"Read {shot}, 48 bytes.",))
    pasted = resolve_attachments(f"Look:\n{shot}", root)
    assert (pasted.images, pasted.read) == ((), (f"Not read: {shot} is outside the repository.",))


@pytest.mark.parametrize("words", ["@link.md", "Solve @link.md", "@{root}/link.md", "@away", "see @link.png"])
def test_link_out_of_repository_is_refused_also_alone(root, words):
    (root.parent / "secret.png").write_bytes(PNG)
    (root / "link.md").symlink_to(root.parent / "outside.md")
    (root / "link.png").symlink_to(root.parent / "secret.png")
    (root / "away").symlink_to(root.parent)
    with pytest.raises(UsageError, match="outside the repository"):
        resolve_attachments(words.format(root=root), root)


@pytest.mark.parametrize("words", ["@.git/config", "@.git", "Report:\nsee @.git/config please", "@hidden"])
def test_nothing_of_gits_own_is_read(root, words):
    (root / ".git").mkdir()
    (root / ".git" / "config").write_text("url = https://me:password@host/x\n")
    (root / "hidden").symlink_to(".git/config")
    with pytest.raises(UsageError, match="belongs to git"):
        resolve_attachments(words, root)


def test_ignored_file_is_told(root):
    subprocess.run(["git", "init", "-q", str(root)], check=True)
    (root / ".gitignore").write_text(".env\n")
    (root / ".env").write_text("A=1\n")
    assert resolve_attachments("see @.env", root).read == ("Read .env, 4 bytes; git ignores it.",)
    assert resolve_attachments("see @src/a.py", root).read == ()


@pytest.mark.parametrize("words", ["@pipe", "look at @pipe please", "pipe.png @pipe"])
def test_pipe_is_not_waited_for(root, words):
    os.mkfifo(root / "pipe")
    with pytest.raises(UsageError, match="not a regular file"):
        resolve_attachments(words, root)


def test_device_is_not_read(root):
    with pytest.raises(UsageError, match="not a regular file"):
        resolve_attachments("@/dev/zero", root)
    with pytest.raises(UsageError, match="outside the repository"):
        resolve_attachments("names\n@/dev/zero here", root)


def test_address_of_issue_elsewhere(root):
    with pytest.raises(UsageError, match="not the address of an issue"):
        resolve_attachments("https://example.org/a/b/issues/7", root)
    words = "Like https://example.org/a/b/issues/7 but worse"
    assert resolve_attachments(words, root).text == words


def test_what_others_said_of_issue_goes_along():
    said = Comment("ada", "Look at calc.py.", role="OWNER", trust="member")
    whole = Issue("Title", "Body", "https://github.com/a/b/issues/7", "bob", "stranger", comments=(said,))
    text = Request(whole.url, whole=whole).text
    assert text.startswith(
        "Solve this issue, https://github.com/a/b/issues/7, written by bob (stranger):\n\nTitle\n\nBody"
    )
    assert text.endswith('<comment author="ada" role="OWNER" trust="member">\nLook at calc.py.\n</comment>')
    assert Request(whole.url, whole=replace(whole, comments=())).text.endswith("Body")
