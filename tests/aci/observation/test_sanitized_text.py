"""Text shown for approval: control and invisible characters are escaped or removed."""

from __future__ import annotations

from unicodedata import bidirectional, category

import pytest

from aci.observation.untrusted_text import clean_text, escape_invisible, one_line


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("rm x #\recho", "rm x #\\recho"),
        ("a\bb\x7f", "a^Hb^?"),
        ("\x1b]0;t\x07\x1b[2J", "^[]0;t^G^[[2J"),
        ("a\u202eb\u2066\u200b\ufeff", "aU+202EbU+2066U+200BU+FEFF"),
        ("\x9b2J\x85\u2028", "U+009B2JU+0085U+2028"),
        ("\U000e0041\ud800", "U+E0041\ufffd"),
        ("tab\tand\nline, äöü 漢字 😀", "tab\tand\nline, äöü 漢字 😀"),
    ],
    ids=range(7),
)
def test_invisible_characters_are_escaped(text: str, shown: str) -> None:
    assert escape_invisible(text) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("+fine\u2028-forged", "+fine -forged"),
        ("a\u2029b\x85c", "a b c"),
        ("pass\u200bword\u2060\ufeff", "password"),
        ("a\u202eb\u2066c\u2069\u206a", "abc"),
        ("\U000e0041\U000e007f\U000e0100", ""),
        ("soft\xadhyphen", "softhyphen"),
        ("hid\u200d\u200cden\u200d", "hidden"),
        ("👩\u200d👩\u200d👧 ❤️\u200d🔥", "👩\u200d👩\u200d👧 ❤️\u200d🔥"),
        ("نمی\u200cشود \u200f(שם)\u200e!", "نمی\u200cشود \u200f(שם)\u200e!"),
        ("é" + "\u200d\u200c" * 50, "é\u200d"),
    ],
    ids=range(10),
)
def test_invisible_characters_are_removed_and_scripts_unchanged(text: str, shown: str) -> None:
    assert clean_text(text) == shown == clean_text(clean_text(text))
    assert one_line(text) == shown
    assert len(clean_text(text).splitlines()) <= 1


@pytest.mark.slow
def test_every_character_is_treated_by_its_unicode_category() -> None:
    """Of control and format characters, only those that writing systems need remain."""
    for code in range(0x110000):
        character = chr(code)
        kind, shown = category(character), clean_text(f"é{character}é")
        if character == "\n" or kind in ("Cs", "Zs"):
            continue
        if kind in ("Zl", "Zp") or character == "\x85":
            assert shown == "é é", hex(code)
        elif character in "\b\r":
            assert "é" in shown
            assert character not in shown
        elif character not in "\t\u200c\u200d\x1b\x9b" and (
            kind == "Cc" or (kind == "Cf" and bidirectional(character) not in ("L", "R", "AL", "AN"))
        ):
            assert shown == "éé", hex(code)
        elif not (0xE0000 <= code <= 0xE0FFF or character in "\x1b\x9b"):
            assert shown == f"é{character}é", hex(code)
