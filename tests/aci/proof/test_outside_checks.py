"""Checks of other distributions can doubt a patch, and nothing else."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from aci.proof.proof import MAX_DOUBT_CHARACTERS, MAX_OUTSIDE_DOUBTS, find_outside_doubts
from tests.aci.conftest import CASE, RIGHT
from trajectories.facts import Fact
from trajectories.git_store.trees import EMPTY_TREE, Trees
from trajectories.records import Issue

CHECK = """
def find_doubts(trees, base, tree, issue):
    for change in trees.changed(base, tree):
        if b"old" in trees.read(tree, change.path):
            yield f"{change.path} calls\\n the old service ({issue.title})."
"""
NEW_TEST = f"{CASE}    def test_total(self): self.assertEqual(price.total([1, 2]), 3)\n"


def install_check(folder: Path, monkeypatch: pytest.MonkeyPatch, source: str, name: str = "payments") -> None:
    info = folder / f"outsider_{name}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: outsider-{name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[swe_agent.aci.proof.checks]\n{name} = outsider_{name}\n")
    (folder / f"outsider_{name}.py").write_text(source)
    monkeypatch.delitem(sys.modules, f"outsider_{name}", raising=False)  # that of another test
    monkeypatch.syspath_prepend(folder)


def doubts(folder: Path) -> list[Fact]:
    with Trees(folder / "trees.git") as trees:
        base = trees.write({"a.py": b"new()\n"}, EMPTY_TREE)
        return list(find_outside_doubts(trees, base, trees.write({"a.py": b"old()\n"}, base), Issue("Pay")))


def test_check_names_what_it_finds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert doubts(tmp_path) == []
    install_check(tmp_path / "site", monkeypatch, CHECK)
    assert doubts(tmp_path) == [
        Fact("doubt", "payments: a.py calls the old service (Pay).", {"check": "payments"}),
    ]


@pytest.mark.parametrize(
    ("source", "error"),
    [("raise RuntimeError", "RuntimeError"), ("x = 1", "AttributeError"), ("find_doubts = None", "TypeError")],
)
def test_failing_check_is_a_doubt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, error: str) -> None:
    install_check(tmp_path / "site", monkeypatch, source)
    assert [fact.text for fact in doubts(tmp_path)] == [f"payments: the check failed ({error})."]


def test_doubts_are_few_and_short(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install_check(tmp_path / "site", monkeypatch, "def find_doubts(*_):\n    return ['x' * 10_000] * 10_000\n")
    found = doubts(tmp_path)
    assert len(found) == MAX_OUTSIDE_DOUBTS
    assert len(found[0].text) == len("payments: ") + MAX_DOUBT_CHARACTERS


@pytest.mark.slow
def test_doubted_patch_is_unproven(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, prove_patch) -> None:
    install_check(tmp_path / "site", monkeypatch, CHECK)
    patch = {"shop/price.py": f"{RIGHT}# old\n", "tests/test_issue.py": NEW_TEST}
    verdict = prove_patch(patch)
    assert (verdict.kind, verdict.red, verdict.green) == ("unproven", True, True)
    assert any(text.startswith("payments: shop/price.py calls the old service") for text in verdict.notes)
