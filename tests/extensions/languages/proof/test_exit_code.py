"""Proofs by the exit code of a command whose results no runner reports."""

from __future__ import annotations

import pytest

from tests.aci.conftest import BASE, has_note
from tests.aci.proof.test_proof import FAILING, SOLVED


@pytest.mark.slow
def test_failing_base_is_never_verified_by_exit_code(prove_patch):
    command = "python3 -S tests/run.py"  # without site, our recorder is not loaded and reports no single tests
    run = {"tests/run.py": "import unittest\nunittest.main(module=None, argv='x discover -s tests -t .'.split())\n"}
    verdict = prove_patch(SOLVED, {**BASE, **run}, command=command)
    assert (verdict.kind, verdict.granularity) == ("plausible", "command"), verdict.notes
    verdict = prove_patch(SOLVED, {**BASE, **run, **FAILING}, command=command)
    assert (verdict.kind, verdict.granularity, verdict.no_loss) == ("unproven", "command", None)
    assert has_note(verdict, "without the patch already")
    verdict = prove_patch({**SOLVED, "shop/stock.py": "def left(n):\n    return n\n"}, {**BASE, **run}, command=command)
    assert verdict.no_loss is False


@pytest.mark.slow
def test_command_without_python_is_proved_by_exit_code(prove_patch):
    loop = "for t in tests/*.sh; do sh $t || exit 1; n=$((n + 1)); done"
    base = {"price.sh": "echo 2\n", "run.sh": f"n=0\n{loop}\necho $n tests passed\n", "tests/a.sh": "true\n"}
    patch = {"price.sh": "echo 3\n", "tests/b.sh": '[ "$(sh price.sh)" = 3 ]\n'}
    verdict = prove_patch(patch, base, command="sh run.sh")
    assert (verdict.kind, verdict.granularity) == ("plausible", "command"), verdict.notes
    assert verdict.tests == ()
    assert verdict.compared == "the exit code and the output “1 tests passed”"
    assert prove_patch({**patch, "price.sh": "echo 4\n"}, base, command="sh run.sh").green is False


@pytest.mark.slow
@pytest.mark.parametrize(("command", "script"), [("sh ci.sh", "ci.sh"), ("make -f Makefile check", "Makefile")])
def test_script_that_runs_tests_is_taken_from_base(prove_patch, command, script):
    line = "for t in tests/*.sh; do sh $$t || exit 1; done"
    texts = {"ci.sh": line.replace("$$", "$") + "\n", "Makefile": f"check:\n\t{line}\n"}
    base = {"price.sh": "echo 2\n", "tests/a.sh": '[ "$(sh price.sh)" = 2 ]\n', script: texts[script]}
    patch = {"price.sh": "echo 3\n", "tests/b.sh": "false\n", script: texts[script].replace("exit 1", "exit 0")}
    verdict = prove_patch(patch, base, command=command)
    assert (verdict.kind, verdict.no_loss, verdict.green) == ("unproven", False, False)
    assert has_note(verdict, f"left out: {script}")
