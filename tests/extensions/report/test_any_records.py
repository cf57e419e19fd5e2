"""Reports of journals with arbitrary records in arbitrary order."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from extensions.report.report_data import build_report_data
from extensions.report.report_page import page
from tests.extensions.report.test_report_data import REPORT_TEXT, run, run_view, turn
from tests.trajectories.test_journal import other_records
from trajectories.facts import Fact
from trajectories.records import Action, Exit, Hold, Note, Observation, Once, Reply, Settle, Step, Turn, Usage
from trajectories.verdict import Verdict

texts = st.text(st.characters(exclude_categories=()), max_size=8) | st.sampled_from(
    ["</script>", "<!--", "\u2028", "1" * 40]
)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
data = st.dictionaries(texts, values, max_size=3)
branches = st.sampled_from(["main", "main/a", "main/a/b", "/", "other//x", ""])
numbers = st.integers(-1, 3)
times = st.floats()
usages = st.builds(Usage, numbers, numbers, numbers, st.none() | times)
kinds = st.sampled_from(["phase", "score", "message", "gate"])
outcomes = st.fixed_dictionaries({"verdict": st.none() | data, "exit": values}) | values
actions = st.lists(st.builds(Action, texts, data, texts, texts), max_size=2).map(tuple)
observations = st.lists(st.builds(Observation, texts, st.booleans(), st.none() | numbers, data), max_size=3).map(tuple)
records = st.lists(
    st.builds(Step, branches, numbers, texts, texts, texts, st.none() | numbers, actions, observations, texts, times)
    | st.builds(Note, branches, kinds, texts, data, times)
    | st.builds(Turn, texts, texts, st.dictionaries(st.sampled_from(["coder"]), texts), at=times)
    | st.builds(Hold, branches, numbers, numbers, texts, st.none() | times, numbers, times)
    | st.builds(
        Settle, st.builds("{}?{}.{}".format, branches, numbers, numbers), usages, st.none() | times, st.just("usage")
    )
    | st.builds(Reply, texts, actions, texts, usage=st.none() | usages, branch=branches, ask=numbers, at=times)
    | st.builds(Once, branches, st.sampled_from(["outcome", "patch"]), outcomes)
    | st.builds(
        Exit,
        texts,
        numbers,
        texts,
        st.builds(Verdict, facts=st.tuples(st.builds(Fact, st.just("limit"), texts))),
        texts,
        texts,
        times,
        times,
    )
    | st.one_of(other_records),
    max_size=8,
)


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(records)
def test_any_records_can_be_reported(drawn_records):
    steps = [record for record in drawn_records if isinstance(record, Step)]
    report = build_report_data(run_view(run(), turn(), *drawn_records), REPORT_TEXT)
    items = [item for item in report["items"] if item["kind"] == "step"]
    assert [item["id"] for item in items] == [step.id.encode("utf-8", "replace").decode() for step in steps]
    assert sum(branch["steps"] for branch in report["branches"]) == len(steps)
    text = page({"runs": [report]})
    embedded_json = text.partition('id="page-data">')[2].partition("</script>")[0]
    assert "<" not in embedded_json
    assert json.loads(embedded_json)["runs"][0]["name"] == "r1"
