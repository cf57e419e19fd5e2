"""Hunks of a change, and the search for those that are not needed."""

from hypothesis import given
from hypothesis import strategies as st

from aci.merge_readiness.hunks import Hunk, apply_hunks, find_hunks
from aci.merge_readiness.needed_changes import find_unneeded

texts = st.lists(st.sampled_from(["a\n", "b\n", "c\x0c\n", "d\r\n", "\n", "e"])).map("".join)


@given(texts, texts)
def test_blocks_are_applied_or_not(old, new) -> None:
    hunks = find_hunks("a", old, new)
    assert apply_hunks(old, new, hunks, hunks) == new
    assert apply_hunks(old, new, [], hunks) == old


@given(st.integers(1, 12), st.data())
def test_blocks_that_are_not_needed_are_found(count, data) -> None:
    hunks = [Hunk(f"{number % 3}.py", number, number + 1, number, number + 1) for number in range(count)]
    needed = data.draw(st.sets(st.sampled_from(hunks)))
    assert find_unneeded(hunks, lambda taken: needed.isdisjoint(taken)) == [
        hunk for hunk in hunks if hunk not in needed
    ]


def test_search_ends_with_the_time() -> None:
    hunks = [Hunk("a.py", number, number + 1, number, number + 1) for number in range(8)]
    answers = iter([False, True, None])
    assert find_unneeded(hunks, lambda _: next(answers)) == hunks[4:]
