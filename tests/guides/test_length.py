"""A guide has at most 1,500 words before its heading `## Details`, so that a user can read it in a few minutes."""

from __future__ import annotations

from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
MAX_WORDS = 1_500
NO_GUIDES = {"benchmarks.md", "comparison.md", "github-attacks.md", "glossary.md", "journal.md"}
"""Pages that a user looks things up in: results, tables, and descriptions of formats."""
GUIDES = {"benchmarks.md", "comparison.md", "github-attacks.md", "glossary.md", "journal.md"}
"""Pages that a user looks things up in: results, tables, and descriptions of formats."""
TO_SHORTEN: set[str] = set()
"""Guides that are still longer. Remove a name as soon as its guide has the heading."""
GUIDES = [page for page in sorted(DOCS.glob("*.md")) if page.name not in NO_GUIDES]


@pytest.mark.parametrize("page", GUIDES, ids=lambda page: page.name)
def test_guide_is_short_before_its_details(page: Path) -> None:
    text = page.read_text("utf-8")
    assert text.count("\n## Details\n") <= 1
    first, _, details = text.partition("\n## Details\n")
    assert len(first.split()) <= MAX_WORDS, "move what few readers need below the heading `## Details`"
    assert "\n## " not in details, "sections of the details are one heading level lower"
