"""Answers of calls as texts that distinguish behaviour: results, arguments, output and exceptions."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extensions.experiment.evaluator.candidate_answers import AnswerInput, CandidateAnswers, parse_answers
from extensions.experiment.guest.answer_collection import answer_digest, sampling_step
from extensions.experiment.guest.argument_variants import vary_calls
from extensions.experiment.guest.executed_lines import LINES, executed_texts, lines_of
from extensions.experiment.guest.recorded_calls import Call, Recorder
from extensions.experiment.guest.value_text import attributes, full_text, outline_text, readable_text

HERE = str(Path(__file__).parent) + "/"


class Slots:
    __slots__ = ("value",)

    def __init__(self, value: object) -> None:
        self.value = value


class More(Slots):
    __slots__ = ("other",)


class Quiet:
    def __init__(self, value: object) -> None:
        self.value = value

    def __repr__(self) -> str:
        return "<quiet>"


class Node:
    def __init__(self, follower: object = None) -> None:
        self.follower = follower
        self.near: list[object] = []


# Values


def test_text_of_object_includes_slots_and_hidden_attributes() -> None:
    assert readable_text(Slots(1)) == "Slots(value=1)"
    assert full_text(Slots(1)) != full_text(Slots(2))
    assert attributes(More(3)) == {"value": 3}
    assert readable_text(Quiet(1)) == "<quiet>"
    assert full_text(Quiet(1)) == full_text(Quiet(1)) != full_text(Quiet(2))
    assert full_text([{"a": Quiet(1)}]) != full_text([{"a": Quiet(2)}])


def test_text_of_long_value_is_complete() -> None:
    assert full_text([0] * 5000) != full_text([0] * 4999 + [1])
    assert full_text("a" * 9000) != full_text("a" * 8999 + "b")


def test_text_of_shared_or_cyclic_value_is_bounded() -> None:
    chain = other = None
    for number in range(30):
        chain, other = Node(chain), Node(other if number else 1)
    assert full_text(chain) != full_text(other)
    nodes = [Node() for _ in range(12)]
    for node in nodes:
        node.near = list(nodes)
    assert len(full_text(nodes)) < 12 * 12 * 20
    row: list[object] = []
    row.append([row])
    assert full_text(row) == "[[^1]]"


def test_outline_ignores_deeply_nested_differences() -> None:
    chain, other = Node(), Node(1)
    for _ in range(9):
        chain, other = Node(chain), Node(other)
    assert full_text(chain) != full_text(other)
    assert outline_text(chain) == outline_text(other)
    assert outline_text(Node(1)) != outline_text(Node(2))


def test_text_does_not_depend_on_set_order() -> None:
    shared = Quiet(0)
    members = [Node(shared) for _ in range(4)]
    members[0].near = [1]
    assert full_text({*members}) == full_text({*reversed(members)})
    texts = {full_text({Node(Quiet(n)), Node(Quiet(n + 1)), Node(Quiet(n + 2))}) for n in [7] * 20}
    assert len(texts) == 1


@pytest.mark.slow
@given(st.recursive(st.integers() | st.text(max_size=3), lambda one: st.lists(one) | st.tuples(one, one), max_leaves=9))
def test_text_of_plain_value_is_its_repr(value: Any) -> None:
    assert full_text(value) == readable_text(value) == repr(value)


# Calls


def answer(function: Any, *values: object, root: str = HERE) -> tuple[str, str]:
    texts: dict[str, str] = {}
    digest = answer_digest(Call(function, [list(values), {}], True, True), 1.0, texts, root)
    return digest, texts.get(digest, "")


def test_answer_includes_printed_output(capsys: pytest.CaptureFixture[str]) -> None:
    one, other = answer(print, 3), answer(print, 4)
    assert one[0] != other[0]
    assert one[1] == "None and prints '3\\n'"
    assert answer(print, 3) == one
    assert capsys.readouterr().out == ""


def refuse(text: str) -> None:
    raise ValueError(text)


def test_answer_includes_text_of_explicitly_raised_exception() -> None:
    one, other = answer(refuse, "a"), answer(refuse, "b")
    assert one[0] != other[0]
    assert one[0].startswith("!ValueError:")
    assert one[1] == "raises ValueError: ('a',)"
    assert answer(refuse, "a", root="/elsewhere/")[0] == "!ValueError"
    assert answer(int, "x")[0] == answer(int, "y")[0] == "!ValueError"
    assert answer(lambda row: row[3], [1])[0] == "!IndexError"


def test_answer_includes_changed_arguments() -> None:
    one, other = answer(lambda row: row.append(1), []), answer(lambda row: row.append(2), [])
    assert one[0] != other[0]
    assert one[1] == "None and leaves [1]"
    assert answer(lambda one, other: setattr(one, "value", 5), Slots(1), 2)[1] == "None and leaves Slots(value=5)"


def test_answer_is_described_in_words() -> None:
    answers = CandidateAnswers(texts={"!ValueError:12": "raises ValueError: 'a'", "int:1": "1"})
    assert answers.text("!ValueError:12") == "raises ValueError: 'a'"
    assert answers.text("!ValueError:34") == "raises ValueError"
    assert answers.text("!IndexError") == "raises IndexError"
    assert answers.text("int:1") == "1"


def test_silent_candidates_and_invalid_shares_are_recognised() -> None:
    lines = [{"inputs": [{"text": "f()"}]}, {"id": 1, "answers": ["a"]}, {"id": 0, "lost": math.nan}]
    answers = parse_answers(lines, 2)
    assert answers.silent == {0}
    assert answers.lost == (0.0, 0.0)
    assert answers.inputs == (AnswerInput("f()", False, False, False),)


# The number of calls depends on steps, not on seconds


@pytest.mark.parametrize(("cpu", "step"), [(0.0, 1), (1.9, 1), (2.1, 4), (7.9, 4), (8.1, 16)])
def test_fewer_calls_are_sampled_on_slow_base(cpu: float, step: int) -> None:
    assert sampling_step(cpu) == step


def long(number: int) -> int:
    while number:
        number -= 1
    return number


def test_lines_are_traced_for_limited_number_of_steps() -> None:
    lines = lines_of(Path(__file__).read_bytes())
    calls = [Call(long, [[number], {}], True, True) for number in (2, 10 * LINES, 3)]
    before = sys.gettrace()
    try:
        ran, less = (executed_texts([long], some, lines, 60.0) for some in (calls, calls[1:]))
    finally:
        sys.settrace(before)  # restores the coverage measurement for later tests
    assert ran == {"while number:", "number -= 1", "return number"}
    assert less == {"while number:", "number -= 1"}


def test_calls_are_recorded_up_to_size_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    def total(row: list[int]) -> int:  # a new object, since the garbage collector shows none that the runner has frozen
        return sum(row)

    monkeypatch.setattr("extensions.experiment.guest.recorded_calls.PARTS", 50)
    recorder = Recorder(HERE, {total.__code__})
    recorder.start(True)
    for number in range(9):
        total([number] * 20)
    recorder.stop()
    assert len(recorder.calls()) == 3


def follow(node: Any) -> object:
    return node.follower


def test_attributes_that_code_reads_are_varied_most() -> None:
    chain = Node(Node(Node(Node())))
    chain.near = [Node(), Node()]
    calls = [Call(follow, [[one], {}], True, True) for one in (chain, chain.follower)]
    altered = {
        name: {
            full_text([getattr(node, name) for node in chain_of(call.values[0][0])])
            for call in vary_calls(calls, 40, (), read)
        }
        for name, read in (("near", {"near"}), ("follower", {"follower"}))
    }
    other = {
        full_text([node.near for node in chain_of(call.values[0][0])])
        for call in vary_calls(calls, 40, (), {"follower"})
    }
    assert len(altered["near"]) > len(other)
    assert len(altered["follower"]) > 5


def chain_of(node: Any) -> list[Any]:
    nodes: list[Any] = []
    while isinstance(node, Node) and all(node is not one for one in nodes):
        nodes.append(node)
        node = node.follower
    return nodes
