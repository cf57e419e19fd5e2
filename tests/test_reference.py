"""The pages of docs/reference/ say what the code does."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

READ = re.compile(r"""\benviron(?:\.get\(|\[)["']([A-Z_]+)["']""")
ROOT = Path(__file__).parents[1]
SPEC = importlib.util.spec_from_file_location("reference", ROOT / "scripts" / "reference.py")
assert SPEC is not None
assert SPEC.loader is not None
reference = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(reference)


@pytest.mark.parametrize("page", reference.WRITERS)
def test_generated_page_is_up_to_date(page: str) -> None:
    assert (reference.PAGES / page).read_text("utf-8") == reference.WRITERS[page](), "update it: make reference"


def test_functions_of_code_page_exist() -> None:
    """Their lines may be some commits old; `make reference` writes them."""
    text = reference.CODE_PAGE.read_text("utf-8")
    assert len(reference.PLACE.findall(text)) > 20
    reference.with_lines(text)
    assert reference.with_lines("`scripts/reference.py:1` `main`") != "`scripts/reference.py:1` `main`"
    with pytest.raises(LookupError):
        reference.with_lines("`scripts/reference.py:1` `main.gone`")


def test_every_environment_variable_that_is_read_is_described() -> None:
    page = (reference.PAGES / "environment-variables.md").read_text("utf-8")
    files = [
        file
        for package in ("extensions", "agent", "aci", "tools", "trajectories")
        for file in (ROOT / package).rglob("*.py")
    ]
    read = {name for file in files if "guest" not in file.parts for name in READ.findall(file.read_text("utf-8"))}
    assert len(read) > 20
    assert {name for name in read if f"`{name}`" not in page} == set()
