"""Python source in other encodings than UTF-8."""

from __future__ import annotations

import ast

import pytest

from aci.guest.source_encoding import as_utf8, from_utf8, text_encoding

CODE = "# -*- coding: {} -*-\n# encoding: c0mment\nword = 'd\xe9j\xe0'; total = a - b  # \xe9\n"


@pytest.mark.parametrize("name", ["latin-1", "cp1252", "iso-8859-15", "mac_roman"])
def test_source_as_utf8_has_offsets_of_syntax_tree(name: str) -> None:
    data = CODE.format(name).encode(name)
    source = as_utf8(data)
    value = ast.parse(source).body[1].value  # type: ignore[attr-defined]
    line = source.split(b"\n")[value.lineno - 1]
    assert line[value.col_offset : value.end_col_offset] == b"a - b"
    assert ast.dump(ast.parse(source)) == ast.dump(ast.parse(data))
    assert from_utf8(source.decode(), data) == CODE.format(name)
    assert from_utf8(source.decode(), data).encode(text_encoding(data)) == data


UNCHANGED = [
    b"",
    "x = '\xe9'\n".encode(),
    CODE.format("latin-1").encode(),
    b"x = '\xe9'\n",
    b"# coding: unknown\n# \xe9\n",
    b"# coding: utf-8\nx = '\xe9'\n",
    b"# coding: ascii\n# \xe9\n",
    b"\xef\xbb\xbfx = 1\n",
    b"# coding: latin-1\nx = 1\n",
]


@pytest.mark.parametrize("data", UNCHANGED)
def test_source_in_utf8_or_unknown_encoding_is_unchanged(data: bytes) -> None:
    assert as_utf8(data) == data
    assert text_encoding(data) in ("utf-8", "")


@pytest.mark.parametrize(
    "text",
    ["# c0ding: notes\n# coding: latin-1\nx='é'\n", "# coding: latin-1\nx='é' # c0ding=1\n", "# coding: latin-1\n'é'"],
)
def test_only_declaration_is_restored(text: str) -> None:
    data = text.encode("latin-1")
    assert from_utf8(as_utf8(data).decode(), data) == text
