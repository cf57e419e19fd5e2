"""Whatever records a journal holds, in whatever order: they are told, and the page of them is made."""

from __future__ import annotations

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.trajectories.report.test_report_data import WORDS, material, run, turn
from trajectories.records import Action, Exit, Hold, Note, Observation, Once, Reply, Settle, Step, Turn, Usage, Verdict
from trajectories.report.report_data import build_report_data
from trajectories.report.report_page import page

words = st.text(st.characters(exclude_categories=()), max_size=8) | st.sampled_from(
    ["</script>", "<!--", "\u2028", "1" * 40]
)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=6,
)
data = st.dictionaries(words, values, max_size=3)
branches = st.sampled_from(["main", "main/a", "main/a/b", "/", "other//x", ""])
numbers = st.integers(-1, 3)
times = st.floats()
usages = st.builds(Usage, numbers, numbers, numbers, st.none() | times)
kinds = st.sampled_from(["phase", "score", "message", "gate"])
outcomes = st.fixed_dictionaries({"verdict": st.none() | data, "exit": values}) | values
actions = st.lists(st.builds(Action, words, data, words, words), max_size=2).map(tuple)
seen = st.lists(st.builds(Observation, words, st.booleans(), st.none() | numbers, data), max_size=3).map(tuple)
records = st.lists(
    st.builds(Step, branches, numbers, words, words, words, st.none() | numbers, actions, seen, words, times)
    | st.builds(Note, branches, kinds, words, data, times)
    | st.builds(Turn, words, words, st.dictionaries(st.sampled_from(["coder"]), words), at=times)
    | st.builds(Hold, branches, numbers, numbers, words, st.none() | times, numbers, times)
    | st.builds(
        Settle, st.builds("{}?{}.{}".format, branches, numbers, numbers), usages, st.none() | times, st.just("usage")
    )
    | st.builds(Reply, words, actions, words, usage=st.none() | usages, branch=branches, ask=numbers, at=times)
    | st.builds(Once, branches, st.sampled_from(["outcome", "patch"]), outcomes)
    | st.builds(Exit, words, numbers, words, st.builds(Verdict, notes=st.tuples(words)), words, words, times, times),
    max_size=8,
)


@settings(max_examples=40, deadline=None)
@given(records)
def test_any_records_are_told_and_shown(found):
    steps = [record for record in found if isinstance(record, Step)]
    report = build_report_data(material(run(), turn(), *found), WORDS)
    items = [item for item in report["items"] if item["kind"] == "step"]
    assert [item["id"] for item in items] == [step.id.encode("utf-8", "replace").decode() for step in steps]
    assert sum(branch["steps"] for branch in report["branches"]) == len(steps)
    text = page({"runs": [report]})
    shown = text.partition('id="page-data">')[2].partition("</script>")[0]
    assert "<" not in shown
    assert json.loads(shown)["runs"][0]["name"] == "r1"
