"""Judgements of patches by the answers in copies of their tests."""

from __future__ import annotations

from dataclasses import replace

from extensions.experiment.compared_calls import ComparedCall
from extensions.experiment.generality import Comparison
from extensions.experiment.varied_tests import judge_comparison, judge_copies


def calls(*answers: tuple[str, str], whole: bool = False) -> list[ComparedCall]:
    """Return the call in the test, then calls in copies with these answers of base and patch."""
    given = (("int", "12", False), ("int", "3", False))
    seed = ComparedCall("total", "", "int:base", "int:base", "int:own", False, given, "0.0")
    made = [ComparedCall("total", "", a, a, b, True, given, f"{whole}{n}", whole) for n, (a, b) in enumerate(answers)]
    return [seed, *made]


SAME = [(f"int:{number}", f"int:{number}") for number in range(20)]
OTHER = [(f"int:{number}", f"int:more{number}") for number in range(20)]


def test_ten_copies_are_needed():
    assert judge_copies(calls(*SAME[:9]), "")[0] == "undecided"
    assert judge_copies(calls(*SAME[:10]), "")[0] == "examples only"
    assert judge_copies(calls(*OTHER[:9]), "")[0] == "undecided"
    assert judge_copies(calls(*OTHER[:10]), "")[0] == "shown"


def test_one_copy_with_another_answer_is_not_accused():
    assert judge_copies(calls(*SAME, ("int:30", "int:more")), "")[0] == "undecided"
    assert judge_copies(calls(*SAME, ("int:30", "int:more"), ("int:31", "int:more")), "")[0] == "shown"


def test_patch_that_needs_some_value_of_test_is_undecided():
    assert judge_copies([*calls(*OTHER), *calls(*SAME, whole=True)[1:]], "")[0] == "undecided"
    assert judge_copies([*calls(*OTHER), *calls(*OTHER, whole=True)[1:]], "")[0] == "shown"


def test_copy_in_which_a_call_says_nothing_is_left_out():
    copies = calls(*SAME)
    failed = [replace(call, function="", base="!TypeError", again="!TypeError", patch="!TypeError") for call in copies]
    assert judge_copies([*copies, *failed[1:]], "")[0] == "undecided"


def test_same_answer_in_all_copies_is_undecided():
    assert judge_copies(calls(*((base, "int:own") for base, _ in SAME)), "")[0] == "undecided"


def test_copies_that_repeat_the_change_of_the_test_show_nothing():
    def judge_texts(others: int) -> str:
        found = calls(*[("int:base", "int:own")] * 20, *OTHER[:others])
        texts = [(one, f"str:{one.base}", f"str:{one.patch}") for one in found]
        return judge_copies([replace(one, base=old, again=old, patch=new) for one, old, new in texts], "")[0]

    assert [judge_texts(others) for others in (1, 2)] == ["undecided", "shown"]


def test_calls_are_judged_first():
    shown, accused = calls(*OTHER), calls(*SAME)
    assert judge_comparison(Comparison(None, shown, accused), "")[0] == "shown"
    assert judge_comparison(Comparison(None, shown[:1], accused), "")[0] == "examples only"
    assert judge_comparison(Comparison(None, shown[:1]), "")[0] == "undecided"
