"""Patches that pass their own tests and must not be verified."""

import pytest

from tests.aci.conftest import CASE, RIGHT, WRONG, has_note

NEW_TEST = {"tests/test_issue.py": CASE + "    def test_total(self): self.assertEqual(price.total([1, 2]), 3)\n"}
PYTEST_BASE = {
    "conftest.py": "",
    "shop/__init__.py": "",
    "shop/price.py": WRONG,
    "tests/test_price.py": "from shop.price import tax\ndef test_tax(): assert tax(10) == 2\n",
}
PYTEST_TEST = {"tests/test_issue.py": "from shop.price import total\ndef test_total(): assert total([1, 2]) == 3\n"}


@pytest.mark.slow
def test_test_that_is_flaky_only_with_the_patch_is_lost(prove_patch):
    random = RIGHT.replace("    return x / 5", "    import random\n    return x / random.choice([5, 6])")
    verdict = prove_patch({"shop/price.py": random, **NEW_TEST})
    while verdict.no_loss:  # by chance, the test never failed
        verdict = prove_patch({"shop/price.py": random, **NEW_TEST})
    assert (verdict.kind, verdict.lost, verdict.flaky) == ("unproven", ("tests.test_price.T.test_tax",), ())
    assert has_note(verdict, "tests.test_price.T.test_tax", "always passes without it")


@pytest.mark.slow
def test_patch_cannot_rewrite_a_detected_command(prove_patch):
    base = {
        "Makefile": "test:\n\tsh tests/check.sh\n",
        "price.sh": "echo 2\n",
        "tests/check.sh": "test $(sh stock.sh) = 7\n",
        "stock.sh": "echo 7\n",
    }
    patch = {
        "price.sh": "echo 3\n",
        "stock.sh": "echo 8\n",
        "Makefile": "test:\n\ttest $$(sh price.sh) = 3\n",
        "tests/new_test.sh": "test $(sh price.sh) = 3\n",
    }
    verdict = prove_patch(patch, base, command="")
    assert verdict.kind == "unproven"
    assert verdict.no_loss is False
    assert has_note(verdict, "left out", "Makefile")


@pytest.mark.slow
@pytest.mark.parametrize("tests", [{}, {"tests/test_price.py": "import nowhere\ndef test_tax(): pass\n"}])
def test_no_loss_needs_a_test_that_passed(prove_patch, tests):
    base = {path: text for path, text in PYTEST_BASE.items() if path != "tests/test_price.py"} | tests
    verdict = prove_patch({"shop/price.py": RIGHT, **PYTEST_TEST}, base, command="")
    assert (verdict.kind, verdict.no_loss) == ("unproven", None)
    assert verdict.red
    assert verdict.green
    if tests:
        assert has_note(verdict, "No test passes without the patch", "ModuleNotFoundError: No module named 'nowhere'")


@pytest.mark.slow
def test_verdict_says_how_many_tests_were_compared(prove_patch):
    assert prove_patch({"shop/price.py": RIGHT, **NEW_TEST}).compared == "2 tests"
