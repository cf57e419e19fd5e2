"""Signals from the names of files and functions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from aci.graph.outline import Symbol
from aci.issue_text.issue_mentions import split_identifier
from aci.localization.signals import IssueWords, Signal


def name_words(name: str) -> Sequence[str]:
    """Return the words of a name, without the whole name if it has several; compare them with those of the issue."""
    whole, *parts = split_identifier(name) or ("",)
    return parts or ([whole] if whole else [])


def file_stems(paths: Sequence[str], issue: IssueWords) -> Signal:
    """Return a signal for files: the share of the words in a file's name that occur in the title."""
    signal = Signal.none(len(paths))
    for place, path in enumerate(paths):
        if words := name_words(_stem(path)):
            signal.raise_to(place, sum(word in issue.title for word in words) / len(words), "its name in the title")
    return signal


def special_names(symbols: Sequence[Symbol], issue: IssueWords) -> Signal:
    """Return a signal for functions such as `__init__`."""
    return Signal(np.array([symbol.name.rpartition(".")[2].startswith("__") for symbol in symbols], np.float64))


def _stem(path: str) -> str:
    folder, _, name = path.rpartition("/")
    stem = name.rpartition(".")[0]
    return folder.rpartition("/")[2] if stem in ("__init__", "index", "mod") and folder else stem
