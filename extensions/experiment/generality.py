"""Experiment that tells whether a Python patch does more than fit the values of its reproducing tests.

The recorded calls that base and patch answer differently are varied. A patch that changes hardly any other answer, or
that gives the test's own answer everywhere, fits the examples only.
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from aci.observation.output_text import cut
from aci.proof.evidence import is_in_prose
from aci.proof.experiments import Generality
from aci.proof.fact_words import SAME_BASE_ANSWER, changed_behaviour, same_answer, selected_behaviour, tests_answers
from aci.repository.python_source import parse
from extensions.experiment.change_contact import Contact, parse_contact
from extensions.experiment.changed_functions import ChangedFile, added_functions, changed_functions
from extensions.experiment.compared_calls import ComparedCall, kind_of, parse_calls, staying_exception
from extensions.experiment.decisive_arguments import Argument, arguments_of
from extensions.experiment.evaluator.candidate_evaluator import Evaluator
from extensions.experiment.listed_values import Listed
from trajectories.facts import Fact

VARIANTS, LEAST_VALID = 60, 10
"""Number of variants of each function's calls, and the minimum number of valid ones for a judgement."""
LITERAL_SHARE = 0.03
"""Maximum share of differing variants for a patch that fits the examples only."""
LEAST_CONSTANT = 5
RENAMED_SHARE, LEAST_RENAMED = 0.1, 20
"""Maximum share of differing variants for a patch that changes no answer if all words and numbers are others, and the
minimum number of such variants."""
SAME_SHARE = 1 / 3
"""Minimum share of variants that get the very change of a test for a function that has few answers near the tests."""
EXCEPTION = re.compile(
    r"(?i)\b(?:known|other|one|only|an) exceptions? (?:of|to|is|for)\b|\bspecial[ -]cas|\bcompatib|\bhistorical"
    r"|\bby (?:definition|convention)\b"
)
"""Words with which an issue says that one value is a case of its own."""
MANY = 3
"""Number of the tests' calls from which a patch for answers with two values is not accused: a right one may change
them for few inputs only."""
FEW_ANSWERS = 5
CALL_SECONDS, JOB_SECONDS = 1.0, 20.0
SIMPLE = re.compile(r"!|(?:bool|int|NoneType):")
"""Answers that many inputs share."""
ONE_OF_TWO = re.compile(r"!|(?:bool|NoneType):")
"""Answers that a right patch may give for all variants, since these are similar to the tests' values."""
EMPTY = {"None", "False", "0", "0.0", "''", "b''", "[]", "()", "{}", "set()"}
"""Answers that are passed on from special arguments, which are not varied."""
LEAST_NUMBER = 5
"""Minimum absolute value of a number of the base next to which numbers count as special."""
MOST_FUNCTIONS = 200
LEAST_OTHERS, BY_CHANCE = 5, 0.01
"""Minimum number of variants without a feature by which a patch selects values, and the maximum probability that it
changes none of them by chance."""
LEAST_WORDS = 2
LONGEST_VALUE = 40
"""Maximum number of characters of a call, and of an answer, in an example."""
WORD = re.compile(r"[^\W\d_]{2,}")
VERSIONS = ("base", "patch")
ORDER = (ast.Lt, ast.LtE, ast.Gt, ast.GtE)
UNKNOWN = "!unknown argument"
SPECIAL = Fact("limit", "The tests concern special values, which cannot be varied.")
VERSION = re.compile(r"(?i)(?:\b(?:version|release|python|since|line|issue|step)\s+|#|\bv)\d[\w.]*")
"""Numbers in a title that name something else than a value."""
LEAST_WORD = 5
"""Minimum length of a word that a title names without quotes."""
LISTED = Fact(
    "limit", "The issue names the value for which the behaviour changes, one more of those that the code lists."
)
ALIKE = Fact("limit", "The behaviour changes for one value only, and the code lists such values.")
NAMED = Fact("limit", "The issue is about the one value for which the behaviour changes.")


@dataclass(frozen=True, slots=True)
class Comparison:
    """What the tests run with the patch (None if they do not end), the compared calls, and the calls in `copies` of
    the tests, if needed (see `varied_tests.py`). `recorded` is the number of the tests' calls that were compared."""

    contact: Contact | None
    calls: Sequence[ComparedCall]
    copies: Sequence[ComparedCall] = ()
    recorded: int = 0


