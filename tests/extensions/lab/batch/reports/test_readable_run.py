"""The record of a run as a page: complete, and not broken by its contents."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extensions.lab.batch.reports.readable_run import _fenced, page
from extensions.lab.instances.jobs import JobResult
from trajectories.journal import Journal
from trajectories.records import Action, Base, Issue, Note, Observation, Reply, Run, Step, Turn

DONE = JobResult("a", 1, "a", 6, "unproven", "unproven", "diff --git a/x b/x\n", 0.5, 100, 40, 10, 2, 2, 12.0)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A run in which a model thinks, writes a file, and makes an invalid call."""
    journal = Journal(tmp_path / "run")
    actions = (
        Action("write", {"path": "x.py", "text": "one\n```\ntwo ````\n"}),
        Action("shell", {"command": "echo `date`"}),
        Action("", error="This is no call."),
    )
    observations = (Observation("written"), Observation("\x1b[31mred\x1b[0m ```"), Observation("Name a tool."))
    journal.append(
        Run(
            "a", Issue("It stalls", "On hills."), "/home/ada/engine", Base("1" * 40, "2" * 40), prompts={"coder": "Be."}
        ),
        Turn("fix", "react", {"coder": "openai/gpt-4o"}),
        Note("main", "phase", "reproduce"),
        Step("main", 1, "", "react", "2" * 40, observations=(Observation("Here is the tree."),)),
        Reply("Let me see.", actions, "First this.\nThen that.", branch="main", ask=1),
        Step("main", 2, "main#1", "coder", "3" * 40, 1, actions, observations),
    )
    journal.close()
    return tmp_path / "run"


def test_page_contains_all_records_in_order(directory: Path) -> None:
    text = page(DONE, directory)
    parts = [
        "# a\n",
        "- Strategy: react; model: openai/gpt-4o\n",
        "- Exit: unproven; verdict: unproven\n",
        "100 tokens in (40 cached)",
        "10 out; $0.5000; 12 seconds",
        "It stalls\n\nOn hills.",
        "## Prompt: coder\n\n```\nBe.\n```",
        "*main phase: reproduce*",
        "## main#1 react\n\n```\nHere is the tree.\n```",
        "## main#2 coder\n\n> First this.\n> Then that.\n\nLet me see.\n",
        '**write** `{"path": "x.py"}`\ntext:\n`````\none\n```\ntwo ````\n`````\n```\nwritten\n```',
        '**shell** `` {"command": "echo `date`"} ``\n````\nred ```\n````',
        "This is no call.",
        "Name a tool.",
        "## Prediction\n\n```diff\ndiff --git a/x b/x\n```\n",
    ]
    at = 0
    for part in parts:
        at = text.index(part, at) + len(part)
    assert "/home/ada" not in text
    assert "\x1b" not in text


def test_page_shows_missing_patch_or_record(directory: Path, tmp_path: Path) -> None:
    lost = JobResult("b", 1, "b", 5, "infrastructure", "none", "", None, error="No space.")
    assert page(lost, tmp_path / "nothing") == "# b\n\nThere is no record of a run: No space.\n"
    assert page(lost, directory).endswith("## Prediction\n\nNo patch.\n")
    assert "unknown" in page(lost, directory)


def test_secrets_are_masked(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THEIR_TOKEN", "Let me see")
    assert "Let me see" not in page(DONE, directory)


@given(st.text(st.sampled_from("`\n~ ab#"), max_size=40))
def test_text_cannot_close_its_fence(text: str) -> None:
    lines = "\n".join(_fenced(text)).split("\n")
    fence = lines[0]
    assert re.fullmatch("`{3,}", fence)
    assert [line for line in lines if line.startswith(fence)] == [fence, fence]
    assert lines[-1] == fence
