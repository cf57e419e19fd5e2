"""What a proof claims: its verdict, the result of every test, the command, and the environment."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from trajectories.errors import UsageError
from trajectories.migrations import with_evidence
from trajectories.records import Step
from trajectories.trajectory import Trajectory

PARTS = ("kind", "granularity", "red", "green", "red_again", "no_loss", "generality", "evidence")
COMPLETE_PROOFS = (("plausible", "none"), ("verified", "earlier tests"))
"""Kind and evidence of complete proofs; what an examiner adds is no part of the proof."""
LISTS = ("tests", "lost", "contradicted", "flaky", "commands")
RUNS = ("without", "with")
"""The two runs of the suite: without the patch, and with it."""
MOST_SHOWN = 5
LONGEST = 200


@dataclass(frozen=True, slots=True)
class ProofClaims:
    """The claims of one proof.

    `outcomes` are the results of the suite's tests by run and name, `command` is the command that ran them, and
    `environment` describes the workspace. `source` are the digests of base and patch and the repository's URL;
    `versions` are those of the programs.
    """

    verdict: dict[str, str | bool | list[str] | None]
    outcomes: dict[str, dict[str, str]] = field(default_factory=dict)
    command: str = ""
    environment: dict[str, str | list[str]] = field(default_factory=dict)
    source: dict[str, str] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)

    def tests(self, name: str) -> list[str]:
        """Return a list of the verdict, such as its `tests`."""
        found = self.verdict.get(name)
        return list(found) if isinstance(found, list | tuple) else []


def claims_of(trajectory: Trajectory, recall: Callable[[int], bytes]) -> ProofClaims:
    """Return the claims of the last proof of a run; `recall` returns an output of the run by its number.

    Raises UsageError if there was no proof.
    """
    proofs = [step for step in trajectory.all_steps() if step.author == "proof"]
    if not proofs:
        raise UsageError("The run has no proof.", "Prove a patch with `swe-agent prove`.")
    return _claims(proofs[-1], recall, trajectory.run.versions if trajectory.run else {})


def _claims(step: Step, recall: Callable[[int], bytes], versions: Mapping[str, str]) -> ProofClaims:
    data = step.observations[0].data
    verdict = _parts(data["verdict"])
    number = data.get("outcomes")
    results = json.loads(recall(number)) if number is not None else {}
    return ProofClaims(
        verdict=verdict,
        outcomes={run: dict(results.get(run, {})) for run in RUNS},
        command=str(results.get("command", "")),
        environment=dict(data.get("environment", {})),
        versions={name: versions[name] for name in ("swe-agent", "python") if name in versions},
    )


def encode_claims(claims: ProofClaims) -> bytes:
    return json.dumps(asdict(claims), sort_keys=True).encode()


def decode_claims(data: bytes) -> ProofClaims:
    """Return the claims in a JSON text that anybody may have written. Raises UsageError if its form is wrong."""
    from pydantic import TypeAdapter, ValidationError

    try:
        claims = TypeAdapter(ProofClaims).validate_json(data)
    except ValidationError as error:
        raise UsageError("The bundle's claims cannot be read.", "Make the bundle again.") from error
    if claims.verdict.keys() | {"evidence"} != {*PARTS, *LISTS} or encode_claims(claims) != data:
        raise UsageError("The bundle's claims are not those that a proof makes.", "Make the bundle again.")
    if not claims.outcomes.keys() <= set(RUNS) or not all(isinstance(claims.verdict[name], list) for name in LISTS):
        raise UsageError("The bundle's verdict cannot be read.", "Make the bundle again.")
    return replace(claims, verdict=_parts(claims.verdict))


def _parts(verdict: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parts of a recorded verdict that a proof claims; earlier versions recorded no evidence."""
    found = {"evidence": "", **with_evidence(verdict)}
    return {name: found.get(name) for name in (*PARTS, *LISTS)}


def find_differences(claimed: ProofClaims, own: ProofClaims) -> Iterator[str]:
    """Yield, as sentences, what a bundle claims and one's own proof does not show.

    Versions are not compared, nor the repository's URL: commit and trees identify the base. For the evidence behind
    complete proofs, see `find_evidence_difference`.
    """
    is_other_evidence = bool(find_evidence_difference(claimed, own))
    for name in (*PARTS, *LISTS):
        there, here = claimed.verdict.get(name), own.verdict.get(name)
        if _listed(there) != _listed(here) and not (is_other_evidence and name in ("kind", "evidence")):
            yield f"The bundle says {name.replace('_', ' ')}: {_short(there)}; here it is {_short(here)}."
    for run in RUNS:
        yield from _different_outcomes(run, claimed.outcomes.get(run, {}), own.outcomes.get(run, {}))
    if claimed.command != own.command:
        yield f"The bundle's tests ran with {_short(claimed.command)}; here with {_short(own.command)}."
    for name in sorted((claimed.source.keys() | own.source.keys()) - {"repository"}):
        there, here = claimed.source.get(name), own.source.get(name)
        if there != here:
            yield f"The bundle's {name} is {_short(there)}; here it is {_short(here)}."


def find_evidence_difference(claimed: ProofClaims, own: ProofClaims) -> str:
    """Return, as a sentence, how the independent evidence for two complete proofs differs, or "".

    It depends on who names the tests, and one's own proof judges it anew: another evidence is no contradiction.
    """
    there, here = ((claims.verdict["kind"], claims.verdict.get("evidence")) for claims in (claimed, own))
    if there == here or there not in COMPLETE_PROOFS or here not in COMPLETE_PROOFS:
        return ""
    return f"The bundle says {there[0]}, with evidence: {there[1]}; here it is {here[0]}, with evidence: {here[1]}."


def find_environment_differences(claimed: ProofClaims, own: ProofClaims) -> Iterator[str]:
    """Yield, as sentences, how the environments of two proofs differ, which need not change the verdict."""
    for name in sorted(claimed.environment):  # an earlier version did not record all that is known here
        there, here = claimed.environment[name], own.environment.get(name)
        if name == "packages" and isinstance(there, list) and isinstance(here, list):
            there, here = (
                [one for one in these if one not in those] for these, those in ((there, here), (here, there))
            )
        if _listed(there) != _listed(here):
            yield f"The bundle's {name} is {_short(there)}; here it is {_short(here)}."


def _different_outcomes(run: str, claimed: Mapping[str, str], own: Mapping[str, str]) -> Iterator[str]:
    names = sorted(name for name in claimed.keys() | own.keys() if claimed.get(name) != own.get(name))
    for name in names[:MOST_SHOWN]:
        there, here = claimed.get(name, "not run"), own.get(name, "not run")
        yield f"{_short(name)} {run} the patch: {_short(there)} in the bundle, {_short(here)} here."
    if len(names) > MOST_SHOWN:
        yield f"{len(names) - MOST_SHOWN} more tests differ {run} the patch."


def _listed(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value


def _short(value: object) -> str:
    """Return an untrusted value as one short line."""
    text = value if isinstance(value, str) else json.dumps(_listed(value), default=str)
    line = "".join(char if char.isprintable() else " " for char in text[: 2 * LONGEST]) or "nothing"
    return f"{line[:LONGEST]}…" if len(line) > LONGEST else line
