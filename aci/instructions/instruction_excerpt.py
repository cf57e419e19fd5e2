"""An excerpt of an instruction file that fits a budget: the whole text, or its sections about building, testing and
style."""

from __future__ import annotations

import re
from itertools import pairwise

from aci.instructions.markdown_parser import parse_blocks

TOPICS = re.compile(
    r"\b(?:build|compil|command|test|check|lint|format|styl|convention|guideline|coding|install|set[- ]?up"
    r"|development\b(?! team)|getting started|environment|quick ?start|change ?log)",
    re.IGNORECASE,
)
"""Matches the headings of sections that help to change the code."""


def select_sections(text: str, room: int) -> tuple[str, bool]:
    """Return the text if it has at most `room` characters, else its sections on TOPICS as far as they fit, or its
    beginning if it has none; and whether something was left out. It is cut between lines."""
    if len(text) <= room:
        return text, False
    chosen = "\n\n".join(topic_sections(text)) or text
    return cut_at_line(chosen, room), True


def topic_sections(text: str) -> list[str]:
    """Return the sections of a Markdown text whose heading, or the heading of a section around it, is on TOPICS.

    The only title of level 1 is that of the whole file, and does not count.
    """
    tokens = parse_blocks(text)
    marks = [
        (token.map[0], int(token.tag[1:]), inside.content)
        for token, inside in pairwise(tokens)
        if token.type == "heading_open" and token.map and not token.level
    ]
    is_title = sum(level == 1 for _, level, _ in marks) == 1
    lines, found = text.split("\n"), []
    chosen = 0  # the level of the section on TOPICS around the present one
    for (start, level, title), end in zip(marks, [*(mark[0] for mark in marks[1:]), len(lines)], strict=False):
        if level <= chosen:
            chosen = 0
        if not chosen and not (is_title and level == 1) and TOPICS.search(title):
            chosen = level
        if chosen:
            found.append("\n".join(lines[start:end]).strip("\n"))
    return found


def cut_at_line(text: str, room: int) -> str:
    """Return the lines of a text that fit; a first line that does not fit is cut."""
    if len(text) <= room:
        return text
    end = text.rfind("\n", 0, room + 1)
    return text[: end if end > 0 else room].rstrip()
