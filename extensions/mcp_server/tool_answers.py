"""The answers of the tools as JSON: without secrets, invisible characters and excess length."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from typing import Any

from aci.observation.output_text import cut
from aci.observation.secret_masking import mask_secrets
from aci.observation.untrusted_text import clean_text, one_line
from trajectories.errors import SweAgentError, UsageError

LONGEST_LINE, LONGEST_TEXT, LONGEST_PATCH, LONGEST_ANSWER = 2_000, 6_000, 60_000, 120_000
"""Maximum numbers of characters of an error, of a text, of a patch, and of a whole answer."""
MOST_ITEMS = 100
"""Maximum number of items of each list in an answer."""
PATCH = "patch"
OMITTED_FIRST = (PATCH, "candidates", "merge_review", "pages")
"""The parts of a run's answer that are left out, in this order, until it is short enough."""


def prepare_answer(document: Mapping[str, Any], secrets: Iterable[str] = ()) -> dict[str, Any]:
    """Return the answer as a client gets it. Texts and lists are cut, and say so; a patch is whole or left out, and its
    bytes are kept except for secrets.

    `secrets` and those of this process's environment are masked. The answer of a run, which may have cost money, is
    never refused: parts are left out and named. Raises UsageError if another answer is too long.
    """
    hidden = _hidden(secrets)
    answer = {name: _shorten(each, hidden) for name, each in document.items() if name != PATCH}
    left_out = []
    if PATCH in document:
        answer[PATCH] = without_surrogates(mask_secrets(document[PATCH], hidden))
        if len(answer[PATCH]) > LONGEST_PATCH:
            left_out.append(f"patch ({len(answer.pop(PATCH)):,} characters)")
    for name in OMITTED_FIRST if "run" in answer else ():
        if name in answer and _length(answer) > LONGEST_ANSWER:
            answer.pop(name)
            left_out.append(name)
    if "run" in answer and "facts" in answer.get("verdict", {}) and _length(answer) > LONGEST_ANSWER:
        del answer["verdict"]["facts"]  # their words are the verdict's notes
        left_out.append("verdict.facts")
    if "run" in answer and _length(answer) > LONGEST_ANSWER:
        answer = {name: answer[name] for name in ("run", "exit", "verdict", "usage") if name in answer}
        answer["verdict"] = {"kind": answer.get("verdict", {}).get("kind", "")}
        left_out.append("all but run, exit, kind of verdict, and usage")
    elif _length(answer) > LONGEST_ANSWER:
        raise UsageError(f"The answer has more than {LONGEST_ANSWER:,} characters.", "Ask for less.")
    if left_out:
        where = (
            f"`swe-agent show {answer['run']}` shows the run, whose folder has patch.diff." if "run" in answer else ""
        )
        answer["left_out"] = f"Left out because of its length: {', '.join(left_out)}. {where}".rstrip()
    return answer


def _length(answer: Mapping[str, Any]) -> int:
    return len(json.dumps(answer, ensure_ascii=False))


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


def error_sentences(error: SweAgentError | OSError) -> str:
    """Return what is wrong, and what to do, as one line without secrets."""
    if isinstance(error, SweAgentError):
        return prepare_line(f"{error.message} {error.fix}")
    return prepare_line(f"This machine failed: {error.strerror or str(error) or type(error).__name__}.")


def prepare_line(text: str, secrets: Iterable[str] = (), most: int = LONGEST_LINE) -> str:
    """Return a text as one line of at most `most` characters, without secrets and invisible characters."""
    return cut(one_line(mask_secrets(clean_text(text), _hidden(secrets))), most)


def without_surrogates(text: str) -> str:
    """Return the text with a question mark for each character that JSON in UTF-8 cannot have."""
    return text.encode("utf-8", "replace").decode()


def _hidden(secrets: Iterable[str]) -> tuple[str, ...]:
    from agent.engine.engine import known_secrets

    return (*known_secrets(os.environ), *secrets)
