"""Prompt files of strategies: users' overrides, and the record of the prompts used."""

from pathlib import Path

import pytest

from agent.engine.strategy_prompts import load_prompts
from tests.agent.conftest import Bench, line
from trajectories.errors import UsageError
from trajectories.journal import read


def test_prompts_of_strategy_are_loaded() -> None:
    prompts = load_prompts("test-then-patch")
    assert set(prompts) == {"coder", "again", "refused"}
    assert prompts == load_prompts("test_then_patch")


def test_folder_overrides_single_prompts(tmp_path: Path) -> None:
    (tmp_path / "test_then_patch.again.txt").write_text("Once more.\n")
    (tmp_path / "react.coder.txt").write_text("Of another strategy.")
    prompts = load_prompts("test-then-patch", tmp_path)
    assert prompts["again"] == "Once more."
    assert prompts["coder"] == load_prompts("test-then-patch")["coder"]


def test_prompt_file_of_unknown_name_is_reported(tmp_path: Path) -> None:
    (tmp_path / "test_then_patch.agian.txt").write_text("Once more.")
    with pytest.raises(UsageError, match=r"agian.txt overrides no prompt") as error:
        load_prompts("test-then-patch", tmp_path)
    assert "test_then_patch.again.txt" in error.value.fix
    with pytest.raises(UsageError, match="no folder"):
        load_prompts("test-then-patch", tmp_path / "nowhere")


def test_undecodable_prompt_file_is_reported(tmp_path: Path) -> None:
    (tmp_path / "test_then_patch.again.txt").write_bytes(b"\xff\xfe")
    with pytest.raises(UsageError, match="cannot be read"):
        load_prompts("test-then-patch", tmp_path)


def test_run_records_prompts_and_their_hashes(bench: Bench, tmp_path: Path) -> None:
    own = tmp_path / "prompts"
    own.mkdir()
    first = read(bench.begin(line("x"))).run
    (own / "test_then_patch.coder.txt").write_text("Solve it.")
    second = read(bench.begin(line("x"), prompts=own)).run
    assert first is not None
    assert second is not None
    assert second.prompts["coder"] == "Solve it."
    assert first.versions["prompt again"] == second.versions["prompt again"]
    assert first.versions["prompt coder"] != second.versions["prompt coder"]
