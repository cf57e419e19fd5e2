"""Verdicts on disk: found again, never half, and never outside their folder, whatever names strangers give."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.evaluation.grading_store import GradingStore, key, path_part
from agent.evaluation.patch_grade import GradingResult
from trajectories.errors import UsageError, WorkspaceError

RIGHT = GradingResult("i-1", True, True, f2p_ok=("a",), p2p_ok=("b",), log="all passed", seconds=1.5, script="pytest\n")
NAMES = st.text(st.characters(), min_size=1) | st.sampled_from(
    ["..", ".", "/", "../../x", "a/b", "-rf", "a\\b", "\n", "~"]
)


@given(NAMES, NAMES)
def test_any_name_is_one_part_of_path_of_its_own(first: str, second: str) -> None:
    found = path_part(first)
    assert found
    assert found not in (".", "..")
    assert found[0] not in ".-"
    assert not set(found) & set("/\\\0\n")
    assert len(found.encode()) <= 200
    assert (path_part(second) == found) == (first == second)


@pytest.mark.parametrize("name", ["astropy__astropy-13033", "gpt-4o:x (1)", "us__model", "Ünïcode"])
def test_good_names_stay(name: str) -> None:
    assert path_part(name) == name


def test_verdict_is_found_again_without_its_log(tmp_path: Path) -> None:
    shelf = GradingStore(tmp_path, "run")
    kept = shelf.put("us/model", RIGHT, "k", "the patch")
    assert kept.log == ""
    assert shelf.find("us/model", "i-1", "k") == kept
    assert shelf.find("us/model", "i-1", "another") is None
    assert shelf.find("us/model", "i-2", "k") is None
    folder = tmp_path / "logs" / "run_evaluation" / "run" / "us__model" / "i-1"
    assert shelf.of("us/model", "i-1") == folder
    assert (folder / "patch.diff").read_text() == "the patch"
    assert (folder / "eval.sh").read_text() == "pytest\n"
    assert (folder / "test_output.txt").read_text() == (">>>>> Start Test Output\nall passed\n>>>>> End Test Output\n")
    assert ">>>>> Applied Patch" in (folder / "run_instance.log").read_text()


def test_what_has_no_verdict_is_graded_again_and_leaves_no_old_one(tmp_path: Path) -> None:
    shelf = GradingStore(tmp_path, "run")
    shelf.put("m", RIGHT, "k", "p")
    shelf.put("m", GradingResult("i-1", False, True, error="The tests did not end within 1 s."), "k", "p")
    assert shelf.find("m", "i-1", "k") is None
    assert not (shelf.of("m", "i-1") / "report.json").exists()
    assert "did not end" in (shelf.of("m", "i-1") / "run_instance.log").read_text()


def test_refused_patch_is_verdict_without_report(tmp_path: Path) -> None:
    shelf = GradingStore(tmp_path, "run")
    refused = shelf.put("m", GradingResult("i-1", False, False, log="error: corrupt patch"), "k", "p")
    assert shelf.find("m", "i-1", "k") == refused
    folder = shelf.of("m", "i-1")
    assert not (folder / "report.json").exists()
    assert ">>>>> Patch Apply Failed" in (folder / "run_instance.log").read_text()
    assert (folder / "test_output.txt").read_text() == "error: corrupt patch"


@pytest.mark.parametrize(
    "damage", [b"", b"{", b"[]", b"{}", b'{"key": "k"}', b'{"key": "k", "instance": "i-1"}', b"\xff"]
)
def test_damaged_verdict_is_none(tmp_path: Path, damage: bytes) -> None:
    shelf = GradingStore(tmp_path, "run")
    shelf.put("m", RIGHT, "k", "p")
    (shelf.of("m", "i-1") / "graded.json").write_bytes(damage)
    assert shelf.find("m", "i-1", "k") is None


def test_what_strangers_wrote_is_written_as_it_can_be(tmp_path: Path) -> None:
    shelf = GradingStore(tmp_path, "run")
    odd = GradingResult("i-1", False, True, f2p_failed=("\ud800",), log="\ud800")
    found = shelf.find("../../m\0", "i-1", "k") or shelf.put("../../m\0", odd, "k", "\ud800")
    assert found.f2p_failed == ("\ud800",)
    assert shelf.find("../../m\0", "i-1", "k") == found
    assert [path.name for path in tmp_path.iterdir()] == ["logs"]
    report = json.loads((shelf.of("../../m\0", "i-1") / "report.json").read_text())
    assert report["i-1"]["resolved"] is False


def test_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "logs").write_text("a file")
    with pytest.raises(WorkspaceError, match="cannot be written"):
        GradingStore(tmp_path, "run").put("m", RIGHT, "k", "p")


@pytest.mark.parametrize("run", ["..", "a/b", "", "-x", ".hidden"])
def test_run_id_names_folder(run: str) -> None:
    with pytest.raises(UsageError, match="cannot name a folder"):
        GradingStore.check(run)


def test_key_tells_what_verdict_was_come_to_from() -> None:
    assert key("a", ("b", "c")) == key("a", ("b", "c"))
    assert len({key("a", ("b", "c")), key("a", ("bc",)), key("ab", ("c",)), key("\ud800")}) == 4
