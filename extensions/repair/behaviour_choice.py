"""The behaviours to choose from after a search for edits."""

from __future__ import annotations

from dataclasses import dataclass

from extensions.experiment.evaluator.candidate_evaluator import Candidate
from extensions.repair.edit_descriptions import number_in_words


@dataclass(frozen=True, slots=True)
class Behaviour:
    """Plausible edits that behave identically on all inputs: `candidate`, which is shown, and the others in `alike`.

    `why` gives the evidence for and against this behaviour, in sentences. `doubt` is the reason why this behaviour
    needs a review, assuming that all behaviours before it were rejected; "" if there is no reason. `special` is the
    part of the doubt that concerns the tests: the edit seems tailored to their values, or changes the code that runs
    them.
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
    """An input, as text, on which behaviours differ, and the answers of the first behaviours to it, in the order of the
    behaviours."""

    input: str
    answers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """The behaviours, most credible first, and inputs on which the first three differ.

    `doubt` is the doubt about the first behaviour. `inputs` is the number of calls that were answered; `pinned` is the
    number of different calls of the failing tests whose answers the first behaviour changes.
    """

    behaviours: tuple[Behaviour, ...] = ()
    telling: tuple[BehaviourDifference, ...] = ()
    doubt: str = ""
    inputs: int = 0
    pinned: int = 0


def describe_evidence(choice: Choice, place: int, special: str = "") -> str:
    """Describe the evidence for and against the behaviour with this index in `choice`."""
    behaviour = choice.behaviours[place]
    sentences = []
    alike, others = len(behaviour.alike), len(choice.behaviours) - 1
    if choice.inputs:
        calls = f"{choice.inputs:,} calls recorded from the tests and varied"
        if alike:
            many = (
                "Another edit that passes"
                if alike == 1
                else f"{number_in_words(alike).capitalize()} other edits that pass"
            )
            sentences.append(f"{many} the tests {'does' if alike == 1 else 'do'} the same on {calls}.")
        if others and not place:
            ways = "One edit behaves" if others == 1 else f"{number_in_words(others).capitalize()} edits behave"
            sentences.append(f"{ways} differently there and {'is' if others == 1 else 'are'} less likely.")
        if not alike and not others:
            sentences.append("No other edit that was tried passes the tests.")
    if choice.pinned and not place:
        calls = "one call" if choice.pinned == 1 else f"{number_in_words(choice.pinned)} different calls"
        sentences.append(f"It changes the answer to {calls} of the failing tests.")
    if special:
        sentences.append(f"Evidence against it: it {special}.")
    return " ".join(sentences)
