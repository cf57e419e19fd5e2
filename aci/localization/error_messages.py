"""Search of the code for error messages and other text that the issue quotes."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from aci.localization.signals import Signal

RUN = 3
"""Number of consecutive words that are searched for together; the constant parts of a message are usually at least that
long."""
MOST_RUNS, MOST_MESSAGES = 40, 40
_NO_WORD = re.compile(r"\W+")


class MessageSearch:
    """The text that one issue quotes, split into runs of words."""

    def __init__(self, messages: Sequence[str]) -> None:
        self._messages = [(message, runs) for message in messages[:MOST_MESSAGES] if (runs := _runs(message))]

    def found(self, texts: Mapping[int, str], inside: Mapping[int, int], candidates: int) -> Signal:
        """Return a signal for documents whose text contains parts of the messages; `inside` maps each document to its
        file.

        A run of words counts less if more files contain it. A message has its full value if RUN of its runs are found.
        """
        signal = Signal.none(candidates)
        spaced = {number: _words_only(text) for number, text in texts.items()} if self._messages else {}
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


def _words_only(text: str) -> str:
    return f" {_NO_WORD.sub(' ', text.lower())} "
