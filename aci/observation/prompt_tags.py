"""Quotation of untrusted text in the tags of prompts, which the text can neither close nor open."""

from __future__ import annotations

import re

from aci.observation.untrusted_text import clean_text, one_line, tag_pattern

LONGEST_NAME = 200
_NAMES = (
    "issue",
    "advice",
    "attachments",
    "comment",
    "experience",
    "fix",
    "lesson",
    "memory",
    "patch",
    "skills",
    "source",
)
FRAME, FRAME_END = tag_pattern(*_NAMES), tag_pattern(*_NAMES, ends=True)


def quote_text(text: str) -> str:
    """Escape a text so that it can neither close the tags around it nor send control sequences to a terminal."""
    return FRAME_END.sub(r"<\\", clean_text(text))


def quote_fully(text: str) -> str:
    """Escape a text as `quote_text` does, and also prevent it from opening a tag that would attribute text to someone
    else."""
    return FRAME.sub(r"<\\", clean_text(text))


def quote_source(text: str, **attributes: str) -> str:
    """Return a part of a file as a `source` element with these attributes, such as its `file` and `name`."""
    given = " ".join(f'{name}="{attribute_text(value)}"' for name, value in attributes.items())
    return f"<source {given}>\n{quote_text(text)}\n</source>"


def attribute_text(text: str, most: int = LONGEST_NAME) -> str:
    """Return a text as an attribute of a tag: one line, without characters that would end the attribute."""
    return re.sub(r"[<>\"]", "'", one_line(text))[:most]
