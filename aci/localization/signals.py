"""What a signal says of each candidate, as a number between 0 and 1, and why in words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

_TEST = re.compile(
    r"(?:^|/)(?:tests|__tests__|fixtures|examples|docs?|benchmarks?|asv_bench|galleries|tutorials|_?vendor|third_party)/"
    r"|^(?:tests?|testing)/|(?:^|/)src/test/"
    r"|(?:^|/)(?:test_[^/]*|conftest\.py|tests\.py|[^/]*_tests?\.\w+|[^/]*[.](?:test|spec)\.\w+|[^/]*Tests?\.java)$"
)


def never_an_answer(path: str) -> bool:
    """Whether a file is a test or an example by its path, and so never where an issue is solved."""
    return bool(_TEST.search(path))


@dataclass(slots=True)
class Signal:
    """`values` of all candidates, 0 where there is nothing; `why` for single ones, `common` for the rest."""

    values: Floats
    why: dict[int, str] = field(default_factory=dict)
    common: str = ""

    @staticmethod
    def none(candidates: int) -> Signal:
        return Signal(np.zeros(candidates))

    def raise_to(self, candidate: int, value: float, why: str) -> None:
        """At least this value; the strongest reason is kept."""
        if value > self.values[candidate]:
            self.values[candidate] = value
            self.why[candidate] = why

    def reason(self, candidate: int) -> str:
        return self.why.get(candidate, self.common)


Signals = Mapping[str, Signal]


def share(values: Floats) -> Floats:
    """As shares of the greatest."""
    greatest = values.max(initial=0.0)
    return values / greatest if greatest > 0 else values
