"""Hunks of a change, and the search for those that are not needed."""

from hypothesis import given
from hypothesis import strategies as st

from aci.repository.removable_hunks import Hunk, apply_hunks, find_hunks, find_unneeded

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
    tried = []

    def passes(taken):
        tried.append(frozenset(taken))
        return needed.isdisjoint(taken)

    assert find_unneeded(hunks, passes) == [hunk for hunk in hunks if hunk not in needed]
    assert len(tried) == len(set(tried))


def test_search_ends_with_the_time() -> None:
    hunks = [Hunk("a.py", number, number + 1, number, number + 1) for number in range(8)]
    answers = iter([False, True, None])
    assert find_unneeded(hunks, lambda _: next(answers)) == hunks[4:]


def test_files_that_depend_on_each_other_are_removed_together():
    """`b` and `c` pass only together; `d` can be removed once `e` is."""

    def hunks_of(*paths):
        return [Hunk(path, 1, 2, 1, 2) for path in paths]

    def passes(taken):
        paths = {hunk.path for hunk in taken}
        return "a" not in paths and ("b" in paths) == ("c" in paths)

    assert find_unneeded(hunks_of("a", "b", "c"), passes) == hunks_of("b", "c")
    late = find_unneeded(hunks_of("e", "d"), lambda taken: Hunk("e", 1, 2, 1, 2) in taken)
    assert late == hunks_of("e", "d")
