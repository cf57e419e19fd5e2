"""Repair without a model: localize the fault by test coverage, try template edits against the tests, and prove the best
ones."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from aci.proof.proof_run import format_names
from agent.phases.base_failures import failing_tests
from agent.phases.user_reproduction import given_tests
from agent.prompts.opening_prompt import describe_places, likely_sources, places
from agent.run_state.attempt_outcome import Outcome
from extensions.repair.cloze_search import FILLER, search_fillings
from extensions.repair.edit_choice import choose_by_model, remaining_doubt, vote
from extensions.repair.edit_descriptions import count_passing, describe_change
from extensions.repair.offered_edits import choice_letters, explain_doubt
from extensions.repair.template_search import EDITS, search_end, search_templates
from extensions.reproduction.issue_reproduction import example_test
from trajectories.facts import Fact

if TYPE_CHECKING:
    from agent.engine.task import Task
    from trajectories.records import Step
    from trajectories.verdict import Verdict

ROLES = ()
MAY_ASK = (FILLER, "judge")
SOURCE = "GenProg, PAR, TBar (arXiv 1903.08409) and others; AlphaRepair (arXiv 2207.08281) with a filler"
WHEN = "there is no model, and a Python test fails"
AUTHOR = "templates"
PYTHON_ONLY = "Without a model, only Python code can be repaired. Choose a model with --model to work on these tests."
PROOFS = 4
"""Maximum number of plausible edits with different behaviour that are proven before the strategy gives up."""


def solve(task: Task) -> Generator[Step, None, Outcome]:
    """Test, search, then prove plausible edits one after another.

    If no test fails, the issue's example becomes one. Without a failing test, only report likely places.
    """
    given = yield from given_tests(task)
    likely = f"Likeliest places:\n{describe_places(places(task.branch))}"
    task.note("phase", "test the base")
    tests = task.once("tests", lambda: failing_tests(task, given))
    task.note("summary", tests["summary"])
    if not (tests["failing"] or given):
        given = yield from example_test(task)
        tests = task.once("tests with the example", lambda: failing_tests(task, given)) if given else tests
    if not tests["failing"]:
        yield task.say(f"{tests['summary']} There is no failing test to search with. {likely}", author=AUTHOR)
        return task.best()

    if not any(_is_python(test) for test in tests["failing"]):
        yield task.say(f"{tests['summary']} {PYTHON_ONLY}", author=AUTHOR)
        return task.best()

    task.note("phase", "search for edits")
    end = search_end(task, tests["seconds"])
    found = search_templates(task, tests, end)
    found = yield from search_fillings(task, tests, found, end)
    _note(task, found)
    if not found["edits"]:
        parts = (_counts_text(found), _advice(found, tests["failing"]), _suspects(found), likely)
        yield task.say("\n".join(filter(None, parts)), author=AUTHOR)
        return task.best()

    task.note("phase", "prove")
    chosen = yield from choose_by_model(task, found, AUTHOR)
    refuted: list[int] = []
    tried: dict[int, Verdict] = {}
    for number, place in enumerate(_proof_order(found, chosen)):
        edit = found["edits"][place]
        if number:
            yield _run_tool(task, "undo", {"steps": 1})
        yield _run_tool(task, "edit", {"path": edit["path"], "old": edit["old"], "new": edit["new"]})
        doubt = remaining_doubt(found, place) if place == chosen else edit["doubt"]
        verdict = yield from task.prove(given, likely_sources(task.branch), doubt=doubt, fitted=True)
        tried[place] = verdict
        if _is_refuted(verdict):
            refuted.append(place)
        elif verdict.complete or doubt:
            yield task.say(_change(found | {"doubt": doubt}, place, refuted), author=AUTHOR)
            votes = [Fact("limit", vote(found, place))] if place == chosen else []
            return Outcome(task.tree, replace(verdict, facts=(*votes, *verdict.facts)))
    best = next((place for place in tried if place not in refuted), None)
    if best is not None and best != place:
        yield _run_tool(task, "undo", {"steps": 1})
        yield _run_tool(task, "edit", {name: found["edits"][best][name] for name in ("path", "old", "new")})
    yield task.say("\n".join(["No edit is proven.", *_not_proven(found, tried, best, refuted), likely]), author=AUTHOR)
    return Outcome(task.tree, tried[best]) if best is not None else task.best()


def _is_python(test: str) -> bool:
    """Whether a test's id is one of pytest or unittest: with a Python file, or a dotted name without a file."""
    path = test.partition("::")[0]
    return path.endswith(".py") or ("/" not in path and "::" not in test)


