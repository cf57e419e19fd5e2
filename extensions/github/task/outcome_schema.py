"""The schema of an `Outcome`, including its result, which `agent/lifecycle/result_json.py` creates."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from trajectories.facts import FactKind

LONGEST_LINE, LONGEST_ANSWER, LONGEST_DIFF, MOST_LINES = 4_000, 21_000, 50_000, 1_000
"""Maximum number of characters of a line, an answer and a diff, and maximum number of lines in a list."""
Line = Annotated[str, Field(max_length=LONGEST_LINE)]
Lines = Annotated[tuple[Line, ...], Field(max_length=MOST_LINES)]


Question = Annotated[tuple[Line, ...], Field(min_length=3, max_length=5)]
"""A question and its options."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


class Place(_Strict):
    path: Line
    line: int = 0
    name: Line = ""
    why: Line = ""


class FactSchema(_Strict):
    kind: FactKind
    text: Line
    data: Annotated[dict[Line, bool | int | Line | Lines], Field(max_length=20)] = Field(default_factory=dict)


class VerdictSchema(_Strict):
    kind: Literal["verified", "faster", "plausible", "disputed", "unproven", "none"]
    granularity: Literal["test", "file", "command"]
    red: bool | None
    green: bool | None
    red_again: bool | None
    no_loss: bool | None
    compared: Line = ""
    generality: Literal["", "shown", "examples only", "undecided"] = ""
    evidence: Literal["", "none", "blind tests", "earlier tests"] = ""
    checks: Lines
    contradicted: Lines
    conditions: Lines = ()
    flaky: Lines
    commands: Lines
    tests: Lines
    lost: Lines
    notes: Lines
    facts: Annotated[tuple[FactSchema, ...], Field(max_length=MOST_LINES)] = ()


class UsageSchema(_Strict):
    dollars: float | None = Field(ge=0)
    input_tokens: int = Field(ge=0)
    cached_tokens: int = Field(ge=0)
    output_tokens: int = Field(ge=0)
    calls: int = Field(ge=0)


class ErrorSchema(_Strict):
    code: int
    message: Line
    fix: Line


class FindingSchema(_Strict):
    kind: Line
    path: Line
    line: int
    text: Line


class PageSchema(_Strict):
    path: Line
    width: int
    dark: bool
    asked: Lines
    unasked: Lines
    before: Line = ""
    after: Line = ""
    difference: Line = ""


class ReviewSchema(_Strict):
    findings: Annotated[tuple[FindingSchema, ...], Field(max_length=MOST_LINES)]
    notes: Lines
    facts: Annotated[tuple[FactSchema, ...], Field(max_length=MOST_LINES)] = ()


class ResultSchema(_Strict):
    """The JSON object of `fix --json` without its patch."""

    run: Line
    exit: int
    verdict: VerdictSchema
    usage: UsageSchema
    steps: int = Field(ge=0)
    seconds: float = Field(ge=0)
    directory: Line
    word: Line
    pull: Line = ""
    pages: Annotated[tuple[PageSchema, ...], Field(max_length=50)] = ()
    merge_review: ReviewSchema | None = None
    error: ErrorSchema | None = None


class OutcomeSchema(_Strict):
    """The published fields of an outcome, which have limited sizes and must be consistent with each other."""

    result: ResultSchema
    exit: int
    model: Line
    title: Line
    cause: Line
    change: Line
    answer: Annotated[str, Field(max_length=LONGEST_ANSWER)]
    places: Annotated[tuple[Place, ...], Field(max_length=50)]
    tried: Lines
    red_test: Annotated[str, Field(max_length=LONGEST_DIFF)]
    attempts: Lines
    changelog: Line
    questions: Annotated[tuple[Question, ...], Field(max_length=4)]

    @model_validator(mode="after")
    def _agrees(self) -> OutcomeSchema:
        verdict = self.result.verdict
        if self.result.exit != self.exit:
            raise ValueError("the exit code differs from the result's")
        if verdict.kind in ("verified", "plausible", "disputed") and not all(
            (verdict.red, verdict.green, verdict.red_again, verdict.no_loss)
        ):
            raise ValueError("the verdict contradicts its parts")
        return self
