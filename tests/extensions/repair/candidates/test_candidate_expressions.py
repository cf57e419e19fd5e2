"""Code generated from the names and numbers in scope."""

from __future__ import annotations

import time

from extensions.experiment.source.source_file import Source
from extensions.repair.analysis.callable_library import Library
from extensions.repair.analysis.code_snippets import Snippets
from extensions.repair.analysis.donor_code import Donors
from extensions.repair.candidates.candidate_expressions import MOST_CONSTANTS, other_constants
from extensions.repair.candidates.template_site import TemplateSite


def make_site(code: str) -> TemplateSite:
    """Return the site of the first statement of the first function."""
    source = Source("a.py", code.encode())
    _, holder = source.functions[0]
    return TemplateSite(source, Donors(source, holder, Library([source])), holder.body[0], Snippets([source]))


def test_constants_of_number_are_numbers_of_function_and_their_products() -> None:
    assert other_constants(make_site("def f(a):\n    return a * 60 + 24 - 7\n"), 7)[:5] == [
        "60", "24", "1440", "420", "168",
    ]  # fmt: skip


def test_table_of_numbers_is_not_multiplied_pairwise() -> None:
    site = make_site(f"def f(a):\n    return [{', '.join(map(str, range(3000)))}][a]\n")
    assert site.donors.numbers
    began = time.process_time()
    assert len(other_constants(site, 5)) == MOST_CONSTANTS
    assert time.process_time() - began < 1.0
