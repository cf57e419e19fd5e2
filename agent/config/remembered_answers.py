"""Answers of the user that are not settings, remembered in the state folder so that a question is asked once."""

from __future__ import annotations

from pathlib import Path

from agent.config.user_file import write_user_file
from trajectories.errors import UsageError
from trajectories.file_limits import read_config


def is_remembered(state: Path, answer: str) -> bool:
    return answer in _answers(state)


def remember(state: Path, answer: str) -> None:
    """Remember an answer, which is one line. Raises ConfigError if the file cannot be written."""
    answers = _answers(state)
    if answer not in answers:
        write_user_file(_file(state), "".join(f"{line}\n" for line in [*answers, answer]))


def _answers(state: Path) -> list[str]:
    try:
        return read_config(_file(state)).decode("utf-8").splitlines()
    except (OSError, ValueError, UsageError):  # it is asked again
        return []


def _file(state: Path) -> Path:
    return state / "answers.txt"
