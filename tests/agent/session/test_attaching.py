"""What words bring along: files, folders, pictures, whole issues; and what they must not."""

import pytest

from agent.session.attaching import MOST_TEXT, attached
from trajectories.errors import UsageError

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
    request = attached("  Fix it\nsoon  ", root)
    assert (request.text, request.issue.title, request.issue.body) == ("Fix it\nsoon", "Fix it", "soon")


def test_a_file_is_quoted_under_its_name(root):
    request = attached("Explain @src/a.py, please", root)
    assert request.text == "Explain @src/a.py, please\n\nsrc/a.py:\n```\nx = 1\n```"


def test_a_fence_in_a_file_does_not_end_the_quotation(root):
    (root / "b.md").write_text("````\ncode\n````\n")
    assert "b.md:\n`````\n````\ncode\n````\n`````" in attached("see @b.md", root).text


def test_a_file_alone_is_the_issue_with_its_pictures(root):
    issue = attached("@issue.md", root).issue
    assert issue.title == "Title"
    assert len(issue.images) == 1
    assert attached('@"with blank.md"', root).issue.title == "Blank"


def test_a_picture_by_its_bytes(root):
    (root / "fake.png").write_text("no picture")
    request = attached("Look at shot.png and @shot.png and fake.png", root)
    assert [image[:22] for image in request.images] == ["data:image/png;base64,"]
    assert request.issue.images == request.images
    assert request.more == ""


def test_a_folder_is_listed(root):
    assert "src holds:\na.py" in attached("What is in @src ?", root).text


def test_a_long_file_is_cut(root):
    (root / "long.txt").write_text("y" * (MOST_TEXT + 5))
    text = attached("@long.txt it is", root).text
    assert len(text) < MOST_TEXT + 200
    assert "is longer" in text


def test_escape_sequences_do_not_come_along(root):
    (root / "odd.txt").write_text("a\x1b[31mb")
    assert "\x1b" not in attached("see @odd.txt", root).text


@pytest.mark.parametrize("words", ["see @src/nope.py", "see @nope.md", "@nope.txt", "see @./nope"])
def test_a_missing_file_is_said(root, words):
    with pytest.raises(UsageError, match="There is no file"):
        attached(words, root)


@pytest.mark.parametrize(
    "words", ["use @property", "ask @ada", "@pytest.mark.slow fails", "a@example.org", "@types/node"]
)
def test_what_is_no_path_is_left_alone(root, words):
    assert attached(words, root).text == words


def test_a_pasted_text_may_name_what_is_not_there(root):
    words = "It fails:\nsee @gone/away.py"
    assert attached(words, root).text == words


def test_a_file_elsewhere_is_read_only_if_it_is_all(root):
    assert attached("@../outside.md", root).issue.title == "Outside"
    with pytest.raises(UsageError, match="outside the repository"):
        attached("Solve this:\n@../outside.md", root)


def test_a_link_out_of_the_repository_is_outside(root):
    (root / "link.md").symlink_to(root.parent / "outside.md")
    with pytest.raises(UsageError, match="outside the repository"):
        attached("Solve @link.md", root)


def test_an_address_of_an_issue_elsewhere(root):
    with pytest.raises(UsageError, match="not the address of an issue"):
        attached("https://example.org/a/b/issues/7", root)
    words = "Like https://example.org/a/b/issues/7 but worse"
    assert attached(words, root).text == words