def compare_versions(
    evaluator: Evaluator, files: Sequence[ChangedFile], tests: Sequence[str], others: Sequence[str] = ()
) -> Comparison:
    """Run the tests, and compare the answers of base and patch to calls like theirs; the evaluator's workspace holds
    the patch. `others` are tests of the base, which are repeated."""
    answers = evaluator.ask({**describe_job("compare", files, tests), "others": list(others)}, JOB_SECONDS)
    contacts = [parse_contact(answer["contact"]) for answer in answers if "contact" in answer]
    recorded = [count for answer in answers if isinstance(count := answer.get("recorded"), int)]
    edited = {function["qualname"] for file in files for function in changed_functions(file)}
    return Comparison(contacts[0] if contacts else None, parse_calls(answers, "calls", edited), (), sum(recorded))


def describe_job(mode: str, files: Sequence[ChangedFile], tests: Sequence[str]) -> dict[str, Any]:
    """Return a job for the guest: see `extensions/experiment/guest/patch_comparison.py`."""
    changed = [{"path": file.path, **function} for file in files for function in changed_functions(file)]
    added = [{"path": file.path, **function} for file in files for function in added_functions(file)]
    return {
        "mode": mode,
        "files": {file.path: file.before for file in files},
        "functions": changed if len(changed) <= MOST_FUNCTIONS else [],
        "added": added,
        "tests": list(tests),
        "limit": CALL_SECONDS,
        "most": VARIANTS,
        "new_attributes": sorted({name for file in files for name in new_attributes(file)}),
        "constants": [list(one) for file in files for one in special_constants(file)],
    }


def judge_generality(
    calls: Sequence[ComparedCall], issue: str, listed: Listed = frozenset(), added: str = ""
) -> tuple[Generality, Fact]:
    """Return whether the patch is general, and the reason.

    `listed` are the values of the base, and `added` are the lines that the patch adds.
    """
    seeds = [call for call in calls if not call.made]
    if not seeds:
        return "undecided", Fact("limit", "No recorded call of a changed function behaves differently.")
    if all(call.base == UNKNOWN for call in seeds):
        return "undecided", Fact("limit", "The tests use arguments that only the patch accepts.")
    if answering := {call.function for call in seeds if _is_other_result(call)}:
        calls = [_without_effects(call) for call in calls if call.function in answering]
        seeds = [call for call in calls if not call.made and call.base != call.patch]
    found = _judge(calls, seeds, issue, listed)
    is_special = any(call.arguments and all(special for _, _, special in call.arguments) for call in seeds)
    if found[0] == "examples only" and (is_special or _may_be_rare(seeds, added)):
        return "undecided", SPECIAL if is_special else found[1]
    return found


