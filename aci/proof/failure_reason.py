"""Reasons of failing tests, and whether they may be the issue's."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Any

from aci.repository.test_files import is_test

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

OF_THE_TEST = {"SyntaxError", "IndentationError", "NameError", "UnboundLocalError"}


def wrong_reason(failure: dict[str, Any], issue: str, known: Collection[str] = ()) -> str:
    """Return why a failing test does not show the issue, or "" if it may show it. Whether the test raises the right
    exception is left to the proof.

    `failure` has the format that `run_tests` reports; `known` are functions that exist in the base, so the issue cannot
    ask to add them.
    """
    id, error, missing = failure["id"], failure["error"], failure["missing"]
    in_test = not failure["at"] or is_test(failure["at"])
    forgotten = error == "NameError" and (missing in known or missing in sys.stdlib_module_names)
    if missing and not forgotten and is_mentioned(issue, missing.rpartition(".")[2]):
        return ""
    if in_test and error in OF_THE_TEST and not is_mentioned(issue, error):
        return f"{id} fails because the test itself is wrong: {failure_message(failure)}"
    if missing:
        asked = "If it should be added, continue; otherwise fix the test."
        return f"{id} fails only because {missing} is missing, which the issue does not mention. {asked}"
    if re.search(r"fixture '[^']*' not found", failure["message"]):
        return f"{id} fails before it reaches the issue: {failure_message(failure)}"
    return ""


def failure_message(failure: Mapping[str, Any]) -> str:
    """Return the message of a failing test on one line."""
    lines = [line.strip() for line in failure["message"].splitlines() if line.strip()]
    return next((line for line in reversed(lines) if failure["error"] and failure["error"] in line), "".join(lines[:1]))


def is_mentioned(issue: str, name: str) -> bool:
    """Return whether the text of an issue contains the name as a whole word."""
    return re.search(rf"(?<!\w){re.escape(name)}(?!\w)", issue) is not None
