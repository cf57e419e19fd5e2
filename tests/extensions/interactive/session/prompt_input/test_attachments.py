"""What a prompt attaches: files, folders, pictures, whole issues; and what it may not attach."""

import os
import subprocess
from dataclasses import replace

import pytest

from extensions.interactive.session.prompt_input.attachments import MOST_TEXT, Request, resolve_attachments
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


def test_prompt_without_attachment_is_title_and_body(root):
    request = resolve_attachments("  Fix it\nsoon  ", root)
    assert (request.text, request.issue.title, request.issue.body) == ("Fix it\nsoon", "Fix it", "soon")


def test_file_is_quoted_under_its_name(root):
    request = resolve_attachments("Explain @src/a.py, please", root)
    assert (request.text, request.more) == ("Explain @src/a.py, please", "src/a.py:\n```\nx = 1\n```")
    assert request.message == "Explain @src/a.py, please\n\nsrc/a.py:\n```\nx = 1\n```"


def test_attachment_is_no_part_of_issue_text(root):
    issue = resolve_attachments("Explain @src/a.py, please", root).issue
    assert (issue.text, issue.attachments) == ("Explain @src/a.py, please", "src/a.py:\n```\nx = 1\n```")


def test_fence_in_file_does_not_end_quotation(root):
    (root / "b.md").write_text("````\ncode\n````\n")
    assert "b.md:\n`````\n````\ncode\n````\n`````" in resolve_attachments("see @b.md", root).more


def test_prompt_of_one_file_is_issue_with_its_pictures(root):
    issue = resolve_attachments("@issue.md", root).issue
    assert issue.title == "Title"
    assert len(issue.images) == 1
    assert resolve_attachments('@"with blank.md"', root).issue.title == "Blank"


def test_issue_keeps_pictures_and_text_that_are_attached_to_it(root):
    request = Request("@a.md", "notes", ("one", "two"), whole=Issue("t", images=("one",), attachments="comments"))
    assert request.issue == Issue("t", images=("one", "two"), attachments="notes")
    assert replace(request, more="").issue.attachments == "comments"


def test_picture_is_recognised_by_its_content(root):
    (root / "fake.png").write_text("no picture")
    request = resolve_attachments("Look at shot.png and @shot.png and fake.png", root)
    assert [image[:22] for image in request.images] == ["data:image/png;base64,"]
    assert request.issue.images == request.images
    assert request.more == ""


def test_pasted_picture_may_be_named_in_any_prompt(root, tmp_path):
    folder = tmp_path / "pasted"
    folder.mkdir()
    (folder / "a.png").write_bytes(PNG)
    (folder / "a.txt").write_text("secret")
    words = f'Look at @"{folder}/a.png"\nand fix it.'
    request = resolve_attachments(words, root, pasted=folder)
    assert (len(request.images), request.read) == (1, ())
    with pytest.raises(UsageError, match="outside the repository"):
        resolve_attachments(words, root)
    with pytest.raises(UsageError, match="outside the repository"):
        resolve_attachments(words.replace("a.png", "a.txt"), root, pasted=folder)


def test_folder_is_listed(root):
    assert "src contains:\na.py" in resolve_attachments("What is in @src ?", root).more


def long_source(function, header="def {}():", body="    # " + "x" * 60 + "\n    pass\n"):
    """Return 400 functions whose names start with `function`."""
    return "".join(f"{header.format(f'{function}{n}')}\n{body}\n" for n in range(400))


def test_long_source_becomes_its_outline_with_named_definitions(root):
    (root / "long.py").write_text(long_source("work"))
    more = resolve_attachments("Why does work_at fail? See work321 in @long.py", root).more
    assert len(more) < 17_000
    assert "1-3 def work0\n5-7 def work1\n" in more
    assert "… work321, lines 1285-1287\n1285\tdef work321():" in more
    assert "… work322" not in more
    assert more.endswith("long.py is long (36,690 bytes): `view` shows the rest.")


def test_long_source_in_other_language_becomes_its_outline(root):
    (root / "long.js").write_text(long_source("work", "function {}() {{", "  // " + "x" * 80 + "\n}\n"))
    more = resolve_attachments("See work321 in @long.js", root).more
    assert "function work0" in more
    assert "… work321, lines 1285-1287" in more
    assert "symbol" not in more


def test_long_text_is_cut(root):
    (root / "long.txt").write_text("A line of text.\n" * 5000)
    more = resolve_attachments("@long.txt it is", root).more
    assert "long.txt, lines 1-" in more
    assert len(more) < 17_000
    assert more.endswith("`view` shows the rest.")


def test_source_alone_is_attached_and_text_alone_is_issue(root):
    issue = resolve_attachments("@src/a.py", root).issue
    assert (issue.title, issue.attachments) == ("@src/a.py", "src/a.py:\n```\nx = 1\n```")
    (root / "long.md").write_text("# Title\n\n" + "A line of text.\n" * 5000)
    assert len(resolve_attachments("@long.md", root).issue.body) > 70_000


def test_ignored_file_is_attached_whole_because_session_has_no_copy(root):
    subprocess.run(["git", "init", "-q", str(root)], check=True)
    (root / ".gitignore").write_text("*.log\n")
    (root / "a.log").write_text("A line of text.\n" * 5000)
    assert len(resolve_attachments("see @a.log", root).more) > 75_000
    (root / "b.log").write_text("y" * (MOST_TEXT + 5))
    more = resolve_attachments("see @b.log", root).more
    assert len(more) < MOST_TEXT + 200
    assert more.endswith("b.log is longer; the rest is not attached.")