def _judge(
    calls: Sequence[ComparedCall], seeds: Sequence[ComparedCall], issue: str, listed: Listed
) -> tuple[Generality, Fact]:
    own = {call.patch for call in seeds}
    comparable = [call for call in calls if call.made and not call.nested and is_valid(call, seeds)]
    renamed = [call for call in comparable if call.renamed]
    valid = [call for call in comparable if not call.renamed and not call.probe]
    differing = [call for call in valid if call.base != call.patch]
    other = [call for call in renamed if call.base != call.patch]
    specials = [special for call in seeds for _, _, special in call.arguments]
    if specials and all(specials):
        return "undecided", SPECIAL
    if len(valid) < LEAST_VALID and not differing:
        return "undecided", Fact("limit", f"Only {len(valid)} variants of the tests' values could be compared.")
    count = _count([*differing, *other], [*valid, *renamed])
    changes = {(call.base, call.patch) for call in seeds}
    same = [call for call in differing if (call.base, call.patch) in changes]
    is_alike = not is_simple(own) and len(same) >= SAME_SHARE * len(valid)
    if _is_constant(valid, differing, own):
        is_empty = all(call.texts[1] in EMPTY for call in seeds if len(call.texts) == len(VERSIONS))
        count = _count(differing, valid)
        if is_empty or all(map(ONE_OF_TWO.match, own)) or len({call.base for call in differing}) == 1:
            return "undecided", same_answer(count)
        if is_alike:
            return "undecided", SAME_BASE_ANSWER
        return "examples only", tests_answers(count)
    is_plain = is_simple(own) or _has_few_answers(valid)
    others = [call for call in differing if is_plain or call.patch not in own or (call.base, call.patch) in changes]
    is_literal = len(others) <= max(1, LITERAL_SHARE * len(valid)) and len(other) <= 1
    is_kept = len(renamed) >= LEAST_RENAMED and not other and len(differing) <= RENAMED_SHARE * len(valid)
    if len(valid) >= LEAST_VALID and (is_literal or is_kept):
        if reason := SAME_BASE_ANSWER if is_alike else why_one_value(seeds, issue, listed):
            return "undecided", reason
        return "examples only", changed_behaviour(count)
    if len(valid) < LEAST_VALID:
        return "undecided", Fact("limit", f"Only {len(valid)} variants of the tests' values could be compared.")
    arguments = list(arguments_of(seeds, comparable))
    decisive = {argument.function: argument for argument in arguments if _is_decisive(argument)}
    if decisive and decisive.keys() >= {argument.function for argument in arguments}:
        if reason := next(filter(None, (_why_one_argument(one, issue, listed) for one in decisive.values())), None):
            return "undecided", reason
        return "examples only", changed_behaviour(_share(next(iter(decisive.values()))))
    repeated = set() if is_plain else _telling_changes(seeds)
    if reason := _why_not_shown(arguments, comparable, repeated):
        return "undecided", reason
    if feature := _selecting_feature(seeds, [*valid, *renamed], [*differing, *other]):
        return "undecided", selected_behaviour(feature)
    if (
        len(renamed) >= LEAST_RENAMED
        and not other
        and ("str", "") not in listed
        and (words := _needed_words(comparable))
    ):
        return "examples only", selected_behaviour(f"words {words}")
    if len(renamed) >= LEAST_OTHERS and not other:
        return "undecided", changed_behaviour(count, ", which keep some of the tests' values")
    if staying := staying_exception(seeds, calls):
        return "undecided", staying
    return "shown", changed_behaviour(count, _example([*other[:1], *differing], seeds))


Change = tuple[str, str, str]
"""A function, and its answers without and with the patch."""


def _change(call: ComparedCall) -> Change:
    return call.function, call.base, call.patch


def _telling_changes(seeds: Sequence[ComparedCall]) -> set[Change]:
    """Return the changes in the tests, without those to answers that many inputs share."""
    simple = {call.function for call in seeds}
    simple = {function for function in simple if is_simple({one.patch for one in seeds if one.function == function})}
    return {_change(call) for call in seeds if call.function not in simple}


def _why_not_shown(
    arguments: Sequence[Argument], comparable: Sequence[ComparedCall], repeated: set[Change]
) -> Fact | None:
    """Return why the variants do not show that the patch is general; None if they do.

    Variants that repeat a change of the tests show nothing. Each argument must have other values in some variant that
    shows something.
    """
    differing = [call for call in comparable if call.base != call.patch and not call.probe]
    most = max(1, LITERAL_SHARE * sum(not call.probe for call in comparable))
    if sum(_change(call) not in repeated for call in differing) <= most:
        return SAME_BASE_ANSWER
    for argument in arguments:
        if not argument.compared:
            return Fact("limit", f"No variant {argument.where} could be compared.")
        if not any(call.base != call.patch and _change(call) not in repeated for call in argument.compared):
            return Fact("limit", f"No variant {argument.where} shows another change than that of the tests.")
    return None


def _needed_words(comparable: Sequence[ComparedCall]) -> str:
    """Return the words that a call of the tests must contain for the patch to change its answer, as text; "" if one
    word is enough for some of the calls, as it is for a right patch for one keyword."""
    calls: dict[tuple[str, int], set[str]] = {}
    replaced = [call for call in comparable if call.word]
    for call in [call for call in replaced if call.edited] or replaced:
        needed = calls.setdefault((call.function, call.origin), set())
        needed |= {call.word} if call.base == call.patch else set()
    if not calls or any(len(words) < LEAST_WORDS for words in calls.values()):
        return ""
    return " and ".join(sorted(next(iter(calls.values())))[:LEAST_WORDS])


def _is_decisive(argument: Argument) -> bool:
    """Whether the patch changes hardly any answer if this argument has other values than in the tests, and none if all
    words and numbers are others."""
    renamed = sum(call.renamed for call in argument.tried)
    is_rare = len(argument.changed) <= max(1, LITERAL_SHARE * len(argument.tried))
    return (
        argument.is_ordinary
        and renamed >= LEAST_RENAMED
        and is_rare
        and not any(call.renamed for call in argument.changed)
    )


