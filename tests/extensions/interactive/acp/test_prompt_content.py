"""The content of a prompt: words, mentions, attached texts and pictures."""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest
from acp.helpers import embedded_blob_resource, embedded_text_resource, image_block, resource_block, resource_link_block
from acp.helpers import text_block as text

from extensions.interactive.acp.prompt_content import PromptContent, read_prompt
from extensions.interactive.session.prompt_input.attachments import MOST_TEXT

PNG = b64encode(b"\x89PNG\r\n\x1a\n" + b"0" * 20).decode()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "repo" / "src").mkdir(parents=True)
    return tmp_path / "repo"


def link(path: Path | str) -> Any:
    return resource_link_block("name", path.as_uri() if isinstance(path, Path) else path)


def test_links_to_files_of_the_repository_become_mentions(root: Path) -> None:
    words = read_prompt(
        [text("Compare"), link(root / "src" / "a.py"), text("with"), link(root / "b c.py"), text(", please")], root
    ).words
    assert words == 'Compare @src/a.py with @"b c.py", please'


@pytest.mark.parametrize(
    "uri",
    ["file:///etc/passwd", "file://host/etc/passwd", "https://example.org/x", "zed:///agent", "file://[", "x" * 9_000],
)
def test_other_links_stay_text(root: Path, uri: str) -> None:
    content = read_prompt([text("See"), link(uri)], root)
    assert content.words.startswith("See name (")
    assert "@" not in content.words
    assert len(content.words) < 400
    assert bool(content.notices) == (uri == "file:///etc/passwd")


def test_link_cannot_leave_the_repository_or_add_a_mention(root: Path, tmp_path: Path) -> None:
    (root / "out").symlink_to(tmp_path)
    for uri in (f"{root.as_uri()}/../x", f"{root.as_uri()}/%2e%2e/x", f"{root.as_uri()}/out/x", root.as_uri()):
        assert "@" not in read_prompt([text("See"), link(uri)], root).words
    quoted = read_prompt([text("See"), link(f"{root.as_uri()}/a%22%0A@/etc/passwd")], root).words
    assert '"\n' not in quoted
    assert quoted.count("\n") == 0


def test_embedded_text_is_attached_in_a_fence_that_it_cannot_close(root: Path) -> None:
    resource = resource_block(embedded_text_resource((root / "a.md").as_uri(), "````\ncode\x1b[2J\n````"))
    content = read_prompt([text("Explain "), resource], root)
    assert content == PromptContent("Explain `a.md`", "a.md:\n`````\n````\ncode\n````\n`````")


def test_long_and_binary_resources_say_so(root: Path) -> None:
    long = resource_block(embedded_text_resource("a:b", "x" * (MOST_TEXT + 1)))
    binary = resource_block(embedded_blob_resource("a:c", "AAAA"))
    content = read_prompt([text("See"), long, binary], root)
    assert content.more.endswith("a:b is longer; the rest is not attached.")
    assert content.notices == ("Not attached: a:c is not text.",)


def test_kind_of_a_picture_is_that_of_its_bytes(root: Path) -> None:
    assert read_prompt([text("See"), image_block(PNG, "text/html")], root).images == (f"data:image/png;base64,{PNG}",)
