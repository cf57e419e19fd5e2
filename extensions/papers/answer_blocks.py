"""Parsers of answers with fenced blocks: a whole file, and an action."""

from __future__ import annotations

import re

from agent.prompts.answer_parser import FENCE, lines_of, path_of
from trajectories.records import Action

BLOCKS = dict.fromkeys(("python", "python3", "py"), "python") | dict.fromkeys(("bash", "sh", "shell"), "shell")
BLOCKS |= {"submit": "submit", "view": "view"}
"""Map from the languages of fenced blocks to tools."""
ARGUMENT = {"python": "code", "shell": "command", "submit": "summary", "view": "path"}


def parse_file(said: str) -> tuple[str, str] | None:
    """Return the path and text of the first whole file in an answer: a line that contains only a path, followed by a
    fenced block."""
    path = ""
    text: list[str] | None = None
    for line in lines_of(said):
        if text is not None:
            if re.fullmatch(r"`{3,}\s*", line):
                return path, "".join(f"{each}\n" for each in text)
            text.append(line)
        elif FENCE.fullmatch(line) and path:
            text = []
        elif line.strip():
            path = path_of(line)
    return None


def parse_action(said: str) -> tuple[Action, ...]:
    """Return the action of the first fenced code block in an answer, by its language: `python`, `bash`, `view` with a
    path, or `submit` with a summary as its text.

    The result is empty if there is no complete block.
    """
    tool, fence = "", ""
    lines: list[str] = []
    for line in lines_of(said):
        if not tool:
            opening = re.fullmatch(r"\s*(`{3,})\s*(\w+)\s*", line)
            tool = BLOCKS.get(opening[2].lower(), "") if opening else ""
            fence = opening[1] if opening else ""
        elif line.strip() == fence:
            return (Action(tool, {ARGUMENT[tool]: "\n".join(lines)}),)
        else:
            lines.append(line)
    return ()