def _share(argument: Argument) -> str:
    return f"{len(argument.changed)} of {len(argument.tried)} variants {argument.where}"


def _why_one_argument(argument: Argument, issue: str, listed: Listed) -> Fact | None:
    """Return why a right patch may change the behaviour for these values of one of several arguments only."""
    title = issue if EXCEPTION.search(issue) else issue.strip().partition("\n")[0]
    if all(_is_subject(title, value) for _, value in argument.values):
        return NAMED
    if not all({(kind, ""), (kind, value)} & listed for kind, value in argument.values):
        return None
    return LISTED if all(value.strip("'\"") in issue for _, value in argument.values) else ALIKE


def _may_be_rare(seeds: Sequence[ComparedCall], added: str) -> bool:
    """Whether a right patch may change so few answers: it chooses between two answers, and the tests, whose values are
    mostly not in the lines that it adds, show many of the changes."""
    if len(seeds) < MANY or not all(ONE_OF_TWO.match(answer) for call in seeds for answer in (call.base, call.patch)):
        return False
    values = [value.strip("'\"") for call in seeds for _, value, _ in call.arguments[:1]]
    found = [value for value in values if value and re.search(rf"(?<!\w){re.escape(value)}(?!\w)", added)]
    return 2 * len(found) < len(seeds)


def _selecting_feature(
    seeds: Sequence[ComparedCall], valid: Sequence[ComparedCall], differing: Sequence[ComparedCall]
) -> str:
    """Return a feature of an argument that all tests have and all variants for which the patch changes the answer, but
    not all variants; "" if there is none."""
    for place, features in enumerate(seeds[0].features):
        for feature in sorted(features):

            def has(call: ComparedCall, place: int = place, feature: str = feature) -> bool:
                return place < len(call.features) and feature in call.features[place]

            others = sum(not has(call) for call in valid)
            share = len(differing) / max(1, len(valid) - others)
            chance = (1 - min(1.0, share)) ** others
            if others >= LEAST_OTHERS and chance <= BY_CHANCE and all(map(has, [*seeds, *differing])):
                return feature
    return ""


def _count(some: Sequence[ComparedCall], variants: Sequence[ComparedCall]) -> str:
    return f"{len(some)} of {len(variants)} variants of the tests' values"


def _example(differing: Sequence[ComparedCall], seeds: Sequence[ComparedCall]) -> str:
    """Return a call with the answers before and after, for a person who judges whether they are right; "" if all have
    generated words."""
    known = set(WORD.findall(" ".join(call.text for call in seeds)))
    for call in differing:
        if len(call.texts) == len(VERSIONS) and known.issuperset(WORD.findall(call.text)):
            text, before, after = (cut(one, LONGEST_VALUE) for one in (call.text, *call.texts))
            return f", such as {text} ({before} before, {after} with it)"
    return ""


def is_valid(call: ComparedCall, seeds: Sequence[ComparedCall]) -> bool:
    """Whether a variant says something: the answers are stable, and the input is not one that no version accepts.

    The patch may fail as it does in the tests, where the base does not: then the issue asks for that exception.
    """
    failures = {seed.base for seed in seeds if seed.base.startswith("!")}
    if not call.base or not call.patch or call.base != call.again:
        return False
    if "!late" in (call.base, call.patch):  # says something only if the base hangs in the tests, too
        return call.base == "!late" in failures
    if call.patch.startswith("!"):
        asked = {kind_of(seed.patch) for seed in seeds if not seed.base.startswith("!")}
        return call.base in failures or (kind_of(call.patch) in asked and not call.base.startswith("!"))
    return True


def _is_other_result(call: ComparedCall) -> bool:
    """Whether the versions return different values; None is none."""
    return _result(call.base) != _result(call.patch) and not call.patch.startswith("NoneType:")


def _without_effects(call: ComparedCall) -> ComparedCall:
    return replace(call, base=_result(call.base), again=_result(call.again), patch=_result(call.patch))


def _result(answer: str) -> str:
    """Return the answer without effects other than the result."""
    return answer.partition("+")[0]


def _is_constant(valid: Sequence[ComparedCall], differing: Sequence[ComparedCall], own: set[str]) -> bool:
    if len(differing) < LEAST_CONSTANT or any(call.patch not in own for call in differing):
        return False
    return not is_simple(own) or all(call.patch in own for call in valid)


