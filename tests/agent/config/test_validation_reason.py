"""Reasons for rejected values, as a user reads them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import pytest
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from agent.config.validation_reason import validation_reason


def _refuse(value: str) -> str:
    raise ValueError(f"{value} is too small")


class Example(BaseModel):
    model_config = ConfigDict(extra="forbid")

    required: str
    kind: Literal["a", "b"] = "a"
    number: float = Field(default=1.0, gt=0)
    size: str = Field(default="1g", pattern=r"^\d+g$")
    flag: bool = False
    folder: Path | None = None
    own: Annotated[str, AfterValidator(_refuse)] | None = None


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"kind": "c"}, "must be 'a' or 'b'"),
        ({"number": -1}, "must be greater than 0"),
        ({"number": "x"}, "must be a valid number"),
        ({"size": "x"}, r"must match pattern '^\d+g$'"),
        ({"flag": "maybe"}, "must be a valid boolean"),
        ({"folder": 3}, "must be a path"),
        ({"own": "1k"}, "1k is too small"),
        ({"other": 1}, "is not a known name"),
        ({"required": None}, "must be a valid string"),
    ],
)
def test_reason_is_a_clause(values, reason):
    with pytest.raises(ValidationError) as caught:
        Example(**{"required": "x", **values})
    assert validation_reason(caught.value) == reason


def test_missing_value_is_reported():
    with pytest.raises(ValidationError) as caught:
        Example()
    assert validation_reason(caught.value) == "is missing"
