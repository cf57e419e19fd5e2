"""BM25 over weighted counts, compared with the explicit formula."""

from __future__ import annotations

import math

import numpy as np
import pytest

from aci.localization.bm25 import MOST_TERMS, Documents, FieldWeights

SHAPE = FieldWeights(prose=0.5, name=2.0, class_name=2.0, path=2.0, k1=1.2, b=0.3)
PRESENT = [True, True, False, True]
LENGTHS = [10.0, 4.0, 99.0, 1.0]
COUNTS = {"price": [1.5, 0.0, 0.0, 3.0], "total": [2.0, 1.0, 0.0, 0.0], "parcel": [0.0, 0.5, 0.0, 0.0]}


@pytest.fixture
def documents() -> Documents:
    index = Documents(np.array(PRESENT), np.array(LENGTHS), SHAPE)
    for term, counts in COUNTS.items():
        index.add(term, np.flatnonzero(counts), np.array(counts))
    return index


def formula(query: dict[str, float], document: int) -> float:
    score, average_length = 0.0, (10 + 4 + 1) / 3
    for term, weight in query.items():
        count, holders = COUNTS[term][document], np.count_nonzero(COUNTS[term])
        rarity = math.log(1 + (3 - holders + 0.5) / (holders + 0.5))
        denominator = count + SHAPE.k1 * (1 - SHAPE.b + SHAPE.b * LENGTHS[document] / average_length)
        score += weight * rarity * count * (SHAPE.k1 + 1) / denominator
    return score


def test_scores_are_bm25_over_statistics_of_all_documents(documents: Documents) -> None:
    query = {"price": 1.0, "total": 2.5, "parcel": 0.1}
    candidates = np.array([0, 3])
    whole, one, nothing = documents.scores([query, {"price": 2.0}, {"unknown": 1.0}], candidates)
    assert whole.tolist() == pytest.approx([formula(query, 0), formula(query, 3)])
    assert one.tolist() == pytest.approx([formula({"price": 2.0}, 0), formula({"price": 2.0}, 3)])
    assert nothing.tolist() == [0.0, 0.0]


def test_no_candidates_have_no_scores(documents: Documents) -> None:
    assert [scores.tolist() for scores in documents.scores([{"price": 1.0}, {}], np.zeros(0, np.int64))] == [[], []]


def test_heaviest_terms_are_listed_first(documents: Documents) -> None:
    query = {"price": 1.0, "total": 2.5, "parcel": 0.1, "unknown": 9.0}
    assert documents.heaviest(query, 0) == ["total", "price"]
    assert documents.heaviest(query, 1, most=1) == ["total"]


def test_lightest_of_too_many_terms_are_ignored() -> None:
    documents = Documents(np.ones(2, bool), np.ones(2), SHAPE)
    names = [f"t{n}" for n in range(MOST_TERMS + 1)]
    for name in names:
        documents.add(name, np.array([0]), np.array([1.0, 0.0]))
    query = dict.fromkeys(names[:-1], 2.0)
    (without,) = documents.scores([query], np.array([0]))
    (light,) = documents.scores([query | {names[-1]: 1.0}], np.array([0]))
    (heavy,) = documents.scores([query | {names[-1]: 3.0}], np.array([0]))
    assert without == light < heavy
