"""Where the words of an error message, or another quoted text, stand in the code that may have said them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from aci.localization.signals import Signal

RUN = 3
"""So many words in a row: what a message has between its changing parts is that long mostly."""
MOST_RUNS, MOST_MESSAGES = 40, 40
_NO_WORD = re.compile(r"\W+")


class Messages:
    """The quoted texts of one issue, looked for in pieces."""

    def __init__(self, messages: Sequence[str]) -> None:
        self._messages = [(message, runs) for message in messages[:MOST_MESSAGES] if (runs := _runs(message))]

    def found(self, texts: Mapping[int, str], inside: Mapping[int, int], candidates: int) -> Signal:
        """A signal of documents, from their texts; `inside` says which file each belongs to.

        A run of words counts less the more files have it, and a message is found with three of its runs.
        """
        signal = Signal.none(candidates)
        spaced = {number: _spaced(text) for number, text in texts.items()} if self._messages else {}
        for message, runs in self._messages:
            holders = {run: [number for number, text in spaced.items() if f" {run} " in text] for run in set(runs)}
            files = {run: len({inside[number] for number in numbers}) for run, numbers in holders.items()}
            enough = min(RUN, len(runs))
            weights: dict[int, float] = {}
            for run, numbers in holders.items():
                for number in numbers:
                    weights[number] = weights.get(number, 0.0) + runs.count(run) / files[run]
            for number, weight in weights.items():
                signal.raise_to(number, min(weight, enough) / enough, f"says {message[:60]!r}")
        return signal


def _runs(message: str) -> list[str]:
    words = _NO_WORD.sub(" ", message.lower()).split()
    return [" ".join(words[start : start + RUN]) for start in range(min(len(words) - RUN + 1, MOST_RUNS))]


def _spaced(text: str) -> str:
    return f" {_NO_WORD.sub(' ', text.lower())} "
