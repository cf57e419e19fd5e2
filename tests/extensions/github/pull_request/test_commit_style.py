"""Commit titles in the style of the repository's own log."""

from __future__ import annotations

import re

import pytest
from hypothesis import given

from extensions.github.pull_request.commit_style import message, title
from extensions.github.pull_request.publish_store import CommitSubject
from extensions.github.pull_request.title_and_summary import make_title, split_summary
from tests.extensions.github.test_text_escaping import HOSTILES

WORDS = "Include the last day"
CONVENTIONAL = ("fix(rates): take the last day", "feat(api): add x", "docs: words", "fix(api): y", "chore: z", "ci: q")
MODULES = ("net/http: close it", "cmd/go: say why", "net/http: read all", "runtime: be fast", "net/http: x", "os: y")
DJANGO = ("Fixed #1 -- Added x.", "Refs #2 -- Y.", "Fixed #33 -- Let z.", "Fixed #4 -- W.", "Fixed #5 -- V.", "Bumped.")
PLAIN = ("add x", "drop y", "read z", "say why", "be fast")
EMOJI = ("\U0001f41b Fix x", "\u2728 Add y", "\U0001f41b Drop z", "\U0001f4dd Say", "\u2728 W")
DOTTED = ("Add x.", "Drop y.", "Read z.", "Say why.", "Be fast.")


def subjects(texts, merged=False):
    return [CommitSubject(text, merged) for text in texts]


@pytest.mark.parametrize(
    ("texts", "near", "expected"),
    [
        (CONVENTIONAL, (), "fix: include the last day"),
        (CONVENTIONAL, ("feat(api): add x", "fix(rates): a", "fix(rates): b"), "fix(rates): include the last day"),
        (MODULES, ("net/http: close it", "net/http: x"), "net/http: include the last day"),
        (MODULES, (), "include the last day"),
        (CONVENTIONAL, ("chore(release): 2", "chore(release): 1"), "fix: include the last day"),
        (CONVENTIONAL, ("fix(release): 2", "fix(#9): 1"), "fix: include the last day"),
        ([f"ABC-{n}: {text}" for n, text in enumerate(PLAIN)], ("ABC-1: x", "ABC-1: y"), "include the last day"),
        ([f"gh-{n}: {text}" for n, text in enumerate(PLAIN)], ("gh-1: x", "gh-1: y"), "gh-12: include the last day"),
        ([f"[#{n}] {text}" for n, text in enumerate(PLAIN)], ("[#1] x", "[#1] y"), "include the last day"),
        ([f"WIP: {text}" for text in PLAIN], ("WIP: x", "WIP: y"), "include the last day"),
        (DJANGO, (), "Fixed #12 -- Include the last day."),
        (PLAIN, (), "include the last day"),
        (EMOJI, (), "\U0001f41b Include the last day"),
        (DOTTED, (), "Include the last day."),
        (PLAIN[:2], (), "Include the last day"),
        ([f"{text} (#{n})" for n, text in enumerate(PLAIN)], (), "include the last day (#12)"),
        ([f"[core] {text}" for text in PLAIN], ("[core] add x", "[core] y"), "[core] include the last day"),
    ],
    ids=[
        "type",
        "scope",
        "module",
        "no module",
        "release",
        "number as scope",
        "ticket",
        "gh",
        "hash",
        "wip",
        "django",
        "lower",
        "emoji",
        "dot",
        "few",
        "number",
        "brackets",
    ],
)
def test_title_follows_style_of_log(texts, near, expected):
    assert title(WORDS, subjects(texts), 12, subjects(near)) == expected


def test_number_of_merged_pull_request_is_not_used_for_issue():
    assert title(WORDS, subjects([f"{text} (#{n})" for n, text in enumerate(PLAIN)], merged=True), 12) == WORDS.lower()


def test_prefix_from_model_is_not_repeated():
    assert title("fix: Include the last day", subjects(CONVENTIONAL)) == "fix: include the last day"
    assert title("Fix #12: include it", subjects(DJANGO), 12) == "Fixed #12 -- Include it."


@pytest.mark.parametrize("words", ["HTTP is read", "read_all() stops", "x" * 200, "many words " * 20])
def test_names_stay_and_long_titles_are_cut_between_words(words):
    result = title(words, subjects(CONVENTIONAL))
    assert len(result) <= 72
    assert result.startswith(f"fix: {words[:20]}")
    assert not result.endswith((" ", ",", "."))


@pytest.mark.slow
@given(HOSTILES, HOSTILES, HOSTILES, HOSTILES)
def test_hostile_text_has_no_effect_in_commit_message(words, cause, near, model):
    subject = title(words, subjects([f"{near}: {text}" for text in PLAIN]), 0, subjects([f"{near}: x", f"{near}: y"]))
    text = message(subject, cause, words, model)
    for line in text.splitlines():
        assert not line.lower().startswith(("signed-off-by:", "co-authored-by:", "reviewed-by:"))
    assert "[skip ci]" not in text
    assert not re.search(r"(?<!\w)@[\w-]|#\d|\bGH-\d|/issues/\d", text, re.IGNORECASE), text


def test_message_gives_reason_and_model():
    assert message("Add it", "It was left out. Signed-off-by: A", "`x` has it.", "openai/x") == (
        "Add it\n\nIt was left out. Signed-off-by A `x` has it.\n\nGenerated-by: swe-agent (openai/x)\n"
    )


@pytest.mark.parametrize(
    ("summary", "given", "expected"),
    [
        ("It was off by one. Now it is not.", "Count right", ("Count right", "It was off by one.", "Now it is not.")),
        ("Cause: `a` was None. Fix: check it.", "", ("check it", "`a` was None.", "check it.")),
        ("Use <=.", "", ("Use <=", "", "Use <=.")),
        ("", "", ("", "", "")),
    ],
    ids=["two", "labels", "one", "none"],
)
def test_summary_is_split_into_title_cause_and_change(summary, given, expected):
    assert split_summary(summary, given) == expected


@pytest.mark.parametrize(
    ("summary", "expected"),
    [
        (
            f"Replace `len(rows) - 1` by `len(rows)` in `{'p' * 20}.py`, line 29.",
            f"Replace `len(rows) - 1` by `len(rows)` in `{'p' * 20}.py`",
        ),
        (f"Compare the days with `<=`, since {'it is so ' * 9}", "Compare the days with `<=`"),
        (
            f"Let the reader of all the files in the folder know `{'x' * 30} y`",
            "Let the reader of all the files in the folder know…",
        ),
        ("Short. And more.", "Short"),
    ],
    ids=["code", "clause", "cut", "short"],
)
def test_title_is_first_clause(summary, expected):
    assert make_title(summary) == expected
