"""Untrusted YAML within limits."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from extensions.repository_checks.plain_yaml import DEEPEST, load_plain

PLAIN = st.recursive(
    st.text(), lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4), max_leaves=12
)


@given(PLAIN)
def test_plain_values_are_read_as_the_library_reads_them(value: object) -> None:
    text = yaml.safe_dump(value, allow_unicode=False)
    assert load_plain(text) == yaml.load(text, Loader=yaml.BaseLoader)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a: 1\nb: [true, ~]\n", {"a": "1", "b": ["true", "~"]}),
        ("a: |\n  x\n  y\n", {"a": "x\ny\n"}),
        ("a: &x {b: c}\nd: *x\n", {"a": {"b": "c"}, "d": ""}),
        ("? [1]\n: b\n", {"": "b"}),
        ("a: 1\n---\nb: 2\n", {"a": "1"}),
        ("", ""),
        ("a: [", ""),
        ("[" * (DEEPEST + 1) + "]" * (DEEPEST + 1), ""),
        ("[" * 150_000, ""),
        ("- a\n" * 40_000, ""),
        ("x" * 300_000, ""),
    ],
)
def test_limits_and_other_values(text: str, value: object) -> None:
    assert load_plain(text) == value
