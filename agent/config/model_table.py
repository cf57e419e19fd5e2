"""The table `[models.NAME]` of the user's config."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from agent.limits.run_budget import Price
from trajectories.errors import ConfigError

PRICES = {"price_in": "input", "price_out": "output", "price_cached": "cached", "price_written": "written"}


class ModelTable(BaseModel):
    """`[models.NAME]` of the user's config.

    Prices are in dollars per million tokens; `context` and `max_output` are in tokens. `key_env` is the name of the
    environment variable that contains the API key. `calls` says how the model calls tools: natively, or in fenced code
    blocks if the model does not support tool calls. `fallback` is the model that is used if this model fails.
    """

    model_config = ConfigDict(extra="forbid")

    api_base: str = ""
    key_env: str = ""
    price_in: float | None = Field(default=None, ge=0)
    price_out: float | None = Field(default=None, ge=0)
    price_cached: float | None = Field(default=None, ge=0)
    price_written: float | None = Field(default=None, ge=0)
    max_output: int | None = Field(default=None, gt=0)
    context: int | None = Field(default=None, gt=0)
    calls: Literal["auto", "native", "fenced"] = "auto"
    images: bool | None = None
    effort: Literal["", "none", "minimal", "low", "medium", "high"] = ""
    temperature: float | None = Field(default=None, ge=0, le=2)
    fallback: str = ""

    def price(self, name: str, known: Price | None = None) -> Price | None:
        """Return the user's own price for the model. Prices that are not set are taken from `known`.

        Raises ConfigError if only some prices are set, the input or output price is missing, and no price is known.
        """
        own = {part: value for field, part in PRICES.items() if (value := getattr(self, field)) is not None}
        if not own:
            return known
        if own.keys() >= {"input", "output"}:
            return Price(**own, own=True)
        if known is None:
            missing = " and ".join(field for field in ("price_in", "price_out") if PRICES[field] not in own)
            what = f"The table of {name} has a price without {missing}, which is not known otherwise."
            raise ConfigError(
                what, f"`swe-agent config set models.{name}.{missing.split()[0]} DOLLARS` per million tokens."
            )
        return replace(known, **own, own=True)
