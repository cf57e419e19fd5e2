"""Callers of functions whose signature a patch changes: reported without effect on the verdict."""

from __future__ import annotations

import pytest

from aci.localization import issue_localization
from aci.proof.proof import affected_callers
from tests.aci.conftest import BASE, RIGHT, has_note
from trajectories.git_store.trees import Trees

NEW_TEST = {
    "tests/test_new.py": "import unittest\nfrom shop import price\nclass T(unittest.TestCase):\n"
    "    def test_total(self): self.assertEqual(price.total([1, 2]), 3)\n"
}
BILL = "from shop.price import tax, total\n\n\ndef bill(items):\n    return total(items) + tax(3)\n"


@pytest.mark.slow
def test_verdict_names_callers_that_patch_does_not_change(prove_patch) -> None:
    resigned = RIGHT.replace("def tax(x):", "def tax(x, rate=5):").replace("def total(items)", "def total(items, /)")
    base = {**BASE, "shop/bill.py": BILL}
    verdict = prove_patch({**NEW_TEST, "shop/price.py": resigned}, base)
    assert verdict.kind == "plausible"
    assert has_note(verdict, "total (shop/price.py:1)", "items is positional-only", "shop/bill.py:5")
    assert not has_note(verdict, "tax (")


@pytest.mark.slow
def test_compatible_signature_change_is_not_reported(prove_patch) -> None:
    assert not has_note(
        prove_patch({**NEW_TEST, "shop/price.py": RIGHT}, {**BASE, "shop/bill.py": BILL}), "calls outside"
    )


def advice(tmp_path, files: dict[str, str], after: dict[str, str]) -> list[str]:
    with Trees(tmp_path / "trees.git") as trees:
        empty = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
        base = trees.write({path: text.encode() for path, text in files.items()}, empty)
        tree = trees.write({path: text.encode() for path, text in after.items()}, base)
        return [fact.text for fact in affected_callers(trees, base, tree, list(after))]


MANY = {f"use{number}.py": f"from shop import f{number}\n\nf{number}(1)\n" for number in range(8)}
SHOP = "".join(f"def f{number}(a):\n    return a\n\n\n" for number in range(8))


def test_calls_in_source_come_first_and_are_limited(tmp_path) -> None:
    calls = {f"a{number}.py": f"from shop import f0\n\n\ndef g():\n    return f0({number})\n" for number in range(8)}
    test = {"a_test.py": "from shop import f0\n\n\ndef test_f():\n    assert f0(1)\n"}
    (note,) = advice(tmp_path, {"shop.py": SHOP, **calls, **test}, {"shop.py": SHOP.replace("f0(a)", "f0(a, b)")})
    assert note == (
        "f0 (shop.py:1) has a new signature: b is required; calls outside the patch: "
        "a0.py:5, a1.py:5, a2.py:5, a3.py:5, a4.py:5, a5.py:5 and 3 more."
    )


def test_number_of_reported_functions_is_limited(tmp_path) -> None:
    notes = advice(tmp_path, {"shop.py": SHOP, **MANY}, {"shop.py": SHOP.replace("(a)", "(a, b)")})
    assert len(notes) == 6
    assert notes[-1] == "The same goes for 3 more functions whose signature changes."


def test_removed_function_is_reported(tmp_path) -> None:
    notes = advice(tmp_path, {"shop.py": "def f0(a):\n    return a\n", **MANY}, {"shop.py": "x = 1\n"})
    assert notes == ["f0 (shop.py) was removed; calls outside the patch: use0.py:3."]


def test_unreadable_trees_have_no_affected_callers(tmp_path) -> None:
    with Trees(tmp_path / "trees.git") as trees:
        assert affected_callers(trees, "0" * 40, "1" * 40, ["shop.py"]) == []


def test_no_callers_are_reported_without_folder_for_graph(tmp_path, monkeypatch) -> None:
    (tmp_path / "no-folder").write_text("")
    monkeypatch.setenv("SWE_AGENT_CACHE", str(tmp_path / "no-folder"))
    monkeypatch.setattr("aci.localization.issue_localization.process_folder", lambda: tmp_path / "no-folder")
    issue_localization._temporary_folder.cache_clear()
    assert advice(tmp_path, {"shop.py": SHOP, **MANY}, {"shop.py": SHOP.replace("(a)", "(a, b)")}) == []
