"""Where a run got stuck, read off its journal in one pass, a line at a time: a batch has thousands of them."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.batch.telling import line
from agent.best import PARTS, TOLD
from trajectories.journal import decode
from trajectories.limits import open_regular
from trajectories.records import Note, Once, Run, Step

LAST = 3
"""Steps that tell what a run was at."""
KEPT = 8
"""Steps kept to find them: messages to the model come in between."""
HEADERS = re.compile(rb'"(?:kind":"phase|name":"localize)"')
HEADER = 200
"""Bytes in which a record says what it is, before anything that somebody else wrote."""
FILE = re.compile(r'^--- "?a/(.+?)"?\t?$', re.MULTILINE)
CHANGED = re.compile(r'^(?:(?:---|\+\+\+) "?[ab]/|rename (?:from|to) )(.+?)"?\t?$', re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """`phase` is the last one begun, `acted` the kinds of the last actions, `seen` the first line of what the last one
    answered. `ranked` are the files that localization found, best first; null where none was recorded. `damaged` says
    what of the journal cannot be read; then the rest is what came before."""

    phase: str = ""
    acted: tuple[str, ...] = ()
    seen: str = ""
    ranked: tuple[str, ...] | None = None
    damaged: str = ""


def diagnose(directory: Path) -> Diagnosis:
    """Of the run in `directory`, also while it is written. Never raises for what lies there."""
    phase, ranked = "", None
    steps: deque[bytes] = deque(maxlen=KEPT)
    damaged, number = "", 0
    try:
        with open_regular(directory / "journal.jsonl", inside=directory) as file:
            for number, raw in enumerate(file, 1):
                if not raw.endswith(b"\n"):
                    break  # torn, or being written
                if (number == 1 and not isinstance(decode(raw), Run)) or not (raw[:1] == b"{" and raw[-2:] == b"}\n"):
                    raise ValueError
                if raw.endswith(b'"type":"step"}\n'):
                    steps.append(raw)
                elif HEADERS.search(raw, 0, HEADER):
                    match decode(raw):
                        case Note(kind="phase", text=text):
                            phase = line(text)
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
    return Diagnosis(phase, acted, seen, ranked, damaged)


def _last(steps: Sequence[Step]) -> tuple[tuple[str, ...], str]:
    """What was done last, and what came of it: of the last proof, where that was the end. Messages to the model are no
    doing."""
    done = [step for step in steps if step.actions or step.reply is not None or step.author == "proof"][-LAST:]
    kinds = tuple(kind for step in done for kind in _kinds(step))[-LAST:]
    told = [step for step in done if not any(seen.data.get("submitted") for seen in step.observations)]
    return kinds, _seen((told or done)[-1]) if done else ""


def _kinds(step: Step) -> Iterable[str]:
    if step.author == "proof":
        return ["proof"]
    if not step.actions:
        return ["talk"]
    answered = [seen.ok for seen in step.observations] + [True] * len(step.actions)
    return [f"{line(action.tool)}{'' if ok else ' failed'}" for action, ok in zip(step.actions, answered, strict=False)]


def _seen(step: Step) -> str:
    if step.author == "proof":
        return _unproven(step)
    texts = [seen.text for seen in reversed(step.observations) if seen.text.strip()]
    return next((line(one) for one in (texts[0] if texts else "").splitlines() if line(one)), "")


def _unproven(step: Step) -> str:
    """The first part of a proof that does not hold."""
    data: Mapping[str, Any] = step.observations[0].data if step.observations else {}
    verdict = data.get("verdict")
    if not isinstance(verdict, dict):
        return "Proof"
    kind = f"Proof {line(str(verdict.get('kind')))}"
    for answer in (False, None):
        for part, meaning in PARTS.items():
            if verdict.get(part) is answer:
                return f"{kind}: {meaning}: {TOLD[answer]}"
    return kind


# Files of a diff


def existing(diff: str) -> frozenset[str]:
    """The files of the base that a diff changes: what localization can find."""
    return frozenset(name for head in _heads(diff) for name in FILE.findall(head))


def changed(diff: str) -> frozenset[str]:
    """All files that a diff touches."""
    return frozenset(name for head in _heads(diff) for name in CHANGED.findall(head))


def _heads(diff: str) -> Iterable[str]:
    """What stands before the first hunk of each file: lines of content may look the same."""
    return (part.partition("\n@@")[0] for part in re.split(r"(?m)^(?=diff --git )", diff))


def worst_rank(ranked: Sequence[str], gold: Iterable[str]) -> int:
    """From 1, the rank by which all gold files are found; 0 where one is not."""
    places = {path: number for number, path in reversed(list(enumerate(ranked, 1)))}
    ranks = [places.get(path, 0) for path in gold]
    return max(ranks) if ranks and all(ranks) else 0
