"""What speaks against a plausible edit: what it changes beside the failing calls, what it did not answer, its text."""

from __future__ import annotations

from dataclasses import replace
from threading import Event

import pytest

from aci.repair.candidate_answers import AnswerInput, CandidateAnswers
from aci.repair.candidate_evaluator import Candidate, Evaluator, FunctionSpan
from agent.repair.analysis.source_file import Source
from agent.repair.edit_confidence import check_hits
from agent.repair.edit_overfitting import recursive, stops_recursion
from agent.repair.edit_selection import Choice, choose_edit, judge_hits

FAILING = tuple(AnswerInput(f"f({n})") for n in range(4))
SOUND = tuple(AnswerInput(f"f({n})", failing=False, made=True) for n in range(10, 310))


def hit(text: str, score: float = 0.1) -> Candidate:
    return Candidate("a.py", ((0, 0, text),), f"insert `{text}`", 1, None, score)


def judged(
    rows: dict[str, tuple[float, tuple[str, ...]]],
    base: tuple[str, ...],
    inputs: tuple[AnswerInput, ...],
    failing: int = 3,
    hints: tuple[str, ...] = (),
) -> Choice:
    """The choice between edits, each with its score and answers."""
    hits = [hit(text, score) for text, (score, _) in rows.items()]
    given = tuple(answers for _, answers in rows.values())
    texts = {answer: answer.partition(":")[2] for row in given for answer in row}
    return judge_hits(hits, CandidateAnswers(inputs, base, given, texts), failing, {"a.py": b"def f(x): pass\n"}, hints)


def order(choice: Choice) -> list[str]:
    return [one.candidate.edits[0][2] for one in choice.behaviours]


# Repairs of crashes


def test_repair_of_crash_that_changes_few_sound_answers_loses_to_one_that_changes_none() -> None:
    inputs, base = (FAILING[0], *SOUND), ("!IndexError",) + ("int:0",) * 300
    few = ("int:1",) + ("int:9",) * 10 + ("int:0",) * 290
    none = ("int:1",) + ("int:0",) * 300
    rows = {"likely": (0.03, few), "right": (0.001, none)}
    assert order(judged(rows, base, inputs)) == ["right", "likely"]
    wrong_value = ("int:7", *base[1:])
    assert order(judged(rows, wrong_value, inputs)) == ["likely", "right"]


def test_one_sound_answer_that_changes_costs_half() -> None:
    base = ("!IndexError", "int:0", "int:0")
    answers = CandidateAnswers(
        (FAILING[0], *SOUND[:2]), base, (("int:1", "int:0", "int:5"), ("int:1", "int:0", "int:0"))
    )
    one, none = check_hits([hit("a"), hit("b")], answers, {}, ())
    assert one.mark == none.mark / 2


def test_what_repository_raises_itself_is_no_accident() -> None:
    inputs, base = (FAILING[0], *SOUND[:20]), ("!KeyError:ab12",) + ("int:0",) * 20
    changes, keeps = ("int:1",) + ("int:9",) * 20, ("int:1",) + ("int:0",) * 20
    assert order(judged({"a": (0.2, changes), "b": (0.1, keeps)}, base, inputs)) == ["a", "b"]


def test_edit_with_which_fewer_calls_end_is_believed_less() -> None:
    inputs = (FAILING[0], *SOUND[:40])
    base = ("!RecursionError",) * 21 + ("int:0",) * 20
    ends, partly = ("int:1",) * 21 + ("int:0",) * 20, ("int:1",) * 20 + ("!RecursionError",) + ("int:0",) * 20
    assert order(judged({"partly": (0.15, partly), "ends": (0.1, ends)}, base, inputs)) == ["ends", "partly"]
    crash = tuple(one.replace("Recursion", "Index") for one in base)
    partly = tuple(one.replace("Recursion", "Index") for one in partly)
    assert order(judged({"partly": (0.15, partly), "ends": (0.1, ends)}, crash, inputs)) == ["partly", "ends"]


WALK = b"""\
def walk(tree):
    def inner(node):
        return any(inner(one) for one in node.parts)

    return inner(tree)
"""


def edit(old: str, new: str) -> Candidate:
    at = WALK.index(old.encode())
    place = FunctionSpan("walk", "walk", (1, 1), 0, WALK.index(b"    def"), len(WALK))
    return Candidate("a.py", ((at, at + len(old), new),), new, 3, place, 0.1)


def test_recursion_that_edit_ends_is_seen() -> None:
    assert recursive(WALK) == {"inner"}
    assert recursive(b"    def f(self):\n        return self.f\n\n    def g(self):\n        return self.g()\n") == {"g"}
    assert recursive(b"def f(:") == set()
    assert stops_recursion(edit("inner(one)", "one"), WALK)
    assert not stops_recursion(edit("inner(one)", "inner(one.next)"), WALK)
    assert not stops_recursion(hit("x"), WALK)
    inputs, base = FAILING[:1], ("!RecursionError",)
    hits = [edit("inner(one)", "one"), edit("inner(one)", "inner(one.next)")]
    stops, goes_on = check_hits(hits, CandidateAnswers(inputs, base, (("a",), ("b",))), {"a.py": WALK}, ())
    assert stops.mark < goes_on.mark / 5


# What was not answered, or shows nothing


