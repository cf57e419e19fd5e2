"""Storage of outlines."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aci.graph.outline import Binding, Import, Outline, Reference, Symbol, decode_outline, encode_outline

TEXT = st.text(max_size=20)
NUMBER = st.integers(-1, 2**31)
OUTLINES = st.builds(
    Outline,
    st.lists(st.builds(Symbol, TEXT, TEXT, NUMBER, NUMBER, NUMBER, NUMBER, NUMBER, NUMBER, TEXT, TEXT), max_size=3).map(
        tuple
    ),
    st.lists(st.builds(Reference, TEXT, TEXT, NUMBER, NUMBER), max_size=3).map(tuple),
    st.lists(st.builds(Import, TEXT, TEXT, TEXT, NUMBER, NUMBER), max_size=3).map(tuple),
    st.lists(st.builds(Binding, TEXT, TEXT, NUMBER, st.booleans()), max_size=3).map(tuple),
    st.booleans(),
)


@pytest.mark.slow
@given(OUTLINES)
def test_decoded_outline_equals_encoded(outline: Outline) -> None:
    assert decode_outline(encode_outline(outline)) == outline


def test_bare_name_is_last_part_of_name() -> None:
    assert Symbol("A.b", "function", 1, 1, 1, 0, 1, -1, "", "").bare == "b"
