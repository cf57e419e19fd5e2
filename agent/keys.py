"""Keys of model providers: from the environment variable that the user names, else the provider's usual one."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agent.settings import ModelTable


def key_for(model: str, table: ModelTable) -> str:
    """The key for a model by its litellm name (`anthropic/claude-…`); "" if there is none.

    Raises ConfigError when the table names a variable that is not set.
    """
    from trajectories.errors import ConfigError

    if table.key_env:
        if key := os.environ.get(table.key_env, ""):
            return key
        raise ConfigError(
            f"The key of {model} should be in ${table.key_env}, which is not set.",
            f"Set it, or mend key_env in [models.{model!r}].",
        )
    return os.environ.get(usual_variable(model), "")


def usual_variable(model: str) -> str:
    """The environment variable in which a provider's key usually lies: `ANTHROPIC_API_KEY` for `anthropic/…`."""
    provider = model.partition("/")[0] if "/" in model else "claude" * model.startswith("claude") or "openai"
    known = {"claude": "ANTHROPIC", "together_ai": "TOGETHERAI", "fireworks_ai": "FIREWORKS_AI", "hosted_vllm": "VLLM"}
    return f"{known.get(provider, provider.upper().replace('-', '_'))}_API_KEY"
