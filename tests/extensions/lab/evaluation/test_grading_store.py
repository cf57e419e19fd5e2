"""Verdicts on disk: complete, found again, and inside their folder for any name."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extensions.lab.evaluation.grading_store import GradingStore, graded_in, key, path_part
from extensions.lab.evaluation.patch_grade import GradingResult
from trajectories.errors import UsageError, WorkspaceError

RIGHT = GradingResult("i-1", True, True, f2p_ok=("a",), p2p_ok=("b",), log="all passed", seconds=1.5, script="pytest\n")
NAMES = st.text(st.characters(), min_size=1) | st.sampled_from(
    ["..", ".", "/", "../../x", "a/b", "-rf", "a\\b", "\n", "~"]
)


@given(NAMES, NAMES)
def test_path_part_is_safe_and_unique_for_any_name(first: str, second: str) -> None:
    part = path_part(first)
    assert part
    assert part not in (".", "..")
    assert part[0] not in ".-"
    assert not set(part) & set("/\\\0\n")
    assert len(part.encode()) <= 200
    assert (path_part(second) == part) == (first == second)


@pytest.mark.parametrize("name", ["astropy__astropy-13033", "gpt-4o:x (1)", "us__model", "Ünïcode"])
def test_valid_name_is_unchanged(name: str) -> None:
    assert path_part(name) == name


def test_verdict_is_read_back_without_its_log(tmp_path: Path) -> None:
    store = GradingStore(tmp_path, "run")
    stored = store.put("us/model", RIGHT, "k", "the patch")
    assert stored.log == ""
    assert store.find("us/model", "i-1", "k") == stored
    assert store.find("us/model", "i-1", "another") is None
    assert store.find("us/model", "i-2", "k") is None
    folder = tmp_path / "logs" / "run_evaluation" / "run" / "us__model" / "i-1"
    assert store.of("us/model", "i-1") == folder
    assert (folder / "patch.diff").read_text() == "the patch"
    assert (folder / "eval.sh").read_text() == "pytest\n"
    assert (folder / "test_output.txt").read_text() == (">>>>> Start Test Output\nall passed\n>>>>> End Test Output\n")
    assert ">>>>> Applied Patch" in (folder / "run_instance.log").read_text()


def test_result_without_verdict_replaces_old_verdict(tmp_path: Path) -> None:
    store = GradingStore(tmp_path, "run")
    store.put("m", RIGHT, "k", "p")
    store.put("m", GradingResult("i-1", False, True, error="The tests did not end within 1 s."), "k", "p")
    assert store.find("m", "i-1", "k") is None
    assert not (store.of("m", "i-1") / "report.json").exists()
    assert "did not end" in (store.of("m", "i-1") / "run_instance.log").read_text()


def test_refused_patch_has_verdict_without_report(tmp_path: Path) -> None:
    store = GradingStore(tmp_path, "run")
    refused = store.put("m", GradingResult("i-1", False, False, log="error: corrupt patch"), "k", "p")
    assert store.find("m", "i-1", "k") == refused
    folder = store.of("m", "i-1")
    assert not (folder / "report.json").exists()
    assert ">>>>> Patch Apply Failed" in (folder / "run_instance.log").read_text()
    assert (folder / "test_output.txt").read_text() == "error: corrupt patch"


@pytest.mark.parametrize(
    "damage", [b"", b"{", b"[]", b"{}", b'{"key": "k"}', b'{"key": "k", "instance": "i-1"}', b"\xff"]
)
def test_damaged_verdict_is_ignored(tmp_path: Path, damage: bytes) -> None:
    store = GradingStore(tmp_path, "run")
    store.put("m", RIGHT, "k", "p")
    (store.of("m", "i-1") / "graded.json").write_bytes(damage)
    assert store.find("m", "i-1", "k") is None


def test_untrusted_names_and_texts_can_be_stored(tmp_path: Path) -> None:
    store = GradingStore(tmp_path, "run")
    odd = GradingResult("i-1", False, True, f2p_failed=("\ud800",), log="\ud800")
    stored = store.find("../../m\0", "i-1", "k") or store.put("../../m\0", odd, "k", "\ud800")
    assert stored.f2p_failed == ("\ud800",)
    assert store.find("../../m\0", "i-1", "k") == stored
    assert [path.name for path in tmp_path.iterdir()] == ["logs"]
    report = json.loads((store.of("../../m\0", "i-1") / "report.json").read_text())
    assert report["i-1"]["resolved"] is False


def test_unwritable_folder_is_rejected(tmp_path: Path) -> None:
    (tmp_path / "logs").write_text("a file")
    with pytest.raises(WorkspaceError, match="cannot be written"):
        GradingStore(tmp_path, "run").put("m", RIGHT, "k", "p")


@pytest.mark.parametrize("run", ["..", "a/b", "", "-x", ".hidden"])
def test_run_id_must_be_valid_folder_name(run: str) -> None:
    with pytest.raises(UsageError, match="cannot name a folder"):
        GradingStore.check(run)


def test_key_differs_for_different_inputs() -> None:
    assert key("a", ("b", "c")) == key("a", ("b", "c"))
    assert len({key("a", ("b", "c")), key("a", ("bc",)), key("ab", ("c",)), key("\ud800")}) == 4


def test_workspace_of_verdicts_is_recorded(tmp_path: Path) -> None:
    store = GradingStore(tmp_path, "run")
    assert graded_in(tmp_path) == ""
    store.put("m", replace(RIGHT, instance="earlier"), "k", "p")
    store.put("m", replace(RIGHT, instance="failed", error="No space.", workspace="docker"), "k", "p")
    assert graded_in(tmp_path) == "", "only verdicts count"
    found = store.put("m", replace(RIGHT, workspace="sandbox"), "k", "p")
    assert store.find("m", "i-1", "k") == found
    assert graded_in(tmp_path) == "sandbox"
