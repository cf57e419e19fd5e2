"""Scripts of replies: checked as a whole before the run begins, with readable errors."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from agent.config.settings import Settings
from agent.models.scripted import load
from trajectories.errors import ConfigError, UsageError

GOOD = {"branch": "main", "n": 1, "contains": "x", "reply": {"text": "t", "usage": None, "actions": []}}


def script(folder: Path, *lines: Any) -> str:
    path = folder / "script.jsonl"
    path.write_text("".join(f"{line if isinstance(line, str) else json.dumps(line)}\n" for line in lines))
    return str(path)


def test_valid_lines_are_loaded(tmp_path: Path) -> None:
    usage = {"input_tokens": 5, "output_tokens": 1, "dollars": 0.5}
    action = {"tool": "view", "arguments": {"path": "a"}, "error": "", "note": "of the author"}
    replies = [{}, {"usage": usage, "actions": [action]}, {"usage": {"dollars": None}}]
    lines = [GOOD, *({"reply": reply} for reply in replies)]
    assert load(script(tmp_path, *lines), Settings()).lines == lines


@pytest.mark.parametrize(
    ("line", "wrong"),
    [
        ({"reply": {"text": 5}}, "reply.text is not text"),
        ({"reply": {"text": None}}, "reply.text is not text"),
        ({"reply": "x"}, "reply is not an object"),
        ({"reply": {"actions": {"tool": "view"}}}, "reply.actions is not a list"),
        ({"reply": {"actions": ["view"]}}, r"reply.actions\[1\] is not an object"),
        ({"reply": {"actions": [{"arguments": {}}]}}, r"reply.actions\[1\] has no 'tool'"),
        ({"reply": {"actions": [{"tool": ["view"]}]}}, r"reply.actions\[1\].tool is not text"),
        ({"reply": {"actions": [{"tool": "view", "arguments": "a.py"}]}}, "arguments is not an object"),
        ({"reply": {"actions": [{"tool": "view", "error": 1}]}}, "error is not text"),
        ({"reply": {"usage": {"input_tokens": "5"}}}, "reply.usage.input_tokens is not a whole number"),
        ({"reply": {"usage": {"input_tokens": True}}}, "reply.usage.input_tokens is not a whole number"),
        ({"reply": {"usage": {"dollars": "5"}}}, "reply.usage.dollars is not a number"),
        ({"reply": {"usage": {"input_tokens": 10**26 - 1}}}, "usage.input_tokens is not between 0 and 1,000,000,000"),
        ({"reply": {"usage": {"output_tokens": -1}}}, "usage.output_tokens is not between 0 and 1,000,000,000"),
        ({"reply": {"usage": {"dollars": float("nan")}}}, "usage.dollars is not between 0 and 1,000,000,000"),
        ({"reply": {"usage": {"tokens": 5}}}, "reply.usage has an unknown 'tokens'"),
        ({"reply": {"usage": 5}}, "reply.usage is not an object"),
        ({"reply": {}, "n": "1"}, "n is not a whole number"),
        ({"reply": {}, "contains": 3}, "contains is not text"),
        ({"reply": {}, "branch": ["main"]}, "branch is not text"),
        ({"text": "x"}, "the line has no 'reply'"),
        ([GOOD], "the line is not an object"),
        ("{", "is not JSON"),
        ("[" * 100_000, "is not JSON"),
    ],
)
def test_wrong_types_are_reported_at_load(tmp_path: Path, line: Any, wrong: str) -> None:
    with pytest.raises(ConfigError, match=rf"Line 2 of .*script\.jsonl .*{wrong}") as raised:
        load(script(tmp_path, GOOD, line), Settings())
    assert "Error" not in raised.value.message


def test_size_limits_apply(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"Line 1 of .* contains more than 2,000,000 values"):
        load(script(tmp_path, '{"reply": {}, "x": [{}' + ",{}" * 2_000_000 + "]}"), Settings())
    os.truncate(tmp_path / "script.jsonl", (64 << 20) + 1)
    with pytest.raises(UsageError, match="has more than 67,108,864 bytes"):
        load(str(tmp_path / "script.jsonl"), Settings())
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ConfigError, match="cannot be read: it is not a regular file"):
        load(str(tmp_path / "pipe"), Settings())
