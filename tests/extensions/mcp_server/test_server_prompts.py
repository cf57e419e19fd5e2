"""The prompts."""

from __future__ import annotations

import pytest

from extensions.mcp_server.server_prompts import PROMPTS
from extensions.mcp_server.tool_table import TOOLS
from trajectories.errors import UsageError


@pytest.mark.parametrize("prompt", PROMPTS.values(), ids=list(PROMPTS))
def test_prompt_ends_with_its_argument_and_names_tools_that_exist(prompt) -> None:
    text = prompt.render({prompt.argument: " the `rm` one "})
    assert text.endswith(f"{prompt.argument.capitalize()}:\n\nthe `rm` one")
    named = prompt.text.split("`")[1::2]
    assert named
    assert set(named) <= TOOLS.keys()


@pytest.mark.parametrize("given", [{}, {"issue": " "}, {"issue": "x", "model": "y"}, {"issue": "x" * 100_001}])
def test_other_arguments_are_refused(given: dict[str, str]) -> None:
    with pytest.raises(UsageError, match="takes issue"):
        PROMPTS["fix_issue"].render(given)
