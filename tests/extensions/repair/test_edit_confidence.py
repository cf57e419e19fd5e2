"""Confidence in a plausible edit: side effects on other calls, missing answers and signs in its text."""

from __future__ import annotations

from dataclasses import replace
from threading import Event

import pytest

from extensions.experiment.evaluator.candidate_answers import AnswerInput, CandidateAnswers
from extensions.experiment.evaluator.candidate_evaluator import Candidate, Evaluator, FunctionSpan
from extensions.experiment.source.source_file import Source
from extensions.repair.behaviour_choice import Choice
from extensions.repair.edit_confidence import check_hits
from extensions.repair.edit_overfitting import recursive, stops_recursion
from extensions.repair.edit_selection import choose_edit, judge_hits

FAILING = tuple(AnswerInput(f"f({n})") for n in range(4))
PASSING = tuple(AnswerInput(f"f({n})", failing=False, made=True) for n in range(10, 310))


def hit(text: str, score: float = 0.1) -> Candidate:
    return Candidate("a.py", ((0, 0, text),), f"insert `{text}`", 1, None, score)


def choose(
    rows: dict[str, tuple[float, tuple[str, ...]]],
    base: tuple[str, ...],
    inputs: tuple[AnswerInput, ...],
    failing: int = 3,
    hints: tuple[str, ...] = (),
) -> Choice:
    """Choose between edits, each given with its score and answers."""
    hits = [hit(text, score) for text, (score, _) in rows.items()]
    answer_rows = tuple(answers for _, answers in rows.values())
    texts = {answer: answer.partition(":")[2] for row in answer_rows for answer in row}
    return judge_hits(
        hits, CandidateAnswers(inputs, base, answer_rows, texts), failing, {"a.py": b"def f(x): pass\n"}, hints
    )


def order(choice: Choice) -> list[str]:
    return [behaviour.candidate.edits[0][2] for behaviour in choice.behaviours]


# Fixes of crashes


def test_crash_fix_with_side_effects_loses_to_one_without() -> None:
    inputs, base = (FAILING[0], *PASSING), ("!IndexError",) + ("int:0",) * 300
    few = ("int:1",) + ("int:9",) * 10 + ("int:0",) * 290
    none = ("int:1",) + ("int:0",) * 300
    rows = {"likely": (0.03, few), "right": (0.001, none)}
    assert order(choose(rows, base, inputs)) == ["right", "likely"]
    wrong_value = ("int:7", *base[1:])
    assert order(choose(rows, wrong_value, inputs)) == ["likely", "right"]


def test_one_changed_passing_answer_halves_mark() -> None:
    base = ("!IndexError", "int:0", "int:0")
    answers = CandidateAnswers(
        (FAILING[0], *PASSING[:2]), base, (("int:1", "int:0", "int:5"), ("int:1", "int:0", "int:0"))
    )
    one, none = check_hits([hit("a"), hit("b")], answers, {}, ())
    assert one.mark == none.mark / 2


def test_exception_raised_by_repository_is_no_crash() -> None:
    inputs, base = (FAILING[0], *PASSING[:20]), ("!KeyError:ab12",) + ("int:0",) * 20
    changes, keeps = ("int:1",) + ("int:9",) * 20, ("int:1",) + ("int:0",) * 20
    assert order(choose({"a": (0.2, changes), "b": (0.1, keeps)}, base, inputs)) == ["a", "b"]


def test_edit_with_fewer_terminating_calls_ranks_lower() -> None:
    inputs = (FAILING[0], *PASSING[:40])
    base = ("!RecursionError",) * 21 + ("int:0",) * 20
    ends, partly = ("int:1",) * 21 + ("int:0",) * 20, ("int:1",) * 20 + ("!RecursionError",) + ("int:0",) * 20
    assert order(choose({"partly": (0.15, partly), "ends": (0.1, ends)}, base, inputs)) == ["ends", "partly"]
    crash = tuple(answer.replace("Recursion", "Index") for answer in base)
    partly = tuple(answer.replace("Recursion", "Index") for answer in partly)
    assert order(choose({"partly": (0.15, partly), "ends": (0.1, ends)}, crash, inputs)) == ["partly", "ends"]


WALK = b"""\
def walk(tree):
    def inner(node):
        return any(inner(one) for one in node.parts)

    return inner(tree)
"""


def edit(old: str, new: str) -> Candidate:
    at = WALK.index(old.encode())
    span = FunctionSpan("walk", "walk", (1, 1), 0, WALK.index(b"    def"), len(WALK))
    return Candidate("a.py", ((at, at + len(old), new),), new, 3, span, 0.1)


def test_removed_recursion_is_detected() -> None:
    assert recursive(WALK) == {"inner"}
    assert recursive(b"    def f(self):\n        return self.f\n\n    def g(self):\n        return self.g()\n") == {"g"}
    assert recursive(b"def f(:") == set()
    assert stops_recursion(edit("inner(one)", "one"), WALK)
    assert not stops_recursion(edit("inner(one)", "inner(one.next)"), WALK)
    assert not stops_recursion(hit("x"), WALK)
    inputs, base = FAILING[:1], ("!RecursionError",)
    hits = [edit("inner(one)", "one"), edit("inner(one)", "inner(one.next)")]
    stops, continues = check_hits(hits, CandidateAnswers(inputs, base, (("a",), ("b",))), {"a.py": WALK}, ())
    assert stops.mark < continues.mark / 5


# Missing or unchanged answers


