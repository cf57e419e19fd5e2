"""The answers of the tools as JSON: without secrets, invisible characters and excess length."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from typing import Any

from aci.observation.output_text import mask_secrets
from aci.observation.untrusted_text import clean_text
from trajectories.errors import UsageError

LONGEST_TEXT, LONGEST_PATCH, LONGEST_ANSWER = 6_000, 60_000, 120_000
"""Maximum numbers of characters of a text, of a patch, and of a whole answer."""
MOST_ITEMS = 100
"""Maximum number of items of each list in an answer."""
PATCH = "patch"


def prepare_answer(document: Mapping[str, Any], secrets: Iterable[str] = ()) -> dict[str, Any]:
    """Return the answer as a client gets it. Texts and lists are cut, and say so; a patch is whole or left out, and its
    bytes are kept except for secrets.

    `secrets` and those of this process's environment are masked. Raises UsageError if the answer is too long even so.
    """
    from agent.engine.engine import known_secrets

    hidden = (*known_secrets(os.environ), *secrets)
    answer = {name: _shorten(each, hidden) for name, each in document.items() if name != PATCH}
    if PATCH in document:
        patch = mask_secrets(document[PATCH], hidden)
        if len(patch) <= LONGEST_PATCH:
            answer[PATCH] = patch
        else:
            answer["patch_left_out"] = f"The patch has {len(patch):,} characters: see patch.diff in the run's folder."
    if len(json.dumps(answer)) > LONGEST_ANSWER:
        raise UsageError(f"The answer has more than {LONGEST_ANSWER:,} characters.", "Ask for less.")
    return answer


def _shorten(value: Any, secrets: tuple[str, ...]) -> Any:
    if isinstance(value, str):
        text = mask_secrets(clean_text(value), secrets)
        rest = len(text) - LONGEST_TEXT
        return text if rest <= 0 else f"{text[:LONGEST_TEXT]}… {rest:,} more characters"
    if isinstance(value, Mapping):
        return {_shorten(str(name), secrets): _shorten(each, secrets) for name, each in value.items()}
    if isinstance(value, list | tuple):
        items = [_shorten(each, secrets) for each in value[:MOST_ITEMS]]
        return items if len(value) <= MOST_ITEMS else [*items, f"… {len(value) - MOST_ITEMS} more"]
    return value