def test_edit_that_did_not_answer_is_never_first_without_doubt() -> None:
    base, right = ("int:a", "int:b", "int:c", "int:d"), ("int:A", "int:b2", "int:C", "int:D")
    silent = judged({"special": (0.5, ("",) * 4), "right": (0.4, right)}, base, FAILING)
    place = order(silent).index("special")
    assert "gave no answer in time" in silent.behaviours[place].doubt
    assert silent.behaviours[1 - place].doubt == ""
    assert silent.doubt == silent.behaviours[0].doubt
    alone = judge_hits([hit("a")], CandidateAnswers(given=((),), silent=frozenset((0,))), 3, {})
    assert "gave no answer in time" in alone.doubt
    assert judge_hits([hit("a")], CandidateAnswers(given=((),)), 3, {}).doubt == ""


def test_edit_that_did_not_answer_may_have_anything_against_it() -> None:
    inputs, base = (FAILING[0], *SOUND[:9]), ("!IndexError",) + ("int:0",) * 9
    answers = CandidateAnswers(inputs, base, (("int:1",) + ("int:9",) * 9, ("",) * 10))
    seen, silent = check_hits([hit("a"), hit("b")], answers, {}, ())
    assert silent.mark == seen.mark < 1


def test_value_of_test_is_seen_in_edit_that_did_not_answer() -> None:
    base, right = ("int:a",) * 4, ("int:A", "int:b2", "int:C", "int:D")
    rows = {"4711 if x == 4704 else x + 3": (0.5, ("",) * 4), "x + 7": (0.4, right)}
    choice = judged(rows, base, FAILING, hints=("4711", "'a'"))
    assert order(choice)[0] == "x + 7"
    assert choice.behaviours[1].special == "The edit contains the value `4711` of a failing test."


def test_edits_that_change_no_answer_to_failing_call_cannot_be_compared() -> None:
    blind = judged({"a": (0.1, ("None:0",) * 4), "b": (0.1, ("None:0",) * 4)}, ("None:0",) * 4, FAILING, failing=1)
    assert len(blind.behaviours) == 2
    assert "could not be compared with it, and only one failing input" in blind.doubt


def test_edit_that_answers_failing_call_as_before_passed_by_luck() -> None:
    base = ("!IndexError", "int:0")
    rows = {"luck": (0.3, ("!IndexError", "int:0")), "right": (0.1, ("int:1", "int:0"))}
    assert order(judged(rows, base, (FAILING[0], SOUND[0]))) == ["right", "luck"]


# Each behaviour has its doubt


def test_next_behaviour_has_doubt_of_its_own() -> None:
    base, right = ("int:a",) * 4, ("int:A", "int:b2", "int:C", "int:D")
    rows = {"4711 if x == 4704 else x": (0.1, ("int:4711", "int:B", "int:C", "int:D")), "x + x": (0.4, right)}
    choice = judged(rows, base, FAILING)
    assert order(choice)[0] == "x + x"
    assert choice.doubt == ""
    assert "`4711`" in choice.behaviours[1].doubt
    assert choice.behaviours[1].special == choice.behaviours[1].doubt


def test_once_those_before_it_are_refuted_only_those_after_it_are_rivals() -> None:
    rows = {name: (score, (f"int:{name}",) * 2) for name, score in (("a", 0.3), ("b", 0.2), ("c", 0.1))}
    choice = judged(rows, ("int:0",) * 2, FAILING[:2], failing=1)
    first, second, third = (one.doubt for one in choice.behaviours)
    assert first.startswith("Two other ways")
    assert second.startswith("Another edit passes")
    assert third == ""


def test_where_nobody_looked_for_rivals_few_inputs_are_doubt() -> None:
    answers = CandidateAnswers(FAILING, ("int:0",) * 4, (("int:1",) * 4,))
    assert "no time to look for other edits" in judge_hits([hit("a")], answers, 1, {}, sought=False).doubt
    assert judge_hits([hit("a")], answers, 1, {}).doubt == ""
    assert judge_hits([hit("a")], answers, 3, {}, sought=False).doubt == ""


def test_likeliest_are_asked_first_and_without_time_nobody_is(make_repo, open_ws) -> None:
    files = {
        "a.py": "def f(x):\n    return x\n",
        "test_a.py": "from a import f\n\n\ndef test_f():\n    assert f(1) == 2\n",
    }
    source = Source("a.py", files["a.py"].encode())
    place = source.functions[0][0]
    at = source.data.index(b"x\n")
    hits = [
        Candidate("a.py", ((at, at + 1, new),), new, 2, place, score) for new, score in (("2 * x", 0.1), ("x + 1", 0.2))
    ]
    test = ["test_a.py::test_f"]
    with Evaluator(open_ws("local", make_repo(files)), "python -m pytest -q", test, Event()) as evaluator:
        asked: list[list[int]] = []

        def ask(job, seconds, real=evaluator.ask):
            asked.append([one["id"] for one in job["candidates"]])
            return real(job, seconds)

        evaluator.ask = ask  # type: ignore[method-assign]
        assert choose_edit(evaluator, hits, test, [], 0.5, [source]).inputs > 10
        hasty = choose_edit(evaluator, hits, test, [], 0.5, [source], seconds=0.0)
    assert asked == [[1, 0]]
    assert [one.candidate for one in hasty.behaviours] == [hits[1], hits[0]]
    assert "gave no answer in time" in hasty.doubt


@pytest.mark.parametrize("lost", [(0.9, 0.0), (0.0, 0.0)])
def test_lines_that_no_longer_run_cost_belief(lost: tuple[float, float]) -> None:
    answers = replace(CandidateAnswers(FAILING[:1], ("int:0",), (("int:1",), ("int:2",))), lost=lost)
    one, other = check_hits([hit("a"), hit("b")], answers, {}, ())
    assert one.mark == pytest.approx(other.mark * (1 - 0.8 * lost[0]))
