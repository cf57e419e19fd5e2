"""Kinds of arguments that a parameter takes."""

from __future__ import annotations

from typing import Any

import pytest

from extensions.testgen.argument_evidence import ArgumentEvidence
from extensions.testgen.module_exerciser import Case, ExampleRecord


def parameter(name: str, annotation: str = "", default: str | None = None) -> dict[str, Any]:
    return {"name": name, "annotation": annotation, "default": default, "kind": 1}


def kinds(param: dict[str, Any], *calls: tuple[str, str, str, str]) -> set[str]:
    evidence = ArgumentEvidence(["Node"])
    evidence.record([ExampleRecord(Case((), ""), calls, ())])
    return {kind for kind, weight in evidence.weights("f", param).items() if weight >= 1}


@pytest.mark.parametrize(
    ("param", "expected"),
    [
        (parameter("x", "int | None"), {"int"}),
        (parameter("x", "Node"), {"object"}),
        (parameter("x", default="'a'"), {"str"}),
        (parameter("x", "list[str] | Callable[[float], int]", "None"), {"list", "callable"}),
        (parameter("x", "typing.Optional[typing.Union[float, dict[str, int]]]"), {"float", "dict"}),
        (parameter("node"), {"object"}),
    ],
)
def test_annotation_default_or_class_name_decides(param: dict[str, Any], expected: set[str]) -> None:
    assert kinds(param) == expected


def test_name_of_class_is_no_kind() -> None:
    evidence = ArgumentEvidence(["Function", "TextStream"])
    assert set(evidence.weights("f", parameter("x", "Function | TextStream"))) == {"object"}


def test_classes_in_brackets_are_those_of_elements() -> None:
    evidence = ArgumentEvidence(["Node", "Tree"])
    param = parameter("x", "Tree | Sequence[Node]")
    assert (evidence.classes("f", param), evidence.element_classes(param)) == (["Tree"], ["Node"])


def test_recorded_calls_decide_without_annotation() -> None:
    assert kinds(parameter("x"), ("f", "x", "'a'", ""), ("f", "x", "pkg.WORD", "")) == {"str", "given"}
    assert kinds(parameter("x"), ("C.f", "x", "", "Node")) == {"object"}


def test_argument_that_is_never_written_is_known() -> None:
    evidence = ArgumentEvidence([])
    evidence.record([ExampleRecord(Case((), ""), (("Node", "parts", "", ""), ("Node", "name", "'a'", "")), ())])
    assert evidence.cannot_be_written("Node", "parts")
    assert not evidence.cannot_be_written("Node", "name")
    assert not evidence.cannot_be_written("Node", "other")
