"""Arguments whose values decide whether a patch changes the answer of a call."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from extensions.experiment.compared_calls import ComparedCall

NUMBERS, TEXTS, COLLECTIONS = ("int", "float"), ("str", "bytes"), ("list", "tuple", "dict", "set", "frozenset")
EDGES = {"0", "1", "-1", "0.0", "1.0", "-1.0"}
SHORTEST = 4
"""Minimum length of the `repr` of a text that is no edge case: two characters."""


@dataclass(frozen=True, slots=True)
class Argument:
    """An argument that the tests give to `function`.

    `values` are its values there: (type, `repr` if it is a scalar). `compared` are the variants that give it another
    value.
    """

    name: str
    function: str
    values: frozenset[tuple[str, str]]
    compared: tuple[ComparedCall, ...]

    @property
    def where(self) -> str:
        return f"with another value of the argument {self.name} of {self.function}"

    @property
    def tried(self) -> list[ComparedCall]:
        """The variants with another value, without probes, which accuse no patch."""
        return [call for call in self.compared if not call.probe]

    @property
    def changed(self) -> list[ComparedCall]:
        """Those of the `tried` variants whose answer the patch changes."""
        return [call for call in self.tried if call.base != call.patch]

    @property
    def is_ordinary(self) -> bool:
        """Whether all values are numbers, texts and collections, of which a right patch rarely needs a certain one."""
        return all(
            kind in COLLECTIONS
            or (kind in NUMBERS and value not in EDGES)
            or (kind in TEXTS and len(value) >= SHORTEST)
            for kind, value in self.values
        )


def arguments_of(seeds: Sequence[ComparedCall], variants: Sequence[ComparedCall]) -> Iterator[Argument]:
    """Yield the arguments of the calls of functions that the patch changes, or of all if there are none. Arguments that
    no version reads are left out."""
    chosen = [call for call in seeds if call.edited] or seeds
    found: dict[tuple[str, str], set[tuple[str, str]]] = {}
    for call in chosen:
        for name, (kind, value, _) in zip(call.given, call.arguments, strict=False):
            if name:
                found.setdefault((call.function, name), set()).add((kind, value))
    for (function, name), values in found.items():
        compared = [call for call in variants if call.function == function and name in call.varied]
        yield Argument(name, function, frozenset(values), tuple(compared))
