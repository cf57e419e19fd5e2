"""The behaviours to choose from after a search for edits."""

from __future__ import annotations

from dataclasses import dataclass

from aci.repair.candidate_evaluator import Candidate


@dataclass(frozen=True, slots=True)
class Behaviour:
    """Plausible edits that behave alike on all inputs: the one to show, then the others.

    `why` gives the reasons for and against it, in sentences. `doubt` says why it needs a review, provided that the
    behaviours before it were refuted; "" if there is no reason. `special` is the part of the doubt that only knowledge
    of the tests can resolve: the edit is tailored to their values, or changes the code that runs them.
    """

    candidate: Candidate
    alike: tuple[Candidate, ...] = ()
    share: float = 0.0
    """This behaviour's share of the confidence in all edits."""
    why: str = ""
    doubt: str = ""
    special: str = ""


@dataclass(frozen=True, slots=True)
class BehaviourDifference:
    """An input that distinguishes behaviours, as text, and the answers of the first behaviours to it, in order."""

    input: str
    answers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """Behaviours, the most credible first, and inputs that distinguish the first three.

    `doubt` is that of the first behaviour. `inputs` is the number of calls that were answered, `pinned` the number of
    different calls of the failing tests that the first behaviour fixes.
    """

    behaviours: tuple[Behaviour, ...] = ()
    telling: tuple[BehaviourDifference, ...] = ()
    doubt: str = ""
    inputs: int = 0
    pinned: int = 0
