"""Issues, patches and tests that the user passes."""

import contextlib
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.config import api_keys
from agent.config.session_preferences import load_preferences
from agent.config.settings import read_toml
from agent.config.user_config import change
from agent.inputs.issue_input import from_text, issue_from, log_from, patch_from, reproduction_from
from agent.inputs.patch_input import PatchOptions, find_patch
from trajectories.errors import ConfigError, UsageError


@given(st.text())
def test_any_text_is_issue_or_rejected_as_empty(text):
    if not text.strip().lstrip("#").strip():
        with pytest.raises(UsageError, match="empty"):
            from_text(text)
        return
    issue = from_text(text)
    assert issue.text.strip()
    assert "\n" not in issue.title


def test_heading_is_title():
    issue = from_text("\n## It breaks\n\nWhen I press it.\n")
    assert (issue.title, issue.body) == ("It breaks", "When I press it.")


def test_reproduction_test_is_name_or_readable_file(tmp_path):
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


def test_images_below_issue_file_are_attached(tmp_path):
    (tmp_path / "shots").mkdir()
    (tmp_path / "shots" / "a.png").write_bytes(PNG)
    (tmp_path / "b.jpg").write_bytes(b"\xff\xd8\xff" + b"1" * 20)
    text = '# Title\n\n![a](shots/a.png "title") <img width=3 src="b.jpg"> ![again](shots/a.png)'
    first, second = from_text(text, tmp_path / "issue.md").images
    assert first.startswith("data:image/png;base64,iVBOR")
    assert second.startswith("data:image/jpeg;base64,")


def test_unsafe_image_paths_are_ignored(tmp_path, monkeypatch):
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
def test_malformed_images_are_ignored(tmp_path, text):
    assert from_text(f"Title\n\n{text}", tmp_path / "issue.md").images == ()


@pytest.mark.parametrize("read", [lambda file: issue_from(file=file), patch_from])
def test_endless_file_is_rejected(read):
    with pytest.raises(UsageError, match="has more than"):
        read(Path("/dev/zero"))


@pytest.mark.parametrize(("text", "message"), [("\n", "is empty"), ("Not a diff.\n", "contains no diff")])
def test_file_without_diff_is_rejected(tmp_path, text, message):
    (tmp_path / "p.diff").write_text(text)
    with pytest.raises(UsageError, match=message):
        patch_from(tmp_path / "p.diff")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-32"])
def test_log_is_read_in_the_encoding_of_its_mark(tmp_path, encoding):
    file = tmp_path / "ci.log"
    file.write_bytes("Fehler: größer\nEnde\n".encode(encoding))
    assert log_from(file).splitlines() == ["Fehler: größer", "Ende"]


@pytest.mark.parametrize("data", [b"a\0b", "log".encode("utf-16-le"), b"\x7fELF" + bytes(9)])
def test_binary_log_is_rejected(tmp_path, data):
    (tmp_path / "ci.log").write_bytes(data)
    with pytest.raises(UsageError, match="is a binary file"):
        log_from(tmp_path / "ci.log")


@pytest.mark.parametrize("issue", [("u", None, None), (None, Path("f"), None), (None, None, "")])
def test_patch_excludes_issue(tmp_path, issue):
    with pytest.raises(UsageError, match="both given"):
        patch_from(tmp_path / "p.diff", *issue)


def test_standard_input_is_read_once(tmp_path):
    given = PatchOptions(Path("-"), None, False, "", None)
    with pytest.raises(UsageError, match="--patch and --issue-file both read standard input") as caught:
        find_patch(given, None, ("", Path("-"), None), str(tmp_path), False, None, print)
    assert caught.value.fix == "Give one of them a file."


@pytest.mark.parametrize(
    ("pr", "branch", "message", "fix"),
    [
        ("", None, "No patch was given.", "Give one of --pr URL, --branch REV."),
        ("u", "b", "--pr and --branch were given.", "Give one of --pr URL, --branch REV."),
    ],
)
def test_message_names_only_the_options_of_the_command(pr, branch, message, fix):
    with pytest.raises(UsageError) as caught:
        PatchOptions(None, branch, False, pr, None).validate(("pr", "branch"))
    assert (caught.value.message, caught.value.fix) == (message, fix)


def _write_forever(pipe: int) -> None:
    with contextlib.suppress(BrokenPipeError), os.fdopen(pipe, "wb", buffering=0) as file:
        while True:
            file.write(b"x" * 60_000)


def _result_in_time(call: Callable[[], object]) -> object:
    """Return the result of a call, or the error that it raises; fail if it takes too long."""
    results: list[object] = []

    def work() -> None:
        try:
            results.append(call())
        except (ConfigError, UsageError) as error:
            results.append(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(5)
    assert results, "the call does not return"
    return results[0]


def test_pipes_without_writer_do_not_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pipe, folder = tmp_path / "pipe.py", tmp_path / "repo"
    os.mkfifo(pipe)
    folder.mkdir()
    os.mkfifo(folder / "keys.toml")
    monkeypatch.setenv("SWE_AGENT_CONFIG", str(pipe))
    assert "is empty" in str(_result_in_time(lambda: issue_from(file=pipe)))
    assert "is empty" in str(_result_in_time(lambda: patch_from(pipe)))
    assert "not a regular file" in str(_result_in_time(lambda: reproduction_from(str(pipe), folder)))
    assert "not a regular file" in str(_result_in_time(lambda: read_toml(pipe)))
    assert "not a regular file" in str(_result_in_time(lambda: change("budget", "1")))
    assert not isinstance(_result_in_time(load_preferences), BaseException)
    monkeypatch.setenv("SWE_AGENT_CONFIG", str(folder / "config.toml"))
    assert "not a regular file" in str(_result_in_time(api_keys._from_file))


def test_issue_is_read_from_pipe_up_to_size_limit() -> None:
    read_end, write_end = os.pipe()
    threading.Timer(0.1, lambda: (os.write(write_end, b"It breaks\n\nHere.\n"), os.close(write_end))).start()
    issue = _result_in_time(lambda: issue_from(file=Path(f"/dev/fd/{read_end}")))
    os.close(read_end)
    assert (issue.title, issue.body) == ("It breaks", "Here.")
    read_end, write_end = os.pipe()
    threading.Thread(target=_write_forever, args=(write_end,), daemon=True).start()
    with pytest.raises(UsageError, match="has more than 1,000,000 bytes"):
        issue_from(file=Path(f"/dev/fd/{read_end}"))
    os.close(read_end)


def test_null_device_is_empty_configuration() -> None:
    assert read_toml(Path("/dev/null")) == {}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"# It breaks\n\n![](a.png)\n", ""),
        (b"", "The issue is empty"),
        (b"\xff", "is not UTF-8"),
    ],
)
def test_issue_is_read_from_stdin(data, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("a.png").write_bytes(PNG)
    Path("-").write_text("not this file")
    reader, writer = os.pipe()
    os.write(writer, data)
    os.close(writer)
    before = os.dup(0)
    os.dup2(reader, 0)
    try:
        with pytest.raises(UsageError, match=message) if message else contextlib.nullcontext():
            issue = issue_from(file=Path("-"))
            assert (issue.title, issue.images) == ("It breaks", ()), "no picture of the current folder is sent"
    finally:
        os.dup2(before, 0)
        os.close(before)
        os.close(reader)
