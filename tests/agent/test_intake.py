"""What the user hands in."""

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.intake import from_text, issue_from, patch_from, reproduction_from
from trajectories.errors import ConfigError, TryLater, UsageError

ADDRESS = "https://github.com/ada/engine/issues/7"


@pytest.fixture
def github(monkeypatch):
    """GitHub's API on this machine: `answer(status, body)` sets what it says, `asked` is what it heard."""

    class Api(BaseHTTPRequestHandler):
        status, body = 200, b"{}"
        asked: ClassVar[list] = []

        def do_GET(self):
            Api.asked.append((self.path, self.headers.get("Authorization")))
            self.send_response(self.status)
            self.send_header("Content-Length", str(len(self.body)))
            self.end_headers()
            self.wfile.write(self.body)

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Api)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    monkeypatch.setenv("GITHUB_API_URL", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.delenv("GITHUB_TOKEN", raising=False)
    monkeypatch.delenv("GH_TOKEN", raising=False)
    yield Api
    server.shutdown()
    thread.join()
    server.server_close()


def test_an_issue_from_github(github, monkeypatch):
    body = "It breaks.\n\n![shot](https://example.org/a.png)"
    github.body = json.dumps(
        {"title": "Engine stalls", "body": body, "user": {"login": "bob"}, "author_association": "NONE"}
    ).encode()
    monkeypatch.setenv("GITHUB_TOKEN", "secret-token")
    issue = issue_from(url=ADDRESS)
    assert (issue.title, issue.author, issue.trust) == ("Engine stalls", "bob", "stranger")
    assert issue.images == ("https://example.org/a.png",)
    assert github.asked == [("/repos/ada/engine/issues/7", "Bearer secret-token")]


@pytest.mark.parametrize(
    ("status", "error"), [(404, UsageError), (410, UsageError), (401, ConfigError), (403, ConfigError), (502, TryLater)]
)
def test_what_github_refuses_is_said(github, status, error):
    github.status = status
    with pytest.raises(error):
        issue_from(url=ADDRESS)


def test_a_github_that_does_not_answer_or_talks_nonsense(github, monkeypatch):
    github.body = b"<html>"
    with pytest.raises(TryLater):
        issue_from(url=ADDRESS)
    monkeypatch.setenv("GITHUB_API_URL", "http://127.0.0.1:9")
    with pytest.raises(TryLater, match="could not be reached"):
        issue_from(url=ADDRESS)


@pytest.mark.parametrize(
    "url", ["https://github.com/a/b", "https://github.com/a/b/pull/1", "ftp://x", "github.com/a/b/issues/1"]
)
def test_other_addresses_are_refused(url):
    with pytest.raises(UsageError, match="not the address"):
        issue_from(url=url)


@given(st.text())
def test_any_text_is_an_issue_or_a_clear_no(text):
    if not text.strip().lstrip("#").strip():
        with pytest.raises(UsageError, match="empty"):
            from_text(text)
        return
    issue = from_text(text)
    assert issue.text.strip()
    assert "\n" not in issue.title


def test_a_heading_is_the_title():
    issue = from_text("\n## It breaks\n\nWhen I press it.\n")
    assert (issue.title, issue.body) == ("It breaks", "When I press it.")


def test_what_reproduce_names(tmp_path):
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests/test_a.py").write_text("")
    (tmp_path / "outside.py").write_text("def test(): pass")
    repository = tmp_path / "repo"
    (repository / "tests").mkdir(parents=True)
    (repository / "tests/test_b.py").write_text("")
    for name in ("tests/test_b.py", "tests/test_b.py::test_x", "tests.test_b.T.test_x", "", None):
        assert reproduction_from(name, repository) == name
    assert reproduction_from(str(tmp_path / "outside.py"), repository) == str(tmp_path / "outside.py")
    with pytest.raises(UsageError, match="cannot be read"):
        reproduction_from("nowhere/test_x.py", repository)


PNG = b"\x89PNG\r\n\x1a\n" + b"0" * 50


def test_pictures_below_the_issue_file_are_taken_as_they_are(tmp_path):
    (tmp_path / "shots").mkdir()
    (tmp_path / "shots" / "a.png").write_bytes(PNG)
    (tmp_path / "b.jpg").write_bytes(b"\xff\xd8\xff" + b"1" * 20)
    text = '# Title\n\n![a](shots/a.png "title") <img width=3 src="b.jpg"> ![again](shots/a.png)'
    first, second = from_text(text, tmp_path / "issue.md").images
    assert first.startswith("data:image/png;base64,iVBOR")
    assert second.startswith("data:image/jpeg;base64,")


def test_what_is_no_picture_of_the_issues_own_stays_words(tmp_path, monkeypatch):
    folder = tmp_path / "issues"
    folder.mkdir()
    (tmp_path / "outside.png").write_bytes(PNG)
    (folder / "secret.png").write_text("no picture")
    (folder / "link.png").symlink_to(tmp_path / "outside.png")
    (folder / "huge.png").write_bytes(PNG * 100_000)
    names = ["../outside.png", "secret.png", "link.png", "huge.png", "gone.png", "https://host/a.png", "/etc/passwd"]
    text = "Title\n\n" + " ".join(f"![x]({name})" for name in names)
    assert from_text(text, folder / "issue.md").images == ()
    assert from_text(text).images == ()


@pytest.mark.parametrize(
    "text",
    [
        "![a](data:image/png;base64," + "A" * 9000 + ")",
        "![a](b\0c.png)",
        "![" * 50_000,
        "<img " * 50_000,
        "<img src='" * 9000,
    ],
)
def test_a_hostile_picture_is_no_trouble(tmp_path, text):
    assert from_text(f"Title\n\n{text}", tmp_path / "issue.md").images == ()


@pytest.mark.parametrize("read", [lambda file: issue_from(file=file), patch_from])
def test_a_file_without_an_end_is_not_read_whole(read):
    with pytest.raises(UsageError, match="has more than"):
        read(Path("/dev/zero"))


@pytest.mark.parametrize(("text", "said"), [("\n", "is empty"), ("Not a diff.\n", "holds no diff")])
def test_a_patch_that_is_none(tmp_path, text, said):
    (tmp_path / "p.diff").write_text(text)
    with pytest.raises(UsageError, match=said):
        patch_from(tmp_path / "p.diff")


@pytest.mark.parametrize("issue", [("u", None, None), (None, Path("f"), None), (None, None, "")])
def test_a_patch_and_an_issue(tmp_path, issue):
    with pytest.raises(UsageError, match="both given"):
        patch_from(tmp_path / "p.diff", *issue)
