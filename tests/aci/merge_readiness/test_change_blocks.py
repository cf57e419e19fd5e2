"""Blocks of a change, and the search for those that are not needed."""

from hypothesis import given
from hypothesis import strategies as st

from aci.merge_readiness.change_blocks import Block, apply_blocks, find_blocks
from aci.merge_readiness.needed_changes import find_unneeded

texts = st.lists(st.sampled_from(["a\n", "b\n", "c\x0c\n", "d\r\n", "\n", "e"])).map("".join)


@given(texts, texts)
def test_blocks_are_applied_or_not(old, new) -> None:
    blocks = find_blocks("a", old, new)
    assert apply_blocks(old, new, blocks, blocks) == new
    assert apply_blocks(old, new, [], blocks) == old


@given(st.integers(1, 12), st.data())
def test_blocks_that_are_not_needed_are_found(count, data) -> None:
    blocks = [Block(f"{number % 3}.py", number, number + 1, number, number + 1) for number in range(count)]
    needed = data.draw(st.sets(st.sampled_from(blocks)))
    assert find_unneeded(blocks, lambda taken: needed.isdisjoint(taken)) == [
        block for block in blocks if block not in needed
    ]


def test_search_ends_with_the_time() -> None:
    blocks = [Block("a.py", number, number + 1, number, number + 1) for number in range(8)]
    answers = iter([False, True, None])
    assert find_unneeded(blocks, lambda _: next(answers)) == blocks[4:]
