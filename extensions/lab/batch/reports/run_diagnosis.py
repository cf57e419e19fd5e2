"""Diagnosis of where a run got stuck, made in one pass over its journal because a batch can have thousands of runs."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.engine.proof_step import ANSWER_TEXTS
from extensions.lab.batch.reports.progress_text import single_line
from trajectories.file_limits import open_regular
from trajectories.journal import decode
from trajectories.outcome_words import PART_SENTENCES
from trajectories.records import Note, Once, Run, Step
from trajectories.unified_diff import split_header

LAST = 3
"""Number of final steps that the diagnosis describes."""
KEPT = 8
"""Number of final steps that are read, since some of them are only messages to the model."""
HEADERS = re.compile(rb'"(?:kind":"phase|name":"localize)"')
HEADER = 200
"""Number of bytes at the start of a record that contain the record's kind but no untrusted text."""
FILE = re.compile(r'^--- "?a/(.+?)"?\t?$', re.MULTILINE)
CHANGED = re.compile(r'^(?:(?:---|\+\+\+) "?[ab]/|rename (?:from|to) )(.+?)"?\t?$', re.MULTILINE)


@dataclass(frozen=True, slots=True)
class RunDiagnosis:
    """The point at which a run got stuck.

    `phase` is the last started phase, `acted` the kinds of the last actions, `seen` the first line of the last result.
    `ranked` are the files found by localization, best first; None if none is recorded. `damaged` describes an
    unreadable part of the journal; the other fields then come from before it.
    """

    phase: str = ""
    acted: tuple[str, ...] = ()
    seen: str = ""
    ranked: tuple[str, ...] | None = None
    damaged: str = ""


def diagnose(directory: Path) -> RunDiagnosis:
    """Return the diagnosis of the run in `directory`, which may be unfinished. Never raises for damaged data."""
    phase, ranked = "", None
    steps: deque[bytes] = deque(maxlen=KEPT)
    damaged, number = "", 0
    try:
        with open_regular(directory / "journal.jsonl", inside=directory) as file:
            for number, raw in enumerate(file, 1):
                if not raw.endswith(b"\n"):
                    break  # an incomplete line, perhaps still being written
                if (number == 1 and not isinstance(decode(raw), Run)) or not (raw[:1] == b"{" and raw[-2:] == b"}\n"):
                    raise ValueError
                if raw.endswith(b'"type":"step"}\n'):
                    steps.append(raw)
                elif HEADERS.search(raw, 0, HEADER):
                    match decode(raw):
                        case Note(kind="phase", text=text):
                            phase = single_line(text)
                        case Once(name="localize", value=value) if ranked is None:
                            ranked = tuple(str(hit["path"]) for hit in value["files"])
            if number == 0:
                damaged = "The journal is empty."
    except FileNotFoundError:
        damaged = "There is no journal."
    except OSError as error:
        damaged = f"The journal cannot be read: {error.strerror}."
    except (ValueError, LookupError, TypeError, RecursionError):
        damaged = f"Line {number} of the journal is damaged."
    try:
        acted, seen = _last([step for raw in steps if isinstance(step := decode(raw), Step)])
    except (ValueError, RecursionError):
        acted, seen = (), ""
        damaged = damaged or "A step in the journal is damaged."
    return RunDiagnosis(phase, acted, seen, ranked, damaged)


def _last(steps: Sequence[Step]) -> tuple[tuple[str, ...], str]:
    """Return the kinds of the last actions, and the last result; if a proof came last, that is the proof's result.

    Messages to the model do not count as actions.
    """
    done = [step for step in steps if step.actions or step.reply is not None or step.author == "proof"][-LAST:]
    kinds = tuple(kind for step in done for kind in _kinds(step))[-LAST:]
    with_result = [step for step in done if not any(seen.data.get("submitted") for seen in step.observations)]
    return kinds, _result_line((with_result or done)[-1]) if done else ""


def _kinds(step: Step) -> Iterable[str]:
    if step.author == "proof":
        return ["proof"]
    if not step.actions:
        return ["talk"]
    answered = [seen.ok for seen in step.observations] + [True] * len(step.actions)
    return [
        f"{single_line(action.tool)}{'' if ok else ' failed'}"
        for action, ok in zip(step.actions, answered, strict=False)
    ]


def _result_line(step: Step) -> str:
    if step.author == "proof":
        return _unproven(step)
    texts = [seen.text for seen in reversed(step.observations) if seen.text.strip()]
    return next((single_line(one) for one in (texts[0] if texts else "").splitlines() if single_line(one)), "")


def _unproven(step: Step) -> str:
    """Describe a proof by its kind and the first of its conditions that is not met."""
    data: Mapping[str, Any] = step.observations[0].data if step.observations else {}
    verdict = data.get("verdict")
    if not isinstance(verdict, dict):
        return "Proof"
    kind = f"Proof {single_line(str(verdict.get('kind')))}"
    for answer in (False, None):
        for part, meaning in PART_SENTENCES.items():
            if verdict.get(part) is answer:
                return f"{kind}: {meaning}: {ANSWER_TEXTS[answer]}"
    return kind


# Files of a diff


def changed_base_files(diff: str) -> frozenset[str]:
    """Return the existing files that a diff changes; new files are excluded, since localization cannot find them."""
    return frozenset(name for head in _heads(diff) for name in FILE.findall(head))


def changed_files(diff: str) -> frozenset[str]:
    """Return all files that a diff touches."""
    return frozenset(name for head in _heads(diff) for name in CHANGED.findall(head))


def _heads(diff: str) -> Iterable[str]:
    """Return the header of each file in a diff: the lines before the first hunk, since lines in a hunk may look like
    headers."""
    return (split_header(part)[0] for part in re.split(r"(?m)^(?=diff --git )", diff))


def worst_rank(ranked: Sequence[str], gold: Iterable[str]) -> int:
    """Return the worst rank of a gold file, starting at 1; 0 if any gold file is not ranked."""
    places = {path: number for number, path in reversed(list(enumerate(ranked, 1)))}
    ranks = [places.get(path, 0) for path in gold]
    return max(ranks) if ranks and all(ranks) else 0
