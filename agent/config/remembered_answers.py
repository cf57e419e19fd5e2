"""Questions that the user has answered, remembered in the state folder so that each is asked once. The answers are not
settings.

A line of the file is the id of a question and what it was about, such as a model. Lines with other ids, which may be
those of another version, are kept and not used.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

from agent.config.user_file import write_user_file
from trajectories.errors import UsageError
from trajectories.file_limits import read_config

Question = Literal["offered-models", "model-price", "mcp-tool", "agent-notice"]
"""Ids in files: never change or reuse one."""
_EARLIER = ((re.compile("no model"), "offered-models"), (re.compile(r"price unknown: (\S+ \S+)"), r"model-price \1"))
"""Lines of earlier versions, and what is written today."""


def is_remembered(state: Path, question: Question, *about: str) -> bool:
    """Return whether the user has answered this question."""
    return _line(question, about) in _answers(state)


def has_answer(state: Path, question: Question, *about: str) -> bool:
    """Return whether the user has answered a question that begins with these parts."""
    return any(line.startswith(f"{_line(question, about)} ") for line in _answers(state))


def remember(state: Path, question: Question, *about: str) -> None:
    """Remember that the user has answered this question. Raises ConfigError if the file cannot be written."""
    answers, answer = _answers(state), _line(question, about)
    if answer not in answers:
        write_user_file(_file(state), "".join(f"{line}\n" for line in [*answers, answer]))


def _line(question: Question, about: tuple[str, ...]) -> str:
    return " ".join((question, *(re.sub(r"\s", "_", part) for part in about)))


def _answers(state: Path) -> list[str]:
    try:
        lines = read_config(_file(state)).decode("utf-8").splitlines()
    except (OSError, ValueError, UsageError):  # it is asked again
        return []
    return [_as_written_today(line) for line in lines]


def _as_written_today(line: str) -> str:
    return next((match.expand(today) for old, today in _EARLIER if (match := old.fullmatch(line))), line)


def _file(state: Path) -> Path:
    return state / "answers.txt"
