"""Instances of every kind in a small repository with a history, and their solutions."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agent.config.settings import Settings
from extensions.lab.commands import synth
from extensions.lab.evaluation.instance_grading import EvaluationContext, evaluate_one
from extensions.lab.instances.dataset_instances import read_golds, read_instances
from extensions.lab.instances.repository_clones import Repositories
from extensions.lab.synthesis.candidate import Candidate
from extensions.lab.synthesis.candidate_validation import Validator, measure_base
from tests.conftest import MakeRepo, OpenWorkspace, git

SHOP = '''\
def price(count, each):
    """Return the price of some things."""
    if count < 0:
        return None
    total = count * each
    return total


def tax(amount):
    """Return the tax on an amount."""
    rate = 5
    found = amount / rate
    return found
'''
FIXED = SHOP.replace("return None", 'raise ValueError("negative")')
TESTS = """\
import pytest
import shop


def test_price():
    assert shop.price(2, 3) == 6


def test_negative():
    with pytest.raises(ValueError):
        shop.price(-1, 3)


def test_tax():
    assert shop.tax(10) == 2


@pytest.mark.parametrize("number", range(12))
def test_other(number):
    assert number >= 0
"""
OPTIONS = {"count": 20, "seed": 0, "base": "HEAD", "workers": 1, "difficulty": "quick", "workspace": "local"}


@pytest.fixture
def repo(make_repo: MakeRepo) -> Path:
    made = make_repo({"shop.py": SHOP, "test_shop.py": ""})
    (made / "shop.py").write_text(FIXED)
    (made / "test_shop.py").write_text(TESTS)
    git(made, "commit", "-q", "-a", "-m", "Fix negative counts")
    return made


def synthesize(repo: Path, out: Path, kinds: str, **options: object) -> list[dict]:
    test = "python -m pytest -q -p no:cacheprovider"
    assert synth.command(str(repo), out, **{"kinds": kinds, "test": test, "plain": True, **OPTIONS, **options}) == 0
    return [json.loads(line) for line in out.read_text().splitlines()]


@pytest.mark.slow
def test_instances_of_all_kinds_are_solved_by_their_patches(repo: Path, open_ws: OpenWorkspace, tmp_path: Path) -> None:
    open_ws("local", repo, "HEAD")  # so that `python` has pytest
    out = tmp_path / "tasks.jsonl"
    rows = {row["symbols"][0] + row["kind"]: row for row in synthesize(repo, out, "revert,feature,combine")}
    assert {(row["kind"], *row["symbols"]) for row in rows.values()} == {
        ("revert", "shop.py:price"),
        ("feature", "shop.py:price"),
        ("feature", "shop.py:tax"),
        ("combine", "shop.py:price", "shop.py:tax"),
    }
    revert, feature = rows["shop.py:pricerevert"], rows["shop.py:taxfeature"]
    assert json.loads(revert["FAIL_TO_PASS"]) == ["test_shop.py::test_negative"]
    assert "price(-1, 3)` does not raise ValueError\n" in revert["problem_statement"]
    assert feature["problem_statement"].startswith("Add `tax`\n")
    both = rows["shop.py:pricecombine"]
    assert {"test_shop.py::test_negative", "test_shop.py::test_tax"} <= set(json.loads(both["FAIL_TO_PASS"]))
    assert feature["problem_statement"].strip() in both["problem_statement"]
    context = EvaluationContext(Settings(workspace="local"), Repositories(tmp_path / "clones").of, say=print)
    golds = read_golds([out])
    for instance in read_instances([out]):
        assert evaluate_one(golds[instance.id], instance, golds[instance.id].patch, context).resolved


@pytest.mark.slow
def test_rewrite_asks_once_and_keeps_what_fails(repo: Path, open_ws: OpenWorkspace, tmp_path: Path) -> None:
    open_ws("local", repo, "HEAD")
    replies = {
        "Implement `price`": "def price(count, each):\n    total = count * each\n    return total",
        "Implement `tax`": "def tax(amount):\n    return amount * 2 / 10",
    }
    lines = [{"contains": text, "reply": {"text": f"```python\n{code}\n```"}} for text, code in replies.items()]
    lines.append({"reply": {"text": "No."}})  # for the issue text
    script = tmp_path / "script.jsonl"
    script.write_text("".join(json.dumps(line) + "\n" for line in lines))
    out = tmp_path / "tasks.jsonl"
    (row,) = synthesize(repo, out, "rewrite", model=f"scripted:{script}")
    assert (row["kind"], row["symbols"]) == ("rewrite", ["shop.py:price"])
    assert json.loads(row["FAIL_TO_PASS"]) == ["test_shop.py::test_negative"]
    script.write_text("")
    assert synthesize(repo, out, "rewrite", model=f"scripted:{script}") == [row]


@pytest.mark.slow
def test_change_that_hides_a_failure_is_refused(repo: Path, open_ws: OpenWorkspace) -> None:
    workspace = open_ws("local", repo, "HEAD")
    base = measure_base(workspace, "python -m pytest -q")
    validator = Validator(workspace, workspace.options.trees, workspace.options.base.tree, base)
    files = {"shop.py": FIXED.replace("rate = 5", "rate = 4").encode()}
    for must_fail, reason in (({"test_shop.py::test_tax"}, ""), ({"test_shop.py::test_price"}, "hides a failure")):
        candidate = Candidate("combine", "", files, must_fail=frozenset(must_fail))
        assert validator.validate(candidate, None).reason == reason
