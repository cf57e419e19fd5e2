"""Whole files in a model's reply."""

from extensions.papers.answer_blocks import parse_file


def test_file_is_read_from_block_below_path() -> None:
    assert parse_file("tests/test_a.py\n\n```python\nimport a\n\n\na.b()\n```\nDone.") == (
        "tests/test_a.py",
        "import a\n\n\na.b()\n",
    )
    assert parse_file("```\nno path\n```") is None
    assert parse_file("tests/test_a.py\n```python\nno end") is None
