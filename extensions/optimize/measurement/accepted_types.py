"""Types of values that a function accepts and another version of it does not, although no recorded call has them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Literal, get_args

from aci.runtime.target_function import Target
from aci.runtime.workspace import Workspace
from extensions.optimize.measurement.equivalence import Answer, collect_answers, describe_differences, run_calls
from extensions.optimize.measurement.input_calls import InputCall
from extensions.optimize.measurement.workload_inputs import call_data

MOST_EACH = 24
"""Maximum number of calls for each kind of values."""
SECONDS = 1.0
"""Limit of the processor time of one call."""

ValueKind = Literal["unhashable", "unordered", "iterator", "tuple"]


@dataclass(frozen=True, slots=True)
class TypeDifference:
    """A kind of values for which a function returns a result and another version of it raises an exception or returns
    another result. `example` is one call, with both results if there are two."""

    kind: ValueKind
    raises: bool
    example: str


def type_differences(
    before: Workspace, after: Workspace, target: Target, calls: Sequence[InputCall]
) -> tuple[TypeDifference, ...]:
    """Return the kinds of values in these calls' arguments, at most one difference for each, that the function in
    `before` accepts and the one in `after` does not.

    A value that cannot be hashed replaces each number and text, and so on; equal values stay equal. A kind for which
    the function in `before` itself raises an exception makes no difference.
    """
    job = {"want": MOST_EACH}
    lines = run_calls(before, "optimize.other_types", job, [call.data for call in calls], 120)
    made: list[tuple[str, InputCall]] = []
    for kind in get_args(
        ValueKind
    ):  # the lines are untrusted: the repository's code runs in the process that writes them
        calls_of_kind = (_call(line) for line in lines if str(line.get("kind")) == kind)
        made += [(kind, call) for call in islice(filter(None, calls_of_kind), MOST_EACH)]
    old = collect_answers(before, target, [call for _, call in made], SECONDS)
    accepted = [(kind, call, one) for (kind, call), one in zip(made, old, strict=True) if one.kind == "returned"]
    new = collect_answers(after, target, [call for _, call, _ in accepted], SECONDS)
    found: dict[str, TypeDifference] = {}
    for (kind, _, one), other in zip(accepted, new, strict=True):
        if kind not in found and (text := _difference(one, other)):
            raises = other.kind != "returned"
            found[kind] = TypeDifference(kind, raises, one.call if raises else text)  # type: ignore[arg-type]
    return tuple(found.values())


def _call(line: Mapping[str, Any]) -> InputCall | None:
    data = call_data(line)
    return InputCall(data, "unseen") if data else None


def _difference(before: Answer, after: Answer) -> str:
    return next(iter(describe_differences([before], [after])), "")
