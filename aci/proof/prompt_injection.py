"""Notes on texts of a finished trajectory that try to instruct the agent, which the extension `injections` finds."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from aci.observation.text_source import TextSource
from trajectories.plugins import installed_module
from trajectories.records import Issue, Step

NOT_INSTALLED = "No prompt injections were searched: the extension injections is not installed."


def find_injections(steps: Iterable[Step], issue: Issue, source_of: Callable[[str], TextSource]) -> tuple[str, ...]:
    """Return a sentence for each text that tries to instruct the agent, with its source, but without quoting it.

    `source_of` returns whose text a tool returns; the harness's own text is not searched.
    """
    if module := installed_module("aci.proof.prompt_injection"):
        found: tuple[str, ...] = module.find_injections(steps, issue, source_of)
        return found
    return (NOT_INSTALLED,)