def _proof_order(found: dict[str, Any], chosen: int | None) -> list[int]:
    """Return the order in which edits are proven: first the one that a model chose, then the others in the search's
    order."""
    places = range(len(found["edits"]))
    return sorted(places, key=lambda place: place != chosen)[:PROOFS]


def _is_refuted(verdict: Verdict) -> bool:
    """Return whether the proof shows that the edit is wrong: it breaks passing tests, or does not fix the failing
    ones."""
    return verdict.no_loss is False or bool(verdict.red and False in (verdict.green, verdict.red_again))


def _run_tool(task: Task, tool: str, arguments: dict[str, Any]) -> Step:
    from trajectories.records import Action

    actions = (Action(tool, arguments),)
    return task.step(None, task.act(actions), actions, AUTHOR)


# Texts


def _note(task: Task, found: dict[str, Any]) -> None:
    """Record the places, the counts and every plausible edit; of edits with the same behaviour, only one is shown to
    the user."""
    for path, line, score, why in found["suspects"]:
        reasons = f": {'; '.join(why)}" if why else ""
        task.note("place", f"{path}:{line}{reasons}", aloud=False, suspicion=round(score, 3))
    counts = {name: found[name] for name in ("places", "tried", "cpu", "seconds")}
    task.note("summary", _counts_text(found), **counts)
    shown: set[int] = set()
    for one in found["plausible"]:
        aloud = one["behaviour"] < EDITS and one["behaviour"] not in shown
        shown.add(one["behaviour"])
        data = {name: one[name] for name in ("score", "template")} | {"behaviour": _letter(one["behaviour"])}
        task.note("candidate", f"{one['path']}:{one['line']} {one['what']}", aloud, **data)


def _letter(behaviour: int) -> str:
    """Return the label of a behaviour as shown to the user: A, B, C …, then numbers."""
    return "ABCDEFGHIJKLMNOPQRSTUVWXYZ"[behaviour] if behaviour < 26 else str(behaviour + 1)


def _counts_text(found: dict[str, Any]) -> str:
    if found["why"]:
        return str(found["why"])
    count, alike = len(found["plausible"]), len({one["behaviour"] for one in found["plausible"]})
    kinds = f", in {alike} different ways" if count > 1 and alike > 1 else ", all alike" if count > 1 else ""
    places = "1 place" if found["places"] == 1 else f"{found['places']:,} places"
    return f"{found['tried']:,} edits tried at {places} in {found['seconds']:.0f} s; {count_passing(count)}{kinds}."


def _advice(found: dict[str, Any], failing: Sequence[str]) -> str:
    """Return advice for the user if no edit was found."""
    parts = []
    if len(failing) > 1:
        parts.append(
            f"The search looked for one edit that fixes all {len(failing)} failing tests, {format_names(failing)}. If "
            "they fail for different reasons, name those with one reason (--reproduce TEST)."
        )
    if found.get("cut_short"):
        parts.append("The time ended before all edits were tried; give more with --max-time SECONDS.")
    return " ".join(parts)


def _change(found: dict[str, Any], place: int, refuted: Sequence[int]) -> str:
    """Describe how the edit was found, what it is, the evidence for and against it, and the alternatives."""
    edit = found["edits"][place]
    what = describe_change(edit["path"], edit["line"], edit["function"], edit["description"])
    refuted_letters = " and ".join(_letter(one) for one in refuted)
    parts = [_counts_text(found), f"The proof rejects {refuted_letters}." if refuted else "", what, edit["why"]]
    return "\n".join(filter(None, [" ".join(filter(None, parts)), explain_doubt(found, place, refuted)]))


def _not_proven(
    found: dict[str, Any], tried: Mapping[int, Verdict], best: int | None, refuted: Sequence[int]
) -> Iterator[str]:
    """Yield a line for each tried edit with the reason why it is not proven; the `best` one is the patch."""
    for place, verdict in tried.items():
        edit = found["edits"][place]
        what = describe_change(edit["path"], edit["line"], edit["function"], edit["description"])
        doubts = [fact.text for fact in verdict.facts if fact.kind == "doubt"]
        is_patch = " (the patch now)" if place == best else ""
        yield f"{_letter(place)}{is_patch}: {what} {' '.join([verdict.headline, *doubts])}"
    others = [_letter(place) for place in tried if place not in (best, *refuted) and place < len(choice_letters(found))]
    if others:
        yield f"`swe-agent resume RUN --choose {others[0]}`, or `/choose {others[0]}` in a session, applies another."


def _suspects(found: dict[str, Any]) -> str:
    lines = [f"- {path}:{line} (suspicion {score:.2f})" for path, line, score, _ in found["suspects"]]
    return "\n".join(["Most suspicious lines:", *lines]) if lines else ""