def test_escape_sequences_of_file_are_removed(root):
    (root / "odd.txt").write_text("a\x1b[31mb")
    assert "a" in (more := resolve_attachments("see @odd.txt", root).more)
    assert "\x1b" not in more


@pytest.mark.parametrize("prompt", ["see @src/nope.py", "see @nope.md", "@nope.txt", "see @./nope"])
def test_missing_file_is_reported(root, prompt):
    with pytest.raises(UsageError, match="There is no file"):
        resolve_attachments(prompt, root)


@pytest.mark.parametrize(
    "prompt", ["use @property", "ask @ada", "@pytest.mark.slow fails", "a@example.org", "@types/node"]
)
def test_mention_that_is_no_path_is_unchanged(root, prompt):
    assert resolve_attachments(prompt, root).text == prompt


def test_missing_file_in_pasted_text_is_ignored(root):
    prompt = "It fails:\nsee @gone/away.py"
    assert resolve_attachments(prompt, root).text == prompt


def test_outside_file_is_read_only_alone_and_by_absolute_path(root):
    outside = root.parent / "outside.md"
    request = resolve_attachments(f"@{outside}", root)
    assert (request.issue.title, request.read) == ("Outside", (f"Read {outside}, 18 bytes.",))
    for prompt in (f"Solve this:\n@{outside}", f"Solve @{outside}", "@../outside.md", f"What is in @{root.parent} ?"):
        with pytest.raises(UsageError, match="outside the repository"):
            resolve_attachments(prompt, root)


def test_outside_folder_is_listed_and_reported(root):
    request = resolve_attachments(f"@{root.parent}", root)
    assert "contains:\noutside.md\nrepo/" in request.more
    assert request.read == (f"Read {root.parent}, its names.",)


def test_outside_picture_is_reported_but_not_read_from_pasted_text(root):
    shot = root.parent / "other.png"
    shot.write_bytes(PNG)
    request = resolve_attachments(f"Look at {shot}", root)
    assert (len(request.images), request.read) == (1, (f"Read {shot}, 48 bytes.",))
    pasted = resolve_attachments(f"Look:\n{shot}", root)
    assert (pasted.images, pasted.read) == ((), (f"Not read: {shot} is outside the repository.",))


@pytest.mark.parametrize("prompt", ["@link.md", "Solve @link.md", "@{root}/link.md", "@away", "see @link.png"])
def test_link_out_of_repository_is_refused(root, prompt):
    (root.parent / "secret.png").write_bytes(PNG)
    (root / "link.md").symlink_to(root.parent / "outside.md")
    (root / "link.png").symlink_to(root.parent / "secret.png")
    (root / "away").symlink_to(root.parent)
    with pytest.raises(UsageError, match="outside the repository"):
        resolve_attachments(prompt.format(root=root), root)


@pytest.mark.parametrize("prompt", ["@.git/config", "@.git", "Report:\nsee @.git/config please", "@hidden"])
def test_files_of_git_are_not_read(root, prompt):
    (root / ".git").mkdir()
    (root / ".git" / "config").write_text("url = https://me:password@host/x\n")
    (root / "hidden").symlink_to(".git/config")
    with pytest.raises(UsageError, match="belongs to git"):
        resolve_attachments(prompt, root)


def test_ignored_file_is_reported(root):
    subprocess.run(["git", "init", "-q", str(root)], check=True)
    (root / ".gitignore").write_text(".env\n")
    (root / ".env").write_text("A=1\n")
    assert resolve_attachments("see @.env", root).read == ("Read .env, 4 bytes; git ignores it.",)
    assert resolve_attachments("see @src/a.py", root).read == ()


@pytest.mark.parametrize("prompt", ["@pipe", "look at @pipe please", "pipe.png @pipe"])
def test_pipe_is_refused(root, prompt):
    os.mkfifo(root / "pipe")
    with pytest.raises(UsageError, match="not a regular file"):
        resolve_attachments(prompt, root)


def test_device_is_refused(root):
    with pytest.raises(UsageError, match="not a regular file"):
        resolve_attachments("@/dev/zero", root)
    with pytest.raises(UsageError, match="outside the repository"):
        resolve_attachments("names\n@/dev/zero here", root)


def test_unknown_issue_address_is_refused_unless_in_text(root):
    with pytest.raises(UsageError, match="not the address of an issue"):
        resolve_attachments("https://example.org/a/b/issues/7", root)
    prompt = "Like https://example.org/a/b/issues/7 but worse"
    assert resolve_attachments(prompt, root).text == prompt


def test_comments_of_issue_are_attached():
    comment = Comment("ada", "Look at calc.py.", role="OWNER", trust="member")
    issue = Issue("Title", "Body", "https://github.com/a/b/issues/7", "bob", "stranger", comments=(comment,))
    text = Request(issue.url, whole=issue).text
    assert text.startswith(
        "Solve this issue, https://github.com/a/b/issues/7, written by bob (stranger):\n\nTitle\n\nBody"
    )
    assert text.endswith('<comment author="ada" role="OWNER" trust="member">\nLook at calc.py.\n</comment>')
    assert Request(issue.url, whole=replace(issue, comments=())).text.endswith("Body")
