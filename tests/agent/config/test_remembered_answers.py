"""Questions that were answered, in the file of this version and of earlier ones."""

from __future__ import annotations

from pathlib import Path

from agent.config.remembered_answers import is_remembered, remember

SERVER = "http://127.0.0.1:9/v1"


def test_question_is_remembered_by_its_id_and_subject(tmp_path: Path) -> None:
    assert not is_remembered(tmp_path, "offered-models")
    remember(tmp_path, "offered-models")
    for _ in range(2):
        remember(tmp_path, "model-price", "openai/mine", SERVER)
    assert (tmp_path / "answers.txt").read_text() == f"offered-models\nmodel-price openai/mine {SERVER}\n"
    assert is_remembered(tmp_path, "offered-models")
    assert is_remembered(tmp_path, "model-price", "openai/mine", SERVER)
    assert not is_remembered(tmp_path, "model-price", "openai/mine", f"{SERVER}/other")
    assert not is_remembered(tmp_path, "model-price")


def test_subject_cannot_add_a_line(tmp_path: Path) -> None:
    remember(tmp_path, "model-price", "a\noffered-models", SERVER)
    assert is_remembered(tmp_path, "model-price", "a\noffered-models", SERVER)
    assert not is_remembered(tmp_path, "offered-models")


def test_answers_of_earlier_versions_count_and_other_lines_are_kept(tmp_path: Path) -> None:
    other = "a-later-question x"
    (tmp_path / "answers.txt").write_text(f"no model\nprice unknown: openai/mine {SERVER}\n{other}\nno model at all\n")
    assert is_remembered(tmp_path, "offered-models")
    assert is_remembered(tmp_path, "model-price", "openai/mine", SERVER)
    remember(tmp_path, "model-price", "openai/other", SERVER)
    assert (tmp_path / "answers.txt").read_text().splitlines() == [
        "offered-models",
        f"model-price openai/mine {SERVER}",
        other,
        "no model at all",
        f"model-price openai/other {SERVER}",
    ]


def test_damaged_file_answers_nothing(tmp_path: Path) -> None:
    (tmp_path / "answers.txt").write_bytes(b"offered-models\xff\n")
    assert not is_remembered(tmp_path, "offered-models")