def is_simple(answers: set[str]) -> bool:
    return all(map(SIMPLE.match, answers))


def _has_few_answers(valid: Sequence[ComparedCall]) -> bool:
    return len({call.base for call in valid}) <= FEW_ANSWERS


def why_one_value(seeds: Sequence[ComparedCall], issue: str, listed: Listed) -> Fact | None:
    """Return why a right patch may change the behaviour for the tests' values only, or None.

    The only argument of each call of a function is a scalar, or its object has one, and the prose of the issue contains
    it: the title, a text that speaks of an exception, or any if the base lists such values. Other functions may call
    this one.
    """
    functions = dict.fromkeys(call.function for call in seeds)
    found = [_why_one([call for call in seeds if call.function == one], issue, listed) for one in functions]
    return next(filter(None, found), None)


def _why_one(seeds: Sequence[ComparedCall], issue: str, listed: Listed) -> Fact | None:
    title = issue if EXCEPTION.search(issue) else issue.strip().partition("\n")[0]
    if all(_names_value(call, title) for call in seeds):
        return NAMED
    return LISTED if all(_names_value(call, issue, listed) for call in seeds) else None


def _names_value(call: ComparedCall, text: str, listed: Listed | None = None) -> bool:
    """Whether the prose of a text contains the only argument of a call; if it is one of those that are `listed`, it may
    also be a value in the object of a method."""
    own = [(kind, value) for kind, value, _ in call.arguments if value] if len(call.arguments) == 1 else []
    if listed is None:
        return any(_is_subject(text, value) for _, value in own)
    known = [(kind, value) for kind, value in (*own, *call.state) if {(kind, ""), (kind, value)} & listed]
    return any(is_in_prose(text, value.strip("'\"")) for _, value in known)


def _is_subject(text: str, value: str) -> bool:
    """Whether a text is about a value: not a version, and a word only if it is long or quoted."""
    bare = value.strip("'\"")
    if bare == value:
        return is_in_prose(VERSION.sub(" ", text), value)
    is_quoted = re.search(rf"[\"'“«`]{re.escape(bare)}[\"'”»`]", text) is not None
    return is_in_prose(text, bare) and (is_quoted or len(bare) >= LEAST_WORD)


def special_constants(file: ChangedFile) -> set[tuple[str, str]]:
    """Return the type and `repr` of each scalar constant of the base of which the patch adds no further copy, or
    that is a limit, and of the integers next to such integers."""
    before, after = _constants(file.before), _constants(file.after)
    limits = _limits(file.before)
    kept = {
        one: value for one, (count, value) in before.items() if after.get(one, (0, None))[0] <= count or one in limits
    }
    near = [
        (int.__name__, repr(number))
        for value in kept.values()
        if type(value) is int and abs(value) >= LEAST_NUMBER
        for number in (value - 1, value + 1)
    ]
    return {*kept, *(one for one in near if after.get(one, (0, None))[0] == before.get(one, (0, None))[0])}


def _limits(text: str) -> set[tuple[str, str]]:
    """Return the type and `repr` of each constant that is compared by order with a variable."""
    tree, found = parse(text), set[tuple[str, str]]()
    for node in ast.walk(tree) if tree else ():
        if isinstance(node, ast.Compare) and all(
            isinstance(one, ast.Lt | ast.LtE | ast.Gt | ast.GtE) for one in node.ops
        ):
            values = [one.value for one in (node.left, *node.comparators) if isinstance(one, ast.Constant)]
            found |= {(type(value).__name__, repr(value)) for value in values}
    return found


def new_attributes(file: ChangedFile) -> set[str]:
    """Return the names of attributes that the patch assigns and the base does not use."""
    old, new = parse(file.before), parse(file.after)
    if old is None or new is None:
        return set()
    known = {node.attr for node in ast.walk(old) if isinstance(node, ast.Attribute)}
    found = {node.attr for node in ast.walk(new) if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store)}
    return found - known


def _constants(text: str) -> Mapping[tuple[str, str], tuple[int, object]]:
    tree = parse(text)
    values = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)] if tree else []
    counts = Counter((type(value).__name__, repr(value)) for value in values)
    return {(type(value).__name__, repr(value)): (counts[type(value).__name__, repr(value)], value) for value in values}