def test_edit_without_answers_is_always_doubted() -> None:
    base, right = ("int:a", "int:b", "int:c", "int:d"), ("int:A", "int:b2", "int:C", "int:D")
    silent = choose({"special": (0.5, ("",) * 4), "right": (0.4, right)}, base, FAILING, failing=4)
    index = order(silent).index("special")
    assert "did not finish in time" in silent.behaviours[index].doubt
    assert "could not be compared with it" in silent.behaviours[1 - index].doubt
    assert silent.doubt == silent.behaviours[0].doubt
    alone = judge_hits([hit("a")], CandidateAnswers(given=((),), silent=frozenset((0,))), 3, {})
    assert "did not finish in time" in alone.doubt
    assert judge_hits([hit("a")], CandidateAnswers(given=((),)), 3, {}).doubt == ""


def test_edit_without_answers_gets_worst_mark() -> None:
    inputs, base = (FAILING[0], *PASSING[:9]), ("!IndexError",) + ("int:0",) * 9
    answers = CandidateAnswers(inputs, base, (("int:1",) + ("int:9",) * 9, ("",) * 10))
    answering, silent = check_hits([hit("a"), hit("b")], answers, {}, ())
    assert silent.mark == answering.mark < 1


def test_test_value_is_detected_in_edit_without_answers() -> None:
    base, right = ("int:a",) * 4, ("int:A", "int:b2", "int:C", "int:D")
    rows = {"4711 if x == 4704 else x + 3": (0.5, ("",) * 4), "x + 7": (0.4, right)}
    choice = choose(rows, base, FAILING, hints=("4711", "'a'"))
    assert order(choice)[0] == "x + 7"
    assert choice.behaviours[1].special == "The edit contains the value `4711` of a failing test."


def test_edits_without_changed_answers_cannot_be_compared() -> None:
    blind = choose({"a": (0.1, ("None:0",) * 4), "b": (0.1, ("None:0",) * 4)}, ("None:0",) * 4, FAILING, failing=1)
    assert len(blind.behaviours) == 2
    assert "could not be compared with it, and only one failing input" in blind.doubt


def test_edit_with_unchanged_failing_answer_ranks_lower() -> None:
    base = ("!IndexError", "int:0")
    rows = {"luck": (0.3, ("!IndexError", "int:0")), "right": (0.1, ("int:1", "int:0"))}
    assert order(choose(rows, base, (FAILING[0], PASSING[0]))) == ["right", "luck"]


# Doubt of each behaviour


def test_each_behaviour_has_its_own_doubt() -> None:
    base, right = ("int:a",) * 4, ("int:A", "int:b2", "int:C", "int:D")
    rows = {"4711 if x == 4704 else x": (0.1, ("int:4711", "int:B", "int:C", "int:D")), "x + x": (0.4, right)}
    choice = choose(rows, base, FAILING, failing=4)
    assert order(choice)[0] == "x + x"
    assert choice.doubt == ""
    assert "`4711`" in choice.behaviours[1].doubt
    assert choice.behaviours[1].special == choice.behaviours[1].doubt


def test_only_later_behaviours_are_rivals() -> None:
    rows = {name: (score, (f"int:{name}",) * 2) for name, score in (("a", 0.3), ("b", 0.2), ("c", 0.1))}
    choice = choose(rows, ("int:0",) * 2, FAILING[:2], failing=1)
    first, second, third = (behaviour.doubt for behaviour in choice.behaviours)
    assert first.startswith("Two other edits")
    assert second.startswith("Another edit passes")
    assert third == ""


def test_few_inputs_without_rival_search_are_doubt() -> None:
    answers = CandidateAnswers(FAILING, ("int:0",) * 4, (("int:1",) * 4,))
    assert "no time to look for other edits" in judge_hits([hit("a")], answers, 1, {}, sought=False).doubt
    assert judge_hits([hit("a")], answers, 1, {}).doubt == ""
    assert judge_hits([hit("a")], answers, 4, {}, sought=False).doubt == ""


@pytest.mark.slow
def test_likeliest_edits_answer_first_within_time(make_repo, open_ws) -> None:
    files = {
        "a.py": "def f(x):\n    return x\n",
        "test_a.py": "from a import f\n\n\ndef test_f():\n    assert f(1) == 2\n",
    }
    source = Source("a.py", files["a.py"].encode())
    span = source.functions[0][0]
    at = source.data.index(b"x\n")
    hits = [
        Candidate("a.py", ((at, at + 1, new),), new, 2, span, score) for new, score in (("2 * x", 0.1), ("x + 1", 0.2))
    ]
    test = ["test_a.py::test_f"]
    with Evaluator(open_ws("local", make_repo(files)), "python -m pytest -q", test, Event()) as evaluator:
        requested_ids: list[list[int]] = []

        def ask(job, seconds, real=evaluator.ask):
            requested_ids.append([candidate["id"] for candidate in job["candidates"]])
            return real(job, seconds)

        evaluator.ask = ask  # type: ignore[method-assign]
        assert choose_edit(evaluator, hits, test, [], 0.5, [source]).inputs > 10
        hasty = choose_edit(evaluator, hits, test, [], 0.5, [source], seconds=0.0)
    assert requested_ids == [[1, 0]]
    assert [behaviour.candidate for behaviour in hasty.behaviours] == [hits[1], hits[0]]
    assert "did not finish in time" in hasty.doubt


@pytest.mark.parametrize("lost", [(0.9, 0.0), (0.0, 0.0)])
def test_lost_lines_lower_mark(lost: tuple[float, float]) -> None:
    answers = replace(CandidateAnswers(FAILING[:1], ("int:0",), (("int:1",), ("int:2",))), lost=lost)
    one, other = check_hits([hit("a"), hit("b")], answers, {}, ())
    assert one.mark == pytest.approx(other.mark * (1 - 0.8 * lost[0]))
